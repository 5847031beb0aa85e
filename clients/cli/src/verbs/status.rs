//! `phala status`: what runs, how far the chain is, who its workers are.

use crate::{
    Context,
    failure::{Failure, Outcome},
    local::{Layout, processes, processes::Process},
    output,
};
use phala_messages::{Root, WorkerId, WorkerRecord};
use phala_sdk::{Client, Head, Network, now};
use serde_json::{Value, json};

/// Show the network: its processes, chain, workers and programs
///
/// Everything about the chain is proven from the genesis that the network's directory holds.
#[derive(clap::Args)]
pub struct Status {}

struct Worker {
    cluster: u32,
    id: WorkerId,
    record: Option<WorkerRecord>,
}

struct Chain {
    head: Head,
    workers: Vec<Worker>,
    programs: usize,
}

impl Status {
    /// Prints it.
    pub async fn run(self, context: &Context) -> Outcome {
        let layout = Layout::new(&context.dir()?);
        let processes = processes::of_network(&layout);
        let network = Network::read(&layout.dir)?;
        let chain = async { look(&Client::connect(&layout.dir).await?).await }.await;
        if context.json {
            output::object(&to_json(&layout, &network, &processes, &chain));
            return Ok(());
        }
        output::line(format!("network   {} ({})", layout.dir.display(), network.chain));
        output::line(format!("genesis   {}", network.genesis));
        output::line(format!("rpc       {}", network.rpc));
        if processes.is_empty() {
            output::line("\nno process of it runs on this machine; `phala up` starts it");
        } else {
            output::line(format!("\n{}", table_of(&processes)));
        }
        match chain {
            Ok(chain) => print(&chain),
            // Without processes there is nothing to reach, and that has been said.
            Err(_) if processes.is_empty() => {}
            Err(failure) => return Err(failure.context("the chain cannot be followed")),
        }
        Ok(())
    }
}

async fn look(client: &Client) -> Outcome<Chain> {
    let head = client.head().await?;
    let mut workers = Vec::new();
    for (cluster, record) in client.clusters().await? {
        for id in record.workers {
            let record = client.worker(&id).await?;
            workers.push(Worker { cluster: cluster.0, id, record });
        }
    }
    Ok(Chain { head, workers, programs: client.programs().await?.len() })
}

fn table_of(processes: &[Process]) -> String {
    let mut processes = processes.to_vec();
    processes.sort_by(|a, b| a.role.cmp(&b.role));
    let rows = processes
        .iter()
        .map(|it| [it.role.clone(), it.pid.to_string(), it.memory().map_or_else(String::new, output::bytes)]);
    output::table(["PROCESS", "PID", "MEMORY"], rows)
}

fn print(chain: &Chain) {
    let age = std::time::Duration::from_millis(now().since(chain.head.time));
    output::line(format!("\nchain     block {}, finalised, {} old", chain.head.block.number.0, output::seconds(age)));
    output::line(format!("programs  {}", chain.programs));
    if chain.workers.is_empty() {
        output::line("workers   none is assigned to a cluster");
        return;
    }
    let rows = chain.workers.iter().map(|it| {
        let (endpoint, tee, admission) = match &it.record {
            Some(record) => (
                String::from_utf8_lossy(&record.registration.endpoint).into_owned(),
                format!("{}, {}", record.attested.tee_name(), record.attested.tcb),
                match record.expires_at.since(chain.head.time) {
                    0 => "expired".into(),
                    ms => format!("for {} min", ms / 60_000),
                },
            ),
            None => (String::new(), String::new(), "not registered".into()),
        };
        [it.cluster.to_string(), endpoint, tee, admission, it.id.to_string()[..14].to_owned() + "…"]
    });
    output::line(format!("\n{}", output::table(["CLUSTER", "WORKER", "TEE", "ADMITTED", "ID"], rows)));
    let simulated = |it: &Worker| it.record.as_ref().is_some_and(|record| record.attested.root == Root::Development);
    if chain.workers.iter().any(simulated) {
        output::line("\nthe TEE is SIMULATED: this network keeps no secret from its machines' owners");
    }
}

fn to_json(layout: &Layout, network: &Network, processes: &[Process], chain: &Result<Chain, Failure>) -> Value {
    let list: Vec<_> =
        processes.iter().map(|it| json!({ "role": it.role, "pid": it.pid, "memory_bytes": it.memory() })).collect();
    let mut object = json!({
        "running": !processes.is_empty(),
        "dir": layout.dir,
        "chain": network.chain,
        "genesis": network.genesis,
        "rpc": network.rpc,
        "processes": list,
        "memory_bytes": processes.iter().filter_map(Process::memory).sum::<u64>(),
    });
    match chain {
        Ok(chain) => {
            object["height"] = chain.head.block.number.0.into();
            object["block_hash"] = chain.head.block.hash.to_string().into();
            object["block_time_ms"] = chain.head.time.0.into();
            object["programs"] = chain.programs.into();
            object["workers"] = chain.workers.iter().map(|it| worker_json(it, chain.head)).collect();
        }
        Err(failure) => object["error"] = failure.to_json(),
    }
    object
}

fn worker_json(it: &Worker, head: Head) -> Value {
    let mut object = json!({ "worker": it.id, "cluster": it.cluster, "admitted": false });
    if let Some(record) = &it.record {
        object["endpoint"] = String::from_utf8_lossy(&record.registration.endpoint).into();
        object["instance"] = record.registration.instance.to_string().into();
        object["tee"] = record.attested.tee_name().into();
        object["tcb_status"] = record.attested.tcb.name().into();
        object["measurement"] = record.attested.measurement.to_string().into();
        object["admitted"] = (head.time < record.expires_at).into();
        object["expires_at_ms"] = record.expires_at.0.into();
    }
    object
}
