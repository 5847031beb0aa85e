//! Where custody meets other pallets: what it must know of them, and what it tells them. The runtime joins them.

use frame_support::pallet_prelude::*;
use phala_messages::{
    InstanceKey, ProgramId, WorkerId,
    custody::{Complaint, RootGeneration, RoundRecord},
};

/// What custody must know of machines. The runtime answers from its registry.
pub trait Machines {
    /// The current instance of a machine that is admitted as a gatekeeper now.
    fn gatekeeper(id: &WorkerId) -> Option<InstanceKey>;

    /// The current instance of a machine that is admitted as a worker now.
    fn worker(id: &WorkerId) -> Option<InstanceKey>;

    /// Makes a machine admitted in both roles, without evidence.
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

/// What custody must know of programs.
pub trait Programs {
    /// Whether the worker is one of those that run the program.
    fn serves(worker: &WorkerId, program: &ProgramId) -> bool;

    /// Makes the worker one that runs the program.
    #[cfg(feature = "runtime-benchmarks")]
    fn assign_for_benchmark(worker: &WorkerId, program: &ProgramId);
}

/// What a complaint is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum ComplaintVerdict {
    /// The evidence does not prove it: refused.
    Unfounded,
    /// Nobody judged it here: kept for those who can.
    Recorded,
    /// The evidence proves it.
    Proven,
}

/// Judges complaints on chain, where a runtime wants that.
pub trait ComplaintJudge {
    /// What the complaint is worth.
    fn judge(round: &RoundRecord, complaint: &Complaint) -> ComplaintVerdict;

    /// What judging the dearest complaint costs.
    fn weight() -> Weight;
}

/// Records every complaint and judges none.
impl ComplaintJudge for () {
    fn judge(_round: &RoundRecord, _complaint: &Complaint) -> ComplaintVerdict {
        ComplaintVerdict::Recorded
    }

    fn weight() -> Weight {
        Weight::zero()
    }
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
