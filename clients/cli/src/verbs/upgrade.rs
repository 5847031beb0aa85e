//! `phala upgrade`: a program runs other code.

use crate::{
    Context,
    arguments::duration,
    failure::{Explain, Failure, Outcome},
    output::{self, Progress, Report},
    signer::SignerArguments,
};
use phala_messages::Keep;
use phala_sdk::Step;
use serde_json::json;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Give a program other code, and say what that may have of what the old code had
///
/// Each code has keys of its own. The old code answers until the new one is ready; commands that were sent before are the old
/// code's. What you allow is recorded on chain under your signature.
#[derive(clap::Args)]
pub struct Upgrade {
    /// The program: its id, the beginning of it, or its name
    program: String,
    /// The component, as `phala build` makes it
    file: PathBuf,
    /// The new code gets the program's state, settings and derived keys
    #[arg(long, conflicts_with = "drop_state")]
    keep_state: bool,
    /// The new code starts with nothing: the state is erased, and nobody gets its key again
    #[arg(long)]
    drop_state: bool,
    /// With --keep-state: what the program derives and signs with is new, as after a theft of keys
    #[arg(long, requires = "keep_state", conflicts_with = "drop_state")]
    new_keys: bool,
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    wait: Duration,
    #[command(flatten)]
    signer: SignerArguments,
}

impl Upgrade {
    fn keep(&self) -> Outcome<Keep> {
        match (self.keep_state, self.drop_state, self.new_keys) {
            (true, _, false) => Ok(Keep::StateAndKeys),
            (true, _, true) => Ok(Keep::State),
            (false, true, _) => Ok(Keep::Nothing),
            (false, false, _) => Err(Failure::usage(
                "say whether the new code may have what the old code had",
                "--keep-state: it reads the program's state and settings and derives the same keys; \
                 --drop-state: it starts empty, with other keys, and the old state is gone for good",
            )),
        }
    }

    /// Upgrades.
    pub async fn run(self, context: &Context) -> Outcome {
        let keep = self.keep()?;
        let component = std::fs::read(&self.file)
            .doing(format!("reading {}", self.file.display()))
            .help("`phala build` makes a component and prints where it is")?;
        let client = context.connect().await?;
        let owner = self.signer.key(client.network())?;
        let program = client.resolve(&self.program).await?;
        let component = component.into();
        let upgrade = phala_sdk::Upgrade { program, component, manifest: None, keep, timeout: self.wait };
        let progress = Arc::new(Progress::new());
        let told = progress.clone();
        let last = Mutex::new(None);
        let upgraded = client.upgrade(&owner, &upgrade, move |step| {
            let text = match &step {
                Step::Ordering => "waiting for the chain to finalise the upgrade".to_owned(),
                Step::Uploading { endpoint, .. } => format!("uploading the code to {endpoint}"),
                Step::Preparing(_) => "waiting until the worker has moved the program".into(),
                Step::Settings => return,
            };
            let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if last.as_ref() != Some(&text) {
                told.step(&text);
                *last = Some(text);
            }
            if let Step::Uploading { done, total, .. } = step {
                told.bytes(done, total);
            }
        });
        let upgraded = upgraded.await;
        progress.done();
        let upgraded = upgraded?;
        if context.json {
            output::object(&json!({
                "program": program,
                "code_hash": upgraded.code,
                "code_epoch": upgraded.epoch,
                "keep": keep,
                "version": upgraded.version,
                "workers": upgraded.workers,
                "took_ms": upgraded.took.as_millis() as u64,
            }));
            return Ok(());
        }
        output::line(format!("program   {program}"));
        output::line(format!("code hash {}, the program's code number {}", upgraded.code, upgraded.epoch.0 + 1));
        output::line(match keep {
            Keep::Nothing => "state     dropped: it starts empty, with keys of its own",
            Keep::State => "state     kept; derived keys are new",
            Keep::StateAndKeys => "state     kept, and derived keys",
        });
        output::line(format!("after {} at version {}", output::seconds(upgraded.took), upgraded.version));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        upgrade: Upgrade,
    }

    fn keep(arguments: &[&str]) -> Result<Keep, String> {
        let line = ["upgrade", "notes", "notes.wasm"].iter().chain(arguments);
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        line.upgrade.keep().map_err(|failure| failure.hint().unwrap_or_default().to_owned())
    }

    #[test]
    fn nothing_is_assumed_about_what_new_code_may_have() {
        let refused = keep(&[]).unwrap_err();
        assert!(refused.contains("--keep-state") && refused.contains("--drop-state"), "{refused}");
        assert_eq!(keep(&["--keep-state"]), Ok(Keep::StateAndKeys));
        assert_eq!(keep(&["--keep-state", "--new-keys"]), Ok(Keep::State));
        assert_eq!(keep(&["--drop-state"]), Ok(Keep::Nothing));
        for contradiction in [&["--keep-state", "--drop-state"][..], &["--drop-state", "--new-keys"], &["--new-keys"]] {
            assert!(keep(contradiction).is_err(), "{contradiction:?}");
        }
    }
}
