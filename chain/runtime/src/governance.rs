//! Governance: two bodies, referenda, the treasury, and a standstill of money that ends by itself.

use crate::{constants::*, origins::*, voting::Voting, *};
use frame_support::{
    PalletId, parameter_types,
    traits::{
        ConstBool, ConstU32, ConstU128, Contains, EitherOf, EitherOfDiverse, EqualPrivilegeOnly, LockIdentifier,
        tokens::{PayFromAccount, UnityAssetBalanceConversion},
    },
};
use frame_system::{EnsureRootWithSuccess, EnsureSigned, EnsureWithSuccess};
use phala_units::PHA;
use sp_runtime::{Percent, Permill, traits::IdentityLookup};

parameter_types! {
    pub const CouncilElectionId: LockIdentifier = *b"phrelect";
    pub const CandidacyBond: Balance = 10 * PHA;
    pub const VotingBond: Balance = deposit(1, 64);
    pub const VotingBondEach: Balance = deposit(0, 32);
    pub const TreasuryId: PalletId = PalletId(*b"py/trsry");
    pub const BountyCuratorShare: Permill = Permill::from_percent(50);
    pub const CuratorDepositMin: Option<Balance> = Some(PHA);
    pub const CuratorDepositMax: Option<Balance> = Some(100 * PHA);
    pub const TipFindersFee: Percent = Percent::from_percent(20);
    pub const MaxBalance: Balance = Balance::MAX;
    pub const SmallSpendMax: Balance = 10_000 * PHA;
    pub const LargeSpendMax: Balance = 1_000_000 * PHA;
    pub const NoDeposit: Option<Balance> = None;
    pub const NoRelease: Option<BlockNumber> = None;
    pub const Standstill: BlockNumber = STANDSTILL_BLOCKS;
    pub TreasuryHolder: AccountId = Treasury::account_id();
}

impl pallet_collective::Config<CouncilInstance> for Runtime {
    type RuntimeOrigin = RuntimeOrigin;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type MotionDuration = ConstU32<MOTION_BLOCKS>;
    type MaxProposals = ConstU32<100>;
    type MaxMembers = ConstU32<BODY_MAX>;
    type DefaultVote = pallet_collective::PrimeDefaultVote;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
    type SetMembersOrigin = Referendum;
    type MaxProposalWeight = MotionWeightMax;
    type DisapproveOrigin = Referendum;
    type KillOrigin = Referendum;
    type Consideration = ();
}

impl pallet_collective::Config<TechnicalInstance> for Runtime {
    type RuntimeOrigin = RuntimeOrigin;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type MotionDuration = ConstU32<MOTION_BLOCKS>;
    type MaxProposals = ConstU32<100>;
    type MaxMembers = ConstU32<BODY_MAX>;
    type DefaultVote = pallet_collective::PrimeDefaultVote;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
    type SetMembersOrigin = Referendum;
    type MaxProposalWeight = MotionWeightMax;
    type DisapproveOrigin = Referendum;
    type KillOrigin = Referendum;
    type Consideration = ();
}

// The committee is chosen by all, in a referendum; the council may only take a seat away.
impl pallet_membership::Config<pallet_membership::Instance1> for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type AddOrigin = Referendum;
    type RemoveOrigin = CouncilTwoThirds;
    type SwapOrigin = Referendum;
    type ResetOrigin = Referendum;
    type PrimeOrigin = CouncilMajority;
    type MembershipInitialized = TechnicalCommittee;
    type MembershipChanged = TechnicalCommittee;
    type MaxMembers = ConstU32<BODY_MAX>;
    type WeightInfo = pallet_membership::weights::SubstrateWeight<Runtime>;
}

impl pallet_elections_phragmen::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type PalletId = CouncilElectionId;
    type Currency = Voting;
    type ChangeMembers = Council;
    type InitializeMembers = Council;
    type CurrencyToVote = sp_staking::currency_to_vote::U128CurrencyToVote;
    type CandidacyBond = CandidacyBond;
    type VotingBondBase = VotingBond;
    type VotingBondFactor = VotingBondEach;
    type LoserCandidate = Treasury;
    type KickedMember = Treasury;
    type DesiredMembers = ConstU32<COUNCIL_SEATS>;
    type DesiredRunnersUp = ConstU32<COUNCIL_RUNNERS_UP>;
    type TermDuration = ConstU32<TERM_BLOCKS>;
    type MaxCandidates = ConstU32<20>;
    type MaxVoters = ConstU32<500>;
    type MaxVotesPerVoter = ConstU32<16>;
    type WeightInfo = pallet_elections_phragmen::weights::SubstrateWeight<Runtime>;
}

