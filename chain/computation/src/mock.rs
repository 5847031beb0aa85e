//! A runtime with nothing but this pallet and what it stands on. Workers, programs and chance are whatever a test says; pools are the simplest
//! that keep their word.

use crate::{self as pallet_computation, Machine};
use core::cell::RefCell;
use frame_support::{
    derive_impl,
    dispatch::GetDispatchInfo,
    parameter_types,
    traits::{ConstU32, ConstU128, Hooks},
    weights::Weight,
};
use frame_system::AuthorizeCall;
use phala_economics::{Confidence, Parameters, Schedule, WorkRules};
use phala_messages::{
    Account, AnchorRecord, BlockHash, BlockRef, GenesisHash, InstanceKey, PoolId, ProgramId, Signature, WorkerId,
    computation::{Heartbeat, ScoreReport, WorkConsent},
    custody::{CustodyMessage, Signed},
};
use phala_units::{BlockNumber, PHA, Planck, UnixMillis};
use sp_core::{Pair as _, ed25519};
use sp_runtime::{
    AccountId32, BuildStorage, DispatchError, DispatchResult, MultiSignature,
    generic::{self, ExtrinsicFormat},
    traits::{Applyable, BlakeTwo256, Checkable, IdentityLookup},
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError},
};
use std::collections::BTreeMap;

type Header = generic::Header<u32, BlakeTwo256>;
type Extension = (AuthorizeCall<Test>,);
/// What a node would send.
pub type Extrinsic = generic::UncheckedExtrinsic<AccountId32, RuntimeCall, MultiSignature, Extension>;
type Block = generic::Block<Header, Extrinsic>;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeTask
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system::Pallet<Test>;
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp::Pallet<Test>;
    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances::Pallet<Test>;
    #[runtime::pallet_index(60)]
    pub type Computation = pallet_computation::Pallet<Test>;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type AccountData = pallet_balances::AccountData<u128>;
    type DbWeight = frame_support::weights::constants::ParityDbWeight;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = u128;
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
}

/// The least that an account holds.
pub const EXISTENTIAL_DEPOSIT: u128 = PHA / 100;

parameter_types! {
    pub Pot: AccountId32 = account(200);
    pub Treasury: AccountId32 = account(201);
    pub Slashed: AccountId32 = account(202);
    /// Milliseconds in which no block was made.
    pub static Lost: u64 = 0;
}

impl pallet_computation::Config for Test {
    type Workers = Registered;
    type Pools = SimplePools;
    type Serving = Hosts;
    type Programs = Hosts;
    type Randomness = Chance;
    type Currency = Balances;
    type Pot = Pot;
    type Treasury = Treasury;
    type Slashed = Slashed;
    type Time = Timestamp;
    type BlockMs = ConstU32<BLOCK_MS>;
    type AdminOrigin = frame_system::EnsureRoot<AccountId32>;
    type WeightInfo = crate::weights::SubstrateWeight<Test>;
}

/// Milliseconds between blocks.
pub const BLOCK_MS: u32 = 2_000;
/// Time of block 0.
pub const GENESIS_MS: u64 = 1_700_000_000_000;
/// What the pot starts with.
pub const POT: u128 = 700_000_000 * PHA;
/// What each pool starts with.
pub const POOL_STAKE: u128 = 1_000_000 * PHA;
/// The score that tests measure.
pub const SCORE: u32 = 1_000;
/// What tests stake.
pub const STAKE: u128 = 5_000 * PHA;

/// What a program has on chain.
#[derive(Clone, Debug, Default)]
pub struct Hosted {
    pub anchor: Option<AnchorRecord>,
    pub owner: Option<Account>,
    pub moved: Option<BlockNumber>,
}

thread_local! {
    static REGISTERED: RefCell<BTreeMap<WorkerId, Machine>> = const { RefCell::new(BTreeMap::new()) };
    static SERVING: RefCell<Vec<WorkerId>> = const { RefCell::new(Vec::new()) };
    static PROGRAMS: RefCell<BTreeMap<ProgramId, Hosted>> = const { RefCell::new(BTreeMap::new()) };
}

