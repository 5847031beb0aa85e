//! A whole local network for the time of a measurement.

use anyhow::{Context, bail, ensure};
use phala_messages::ProgramId;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A network that stops when this is dropped.
pub struct Network {
    phala: PathBuf,
    bin: PathBuf,
    dir: tempfile::TempDir,
}

impl Network {
    /// Starts a network from the programs in `bin`.
    pub fn up(bin: Option<&Path>) -> anyhow::Result<Self> {
        let bin = match bin {
            Some(bin) => bin.to_owned(),
            None => std::env::current_exe()?.parent().context("this program lies nowhere")?.to_owned(),
        };
        for name in ["phala", "phala-node", "phala-worker", "phala-simulated-tee"] {
            ensure!(
                bin.join(name).is_file(),
                "{name} is not in {}: `make build` makes it, --bin names another folder",
                bin.display()
            );
        }
        let network = Self { phala: bin.join("phala"), bin, dir: tempfile::tempdir()? };
        network.phala(&["up", "--detach"])?;
        Ok(network)
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Deploys a component.
    pub fn deploy(&self, component: &Path) -> anyhow::Result<ProgramId> {
        let component = component.to_str().context("the component's path is no text")?;
        let deployed = self.phala(&["deploy", component, "--name", "bench"])?;
        let program = deployed["program"].as_str().context("`phala deploy` named no program")?;
        Ok(program.parse()?)
    }

    /// Runs a verb and reads what it says.
    fn phala(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = Command::new(&self.phala)
            .args(arguments)
            .arg("--json")
            .arg("--dir")
            .arg(self.dir())
            .env("PHALA_BIN", &self.bin)
            .stdin(Stdio::null())
            .output()
            .context("`phala` does not start")?;
        if !output.status.success() {
            bail!("`phala {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("what `phala {}` says", arguments.join(" ")))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = self.phala(&["down"]) {
            eprintln!("the network did not stop: {error:#}");
        }
    }
}