impl pallet_democracy::Config for Runtime {
    type WeightInfo = pallet_democracy::weights::SubstrateWeight<Runtime>;
    type RuntimeEvent = RuntimeEvent;
    type Scheduler = Scheduler;
    type Preimages = Preimage;
    type Currency = Voting;
    type EnactmentPeriod = ConstU32<ENACTMENT_BLOCKS>;
    type LaunchPeriod = ConstU32<LAUNCH_BLOCKS>;
    type VotingPeriod = ConstU32<VOTING_BLOCKS>;
    type VoteLockingPeriod = ConstU32<ENACTMENT_BLOCKS>;
    type MinimumDeposit = ConstU128<{ 10 * PHA }>;
    // A vote that nobody has time to answer is none.
    type InstantAllowed = ConstBool<false>;
    type FastTrackVotingPeriod = ConstU32<FAST_TRACK_BLOCKS>;
    type CooloffPeriod = ConstU32<COOLOFF_BLOCKS>;
    type MaxVotes = ConstU32<100>;
    type MaxProposals = ConstU32<100>;
    type MaxDeposits = ConstU32<100>;
    type MaxBlacklisted = ConstU32<100>;
    type ExternalOrigin = CouncilMajority;
    type ExternalMajorityOrigin = CouncilThreeQuarters;
    type ExternalDefaultOrigin = CouncilWhole;
    type SubmitOrigin = EnsureSigned<AccountId>;
    type FastTrackOrigin = CommitteeTwoThirds;
    type InstantOrigin = WholeCommittee;
    type CancellationOrigin = CouncilTwoThirds;
    type BlacklistOrigin = Referendum;
    type CancelProposalOrigin = EitherOfDiverse<Referendum, WholeCommittee>;
    type VetoOrigin = CommitteeMember;
    type PalletsOrigin = OriginCaller;
    type Slash = Treasury;
}

impl pallet_treasury::Config for Runtime {
    type Currency = Balances;
    type RejectOrigin = CouncilMajority;
    type RuntimeEvent = RuntimeEvent;
    type SpendPeriod = ConstU32<SPEND_BLOCKS>;
    type Burn = ();
    type PalletId = TreasuryId;
    type BurnDestination = ();
    type WeightInfo = pallet_treasury::weights::SubstrateWeight<Runtime>;
    type SpendFunds = Bounties;
    type MaxApprovals = ConstU32<100>;
    // A referendum spends what it likes, the council up to a limit for each spend.
    type SpendOrigin = EitherOf<
        EnsureRootWithSuccess<AccountId, MaxBalance>,
        EitherOf<
            EnsureWithSuccess<CouncilThreeQuartersAlone, AccountId, LargeSpendMax>,
            EnsureWithSuccess<HalfOfCouncil, AccountId, SmallSpendMax>,
        >,
    >;
    type AssetKind = ();
    type Beneficiary = AccountId;
    type BeneficiaryLookup = IdentityLookup<AccountId>;
    type Paymaster = PayFromAccount<Balances, TreasuryHolder>;
    type BalanceConverter = UnityAssetBalanceConversion;
    type PayoutPeriod = ConstU32<{ by_network(30 * DAYS, HOURS) }>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = ();
    type BlockNumberProvider = System;
}

impl pallet_bounties::Config for Runtime {
    type BountyDepositBase = ConstU128<PHA>;
    type BountyDepositPayoutDelay = ConstU32<{ by_network(DAYS, MINUTES) }>;
    type BountyUpdatePeriod = ConstU32<{ by_network(14 * DAYS, HOURS) }>;
    type CuratorDepositMultiplier = BountyCuratorShare;
    type CuratorDepositMax = CuratorDepositMax;
    type CuratorDepositMin = CuratorDepositMin;
    type BountyValueMinimum = ConstU128<{ 5 * PHA }>;
    type DataDepositPerByte = ConstU128<DEPOSIT_BYTE>;
    type RuntimeEvent = RuntimeEvent;
    type MaximumReasonLength = ConstU32<16_384>;
    type WeightInfo = pallet_bounties::weights::SubstrateWeight<Runtime>;
    type ChildBountyManager = ChildBounties;
    type OnSlash = Treasury;
    type TransferAllAssets = ();
}

