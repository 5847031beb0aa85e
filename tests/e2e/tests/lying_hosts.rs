//! What the hosts of gatekeepers can do with them: bring back an old disk, run a copy, stop the clock.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use phala_e2e::{Network, Process, notes};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Longer than a refresh, which a `dev` network has each minute, and a retry.
const PATIENCE: Duration = Duration::from_secs(240);

#[test]
fn old_disks_copies_and_stopped_clocks_of_gatekeepers_bring_nothing_and_cost_no_key() -> Result<()> {
    let mut network = Network::start(&[])?;
    network.unsupervised()?;
    let key = network.json(&["gatekeeper", "status"])?["master_public_key"].clone();
    network.deploy(&notes()?, "one", &[])?;

    an_old_disk_holds_nothing_that_counts(&mut network)?;
    of_a_gatekeeper_and_its_copy_the_older_stops(&mut network)?;
    stopped_ones_are_missed_and_come_back(&network)?;

    for name in ["one", "two", "three"] {
        let body = network.ok(&["call", name, "/"])?;
        ensure!(String::from_utf8_lossy(&body).contains("0 notes"), "{name}: {}", String::from_utf8_lossy(&body));
    }
    assert_eq!(network.json(&["gatekeeper", "status"])?["master_public_key"], key, "the key is the same as ever");
    network.stop()
}

/// A key share of an epoch that is over is not used, however it came back; the next refresh gives a new one.
fn an_old_disk_holds_nothing_that_counts(network: &mut Network) -> Result<()> {
    let (disk, kept) = (network.dir().join("gatekeeper-1"), network.dir().join("kept"));
    let mut gatekeeper = Process::find(&disk, "phala-gatekeeper")?;
    let url = endpoint(&gatekeeper)?;
    gatekeeper.kill()?;
    copy(&disk, &kept)?;
    let old = epoch(network)?;
    network.replace(&mut gatekeeper, |_| ())?;
    // It holds a share of a newer epoch.
    until("a refresh with all", || Ok(epoch(network)? > old && holds_share(&url)? == Some(true)))?;

    let mut gatekeeper = Process::find(&disk, "phala-gatekeeper")?;
    gatekeeper.kill()?;
    fs::remove_dir_all(&disk)?;
    fs::rename(&kept, &disk)?;
    let at = epoch(network)?;
    network.replace(&mut gatekeeper, |_| ())?;
    until("the old disk's share is worth nothing", || Ok(epoch(network)? > at || holds_share(&url)? == Some(false)))?;
    until("the next refresh gives it a share", || Ok(holds_share(&url)? == Some(true)))?;
    ensure!(epoch(network)? > at, "it held a share before there was a newer one");
    Ok(())
}

/// Of two processes with one identity at most one goes on: the one that registered last.
fn of_a_gatekeeper_and_its_copy_the_older_stops(network: &mut Network) -> Result<()> {
    let original = Process::find(&network.dir().join("gatekeeper-2"), "phala-gatekeeper")?;
    let disk = network.dir().join("copy-of-the-second");
    copy(&network.dir().join("gatekeeper-2"), &disk)?;
    let mut command = Command::new(&original.arguments[0]);
    let mut arguments = original.arguments.iter().skip(1).filter(|argument| !argument.is_empty());
    while let Some(argument) = arguments.next() {
        let value = match argument.as_str() {
            "--data" => disk.as_os_str(),
            "--listen" => OsStr::new("127.0.0.1:0"),
            // Where it listens, then.
            "--endpoint" => {
                arguments.next();
                continue;
            }
            _ => {
                command.arg(argument);
                continue;
            }
        };
        arguments.next();
        command.arg(argument).arg(value);
    }
    network.adopt(&mut command)?;
    until("the older of the two stops", || Ok(!original.runs()))?;
    ensure!(Process::find(&disk, "phala-gatekeeper")?.runs(), "the copy registered last and goes on");
    network.deploy(&notes()?, "two", &[])?;
    Ok(())
}

/// Two of four that stand still are two too many; once they go on, so does what waited.
fn stopped_ones_are_missed_and_come_back(network: &Network) -> Result<()> {
    let stopped = ["gatekeeper-3", "gatekeeper-4"]
        .map(|name| Process::find(&network.dir().join(name), "phala-gatekeeper"))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    for process in &stopped {
        process.signal(Signal::SIGSTOP)?;
    }
    let component = notes()?;
    let component = component.to_str().context("text")?;
    let deploying = network.spawn(&["deploy", component, "--name", "three", "--json"])?;
    let log = network.dir().join("logs/worker-1.log");
    until("the worker is told that too few gave their part", || {
        Ok(fs::read_to_string(&log)?.contains("gatekeepers gave their part of the key, 3 are needed"))
    })?;
    for process in &stopped {
        process.signal(Signal::SIGCONT)?;
    }
    let output = deploying.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn epoch(network: &Network) -> Result<u64> {
    network.json(&["gatekeeper", "status"])?["epoch"].as_u64().context("there is an epoch")
}

/// Whether a gatekeeper holds a key share of the current epoch. None while it does not answer or knows no epoch.
fn holds_share(url: &str) -> Result<Option<bool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(async { reqwest::get(format!("{url}/v1/info")).await?.text().await });
    let Ok(text) = text else { return Ok(None) };
    let info: Value = serde_json::from_str(&text)?;
    Ok(info["status"]["roots"][0]["holds_key_share"].as_bool())
}

fn endpoint(process: &Process) -> Result<String> {
    let mut arguments = process.arguments.iter().skip_while(|argument| *argument != "--endpoint");
    Ok(arguments.nth(1).context("it has --endpoint")?.clone())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition().with_context(|| format!("waiting: {what}"))? {
        ensure!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(250));
    }
    Ok(())
}
