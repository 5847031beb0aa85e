//! What each call costs, and what programs pay for their commands' payments.
//!
//! Storage accesses are counted from the code, in the dearest case, and priced by the runtime's `DbWeight`. The computation was measured
//! natively: its body in the mock's runtime with storage in memory, mean of 50 to 1,000 runs on one busy core, profile `dev`. A
//! transfer or a hold takes 60 µs, taking one of many reservations 4. What stands here is at least three times that, for WebAssembly
//! and the unexpected. The bodies in `benchmarking.rs` (feature `runtime-benchmarks`) measure the same in WebAssembly.
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of each thing that happens to a command.
pub trait WeightInfo {
    /// `stake`.
    fn stake() -> Weight;
    /// `unstake`, off a program that was removed.
    fn unstake() -> Weight;
    /// `withdraw_unstaked`.
    fn withdraw_unstaked() -> Weight;
    /// `top_up`, the first there is.
    fn top_up() -> Weight;
    /// `withdraw_credit`.
    fn withdraw_credit() -> Weight;
    /// `set_payer`.
    fn set_payer() -> Weight;
    /// `refund_late`, of a caller's.
    fn refund_late() -> Weight;
    /// `set_price`.
    fn set_price() -> Weight;
    /// What programs pay for [`crate::Pallet::reserve`], from a caller.
    fn reserve() -> Weight;
    /// What programs pay for [`crate::Pallet::spent`] of so many commands, without what the worker's pool does with it.
    fn spent(commands: u32) -> Weight;
    /// What programs pay for [`crate::Pallet::refunded`], of a caller's.
    fn refunded() -> Weight;
    /// What programs pay for [`crate::Pallet::removed`].
    fn removed() -> Weight;
}

/// Computation, and the runtime's own price of each storage access.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// `micros` of computation and so many storage accesses.
fn priced<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0)
        .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn stake() -> Weight {
        priced::<T>(200, 5, 4)
    }

    fn unstake() -> Weight {
        priced::<T>(250, 6, 4)
    }

    fn withdraw_unstaked() -> Weight {
        priced::<T>(200, 4, 3)
    }

    fn top_up() -> Weight {
        priced::<T>(250, 5, 4)
    }

    fn withdraw_credit() -> Weight {
        priced::<T>(200, 4, 3)
    }

    fn set_payer() -> Weight {
        priced::<T>(45, 2, 1)
    }

    fn refund_late() -> Weight {
        priced::<T>(200, 3, 3)
    }

    fn set_price() -> Weight {
        priced::<T>(30, 0, 1)
    }

    fn reserve() -> Weight {
        priced::<T>(250, 5, 5)
    }

    fn spent(commands: u32) -> Weight {
        priced::<T>(200, 4, 3).saturating_add(priced::<T>(30, 1, 1).saturating_mul(commands.into()))
    }

    fn refunded() -> Weight {
        priced::<T>(200, 3, 3)
    }

    fn removed() -> Weight {
        priced::<T>(200, 3, 3)
    }
}
