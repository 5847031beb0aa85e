//! `phala gatekeeper`: who guards the master key, how far they are, what they gave out.

mod rotate;

use crate::{
    Context,
    arguments::duration,
    failure::{self, Explain, Failure, Outcome},
    local::{Layout, binaries::Binaries, gatekeepers, processes},
    output,
    signer::SignerArguments,
};
use codec::{Decode, Encode};
use phala_messages::{
    WorkerId,
    custody::{ComplaintRecord, DealerFault, DeliveryBatch, Phase, RoundRecord},
    release::{DELIVERY_PATH, DeliveryProof},
    storage,
};
use phala_sdk::{Client, Complaint, CustodyState, Guard, LiveRoot, Root};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

/// See who guards the master key: how far they are, and what they gave out
#[derive(clap::Args)]
pub struct Gatekeeper {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Show the set, its epoch, the last refresh and deliveries (this is what happens without a word)
    Status,
    /// Make a new master key, move every program to it, and give the old one up; programs go on answering
    ///
    /// Signed by the network's administrator. A rotation that did not come to its end is taken up again.
    Rotate {
        /// How long it may take
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
        wait: Duration,
        #[command(flatten)]
        signer: SignerArguments,
    },
    /// Rob all but one of the gatekeepers that are needed, on a local network, and see what it opens: nothing
    ///
    /// Breaks their simulated TEEs, takes their disks and their memory, and tries to get a program's key out of them. Exit
    /// code 0 when nothing opened, and one key share more would have.
    Drill {
        /// The program whose key is wanted: its id, the beginning of it, or its name [default: the newest]
        #[arg(long)]
        program: Option<String>,
    },
    /// Show which gatekeepers were proven to cheat, and judge the evidence once more
    Complaints,
    /// Show one delivery of a part of a key, and check that it stands in the batch that the chain has
    Delivery {
        /// The gatekeeper: its id, or the beginning of it
        gatekeeper: String,
        /// The batch, by its number
        batch: u64,
        /// The delivery's place in the batch
        #[arg(default_value_t = 0)]
        index: u32,
    },
}

impl Gatekeeper {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        let state = client.custody().await?;
        match self.action {
            Some(Action::Drill { program }) => drill(context, &client, &state, program.as_deref()).await,
            Some(Action::Complaints) => complaints(context, &client).await,
            Some(Action::Rotate { wait, signer }) => rotate::rotate(context, &client, &signer, wait).await,
            None | Some(Action::Status) => status(context, &client, &state).await,
            Some(Action::Delivery { gatekeeper, batch, index }) => {
                delivery(context, &client, &state, &gatekeeper, batch, index).await
            }
        }
    }
}

async fn status(context: &Context, client: &Client, state: &CustodyState) -> Outcome {
    let roots = client.roots().await?;
    if context.json {
        output::object(&to_json(state, &roots));
        return Ok(());
    }
    let Some(root) = &state.root else {
        output::line("no gatekeepers guard a master key on this network yet");
        if let Some(round) = &state.round {
            output::line(format!("round     {}", describe(round)));
        }
        return Ok(());
    };
    let head = client.head().await?;
    let refreshed = head.block.number.since(root.epoch.since);
    output::line(format!("key       {}", root.epoch.group_key));
    output::line(format!("epoch     {}, made {refreshed} blocks ago in {}", root.epoch.epoch.0, root.epoch.round));
    output::line(format!(
        "threshold {} of {}: with fewer key shares nothing can be computed",
        root.epoch.threshold,
        root.guards.len()
    ));
    if let Some(round) = &state.round {
        output::line(format!("round     {}", describe(round)));
    }
    let rows = root.guards.iter().map(|guard| {
        let (endpoint, admission) = match &guard.record {
            Some(record) => (
                String::from_utf8_lossy(&record.registration.endpoint).into_owned(),
                match record.expires_at.since(head.time) {
                    0 => "expired".into(),
                    ms => format!("for {} min", ms / 60_000),
                },
            ),
            None => (String::new(), "not registered".into()),
        };
        let id = guard.member.gatekeeper.to_string();
        [endpoint, admission, guard.deliveries.next.to_string(), id[..14].to_owned() + "…"]
    });
    output::line(format!("\n{}", rotate::table(&roots)));
    output::line(format!("\n{}", output::table(["GATEKEEPER", "ADMITTED", "BATCHES", "ID"], rows)));
    Ok(())
}

