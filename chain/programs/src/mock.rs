//! A runtime with nothing but this pallet and what it stands on; workers are whatever a test says.

use crate::{self as pallet_programs, Workers};
use core::{cell::RefCell, ops::Range};
use frame_support::{
    derive_impl,
    dispatch::GetDispatchInfo,
    parameter_types,
    traits::{ConstU32, ConstU128, Hooks, fungible::InspectHold as _},
    weights::Weight,
};
use frame_system::AuthorizeCall;
use phala_messages::{
    Account, ClusterId, CodeHash, CommandRecord, GenesisHash, Hash, InstanceKey, Manifest, ProgramId, ProgramLimits,
    SealedCommand, Signature, StateRoot, TransportKey, WorkerId,
    anchor::{Anchor, SignedAnchor},
    custody::RootGeneration,
    lead::{LeadMessage, LeadStep, SignedLeadMessage},
    moves::{KeyName, Moved, SignedMoved},
    program::{Ready, SignedReady},
};
use phala_units::Planck;
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
    #[runtime::pallet_index(51)]
    pub type Programs = pallet_programs::Pallet<Test>;
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
    type ExistentialDeposit = ConstU128<10>;
    type AccountStore = System;
}

parameter_types! {
    /// A test may ask for more than one worker per cluster.
    pub static WorkersPerCluster: u32 = 1;
    /// Whether gatekeepers guard programs' keys.
    pub static Guarded: bool = false;
    /// The root that takes programs.
    pub static OpenRoot: RootGeneration = RootGeneration(0);
    /// What a command's byte costs.
    pub static Price: u128 = 0;
    /// Nobody can pay for commands.
    pub static Broke: bool = false;
}

pub struct Gatekeepers;

impl pallet_programs::Keys for Gatekeepers {
    fn deployed(_: &ProgramId) -> DispatchResult {
        Ok(())
    }

    fn removed(_: &ProgramId) {}

    fn guarded(_: &ProgramId) -> bool {
        Guarded::get()
    }

    fn root(program: &ProgramId) -> Option<RootGeneration> {
        Guarded::get().then(|| ROOTS.with_borrow(|all| all.get(program).copied().unwrap_or_default()))
    }

    fn root_wanted(_: &ProgramId) -> Option<RootGeneration> {
        Guarded::get().then(OpenRoot::get)
    }

    fn moved(program: &ProgramId, root: Option<RootGeneration>) -> DispatchResult {
        let root = root.filter(|root| *root == OpenRoot::get()).ok_or(DispatchError::Other("not open"))?;
        ROOTS.with_borrow_mut(|all| all.insert(*program, root));
        Ok(())
    }
}

/// What the [`Purse`] was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// `spent`.
    Spent(ProgramId, Range<u64>, WorkerId),
    /// `refunded`.
    Refunded(ProgramId, u64),
    /// `removed`.
    Removed(ProgramId, Account),
}

/// Where the [`Purse`] remembers.
const PURSE: &[u8] = b"the mock's purse";

/// Remembers for which commands it was asked to lay something aside, in storage: what fails is taken back.
pub struct Purse;

impl Purse {
    fn key(program: &ProgramId, index: u64) -> Vec<u8> {
        [PURSE, &program.0, &index.to_be_bytes()].concat()
    }

    fn take(program: &ProgramId, index: u64) {
        let taken = frame_support::storage::unhashed::take::<u128>(&Self::key(program, index));
        assert!(taken.is_some(), "a command is spent or refunded once");
        let command = crate::Commands::<Test>::get(program, index).unwrap();
        let held = Balances::balance_on_hold(&crate::HoldReason::Command.into(), &command.caller.0.into());
        assert!(held >= command.deposit.0, "its deposit is still held");
    }

    /// What lies aside for a command.
    pub fn reserved(program: &ProgramId, index: u64) -> Option<u128> {
        frame_support::storage::unhashed::get(&Self::key(program, index))
    }

