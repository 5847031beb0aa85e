//! Keys that no machine holds: a program outlives its worker's machine, and gatekeepers outlive a third of themselves.

use anyhow::{Context, Result, ensure};
use phala_e2e::{Network, Process, notes};
use phala_messages::{
    ClusterId, WorkerId,
    calls::{Call, Programs},
};
use phala_sdk::{Client, KeyPair};
use serde_json::Value;
use std::{fs, path::Path, process::Command, time::Duration};

#[test]
fn a_program_outlives_the_machine_of_its_worker() -> Result<()> {
    let mut network = Network::start(&[])?;
    network.unsupervised()?;
    let status = network.json(&["gatekeeper", "status"])?;
    assert_eq!(status["gatekeepers"].as_array().map(Vec::len), Some(4), "{status}");
    assert_eq!(status["threshold"], 3, "{status}");
    ensure!(status["epoch"].is_number() && status["master_public_key"].is_string(), "{status}");

    network.deploy(&notes()?, "notes", &["--set", "greeting=Welcome"])?;
    network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "remember"])?;
    let drill = network.json(&["gatekeeper", "drill"])?;
    ensure!(drill["opened"] == 0 && drill["robbed"] == 2 && drill["could_have_succeeded"] == true, "{drill}");

    let worker = Process::find(network.dir(), "phala-worker")?;
    let old = info(&network)?;
    worker.kill()?;
    let dir = network.dir().to_owned();
    Process::find(&dir.join("machine-1"), "phala-simulated-tee")?.kill()?;
    // The machine is gone, and with it whatever it had sealed. What is left is the programs' state, as bytes on a disk.
    fs::remove_dir_all(dir.join("machine-1"))?;
    fs::remove_dir_all(dir.join("worker-1/vault"))?;

    let socket = dir.join("machine-2.sock");
    network.adopt(
        Command::new(phala_e2e::binary("phala-simulated-tee"))
            .arg("--machine")
            .arg(dir.join("machine-2"))
            .arg("--socket")
            .arg(&socket),
    )?;
    await_file(&socket)?;
    let mut worker = worker;
    let at = worker.arguments.iter().position(|argument| argument == "--tee-socket").context("it has --tee-socket")?;
    network.replace(&mut worker, |arguments| arguments[at + 1] = socket.to_string_lossy().into_owned())?;
    let new = info_of_another(&network, &old)?;
    ensure!(new != old, "another machine is another worker");
    reassign(&network, &old, &new)?;
    // Whoever runs the program needs its code, too: it is not secret, and its owner has it.
    let body = answer(&network, "notes")?;
    ensure!(body.contains("Welcome") && body.contains("There are 1 notes"), "{body}");
    let sent = network.json(&["send", "notes", "/notes/2", "-X", "PUT", "-d", "go on"])?;
    assert_eq!(sent["status"], 201, "{sent}");
    every_delivery_can_be_shown(&network)?;
    network.stop()
}

#[test]
fn gatekeepers_serve_while_enough_of_them_live_and_go_on_when_they_return() -> Result<()> {
    let mut network = Network::start(&[])?;
    network.unsupervised()?;
    let mut first = Process::find(&network.dir().join("gatekeeper-1"), "phala-gatekeeper")?;
    let mut second = Process::find(&network.dir().join("gatekeeper-2"), "phala-gatekeeper")?;
    first.kill()?;
    // Three of four are enough.
    network.deploy(&notes()?, "one", &[])?;
    let body = network.ok(&["call", "one", "/"])?;
    ensure!(String::from_utf8_lossy(&body).contains("0 notes"));
    second.kill()?;
    // Two are not: what has its key goes on, what has none waits.
    let body = network.ok(&["call", "one", "/"])?;
    ensure!(String::from_utf8_lossy(&body).contains("0 notes"));
    let component = notes()?;
    let deploying = network.spawn(&["deploy", component.to_str().context("text")?, "--name", "two", "--json"])?;
    await_logged(&network, "worker-1", "gatekeepers gave their part of the key, 3 are needed")?;
    ensure!(!live(&network, "two")?, "a program got a key from two of four gatekeepers");
    network.replace(&mut first, |_| ())?;
    network.replace(&mut second, |_| ())?;
    let output = deploying.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let body = network.ok(&["call", "two", "/"])?;
    ensure!(String::from_utf8_lossy(&body).contains("0 notes"));
    // A refresh keeps the key.
    let before = network.json(&["gatekeeper", "status"])?;
    let after = await_epoch_after(&network, before["epoch"].as_u64().context("it has an epoch")?)?;
    assert_eq!(before["master_public_key"], after["master_public_key"]);
    network.stop()
}

