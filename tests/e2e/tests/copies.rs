//! A program's state outlives its workers' disks: the lead dies with everything it had, and the next one goes on.

use anyhow::{Context, Result, bail, ensure};
use phala_e2e::{Network, Process, notes};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Silence, a doubt, thirty blocks, finality, and a busy machine.
const TAKEOVER_MAX: Duration = Duration::from_secs(300);

#[test]
fn a_program_outlives_every_worker_that_runs_it_with_its_disk() -> Result<()> {
    let mut network = Network::start(&["--workers", "3"])?;
    network.unsupervised()?;
    let parts: Vec<_> = workers(&network)?.iter().map(|worker| worker["part"].clone()).collect();
    assert_eq!(parts, ["leads", "stands-by", "stands-by"]);

    network.deploy(&notes()?, "notes", &["--set", "greeting=Welcome"])?;
    for n in 1..=2 {
        network.json(&["send", "notes", &format!("/notes/{n}"), "-X", "PUT", "-d", "remember"])?;
    }
    until_copied(&network, 2)?;
    destroy(&network)?;
    ensure!(answer(&network)?.contains("There are 2 notes"));
    let sent = network.json(&["send", "notes", "/notes/3", "-X", "PUT", "-d", "go on"])?;
    assert_eq!(sent["status"], 201, "{sent}");

    // And once more: the one that is left over.
    until_copied(&network, 1)?;
    destroy(&network)?;
    let body = answer(&network)?;
    ensure!(body.contains("Welcome") && body.contains("There are 3 notes"), "{body}");
    let sent = network.json(&["send", "notes", "/notes/4", "-X", "PUT", "-d", "and on"])?;
    assert_eq!(sent["status"], 201, "{sent}");
    // Its owner cleans up, and the cluster has one worker again.
    for worker in workers(&network)?.iter().filter(|worker| worker["part"] == "stands-by") {
        let id = worker["worker"].as_str().context("it has an id")?;
        network.json(&["worker", "unassign", id])?;
    }
    assert_eq!(workers(&network)?.iter().filter(|worker| worker["cluster"] == 0).count(), 1);
    network.stop()
}

fn workers(network: &Network) -> Result<Vec<Value>> {
    let listed = network.json(&["worker", "list"])?;
    listed["workers"].as_array().cloned().context("it lists workers")
}

fn lead(network: &Network) -> Result<Value> {
    let all = workers(network)?;
    all.into_iter().find(|worker| worker["part"] == "leads").context("somebody leads")
}

/// Until so many workers hold everything that the lead has.
fn until_copied(network: &Network, workers: u64) -> Result<()> {
    let programs = network.json(&["programs"])?;
    let program = programs["programs"][0]["program"].as_str().context("it is deployed")?.to_owned();
    let endpoint = lead(network)?["endpoint"].as_str().context("it is reached somewhere")?.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let url = format!("{endpoint}/v1/programs/{program}");
        let text = runtime.block_on(async { reqwest::get(&url).await?.text().await })?;
        let standing: Value = serde_json::from_str(&text)?;
        if standing["copies"]["complete"].as_u64().is_some_and(|complete| complete >= workers) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    bail!("the program was not copied")
}

/// Kills the lead, and deletes everything that it had.
fn destroy(network: &Network) -> Result<()> {
    let endpoint = lead(network)?["endpoint"].as_str().context("it is reached somewhere")?.to_owned();
    let address = endpoint.trim_start_matches("http://").to_owned();
    for n in 1..=3 {
        let folder: PathBuf = network.dir().join(format!("worker-{n}"));
        let Ok(process) = Process::find(&folder, "phala-worker") else { continue };
        if process.arguments.iter().any(|argument| *argument == address) {
            process.kill()?;
            fs::remove_dir_all(&folder)?;
            fs::remove_dir_all(network.dir().join(format!("machine-{n}")))?;
            return Ok(());
        }
    }
    bail!("no process listens at {address}")
}

/// The program's first page, as soon as somebody leads who lives.
fn answer(network: &Network) -> Result<String> {
    let deadline = Instant::now() + TAKEOVER_MAX;
    loop {
        let output = network.run(&["call", "notes", "/"])?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        if Instant::now() > deadline {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_secs(2));
    }
}
