//! A worker may die at any moment: nothing that was acknowledged is lost.

use anyhow::{Context, Result, ensure};
use phala_e2e::{Network, Process, notes};
use phala_sdk::{Client, Command, KeyPair, Query};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// How often the worker is killed.
const KILLS: usize = 50;

#[test]
fn a_worker_killed_fifty_times_under_load_loses_no_acknowledged_command() -> Result<()> {
    let mut network = Network::start(&[])?;
    network.unsupervised()?;
    let program = network.deploy(&notes()?, "notes", &[])?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = AtomicBool::new(false);
    let acknowledged = AtomicU64::new(0);

    let dir = network.dir().to_owned();
    std::thread::scope(|scope| -> Result<()> {
        // However the kills end, the load must not go on without them.
        let ending = Raise(&done);
        let load = scope.spawn(|| {
            runtime.block_on(async {
                let client = Client::connect(&dir).await?;
                let alice = KeyPair::parse("//Alice")?;
                let mut n = 0u64;
                while !done.load(Ordering::Relaxed) {
                    let query = Query { method: "PUT".parse()?, ..Query::post(&format!("/notes/{n}"), n.to_string()) };
                    let command = Command { query, timeout: Duration::from_secs(120), pay_at_most: None };
                    let sent = client.send(&alice, &program, &command).await?;
                    ensure!(sent.response.status() == 201, "note {n}: {}", sent.response.status());
                    n += 1;
                    acknowledged.store(n, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        });
        for kill in 0..KILLS {
            let mut worker = Process::find(&dir, "phala-worker")?;
            // Different moments of the worker's life: most before it serves, every fifth while it does.
            std::thread::sleep(Duration::from_millis(37 * (kill as u64 % 41)));
            let before = acknowledged.load(Ordering::Relaxed);
            while kill % 5 == 4 && acknowledged.load(Ordering::Relaxed) == before && !load.is_finished() {
                std::thread::sleep(Duration::from_millis(10));
            }
            network.replace(&mut worker, |_| ())?;
            if load.is_finished() {
                eprintln!("the load broke off after {} kills", kill + 1);
                break;
            }
        }
        // A last command proves that the survivor works.
        let before = acknowledged.load(Ordering::Relaxed);
        while acknowledged.load(Ordering::Relaxed) < before + 2 && !load.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
        }
        drop(ending);
        let outcome = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))?;
        outcome?;
        let body = network.ok(&["call", "notes", "/"])?;
        let expected = format!("There are {} notes.", acknowledged.load(Ordering::Relaxed));
        let body = String::from_utf8(body)?;
        ensure!(body.contains(&expected), "{body} instead of: {expected}");
        Ok(())
    })?;
    network.stop().context("stopping after the kills")
}

/// Raises a flag when it is dropped.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_node_killed_and_started_again_is_followed_further() -> Result<()> {
    let mut network = Network::start(&[])?;
    network.unsupervised()?;
    network.deploy(&notes()?, "notes", &[])?;
    let mut node = Process::find(network.dir(), "phala-node")?;
    network.replace(&mut node, |_| ())?;
    network.await_node()?;
    let sent = network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "after the node died"])?;
    let body = network.ok(&["call", "notes", "/notes", "--as", "//Alice"])?;
    assert_eq!(sent["status"], 201);
    ensure!(String::from_utf8_lossy(&body).contains("after the node died"));
    network.stop()
}

#[test]
fn a_worker_whose_disk_was_rolled_back_does_not_serve_old_state() -> Result<()> {
    let mut network = Network::start(&[])?;
    network.unsupervised()?;
    network.deploy(&notes()?, "notes", &[])?;
    network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "one"])?;
    let mut worker = Process::find(network.dir(), "phala-worker")?;
    let data = worker
        .arguments
        .iter()
        .position(|argument| argument == "--data")
        .and_then(|at| worker.arguments.get(at + 1))
        .context("the worker has --data")?
        .clone();
    let copy = format!("{data}.copy");
    // The copy is taken while the worker is dead, and put back while its successor is.
    worker.kill()?;
    run("cp", &["-a", &data, &copy])?;
    network.replace(&mut worker, |_| ())?;
    network.json(&["send", "notes", "/notes/2", "-X", "PUT", "-d", "two"])?;
    let mut worker = Process::find(network.dir(), "phala-worker")?;
    worker.kill()?;
    run("rm", &["-rf", &data])?;
    run("mv", &[&copy, &data])?;
    network.replace(&mut worker, |_| ())?;
    let output = network.run(&["call", "notes", "/", "--fail"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    ensure!(!output.status.success(), "served: {said}");
    ensure!(!said.contains("There are 1 notes"), "old state was served");
    network.stop()
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let status = std::process::Command::new(program).args(arguments).status()?;
    ensure!(status.success(), "{program} {arguments:?}: {status}");
    Ok(())
}
