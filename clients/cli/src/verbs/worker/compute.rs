//! Work: bind a worker to a pool, let it compute with the pool's stake, see what it earns.

use super::{faults, named};
use crate::{
    Context,
    arguments::{amount, duration},
    failure::{Explain, Failure, Outcome},
    local::start::local_http,
    output::{self, Progress, Report},
    transact::{Plan, SendArguments},
};
use phala_economics::{Confidence, Score};
use phala_messages::{
    Account, PoolId, Signature, WorkerId,
    calls::{Call, Computation},
};
use phala_sdk::{Client, WorkState, WorkTerms, address};
use phala_units::{BlockNumber, Planck};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often a waiting verb looks again.
const POLL: Duration = Duration::from_secs(2);

/// What is done for work.
#[derive(clap::Subcommand)]
pub enum Action {
    /// Show what a worker has at stake and earns: score, V, share, pay. For example: phala worker show worker-1
    Show {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
    },
    /// Bind a worker to a pool of yours, with its consent: it was started with --operator and your account. For example: phala worker bind worker-1 0
    Bind {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        /// Your stake pool's number
        pool: u64,
        /// The worker's consent, as its /v1/info gives it [default: the worker is asked]
        #[arg(long, value_name = "0x…", value_parser = signature)]
        consent: Option<Signature>,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Let a worker compute with its pool's stake. For example: phala worker start worker-1 --stake 5000PHA --wait 5m
    Start {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        /// How much of what is free in its pool: 5000PHA, or `least` for what its score needs
        #[arg(long, value_parser = stake)]
        stake: Stake,
        /// How long to wait for its benchmark, which takes a minute or two once it is bound
        #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s", hide_default_value = true)]
        wait: Duration,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Let a worker stop; its stake cools down, for a week on the network that counts. For example: phala worker stop worker-1
    Stop {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Stake more on a worker that computes, without cooling down. For example: phala worker restart worker-1 --stake 8000PHA
    Restart {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        /// The whole stake from now on: 8000PHA
        #[arg(long, value_parser = amount)]
        stake: Planck,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Bring a stake back that has cooled down; the chain does so by itself, anyone may hasten it. For example: phala worker reclaim worker-1
    Reclaim {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Let a worker go; one that computes is stopped, and goes when its stake is back. For example: phala worker unbind worker-1
    Unbind {
        /// The worker: its id, the beginning of it, where it is reached, or worker-1 on a local network
        worker: String,
        #[command(flatten)]
        send: SendArguments,
    },
    /// Prove a worker's fault by what it signed; you get a part of the fine. For example: phala worker report other-state answer.receipt
    Report {
        #[command(subcommand)]
        fault: faults::Fault,
    },
}

/// How much to stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stake {
    /// So much.
    Amount(Planck),
    /// What the worker's score needs.
    Least,
}

fn stake(text: &str) -> Result<Stake, String> {
    match text.trim() {
        "least" => Ok(Stake::Least),
        text => amount(text).map(Stake::Amount).map_err(|error| format!("{error}, or `least`")),
    }
}

fn signature(text: &str) -> Result<Signature, String> {
    let bytes = hex::decode(text.trim_start_matches("0x")).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "a consent is 0x and 128 hexadecimal digits".into())
}

impl Action {
    /// Does what is asked.
    pub async fn run(self, context: &Context, client: &Client) -> Outcome {
        client.head().await?;
        match self {
            Self::Show { worker } => show(context, client, named(client, &worker).await?).await,
            Self::Bind { worker, pool, consent, send } => {
                let worker = named(client, &worker).await?;
                bind(context, client, worker, PoolId(pool), consent, &send).await
            }
            Self::Start { worker, stake, wait, send } => {
                let worker = named(client, &worker).await?;
                start(context, client, worker, stake, wait, &send).await
            }
            Self::Stop { worker, send } => stop(context, client, named(client, &worker).await?, &send).await,
            Self::Restart { worker, stake, send } => {
                let worker = named(client, &worker).await?;
                let plan = Plan::new(
                    call(Computation::Restart { worker, stake: stake.0 }),
                    format!("stake {stake} on {worker}, which computes"),
                    json!({ "worker": worker, "stake_planck": stake.0.to_string() }),
                )
                .change("what its session has lost is slashed now; V begins anew with the larger stake");
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Reclaim { worker, send } => {
                let worker = named(client, &worker).await?;
                let plan = Plan::new(
                    call(Computation::Reclaim { worker }),
                    format!("bring the stake of {worker} back to its pool"),
                    json!({ "worker": worker }),
                )
                .change("its delegators can have it");
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Unbind { worker, send } => {
                let worker = named(client, &worker).await?;
                let plan = Plan::new(
                    call(Computation::Unbind { worker }),
                    format!("let {worker} go"),
                    json!({ "worker": worker }),
                )
                .change("if it computes it is stopped, and goes when its stake has cooled down");
                send.carry_out_and_tell(context, client, &plan).await
            }
            Self::Report { fault } => fault.run(context, client).await,
        }
    }
}

fn call(call: Computation) -> Call {
    Call::Computation(Box::new(call))
}

/// What a worker says of its operator.
#[derive(Deserialize)]
struct Info {
    consent: Option<Consent>,
}

#[derive(Deserialize)]
struct Consent {
    operator: Account,
    signature: String,
}

async fn bind(
    context: &Context,
    client: &Client,
    worker: WorkerId,
    pool: PoolId,
    consent: Option<Signature>,
    send: &SendArguments,
) -> Outcome {
    let actor = send.actor(client)?;
    let consent = match consent {
        Some(consent) => consent,
        None => ask_consent(client, worker, &actor).await?,
    };
    let plan = Plan::new(
        call(Computation::Bind { pool, worker, consent }),
        format!("bind {worker} to stake pool {}", pool.0),
        json!({ "worker": worker, "pool": pool.0 }),
    )
    .change("it measures how fast it is, which takes a minute or two; then it can be started");
    send.carry_out_and_tell(context, client, &plan).await
}

/// Asks the worker, where the chain says that it is reached, whether this account is its operator.
async fn ask_consent(client: &Client, worker: WorkerId, actor: &Account) -> Outcome<Signature> {
    let way_out = "start the worker with --operator and the account of the pool's owner";
    let Some(record) = client.worker(&worker).await? else {
        return Err(Failure::new(format!("{worker} is not registered"), "`phala worker list` shows who is"));
    };
    let url = String::from_utf8_lossy(&record.registration.endpoint).into_owned();
    let reply = local_http().get(format!("{}/v1/info", url.trim_end_matches('/'))).send().await;
    let info: Info = async { reply?.json().await }
        .await
        .doing(format!("asking the worker at {url} for its consent"))
        .help("is it running? Its consent can be given with --consent, too")?;
    match info.consent {
        None => Err(Failure::new(format!("the worker at {url} has no operator"), way_out)),
        Some(consent) if consent.operator != *actor => {
            let (theirs, ours) = (address(&consent.operator), address(actor));
            Err(Failure::new(format!("the operator of the worker at {url} is {theirs}, not {ours}"), way_out))
        }
        Some(consent) => signature(&consent.signature).map_err(|error| Failure::new(error, way_out)),
    }
}

async fn start(
    context: &Context,
    client: &Client,
    worker: WorkerId,
    stake: Stake,
    wait: Duration,
    send: &SendArguments,
) -> Outcome {
    let (state, score) = await_score(client, worker, wait).await?;
    let terms = client.work_terms().await?;
    let confidence = state.confidence().unwrap_or(Confidence::Five);
    let (least, most) = terms.stakes(score, confidence);
    let stake = match stake {
        Stake::Least => least,
        Stake::Amount(stake) if stake < least || stake > most => {
            return Err(Failure::new(
                format!("a worker with score {} is started with {least} to {most}, not with {stake}", score.0),
                "choose another stake, or `--stake least`",
            ));
        }
        Stake::Amount(stake) => stake,
    };
    let pool = state.work.as_ref().map(|work| work.pool).unwrap_or_default();
    let free =
        client.pool(pool).await?.map_or(Planck(0), |pool| Planck(pool.record.free.0.saturating_sub(pool.owed().0)));
    if free < stake {
        return Err(Failure::new(
            format!("stake pool {} has {free} free, and {stake} are to be staked", pool.0),
            format!("`phala pool contribute {} AMOUNT` gives it more", pool.0),
        ));
    }
    let plan = Plan::new(
        call(Computation::Start { worker, stake: stake.0 }),
        format!("let {worker} compute with {stake}"),
        json!({ "worker": worker, "pool": pool.0, "stake_planck": stake.0.to_string(), "score": score.0 }),
    )
    .change(format!("{stake} of stake pool {} are at work, and come back {} after it stops", pool.0, cool_down(&terms)))
    .change("it is asked for signs of life; silence and faults cost stake");
    send.carry_out_and_tell(context, client, &plan).await
}

/// How long a stake cools down on this network, in words.
fn cool_down(terms: &WorkTerms) -> String {
    // Blocks of two seconds.
    output::blocks(u32::try_from(terms.rules.cool_down_ms / 2_000).unwrap_or(u32::MAX))
}

/// The worker's score, as soon as the chain has it.
async fn await_score(client: &Client, worker: WorkerId, wait: Duration) -> Outcome<(WorkState, Score)> {
    let (began, progress) = (Instant::now(), Progress::new());
    loop {
        let state = client.work(&worker).await?;
        let Some(work) = &state.work else {
            return Err(Failure::new(
                format!("{worker} is bound to no pool"),
                "`phala worker bind WORKER POOL` binds it to yours",
            ));
        };
        if let Some(score) = &work.score {
            let score = Score(score.score);
            progress.done();
            return Ok((state, score));
        }
        if began.elapsed() >= wait {
            return Err(Failure::new(
                format!("{worker} has not said yet how fast it is"),
                "its benchmark takes a minute or two once it is bound: wait for it with --wait 5m",
            ));
        }
        progress.step("waiting for the worker's benchmark");
        tokio::time::sleep(POLL).await;
        client.advance().await?;
    }
}

async fn stop(context: &Context, client: &Client, worker: WorkerId, send: &SendArguments) -> Outcome {
    let (state, terms) = (client.work(&worker).await?, client.work_terms().await?);
    let returned = state.returned(&terms, state.block.number);
    let json = json!({ "worker": worker, "returned_planck_estimated": returned.map(|amount| amount.0.to_string()) });
    let mut plan = Plan::new(call(Computation::Stop { worker }), format!("let {worker} stop"), json);
    if let Some(returned) = returned {
        plan = plan
            .change(format!("{returned} of its stake come back by themselves after {}", cool_down(&terms)))
            .change("what it earned since its last heartbeat stays in the pot");
    }
    send.carry_out_and_tell(context, client, &plan).await
}

async fn show(context: &Context, client: &Client, worker: WorkerId) -> Outcome {
    let (state, terms) = (client.work(&worker).await?, client.work_terms().await?);
    let now = state.block.number;
    if context.json {
        output::object(&to_json(&state, &terms, now));
        return Ok(());
    }
    output::fields(&rows(&state, &terms, now));
    Ok(())
}

fn to_json(state: &WorkState, terms: &WorkTerms, now: BlockNumber) -> Value {
    let score = state.work.as_ref().and_then(|work| work.score).map(|score| Score(score.score));
    let stakes = score.and_then(|score| Some(terms.stakes(score, state.confidence()?)));
    json!({
        "worker": state.worker,
        "standing": state.standing(),
        "pool": state.work.as_ref().map(|work| work.pool.0),
        "score": score.map(|score| score.0),
        "stake_least_planck": stakes.map(|(least, _)| least.0.to_string()),
        "stake_most_planck": stakes.map(|(_, most)| most.0.to_string()),
        "leaving": state.work.as_ref().is_some_and(|work| work.leaving),
        "challenged_at_height": state.work.as_ref().and_then(|work| work.challenge).map(|asked| asked.block.0),
        "session": state.session.map(|session| json!({
            "session": session.number.0,
            "stake_planck": session.stake.0.to_string(),
            "v_pha": state.value(terms, now).map(|value| value.to_string()),
            "v_at_start_pha": session.worth.initial.to_string(),
            "share": session.worth.share.0.to_string(),
            "serving": session.worth.serving,
            "started_height": session.started.0,
            "earned_planck": session.earned.0.to_string(),
            "owed_planck_estimated": terms.owed(&session, now).0.to_string(),
            "per_day_planck_estimated": terms.per_day(&session, now).0.to_string(),
            "returned_planck_estimated": state.returned(terms, now).map(|amount| amount.0.to_string()),
            "returns_at_ms": session.cooling.map(|cooling| cooling.until.0),
        })),
        "banned_height": state.banned.map(|block| block.0),
        "workers_responsive": terms.responsive,
        "height": now.0,
    })
}

fn rows(state: &WorkState, terms: &WorkTerms, now: BlockNumber) -> Vec<(&'static str, String)> {
    let mut rows = vec![("worker", state.worker.to_string()), ("standing", standing(state.standing()).into())];
    let Some(work) = &state.work else { return rows };
    rows.push(("pool", work.pool.0.to_string()));
    if let (Some(score), Some(confidence)) = (work.score, state.confidence()) {
        let (least, most) = terms.stakes(Score(score.score), confidence);
        rows.push(("score", format!("{} iterations in six seconds", score.score)));
        rows.push(("may stake", format!("{least} to {most}")));
    }
    if let Some(session) = state.session {
        rows.push(("stake", format!("{}, since block {}", session.stake, session.started.0)));
        if let Some(value) = state.value(terms, now) {
            rows.push(("V", format!("{value} PHA; at the start {} PHA", session.worth.initial)));
        }
        rows.push(("share", format!("{} of {}", session.worth.share.0, terms.accrual.index.sum().0)));
        rows.push(("earned", format!("{}, paid to its pool", session.earned)));
        if let Some(cooling) = session.cooling {
            rows.push(("comes back", format!("{} at {}", cooling.returned, output::moment(cooling.until.0))));
        } else {
            rows.push(("owed", format!("about {} with its next heartbeat", terms.owed(&session, now))));
            rows.push(("in a day", format!("about {}, if all shares stay as they are", terms.per_day(&session, now))));
            if let Some(returned) = state.returned(terms, now) {
                rows.push(("if it stopped", format!("{returned} would come back")));
            }
        }
    }
    if let Some(asked) = work.challenge {
        rows.push(("asked", format!("in block {}; it answers with a heartbeat", asked.block.0)));
    }
    if work.leaving {
        rows.push(("leaving", "as soon as its stake is back".into()));
    }
    rows.push(("at", format!("block {}", now.0)));
    rows
}

fn standing(word: &'static str) -> &'static str {
    match word {
        "banned" => "banned: it attacked the network",
        "unbound" => "works for no pool; `phala worker bind` binds it",
        "measuring" => "measures how fast it is; this takes a minute or two",
        "ready" => "ready; `phala worker start` lets it compute",
        "responsive" => "computes and answers",
        "silent" => "silent: it does not answer, and loses stake until it does",
        "cooling" => "stopped; its stake cools down",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stake_is_an_amount_with_its_unit_or_the_least() {
        assert_eq!(stake("least"), Ok(Stake::Least));
        assert_eq!(stake("5 PHA"), Ok(Stake::Amount(Planck(5 * phala_units::PHA))));
        assert!(stake("5").unwrap_err().contains("5PHA"));
    }

    #[test]
    fn a_consent_is_a_signature() {
        assert_eq!(signature(&format!("0x{}", "ab".repeat(64))), Ok([0xab; 64]));
        for text in ["", "0x", "0xab", &"zz".repeat(64)] {
            assert!(signature(text).is_err(), "{text}");
        }
    }
}
