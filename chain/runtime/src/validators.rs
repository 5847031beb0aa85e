//! Validators: elected by stake, paid from their pot, punished for what is proven.
//!
//! | offence | proof | punishment |
//! |---|---|---|
//! | equivocation: two blocks or votes where one is allowed | the two, signed (BABE, GRANDPA) | (3 k / n)² of the stake, k of n having done it |
//! | cheating as a gatekeeper | the dealer's own log, judged by custody | a tenth of the stake |
//! | silence: no block in a whole era | the era's points | nothing up to a tenth of validators, then up to 7 % |
//!
//! Slashes wait some eras, in which three quarters of the council may undo a mistake; then they go to the treasury.

use crate::{constants::*, origins::*, token, *};
use alloc::vec;
use frame_election_provider_support::{
    SequentialPhragmen,
    bounds::{ElectionBounds, ElectionBoundsBuilder},
    onchain,
};
use frame_support::{
    parameter_types,
    traits::{ConstU32, Nothing},
};
use pallet_session::historical::NoteHistoricalRoot;
use phala_messages::{
    WorkerId,
    custody::{DealerFault, RoundNumber},
};
use sp_runtime::{Perbill, traits::Saturating};
use sp_staking::{
    SessionIndex, StakingInterface,
    offence::{Kind, Offence, ReportOffence as _},
};

/// Where each stake belongs, so that those with the most are counted first: a bag for each power of two.
pub const BAGS: [u64; 64] = {
    let mut bags = [0; 64];
    let mut power = 0;
    while power < 64 {
        bags[power] = 1 << power;
        power += 1;
    }
    bags
};

parameter_types! {
    pub const BagThresholds: &'static [u64] = &BAGS;
    pub const SessionsPerEra: SessionIndex = ERA_EPOCHS;
    pub const BondingDuration: sp_staking::EraIndex = BONDING_ERAS;
    pub const SlashDeferDuration: sp_staking::EraIndex = SLASH_DEFER_ERAS;
    /// Blocks in which an equivocation can be reported.
    pub const ReportLongevity: u64 = BONDING_ERAS as u64 * ERA_EPOCHS as u64 * EPOCH_BLOCKS;
    /// Entries that GRANDPA keeps to tell which set held in which session.
    pub const SetIdSessionEntries: u64 = BONDING_ERAS as u64 * ERA_EPOCHS as u64;
    pub Elected: ElectionBounds = ElectionBoundsBuilder::default()
        .voters_count(ELECTORS_MAX.into())
        .targets_count(ELECTABLE_MAX.into())
        .build();
}

/// The chain elects in the block that needs the result: no off-chain miner, no phase that could fail.
pub struct OnChain;

impl onchain::Config for OnChain {
    type Sort = frame_support::traits::ConstBool<true>;
    type System = Runtime;
    type Solver = SequentialPhragmen<AccountId, Perbill>;
    type MaxBackersPerWinner = ConstU32<ELECTORS_MAX>;
    type MaxWinnersPerPage = ConstU32<VALIDATORS_MAX>;
    type DataProvider = Staking;
    type WeightInfo = frame_election_provider_support::weights::SubstrateWeight<Runtime>;
    type Bounds = Elected;
}

impl pallet_bags_list::Config<pallet_bags_list::Instance1> for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_bags_list::weights::SubstrateWeight<Runtime>;
    type ScoreProvider = Staking;
    type BagThresholds = BagThresholds;
    type MaxAutoRebagPerBlock = ConstU32<10>;
    type Score = u64;
}

