//! A network of one's own.

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Condvar, Mutex, PoisonError},
};
use tempfile::TempDir;

/// The binary `name`, built beside the test that runs.
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows where it runs");
    let beside = own.ancestors().nth(2).expect("a test runs in target/PROFILE/deps").join(name);
    assert!(beside.exists(), "{} is missing; `cargo build --workspace` makes it", beside.display());
    beside
}

/// Runs `phala` with `arguments` outside any network.
pub fn phala(arguments: &[&str]) -> Result<Output> {
    Command::new(binary("phala"))
        .args(arguments)
        .env_remove("PHALA_DIR")
        .stdin(Stdio::null())
        .output()
        .context("running phala")
}

/// For tests of what programs and strangers do: a network that is ready sooner.
pub const NO_GATEKEEPERS: &[&str] = &["--gatekeepers", "0"];

/// Networks that may run at once: they mostly wait for blocks. One of many validators runs alone.
const TURNS: usize = 2;
static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// Leave to run a network, given back when dropped.
struct Turn(usize);

impl Turn {
    fn take(turns: usize) -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken =
            GIVEN_BACK.wait_while(taken, |taken| *taken + turns > TURNS).unwrap_or_else(PoisonError::into_inner);
        *taken += turns;
        Self(turns)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        GIVEN_BACK.notify_all();
    }
}

/// A running network; stopped when dropped.
pub struct Network {
    dir: TempDir,
    /// What `phala up --json` printed.
    pub up: Value,
    stopped: bool,
    /// Processes that a test started in place of those of `phala up`.
    adopted: Vec<Child>,
    ports: Vec<Flock<File>>,
    _turn: Turn,
}

impl Network {
    /// Starts a network with further `arguments` of `phala up`.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let turn = Turn::take(if arguments.contains(&"--validators") { TURNS } else { 1 });
        let dir = tempfile::Builder::new().prefix("phala-e2e-").tempdir()?;
        let mut network =
            Self { dir, up: Value::Null, stopped: false, adopted: Vec::new(), ports: Vec::new(), _turn: turn };
        network.up = network.json(&[&["up", "--detach"], arguments].concat())?;
        Ok(network)
    }

    /// Where it lives.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `phala` on this network.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        Command::new(binary("phala"))
            .args(arguments)
            .env("PHALA_DIR", self.dir())
            .stdin(Stdio::null())
            .output()
            .context("running phala")
    }

    /// Runs `phala`, which must succeed; gives what it printed.
    pub fn ok(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.run(arguments)?;
        ensure!(output.status.success(), "phala {}: {}", arguments.join(" "), describe(&output));
        Ok(output.stdout)
    }

    /// Runs `phala … --json`, which must succeed; gives the object it printed.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let stdout = self.ok(&[arguments, &["--json"]].concat())?;
        serde_json::from_slice(&stdout)
            .with_context(|| format!("phala {} printed {}", arguments.join(" "), String::from_utf8_lossy(&stdout)))
    }

    /// Deploys `component` under `name`; gives its id.
    pub fn deploy(&self, component: &Path, name: &str, more: &[&str]) -> Result<String> {
        let path = component.to_str().context("paths here are text")?;
        let deployed = self.json(&[&["deploy", path, "--name", name], more].concat())?;
        Ok(deployed["program"].as_str().context("deploy prints the program")?.into())
    }

    /// URL of the node's RPC.
    pub fn rpc(&self) -> String {
        self.up["rpc"].as_str().unwrap_or_default().replace("ws://", "http://")
    }

    /// URL of the first worker.
    pub fn worker(&self) -> String {
        self.up["workers"][0].as_str().unwrap_or_default().into()
    }

    /// Kills what would start processes again, so that the test decides alone who lives.
    pub fn unsupervised(&mut self) -> Result<()> {
        crate::Process::find(self.dir(), "/phala")?.kill()?;
        // What was killed also kept other networks away from this one's ports.
        let gatekeepers = self.up["gatekeepers"].as_array().cloned().unwrap_or_default();
        let gatekeepers = gatekeepers.iter().filter_map(|url| url.as_str().map(str::to_owned));
        for url in [self.rpc(), self.worker()].into_iter().chain(gatekeepers) {
            let port = url.rsplit(':').next().unwrap_or_default().trim_end_matches('/');
            let file = File::options().read(true).open(std::env::temp_dir().join(format!("phala-port-{port}.lock")))?;
            let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
            self.ports.push(lock);
        }
        Ok(())
    }

    /// Kills `process` without warning and starts it again, with `change` made to its arguments.
    pub fn replace(&mut self, process: &mut crate::Process, change: impl FnOnce(&mut Vec<String>)) -> Result<()> {
        process.kill()?;
        self.reap();
        change(&mut process.arguments);
        self.adopted.push(process.start_again(&self.dir().join("logs/adopted.log"))?);
        Ok(())
    }

    /// Starts a further process, which ends with the network.
    pub fn adopt(&mut self, command: &mut Command) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.dir().join("logs/adopted.log"))?;
        self.adopted.push(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
        Ok(())
    }

    /// Starts `phala` on this network, and does not wait for it.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Child> {
        let mut command = Command::new(binary("phala"));
        command.args(arguments).env("PHALA_DIR", self.dir()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("running phala")
    }

    /// Waits until the node answers.
    pub fn await_node(&self) -> Result<()> {
        for _ in 0..300 {
            if self.run(&["status"])?.status.success() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        bail!("the node does not answer")
    }

    fn reap(&mut self) {
        self.adopted.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
    }

    fn end_adopted(&mut self) {
        for mut child in self.adopted.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it; nothing may be left.
    pub fn stop(mut self) -> Result<()> {
        self.stopped = true;
        self.end_adopted();
        self.ok(&["down"])?;
        let left = crate::processes_under(self.dir());
        if !left.is_empty() {
            bail!("still running after `phala down`: {left:?}");
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if !self.stopped {
            self.end_adopted();
            let _ = self.run(&["down"]);
        }
    }
}

/// What a run printed, for messages.
pub fn describe(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
