//! The command line.

use crate::chain_spec;
use clap::Parser;
use sc_cli::SubstrateCli;

/// Produce and check blocks of a Phala network.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    #[clap(flatten)]
    pub run: sc_cli::RunCmd,
}

/// Everything but running the node.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Make and inspect keys.
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),
    /// Write a network's chain specification.
    #[command(alias = "build-spec")]
    ExportChainSpec(sc_cli::ExportChainSpecCmd),
    /// Write blocks to a file.
    ExportBlocks(sc_cli::ExportBlocksCmd),
    /// Read blocks from a file.
    ImportBlocks(sc_cli::ImportBlocksCmd),
    /// Delete a network's blocks and state from this machine.
    PurgeChain(sc_cli::PurgeChainCmd),
}

impl SubstrateCli for Arguments {
    fn impl_name() -> String {
        "Phala in Rust".into()
    }

    fn impl_version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        "The Phala in Rust authors".into()
    }

    fn support_url() -> String {
        concat!(env!("CARGO_PKG_REPOSITORY"), "/issues").into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        chain_spec::load(id)
    }
}
