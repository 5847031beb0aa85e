//! Components that nobody here wrote run unmodified, and every language of `phala new` becomes one.

use anyhow::{Context, Result, ensure};
use phala_e2e::{NO_GATEKEEPERS, Network, component, foreign, phala};
use std::os::unix::fs::symlink;

#[test]
fn components_of_spin_componentize_py_and_componentize_js_run_unmodified() -> Result<()> {
    let components = foreign()?;
    let network = Network::start(NO_GATEKEEPERS)?;
    for name in ["spin", "spin-p3", "python", "js"] {
        network.deploy(&components.join(name).with_extension("wasm"), name, &[])?;
    }
    for (name, arguments, expected) in CASES {
        let body = String::from_utf8(network.ok(&[&["call", name, "--fail"], arguments].concat())?)?;
        ensure!(body.contains(expected), "{name} answered {body:?} instead of {expected:?}");
    }
    network.stop()
}

/// Component, what is asked of it, and what the answer contains.
const CASES: [(&str, &[&str], &str); 6] = [
    ("spin", &["/there"], "Hello World! GET /there 0"),
    ("spin", &["/", "-d", "four"], "Hello World! POST / 4"),
    ("spin-p3", &["/there"], "Hello World! GET /there"),
    // SHA-256 of `hello`.
    ("python", &["/there", "-d", "hello"], "/there 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
    ("js", &["/there?x=1"], r#""path":"/there","query":"?x=1""#),
    ("js", &["/", "-d", "hello big world"], "HELLO\nBIG\nWORLD\n"),
];

#[test]
fn the_javascript_and_python_of_phala_new_keep_count() -> Result<()> {
    let python = foreign()?.join("venv");
    let network = Network::start(NO_GATEKEEPERS)?;
    let dir = tempfile::tempdir()?;
    for template in ["js", "python"] {
        let project = dir.path().join(template);
        let path = project.to_str().context("paths here are text")?;
        let made = phala(&["new", template, "--template", template, "--path", path])?;
        ensure!(made.status.success(), "phala new: {}", String::from_utf8_lossy(&made.stderr));
        if template == "python" {
            symlink(&python, project.join(".venv"))?;
        }
        network.deploy(&component(&project)?, template, &["--set", "greeting=Welcome"])?;
        for _ in 0..2 {
            network.ok(&["send", template, "/", "-X", "POST"])?;
        }
        let answer: serde_json::Value = serde_json::from_slice(&network.ok(&["call", template, "/", "--fail"])?)?;
        ensure!(answer["greeting"] == "Welcome" && answer["count"] == 2, "{template} answered {answer}");
        let refused = network.run(&["call", template, "/", "-X", "POST", "--fail"])?;
        ensure!(refused.status.code() == Some(22), "a query counted: {}", refused.status);
    }
    network.stop()
}
