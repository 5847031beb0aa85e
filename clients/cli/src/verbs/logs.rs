//! `phala logs`: what a program wrote, for its owner's eyes.

use crate::{Context, failure::Outcome, output, signer::SignerArguments};
use phala_sdk::LogLine;
use serde_json::json;

/// Longest time that one question for new lines waits at the worker.
const WAIT_MS: u64 = 20_000;

/// Show what a program wrote: its log, stdout and stderr
///
/// Only the program's owner may read them: the question is signed, the answer encrypted. A worker keeps the newest
/// lines in memory; they are gone when it restarts.
#[derive(clap::Args)]
pub struct Logs {
    /// The program: its id, the beginning of it, or its name
    program: String,
    /// Go on printing lines as they are written, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    signer: SignerArguments,
}

impl Logs {
    /// Prints the lines; with `--json` one object a line when following, one object in all otherwise.
    pub async fn run(self, context: &Context) -> Outcome {
        let client = context.connect().await?;
        let key = self.signer.key(client.network())?;
        let program = client.resolve(&self.program).await?;
        let (mut lines, mut next) = client.logs(&key, &program, 0, 0).await?;
        loop {
            let (more, after) = client.logs(&key, &program, next, 0).await?;
            if more.is_empty() {
                break;
            }
            lines.extend(more);
            next = after;
        }
        match (context.json, self.follow) {
            (true, false) => output::object(&json!({ "program": program, "lines": lines })),
            (json, _) => lines.iter().for_each(|line| print(line, json)),
        }
        while self.follow {
            let (more, after) = tokio::select! {
                answer = client.logs(&key, &program, next, WAIT_MS) => answer?,
                _ = tokio::signal::ctrl_c() => return Ok(()),
            };
            more.iter().for_each(|line| print(line, context.json));
            next = after;
        }
        Ok(())
    }
}

fn print(line: &LogLine, json: bool) {
    if json {
        output::line(serde_json::to_string(line).unwrap_or_default());
    } else {
        output::line(text(line));
    }
}

/// `2026-11-21T02:03:04.005Z info query context: message`.
fn text(line: &LogLine) -> String {
    let context = if line.context.is_empty() { String::new() } else { format!("{}: ", line.context) };
    format!("{} {:5} {} {context}{}", output::moment(line.time), line.level, line.call, line.message.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_with_its_time_level_call_and_context() {
        let line = LogLine {
            seq: 1,
            time: 1_000,
            level: "info".into(),
            call: "command 7".into(),
            context: "main".into(),
            message: "hello\n".into(),
        };
        assert_eq!(text(&line), "1970-01-01T00:00:01.000Z info  command 7 main: hello");
    }
}
