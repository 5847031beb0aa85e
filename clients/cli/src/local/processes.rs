//! Processes of a network: started, found again, and told apart from strangers.

use crate::failure::{Explain, Outcome};
use nix::{sys::signal::Signal, unistd::Pid};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The variable in a process's environment that names the network it belongs to.
const MARK: &str = "PHALA_NETWORK_DIR";
/// The variable that names its role there.
const ROLE: &str = "PHALA_NETWORK_ROLE";
/// How long a process may take to end after it was asked.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// One process of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// `supervisor`, `node-1`, `machine-1`, `worker-1` …
    pub role: String,
    /// Its process id.
    pub pid: i32,
    /// When it started, in clock ticks after boot: a recycled process id has another.
    pub started: u64,
}

impl Process {
    /// This very process.
    pub fn this(role: &str) -> Outcome<Self> {
        let pid = i32::try_from(std::process::id())?;
        let started = start_time(pid).unwrap_or_default();
        Ok(Self { role: role.into(), pid, started })
    }

    /// Whether it still runs, and is still itself.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// Sends a signal, unless the process has ended or its id belongs to another one now.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive() {
            // It may end between the two lines; then there is nobody to signal, which is what is wanted.
            let _ = nix::sys::signal::kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Memory that is its own share (PSS), in bytes.
    pub fn memory(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).ok()?;
        let line = text.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1_024)
    }
}

/// Field 22 of `/proc/PID/stat`; None for a process that is gone or has ended and waits to be collected.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the executable's name in parentheses, which may itself contain any character.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

/// The processes that `dir` records, as far as they still run.
fn recorded(path: &Path) -> Vec<Process> {
    let text = fs::read(path).unwrap_or_default();
    let all: Vec<Process> = serde_json::from_slice(&text).unwrap_or_default();
    all.into_iter().filter(Process::is_alive).collect()
}

/// All living processes of the network in `dir`: those it recorded, and those that carry its mark.
pub fn of_network(layout: &super::Layout) -> Vec<Process> {
    let mut found: BTreeMap<i32, Process> = BTreeMap::new();
    for process in recorded(&layout.processes()) {
        found.insert(process.pid, process);
    }
    let Ok(dir) = layout.dir.canonicalize() else { return found.into_values().collect() };
    let mark = format!("{MARK}={}", dir.display());
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // Other people's environments cannot be read, and their processes are not ours.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let mut variables = environment.split(|byte| *byte == 0);
        if !variables.clone().any(|variable| variable == mark.as_bytes()) {
            continue;
        }
        let role = variables.find_map(|variable| variable.strip_prefix(format!("{ROLE}=").as_bytes()));
        let role = role.map_or_else(|| "unknown".into(), |role| String::from_utf8_lossy(role).into_owned());
        if let Some(started) = start_time(pid) {
            found.entry(pid).or_insert(Process { role, pid, started });
        }
    }
    found.into_values().collect()
}

/// Writes down who runs.
pub fn record(layout: &super::Layout, processes: &[Process]) -> Outcome {
    let path = layout.processes();
    let aside = path.with_extension("new");
    fs::write(&aside, serde_json::to_vec_pretty(processes)?)
        .and_then(|()| fs::rename(&aside, &path))
        .doing(format!("writing {}", path.display()))
}

/// A command that belongs to the network in `layout`, with its output going to its role's log.
///
/// It gets a process group of its own: Ctrl-C reaches the supervisor alone, which then ends the others in order.
pub fn command(layout: &super::Layout, role: &str, binary: &Path) -> Outcome<Command> {
    let path = layout.log(role);
    let log = fs::OpenOptions::new().create(true).append(true).open(&path);
    let log = log.doing(format!("opening {}", path.display()))?;
    let mut command = Command::new(binary);
    command
        .env(MARK, &layout.dir)
        .env(ROLE, role)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    Ok(command)
}

/// Starts `command` in a role.
pub fn spawn(role: &str, command: &mut Command) -> Outcome<(Process, Child)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().doing(format!("starting {name}"))?;
    let pid = i32::try_from(child.id())?;
    // A process that ended at once has no start time; whoever watches the child learns of its end.
    let process = Process { role: role.into(), pid, started: start_time(pid).unwrap_or_default() };
    Ok((process, child))
}

/// Ends `processes`: asks, waits, and kills who does not listen. Returns when all are gone.
pub fn end(processes: &[Process], mut reap: impl FnMut()) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let deadline = Instant::now() + END_TIMEOUT;
        processes.iter().for_each(|process| process.signal(signal));
        while Instant::now() < deadline {
            reap();
            if !processes.iter().any(Process::is_alive) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The last lines of a role's log, for people who ask why it ended.
pub fn log_tail(layout: &super::Layout, role: &str, lines: usize) -> String {
    let text = fs::read(layout.log(role)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(16 * 1_024)..]).into_owned();
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    fn sleeper(layout: &Layout) -> (Process, Child) {
        let mut command = command(layout, "node-1", Path::new("/bin/sleep")).unwrap();
        spawn("node-1", command.arg("600")).unwrap()
    }

    #[test]
    fn a_process_is_found_by_its_mark_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let (process, mut child) = sleeper(&layout);
        // The mark appears in /proc once the child has executed its program.
        while of_network(&layout).is_empty() {
            std::thread::yield_now();
        }
        let found = of_network(&layout);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].pid, found[0].role.as_str()), (process.pid, "node-1"));
        end(&found, || {
            let _ = child.try_wait();
        });
        assert!(of_network(&layout).is_empty());
        assert!(!found[0].is_alive());
    }

    #[test]
    fn a_recycled_process_id_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let (process, mut child) = sleeper(&layout);
        let stranger = Process { started: process.started + 1, ..process.clone() };
        assert!(!stranger.is_alive());
        stranger.signal(Signal::SIGKILL);
        record(&layout, std::slice::from_ref(&stranger)).unwrap();
        assert!(recorded(&layout.processes()).is_empty());
        assert!(child.try_wait().unwrap().is_none(), "the stranger was killed");
        end(&[process], || {
            let _ = child.try_wait();
        });
        let _ = child.wait();
    }

    #[test]
    fn this_process_is_alive_and_uses_memory() {
        let this = Process::this("supervisor").unwrap();
        assert!(this.is_alive());
        assert!(this.memory().is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        fs::write(layout.log("node-1"), "one\ntwo\nthree\n").unwrap();
        assert_eq!(log_tail(&layout, "node-1", 2), "two\nthree");
        assert_eq!(log_tail(&layout, "none", 2), "");
    }
}
