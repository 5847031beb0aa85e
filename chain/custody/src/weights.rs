//! What each call costs.
//!
//! The computation of each call is an upper estimate after that of `pallet-programs`, whose calls were measured natively and
//! multiplied by three: checking a signature is 320 µs there, decoding and encoding a record of a few KiB under 50 µs. The
//! longest lists are assumed throughout: 64 members, 128 candidates, 4 roots.
//! Storage accesses are counted from the code and priced by the runtime's `DbWeight`. The bodies in
//! `benchmarking.rs` (feature `runtime-benchmarks`) measure the same in WebAssembly.
use crate::ROOTS_LIVE_MAX;
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use phala_messages::limits::GATEKEEPERS_MAX;

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

/// Computation, estimated, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0)
        .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// Reading each live root and its epoch.
const ROOTS: u64 = 2 * ROOTS_LIVE_MAX as u64 + 1;
const MEMBERS: u64 = GATEKEEPERS_MAX as u64;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn bond() -> Weight {
        priced::<T>(600, 10, 7)
    }

    fn unbond() -> Weight {
        priced::<T>(200, 2 + ROOTS, 2)
    }

    fn withdraw_bond() -> Weight {
        priced::<T>(300, 8, 7)
    }

    fn approve() -> Weight {
        priced::<T>(50, 2, 2)
    }

    fn set_parameters() -> Weight {
        priced::<T>(150, 6 + ROOTS, 2)
    }

    fn rotate_root() -> Weight {
        priced::<T>(50, 4, 2)
    }

    fn close_root() -> Weight {
        priced::<T>(2_000, 14 + 2 * ROOTS + 2 * MEMBERS, 7 + 2 * MEMBERS)
    }

    fn authorize_message() -> Weight {
        priced::<T>(500, 14 + ROOTS, 1)
    }

    fn commit_log() -> Weight {
        priced::<T>(150, 6, 2)
    }

    fn confirm() -> Weight {
        priced::<T>(200, 6, 3)
    }

    fn report_output() -> Weight {
        priced::<T>(5_000, 30 + 4 * ROOTS + 4 * MEMBERS, 13 + 3 * MEMBERS)
    }

    // Two polynomials of 43 points (the dealer's, and the epoch's before), a value of each, four signatures. Measured in
    // WebAssembly: 65 ms for one polynomial with its value, on a machine that had more to do.
    fn judge_evidence() -> Weight {
        priced::<T>(200_000, 1, 1)
    }

    fn complain() -> Weight {
        priced::<T>(500, 9, 6)
    }

    fn log_deliveries() -> Weight {
        priced::<T>(150, 6 + ROOTS, 3)
    }

    fn watch() -> Weight {
        priced::<T>(300, 12 + ROOTS, 1)
    }

    fn look(candidates: u32) -> Weight {
        // For each its record, its machine, the machine's measurement, and the validators; for a member also its candidacy. Then the
        // rounds that were given up.
        priced::<T>(600, 10 + ROOTS + phala_messages::custody::ROUNDS_KEPT, 1)
            .saturating_add(priced::<T>(60, 8, 0).saturating_mul(candidates.into()))
    }

    fn open_round() -> Weight {
        priced::<T>(2_000, 6 + 2 * MEMBERS, 6 + 2 * MEMBERS)
    }

    fn end_phase() -> Weight {
        priced::<T>(200, 5, 3)
    }
}
