//! Journeys with real processes: what the tests share.
//!
//! Each test starts networks of its own with the `phala` binary, as a person would, in a directory of its own, and
//! leaves nothing running. The binaries are those beside the test's own, so `cargo build --workspace` comes first.

mod network;
mod processes;
mod programs;

pub use network::{NO_GATEKEEPERS, Network, binary, phala};
pub use processes::{Process, listening, processes_under};
pub use programs::{component, foreign, notes};