impl pallet_child_bounties::Config for Runtime {
    type MaxActiveChildBountyCount = ConstU32<5>;
    type ChildBountyValueMinimum = ConstU128<PHA>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_child_bounties::weights::SubstrateWeight<Runtime>;
}

impl pallet_tips::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type MaximumReasonLength = ConstU32<16_384>;
    type DataDepositPerByte = ConstU128<DEPOSIT_BYTE>;
    type TipCountdown = ConstU32<{ by_network(DAYS, MINUTES) }>;
    type TipFindersFee = TipFindersFee;
    type TipReportDepositBase = ConstU128<PHA>;
    type MaxTipAmount = SmallSpendMax;
    // The elected council.
    type Tippers = Elections;
    type OnSlash = Treasury;
    type WeightInfo = pallet_tips::weights::SubstrateWeight<Runtime>;
}

/// Calls that go on while money stands still: everything that keeps machines, keys, programs and votes alive. What moves PHA
/// between people, or out of a pool, a stake or the treasury, waits.
pub struct GoesOn;

impl Contains<RuntimeCall> for GoesOn {
    fn contains(call: &RuntimeCall) -> bool {
        match call {
            RuntimeCall::System(_)
            | RuntimeCall::Timestamp(_)
            | RuntimeCall::Babe(_)
            | RuntimeCall::Grandpa(_)
            | RuntimeCall::Session(_)
            | RuntimeCall::Registry(_)
            | RuntimeCall::Programs(_)
            | RuntimeCall::Custody(_)
            | RuntimeCall::Recovery(_)
            | RuntimeCall::Computation(_)
            | RuntimeCall::Credit(pallet_credit::Call::set_payer { .. } | pallet_credit::Call::set_price { .. })
            | RuntimeCall::Council(_)
            | RuntimeCall::TechnicalCommittee(_)
            | RuntimeCall::TechnicalMembership(_)
            | RuntimeCall::Elections(_)
            | RuntimeCall::Democracy(_)
            | RuntimeCall::Preimage(_)
            | RuntimeCall::Scheduler(_)
            | RuntimeCall::SafeMode(_)
            // What they carry is looked at by itself.
            | RuntimeCall::Utility(_)
            | RuntimeCall::Multisig(_)
            | RuntimeCall::Proxy(_) => true,
            #[cfg(not(feature = "production"))]
            RuntimeCall::Sudo(_) => true,
            _ => false,
        }
    }
}

impl pallet_safe_mode::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WhitelistedCalls = GoesOn;
    type EnterDuration = ConstU32<STANDSTILL_BLOCKS>;
    type ExtendDuration = ConstU32<STANDSTILL_BLOCKS>;
    // Nobody can buy a standstill.
    type EnterDepositAmount = NoDeposit;
    type ExtendDepositAmount = NoDeposit;
    type ForceEnterOrigin = EitherOf<
        EnsureRootWithSuccess<AccountId, Standstill>,
        EnsureWithSuccess<TwoThirdsOfCommittee, AccountId, Standstill>,
    >;
    // It ends by itself. Only all together can make it longer.
    type ForceExtendOrigin = EnsureRootWithSuccess<AccountId, Standstill>;
    type ForceExitOrigin = CouncilMajority;
    type ForceDepositOrigin = Referendum;
    type Notify = ();
    type ReleaseDelay = NoRelease;
    type WeightInfo = pallet_safe_mode::weights::SubstrateWeight<Runtime>;
}

impl pallet_scheduler::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type MaximumWeight = MotionWeightMax;
    type ScheduleOrigin = Referendum;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type MaxScheduledPerBlock = ConstU32<50>;
    type WeightInfo = pallet_scheduler::weights::SubstrateWeight<Runtime>;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}
