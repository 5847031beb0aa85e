//! `phala down`: stop the local network; nobody is left, and no port.

use crate::{
    Context,
    failure::Outcome,
    local::{Layout, stop},
    output::{self, Progress},
};
use serde_json::json;

/// Stop the local network
///
/// Its state stays in its directory: `phala up` goes on from there. Works also when the supervisor was killed.
#[derive(clap::Args)]
pub struct Down {}

impl Down {
    /// Stops what runs.
    pub fn run(self, context: &Context) -> Outcome {
        let layout = Layout::new(&context.dir()?);
        let stopped = stop::stop(&layout, &Progress::new())?;
        if context.json {
            output::object(&json!({ "stopped": stopped, "dir": layout.dir }));
        } else if stopped.is_empty() {
            output::line(format!("no network was running in {}", layout.dir.display()));
        } else {
            output::line(format!("stopped {}", stopped.join(", ")));
        }
        Ok(())
    }
}
