//! What each call costs.
//!
//! Estimates in the manner of `pallet-custody`: checking a signature is taken as 320 µs, decoding and encoding a record of a few
//! KiB as 50 µs, hashing the longest output as 200 µs. The longest lists are assumed throughout: 64 members, 16 custodians.
//! Storage accesses are counted from the code and priced by the runtime's `DbWeight`.
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use phala_messages::limits::GATEKEEPERS_MAX;

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

/// Computation, estimated, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0)
        .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

const MEMBERS: u64 = GATEKEEPERS_MAX as u64;
/// Whether a machine is admitted: its record and its measurement. Whether it may take a seat: its candidacy as well.
const ADMITTED: u64 = 3;
const FIT: u64 = 8;

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn appoint() -> Weight {
        priced::<T>(200, 3, 3)
    }

    fn set_parameters() -> Weight {
        priced::<T>(50, 1, 1)
    }

    fn announce() -> Weight {
        priced::<T>(3_000, 10 + (ADMITTED + 1) * MEMBERS, 5)
    }

    fn cancel() -> Weight {
        priced::<T>(100, 4, 4)
    }

    fn bind() -> Weight {
        priced::<T>(300, 6 + FIT, 2)
    }

    fn authorize_message() -> Weight {
        priced::<T>(700, 12 + FIT, 0)
    }

    fn authorize_call() -> Weight {
        priced::<T>(3_500, 12 + (ADMITTED + 1) * MEMBERS, 0)
    }

    fn store_backup() -> Weight {
        priced::<T>(1_500, 12, 6 + 4 * (MEMBERS + 2))
    }

    fn store_output() -> Weight {
        priced::<T>(2_000, 12, 6 + 5 * (MEMBERS + 2))
    }

    fn call_for() -> Weight {
        priced::<T>(7_000, 24 + 2 * (ADMITTED + 1) * MEMBERS, 8)
    }

    fn take_seat() -> Weight {
        priced::<T>(6_000, 24 + (FIT + 12) * MEMBERS, 12 + 3 * MEMBERS)
    }

    fn advance(ceremonies: u32) -> Weight {
        priced::<T>(10, 1, 0).saturating_add(priced::<T>(100, 4, 4).saturating_mul(ceremonies.into()))
    }
}
