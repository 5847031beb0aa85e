//! Rounds of many gatekeepers, on a model of the chain: the enclave's tests build no chain. `tests/simulation` plays the same world on
//! the runtime itself.

#[path = "../common/mod.rs"]
mod common;
mod world;

/// The chain: a model.
mod chain {
    pub use crate::common::custody::*;
    use phala_messages::{InstanceKey, WorkerId};

    pub fn id(n: usize) -> WorkerId {
        WorkerId([n as u8 + 1; 32])
    }

    pub fn instance(n: usize) -> InstanceKey {
        InstanceKey([n as u8; 32])
    }
}
