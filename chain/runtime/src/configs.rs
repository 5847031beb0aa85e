//! Each pallet's configuration, and where pallets meet.

use crate::{constants::*, *};
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstBool, ConstU8, ConstU16, ConstU32, ConstU64, ConstU128},
    weights::{ConstantMultiplier, IdentityFee, constants::ParityDbWeight},
};
use frame_system::limits;
use pallet_custody::ProgramRoots as _;
use pallet_transaction_payment::{Multiplier, TargetedFeeAdjustment};
use phala_messages::{
    InstanceKey, ProgramId, Role, WorkerId,
    custody::{EpochRecord, RootGeneration},
};
use sp_runtime::{
    FixedPointNumber, Perquintill,
    traits::{Bounded, ConvertInto, One, OpaqueKeys},
};

/// Whether this build may trust the development root of simulated TEEs.
pub const ALLOW_DEVELOPMENT_ROOT: bool = cfg!(not(feature = "production"));

// A production network never trusts a simulation; whoever loosens the constant above breaks the build here.
const _: () = assert!(
    !(cfg!(feature = "production") && ALLOW_DEVELOPMENT_ROOT),
    "a production runtime must refuse the development root"
);

parameter_types! {
    pub const BlockHashCount: BlockNumber = 4_096;
    pub const Version: sp_version::RuntimeVersion = VERSION;
    pub BlockWeights: limits::BlockWeights =
        limits::BlockWeights::with_sensible_defaults(BLOCK_WEIGHT_MAX, NORMAL_RATIO);
    pub BlockLength: limits::BlockLength = limits::BlockLength::builder()
        .max_length(BLOCK_BYTES_MAX)
        .build();
    pub const EpochDuration: u64 = EPOCH_BLOCKS;
    pub FeeMultiplier: Multiplier = Multiplier::one();
    pub const TargetBlockFullness: Perquintill = Perquintill::from_percent(25);
    pub AdjustmentVariable: Multiplier = Multiplier::saturating_from_rational(3, 100_000);
    pub MinimumMultiplier: Multiplier = Multiplier::saturating_from_rational(1, 10);
    pub MaximumMultiplier: Multiplier = Bounded::max_value();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type Block = Block;
    type BlockWeights = BlockWeights;
    type BlockLength = BlockLength;
    type AccountId = AccountId;
    type Nonce = Nonce;
    type Hash = Hash;
    type BlockHashCount = BlockHashCount;
    type DbWeight = ParityDbWeight;
    type Version = Version;
    type AccountData = pallet_balances::AccountData<Balance>;
    type SS58Prefix = ConstU16<{ SS58_PREFIX as u16 }>;
    type MaxConsumers = ConstU32<16>;
    type BaseCallFilter = SafeMode;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Babe;
    type MinimumPeriod = ConstU64<{ BLOCK_MS / 2 }>;
    type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

impl pallet_babe::Config for Runtime {
    type EpochDuration = EpochDuration;
    type ExpectedBlockTime = ConstU64<BLOCK_MS>;
    type EpochChangeTrigger = pallet_babe::ExternalTrigger;
    type DisabledValidators = Session;
    type WeightInfo = ();
    type MaxAuthorities = ConstU32<AUTHORITIES_MAX>;
    type MaxNominators = ConstU32<ELECTORS_MAX>;
    type KeyOwnerProof = sp_session::MembershipProof;
    type EquivocationReportSystem = crate::validators::BabeEquivocations;
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = ConstU32<AUTHORITIES_MAX>;
    type MaxNominators = ConstU32<ELECTORS_MAX>;
    type MaxSetIdSessionEntries = crate::validators::SetIdSessionEntries;
    type KeyOwnerProof = sp_session::MembershipProof;
    type EquivocationReportSystem = crate::validators::GrandpaEquivocations;
}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
    type EventHandler = Staking;
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = Babe;
    type NextSessionRotation = Babe;
    type SessionManager = crate::validators::Sessions;
    type SessionHandler = <opaque::SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = opaque::SessionKeys;
    type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy;
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type KeyDeposit = ConstU128<0>;
}

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
    type Balance = Balance;
    type DustRemoval = crate::token::ToTreasury;
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type MaxFreezes = ConstU32<8>;
    type DoneSlashHandler = ();
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = crate::token::Charge;
    // One Planck per picosecond of weight: a second of computation costs 1 PHA.
    type WeightToFee = IdentityFee<Balance>;
    type LengthToFee = ConstantMultiplier<Balance, ConstU128<BYTE_FEE>>;
    type FeeMultiplierUpdate =
        TargetedFeeAdjustment<Self, TargetBlockFullness, AdjustmentVariable, MinimumMultiplier, MaximumMultiplier>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

