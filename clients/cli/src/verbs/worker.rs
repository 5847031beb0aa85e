//! `phala worker`: which workers there are, whose programs they run, who of a cluster leads, and what they earn.

mod compute;
mod faults;

use crate::{
    Context,
    failure::{Failure, Outcome},
    local::start::local_http,
    output::{self, Progress, Report},
    signer::SignerArguments,
};
use phala_messages::{ClusterId, WorkerId, WorkerRecord};
use phala_sdk::{Applied, Client, Head, KeyPair, assign_worker_call, unassign_worker_call};
use serde::Deserialize;
use serde_json::{Value, json};

/// See which workers there are, give one to a cluster, and let it compute for a pool
#[derive(clap::Args)]
pub struct Worker {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List them (this is what happens without a word)
    List,
    /// Give a registered worker to a cluster of yours: the first leads, every further one stands by with copies
    Assign {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        /// Which cluster [default: the network's own]
        #[arg(long, value_name = "N")]
        cluster: Option<u32>,
        #[command(flatten)]
        signer: SignerArguments,
    },
    /// Take a worker out of its cluster; if it led, the next one leads
    ///
    /// Only what the others hold goes on. `phala worker list` shows whether they stand by.
    Unassign {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        #[command(flatten)]
        signer: SignerArguments,
    },
    #[command(flatten)]
    Compute(compute::Action),
}

impl Worker {
    /// Lists, assigns or unassigns.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        match self.action {
            None | Some(Action::List) => list(context, &client).await,
            Some(Action::Assign { worker, cluster, signer }) => {
                let id = named(&client, &worker).await?;
                let key = signer.key(client.network())?;
                let cluster = ClusterId(cluster.or(client.network().cluster).unwrap_or_default());
                assign(context, &client, &key, id, cluster).await
            }
            Some(Action::Unassign { worker, signer }) => {
                let id = named(&client, &worker).await?;
                unassign(context, &client, &signer.key(client.network())?, id).await
            }
            Some(Action::Compute(action)) => action.run(context, &client).await,
        }
    }
}

/// A worker, as the chain knows it.
struct Known {
    id: WorkerId,
    record: Option<WorkerRecord>,
    /// Its cluster, and whether it leads there.
    cluster: Option<(ClusterId, bool)>,
}

impl Known {
    fn endpoint(&self) -> String {
        self.record
            .as_ref()
            .map_or_else(String::new, |record| String::from_utf8_lossy(&record.registration.endpoint).into_owned())
    }

    fn is_admitted(&self, head: Head) -> bool {
        self.record.as_ref().is_some_and(|record| head.time < record.expires_at)
    }

    const fn part(&self) -> Option<&'static str> {
        match self.cluster {
            Some((_, true)) => Some("leads"),
            Some((_, false)) => Some("stands-by"),
            None => None,
        }
    }
}

/// Who a worker says it is.
#[derive(Deserialize)]
struct Info {
    worker: WorkerId,
}

/// The workers of all clusters, and those of the network's file that work in none.
async fn look(client: &Client) -> Outcome<Vec<Known>> {
    let mut all: Vec<Known> = Vec::new();
    for (cluster, record) in client.clusters().await? {
        for (place, id) in record.workers.iter().enumerate() {
            let (cluster, record) = (Some((cluster, place == 0)), client.worker(id).await?);
            all.push(Known { id: *id, record, cluster });
        }
    }
    // The chain keeps no list of workers that is cheap to prove; these say themselves who they are, and the chain says the rest.
    let http = local_http();
    for url in &client.network().workers {
        let Ok(reply) = http.get(format!("{url}/v1/info")).send().await else { continue };
        let Ok(Info { worker }) = reply.json().await else { continue };
        if !all.iter().any(|known| known.id == worker) {
            all.push(Known { id: worker, record: client.worker(&worker).await?, cluster: None });
        }
    }
    Ok(all)
}

/// The worker that a name means: `worker-1` is the local network's first.
async fn named(client: &Client, name: &str) -> Outcome<WorkerId> {
    let place = name.strip_prefix("worker-").and_then(|number| number.parse::<usize>().ok());
    let url = place.and_then(|place| client.network().workers.get(place.checked_sub(1)?));
    find(&look(client).await?, url.map_or(name, String::as_str))
}

