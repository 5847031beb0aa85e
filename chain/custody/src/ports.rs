//! Where custody meets other pallets: what it must know of them, and what it tells them. The runtime joins them.

use frame_support::pallet_prelude::*;
use phala_messages::{
    InstanceKey, ProgramId, WorkerId,
    custody::{DealerFault, RootGeneration, RoundNumber},
};

/// What custody must know of machines. The runtime answers from its registry.
pub trait Machines {
    /// The current instance of a machine that is admitted as a gatekeeper now.
    fn gatekeeper(id: &WorkerId) -> Option<InstanceKey>;

    /// Makes a machine admitted, without evidence.
    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(id: &WorkerId, instance: &InstanceKey);
}

/// What custody must know of validators.
pub trait Validators<AccountId> {
    /// Whether the account is a validator's now.
    fn is_validator(account: &AccountId) -> bool;

    /// Makes the account a validator's.
    #[cfg(feature = "runtime-benchmarks")]
    fn elect_for_benchmark(account: &AccountId);
}

/// Who is told of proven offences: the door for staking, which takes a cheating gatekeeper's stake. A runtime without staking
/// uses `()`, and all that a cheat loses is its place.
pub trait Offences {
    /// The dealer cheated in this round. Told once for each time that governance approved it.
    fn cheated(dealer: &WorkerId, round: RoundNumber, fault: DealerFault);
}

impl Offences for () {
    fn cheated(_dealer: &WorkerId, _round: RoundNumber, _fault: DealerFault) {}
}

/// Where programs say which root their keys come from. Implemented by the [`Pallet`](crate::Pallet).
pub trait ProgramRoots {
    /// The root that a new program's keys come from. None until there is one.
    fn open_root() -> Option<RootGeneration>;

    /// The root that the program's keys come from.
    fn root_of(program: &ProgramId) -> Option<RootGeneration>;

    /// The root that the program's next keys come from: its own while that takes programs, then the one that does. A program
    /// that no root guards stays with its worker.
    fn root_wanted(program: &ProgramId) -> Option<RootGeneration>;

    /// From now on the program's keys come from this root, and from no other.
    ///
    /// # Errors
    /// When the root does not take programs.
    fn note_program_root(program: &ProgramId, root: RootGeneration) -> DispatchResult;

    /// The program was removed.
    fn forget_program(program: &ProgramId);
}
