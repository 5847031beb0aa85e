//! Produce blocks: the validator and full node.
//!
//! Thin by design: everything that the network decides is in `phala-runtime`; this crate wires polkadot-sdk's
//! client, BABE, GRANDPA, networking and RPC around it.
//!
//! ```text
//! arguments    the command line
//! chain_spec   which network: presets of the runtime, or a file
//! service      the parts and how they are connected
//! rpc          what is served on the RPC port
//! ```

mod arguments;
mod chain_spec;
mod rpc;
mod service;

use arguments::{Arguments, Subcommand};
use sc_cli::SubstrateCli;

fn main() -> sc_cli::Result<()> {
    let arguments = Arguments::from_args();
    match &arguments.subcommand {
        None => arguments
            .create_runner(&arguments.run)?
            .run_node_until_exit(|config| async move { service::start(config).map_err(sc_cli::Error::Service) }),
        Some(Subcommand::Key(command)) => command.run(&arguments),
        Some(Subcommand::ExportChainSpec(command)) => {
            let spec = arguments.load_spec(&command.chain)?;
            command.run(spec)
        }
        Some(Subcommand::ExportBlocks(command)) => {
            let runner = arguments.create_runner(command)?;
            runner.async_run(|config| {
                let parts = service::parts(&config)?;
                Ok((command.run(parts.client, config.database), parts.task_manager))
            })
        }
        Some(Subcommand::ImportBlocks(command)) => {
            let runner = arguments.create_runner(command)?;
            runner.async_run(|config| {
                let parts = service::parts(&config)?;
                Ok((command.run(parts.client, parts.import_queue), parts.task_manager))
            })
        }
        Some(Subcommand::PurgeChain(command)) => {
            arguments.create_runner(command)?.sync_run(|config| command.run(config.database))
        }
    }
}