impl pallet_staking::Config for Runtime {
    type OldCurrency = Balances;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type CurrencyBalance = Balance;
    type UnixTime = Timestamp;
    type CurrencyToVote = sp_staking::currency_to_vote::U128CurrencyToVote;
    type ElectionProvider = onchain::OnChainExecution<OnChain>;
    type GenesisElectionProvider = onchain::OnChainExecution<OnChain>;
    type NominationsQuota = pallet_staking::FixedNominationsQuota<NOMINATIONS_MAX>;
    type HistoryDepth = ConstU32<HISTORY_ERAS>;
    type RewardRemainder = token::ToTreasury;
    type RuntimeEvent = RuntimeEvent;
    type Slash = token::ToTreasury;
    type Reward = token::FromDue;
    type SessionsPerEra = SessionsPerEra;
    type BondingDuration = BondingDuration;
    type SlashDeferDuration = SlashDeferDuration;
    type AdminOrigin = CouncilThreeQuarters;
    type SessionInterface = Self;
    type EraPayout = token::FromPot;
    type NextNewSession = Session;
    type MaxExposurePageSize = ConstU32<EXPOSURE_PAGE>;
    type MaxValidatorSet = ConstU32<VALIDATORS_MAX>;
    type VoterList = VoterList;
    type TargetList = pallet_staking::UseValidatorsMap<Self>;
    type MaxUnlockingChunks = ConstU32<32>;
    type MaxControllersInDeprecationBatch = ConstU32<1>;
    type EventListeners = ();
    type Filter = Nothing;
    #[cfg(any(feature = "std", feature = "runtime-benchmarks"))]
    type BenchmarkingConfig = Benchmarked;
    #[cfg(not(any(feature = "std", feature = "runtime-benchmarks")))]
    type BenchmarkingConfig = Benchmarked;
    type WeightInfo = pallet_staking::weights::SubstrateWeight<Runtime>;
}

/// Sizes for which staking is measured.
pub struct Benchmarked;

impl pallet_staking::BenchmarkingConfig for Benchmarked {
    type MaxValidators = ConstU32<VALIDATORS_MAX>;
    type MaxNominators = ConstU32<ELECTORS_MAX>;
}

impl pallet_session::historical::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type FullIdentification = ();
    type FullIdentificationOf = pallet_staking::UnitIdentificationOf<Self>;
}

impl pallet_offences::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type IdentificationTuple = Offender;
    type OnOffenceHandler = Staking;
}

impl<C> frame_system::offchain::CreateTransactionBase<C> for Runtime
where
    RuntimeCall: From<C>,
{
    type Extrinsic = UncheckedExtrinsic;
    type RuntimeCall = RuntimeCall;
}

// Reports of equivocation carry their own proof.
impl<C> frame_system::offchain::CreateBare<C> for Runtime
where
    RuntimeCall: From<C>,
{
    fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_bare(call)
    }
}

/// A validator that did something.
pub type Offender = pallet_session::historical::IdentificationTuple<Runtime>;

/// Equivocation of block authors.
pub type BabeEquivocations = pallet_babe::EquivocationReportSystem<Runtime, Offences, Historical, ReportLongevity>;
/// Equivocation of finality voters.
pub type GrandpaEquivocations =
    pallet_grandpa::EquivocationReportSystem<Runtime, Offences, Historical, ReportLongevity>;

/// Plans sessions as staking does, and when an era has ended, looks who was silent in it.
pub struct Sessions;

type Planner = NoteHistoricalRoot<Runtime, Staking>;

impl pallet_session::SessionManager<AccountId> for Sessions {
    fn new_session(index: SessionIndex) -> Option<Vec<AccountId>> {
        <Planner as pallet_session::SessionManager<AccountId>>::new_session(index)
    }

    fn new_session_genesis(index: SessionIndex) -> Option<Vec<AccountId>> {
        <Planner as pallet_session::SessionManager<AccountId>>::new_session_genesis(index)
    }

    fn end_session(index: SessionIndex) {
        <Planner as pallet_session::SessionManager<AccountId>>::end_session(index);
    }

    fn start_session(index: SessionIndex) {
        let before = pallet_staking::ActiveEra::<Runtime>::get().map(|era| era.index);
        <Planner as pallet_session::SessionManager<AccountId>>::start_session(index);
        let after = pallet_staking::ActiveEra::<Runtime>::get().map(|era| era.index);
        if let Some(ended) = before.filter(|_| before != after) {
            report_silent(ended, index.saturating_sub(1));
        }
    }
}

