//! The `phala-worker` process.

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use phala_enclave_worker::{
    Config, Places, Ports, Worker,
    worker::{HEAD_AGE_MS_MAX, POLL_MS_DEFAULT},
};
use phala_engine::{Engine, EngineConfig};
use phala_host::{
    courier::HttpCourier,
    harden,
    rpc::HttpRpc,
    server,
    system::{PlatformMachine, SystemClock, SystemEntropy},
    vault::{FileVault, MemoryVault},
};
use phala_machine::registration::parse_endpoint;
use phala_messages::GenesisHash;
use phala_platform::{
    Platform,
    simulated::Simulated,
    tsm::{CONFIGFS_REPORTS, Tsm},
};
use phala_state::MemoryDisk;
use phala_worker::{disk::FjallDisk, http::Service, outbound::HttpOutbound};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

/// Names the role to the TEE's sealing.
const ROLE: &str = "phala-worker";

/// Runs programs inside a TEE: encrypted state, encrypted queries, signed receipts.
#[derive(Parser)]
#[command(name = "phala-worker", version, about)]
struct Arguments {
    /// RPC of a node, http(s)://… or ws(s)://…; it is not trusted
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// Where to keep sealed state
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// URL at which others reach this worker [default: the address it listens at]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Hash of the network's block 0
    #[arg(long, value_name = "HASH")]
    genesis: GenesisHash,
    /// Which TEE vouches for this worker [default: simulated where --tee-socket is given, else tdx]
    #[arg(long, value_enum)]
    tee: Option<Tee>,
    /// Socket of the simulated TEE
    #[arg(long, value_name = "PATH")]
    tee_socket: Option<PathBuf>,
    /// Where the kernel offers TEE reports
    #[arg(long, value_name = "DIR", default_value = CONFIGFS_REPORTS)]
    tsm_root: PathBuf,
    /// Collateral of this machine, as files
    #[arg(long, value_name = "DIR")]
    collateral_dir: Option<PathBuf>,
    /// Keep nothing on disk: a new identity at each start, programs' state is lost with the process
    #[arg(long)]
    ephemeral: bool,
    /// Let programs fetch from loopback, private and link-local addresses
    #[arg(long)]
    allow_private_outbound: bool,
    /// Serve from a finalised head at most this old; more than the default is not believed
    #[arg(long, value_name = "MS", default_value_t = HEAD_AGE_MS_MAX)]
    head_age_max_ms: u64,
    /// How often to ask the node for a newer head
    #[arg(long, value_name = "MS", default_value_t = POLL_MS_DEFAULT)]
    poll_ms: u64,
    /// Calls that run at once
    #[arg(long, value_name = "N", default_value_t = Places::default().running_max)]
    calls_max: usize,
    /// Requests that wait for a place
    #[arg(long, value_name = "N", default_value_t = Places::default().waiting_max)]
    waiting_max: usize,
    /// Write the log as JSON
    #[arg(long)]
    json_logs: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tee {
    /// A simulation that keeps no secret
    Simulated,
    /// Intel TDX
    Tdx,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    start_log(arguments.json_logs);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime does not start")?;
    let done = runtime.block_on(run(arguments));
    // Calls that still run are of no use to anyone any more.
    runtime.shutdown_timeout(Duration::from_millis(500));
    done
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { log.json().init() } else { log.init() }
}

fn platform(arguments: &Arguments) -> anyhow::Result<Arc<dyn Platform>> {
    let tee = arguments.tee.unwrap_or(if arguments.tee_socket.is_some() { Tee::Simulated } else { Tee::Tdx });
    match tee {
        Tee::Simulated => {
            let socket = arguments.tee_socket.clone().context("--tee simulated needs --tee-socket PATH")?;
            tracing::warn!("the TEE is SIMULATED: it keeps no secret. Use it for development only");
            Ok(Arc::new(Simulated::connect(socket)?))
        }
        Tee::Tdx => {
            let collateral = arguments.collateral_dir.clone().context("--tee tdx needs --collateral-dir DIR")?;
            Ok(Arc::new(Tsm::new(&arguments.tsm_root, collateral)))
        }
    }
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
    let ports = ports(&arguments, platform)?;
    let config = Config {
        genesis: arguments.genesis,
        endpoint,
        head_age_ms_max: arguments.head_age_max_ms.min(HEAD_AGE_MS_MAX),
        poll_ms: arguments.poll_ms.max(20),
        places: Places { running_max: arguments.calls_max, waiting_max: arguments.waiting_max },
    };
    let instances = u32::try_from(arguments.calls_max).unwrap_or(u32::MAX).saturating_add(16);
    let engine = Engine::new(EngineConfig { instances_max: instances, memory_never_swaps: harden::never_swaps() })?;
    let rpc =
        Arc::new(HttpRpc::new(&arguments.rpc).with_context(|| format!("`{}` is not a node's URL", arguments.rpc))?);
    let (for_worker, start_config) = (rpc.clone(), config);
    let worker = tokio::task::spawn_blocking(move || Worker::start(start_config, ports, engine, for_worker)).await??;
    tracing::info!(worker = %worker.identity.worker, instance = %worker.identity.instance, %address, "listening");
    println!(
        "{}",
        serde_json::json!({ "listening": format!("http://{address}"), "endpoint": url, "worker": worker.identity.worker })
    );

    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(server::serve(listener, Arc::new(Service::new(worker.clone())), async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let reason = tokio::select! {
        reason = worker.clone().run(rpc) => Some(reason),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let _ = stop.send(true);
    serving.await?;
    worker.close();
    match reason {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

fn ports(arguments: &Arguments, platform: Arc<dyn Platform>) -> anyhow::Result<Ports> {
    let outbound = Arc::new(HttpOutbound::new(arguments.allow_private_outbound)?);
    let courier = Arc::new(HttpCourier::new()?);
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    if arguments.ephemeral {
        let machine = Arc::new(PlatformMachine::ephemeral(platform, ROLE));
        return Ok(Ports {
            clock,
            entropy,
            machine,
            disk: Arc::new(MemoryDisk::new()),
            vault: Arc::new(MemoryVault::default()),
            outbound,
            courier,
        });
    }
    let data = &arguments.data;
    let vault = FileVault::open(&data.join("vault")).with_context(|| format!("cannot use {}", data.display()))?;
    let disk = FjallDisk::open(&data.join("state"))
        .with_context(|| format!("cannot open {}; hint: does another worker use the same --data?", data.display()))?;
    let machine = Arc::new(PlatformMachine::new(platform, ROLE));
    Ok(Ports { clock, entropy, machine, disk: Arc::new(disk), vault: Arc::new(vault), outbound, courier })
}
