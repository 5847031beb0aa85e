//! Components that nobody here wrote run unmodified.

use anyhow::{Context, Result, ensure};
use phala_e2e::Network;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Components built by the tools of other people: `tests/components/build.sh`.
fn foreign() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = std::env::current_exe()?;
    let out = own.ancestors().nth(3).context("a test runs in target/PROFILE/deps")?.join("components");
    let status = Command::new(root.join("tests/components/build.sh")).arg(&out).status()?;
    ensure!(status.success(), "tests/components/build.sh {}: {status}", out.display());
    Ok(out)
}

#[test]
fn components_of_spin_componentize_py_and_componentize_js_run_unmodified() -> Result<()> {
    let components = foreign()?;
    let network = Network::start(&[])?;
    for (file, path, expected) in CASES {
        let component = components.join(file);
        let name = file.trim_end_matches(".wasm");
        network.deploy(&component, name, &[])?;
        let body = String::from_utf8(network.ok(&["call", name, path, "--fail"])?)?;
        ensure!(body.contains(expected), "{file} answered {body:?} instead of {expected:?}");
    }
    network.stop()
}

/// File, path to ask for, and what the answer contains.
const CASES: [(&str, &str, &str); 3] =
    [("spin.wasm", "/", "Hello"), ("python.wasm", "/", "Hello"), ("javascript.wasm", "/", "Hello")];
