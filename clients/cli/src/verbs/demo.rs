//! `phala demo`: the main job, from nothing to a verified answer, on a real table.
//!
//! ```text
//! network up ─► program built, deployed ─► training table, sealed, as a command ─► model in encrypted state
//! held-out rows, encrypted queries ─► labels ─► accuracy ─► one receipt, verified offline ─► network down
//! ```

use crate::{
    Context,
    failure::{Explain, Failure, Outcome},
    local::{self, Layout, processes, start, stop},
    output::{self, Progress, Report},
    templates,
    verbs::{build, deploy, up},
};
use phala_follow::VerifiedReceipt;
use phala_messages::{ClusterId, Manifest, ProgramId, ProgramLimits, limits::COMMAND_FUEL_MAX};
use phala_sdk::{Answer, Client, Command, Deployment, KeyPair, Query};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Rows in one query.
const ROWS_PER_QUERY: usize = 10;
/// Below this the demo has failed.
const ACCURACY_MIN: f64 = 0.95;
/// Name of the program on the network.
const NAME: &str = "breast-cancer-classifier";

/// Train a classifier on a real medical table that nobody can read, then use it
///
/// Takes the Wisconsin breast-cancer table (569 rows): two thirds go to the program in a sealed command, the rest is
/// classified through encrypted queries. Prints the accuracy, the time of each step and a verified receipt. Starts a
/// local network if none runs, and stops it again. The TEE is simulated.
#[derive(clap::Args)]
pub struct Demo {
    /// Use this component instead of building the program
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
}

/// What took how long.
#[derive(Default)]
struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    async fn time<T>(&mut self, name: &'static str, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let began = Instant::now();
        let done = work.await.doing(name)?;
        self.0.push((name, began.elapsed()));
        Ok(done)
    }
}

/// What came out.
struct Found {
    trained: Value,
    right: usize,
    rows: usize,
    queries: Vec<Duration>,
    receipt: PathBuf,
    verified: VerifiedReceipt,
}

impl Demo {
    /// Runs it all.
    pub async fn run(self, context: &Context) -> Outcome {
        let layout = Layout::create(&context.dir()?)?;
        let ours = processes::of_network(&layout).is_empty();
        let mut steps = Steps::default();
        let found = tokio::select! {
            found = self.whole(&layout, ours, &mut steps) => found,
            _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted", "nothing of the demo is left running")),
        };
        if ours {
            let began = Instant::now();
            stop::stop(&layout, &Progress::new())?;
            steps.0.push(("stop the network", began.elapsed()));
        }
        let found = found?;
        let accuracy = found.right as f64 / found.rows as f64;
        if context.json {
            output::object(&to_json(&found, accuracy, &steps));
        } else {
            print(&found, accuracy, &steps);
        }
        if accuracy < ACCURACY_MIN {
            return Err(Failure::new(
                format!("the accuracy on the held-out rows is {accuracy:.3}, less than {ACCURACY_MIN}"),
                "was the program changed?",
            ));
        }
        Ok(())
    }

    async fn whole(&self, layout: &Layout, ours: bool, steps: &mut Steps) -> Outcome<Found> {
        output::note(
            "the TEE of this demo is SIMULATED: everything has its real form, and keeps no secret from this machine's owner\n",
        );
        let component = steps.time("build the program", self.component()).await?;
        if ours {
            let options = start::Options { workers: 1, validators: 1, gatekeepers: 4 };
            steps.time("start a network", async { up::detach(layout, options, &Progress::new()) }).await?;
        }
        let client = Client::connect(&layout.dir).await?;
        let key = KeyPair::parse(start::ADMINISTRATOR)?;
        let program = steps.time("deploy the program", deploy_classifier(&client, &key, component)).await?;
        let trained = steps.time("train on a sealed table", train(&client, &key, program)).await?;
        let (right, rows, queries, last) =
            steps.time("classify by encrypted queries", classify(&client, program)).await?;
        let receipt = layout.dir.join("demo-receipt.json");
        let verified = steps.time("prove and verify a receipt", verify(&client, last, &receipt)).await?;
        Ok(Found { trained, right, rows, queries, receipt, verified })
    }

    async fn component(&self) -> Outcome<Vec<u8>> {
        if let Some(path) = &self.component {
            return std::fs::read(path).doing(format!("reading {}", path.display()));
        }
        let home = local::home().ok_or_else(|| Failure::new("there is no home directory", "set PHALA_HOME=DIR"))?;
        let folder = templates::write_classifier(&home.join("demo"))?;
        let built = build::build(&folder, None, &Progress::new())?;
        Ok(std::fs::read(built.path)?)
    }
}

/// A file of the data set.
fn data(name: &str) -> Outcome<&'static str> {
    templates::classifier_file(&format!("data/{name}"))
        .ok_or_else(|| Failure::new(format!("data/{name} is not part of this binary"), "rebuild it with `make build`"))
}

async fn deploy_classifier(client: &Client, key: &KeyPair, component: Vec<u8>) -> Outcome<ProgramId> {
    let limits = ProgramLimits { command_fuel_max: COMMAND_FUEL_MAX, ..ProgramLimits::default() };
    let deployment = Deployment {
        component: component.into(),
        name: NAME.into(),
        cluster: ClusterId(client.network().cluster.unwrap_or_default()),
        manifest: Manifest { limits, reuse: 1, ..Manifest::default() },
        settings: Default::default(),
        timeout: Duration::from_secs(300),
    };
    Ok(deploy::deploy(client, key, &deployment).await?.program)
}