    /// What it was told so far.
    pub fn told() -> Vec<Paid> {
        PAID.with_borrow(Clone::clone)
    }

    /// Something lies aside for each command, and for nothing else.
    pub fn check() {
        let mut commands = 0;
        for (program, index) in crate::Commands::<Test>::iter_keys() {
            assert!(Self::reserved(&program, index).is_some(), "{program} {index}");
            commands += 1;
        }
        let mut aside = 0;
        let mut key = PURSE.to_vec();
        while let Some(next) = sp_io::storage::next_key(&key).filter(|next| next.starts_with(PURSE)) {
            aside += 1;
            key = next;
        }
        assert_eq!(commands, aside);
    }
}

impl crate::Payments for Purse {
    fn reserve(
        program: &ProgramId,
        index: u64,
        command: &CommandRecord,
        limits: &ProgramLimits,
        price_max: Option<Planck>,
    ) -> DispatchResult {
        assert_eq!(*limits, crate::Programs::<Test>::get(program).unwrap().manifest.limits);
        assert_eq!(Self::reserved(program, index), None, "a command is reserved for once");
        let price = Price::get() * command.sealed.len() as u128;
        frame_support::ensure!(price_max.is_none_or(|max| price <= max.0), DispatchError::Other("too dear"));
        frame_support::storage::unhashed::put(&Self::key(program, index), &price);
        frame_support::ensure!(!Broke::get(), DispatchError::Other("nobody pays"));
        Ok(())
    }

    fn spent(program: &ProgramId, commands: Range<u64>, worker: &WorkerId) {
        for index in commands.clone() {
            Self::take(program, index);
        }
        PAID.with_borrow_mut(|all| all.push(Paid::Spent(*program, commands, *worker)));
    }

    fn refunded(program: &ProgramId, command: u64) {
        Self::take(program, command);
        PAID.with_borrow_mut(|all| all.push(Paid::Refunded(*program, command)));
    }

    fn removed(program: &ProgramId, owner: &Account) {
        PAID.with_borrow_mut(|all| all.push(Paid::Removed(*program, *owner)));
    }

    fn weight_of_reserve() -> Weight {
        Weight::from_parts(1, 0)
    }

    fn weight_of_spent(commands: u32) -> Weight {
        Weight::from_parts(commands.into(), 0)
    }

    fn weight_of_refunded() -> Weight {
        Weight::from_parts(7, 0)
    }

    fn weight_of_removed() -> Weight {
        Weight::from_parts(3, 0)
    }
}

impl pallet_programs::Config for Test {
    type Workers = Registered;
    type Keys = Gatekeepers;
    type Payments = Purse;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Time = Timestamp;
    type WorkersPerCluster = WorkersPerCluster;
    type LeadPatience = ConstU32<PATIENCE>;
    type ProgramDeposit = ConstU128<PROGRAM_DEPOSIT>;
    type CommandDepositBase = ConstU128<COMMAND_DEPOSIT_BASE>;
    type CommandDepositPerByte = ConstU128<1>;
    type WeightInfo = crate::weights::SubstrateWeight<Test>;
}

/// Blocks that a doubted lead has.
pub const PATIENCE: u32 = 30;
/// Held per program.
pub const PROGRAM_DEPOSIT: u128 = 1_000;
/// Held per command, beside one Planck per byte.
pub const COMMAND_DEPOSIT_BASE: u128 = 100;
/// What each account starts with.
pub const RICH: u128 = 10_000_000;
/// Bytes of the command that tests send.
pub const SEALED_BYTES: usize = 48;
/// Time of the block in which tests run.
pub const NOW: u64 = 1_700_000_000_000;

