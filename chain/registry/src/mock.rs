//! A runtime with nothing but this pallet and what it stands on.

use crate::{self as pallet_registry, Judged, Judgement, Refusal, Verdict};
use codec::Encode;
use frame_support::{derive_impl, dispatch::GetDispatchInfo, parameter_types, traits::Hooks};
use frame_system::{AuthorizeCall, EnsureRoot};
use phala_messages::{
    Attested, BlockHash, BlockRef, GenesisHash, Hash, InstanceKey, Measurement, Role, Root, TcbStatus, Tee,
    TransportKey, WorkerId,
    registration::{Registration, Submission},
};
use phala_units::{BlockNumber, UnixMillis};
use sp_core::{H256, Pair as _, ed25519};
use sp_runtime::{
    AccountId32, BuildStorage, DispatchError, MultiSignature,
    generic::{self, ExtrinsicFormat},
    traits::{Applyable, BlakeTwo256, Checkable, IdentityLookup},
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError},
};

type Header = generic::Header<u32, BlakeTwo256>;
type Extension = (AuthorizeCall<Test>,);
/// What a node would send.
pub type Extrinsic = generic::UncheckedExtrinsic<AccountId32, RuntimeCall, MultiSignature, Extension>;
type Block = generic::Block<Header, Extrinsic>;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(RuntimeCall, RuntimeEvent, RuntimeError, RuntimeOrigin, RuntimeTask)]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system::Pallet<Test>;
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp::Pallet<Test>;
    #[runtime::pallet_index(50)]
    pub type Registry = pallet_registry::Pallet<Test>;
}

parameter_types! {
    /// A test may run a network that refuses simulated TEEs.
    pub static AllowDevelopmentRoot: bool = true;
    /// A test may configure too short a memory for blocks.
    pub static BlockHashCount: u32 = 256;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type BlockHashCount = BlockHashCount;
    type DbWeight = frame_support::weights::constants::ParityDbWeight;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

impl pallet_registry::Config for Test {
    type Time = Timestamp;
    type AdminOrigin = EnsureRoot<AccountId32>;
    type GuardOrigin = EnsureRoot<AccountId32>;
    type AllowDevelopmentRoot = AllowDevelopmentRoot;
    type WeightInfo = crate::weights::SubstrateWeight<Test>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = Clock;
}

/// Sets the mock's time.
#[cfg(feature = "runtime-benchmarks")]
pub struct Clock;

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper for Clock {
    fn set_time(now: u64) {
        Timestamp::set_timestamp(now);
    }
}

/// Height at which tests run.
pub const HEIGHT: u32 = 1_000;
/// Time of that block.
pub const NOW: UnixMillis = UnixMillis(1_763_000_000_000);
/// A measurement that is on the list.
pub const MEASUREMENT: Measurement = Hash([0x4d; 32]);

/// Storage at [`HEIGHT`], blocks below it known, [`MEASUREMENT`] on the list, no root.
pub fn new_test_ext() -> sp_io::TestExternalities {
    AllowDevelopmentRoot::set(true);
    BlockHashCount::set(256);
    let genesis = RuntimeGenesisConfig {
        registry: crate::GenesisConfig { measurements: vec![(Role::Worker, MEASUREMENT)], ..Default::default() },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    ext.execute_with(|| at(HEIGHT, NOW));
    ext
}

/// Runs `test` and checks the invariants after it.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Registry::on_finalize(0);
        Registry::do_try_state().unwrap();
    });
}

/// Moves to a block; the hashes of those before it are known.
pub fn at(height: u32, now: UnixMillis) {
    Registry::on_finalize(System::block_number());
    for number in height.saturating_sub(256).max(1)..height {
        frame_system::BlockHash::<Test>::insert(number, H256(block_hash(number).0));
    }
    System::reset_events();
    System::set_block_number(height);
    Timestamp::set_timestamp(now.0);
}

/// The mock's block of this height.
pub fn block_hash(number: u32) -> BlockHash {
    BlockHash(sp_io::hashing::blake2_256(&number.encode()))
}

/// A block, named as registrations name it.
pub fn block(number: u32) -> BlockRef {
    BlockRef { number: BlockNumber(number), hash: block_hash(number) }
}

/// The mock's genesis hash.
pub fn genesis() -> GenesisHash {
    GenesisHash(System::block_hash(0).0)
}

