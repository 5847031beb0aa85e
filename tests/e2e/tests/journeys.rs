//! The tour of the README, and what a stranger does next.

use anyhow::{Context, Result, ensure};
use phala_e2e::{Network, Process, listening, notes, phala, processes_under};
use serde_json::Value;
use std::fs;

#[test]
fn a_stranger_deploys_calls_sends_and_verifies() -> Result<()> {
    let network = Network::start(&[])?;
    for key in ["rpc", "workers", "gatekeepers", "dir", "ready_ms"] {
        ensure!(!network.up[key].is_null(), "`up --json` has {key}: {}", network.up);
    }
    let component = notes()?;
    let path = component.to_str().context("text")?;
    let deployed = network.json(&["deploy", path, "--name", "notes", "--set", "greeting=Welcome"])?;
    for key in ["program", "code_hash", "workers", "ready_ms"] {
        ensure!(!deployed[key].is_null(), "`deploy --json` has {key}: {deployed}");
    }

    let receipt = network.dir().join("query.receipt");
    let receipt = receipt.to_str().context("text")?;
    let body = network.ok(&["call", "notes", "/", "--receipt", receipt])?;
    assert_eq!(String::from_utf8(body)?, "Welcome. There are 0 notes.\n");

    let sent = network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "buy milk"])?;
    assert_eq!(sent["status"], 201, "{sent}");
    for key in ["status", "body", "height", "version", "root"] {
        ensure!(!sent[key].is_null(), "`send --json` has {key}: {sent}");
    }
    let body = network.ok(&["call", "notes", "/"])?;
    assert_eq!(String::from_utf8(body)?, "Welcome. There are 1 notes.\n");

    // --fail turns an HTTP error into an exit status; without it the answer counts.
    assert_eq!(network.run(&["call", "notes", "/nothing-here"])?.status.code(), Some(0));
    assert_eq!(network.run(&["call", "notes", "/nothing-here", "--fail"])?.status.code(), Some(22));

    let verified = network.json(&["verify", receipt])?;
    assert_eq!(verified["valid"], true, "{verified}");
    assert_eq!(verified["program"], deployed["program"]);
    assert_eq!(verified["code_hash"], deployed["code_hash"]);
    assert_eq!(verified["tee"], "simulated-tdx");
    assert_eq!(verified["tcb_status"], "UpToDate");
    for key in ["request_hash", "response_hash", "height", "version", "root"] {
        ensure!(!verified[key].is_null(), "`verify --json` has {key}: {verified}");
    }
    demands_are_held_against_the_tee(&network, receipt, &verified)?;
    altered_receipts_are_refused(&network, receipt)?;
    another_genesis_is_refused(receipt)?;
    network.stop()
}

fn demands_are_held_against_the_tee(network: &Network, receipt: &str, verified: &Value) -> Result<()> {
    let measurement = verified["measurement"].as_str().context("`verify --json` has measurement")?;
    network.ok(&["verify", receipt, "--measurement", measurement])?;
    let other = format!("0x{}", "22".repeat(32));
    for (demand, code) in [(&["--hardware"][..], "simulated"), (&["--measurement", &other], "other-measurement")] {
        let output = network.run(&[&["verify", receipt, "--json"], demand].concat())?;
        assert_eq!(output.status.code(), Some(1), "{demand:?}");
        let said: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(said["valid"] == false && said["code"] == code, "{demand:?}: {said}");
    }
    Ok(())
}

/// Every hexadecimal digit of the receipt file, one after another in large steps, changed.
fn altered_receipts_are_refused(network: &Network, receipt: &str) -> Result<()> {
    let original = fs::read_to_string(receipt)?;
    let altered = network.dir().join("altered.receipt");
    let digits: Vec<usize> = original.char_indices().filter(|(_, c)| c.is_ascii_hexdigit()).map(|(at, _)| at).collect();
    let step = (digits.len() / 40).max(1);
    for at in digits.into_iter().step_by(step) {
        let mut bytes = original.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        fs::write(&altered, &bytes)?;
        let output = phala(&["verify", altered.to_str().context("text")?, "--json", "--genesis", &genesis(network)?])?;
        assert_eq!(output.status.code(), Some(1), "byte {at} altered");
        let said: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(said["valid"] == false && said["reason"].is_string() && said["code"].is_string(), "byte {at}: {said}");
    }
    Ok(())
}

