//! `phala gatekeeper rotate`: a new master key, and every program under it.

use crate::{
    Context,
    failure::Outcome,
    output::{self, Progress, Report},
    signer::SignerArguments,
};
use phala_messages::custody::RootStatus;
use phala_sdk::{Client, LiveRoot, Rotation};
use serde_json::{Value, json};
use std::{sync::Mutex, time::Duration};

/// Rotates, and shows how far it is.
pub async fn rotate(context: &Context, client: &Client, signer: &SignerArguments, wait: Duration) -> Outcome {
    let administrator = signer.key(client.network())?;
    let progress = Progress::new();
    let last = Mutex::new(None);
    let rotated = client.rotate(&administrator, wait, |at| {
        let text = match at {
            Rotation::Making(root) => format!("the gatekeepers make the key of root {}", root.0),
            Rotation::Moving { to, left } => {
                format!("programs move to root {}; {} left: {}", to.0, left.len(), shortened(left))
            }
            Rotation::Closing(roots) => format!("giving up {}", list(&numbers(roots.iter().map(|root| root.0)))),
        };
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.as_ref() != Some(&text) {
            progress.step(&text);
            *last = Some(text);
        }
    });
    let rotated = rotated.await;
    progress.done();
    let rotated = rotated?;
    let closed = numbers(rotated.closed.iter().map(|root| root.0));
    if context.json {
        output::object(&json!({
            "root": rotated.open.0,
            "closed": rotated.closed.iter().map(|root| root.0).collect::<Vec<_>>(),
            "took_ms": rotated.took.as_millis() as u64,
        }));
    } else {
        output::line(format!("root {} takes all programs after {}", rotated.open.0, output::seconds(rotated.took)));
        if !closed.is_empty() {
            output::line(format!("given up: {}", list(&closed)));
        }
    }
    Ok(())
}

fn numbers(roots: impl Iterator<Item = u32>) -> Vec<String> {
    roots.map(|root| format!("root {root}")).collect()
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

/// The first few of many names.
fn shortened(names: &[String]) -> String {
    let more = names.len().saturating_sub(5);
    let shown = list(&names[..names.len() - more]);
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn status_word(root: &LiveRoot) -> &'static str {
    match root.record.status {
        RootStatus::Open => "open",
        RootStatus::Closing => "closing",
        RootStatus::Closed => "closed",
    }
}

/// One line per root that is not closed, with the programs that are under it.
pub fn table(roots: &[LiveRoot]) -> String {
    let rows = roots.iter().map(|root| {
        let names: Vec<_> = root.programs.iter().map(phala_sdk::Listed::name).collect();
        let (generation, programs) = (root.generation.0.to_string(), root.record.programs.to_string());
        [generation, status_word(root).to_owned(), programs, shortened(&names)]
    });
    output::table(["ROOT", "STATUS", "PROGRAMS", "NAMES"], rows)
}

/// The same for programs.
pub fn to_json(roots: &[LiveRoot]) -> Vec<Value> {
    let one = |root: &LiveRoot| {
        json!({
            "root": root.generation.0,
            "status": status_word(root),
            "programs": root.record.programs,
            "opened_height": root.record.opened.0,
            "epoch": root.record.epoch.0,
            "program_ids": root.programs.iter().map(|program| program.id).collect::<Vec<_>>(),
        })
    };
    roots.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_cut_short_and_counted() {
        let names: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        assert_eq!(shortened(&names), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(shortened(&names[..5]), "0, 1, 2, 3, 4");
        assert_eq!(shortened(&[]), "");
    }
}
