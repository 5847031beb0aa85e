//! What each call costs: computation as it was measured, and the runtime's own price of each entry that is read or written.
//!
//! The numbers are in `measured`, which `make weights` writes: it runs `benchmarking.rs` in the runtime's WebAssembly.
//! Each call in its dearest case: vaults with as many positions as they may have.

mod measured;

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Cost of each call, and of each piece of the sweep.
pub trait WeightInfo {
    /// `create_stake_pool` and `create_vault`.
    fn create() -> Weight;
    /// `set_commission`, of a vault.
    fn set_commission() -> Weight;
    /// `set_cap`.
    fn set_cap() -> Weight;
    /// `set_description`.
    fn set_description() -> Weight;
    /// `add_to_list`.
    fn add_to_list() -> Weight;
    /// `remove_from_list`.
    fn remove_from_list() -> Weight;
    /// `close`.
    fn close() -> Weight;
    /// `remove`, with a full list.
    fn remove() -> Weight;
    /// `contribute`, to a vault.
    fn contribute() -> Weight;
    /// `withdraw`, from a vault and paid at once, and `vault_withdraw`; without counting votes.
    fn withdraw() -> Weight;
    /// `cancel_withdrawal` and `vault_cancel`.
    fn cancel_withdrawal() -> Weight;
    /// `transfer_shares`, without counting votes.
    fn transfer_shares() -> Weight;
    /// `vault_contribute`.
    fn vault_contribute() -> Weight;
    /// `settle_vault`.
    fn settle_vault() -> Weight;
    /// Counting somebody's votes: all positions are vaults with all positions.
    fn check_votes() -> Weight;
    /// Looking for the line's ends.
    fn sweep_base() -> Weight;
    /// Visiting a pool, without what is found there.
    fn visit() -> Weight;
    /// Valuing a visited vault, and asking all its stake pools.
    fn visit_vault() -> Weight;
    /// Paying one request.
    fn fill() -> Weight;
    /// Finding one request overdue.
    fn find_overdue() -> Weight;
    /// What computation pays for `take_stake`.
    fn take_stake() -> Weight;
    /// What computation pays for `return_stake`.
    fn return_stake() -> Weight;
    /// What computation pays for `reward`.
    fn reward() -> Weight;
}

/// As measured.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// So many picoseconds of computation, and so many entries read and written.
fn priced<T: frame_system::Config>(picoseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(picoseconds, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}