fn find(all: &[Known], name: &str) -> Outcome<WorkerId> {
    let wanted = name.trim_start_matches("0x").to_lowercase();
    // An id that nobody listed may still be registered: the chain decides.
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let is_it = |known: &&Known| {
        (!name.is_empty() && known.endpoint().trim_end_matches('/') == name.trim_end_matches('/'))
            || (!wanted.is_empty() && hex::encode(known.id.0).starts_with(&wanted))
    };
    let mut found = all.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(known), None) => Ok(known.id),
        (None, _) => Err(Failure::new(format!("no worker is called {name}"), "`phala worker list` lists them")),
        _ => Err(Failure::new(format!("more than one worker is called {name}"), "give more of its id")),
    }
}

async fn list(context: &Context, client: &Client) -> Outcome {
    let all = look(client).await?;
    let head = client.head().await?;
    if context.json {
        output::object(&json!({ "workers": all.iter().map(|known| to_json(known, head)).collect::<Vec<_>>() }));
        return Ok(());
    }
    if all.is_empty() {
        output::line("no workers yet");
        return Ok(());
    }
    let rows = all.iter().map(|known| {
        let (tee, admission) = match &known.record {
            Some(record) => (
                record.attested.tee_name().to_owned(),
                match record.expires_at.since(head.time) {
                    0 => "expired".into(),
                    ms => format!("for {} min", ms / 60_000),
                },
            ),
            None => (String::new(), "not registered".into()),
        };
        let cluster = known.cluster.map_or_else(|| "none".into(), |(cluster, _)| cluster.0.to_string());
        let part = match known.part() {
            Some("leads") => "leads",
            Some(_) => "stands by",
            None => "",
        };
        [known.endpoint(), tee, admission, cluster, part.into(), known.id.to_string()[..14].to_owned() + "…"]
    });
    output::line(output::table(["WORKER", "TEE", "ADMITTED", "CLUSTER", "PART", "ID"], rows));
    Ok(())
}

fn to_json(known: &Known, head: Head) -> Value {
    json!({
        "worker": known.id,
        "endpoint": known.record.as_ref().map(|_| known.endpoint()),
        "tee": known.record.as_ref().map(|record| record.attested.tee_name()),
        "admitted": known.is_admitted(head),
        "expires_at_ms": known.record.as_ref().map(|record| record.expires_at.0),
        "cluster": known.cluster.map(|(cluster, _)| cluster.0),
        "part": known.part(),
    })
}

async fn assign(context: &Context, client: &Client, key: &KeyPair, worker: WorkerId, cluster: ClusterId) -> Outcome {
    let progress = Progress::new();
    progress.step("giving the worker to the cluster");
    let applied = client.submit_and_wait(key, &assign_worker_call(cluster, worker)).await;
    progress.done();
    tell(context, worker, Some(cluster), &applied?);
    Ok(())
}

async fn unassign(context: &Context, client: &Client, key: &KeyPair, worker: WorkerId) -> Outcome {
    let progress = Progress::new();
    progress.step("taking the worker out of its cluster");
    let applied = client.submit_and_wait(key, &unassign_worker_call(worker)).await;
    progress.done();
    tell(context, worker, None, &applied?);
    Ok(())
}

fn tell(context: &Context, worker: WorkerId, cluster: Option<ClusterId>, applied: &Applied) {
    let height = applied.block.number.0;
    if context.json {
        output::object(&json!({ "worker": worker, "cluster": cluster.map(|cluster| cluster.0), "height": height }));
        return;
    }
    match cluster {
        Some(cluster) => output::line(format!("{worker} works in {cluster} since block {height}")),
        None => output::line(format!("{worker} works in no cluster since block {height}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(first: u8) -> Known {
        let mut id = [7; 32];
        id[0] = first;
        Known { id: WorkerId(id), record: None, cluster: None }
    }

    #[test]
    fn a_worker_is_called_by_its_id_or_the_beginning_of_it() {
        let all = [known(0x11), known(0x12)];
        assert_eq!(find(&all, "0x11").ok(), Some(all[0].id));
        assert_eq!(find(&all, "12").ok(), Some(all[1].id));
        assert_eq!(find(&[], &known(0x13).id.to_string()).ok(), Some(known(0x13).id), "the chain knows");
        assert!(find(&all, "1").unwrap_err().message().contains("more than one"));
        for name in ["", "13", "0x", "http://127.0.0.1:1"] {
            assert!(find(&all, name).unwrap_err().message().contains("no worker"), "{name}");
        }
    }
}
