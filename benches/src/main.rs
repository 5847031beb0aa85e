//! `phala-bench`: the performance table, peers beside us.
//!
//! # The problem
//! A number without the number beside it says nothing. So everything is measured twice in one run, on one
//! machine, in turns: once here, and once in what people would otherwise use.
//!
//! | rows | ours | peer |
//! |---|---|---|
//! | `rows::query` | a network of real processes, sealed requests | the same component in a bare wasmtime host, plain HTTP |
//! | `rows::sealing` | open, run, sign, seal | the same engine, run |
//! | `rows::evidence` | `phala_evidence` | `dcap-qvl` with the same RustCrypto backend |
//! | `rows::keys` | rounds of gatekeepers, a program's key released | – (a published figure) |
//! | `rows::economy` | sessions, pools and transfers on our runtime | transfers on the SDK's template runtime |
//! | `rows::start` | an instance, an artifact, a component, up to the first answer | bare wasmtime |
//! | `rows::processor` | a guest | the same source, native |
//!
//! # Properties
//! - Nothing is asserted about time: a missed goal is printed as missed, and the exit code stays 0.
//! - Both sides answer the same request with the same bytes, or the row is not measured.
//! - A row that cannot be measured here says why.

mod bare;
mod guest;
mod load;
mod network;
mod ours;
mod rows;
mod table;

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use table::Table;

/// Measure the network's promises, each beside its peer
#[derive(Parser)]
#[command(name = "phala-bench", version)]
struct Arguments {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// A fiftieth of the work: whether everything runs, not how fast
    #[arg(long)]
    quick: bool,
    /// Measure these only
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GROUP")]
    only: Vec<Group>,
    /// Folder of `phala`, `phala-node`, `phala-worker`, `phala-simulated-tee` and `phala-chain-bench` [default: beside this program]
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Be the peer: serve a component over plain HTTP until standard input closes.
    #[command(hide = true)]
    Bare {
        /// The component.
        component: PathBuf,
    },
}

/// A group of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Sealed queries against plain ones
    Query,
    /// What sealing and signing add to a call
    Sealing,
    /// Quote verification
    Evidence,
    /// Master keys made, handed on and used
    Keys,
    /// What sessions, pools and transfers cost the chain
    Economy,
    /// From nothing to the first answer
    Start,
    /// A guest that computes
    Processor,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    quick: bool,
}

impl Effort {
    /// `full`, or a fiftieth of it.
    fn scale(self, full: usize) -> usize {
        if self.quick { (full / 50).max(4) } else { full }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    load::allow_many_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(Role::Bare { component }) = &arguments.role {
        return runtime.block_on(bare::serve(component)).map_err(bare::told);
    }
    let effort = Effort { quick: arguments.quick };
    let wanted = |group| arguments.only.is_empty() || arguments.only.contains(&group);
    let mut table = Table::new(arguments.quick);
    let component = guest::build()?;
    if wanted(Group::Processor) {
        table.add("CPU-bound guest", rows::processor::measure(&runtime, &component, effort));
    }
    if wanted(Group::Evidence) {
        table.add("quote verification", rows::evidence::measure(effort));
    }
    if wanted(Group::Keys) {
        table.add("keys of gatekeepers", rows::keys::measure(effort));
    }
    if wanted(Group::Economy) {
        table.add("the chain", rows::economy::measure(arguments.bin.as_deref(), effort));
    }
    if wanted(Group::Start) {
        table.add("cold start", rows::start::measure(&runtime, &component, effort));
    }
    if wanted(Group::Sealing) {
        table.add("confidentiality of a call", rows::sealing::measure(&runtime, &component, effort));
    }
    if wanted(Group::Query) {
        table.add("encrypted query", rows::query::measure(&runtime, &component, arguments.bin.as_deref(), effort));
    }
    if arguments.json {
        table.print_json()
    } else {
        table.print()
    }
    Ok(())
}