fn describe(round: &RoundRecord) -> String {
    let phase = match round.phase {
        Phase::Dealing => "dealing".into(),
        Phase::Confirming => "confirming logs".into(),
        Phase::Reporting => "reporting".into(),
        Phase::Finished(epoch) => format!("made {epoch}"),
        Phase::Abandoned(reason) => format!("abandoned: {reason:?}"),
    };
    format!("{} of {} dealers and {} players: {phase}", round.number.0, round.dealers.len(), round.players.len())
}

fn to_json(state: &CustodyState, roots: &[LiveRoot]) -> Value {
    let root = state.root.as_ref();
    let guards = root.map(|root| root.guards.as_slice()).unwrap_or_default();
    json!({
        "gatekeepers": guards.iter().map(guard_json).collect::<Vec<_>>(),
        "threshold": root.map(|root| root.epoch.threshold),
        "epoch": root.map(|root| root.epoch.epoch.0),
        "epoch_height": root.map(|root| root.epoch.since.0),
        "master_public_key": root.map(|root| root.epoch.group_key.to_string()),
        "root": root.map(|root| root.generation.0),
        "roots": rotate::to_json(roots),
        "programs": root.map(|root| root.record.programs),
        "deliveries": guards.iter().map(|guard| guard.deliveries.next).sum::<u64>(),
        "round": state.round.as_ref().map(round_json),
    })
}

fn guard_json(guard: &Guard) -> Value {
    json!({
        "gatekeeper": guard.member.gatekeeper,
        "participant": guard.member.participant,
        "endpoint": guard.record.as_ref().map(|it| String::from_utf8_lossy(&it.registration.endpoint).into_owned()),
        "expires_at_ms": guard.record.as_ref().map(|it| it.expires_at.0),
        "delivery_batches": guard.deliveries.next,
    })
}

fn round_json(round: &RoundRecord) -> Value {
    let phase = match round.phase {
        Phase::Dealing => "dealing",
        Phase::Confirming => "confirming",
        Phase::Reporting => "reporting",
        Phase::Finished(_) => "finished",
        Phase::Abandoned(_) => "abandoned",
    };
    json!({ "number": round.number.0, "purpose": round.purpose, "phase": phase, "deadline_height": round.deadline.0 })
}

async fn complaints(context: &Context, client: &Client) -> Outcome {
    let found = client.complaints().await?;
    if context.json {
        output::object(&json!({ "complaints": found.iter().map(complaint_json).collect::<Vec<_>>() }));
    } else if found.is_empty() {
        output::line("nobody was proven to cheat in the rounds that the chain keeps");
    } else {
        let rows = found.iter().map(|it| {
            let verdict = if it.is_proven() { "proven" } else { "NOT proven" };
            let short = |id: &WorkerId| id.to_string()[..14].to_owned() + "…";
            let ComplaintRecord { round, dealer, by, fault, .. } = &it.record;
            [round.0.to_string(), short(dealer), tell(*fault).to_owned(), short(by), verdict.to_owned()]
        });
        output::line(output::table(["ROUND", "DEALER", "WHAT IT DID", "SHOWN BY", "JUDGED HERE"], rows));
    }
    if found.iter().all(Complaint::is_proven) {
        return Ok(());
    }
    Err(Failure::new(
        "the evidence does NOT prove what the chain says it proves",
        "the chain's runtime and this software judge differently: compare their versions, and tell the network's operators",
    ))
}

