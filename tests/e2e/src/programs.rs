//! Components for the tests, built once.

use crate::{network::binary, phala};
use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// The root of the checkout: the one that the tests run in, which need not be the one that they were built in, for build
/// results are shared among checkouts.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs these tests");
    Path::new(&package).join("../..").canonicalize().expect("this package lies two folders deep")
}

/// The component that `phala build` makes of the program in `dir`, relative to the checkout or absolute.
pub fn component(dir: impl AsRef<Path>) -> Result<PathBuf> {
    let dir = root().join(dir);
    let path = dir.to_str().context("paths here are text")?;
    // A folder of its own: another cargo may hold the one of these tests.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).context("a test runs in target/PROFILE/deps")?.join("programs");
    let output =
        Command::new(binary("phala")).args(["build", path, "--json"]).env("CARGO_TARGET_DIR", target).output()?;
    ensure!(output.status.success(), "phala build {path}: {}", crate::network::describe(&output));
    let built: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    Ok(built["component"].as_str().context("build prints the component")?.into())
}

/// The component of what `phala new` writes: notes that belong to their callers.
pub fn notes() -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut known = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*known {
        return Ok(path.clone());
    }
    let dir = tempfile::Builder::new().prefix("phala-notes-").tempdir()?.keep();
    let project = dir.join("notes");
    let path = project.to_str().context("paths here are text")?;
    let output = phala(&["new", "notes", "--path", path])?;
    ensure!(output.status.success(), "phala new: {}", crate::network::describe(&output));
    Ok(known.insert(component(&project)?).clone())
}

/// The folder of the components that `tests/components/build.sh` makes with the tools of other people.
pub fn foreign() -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut known = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*known {
        return Ok(path.clone());
    }
    let own = std::env::current_exe()?;
    let out = own.ancestors().nth(3).context("a test runs in target/PROFILE/deps")?.join("components");
    let status = Command::new(root().join("tests/components/build.sh")).arg(&out).status()?;
    ensure!(status.success(), "tests/components/build.sh {}: {status}", out.display());
    Ok(known.insert(out).clone())
}
