//! What calls cost, measured in the runtime's WebAssembly; and whether an upgrade of it would succeed.
//!
//! ```text
//! phala-weights measure      run the benchmarks of our pallets; --write writes chain/*/src/weights/measured.rs
//! phala-weights try-upgrade  migrations and all checks on a state: that of the dev network, or an exported one
//! ```
//!
//! The runtime here is built with benchmarks and checks in it. No node runs such a one.
#![forbid(unsafe_code)]

mod clock;
mod fit;
mod measure;
mod state;
mod upgrade;
mod wasm;
mod write;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Measure what calls cost in the runtime's WebAssembly; try an upgrade on a state")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure what calls cost
    Measure(measure::Options),
    /// Run this runtime's migrations on a state, and check every invariant after them
    TryUpgrade {
        /// A raw chain specification, as `phala-node export-state` writes it; the dev network's genesis if absent
        state: Option<PathBuf>,
    },
}

/// Shows what the runtime has to say about its failures.
struct Errors;

impl log::Log for Errors {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.level() <= log::Level::Error
    }

    fn log(&self, record: &log::Record) {
        if self.enabled(record.metadata()) {
            eprintln!("runtime: {}", record.args());
        }
    }

    fn flush(&self) {}
}

fn main() -> Result<()> {
    if log::set_logger(&Errors).is_ok() {
        log::set_max_level(log::LevelFilter::Error);
    }
    match Arguments::parse().verb {
        Verb::Measure(options) => measure::run(&options),
        Verb::TryUpgrade { state } => upgrade::run(state.as_deref()),
    }
}
