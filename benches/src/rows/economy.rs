//! What the chain costs: sessions, pools, transfers. Measured by `phala-chain-bench`, which has the runtime in it and is built with the
//! default build: a second build of the chain's libraries in release would take half an hour.

use crate::{
    Effort,
    table::{Figure, Goal, Row},
};
use anyhow::{Context, ensure};
use serde::Deserialize;
use std::{path::Path, process::Command};

/// A block's weight that sessions may take.
const WEIGHT_SHARE_MAX: f64 = 0.25;

#[derive(Deserialize)]
struct Measured {
    what: String,
    unit: String,
    ours: f64,
    peer: Option<Peer>,
}

#[derive(Deserialize)]
struct Peer {
    value: f64,
}

/// Measures, with the program that lies in `bin`, or beside this one.
pub fn measure(bin: Option<&Path>, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let own = std::env::current_exe()?;
    let folder = bin.or(own.parent()).context("a program lies in a folder")?;
    let program = folder.join("phala-chain-bench");
    let sizes: &[&str] = if effort.quick { &["200"] } else { &["1000", "10000", "50000"] };
    let output =
        Command::new(&program).args(sizes).output().with_context(|| format!("running {}", program.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Measured> = serde_json::from_slice(&output.stdout)?;
    rows.into_iter().map(row).collect()
}

fn row(Measured { what, unit, ours, peer }: Measured) -> anyhow::Result<Row> {
    let figure = |value: f64| match unit.as_str() {
        "seconds" => Ok(Figure::Seconds(value)),
        "per_second" => Ok(Figure::RequestsPerSecond(value)),
        "share" => Ok(Figure::Share(value)),
        other => anyhow::bail!("{what} is measured in {other}"),
    };
    let ours = figure(ours)?;
    Ok(match peer {
        Some(Peer { value }) => Row::beside(what.clone(), ours, ("the SDK's template", figure(value)?), Goal::None),
        None if unit == "share" => Row::alone(what.clone(), ours, Goal::AtMost(Figure::Share(WEIGHT_SHARE_MAX))),
        None => Row::alone(what.clone(), ours, Goal::None),
    })
}