/// Workers that a test registered.
pub struct Registered;

impl Registered {
    /// Registers a worker's instance, admitted.
    pub fn set(worker: WorkerId, instance: &ed25519::Pair) {
        let machine = Machine {
            instance: InstanceKey(instance.public().0),
            confidence: Confidence::One,
            since: Computation::block(),
            expires_at: UnixMillis(u64::MAX),
            admitted: true,
        };
        REGISTERED.with_borrow_mut(|all| all.insert(worker, machine));
    }

    /// Changes what is known of a worker.
    pub fn change(worker: WorkerId, change: impl FnOnce(&mut Machine)) {
        REGISTERED.with_borrow_mut(|all| change(all.get_mut(&worker).unwrap()));
    }
}

impl crate::Workers for Registered {
    fn machine(worker: &WorkerId) -> Option<Machine> {
        REGISTERED.with_borrow(|all| all.get(worker).copied())
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(worker: &WorkerId, instance: &InstanceKey) {
        let machine = Machine {
            instance: *instance,
            confidence: Confidence::One,
            since: BlockNumber(0),
            expires_at: UnixMillis(u64::MAX),
            admitted: true,
        };
        REGISTERED.with_borrow_mut(|all| all.insert(*worker, machine));
    }
}

/// Programs that a test deployed.
pub struct Hosts;

impl Hosts {
    pub fn serve(worker: WorkerId, serves: bool) {
        SERVING.with_borrow_mut(|all| {
            all.retain(|known| *known != worker);
            all.extend(serves.then_some(worker));
        });
    }

    pub fn set(program: ProgramId, hosted: Hosted) {
        PROGRAMS.with_borrow_mut(|all| all.insert(program, hosted));
    }
}

fn hosted(program: &ProgramId) -> Hosted {
    PROGRAMS.with_borrow(|all| all.get(program).cloned().unwrap_or_default())
}

impl crate::Serving for Hosts {
    fn serves(worker: &WorkerId) -> bool {
        SERVING.with_borrow(|all| all.contains(worker))
    }
}

impl crate::Programs for Hosts {
    fn anchor(program: &ProgramId) -> Option<AnchorRecord> {
        hosted(program).anchor
    }

    fn owner(program: &ProgramId) -> Option<Account> {
        hosted(program).owner
    }

    fn moved(program: &ProgramId) -> Option<BlockNumber> {
        hosted(program).moved
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn deploy_for_benchmark(owner: &Account) -> ProgramId {
        let program = ProgramId([9; 32]);
        Self::set(program, Hosted { owner: Some(*owner), ..Hosted::default() });
        program
    }
}

/// The same chance in every block: what is drawn from it depends on the block's number, too.
pub struct Chance;

impl crate::Randomness for Chance {
    fn seed() -> [u8; 32] {
        [0x5a; 32]
    }
}

/// A pool: who owns it, what is free, what is at work.
#[derive(Clone, Debug, Default, PartialEq, codec::Encode, codec::Decode)]
pub struct Pool {
    pub owner: u8,
    pub free: u128,
    pub at_work: u128,
    pub rewards: u128,
    pub slashed: u128,
}

#[frame_support::storage_alias]
type Founded = StorageMap<SimplePools, frame_support::Twox64Concat, u64, Pool>;

/// Pools whose stake is their own.
pub struct SimplePools;

impl SimplePools {
    pub fn found(id: u64, owner: u8) {
        Founded::insert(id, Pool { owner, free: POOL_STAKE, ..Pool::default() });
        use frame_support::traits::{Currency, ExistenceRequirement::AllowDeath};
        <Balances as Currency<_>>::transfer(&bank(), &pool_account(id), POOL_STAKE, AllowDeath).unwrap();
    }

    pub fn get(id: u64) -> Pool {
        Founded::get(id).unwrap()
    }

