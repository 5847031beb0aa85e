//! `phala up`: a whole local network with one command.

use crate::{
    Context,
    failure::{Explain, Failure, Outcome},
    local::{Layout, gatekeepers::OPERATORS, start},
    output::{self, Progress, Report},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::Mutex,
};
use tokio::signal::unix::{SignalKind, signal};

/// What everyone must read who starts a network without TEE hardware.
const SIMULATED: &str = "\
the TEE is SIMULATED: this network keeps no secret from this machine's owner.
Evidence, attestation and receipts have their real form, under a development root that no production network accepts.";

/// Start a whole local network: validators, simulated TEEs, workers, gatekeepers
///
/// Returns when programs can be deployed, in about twenty seconds, most of which the
/// gatekeepers take to make a master key (--gatekeepers 0: ten). In the foreground it runs until Ctrl-C; with
/// --detach it stays in the background until `phala down`. Its state stays in its directory: the next `up` goes
/// on from there. Delete the directory for a fresh start.
#[derive(clap::Args)]
pub struct Up {
    /// How many workers: the first runs programs, the others stand by with copies of their state
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    workers: u8,
    /// How many validators
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    validators: u8,
    /// How many gatekeepers; with 0, a program's key is its worker's own and dies with it
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = gatekeepers)]
    gatekeepers: u8,
    /// Go on in the background
    #[arg(long)]
    detach: bool,
    /// Be the background process: tell progress as JSON lines on stdout.
    #[arg(long, hide = true)]
    supervise: bool,
}

/// As many as there are accounts to bond for them; not one, which would hold the whole master key.
fn gatekeepers(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(1) => Err("one gatekeeper alone would hold the whole master key; take 2 or more, or 0".into()),
        Ok(n) if usize::from(n) <= OPERATORS.len() => Ok(n),
        _ => Err(format!("0, or 2 to {}", OPERATORS.len())),
    }
}

impl Up {
    /// Starts the network.
    pub async fn run(self, context: &Context) -> Outcome {
        let layout = Layout::create(&context.dir()?)?;
        let options = start::Options {
            workers: self.workers.into(),
            validators: self.validators.into(),
            gatekeepers: self.gatekeepers.into(),
        };
        if self.supervise {
            return supervise_in_background(&layout, options).await;
        }
        if self.detach {
            let ready = detach(&layout, options, &Progress::new())?;
            announce(&ready, context.json, "`phala down` stops it");
            return Ok(());
        }
        self.in_foreground(context, &layout, options).await
    }

    async fn in_foreground(self, context: &Context, layout: &Layout, options: start::Options) -> Outcome {
        let progress = Progress::new();
        let started = tokio::select! {
            started = start::start(layout, options, &progress) => started?,
            () = asked_to_stop() => {
                progress.done();
                return Err(Failure::new("interrupted before the network was ready", "nothing was left running"));
            }
        };
        let (mut running, ready) = started;
        announce(&ready, context.json, "Ctrl-C stops it");
        let watched = tokio::select! {
            watched = running.supervise(&progress) => watched,
            () = asked_to_stop() => Ok(()),
        };
        progress.step("stopping the network");
        running.stop();
        progress.done();
        if !context.json && watched.is_ok() {
            output::note("stopped");
        }
        watched
    }
}

/// Ctrl-C, or somebody asks nicely.
async fn asked_to_stop() {
    let mut hangup = signal(SignalKind::hangup()).ok();
    let mut terminate = signal(SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(terminate) => terminate.recv().await,
            None => std::future::pending().await,
        }
    };
    let hung_up = async {
        match &mut hangup {
            Some(hangup) => hangup.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
        _ = hung_up => {}
    }
}

/// Tells where the network is.
fn announce(ready: &start::Ready, json: bool, how_to_stop: &str) {
    if json {
        output::object(&Value::from(ready));
        output::note(SIMULATED);
        return;
    }
    output::line(format!(
        "the network is ready after {}\n",
        output::seconds(std::time::Duration::from_millis(ready.ready_ms))
    ));
    output::line(format!("  rpc      {}", ready.rpc));
    for worker in &ready.workers {
        output::line(format!("  worker   {worker}"));
    }
    for gatekeeper in &ready.gatekeepers {
        output::line(format!("  guard    {gatekeeper}"));
    }
    output::line(format!("  dir      {}\n", ready.dir.display()));
    output::line(format!("{SIMULATED}\n"));
    output::line(format!("next: phala new hello && cd hello && phala build · {how_to_stop}"));
}