#[cfg(not(feature = "production"))]
impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}

impl pallet_registry::Config for Runtime {
    type Time = Timestamp;
    type AdminOrigin = crate::origins::Referendum;
    type GuardOrigin = crate::origins::Guard;
    type AllowDevelopmentRoot = ConstBool<ALLOW_DEVELOPMENT_ROOT>;
    type WeightInfo = pallet_registry::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = BenchmarkTime;
}

/// Lets benchmarks choose the time.
#[cfg(feature = "runtime-benchmarks")]
pub struct BenchmarkTime;

#[cfg(feature = "runtime-benchmarks")]
impl pallet_registry::BenchmarkHelper for BenchmarkTime {
    fn set_time(now: u64) {
        pallet_timestamp::Now::<Runtime>::put(now);
    }
}

/// Programs and custody ask the registry about machines. To programs, a gatekeeper is no
/// worker.
pub struct Registered;

impl pallet_programs::Workers for Registered {
    fn admits(worker: &WorkerId, instance: &InstanceKey) -> bool {
        Registry::is_admitted(worker, instance, Role::Worker)
    }

    fn instance(worker: &WorkerId) -> Option<InstanceKey> {
        Registry::registered(worker, Role::Worker).map(|record| record.registration.instance)
    }

    fn exists(worker: &WorkerId) -> bool {
        Registry::registered(worker, Role::Worker).is_some()
    }