    /// What each pool has is what its account holds.
    pub fn check() {
        for (id, pool) in Founded::iter() {
            assert_eq!(Balances::free_balance(pool_account(id)), pool.free + pool.at_work, "pool {id}: {pool:?}");
            let noted = crate::PoolsAtWork::<Test>::get(PoolId(id)).unwrap_or_default();
            assert_eq!(noted.at_work.0, pool.at_work, "pool {id}");
        }
        assert_eq!(Balances::free_balance(Slashed::get()), EXISTENTIAL_DEPOSIT, "what is slashed was passed on");
    }
}

pub fn pool_account(id: u64) -> AccountId32 {
    let mut bytes = [0xdd; 32];
    bytes[..8].copy_from_slice(&id.to_le_bytes());
    bytes.into()
}

impl crate::Pools<AccountId32> for SimplePools {
    fn owner(pool: PoolId) -> Option<AccountId32> {
        Founded::get(pool.0).map(|pool| account(pool.owner))
    }

    fn account(pool: PoolId) -> AccountId32 {
        pool_account(pool.0)
    }

    fn take_stake(pool: PoolId, amount: Planck) -> DispatchResult {
        Founded::mutate(pool.0, |pool| {
            let pool = pool.as_mut().ok_or(DispatchError::Other("no pool"))?;
            pool.free = pool.free.checked_sub(amount.0).ok_or(DispatchError::Other("not so much is free"))?;
            pool.at_work += amount.0;
            Ok(())
        })
    }

    fn return_stake(id: PoolId, returned: Planck, slashed: Planck) -> DispatchResult {
        let mut pool = Founded::get(id.0).ok_or(DispatchError::Other("no pool"))?;
        pool.at_work =
            pool.at_work.checked_sub(returned.0 + slashed.0).ok_or(DispatchError::Other("not so much is at work"))?;
        pool.free += returned.0;
        pool.slashed += slashed.0;
        if slashed.0 > 0 {
            use frame_support::traits::{Currency, ExistenceRequirement::AllowDeath};
            <Balances as Currency<_>>::transfer(&pool_account(id.0), &Slashed::get(), slashed.0, AllowDeath)?;
        }
        Founded::insert(id.0, pool);
        Ok(())
    }

    fn reward(pool: PoolId, amount: Planck) {
        Founded::mutate(pool.0, |pool| {
            let pool = pool.as_mut().unwrap();
            pool.free += amount.0;
            pool.rewards += amount.0;
        });
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn found_for_benchmark(owner: &AccountId32, free: Planck) -> PoolId {
        let bytes: &[u8; 32] = owner.as_ref();
        let id = 7_000 + u64::from(bytes[0]);
        Founded::insert(id, Pool { owner: 0, free: free.0, ..Pool::default() });
        PoolId(id)
    }
}

/// Where pools' stake comes from.
pub fn bank() -> AccountId32 {
    account(203)
}

/// An account by number.
pub fn account(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}

/// Owns the first pool.
pub const OWNER: u8 = 1;
/// The first pool.
pub const POOL: PoolId = PoolId(1);

/// A worker by number: its identity.
pub fn identity(n: u32) -> ed25519::Pair {
    let mut seed = [0x11; 32];
    seed[..4].copy_from_slice(&n.to_le_bytes());
    ed25519::Pair::from_seed(&seed)
}

pub fn worker(n: u32) -> WorkerId {
    WorkerId(identity(n).public().0)
}

/// The instance that tests register for a worker first.
pub fn instance(n: u32) -> ed25519::Pair {
    let mut seed = [0x22; 32];
    seed[..4].copy_from_slice(&n.to_le_bytes());
    ed25519::Pair::from_seed(&seed)
}

/// Storage with a full pot and one pool, at block 1.
pub fn new_test_ext() -> sp_io::TestExternalities {
    let balances = vec![
        (Pot::get(), POT),
        (bank(), 1_000 * POOL_STAKE),
        (Treasury::get(), PHA),
        (Slashed::get(), EXISTENTIAL_DEPOSIT),
        (account(OWNER), 1_000 * PHA),
        (account(2), 1_000 * PHA),
    ];
    let genesis = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    REGISTERED.with_borrow_mut(BTreeMap::clear);
    PROGRAMS.with_borrow_mut(BTreeMap::clear);
    SERVING.with_borrow_mut(Vec::clear);
    Lost::set(0);
    ext.execute_with(|| {
        begin(1);
        SimplePools::found(POOL.0, OWNER);
    });
    ext
}

/// Runs `test` and checks the invariants after it; nothing is made and nothing is lost but by tests themselves.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        let issued = Balances::total_issuance();
        test();
        check();
        assert_eq!(Balances::total_issuance(), issued);
    });
}

