//! The `phala-gatekeeper` process.

use anyhow::Context;
use clap::Parser;
use phala_enclave_gatekeeper::{Config, Gatekeeper};
use phala_gatekeeper::http::Service;
use phala_host::{
    courier::HttpCourier,
    process::{self, MachineArguments, Process},
    system::{PlatformMachine, SystemClock, SystemEntropy},
    vault::FileVault,
};
use phala_machine::Ports;
use phala_messages::Account;
use std::sync::Arc;

/// Names the role to the TEE's sealing.
const ROLE: &str = "phala-gatekeeper";

/// Guards one share of the master key inside a TEE, and releases parts of program keys to workers that the chain has assigned.
#[derive(Parser)]
#[command(name = "phala-gatekeeper", version, about)]
struct Arguments {
    #[command(flatten)]
    machine: MachineArguments,
    /// The validator's account that bonds for this gatekeeper; GET /v1/info gives it the consent that it needs
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<Account>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { machine, account } = Arguments::parse();
    process::run(machine, |machine| run(machine, account))
}

async fn run(arguments: MachineArguments, account: Option<Account>) -> anyhow::Result<()> {
    let process = Process::start(&arguments).await?;
    let vault = FileVault::open(&arguments.data.join("vault"))
        .with_context(|| format!("cannot use {}", arguments.data.display()))?;
    let ports = Ports {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        machine: Arc::new(PlatformMachine::new(process.platform.clone(), ROLE)),
        vault: Arc::new(vault),
    };
    let (url, endpoint) = process.endpoint.clone();
    let config = Config { genesis: arguments.genesis, endpoint, poll_ms: arguments.poll_ms() };
    let peers = Arc::new(HttpCourier::new()?);
    let rpc = process.rpc.clone();
    let gatekeeper = tokio::task::spawn_blocking(move || Gatekeeper::start(config, ports, peers, rpc)).await??;
    let (identity, address) = (&gatekeeper.identity, process.address);
    tracing::info!(gatekeeper = %identity.worker, instance = %identity.instance, %address, "listening");
    println!(
        "{}",
        serde_json::json!({ "listening": format!("http://{address}"), "endpoint": url, "gatekeeper": identity.worker })
    );
    let service = Arc::new(Service::new(gatekeeper.clone(), account));
    let rpc = process.rpc.clone();
    process.serve(service, gatekeeper.run(rpc)).await
}