fn info(network: &Network) -> Result<WorkerId> {
    let text = reqwest_text(&format!("{}/v1/info", network.worker()))?;
    let json: Value = serde_json::from_str(&text)?;
    Ok(json["worker"].as_str().context("info names the worker")?.parse()?)
}

fn info_of_another(network: &Network, old: &WorkerId) -> Result<WorkerId> {
    for _ in 0..200 {
        match info(network) {
            Ok(id) if id != *old => return Ok(id),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    anyhow::bail!("the new worker does not answer")
}

fn reqwest_text(url: &str) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Ok(reqwest::get(url).await?.text().await?) })
}

/// Takes the cluster from one worker and gives it to another, as its owner.
fn reassign(network: &Network, old: &WorkerId, new: &WorkerId) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::connect(network.dir()).await?;
        let owner = KeyPair::parse("//Alice")?;
        client.await_worker(*new, Duration::from_secs(60), |_| true).await?;
        let unassign = Call::Programs(Programs::UnassignWorker { worker: *old });
        client.submit_and_wait(&owner, &unassign).await?;
        client.assign_worker(&owner, ClusterId(0), *new).await?;
        anyhow::Ok(())
    })
}

/// The program's first page, as soon as the new worker has what it needs; gives it the code.
fn answer(network: &Network, name: &str) -> Result<String> {
    let code = fs::read(notes()?)?;
    let hash = {
        let programs = network.json(&["programs"])?;
        let list = programs["programs"].as_array().context("programs lists them")?.clone();
        let program = list.iter().find(|program| program["name"] == name).context("it is deployed")?.clone();
        program["code_hash"].as_str().context("it has code")?.to_owned()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let url = format!("{}/v1/code/{hash}", network.worker());
    for _ in 0..60 {
        let put = runtime.block_on(async { reqwest::Client::new().put(&url).body(code.clone()).send().await });
        if put.is_ok_and(|reply| reply.status().is_success()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    for _ in 0..30 {
        let output = network.run(&["call", name, "/"])?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let output = network.run(&["call", name, "/"])?;
    anyhow::bail!("{}", String::from_utf8_lossy(&output.stderr))
}

fn live(network: &Network, name: &str) -> Result<bool> {
    let programs = network.json(&["programs"])?;
    let list = programs["programs"].as_array().context("programs lists them")?.clone();
    Ok(list.iter().any(|program| program["name"] == name && program["status"] == "live"))
}

fn every_delivery_can_be_shown(network: &Network) -> Result<()> {
    for _ in 0..60 {
        let status = network.json(&["gatekeeper", "status"])?;
        let guards = status["gatekeepers"].as_array().context("it lists gatekeepers")?.clone();
        let logged = guards.iter().find(|guard| guard["delivery_batches"].as_u64().unwrap_or_default() > 0);
        if let Some(guard) = logged {
            let id = guard["gatekeeper"].as_str().context("it has an id")?;
            let shown = network.json(&["gatekeeper", "delivery", id, "0"])?;
            ensure!(shown["valid"] == true && shown["program"].is_string(), "{shown}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("no delivery was logged on chain")
}

fn await_epoch_after(network: &Network, epoch: u64) -> Result<Value> {
    for _ in 0..180 {
        let status = network.json(&["gatekeeper", "status"])?;
        if status["epoch"].as_u64().is_some_and(|now| now > epoch) {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("epoch {epoch} was never refreshed")
}

/// Waits until a process has written a line with `text` to its log.
fn await_logged(network: &Network, process: &str, text: &str) -> Result<()> {
    let path = network.dir().join("logs").join(process).with_extension("log");
    for _ in 0..600 {
        if fs::read_to_string(&path)?.contains(text) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    anyhow::bail!("{} never says `{text}`", path.display())
}

fn await_file(path: &Path) -> Result<()> {
    for _ in 0..200 {
        if path.exists() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("{} does not appear", path.display())
}
