//! `phala doctor`: what this machine has, what is missing, and what to do about it.

use crate::{
    Context,
    failure::{self, Failure, Outcome},
    local::{Layout, binaries::Binaries, ports, processes},
    output,
    verbs::build::{COMPONENTIZE_PY, TARGET, Target, componentize_py, on_path, target},
};
use phala_sdk::{Client, Network};
use serde_json::json;
use std::{path::Path, process::Command};

/// A network's processes need about this much.
const MEMORY_BYTES_MIN: u64 = 1 << 30;

/// Find out what is missing on this machine
///
/// Looks at the binaries, the tools for each language, ports, memory, and the network if one runs. Exits 1 when
/// something is missing that `phala up` needs.
#[derive(clap::Args)]
pub struct Doctor {}

/// How one look went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Missing, and only some people need it.
    Optional,
    Bad,
}

/// One thing that was looked at.
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    fix: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Good, found: found.into(), fix: None }
    }

    fn missing(name: &'static str, verdict: Verdict, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict, found: found.into(), fix: Some(fix.into()) }
    }
}

impl Doctor {
    /// Looks and tells.
    pub async fn run(self, context: &Context) -> Outcome {
        let layout = Layout::new(&context.dir()?);
        let mut checks = vec![binaries(), memory()];
        checks.extend(languages());
        checks.push(network(&layout).await);
        let healthy = checks.iter().all(|check| check.verdict != Verdict::Bad);
        if context.json {
            let list: Vec<_> = checks
                .iter()
                .map(|it| {
                    let verdict = match it.verdict {
                        Verdict::Good => "good",
                        Verdict::Optional => "optional",
                        Verdict::Bad => "missing",
                    };
                    json!({ "name": it.name, "verdict": verdict, "found": it.found, "fix": it.fix })
                })
                .collect();
            output::object(&json!({ "healthy": healthy, "version": env!("CARGO_PKG_VERSION"), "checks": list }));
        } else {
            checks.iter().for_each(print);
        }
        if healthy { Ok(()) } else { Err(Failure::silent(failure::FAILURE)) }
    }
}

fn print(check: &Check) {
    let sign = match check.verdict {
        Verdict::Good => "✓",
        Verdict::Optional => "–",
        Verdict::Bad => "✗",
    };
    output::line(format!("{sign} {:18} {}", check.name, check.found));
    if let Some(fix) = &check.fix {
        output::line(format!("  {:18} hint: {fix}", ""));
    }
}

fn binaries() -> Check {
    match Binaries::find() {
        Ok(found) => {
            let folder = found.node.parent().unwrap_or(Path::new("/")).display().to_string();
            Check::good(
                "binaries",
                format!("phala-node, phala-worker, phala-gatekeeper, phala-simulated-tee in {folder}"),
            )
        }
        Err(failure) => {
            let fix = failure.hint().unwrap_or_default().to_owned();
            Check::missing("binaries", Verdict::Bad, failure.message(), fix)
        }
    }
}

fn memory() -> Check {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
    match kib.map(|kib| kib * 1_024) {
        Some(bytes) if bytes >= MEMORY_BYTES_MIN => {
            Check::good("memory", format!("{} available", output::bytes(bytes)))
        }
        Some(bytes) => Check::missing(
            "memory",
            Verdict::Bad,
            format!("only {} available", output::bytes(bytes)),
            "a network needs about 1 GiB",
        ),
        None => Check::missing("memory", Verdict::Optional, "not known", "is /proc mounted?"),
    }
}

/// The first line that a tool prints for `--version`.
fn version(tool: &Path) -> Option<String> {
    let output = Command::new(tool).arg("--version").output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(Into::into)
}

fn languages() -> Vec<Check> {
    let rust = match (on_path("cargo").and_then(|cargo| version(&cargo)), target(Path::new("."))) {
        (Some(cargo), Some(Target::Rustup)) => Check::good("rust programs", format!("{cargo}, {TARGET}")),
        (Some(cargo), Some(Target::Sysroot(sysroot))) => {
            Check::good("rust programs", format!("{cargo}, {TARGET} in {}", sysroot.display()))
        }
        (Some(cargo), None) => Check::missing(
            "rust programs",
            Verdict::Optional,
            format!("{cargo}, but no standard library for {TARGET}"),
            format!("rustup target add {TARGET}; where rustup cannot, run ./setup in the Phala checkout"),
        ),
        (None, _) => Check::missing(
            "rust programs",
            Verdict::Optional,
            "cargo is not on the search path",
            "https://rustup.rs installs it",
        ),
    };
    let python = match componentize_py(Path::new(".")) {
        Some(tool) => Check::good("python programs", version(&tool).unwrap_or_else(|| tool.display().to_string())),
        None => Check::missing(
            "python programs",
            Verdict::Optional,
            "componentize-py is not there",
            format!("pip install componentize-py=={COMPONENTIZE_PY}, in a virtual environment .venv of the project"),
        ),
    };
    let javascript = match (on_path("node").and_then(|node| version(&node)), on_path("npm")) {
        (Some(node), Some(_)) => Check::good("js programs", format!("node {node} with npm")),
        _ => Check::missing(
            "js programs",
            Verdict::Optional,
            "node and npm are not there",
            "install Node.js 20 or newer",
        ),
    };
    vec![rust, python, javascript]
}

async fn network(layout: &Layout) -> Check {
    let Ok(network) = Network::read(&layout.dir) else {
        let taken = [9944u16, 8701].into_iter().filter(|port| ports::is_open(*port)).map(|port| port.to_string());
        let taken: Vec<_> = taken.collect();
        let others = if taken.is_empty() {
            String::new()
        } else {
            format!("; ports {} are taken, others will be used", taken.join(", "))
        };
        return Check::good("network", format!("none yet in {}{others}", layout.dir.display()));
    };
    let running = !processes::of_network(layout).is_empty();
    match async { Client::connect(&layout.dir).await?.head().await }.await {
        Ok(head) => Check::good("network", format!("{} at block {}", network.rpc, head.block.number.0)),
        Err(_) if !running => Check::good("network", format!("stopped, in {}", layout.dir.display())),
        Err(error) => {
            let failure = Failure::from(error);
            let found = std::iter::once(failure.message()).chain(failure.causes()).collect::<Vec<_>>().join(": ");
            Check::missing("network", Verdict::Bad, found, failure.hint().unwrap_or("`phala down`, then `phala up`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_without_a_network_is_healthy() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(network(&Layout::new(dir.path())).await.verdict, Verdict::Good);
        let mut stopped = Network::new("dev", "ws://127.0.0.1:1".into(), Default::default());
        stopped.workers.clear();
        stopped.write(dir.path()).unwrap();
        let check = network(&Layout::new(dir.path())).await;
        assert_eq!(check.verdict, Verdict::Good, "{}", check.found);
    }

    #[test]
    fn whatever_is_missing_comes_with_a_fix() {
        for check in languages().into_iter().chain([memory()]) {
            assert_eq!(check.fix.is_none(), check.verdict == Verdict::Good, "{}", check.name);
        }
    }
}
