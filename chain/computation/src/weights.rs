//! What each call costs: computation as it was measured, and the runtime's own price of each entry that is read or written.
//!
//! The numbers are in `measured`, which `make weights` writes: it runs `benchmarking.rs` in the runtime's WebAssembly.
//! Each call in its dearest case: a pool with 200 workers, a fault that bans, heartbeats that are paid.

mod measured;

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of its authorisation where it carries its own authority.
pub trait WeightInfo {
    /// `bind`.
    fn bind() -> Weight;
    /// `unbind` of a worker that computes.
    fn unbind() -> Weight;
    /// `start`.
    fn start() -> Weight;
    /// `stop` and `force_stop`.
    fn stop() -> Weight;
    /// `restart`.
    fn restart() -> Weight;
    /// `reclaim`.
    fn reclaim() -> Weight;
    /// Checking a score.
    fn authorize_score() -> Weight;
    /// `report_score`.
    fn report_score() -> Weight;
    /// Checking a heartbeat.
    fn authorize_heartbeat() -> Weight;
    /// `heartbeat`.
    fn heartbeat() -> Weight;
    /// `report_fault`, the gravest.
    fn report_fault() -> Weight;
    /// `set_tariff`, `set_budget`, `set_rules`.
    fn set() -> Weight;
    /// The beginning of a block that finds so many overdue challenges answered, lets so many workers fall silent that did not
    /// answer theirs, and asks so many.
    fn begin_block(answered: u32, silent: u32, asked: u32) -> Weight;
    /// One step of returning stakes.
    fn sweep() -> Weight;
    /// [`crate::Pallet::release`].
    fn release() -> Weight;
}

/// As measured.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// So many picoseconds of computation, and so many entries read and written.
fn priced<T: frame_system::Config>(picoseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(picoseconds, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}
