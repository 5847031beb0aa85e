//! What each call costs: computation as it was measured, and the runtime's own price of each entry that is read or written.
//!
//! The numbers are in `measured`, which `make weights` writes: it runs `benchmarking.rs` in the runtime's WebAssembly.
//! Each call in its dearest case; what a worker's pool does with its pay is priced by the pools, and added.

mod measured;

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

/// As measured.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// So many picoseconds of computation, and so many entries read and written.
fn priced<T: frame_system::Config>(picoseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(picoseconds, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}
