//! What each call costs.
//!
//! The computation of each call is an upper estimate, not yet a measurement: `benchmarking.rs` holds the
//! dearest case of each (feature `runtime-benchmarks`), and its numbers replace these. Storage accesses are counted
//! from the code and priced by the runtime's `DbWeight`.
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of its authorisation where it carries its own authority.
pub trait WeightInfo {
    /// `create_cluster`.
    fn create_cluster() -> Weight;
    /// `assign_worker`.
    fn assign_worker() -> Weight;
    /// `unassign_worker`.
    fn unassign_worker() -> Weight;
    /// `deploy` with so many outbound hosts.
    fn deploy(hosts: u32) -> Weight;
    /// `remove`, whatever is pending.
    fn remove() -> Weight;
    /// `command` of so many sealed bytes.
    fn command(bytes: u32) -> Weight;
    /// Checking a `ready`.
    fn authorize_ready() -> Weight;
    /// `ready`.
    fn ready() -> Weight;
    /// Checking an `anchor`.
    fn authorize_anchor() -> Weight;
    /// `anchor` of so many commands.
    fn anchor(commands: u32) -> Weight;
    /// Looking for abandoned commands, and noting how far one got.
    fn find_abandoned() -> Weight;
    /// Returning the deposit of one abandoned command.
    fn release_abandoned() -> Weight;
}

/// Estimated computation, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn create_cluster() -> Weight {
        priced::<T>(30, 1, 2)
    }

    fn assign_worker() -> Weight {
        priced::<T>(40, 3, 2)
    }

    fn unassign_worker() -> Weight {
        priced::<T>(40, 2, 2)
    }

    fn deploy(hosts: u32) -> Weight {
        priced::<T>(90, 5, 9).saturating_add(Weight::from_parts(2_000_000, 0).saturating_mul(hosts.into()))
    }

    fn remove() -> Weight {
        priced::<T>(90, 6, 10)
    }

    fn command(bytes: u32) -> Weight {
        priced::<T>(100, 6, 5).saturating_add(Weight::from_parts(3_000, 0).saturating_mul(bytes.into()))
    }

    fn authorize_ready() -> Weight {
        priced::<T>(150, 4, 0)
    }

    fn ready() -> Weight {
        priced::<T>(50, 4, 3)
    }

    fn authorize_anchor() -> Weight {
        priced::<T>(160, 6, 0)
    }

    fn anchor(commands: u32) -> Weight {
        priced::<T>(60, 7, 2).saturating_add(Self::release_abandoned().saturating_mul(commands.into()))
    }

    fn find_abandoned() -> Weight {
        priced::<T>(20, 1, 1)
    }

    fn release_abandoned() -> Weight {
        priced::<T>(60, 3, 3)
    }
}