/// What must hold between two blocks.
pub fn check() {
    Computation::do_try_state().unwrap();
    SimplePools::check();
}

fn begin(number: u32) {
    System::set_block_number(number);
    if number > 1 {
        let hash = hash_of(number - 1);
        frame_system::BlockHash::<Test>::insert(number - 1, hash);
    }
    Timestamp::set_timestamp(GENESIS_MS + u64::from(number) * u64::from(BLOCK_MS) + Lost::get());
}

fn hash_of(number: u32) -> sp_core::H256 {
    sp_core::H256::from_low_u64_be(number.into())
}

/// A block of this chain.
pub fn block_ref(number: u32) -> BlockRef {
    BlockRef { number: BlockNumber(number), hash: BlockHash(hash_of(number).0) }
}

/// Makes the next block begin; the one before it had room.
pub fn next_block() {
    let number = System::block_number();
    System::reset_events();
    Computation::on_idle(number, Weight::MAX);
    begin(number + 1);
    Computation::on_initialize(number + 1);
}

/// Lets blocks pass in which workers answer nothing; all of them begin.
pub fn pass(blocks: u32) {
    for _ in 0..blocks {
        next_block();
    }
}

/// Lets time pass without blocks: the chain stood still.
pub fn lose_time(ms: u64) {
    Lost::set(Lost::get() + ms);
}

/// Jumps over blocks as if none of them had been made.
pub fn jump_to(number: u32) {
    begin(number);
}

/// Lets an account make a call.
pub fn call(who: u8, call: crate::Call<Test>) -> Result<(), DispatchError> {
    dispatch(RuntimeOrigin::signed(account(who)), call)
}

pub fn govern(call: crate::Call<Test>) -> Result<(), DispatchError> {
    dispatch(RuntimeOrigin::root(), call)
}

fn dispatch(origin: RuntimeOrigin, call: crate::Call<Test>) -> Result<(), DispatchError> {
    use frame_support::dispatch::DispatchResultWithPostInfo;
    use sp_runtime::traits::Dispatchable;
    let result: DispatchResultWithPostInfo = RuntimeCall::Computation(call).dispatch(origin);
    result.map(|_| ()).map_err(|error| error.error)
}

/// What a pool says to a call that carries its own authority.
pub fn validate(call: crate::Call<Test>) -> TransactionValidity {
    let extrinsic = Extrinsic::new_transaction(call.into(), (AuthorizeCall::new(),));
    let info = extrinsic.get_dispatch_info();
    let checked = Checkable::check(extrinsic, &frame_system::ChainContext::<Test>::default())?;
    checked.validate::<Test>(TransactionSource::External, &info, 0)
}

/// Puts a call that carries its own authority into the block. Outer error: the block does not take it.
pub fn apply(call: crate::Call<Test>) -> Result<Result<(), DispatchError>, TransactionValidityError> {
    let extrinsic = Extrinsic::new_transaction(call.into(), (AuthorizeCall::new(),));
    let info = extrinsic.get_dispatch_info();
    let checked = Checkable::check(extrinsic, &frame_system::ChainContext::<Test>::default())?;
    assert!(matches!(checked.format, ExtrinsicFormat::General(..)));
    checked.apply::<Test>(&info, 0).map(|result| result.map(|_| ()).map_err(|error| error.error))
}

/// The byte of a refusal, as a pool or block says it.
pub fn refused(refusal: crate::Refusal) -> TransactionValidityError {
    InvalidTransaction::Custom(refusal.code()).into()
}

