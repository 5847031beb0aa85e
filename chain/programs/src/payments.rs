//! Payments: what becomes of a command's price.
//!
//! ```text
//! command ─► reserve ──┬── anchor ─► spent      the worker that answered is paid
//!                      └── remove ─► refunded   whoever paid has it back
//! ```

use core::ops::Range;
use frame_support::{pallet_prelude::DispatchResult, weights::Weight};
use phala_messages::{Account, CommandRecord, ProgramId, ProgramLimits, WorkerId};
use phala_units::Planck;

/// Who pays for commands. The runtime answers from its credit; `()` asks nothing of anybody.
///
/// Each command that is reserved for is spent or refunded, once, while its caller's deposit is still held.
pub trait Payments {
    /// A command is ordered under this index: lays its price aside. Of the caller's own, no more than `price_max`.
    ///
    /// # Errors
    /// When nobody has as much, or the caller has not agreed to pay it; then nothing has moved.
    fn reserve(
        program: &ProgramId,
        index: u64,
        command: &CommandRecord,
        limits: &ProgramLimits,
        price_max: Option<Planck>,
    ) -> DispatchResult;

    /// Commands were answered by this worker.
    fn spent(program: &ProgramId, commands: Range<u64>, worker: &WorkerId);

    /// A command will not be answered.
    fn refunded(program: &ProgramId, command: u64);

    /// A program was removed; its commands are refunded later. Its owner's account exists.
    fn removed(program: &ProgramId, owner: &Account);

    /// What [`Payments::reserve`] costs.
    fn weight_of_reserve() -> Weight;

    /// What [`Payments::spent`] costs for so many commands.
    fn weight_of_spent(commands: u32) -> Weight;

    /// What [`Payments::refunded`] costs.
    fn weight_of_refunded() -> Weight;

    /// What [`Payments::removed`] costs.
    fn weight_of_removed() -> Weight;
}

impl Payments for () {
    fn reserve(_: &ProgramId, _: u64, _: &CommandRecord, _: &ProgramLimits, _: Option<Planck>) -> DispatchResult {
        Ok(())
    }

    fn spent(_: &ProgramId, _: Range<u64>, _: &WorkerId) {}

    fn refunded(_: &ProgramId, _: u64) {}

    fn removed(_: &ProgramId, _: &Account) {}

    fn weight_of_reserve() -> Weight {
        Weight::zero()
    }

    fn weight_of_spent(_: u32) -> Weight {
        Weight::zero()
    }

    fn weight_of_refunded() -> Weight {
        Weight::zero()
    }

    fn weight_of_removed() -> Weight {
        Weight::zero()
    }
}
