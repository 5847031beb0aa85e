//! The chain's genesis for a local network.
//!
//! The node knows two presets, `dev` (1 validator) and `local` (4). What it cannot know is which worker may
//! register: that is the hash of the worker's binary on this machine, and goes into the genesis here.

use super::{Layout, binaries::Binaries};
use crate::failure::{Explain, Failure, Outcome};
use phala_messages::{Measurement, Role};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

/// Names of the validators' development accounts, in order.
pub const VALIDATORS: [&str; 4] = ["alice", "bob", "charlie", "dave"];

/// The preset for so many validators.
pub const fn preset(validators: usize) -> &'static str {
    if validators == 1 { "dev" } else { "local" }
}

/// Runs one of our binaries to its end and returns what it prints.
fn output(binary: &Path, arguments: &[&str]) -> Outcome<Vec<u8>> {
    let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let command = format!("{name} {}", arguments.join(" "));
    let output = Command::new(binary).args(arguments).output().doing(format!("running {command}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
    Err(Failure::new(format!("{command} ended with {}: {last}", output.status), "rebuild everything with `make build`"))
}

/// What the simulated TEE measures of a worker's binary.
pub fn measure(binaries: &Binaries) -> Outcome<Measurement> {
    let worker = binaries.worker.to_string_lossy();
    let text = output(&binaries.tee, &["measure", &worker, "--json"])?;
    let value: Value = serde_json::from_slice(&text).doing("reading the measurement of phala-worker")?;
    let measurement = value.get("measurement").and_then(Value::as_str).unwrap_or_default();
    measurement.parse().doing("reading the measurement of phala-worker")
}

/// Writes the chain spec, unless the network has one: its genesis stays for ever.
///
/// Returns the measurement that the genesis admits.
pub fn write(layout: &Layout, binaries: &Binaries, validators: usize, measurement: Measurement) -> Outcome {
    let path = layout.spec();
    if path.exists() {
        return Ok(());
    }
    let text = output(&binaries.node, &["build-spec", "--chain", preset(validators)])?;
    let mut spec: Value = serde_json::from_slice(&text).doing("reading the chain spec of phala-node")?;
    patch(&mut spec, validators, measurement)?;
    let aside = path.with_extension("new");
    fs::write(&aside, serde_json::to_vec(&spec)?)
        .and_then(|()| fs::rename(&aside, &path))
        .doing(format!("writing {}", path.display()))
}

/// Puts the measurement, and the wanted number of validators, into the genesis.
fn patch(spec: &mut Value, validators: usize, measurement: Measurement) -> Outcome {
    let genesis = spec.pointer_mut("/genesis/runtimeGenesis/patch").and_then(Value::as_object_mut);
    let genesis = genesis.ok_or_else(|| {
        Failure::new("the chain spec of phala-node has no genesis to patch", "rebuild everything with `make build`")
    })?;
    let registry = genesis.entry("registry").or_insert_with(|| json!({}));
    registry["measurements"] = json!([[Role::Worker, measurement]]);
    if let Some(keys) =
        genesis.get_mut("session").and_then(|session| session.get_mut("keys")).and_then(Value::as_array_mut)
    {
        keys.truncate(validators);
    }
    Ok(())
}

/// The first measurement of a worker that the network in `layout` admits, as its genesis says.
pub fn admitted(layout: &Layout) -> Option<Measurement> {
    let spec: Value = serde_json::from_slice(&fs::read(layout.spec()).ok()?).ok()?;
    let listed = spec.pointer("/genesis/runtimeGenesis/patch/registry/measurements")?;
    let listed: Vec<(Role, Measurement)> = serde_json::from_value(listed.clone()).ok()?;
    listed.into_iter().find(|(role, _)| *role == Role::Worker).map(|(_, measurement)| measurement)
}

/// The number of validators in a network's genesis.
pub fn validators(layout: &Layout) -> Option<usize> {
    let spec: Value = serde_json::from_slice(&fs::read(layout.spec()).ok()?).ok()?;
    spec.pointer("/genesis/runtimeGenesis/patch/session/keys")?.as_array().map(Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Value {
        json!({ "genesis": { "runtimeGenesis": { "code": "0x", "patch": {
            "registry": { "roots": ["development"] },
            "session": { "keys": ["a", "b", "c", "d"] },
        } } } })
    }

    #[test]
    fn the_genesis_admits_the_measured_worker_and_keeps_the_rest() {
        let mut spec = spec();
        patch(&mut spec, 2, phala_messages::Hash([7; 32])).unwrap();
        let patch = &spec["genesis"]["runtimeGenesis"]["patch"];
        assert_eq!(patch["registry"]["measurements"], json!([["worker", phala_messages::Hash([7; 32]).to_string()]]));
        assert_eq!(patch["registry"]["roots"], json!(["development"]));
        assert_eq!(patch["session"]["keys"], json!(["a", "b"]));
    }

    #[test]
    fn a_spec_without_a_genesis_is_refused() {
        assert!(patch(&mut json!({ "genesis": { "raw": {} } }), 1, Default::default()).is_err());
    }

    #[test]
    fn what_was_written_is_what_the_network_admits() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        assert_eq!((admitted(&layout), validators(&layout)), (None, None));
        let mut spec = spec();
        patch(&mut spec, 3, phala_messages::Hash([7; 32])).unwrap();
        fs::write(layout.spec(), spec.to_string()).unwrap();
        assert_eq!((admitted(&layout), validators(&layout)), (Some(phala_messages::Hash([7; 32])), Some(3)));
    }

    #[test]
    fn a_binary_that_ends_badly_is_named_with_its_last_words() {
        let failure = output(Path::new("/bin/sh"), &["-c", "echo one >&2; echo two >&2; exit 3"]).unwrap_err();
        assert!(failure.message().contains("two"), "{failure}");
        assert!(output(Path::new("/nonexistent/phala-node"), &[]).is_err());
    }
}
