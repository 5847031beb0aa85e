//! Who may do what: the table of powers, one type for each row.
//!
//! | name | who | what for |
//! |---|---|---|
//! | [`Referendum`] | Root: a referendum of all holders, on development networks also sudo | everything, after a public delay |
//! | [`CouncilMajority`] | Root, or more than half of the council | small things that can be undone |
//! | [`CouncilTwoThirds`] | Root, or two thirds of the council | who keeps keys; the treasury's smaller spends |
//! | [`CouncilThreeQuarters`] | Root, or three quarters of the council | undoing a slash |
//! | [`Guard`] | Root, more than half of the council, or two thirds of the technical committee | taking trust away, never giving it |
//!
//! What *gives* trust (a measurement, a root certificate, other code for the chain, custodians) is for a referendum alone.

use crate::{AccountId, configs::BlockWeights};
use frame_support::{parameter_types, traits::EitherOfDiverse, weights::Weight};
use frame_system::EnsureRoot;
use pallet_collective::{EnsureMember, EnsureProportionAtLeast, EnsureProportionMoreThan, Instance1, Instance2};
use sp_runtime::Perbill;

/// The council: elected by all who hold PHA.
pub type CouncilInstance = Instance1;
/// The technical committee: chosen by referendum.
pub type TechnicalInstance = Instance2;

/// A referendum of all holders. Nothing else reaches Root on the network that counts.
pub type Referendum = EnsureRoot<AccountId>;
/// More than half of the council.
pub type HalfOfCouncil = EnsureProportionMoreThan<AccountId, CouncilInstance, 1, 2>;
/// Three quarters of the council, without Root.
pub type CouncilThreeQuartersAlone = EnsureProportionAtLeast<AccountId, CouncilInstance, 3, 4>;
/// Two thirds of the technical committee.
pub type TwoThirdsOfCommittee = EnsureProportionAtLeast<AccountId, TechnicalInstance, 2, 3>;
/// The whole technical committee.
pub type WholeCommittee = EnsureProportionAtLeast<AccountId, TechnicalInstance, 1, 1>;
/// One of the technical committee.
pub type CommitteeMember = EnsureMember<AccountId, TechnicalInstance>;

/// Root, or more than half of the council.
pub type CouncilMajority = EitherOfDiverse<Referendum, HalfOfCouncil>;
/// Root, or two thirds of the council.
pub type CouncilTwoThirds = EitherOfDiverse<Referendum, EnsureProportionAtLeast<AccountId, CouncilInstance, 2, 3>>;
/// Root, or three quarters of the council.
pub type CouncilThreeQuarters = EitherOfDiverse<Referendum, CouncilThreeQuartersAlone>;
/// Root, or the whole council.
pub type CouncilWhole = EitherOfDiverse<Referendum, EnsureProportionAtLeast<AccountId, CouncilInstance, 1, 1>>;
/// Root, or two thirds of the technical committee.
pub type CommitteeTwoThirds = EitherOfDiverse<Referendum, TwoThirdsOfCommittee>;
/// Whoever may take trust away at once: it can be given back, a secret that was read cannot.
pub type Guard = EitherOfDiverse<CouncilMajority, TwoThirdsOfCommittee>;

parameter_types! {
    /// Computation that one motion of a body, or all that the scheduler starts in one block, may take.
    pub MotionWeightMax: Weight = Perbill::from_percent(50) * BlockWeights::get().max_block;
}