/// Blocks that each validator must have been expected to make before its silence says anything: by chance alone nobody is
/// silent through as many (e⁻³²).
const BLOCKS_EXPECTED_MIN: u32 = 32;
/// Points that staking gives for a block.
const BLOCK_POINTS: u32 = 20;

/// Reports and unseats the validators of an ended era who made no block in it.
fn report_silent(era: sp_staking::EraIndex, last_session: SessionIndex) {
    let points = pallet_staking::ErasRewardPoints::<Runtime>::get(era);
    let elected: Vec<AccountId> = pallet_staking::ErasStakersOverview::<Runtime>::iter_key_prefix(era).collect();
    let count = elected.len() as u32;
    if points.total < count.saturating_mul(BLOCKS_EXPECTED_MIN * BLOCK_POINTS) {
        return;
    }
    let silent: Vec<AccountId> =
        elected.into_iter().filter(|validator| !points.individual.contains_key(validator)).collect();
    if silent.is_empty() {
        return;
    }
    for validator in &silent {
        let enough = pallet_staking::Validators::<Runtime>::count()
            > pallet_staking::MinimumValidatorCount::<Runtime>::get().max(1);
        if enough && pallet_staking::Validators::<Runtime>::contains_key(validator) {
            let _ = <Staking as StakingInterface>::chill(validator);
        }
    }
    let offenders = silent.into_iter().map(|validator| (validator, ())).collect();
    // A report that is known already changes nothing.
    let _ = Offences::report_offence(vec![], Silence { era, session: last_session, validators: count, offenders });
}

/// Validators that made no block in a whole era.
pub struct Silence {
    /// The era.
    pub era: sp_staking::EraIndex,
    /// Its last session.
    pub session: SessionIndex,
    /// How many validators there were.
    pub validators: u32,
    /// Those that were silent.
    pub offenders: Vec<Offender>,
}

impl Offence<Offender> for Silence {
    const ID: Kind = *b"phala:silent-val";
    type Slot = sp_staking::EraIndex;

    fn offenders(&self) -> Vec<Offender> {
        self.offenders.clone()
    }
    fn session_index(&self) -> SessionIndex {
        self.session
    }
    fn validator_set_count(&self) -> u32 {
        self.validators
    }
    fn slot(&self) -> Self::Slot {
        self.era
    }
    /// Nothing up to a tenth: machines fail. Beyond that finality is in danger: 3 (k − n/10 − 1) / n of 7 %.
    fn slash_fraction(&self, offenders: u32) -> Perbill {
        let beyond = offenders.saturating_sub(self.validators / 10 + 1);
        Perbill::from_rational(beyond.saturating_mul(3), self.validators.max(1))
            .saturating_mul(Perbill::from_percent(7))
    }
}

/// A validator whose gatekeeper dealt shares that do not fit, proven on chain.
pub struct Cheat {
    /// The round.
    pub round: RoundNumber,
    /// The session in which it was proven.
    pub session: SessionIndex,
    /// How many validators there are.
    pub validators: u32,
    /// Who did it.
    pub offender: Offender,
}

impl Offence<Offender> for Cheat {
    const ID: Kind = *b"phala:cheat-deal";
    type Slot = u64;

    fn offenders(&self) -> Vec<Offender> {
        vec![self.offender.clone()]
    }
    fn session_index(&self) -> SessionIndex {
        self.session
    }
    fn validator_set_count(&self) -> u32 {
        self.validators
    }
    fn slot(&self) -> Self::Slot {
        self.round.0.into()
    }
    fn slash_fraction(&self, _offenders: u32) -> Perbill {
        Perbill::from_percent(10)
    }
}

/// Tells staking of gatekeepers that cheated.
pub struct Cheats;

impl pallet_custody::Offences for Cheats {
    fn cheated(dealer: &WorkerId, round: RoundNumber, _fault: DealerFault) {
        let Some(account) = pallet_custody::Gatekeepers::<Runtime>::get(dealer) else { return };
        let cheat = Cheat {
            round,
            session: Session::current_index(),
            validators: Session::validators().len() as u32,
            offender: (AccountId::from(account.0), ()),
        };
        let _ = Offences::report_offence(vec![], cheat);
    }
}
