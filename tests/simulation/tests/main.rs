//! The world of `enclave/gatekeeper/tests/rounds`, on the runtime itself.

#[path = "../../../enclave/gatekeeper/tests/common/mod.rs"]
mod common;

mod chain;

#[path = "../../../enclave/gatekeeper/tests/rounds/cases.rs"]
mod cases;
#[path = "../../../enclave/gatekeeper/tests/rounds/seeds.rs"]
mod seeds;
#[path = "../../../enclave/gatekeeper/tests/rounds/thief.rs"]
mod thief;
#[path = "../../../enclave/gatekeeper/tests/rounds/world.rs"]
mod world;
