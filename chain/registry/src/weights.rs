//! What each call costs: computation as it was measured, and the runtime's own price of each entry that is read or written.
//!
//! The numbers are in `measured`, which `make weights` writes: it runs `benchmarking.rs` in the runtime's WebAssembly.
//! Evidence and collateral are those of `fixture.scale`, a simulated TEE's in Intel's format.

mod measured;

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

/// As measured.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// So many picoseconds of computation, and so many entries read and written.
fn priced<T: frame_system::Config>(picoseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(picoseconds, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}
