//! Rounds of many gatekeepers, on a model of the chain: the enclave's tests build no chain. `tests/simulation` plays the same world on
//! the runtime itself.

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod chain;
mod seeds;
mod thief;
mod world;
