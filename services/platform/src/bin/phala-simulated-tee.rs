//! `phala-simulated-tee`: the process of a simulated machine. **It keeps no secret.**

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use phala_platform::simulated::{
    measurement_of,
    pki::{DEVELOPMENT_SEED, Pki, pem},
    server::SimulatedMachine,
    simulated_mr_td,
};
use std::{
    fs, io,
    os::unix::net::UnixStream as StdUnixStream,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};

/// A simulated TEE. It is a SIMULATION and keeps NO secret: whoever can read the machine's directory has every key.
#[derive(Parser)]
#[command(
    name = "phala-simulated-tee",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    serve: Option<Serve>,
}

#[derive(Args)]
struct Serve {
    /// The machine: a directory with its fuse key and certificate, made on the first start
    #[arg(long, value_name = "DIR")]
    machine: PathBuf,
    /// Where clients connect
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Seed of another certificate authority than the development one, 64 hexadecimal digits; no network trusts it
    #[arg(long, value_name = "HEX")]
    seed: Option<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the measurement that an executable will have
    Measure {
        /// The executable
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the development root certificate
    Root,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match (arguments.verb, arguments.serve) {
        (Some(Verb::Measure { file, json }), _) => measure(&file, json),
        (Some(Verb::Root), _) => {
            print!("{}", pem(&Pki::development().root.certificate));
            Ok(())
        }
        (None, Some(serve)) => run(&serve),
        (None, None) => anyhow::bail!("--machine and --socket are needed; hint: see --help"),
    }
}

fn measure(file: &Path, json: bool) -> anyhow::Result<()> {
    let mr_td = simulated_mr_td(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let measurement = measurement_of(&mr_td);
    if json {
        let mr_td = format!("0x{}", hex::encode(mr_td));
        println!(
            "{}",
            serde_json::json!({ "measurement": measurement.to_string(), "mr_td": mr_td, "simulated": true })
        );
    } else {
        println!("{measurement}");
    }
    Ok(())
}

fn run(serve: &Serve) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let mut seed = DEVELOPMENT_SEED;
    if let Some(text) = &serve.seed {
        hex::decode_to_slice(text, &mut seed).context("--seed must be 64 hexadecimal digits")?;
    }
    let machine = Arc::new(SimulatedMachine::open(&serve.machine, Pki::new(&seed))?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(&serve.socket)?;
        eprintln!("phala-simulated-tee: this is a SIMULATION of a TEE and keeps NO SECRET");
        tracing::info!(machine = %serve.machine.display(), socket = %serve.socket.display(), "ready");
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            () = machine.serve(listener) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // The path is ours: nobody takes over that of a living process.
        let _ = fs::remove_file(&serve.socket);
        Ok(())
    })
}

/// Listens at `socket`. A path that a dead process left behind is taken over, a living one's is not.
fn listen(socket: &Path) -> anyhow::Result<UnixListener> {
    if socket.exists() {
        if StdUnixStream::connect(socket).is_ok() {
            anyhow::bail!("{} is in use by another process", socket.display());
        }
        fs::remove_file(socket).with_context(|| format!("{} cannot be replaced", socket.display()))?;
    }
    UnixListener::bind(socket).with_context(|| format!("{} cannot be listened at", socket.display()))
}