/// The identity of a worker, by number.
pub fn identity(n: u8) -> ed25519::Pair {
    ed25519::Pair::from_seed(&[n; 32])
}

/// The id of that worker.
pub fn worker(n: u8) -> WorkerId {
    WorkerId(identity(n).public().0)
}

/// What worker `n` registers with instance `instance`.
pub fn registration(n: u8, instance: u8) -> Registration {
    Registration {
        worker: worker(n),
        instance: InstanceKey([instance; 32]),
        transport: TransportKey([instance; 32]),
        role: Role::Worker,
        endpoint: b"http://127.0.0.1:8000".to_vec().try_into().unwrap(),
    }
}

/// A registration with this quote, signed by worker `n`.
pub fn submission(n: u8, registration: Registration, block: BlockRef, quote: Vec<u8>) -> Submission {
    let hash = registration.signing_hash(&block.hash, &genesis(), &quote);
    let signature = identity(n).sign(&hash.0).0;
    Submission { registration, block, quote: quote.try_into().unwrap(), signature }
}

/// A registration of worker `n` over `number` whose quote is no quote.
pub fn without_evidence(n: u8, instance: u8, number: u32) -> Submission {
    submission(n, registration(n, instance), block(number), vec![0; 100])
}

/// What good evidence says.
pub fn attested() -> Attested {
    Attested { tee: Tee::Tdx, root: Root::Development, tcb: TcbStatus::UpToDate, measurement: MEASUREMENT }
}

/// Runs the call of a submission as if its evidence had been judged good, valid until the end of time.
pub fn register_judged(submission: &Submission) -> Result<(), DispatchError> {
    register_judged_until(submission, UnixMillis(u64::MAX))
}

/// The same, with evidence that runs out at `valid_until`.
pub fn register_judged_until(submission: &Submission, valid_until: UnixMillis) -> Result<(), DispatchError> {
    let verdict = Verdict::Evidence(Judgement { attested: attested(), valid_until });
    Judged::<Test>::put((Hash(sp_io::hashing::blake2_256(&submission.encode())), verdict));
    Registry::register(authorized(), Box::new(submission.clone()))
}

/// The origin that an authorisation gives.
pub fn authorized() -> RuntimeOrigin {
    frame_system::Origin::<Test>::Authorized.into()
}

/// The call that submits.
pub fn register(submission: Submission) -> crate::Call<Test> {
    crate::Call::register { submission: Box::new(submission) }
}

/// What a pool says to a call that carries its own authority.
pub fn validate(call: crate::Call<Test>) -> TransactionValidity {
    let extrinsic = Extrinsic::new_transaction(call.into(), (AuthorizeCall::new(),));
    let info = extrinsic.get_dispatch_info();
    let checked = Checkable::check(extrinsic, &frame_system::ChainContext::<Test>::default())?;
    let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
    let validity = checked.validate::<Test>(TransactionSource::External, &info, 0);
    assert_eq!(sp_io::storage::root(sp_runtime::StateVersion::V1), before, "validation leaves no trace");
    validity
}

/// Puts a call that carries its own authority into the block. Outer error: the block does not take it.
pub fn apply(call: crate::Call<Test>) -> Result<Result<(), DispatchError>, TransactionValidityError> {
    let extrinsic = Extrinsic::new_transaction(call.into(), (AuthorizeCall::new(),));
    let info = extrinsic.get_dispatch_info();
    let checked = Checkable::check(extrinsic, &frame_system::ChainContext::<Test>::default())?;
    assert!(matches!(checked.format, ExtrinsicFormat::General(..)));
    checked.apply::<Test>(&info, 0).map(|result| result.map(|_| ()).map_err(|error| error.error))
}

/// Refused by the pool, by the block and by a dry run, with the same reason.
pub fn assert_refused(submission: &Submission, refusal: Refusal) {
    let error: TransactionValidityError = InvalidTransaction::Custom(refusal.code()).into();
    assert_eq!(validate(register(submission.clone())).unwrap_err(), error, "{refusal:?}");
    assert_eq!(apply(register(submission.clone())).unwrap_err(), error, "{refusal:?}");
    assert_eq!(Registry::dry_run(submission), Err(refusal));
}

/// The pallet's events in this block.
pub fn events() -> Vec<crate::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Registry(event) => Some(event),
            _ => None,
        })
        .collect()
}
