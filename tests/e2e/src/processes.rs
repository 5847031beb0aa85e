//! Processes of a network, as the kernel knows them.

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Stdio},
};

/// A process that belongs to a network.
#[derive(Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its executable's name and arguments.
    pub arguments: Vec<String>,
}

/// Processes whose arguments name `dir`.
pub fn processes_under(dir: &Path) -> Vec<Process> {
    let needle = dir.as_os_str().as_bytes();
    let own = std::process::id() as i32;
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let named = line.windows(needle.len()).any(|window| window == needle);
            let arguments =
                line.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
            (named && pid != own).then_some(Process { pid, arguments })
        })
        .collect()
}

/// Whether something listens on `port` of this machine.
pub fn listening(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

impl Process {
    /// The process of the network in `dir` whose executable is `name`.
    ///
    /// One that has only just been started is not visible at once: the kernel shows its arguments a moment later.
    pub fn find(dir: &Path, name: &str) -> Result<Self> {
        for _ in 0..100 {
            let mut all = processes_under(dir).into_iter();
            if let Some(process) = all.find(|process| process.runs() && process.arguments[0].ends_with(name)) {
                return Ok(process);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        bail!("no {name} runs in {}", dir.display())
    }

    /// Sends `signal`.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid), signal).with_context(|| format!("sending {signal} to {}", self.pid))
    }

    /// Whether any of its threads still runs. A process whose first thread is a zombie holds its files and ports
    /// until the last one is gone.
    pub fn runs(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).map_or(0, Iterator::count);
        if threads > 1 {
            return true;
        }
        fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
    }

    /// Kills it without warning and waits until it is gone.
    pub fn kill(&self) -> Result<()> {
        if self.runs() {
            self.signal(Signal::SIGKILL)?;
        }
        while self.runs() {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Starts the same program with the same arguments again; what it says goes to the end of `log`.
    pub fn start_again(&self, log: &Path) -> Result<std::process::Child> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        Command::new(arguments[0])
            .args(&arguments[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::OpenOptions::new().create(true).append(true).open(log)?)
            .spawn()
            .with_context(|| format!("starting {}", arguments[0]))
    }
}