thread_local! {
    static PAID: RefCell<Vec<Paid>> = const { RefCell::new(Vec::new()) };
    static ROOTS: RefCell<BTreeMap<ProgramId, RootGeneration>> = const { RefCell::new(BTreeMap::new()) };
    static REGISTERED: RefCell<BTreeMap<WorkerId, (InstanceKey, bool)>> = const { RefCell::new(BTreeMap::new()) };
}

/// Workers that a test registered.
pub struct Registered;

impl Registered {
    /// Registers a worker's instance, admitted or expired.
    pub fn set(worker: WorkerId, instance: &ed25519::Pair, admitted: bool) {
        let key = InstanceKey(instance.public().0);
        REGISTERED.with_borrow_mut(|all| all.insert(worker, (key, admitted)));
    }
}

impl Workers for Registered {
    fn admits(worker: &WorkerId, instance: &InstanceKey) -> bool {
        REGISTERED.with_borrow(|all| all.get(worker).is_some_and(|(key, admitted)| key == instance && *admitted))
    }

    fn instance(worker: &WorkerId) -> Option<InstanceKey> {
        REGISTERED.with_borrow(|all| all.get(worker).map(|(key, _)| *key))
    }

    fn exists(worker: &WorkerId) -> bool {
        REGISTERED.with_borrow(|all| all.contains_key(worker))
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn admit_for_benchmark(worker: &WorkerId, instance: &InstanceKey) {
        REGISTERED.with_borrow_mut(|all| all.insert(*worker, (*instance, true)));
    }
}

/// An account by number.
pub fn account(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}

/// Owns clusters and programs.
pub fn owner() -> AccountId32 {
    account(1)
}

/// Sends commands.
pub fn caller() -> AccountId32 {
    account(2)
}

/// The worker that tests assign.
pub const WORKER: WorkerId = WorkerId([0x77; 32]);
/// Another one.
pub const OTHER_WORKER: WorkerId = WorkerId([0x78; 32]);
/// The cluster that tests found first.
pub const CLUSTER: ClusterId = ClusterId(0);
/// The key that tests make programs ready with.
pub const TRANSPORT: TransportKey = TransportKey([0x55; 32]);

/// The instance of [`WORKER`].
pub fn instance() -> ed25519::Pair {
    ed25519::Pair::from_seed(&[1; 32])
}

/// An instance that nobody registered.
pub fn other_instance() -> ed25519::Pair {
    ed25519::Pair::from_seed(&[2; 32])
}

/// Storage with rich accounts, the worker registered, at block 1.
pub fn new_test_ext() -> sp_io::TestExternalities {
    let balances = [1, 2, 3].map(|n| (account(n), RICH)).to_vec();
    let genesis = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    REGISTERED.with_borrow_mut(BTreeMap::clear);
    ROOTS.with_borrow_mut(BTreeMap::clear);
    WorkersPerCluster::set(1);
    Guarded::set(false);
    OpenRoot::set(RootGeneration(0));
    Price::set(0);
    Broke::set(false);
    PAID.with_borrow_mut(Vec::clear);
    Registered::set(WORKER, &instance(), true);
    Registered::set(OTHER_WORKER, &other_instance(), true);
    ext.execute_with(|| {
        System::set_block_number(1);
        Timestamp::set_timestamp(NOW);
    });
    ext
}

/// Runs `test` and checks the invariants after it.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Programs::do_try_state().unwrap();
        Purse::check();
    });
}