fn tell(fault: DealerFault) -> &'static str {
    match fault {
        DealerFault::CommitmentMalformed => "committed to what is no polynomial",
        DealerFault::WrongDegree => "committed to a polynomial of another degree",
        DealerFault::OtherKeyShare => "tried to change the master key",
        DealerFault::WrongShare => "dealt a wrong key share",
        DealerFault::Contradiction => "committed to two polynomials",
    }
}

fn complaint_json(it: &Complaint) -> Value {
    json!({
        "round": it.record.round.0,
        "dealer": it.record.dealer,
        "by": it.record.by,
        "fault": it.record.fault,
        "evidence": hex::encode(&it.record.evidence),
        "height": it.record.block.0,
        "proven": it.is_proven(),
    })
}

async fn delivery(
    context: &Context,
    client: &Client,
    state: &CustodyState,
    name: &str,
    sequence: u64,
    index: u32,
) -> Outcome {
    let root = state.root.as_ref().ok_or_else(|| {
        Failure::new("no gatekeepers guard a master key on this network yet", "`phala gatekeeper status` shows it")
    })?;
    let guard = find(root, name)?;
    let gatekeeper = guard.member.gatekeeper;
    let batch = batch(client, &gatekeeper, sequence).await?;
    let endpoint = guard.record.as_ref().map(|record| record.registration.endpoint.to_vec()).unwrap_or_default();
    let url = format!("{}{DELIVERY_PATH}", String::from_utf8_lossy(&endpoint).trim_end_matches('/'));
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let hint = "the gatekeeper keeps its newest batches; the chain keeps the roots of them all";
    let reply = http.post(url).body((sequence, index).encode()).send().await.doing("asking the gatekeeper")?;
    let reply = reply.error_for_status().doing("asking the gatekeeper").help(hint)?;
    let bytes = reply.bytes().await.doing("asking the gatekeeper")?;
    let proof = DeliveryProof::decode(&mut bytes.as_ref())
        .map_err(|_| Failure::new("the gatekeeper's answer is no proof of a delivery", hint))?;
    if proof.batch != batch || proof.index != index || !proof.verify() {
        return Err(Failure::new(
            "the delivery does NOT stand in the batch that the chain has",
            "the gatekeeper gives out keys that it did not write down: tell the network's operators",
        ));
    }
    let it = &proof.delivery;
    if context.json {
        output::object(&json!({
            "valid": true,
            "worker": it.worker,
            "instance": it.instance,
            "program": it.program,
            "root": it.root.0,
            "epoch": it.epoch.0,
            "height": it.block.0,
            "batch": sequence,
            "index": index,
            "batch_count": batch.count,
        }));
        return Ok(());
    }
    output::line("the delivery stands in the batch that the chain has\n");
    output::line(format!("  program    {}", it.program));
    output::line(format!("  worker     {}", it.worker));
    output::line(format!("  process    {}", it.instance));
    output::line(format!("  key share  of epoch {}, root {}", it.epoch.0, it.root.0));
    output::line(format!("  judged at  block {}", it.block.0));
    output::line(format!("  place      {} of {} in batch {sequence}", index + 1, batch.count));
    Ok(())
}