/// The same, as a call says it.
pub fn refused_call(refusal: crate::Refusal) -> DispatchError {
    crate::Error::<Test>::from(refusal).into()
}

/// The mock's genesis hash.
pub fn genesis() -> GenesisHash {
    Computation::genesis()
}

pub fn signed<M: CustodyMessage>(message: M, by: &ed25519::Pair) -> Signed<M> {
    let signature = by.sign(&message.signing_hash(&genesis()).0).0;
    Signed { message, signature }
}

/// The worker's word that an account may bind it.
pub fn consent(n: u32, operator: u8) -> Signature {
    signed(WorkConsent { worker: worker(n), operator: Account([operator; 32]) }, &identity(n)).signature
}

pub fn bind_call(pool: PoolId, n: u32, operator: u8) -> crate::Call<Test> {
    crate::Call::bind { pool, worker: worker(n), consent: consent(n, operator) }
}

/// A score of a worker's first instance, measured until the block before this one.
pub fn score_call(n: u32, score: u32) -> crate::Call<Test> {
    let block = block_ref(System::block_number().saturating_sub(1));
    crate::Call::report_score { report: signed(ScoreReport { worker: worker(n), score, block }, &instance(n)) }
}

/// The answer to what the chain has asked a worker.
pub fn heartbeat_call(n: u32, iterations: u64) -> crate::Call<Test> {
    let work = crate::Work::<Test>::get(worker(n)).unwrap();
    let (session, challenge) = (work.session.unwrap(), work.challenge.unwrap().block);
    let heartbeat = Heartbeat { worker: worker(n), session, challenge, iterations };
    crate::Call::heartbeat { heartbeat: signed(heartbeat, &instance(n)) }
}

/// Registers a worker and binds it to a pool.
pub fn bound(n: u32, pool: PoolId) {
    Registered::set(worker(n), &instance(n));
    let owner = SimplePools::get(pool.0).owner;
    call(owner, bind_call(pool, n, owner)).unwrap();
}

/// A bound worker with a score.
pub fn ready(n: u32, pool: PoolId) {
    bound(n, pool);
    if System::block_number() < 2 {
        next_block();
    }
    apply(score_call(n, SCORE)).unwrap().unwrap();
}

/// A worker that computes.
pub fn computing(n: u32, pool: PoolId) {
    ready(n, pool);
    let owner = SimplePools::get(pool.0).owner;
    call(owner, crate::Call::start { worker: worker(n), stake: STAKE }).unwrap();
}

/// Asks a worker, as if it had been drawn in this block.
pub fn challenge(n: u32) {
    let block = Computation::block();
    let time = Computation::time();
    let listed = crate::Work::<Test>::mutate(worker(n), |work| {
        let work = work.as_mut().unwrap();
        let free = work.challenge.is_none();
        work.challenge.get_or_insert(phala_messages::computation::Challenge { block, time });
        free
    });
    if listed {
        crate::Challenged::<Test>::mutate(block, |all| all.try_push(worker(n)).unwrap());
    }
}

/// Nobody is asked by chance.
pub fn ask_nobody() {
    let rules = WorkRules { challenges: 0, ..WorkRules::DEFAULT };
    govern(crate::Call::set_rules { rules }).unwrap();
}

/// The prices and the budget of the original's figures: twelve-second blocks, 100 PHA each, for ever.
pub fn original() {
    govern(crate::Call::set_tariff { tariff: Box::new(Parameters::ORIGINAL) }).unwrap();
    let budget = Schedule { start: BlockNumber(1), period_blocks: u32::MAX, first: Planck(100 * PHA) };
    govern(crate::Call::set_budget { budget }).unwrap();
}

pub fn session(n: u32) -> phala_economics::SessionRecord {
    crate::Sessions::<Test>::get(worker(n)).unwrap()
}

pub fn work(n: u32) -> phala_messages::computation::WorkRecord {
    crate::Work::<Test>::get(worker(n)).unwrap()
}
