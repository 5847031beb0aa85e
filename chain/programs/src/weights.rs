//! What each call costs.
//!
//! The computation of each call was measured natively: its body in the mock's runtime with storage in memory,
//! median of 20 to 100 runs on one core of Intel(R) Xeon(R) Processor @ 2.50GHz, profile `dev` (dependencies of elliptic curves at
//! `opt-level = 3`). The numbers here are three times that, for WebAssembly and the unexpected.
//! Storage accesses are counted from the code and priced by the runtime's `DbWeight`. The bodies in
//! `benchmarking.rs` (feature `runtime-benchmarks`) measure the same in WebAssembly.
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
    /// `upgrade`.
    fn upgrade() -> Weight;
    /// Checking a `moved`.
    fn authorize_moved() -> Weight;
    /// `moved`.
    fn moved() -> Weight;
    /// Checking a `lead`.
    fn authorize_lead() -> Weight;
    /// `lead`.
    fn lead() -> Weight;
    /// Looking for abandoned commands, and noting how far one got.
    fn find_abandoned() -> Weight;
    /// Returning the deposit of one abandoned command.
    fn release_abandoned() -> Weight;
}

/// Computation, measured and multiplied, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0)
        .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn create_cluster() -> Weight {
        priced::<T>(30, 1, 2)
    }

    fn assign_worker() -> Weight {
        priced::<T>(40, 4, 3)
    }

    fn unassign_worker() -> Weight {
        priced::<T>(40, 3, 3)
    }

    fn deploy(hosts: u32) -> Weight {
        priced::<T>(300, 8, 11).saturating_add(Weight::from_parts(2_000_000, 0).saturating_mul(hosts.into()))
    }

    fn remove() -> Weight {
        priced::<T>(280, 8, 12)
    }

    fn command(bytes: u32) -> Weight {
        priced::<T>(220, 6, 5).saturating_add(Weight::from_parts(3_000, 0).saturating_mul(bytes.into()))
    }

    fn authorize_ready() -> Weight {
        priced::<T>(320, 5, 0)
    }

    fn ready() -> Weight {
        priced::<T>(120, 5, 3)
    }

    fn authorize_anchor() -> Weight {
        priced::<T>(345, 8, 0)
    }

    fn anchor(commands: u32) -> Weight {
        priced::<T>(155, 9, 2).saturating_add(Self::release_abandoned().saturating_mul(commands.into()))
    }

    // Its computation is that of `authorize_ready`: one Ed25519 signature beside a few decoded records.
    fn authorize_lead() -> Weight {
        priced::<T>(320, 6, 0)
    }

    // As `ready`; a taken lead writes the cluster and its lead, and may cost whoever led a part of its stake: as much as
    // proving a small fault.
    fn lead() -> Weight {
        priced::<T>(520, 22, 14)
    }

    // The last three are counted, not measured: `anchor` reads and writes as much, and checks the same signature.
    fn upgrade() -> Weight {
        priced::<T>(155, 3, 2)
    }

    fn authorize_moved() -> Weight {
        priced::<T>(345, 12, 0)
    }

    fn moved() -> Weight {
        priced::<T>(310, 17, 8)
    }

    fn find_abandoned() -> Weight {
        priced::<T>(30, 1, 1)
    }

    fn release_abandoned() -> Weight {
        priced::<T>(300, 3, 3)
    }
}
