//! What each call costs: computation as it was measured, and the runtime's own price of each entry that is read or written.
//!
//! The numbers are in `measured`, which `make weights` writes: it runs `benchmarking.rs` in the runtime's WebAssembly.
//! The longest lists throughout: 64 members, 128 candidates. What no benchmark measures stands in `estimated`.

mod measured;

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of its authorisation where it carries its own authority.
pub trait WeightInfo {
    /// `bond`.
    fn bond() -> Weight;
    /// `unbond`, and `expel`.
    fn unbond() -> Weight;
    /// `withdraw_bond`.
    fn withdraw_bond() -> Weight;
    /// `approve`.
    fn approve() -> Weight;
    /// `set_parameters`.
    fn set_parameters() -> Weight;
    /// `rotate_root`.
    fn rotate_root() -> Weight;
    /// `close_root` with the longest lists.
    fn close_root() -> Weight;
    /// Checking the dearest message but for a complaint's evidence.
    fn authorize_message() -> Weight;
    /// `commit_log`, the last one.
    fn commit_log() -> Weight;
    /// `confirm`, the last one.
    fn confirm() -> Weight;
    /// `report_output`, the one that starts an epoch in which nobody stays.
    fn report_output() -> Weight;
    /// Judging the dearest evidence.
    fn judge_evidence() -> Weight;
    /// `complain` with the longest evidence.
    fn complain() -> Weight;
    /// `log_deliveries`.
    fn log_deliveries() -> Weight;
    /// A block between rounds that finds nothing to do.
    fn watch() -> Weight;
    /// A look at so many candidates.
    fn look(candidates: u32) -> Weight;
    /// Opening a round, and forgetting a full one.
    fn open_round() -> Weight;
    /// Ending a phase at its deadline.
    fn end_phase() -> Weight;
}

/// As measured.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// So many picoseconds of computation, and so many entries read and written.
fn priced<T: frame_system::Config>(picoseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(picoseconds, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// What no benchmark measures.
mod estimated {
    use super::*;

    /// Two polynomials of 43 points (the dealer's, and the epoch's before), a value of each, four signatures. Measured by hand in
    /// WebAssembly: 65 ms for one polynomial with its value, on a machine that had more to do; three times that. A benchmark
    /// would need gatekeepers that deal, which no runtime can make.
    pub(super) fn judge_evidence<T: frame_system::Config>() -> Weight {
        priced::<T>(200_000_000_000, 1, 1)
    }
}
