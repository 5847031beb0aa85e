//! The `phala-gatekeeper` process.

use anyhow::{Context, bail};
use clap::Parser;
use phala_enclave_gatekeeper::{Config, Gatekeeper};
use phala_gatekeeper::http::Service;
use phala_host::{
    courier::HttpCourier,
    harden,
    rpc::HttpRpc,
    server,
    system::{PlatformMachine, SystemClock, SystemEntropy},
    vault::FileVault,
};
use phala_machine::{Ports, registration::parse_endpoint};
use phala_messages::{Account, GenesisHash};
use phala_platform::{
    Platform,
    simulated::Simulated,
    tsm::{CONFIGFS_REPORTS, Tsm},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

/// Names the role to the TEE's sealing.
const ROLE: &str = "phala-gatekeeper";
/// How often the node is asked for a newer head when nobody says otherwise.
const POLL_MS_DEFAULT: u64 = 250;

/// Guards one share of the master key inside a TEE, and releases parts of program keys to workers that the chain has assigned.
#[derive(Parser)]
#[command(name = "phala-gatekeeper", version, about)]
struct Arguments {
    /// RPC of a node, http(s)://… or ws(s)://…; it is not trusted
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// Where to keep what is sealed. Losing it loses this gatekeeper's key share
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// URL at which workers and gatekeepers reach this one [default: the address it listens at]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Hash of the network's block 0
    #[arg(long, value_name = "HASH")]
    genesis: GenesisHash,
    /// The validator's account that bonds for this gatekeeper; GET /v1/info gives it the consent that it needs
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<Account>,
    /// Socket of the simulated TEE; without one, Intel TDX vouches
    #[arg(long, value_name = "PATH")]
    tee_socket: Option<PathBuf>,
    /// Where the kernel offers TEE reports
    #[arg(long, value_name = "DIR", default_value = CONFIGFS_REPORTS)]
    tsm_root: PathBuf,
    /// Collateral of this machine, as files
    #[arg(long, value_name = "DIR")]
    collateral_dir: Option<PathBuf>,
    /// How often to ask the node for a newer head
    #[arg(long, value_name = "MS", default_value_t = POLL_MS_DEFAULT)]
    poll_ms: u64,
    /// Write the log as JSON
    #[arg(long)]
    json_logs: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if arguments.json_logs {
        log.json().init()
    } else {
        log.init()
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime does not start")?;
    let done = runtime.block_on(run(arguments));
    runtime.shutdown_timeout(Duration::from_millis(500));
    done
}

fn platform(arguments: &Arguments) -> anyhow::Result<Arc<dyn Platform>> {
    if let Some(socket) = &arguments.tee_socket {
        tracing::warn!("the TEE is SIMULATED: it keeps no secret. Use it for development only");
        return Ok(Arc::new(Simulated::connect(socket.clone())?));
    }
    let collateral = arguments.collateral_dir.clone().context("Intel TDX needs --collateral-dir DIR")?;
    Ok(Arc::new(Tsm::new(&arguments.tsm_root, collateral)))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let platform = platform(&arguments)?;
    harden::harden(platform.simulated()).context("the process cannot be hardened")?;
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen at {}", arguments.listen))?;
    let address = listener.local_addr()?;
    let url = arguments.endpoint.clone().unwrap_or_else(|| format!("http://{address}"));
    let endpoint = parse_endpoint(&url)
        .with_context(|| format!("`{url}` is not http(s)://host[:port]; hint: give --endpoint URL"))?;
    let vault = FileVault::open(&arguments.data.join("vault"))
        .with_context(|| format!("cannot use {}", arguments.data.display()))?;
    let ports = Ports {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        machine: Arc::new(PlatformMachine::new(platform, ROLE)),
        vault: Arc::new(vault),
    };
    let config = Config { genesis: arguments.genesis, endpoint, poll_ms: arguments.poll_ms.max(20) };
    let rpc =
        Arc::new(HttpRpc::new(&arguments.rpc).with_context(|| format!("`{}` is not a node's URL", arguments.rpc))?);
    let peers = Arc::new(HttpCourier::new()?);
    let for_gatekeeper = rpc.clone();
    let gatekeeper =
        tokio::task::spawn_blocking(move || Gatekeeper::start(config, ports, peers, for_gatekeeper)).await??;
    let identity = &gatekeeper.identity;
    tracing::info!(gatekeeper = %identity.worker, instance = %identity.instance, %address, "listening");
    println!(
        "{}",
        serde_json::json!({ "listening": format!("http://{address}"), "endpoint": url, "gatekeeper": identity.worker })
    );

    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let service = Arc::new(Service::new(gatekeeper.clone(), arguments.account));
    let serving = tokio::spawn(server::serve(listener, service, async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let reason = tokio::select! {
        reason = gatekeeper.run(rpc) => Some(reason),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let _ = stop.send(true);
    serving.await?;
    match reason {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}
