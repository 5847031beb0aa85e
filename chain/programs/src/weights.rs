//! What each call costs: computation as it was measured, and the runtime's own price of each entry that is read or written.
//!
//! The numbers are in `measured`, which `make weights` writes: it runs `benchmarking.rs` in the runtime's WebAssembly.
//! Each call in its dearest case; what becomes of a command's price ([`crate::Payments`]) is priced by who is paid, and added.

mod measured;

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

/// As measured.
pub struct SubstrateWeight<T>(PhantomData<T>);

/// So many picoseconds of computation, and so many entries read and written.
fn priced<T: frame_system::Config>(picoseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(picoseconds, 0).saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}