    fn deposed(worker: &WorkerId) {
        Computation::punish_absence(worker);
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(worker: &WorkerId, instance: &InstanceKey) {
        pallet_registry::benchmarking::admit::<Runtime>(Role::Worker, worker, instance);
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn employ_for_benchmark(worker: &WorkerId) {
        pallet_computation::benchmarking::employ::<Runtime>(worker);
    }
}

impl pallet_programs::Config for Runtime {
    type Workers = Registered;
    type Keys = Guarded;
    type Payments = crate::credit::Paid;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Time = Timestamp;
    type WorkersPerCluster = ConstU32<WORKERS_PER_CLUSTER>;
    type LeadPatience = ConstU32<{ phala_messages::limits::LEAD_PATIENCE_BLOCKS }>;
    type ProgramDeposit = ConstU128<PROGRAM_DEPOSIT>;
    type CommandDepositBase = ConstU128<COMMAND_DEPOSIT>;
    type CommandDepositPerByte = ConstU128<COMMAND_DEPOSIT_PER_BYTE>;
    type WeightInfo = pallet_programs::weights::SubstrateWeight<Runtime>;
}

/// The instance of a machine that is admitted in this role now.
fn admitted(id: &WorkerId, role: Role) -> Option<InstanceKey> {
    let instance = Registry::registered(id, role)?.registration.instance;
    Registry::is_admitted(id, &instance, role).then_some(instance)
}

impl pallet_custody::Machines for Registered {
    fn gatekeeper(id: &WorkerId) -> Option<InstanceKey> {
        admitted(id, Role::Gatekeeper)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(id: &WorkerId, instance: &InstanceKey) {
        pallet_registry::benchmarking::admit::<Runtime>(Role::Gatekeeper, id, instance);
    }
}

/// Programs tell custody whose keys are needed.
pub struct Guarded;

impl pallet_programs::Keys for Guarded {
    /// Where no gatekeepers are yet, a program's keys are its worker's own; on the network that counts there is none then.
    fn deployed(program: &ProgramId) -> sp_runtime::DispatchResult {
        match Custody::open_root() {
            Some(root) => Custody::note_program_root(program, root),
            None if cfg!(feature = "production") => {
                Err(sp_runtime::DispatchError::Other("no gatekeepers guard keys yet"))
            }
            None => Ok(()),
        }
    }

    fn removed(program: &ProgramId) {
        Custody::forget_program(program);
    }

    fn guarded(program: &ProgramId) -> bool {
        pallet_custody::ProgramRootOf::<Runtime>::contains_key(program)
    }

    fn root(program: &ProgramId) -> Option<RootGeneration> {
        Custody::root_of(program)
    }

    fn root_wanted(program: &ProgramId) -> Option<RootGeneration> {
        Custody::root_wanted(program)
    }

    fn moved(program: &ProgramId, root: Option<RootGeneration>) -> sp_runtime::DispatchResult {
        root.map_or(Ok(()), |root| Custody::note_program_root(program, root))
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn guard_for_benchmark() {
        pallet_custody::benchmarking::open::<Runtime>();
    }
}

/// Custody asks the session about validators.
pub struct Elected;

impl pallet_custody::Validators<AccountId> for Elected {
    fn is_validator(account: &AccountId) -> bool {
        let validators = pallet_session::Validators::<Runtime>::get();
        // A development network with one validator has one operator, and is to have gatekeepers all the same.
        let stands_alone = cfg!(not(feature = "production")) && validators.len() == 1;
        stands_alone || validators.contains(account)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn elect_for_benchmark(account: &AccountId) {
        pallet_session::Validators::<Runtime>::mutate(|validators| validators.push(account.clone()));
    }
}

impl pallet_custody::Config for Runtime {
    type Machines = Registered;
    type Validators = Elected;
    type Offences = crate::validators::Cheats;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type AdminOrigin = crate::origins::Referendum;
    type CareOrigin = crate::origins::CouncilTwoThirds;
    type WeightInfo = pallet_custody::weights::SubstrateWeight<Runtime>;
}

/// Recovery asks custody about seats, and gives them to other machines.
pub struct Seats;

impl pallet_key_recovery::Custody for Seats {
    fn epoch(root: RootGeneration) -> Option<EpochRecord> {
        let live = pallet_custody::LiveRoots::<Runtime>::get().contains(&root);
        Custody::epoch_of(root).filter(|_| live)
    }

    fn instance(gatekeeper: &WorkerId) -> Option<InstanceKey> {
        Custody::admitted_gatekeeper(gatekeeper)
    }

    fn may_take_seat(root: RootGeneration, gatekeeper: &WorkerId) -> bool {
        Custody::may_take_seat(root, gatekeeper)
    }

    fn reseat(root: RootGeneration, seats: &[(u32, WorkerId)]) -> sp_runtime::DispatchResult {
        Custody::reseat(root, seats)
    }

    fn rotate(root: RootGeneration) -> sp_runtime::DispatchResult {
        Custody::rotate_from(root)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn arrange_for_benchmark(
        instance: &InstanceKey,
        output_hash: phala_messages::Hash,
    ) -> Option<(RootGeneration, Vec<WorkerId>)> {
        pallet_custody::benchmarking::found::<Runtime>(instance, output_hash).ok()
    }
}

impl pallet_key_recovery::Config for Runtime {
    type Custody = Seats;
    type AdminOrigin = crate::origins::Referendum;
    type CareOrigin = crate::origins::CouncilTwoThirds;
    type WeightInfo = pallet_key_recovery::weights::SubstrateWeight<Runtime>;
}
