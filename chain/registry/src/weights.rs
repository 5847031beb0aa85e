//! What each call costs.
//!
//! The computation of each call was measured natively: its body in the mock's runtime with storage in memory,
//! median of 20 to 100 runs on one core of Intel(R) Xeon(R) Processor @ 2.50GHz, profile `dev` (dependencies of elliptic curves at
//! `opt-level = 3`). The numbers here are three times that, and ten times that where certificates
//! and quotes are verified (1.3 ms for a registration, 1.5 ms for 55 KiB of TCB info): WebAssembly does the arithmetic
//! of curves several times slower.
//! Storage accesses are counted from the code and priced by the runtime's `DbWeight`. The bodies in
//! `benchmarking.rs` (feature `runtime-benchmarks`) measure the same in WebAssembly.
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of its authorisation where it carries its own authority.
pub trait WeightInfo {
    /// Judging a registration and its evidence.
    fn authorize_register() -> Weight;
    /// `register`, judged.
    fn register() -> Weight;
    /// Judging the dearest piece of collateral.
    fn authorize_store_collateral() -> Weight;
    /// `store_collateral`, judged.
    fn store_collateral() -> Weight;
    /// `allow_measurement`.
    fn allow_measurement() -> Weight;
    /// `disallow_measurement`.
    fn disallow_measurement() -> Weight;
    /// `set_policy`.
    fn set_policy() -> Weight;
    /// `set_root`, forgetting so many pieces of collateral.
    fn set_root(pieces: u32) -> Weight;
    /// A sweep that forgets so many records.
    fn sweep(records: u32) -> Weight;
}

/// Computation, measured and multiplied, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0)
        .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn authorize_register() -> Weight {
        priced::<T>(15_000, 14, 1)
    }

    fn register() -> Weight {
        priced::<T>(150, 5, 6)
    }

    fn authorize_store_collateral() -> Weight {
        priced::<T>(15_000, 5, 1)
    }

    fn store_collateral() -> Weight {
        priced::<T>(500, 3, 3)
    }

    fn allow_measurement() -> Weight {
        priced::<T>(30, 1, 1)
    }

    fn disallow_measurement() -> Weight {
        priced::<T>(30, 1, 1)
    }

    fn set_policy() -> Weight {
        priced::<T>(30, 0, 1)
    }

    fn set_root(pieces: u32) -> Weight {
        priced::<T>(50, 2, 2).saturating_add(priced::<T>(20, 1, 1).saturating_mul(pieces.into()))
    }

    fn sweep(records: u32) -> Weight {
        priced::<T>(30, 1, 1).saturating_add(priced::<T>(100, 1, 3).saturating_mul(records.into()))
    }
}