fn genesis(network: &Network) -> Result<String> {
    let text = fs::read(network.dir().join("network.json"))?;
    let json: Value = serde_json::from_slice(&text)?;
    Ok(json["genesis"].as_str().context("network.json names the genesis")?.into())
}

fn another_genesis_is_refused(receipt: &str) -> Result<()> {
    let other = format!("0x{}", "11".repeat(32));
    let output = phala(&["verify", receipt, "--json", "--genesis", &other])?;
    assert_eq!(output.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(said["reason"].as_str().is_some_and(|reason| reason.contains("genesis")), "{said}");
    Ok(())
}

#[test]
fn down_leaves_no_process_and_no_port_whatever_was_killed_before() -> Result<()> {
    let network = Network::start(&[])?;
    let ports: Vec<u16> = [network.rpc(), network.worker()]
        .iter()
        .filter_map(|url| url.rsplit(':').next()?.trim_end_matches('/').parse().ok())
        .collect();
    assert_eq!(ports.len(), 2);
    ensure!(ports.iter().all(|port| listening(*port)), "{ports:?}");

    // A second `up` in the same place says so and starts nothing.
    let before = processes_under(network.dir()).len();
    let again = network.run(&["up", "--detach"])?;
    ensure!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("hint:"));
    assert_eq!(processes_under(network.dir()).len(), before);

    Process::find(network.dir(), "/phala")?.kill()?;
    Process::find(network.dir(), "phala-simulated-tee")?.kill()?;
    let dir = network.dir().to_owned();
    network.stop()?;
    ensure!(ports.iter().all(|port| !listening(*port)), "{ports:?} of {}", dir.display());
    Ok(())
}

#[test]
fn a_network_keeps_its_state_over_a_restart() -> Result<()> {
    let network = Network::start(&[])?;
    network.deploy(&notes()?, "notes", &[])?;
    network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "remember"])?;
    network.ok(&["down"])?;
    ensure!(processes_under(network.dir()).is_empty());
    network.json(&["up", "--detach"])?;
    let body = network.ok(&["call", "notes", "/notes", "--as", "//Alice"])?;
    ensure!(String::from_utf8_lossy(&body).contains("remember"), "{}", String::from_utf8_lossy(&body));
    network.stop()
}

#[test]
fn the_demo_trains_on_private_data_and_leaves_nothing_running() -> Result<()> {
    let dir = tempfile::Builder::new().prefix("phala-e2e-").tempdir()?;
    let output = phala(&["demo", "--json", "--dir", dir.path().to_str().context("text")?])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_str(&text)?;
    let accuracy = said["accuracy"].as_f64().context("`demo --json` has accuracy")?;
    ensure!(accuracy >= 0.95, "{said}");
    ensure!(processes_under(dir.path()).is_empty());
    Ok(())
}

#[test]
fn what_a_person_gets_wrong_is_answered_with_a_way_out() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path().to_str().context("text")?;
    for arguments in [
        &["call", "nothing", "/", "--dir", dir][..],
        &["verify", "/nonexistent", "--genesis", &format!("0x{}", "11".repeat(32))],
        &["deploy", "/nonexistent.wasm", "--dir", dir],
        &["status", "--dir", dir],
        &["build", "/nonexistent"],
    ] {
        let output = phala(arguments)?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "{arguments:?} succeeded");
        ensure!(text.contains("error:") && text.contains("hint:"), "{arguments:?}: {text}");
        ensure!(!text.contains("panicked"), "{arguments:?}: {text}");
    }
    Ok(())
}