/// A line from the background process to the one that waits for it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Step(String),
    Remark(String),
    Ready(start::Ready),
    Failed { error: String, causes: Vec<String>, hint: Option<String> },
}

/// Progress as JSON lines on stdout, until nobody listens any more.
struct Lines(Mutex<std::io::Stdout>);

impl Lines {
    /// Whether somebody heard it.
    fn tell(&self, told: &Told) -> bool {
        let mut out = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let text = serde_json::to_string(told).unwrap_or_default();
        writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
    }
}

impl Report for Lines {
    fn step(&self, text: &str) {
        self.tell(&Told::Step(text.into()));
    }

    fn bytes(&self, _done: u64, _total: u64) {}

    fn remark(&self, text: &str) {
        self.tell(&Told::Remark(text.into()));
    }

    fn done(&self) {}
}

/// Progress into the supervisor's log, once nobody listens.
struct Log;

impl Report for Log {
    fn step(&self, text: &str) {
        output::note(text);
    }

    fn bytes(&self, _done: u64, _total: u64) {}

    fn remark(&self, text: &str) {
        output::note(text);
    }

    fn done(&self) {}
}

/// The background process: starts the network, says so, and watches over it until it is asked to stop.
async fn supervise_in_background(layout: &Layout, options: start::Options) -> Outcome {
    let lines = Lines(Mutex::new(std::io::stdout()));
    let started = tokio::select! {
        started = start::start(layout, options, &lines) => started,
        () = asked_to_stop() => Err(Failure::new("interrupted before the network was ready", "nothing was left running")),
    };
    let (mut running, ready) = match started {
        Ok(started) => started,
        Err(failure) => {
            let hint = failure.hint().map(Into::into);
            lines.tell(&Told::Failed { error: failure.message(), causes: failure.causes(), hint });
            return Err(Failure::silent(crate::failure::FAILURE));
        }
    };
    if !lines.tell(&Told::Ready(ready)) {
        // Whoever asked for the network was interrupted while waiting, and does not know that it runs.
        running.stop();
        return Ok(());
    }
    let watched = tokio::select! {
        watched = running.supervise(&Log) => watched,
        () = asked_to_stop() => Ok(()),
    };
    running.stop();
    watched
}

/// Starts the background process and waits until it says that the network is ready.
pub fn detach(layout: &Layout, options: start::Options, report: &dyn Report) -> Outcome<start::Ready> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(layout.log("supervisor"));
    let log = log.doing("opening the supervisor's log")?;
    let mut supervisor = Command::new(std::env::current_exe()?);
    supervisor
        .args(["up", "--supervise", "--dir"])
        .arg(&layout.dir)
        .args(["--workers", &options.workers.to_string(), "--validators", &options.validators.to_string()])
        .args(["--gatekeepers", &options.gatekeepers.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0);
    let mut child = supervisor.spawn().doing("starting the supervisor")?;
    let lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines);
    for line in lines {
        match serde_json::from_str(&line?)? {
            Told::Step(text) => report.step(&text),
            Told::Remark(text) => report.remark(&text),
            Told::Ready(ready) => {
                report.done();
                return Ok(ready);
            }
            Told::Failed { error, causes, hint } => {
                report.done();
                let _ = child.wait();
                let causes: String = causes.iter().map(|cause| format!(": {cause}")).collect();
                return Err(Failure::new(format!("{error}{causes}"), hint.unwrap_or_default()));
            }
        }
    }
    report.done();
    let status = child.wait()?;
    Err(Failure::new(
        format!("the supervisor ended with {status} before the network was ready"),
        format!("its log is {}", layout.log("supervisor").display()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_background_process_tells_is_understood() {
        for told in [
            Told::Step("a".into()),
            Told::Remark("b".into()),
            Told::Failed { error: "c".into(), causes: vec!["d".into()], hint: None },
        ] {
            let text = serde_json::to_string(&told).unwrap();
            let back: Told = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&back).unwrap(), text);
        }
    }

    #[test]
    fn the_simulation_is_called_one() {
        assert!(SIMULATED.contains("SIMULATED") && SIMULATED.contains("no secret"));
    }
}