async fn train(client: &Client, key: &KeyPair, program: ProgramId) -> Outcome<Value> {
    let progress = Progress::new();
    progress.step("sending the training table, sealed, and waiting for the anchored result");
    let query = Query::post("/train", data("training.csv")?.as_bytes());
    let sent =
        client.send(key, &program, &Command { query, timeout: Duration::from_secs(120), pay_at_most: None }).await;
    progress.done();
    let sent = sent?;
    let body = String::from_utf8_lossy(sent.response.body()).into_owned();
    if !sent.response.status().is_success() {
        let hint = "`phala logs` shows what the program wrote";
        return Err(Failure::new(format!("the program answered {}: {body}", sent.response.status()), hint));
    }
    Ok(serde_json::from_str(&body)?)
}

/// Right labels, rows, the time of each query, the last answer.
async fn classify(client: &Client, program: ProgramId) -> Outcome<(usize, usize, Vec<Duration>, Answer)> {
    let mut lines = data("held-out.csv")?.lines();
    let header = lines.next().unwrap_or_default();
    let rows: Vec<_> = lines.collect();
    let truth: Vec<_> = data("held-out-labels.csv")?.lines().skip(1).collect();
    let progress = Progress::new();
    progress.step(&format!("classifying {} held-out rows", rows.len()));
    let (mut right, mut times, mut last) = (0, Vec::new(), None);
    for (rows, truth) in rows.chunks(ROWS_PER_QUERY).zip(truth.chunks(ROWS_PER_QUERY)) {
        let query = Query::post("/classify", format!("{header}\n{}\n", rows.join("\n")));
        let began = Instant::now();
        let answer = client.call(&program, &query).await?;
        times.push(began.elapsed());
        right += count_right(answer.response.body(), truth)?;
        last = Some(answer);
    }
    progress.done();
    let last = last.ok_or_else(|| Failure::new("the data set has no held-out rows", "rebuild with `make build`"))?;
    Ok((right, rows.len(), times, last))
}

fn count_right(body: &[u8], truth: &[&str]) -> Outcome<usize> {
    let answer: Value = serde_json::from_slice(body).doing("reading the program's labels")?;
    let labels = answer["labels"].as_array().map(Vec::as_slice).unwrap_or_default();
    if labels.len() != truth.len() {
        let told = format!("the program labelled {} of {} rows", labels.len(), truth.len());
        return Err(Failure::new(told, "`phala logs` shows what the program wrote"));
    }
    Ok(labels.iter().zip(truth).filter(|(label, truth)| label.as_str() == Some(truth.trim())).count())
}

async fn verify(client: &Client, answer: Answer, file: &std::path::Path) -> Outcome<VerifiedReceipt> {
    let bundle = client.prove(answer.receipt).await?;
    std::fs::write(file, bundle.to_json()).doing(format!("writing {}", file.display()))?;
    // As a stranger would: from the file and the genesis alone.
    let text = std::fs::read_to_string(file)?;
    Ok(phala_sdk::verify(&text, &client.trust(), &phala_sdk::Demands::default())?)
}

/// The middle of the queries' times.
fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn print(found: &Found, accuracy: f64, steps: &Steps) {
    output::line(format!("trained on  {} rows, sealed; nobody but the program has read them", found.trained["rows"]));
    output::line(format!("accuracy    {accuracy:.3} on the held-out third ({} of {} rows)", found.right, found.rows));
    output::line(format!("queries     {}, median {}", found.queries.len(), output::seconds(median(&found.queries))));
    let receipt = &found.verified.receipt;
    output::line(format!(
        "receipt     valid: code {}, state version {}, block {}",
        receipt.code, receipt.anchor.version, receipt.anchor.block.number.0
    ));
    output::line(format!(
        "tee         {}, {}: SIMULATED",
        found.verified.attested.tee_name(),
        found.verified.attested.tcb
    ));
    let rows = steps.0.iter().map(|(name, took)| [(*name).to_owned(), output::seconds(*took)]);
    output::line(format!("\n{}", output::table(["STEP", "TIME"], rows)));
    output::line(format!("\nverify it yourself: phala verify {}", found.receipt.display()));
}

fn to_json(found: &Found, accuracy: f64, steps: &Steps) -> Value {
    let steps = steps.0.iter().map(|(name, took)| json!({ "step": name, "ms": took.as_millis() as u64 }));
    json!({
        "accuracy": accuracy,
        "right": found.right,
        "held_out": found.rows,
        "trained": found.trained,
        "queries": found.queries.len(),
        "query_ms_median": median(&found.queries).as_millis() as u64,
        "steps": steps.collect::<Vec<_>>(),
        "receipt": found.receipt,
        "verified": found.verified.to_json(),
        "simulated": found.verified.attested.root == phala_messages::Root::Development,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_set_is_here_and_its_parts_fit() {
        let rows = data("held-out.csv").unwrap().lines().count();
        assert_eq!(rows, data("held-out-labels.csv").unwrap().lines().count());
        let training = data("training.csv").unwrap();
        assert!(training.len() < phala_messages::limits::SEALED_COMMAND_BYTES_MAX as usize - 4_096);
    }

    #[test]
    fn right_labels_are_counted_and_missing_ones_are_an_error() {
        let body = br#"{"labels":["a","b","a"]}"#;
        assert_eq!(count_right(body, &["a", "a", "a"]).unwrap(), 2);
        assert!(count_right(body, &["a"]).is_err());
        assert!(count_right(b"no", &["a"]).is_err());
    }

    #[test]
    fn the_median_is_the_middle() {
        let times = [3, 1, 2].map(Duration::from_millis);
        assert_eq!(median(&times), Duration::from_millis(2));
        assert_eq!(median(&[]), Duration::ZERO);
    }
}