async fn drill(context: &Context, client: &Client, state: &CustodyState, program: Option<&str>) -> Outcome {
    let layout = Layout::new(&context.dir()?);
    if state.root.is_none() {
        return Err(Failure::new("no gatekeepers guard a master key here", "`phala up` starts a network with some"));
    }
    let mut programs = client.programs().await?;
    if let Some(name) = program {
        let wanted = client.resolve(name).await?;
        programs.retain(|it| it.id == wanted);
    }
    let program = programs.into_iter().max_by_key(|it| it.record.deployed.0);
    let program = program
        .ok_or_else(|| Failure::new("there is no program to be robbed of its key", "`phala deploy` one first"))?;
    let binaries = Binaries::find()?;
    let processes = processes::of_network(&layout);
    let mut command = Command::new(&binaries.drill);
    for n in 1.. {
        let role = format!("gatekeeper-{n}");
        let data = layout.dir.join(&role);
        if !data.is_dir() {
            break;
        }
        let pid = processes.iter().find(|process| process.role == role).map_or(0, |process| process.pid);
        command.arg("--gatekeeper").arg(layout.dir.join(gatekeepers::machine(n))).arg(data).arg(pid.to_string());
    }
    command
        .arg("--worker-vault")
        .arg(layout.dir.join("worker-1/vault"))
        .arg("--executable")
        .arg(&binaries.gatekeeper)
        .args(["--genesis", &client.genesis().to_string()])
        .args(["--program", &program.id.to_string()])
        .args(["--cluster", &program.record.cluster.0.to_string()])
        .args(["--code-epoch", &client.key_record(&program.id).await?.epoch.0.to_string()]);
    let done = command.output().doing("running phala-drill")?;
    let report: Value = serde_json::from_slice(&done.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&done.stderr).trim().trim_start_matches("error: ").to_owned();
        Failure::new(format!("the drill could not be held: {said}"), "it needs a network of this machine that runs")
    })?;
    if context.json {
        output::object(&report);
    } else {
        print_drill(&report, &program.name());
    }
    if done.status.success() { Ok(()) } else { Err(Failure::silent(failure::FAILURE)) }
}

fn print_drill(report: &Value, program: &str) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let rows = list("taken").into_iter().map(|it| {
        [
            text(&it["gatekeeper"]),
            format!("{} blobs, {}", it["blobs"], output::bytes(it["bytes"].as_u64().unwrap_or_default())),
            it["blobs_opened"].to_string(),
            format!("of epoch {}", it["key_share_of_epoch"]),
        ]
    });
    output::line(format!("robbed {} gatekeepers; {} are needed\n", report["robbed"], report["threshold"]));
    output::line(output::table(["TAKEN FROM", "DISK", "OPENED", "KEY SHARE"], rows));
    let memory = output::bytes(report["memory_bytes"].as_u64().unwrap_or_default());
    output::line(format!("\nand {memory} of their memory\n"));
    let rows =
        list("attempts").into_iter().map(|it| [text(&it["attempt"]), it["opened"].to_string(), text(&it["why"])]);
    output::line(output::table(["TRIED", "OPENED", "WHY"], rows));
    if report["opened"] == 0 && report["could_have_succeeded"] == true {
        output::line(format!("\nnothing of {program} was opened. One key share more, and it would have been."));
    } else if report["opened"] == 0 {
        output::line(
            "\nnothing was opened, but nothing would have been with one key share more either: the drill proves nothing",
        );
    } else {
        output::line("\nsomething WAS opened");
    }
}

fn find<'a>(root: &'a Root, name: &str) -> Outcome<&'a Guard> {
    let wanted = name.trim_start_matches("0x").to_lowercase();
    let mut found = root.guards.iter().filter(|guard| hex::encode(guard.member.gatekeeper.0).starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(guard), None) => Ok(guard),
        (None, _) => Err(Failure::new(
            format!("no gatekeeper of this epoch is called {name}"),
            "`phala gatekeeper status --json` lists them",
        )),
        _ => Err(Failure::new(format!("more than one gatekeeper begins with {name}"), "give more of its id")),
    }
}

async fn batch(client: &Client, gatekeeper: &WorkerId, sequence: u64) -> Outcome<DeliveryBatch> {
    let (_, values) = client.read_raw(&[storage::delivery(gatekeeper, sequence)]).await?;
    let bytes = values.into_iter().next().flatten().ok_or_else(|| {
        Failure::new(
            format!("the chain has no batch {sequence} of this gatekeeper"),
            "`phala gatekeeper status` shows how many there are",
        )
    })?;
    DeliveryBatch::decode(&mut bytes.as_slice())
        .map_err(|_| Failure::new("the chain's batch is not in the form that this software knows", "update phala"))
}
