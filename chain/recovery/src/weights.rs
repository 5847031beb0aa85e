//! What each call costs: computation as it was measured, and the runtime's own price of each entry that is read or written.
//!
//! The numbers are in `measured`, which `make weights` writes: it runs `benchmarking.rs` in the runtime's WebAssembly.
//! The longest lists throughout: 64 members, every seat backed up, 16 custodians.

mod measured;

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of its authorisation where it carries its own authority.
pub trait WeightInfo {
    /// `appoint`.
    fn appoint() -> Weight;
    /// `set_parameters`.
    fn set_parameters() -> Weight;
    /// `announce`.
    fn announce() -> Weight;
    /// `cancel`.
    fn cancel() -> Weight;
    /// `bind`.
    fn bind() -> Weight;
    /// Checking a backup, an objection or a seat that is taken.
    fn authorize_message() -> Weight;
    /// Checking a custodian's call: whether the root is lost.
    fn authorize_call() -> Weight;
    /// `store_backup`, the first of a root after another was closed.
    fn store_backup() -> Weight;
    /// `store_output`, likewise.
    fn store_output() -> Weight;
    /// `call_for`, the one that announces.
    fn call_for() -> Weight;
    /// `object` and `take_seat`, the one that completes.
    fn take_seat() -> Weight;
    /// A block with so many ceremonies.
    fn advance(ceremonies: u32) -> Weight;
}

/// As measured.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// So many picoseconds of computation, and so many entries read and written.
fn priced<T: frame_system::Config>(picoseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(picoseconds, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}
