//! The `phala-worker` process.

use anyhow::Context;
use clap::Parser;
use phala_enclave_worker::{Config, Places, Ports, Worker, worker::HEAD_AGE_MS_MAX};
use phala_engine::{Engine, EngineConfig};
use phala_host::{
    courier::HttpCourier,
    harden,
    process::{self, MachineArguments, Process},
    system::{PlatformMachine, SystemClock, SystemEntropy},
    vault::{FileVault, MemoryVault},
};
use phala_messages::Account;
use phala_platform::Platform;
use phala_state::MemoryDisk;
use phala_worker::{disk::FjallDisk, http::Service, outbound::HttpOutbound};
use std::sync::Arc;

/// Names the role to the TEE's sealing.
const ROLE: &str = "phala-worker";

/// Runs programs inside a TEE: encrypted state, encrypted queries, signed receipts.
#[derive(Parser)]
#[command(name = "phala-worker", version, about)]
struct Arguments {
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    own: WorkerArguments,
}

/// What only workers are told.
#[derive(clap::Args)]
struct WorkerArguments {
    /// Keep nothing on disk: a new identity at each start, programs' state is lost with the process
    #[arg(long)]
    ephemeral: bool,
    /// Let programs fetch from loopback, private and link-local addresses
    #[arg(long)]
    allow_private_outbound: bool,
    /// Serve from a finalised head at most this old; more than the default is not believed
    #[arg(long, value_name = "MS", default_value_t = HEAD_AGE_MS_MAX)]
    head_age_max_ms: u64,
    /// The operator's account, which may bind this worker to its pool; GET /v1/info gives it the consent that it needs
    #[arg(long, value_name = "ACCOUNT")]
    operator: Option<Account>,
    /// Calls that run at once
    #[arg(long, value_name = "N", default_value_t = Places::default().running_max)]
    calls_max: usize,
    /// Requests that wait for a place
    #[arg(long, value_name = "N", default_value_t = Places::default().waiting_max)]
    waiting_max: usize,
}

fn main() -> anyhow::Result<()> {
    let Arguments { machine, own } = Arguments::parse();
    process::run(machine, |machine| run(machine, own))
}

async fn run(arguments: MachineArguments, own: WorkerArguments) -> anyhow::Result<()> {
    let process = Process::start(&arguments).await?;
    let ports = ports(&arguments, &own, process.platform.clone())?;
    let (url, endpoint) = process.endpoint.clone();
    let config = Config {
        genesis: arguments.genesis,
        endpoint,
        head_age_ms_max: own.head_age_max_ms.min(HEAD_AGE_MS_MAX),
        poll_ms: arguments.poll_ms(),
        places: Places { running_max: own.calls_max, waiting_max: own.waiting_max },
        lanes: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let instances = u32::try_from(own.calls_max).unwrap_or(u32::MAX).saturating_add(16);
    let engine = Engine::new(EngineConfig { instances_max: instances, memory_never_swaps: harden::never_swaps() })?;
    let rpc = process.rpc.clone();
    let worker = tokio::task::spawn_blocking(move || Worker::start(config, ports, engine, rpc)).await??;
    let (identity, address) = (&worker.identity, process.address);
    tracing::info!(worker = %identity.worker, instance = %identity.instance, %address, "listening");
    println!(
        "{}",
        serde_json::json!({ "listening": format!("http://{address}"), "endpoint": url, "worker": identity.worker })
    );
    let rpc = process.rpc.clone();
    let service = Arc::new(Service::new(worker.clone(), own.operator));
    let done = process.serve(service, worker.clone().run(rpc)).await;
    worker.close();
    done
}

fn ports(arguments: &MachineArguments, own: &WorkerArguments, platform: Arc<dyn Platform>) -> anyhow::Result<Ports> {
    let outbound = Arc::new(HttpOutbound::new(own.allow_private_outbound)?);
    let courier = Arc::new(HttpCourier::new()?);
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    if own.ephemeral {
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