/// Lets an account make a call.
pub fn call(who: AccountId32, call: crate::Call<Test>) -> Result<(), DispatchError> {
    use frame_support::dispatch::{DispatchResultWithPostInfo, RawOrigin};
    use sp_runtime::traits::Dispatchable;
    let result: DispatchResultWithPostInfo = RuntimeCall::Programs(call).dispatch(RawOrigin::Signed(who).into());
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

/// The mock's genesis hash.
pub fn genesis() -> GenesisHash {
    GenesisHash(System::block_hash(0).0)
}

pub fn sign(pair: &ed25519::Pair, hash: Hash) -> Signature {
    pair.sign(&hash.0).0
}

/// `ready` by `worker`, signed by `by`.
pub fn ready(program: ProgramId, worker: WorkerId, by: &ed25519::Pair) -> crate::Call<Test> {
    let ready = Ready { program, transport: TRANSPORT, worker };
    let signature = sign(by, ready.signing_hash(&genesis()));
    crate::Call::ready { ready: SignedReady { ready, signature } }
}

/// An anchor of `from..to` by `worker`, signed by `by`. Its root is made of the version.
pub fn anchor(program: ProgramId, from: u64, to: u64, worker: WorkerId, by: &ed25519::Pair) -> crate::Call<Test> {
    let anchor = Anchor { program, from, to, root: StateRoot([to as u8; 32]), results: Hash([0xee; 32]), worker };
    let signature = sign(by, anchor.signing_hash(&genesis()));
    crate::Call::anchor { anchor: SignedAnchor { anchor, signature } }
}

/// A move of `program` by `worker`, signed by `by`.
pub fn moved(program: ProgramId, to: KeyName, version: u64, root: StateRoot, by: &ed25519::Pair) -> crate::Call<Test> {
    let transport = TransportKey([0x60 + to.code.0 as u8 + 8 * to.root.unwrap_or_default().0 as u8; 32]);
    let moved = Moved { program, to, transport, version, root, worker: WORKER };
    let signature = sign(by, moved.signing_hash(&genesis()));
    crate::Call::moved { moved: SignedMoved { moved, signature } }
}

/// A message about who leads, for the chain as it stands.
pub fn lead_message(step: LeadStep, worker: WorkerId, by: &ed25519::Pair) -> crate::Call<Test> {
    let record = crate::Leads::<Test>::get(CLUSTER);
    sign_lead(LeadMessage { cluster: CLUSTER, term: record.term, newest: record.newest(), step, worker }, by)
}

/// A message about who leads.
pub fn sign_lead(message: LeadMessage, by: &ed25519::Pair) -> crate::Call<Test> {
    let signature = sign(by, message.signing_hash(&genesis()));
    crate::Call::lead { lead: SignedLeadMessage { message, signature } }
}

/// The deployment that tests make.
pub fn deploy_call() -> crate::Call<Test> {
    crate::Call::deploy {
        cluster: CLUSTER,
        name: b"hello".to_vec().try_into().unwrap(),
        code: CodeHash([0xcc; 32]),
        code_bytes: 1_000,
        manifest: Manifest::default(),
    }
}

/// Sealed bytes, all of one kind.
pub fn sealed(bytes: usize) -> SealedCommand {
    vec![0xab; bytes].try_into().unwrap()
}

/// A command of [`SEALED_BYTES`] to `program`.
pub fn command(program: ProgramId) -> crate::Call<Test> {
    crate::Call::command { program, sealed: sealed(SEALED_BYTES) }
}

/// Founds the cluster and assigns the worker.
pub fn found_cluster() {
    call(owner(), crate::Call::create_cluster {}).unwrap();
    call(owner(), crate::Call::assign_worker { cluster: CLUSTER, worker: WORKER }).unwrap();
}

/// Deploys a program to the cluster.
pub fn deploy() -> ProgramId {
    let count = crate::ProgramCount::<Test>::get();
    call(owner(), deploy_call()).unwrap();
    ProgramId::derive(&Programs::account(&owner()), count)
}

/// A cluster with a live program.
pub fn live_program() -> ProgramId {
    found_cluster();
    let program = deploy();
    apply(ready(program, WORKER, &instance())).unwrap().unwrap();
    program
}

/// The cluster's activity.
pub fn activity() -> u64 {
    crate::Clusters::<Test>::get(CLUSTER).unwrap().activity
}

/// An idle moment with all the room there is.
pub fn idle() -> frame_support::weights::Weight {
    Programs::on_idle(1, frame_support::weights::Weight::MAX)
}
