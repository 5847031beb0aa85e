//! Programs change keys while they are used: a rotation of the master key, and upgrades with and without the owner's consent.

use anyhow::{Context, Result, ensure};
use phala_e2e::{Network, notes};
use serde_json::Value;
use std::{fs, path::PathBuf, time::Duration};

#[test]
fn a_rotation_comes_to_its_end_while_a_client_goes_on_calling_and_sending() -> Result<()> {
    let network = Network::start(&[])?;
    network.deploy(&notes()?, "notes", &["--set", "greeting=Welcome"])?;
    network.deploy(&notes()?, "idle", &[])?;
    network.json(&["send", "notes", "/notes/0", "-X", "PUT", "-d", "before"])?;
    let before = network.json(&["gatekeeper", "status"])?;
    assert_eq!(roots(&before), [(0, "open".into(), 2)]);

    let mut rotating = network.spawn(&["gatekeeper", "rotate", "--json"])?;
    let mut sent = 1;
    while rotating.try_wait()?.is_none() {
        let body = network.ok(&["call", "notes", "/"])?;
        let text = String::from_utf8_lossy(&body).into_owned();
        ensure!(text.contains("Welcome") && text.contains(&format!("There are {sent} notes")), "{text}");
        let path = format!("/notes/{sent}");
        let done = network.json(&["send", "notes", &path, "-X", "PUT", "-d", "during"])?;
        ensure!(done["status"] == 201 && done["problem"].is_null(), "{done}");
        sent += 1;
        ensure!(sent < 400, "the rotation does not end");
    }
    let output = rotating.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rotated: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&rotated["root"], &rotated["closed"]), (&1.into(), &serde_json::json!([0])), "{rotated}");

    let after = network.json(&["gatekeeper", "status"])?;
    assert_eq!(roots(&after), [(1, "open".into(), 2)]);
    assert_ne!(before["master_public_key"], after["master_public_key"]);
    let body = network.ok(&["call", "notes", "/"])?;
    ensure!(String::from_utf8_lossy(&body).contains(&format!("There are {sent} notes")));
    network.json(&["send", "idle", "/notes/0", "-X", "PUT", "-d", "after"])?;
    // And once more, from there.
    let again = network.json(&["gatekeeper", "rotate"])?;
    assert_eq!(again["closed"], serde_json::json!([1]), "{again}");
    let body = network.ok(&["call", "idle", "/"])?;
    ensure!(String::from_utf8_lossy(&body).contains("There are 1 notes"));
    network.stop()
}

#[test]
fn an_upgrade_keeps_the_state_or_drops_it_as_the_owner_says() -> Result<()> {
    let network = Network::start(&[])?;
    network.deploy(&notes()?, "notes", &["--set", "greeting=Welcome"])?;
    network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "remember"])?;
    let (second, third) = (other_code(2)?, other_code(3)?);
    let (second, third) = (second.to_str().context("text")?, third.to_str().context("text")?);
    let refused = network.run(&["upgrade", "notes", second])?;
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(told.contains("--keep-state") && told.contains("--drop-state"), "{told}");
    let stranger = network.run(&["upgrade", "notes", second, "--keep-state", "--account", "//Bob"])?;
    ensure!(!stranger.status.success(), "somebody else's program was upgraded");

    let kept = network.json(&["upgrade", "notes", second, "--keep-state"])?;
    assert_eq!((&kept["keep"], &kept["code_epoch"]), (&"state-and-keys".into(), &1.into()), "{kept}");
    let answer = network.json(&["call", "notes", "/"])?;
    assert_eq!(answer["code_hash"], kept["code_hash"]);
    let text = answer["body"].as_str().context("it answers with text")?;
    ensure!(text.contains("Welcome") && text.contains("There are 1 notes"), "{text}");
    network.json(&["send", "notes", "/notes/2", "-X", "PUT", "-d", "go on"])?;

    let dropped = network.json(&["upgrade", "notes", third, "--drop-state"])?;
    assert_eq!((&dropped["keep"], &dropped["code_epoch"]), (&"nothing".into(), &2.into()), "{dropped}");
    let answer = network.json(&["call", "notes", "/"])?;
    assert_eq!(answer["code_hash"], dropped["code_hash"]);
    let text = answer["body"].as_str().context("it answers with text")?;
    ensure!(!text.contains("Welcome") && text.contains("There are 0 notes"), "{text}");
    let sent = network.json(&["send", "notes", "/notes/1", "-X", "PUT", "-d", "anew"])?;
    assert_eq!(sent["status"], 201, "{sent}");
    // What lies on the worker's disk after a moment is the new state alone, and it survives the worker.
    std::thread::sleep(Duration::from_secs(2));
    let body = network.ok(&["call", "notes", "/"])?;
    ensure!(String::from_utf8_lossy(&body).contains("There are 1 notes"));
    network.stop()
}

/// Generation, status and number of programs of each root.
fn roots(status: &Value) -> Vec<(u64, String, u64)> {
    let list = status["roots"].as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
    let status = |root: &Value| root["status"].as_str().unwrap_or_default().to_owned();
    list.iter().map(|root| (number(&root["root"]), status(root), number(&root["programs"]))).collect()
}

/// The notes with a custom section more: other code that does the same.
fn other_code(n: u8) -> Result<PathBuf> {
    let path = notes()?.with_file_name(format!("notes-{n}.wasm"));
    fs::write(&path, [fs::read(notes()?)?, vec![0, 3, 1, b'n', n]].concat())?;
    Ok(path)
}
