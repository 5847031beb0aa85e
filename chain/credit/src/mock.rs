//! A runtime with nothing but this pallet and what it stands on; programs, commands and workers are whatever a test says.

use crate::{self as pallet_credit, Earners, Programs as _};
use core::cell::RefCell;
use frame_support::{
    derive_impl,
    dispatch::{DispatchResultWithPostInfo, RawOrigin},
    parameter_types,
    traits::{ConstU32, ConstU128},
    weights::Weight,
};
use phala_messages::{
    Account, PoolId, ProgramId, ProgramLimits, WorkerId,
    credit::{CommandPrice, CreditRecord, Reservation},
};
use phala_units::{PHA, Planck};
use sp_runtime::{
    AccountId32, BuildStorage, DispatchError, DispatchResult,
    traits::{BlakeTwo256, Dispatchable, IdentityLookup},
};
use std::collections::BTreeMap;

type Header = sp_runtime::generic::Header<u32, BlakeTwo256>;
type Extrinsic = sp_runtime::generic::UncheckedExtrinsic<AccountId32, RuntimeCall, sp_runtime::MultiSignature, ()>;
type Block = sp_runtime::generic::Block<Header, Extrinsic>;
/// A call of the pallet.
pub type Call = crate::Call<Test>;
/// An error of the pallet.
pub type Error = crate::Error<Test>;
/// An event of the pallet.
pub type Event = crate::Event<Test>;

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
    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances::Pallet<Test>;
    #[runtime::pallet_index(62)]
    pub type Credit = pallet_credit::Pallet<Test>;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type AccountData = pallet_balances::AccountData<u128>;
    type DbWeight = frame_support::weights::constants::ParityDbWeight;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = u128;
    type ExistentialDeposit = ConstU128<DEPOSIT>;
    type AccountStore = System;
}

parameter_types! {
    /// Keeps credit and reservations.
    pub Escrow: AccountId32 = account(ESCROW);
    /// Is paid where no pool is.
    pub Pot: AccountId32 = account(POT);
}

impl pallet_credit::Config for Test {
    type Programs = Deployed;
    type Earners = Working;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Escrow = Escrow;
    type Pot = Pot;
    type StakeMin = ConstU128<STAKE_MIN>;
    type UnstakeBlocks = ConstU32<UNSTAKE_BLOCKS>;
    type LateBlocks = ConstU32<LATE_BLOCKS>;
    type AdminOrigin = frame_system::EnsureRoot<AccountId32>;
    type WeightInfo = crate::weights::SubstrateWeight<Test>;
}

/// 0.01 PHA.
pub const DEPOSIT: u128 = PHA / 100;
/// What each account starts with.
pub const RICH: u128 = 1_000_000 * PHA;
/// Least stake.
pub const STAKE_MIN: u128 = 10 * PHA;
/// Blocks until stake is back.
pub const UNSTAKE_BLOCKS: u32 = 70;
/// Blocks until a command is late.
pub const LATE_BLOCKS: u32 = 40;
/// Owns programs.
pub const OWNER: u8 = 1;
/// Sends commands.
pub const CALLER: u8 = 2;
/// Somebody else.
pub const OTHER: u8 = 3;
/// Has almost nothing.
pub const POOR: u8 = 100;
/// Keeps credit.
pub const ESCROW: u8 = 250;
/// Pays work.
pub const POT: u8 = 251;
/// The accounts of pools come after this one.
pub const POOLS: u8 = 200;
/// A worker of [`POOL`].
pub const WORKER: WorkerId = WorkerId([0x77; 32]);
/// A worker that works for nobody.
pub const IDLER: WorkerId = WorkerId([0x78; 32]);
/// A pool.
pub const POOL: PoolId = PoolId(4);
/// What commands cost in most tests.
pub const PRICE: CommandPrice =
    CommandPrice { base: Planck(PHA), per_byte: Planck(PHA / 1_000), per_million_fuel: Planck(PHA / 1_000) };
/// Bytes of the commands that tests send.
pub const BYTES: u32 = 100;
/// Their price: 1 PHA, 0.1 for bytes, 2 for two billions of fuel.
pub const COST: u128 = 31 * PHA / 10;

thread_local! {
    static PROGRAMS: RefCell<BTreeMap<ProgramId, Account>> = const { RefCell::new(BTreeMap::new()) };
    static WORKERS: RefCell<BTreeMap<WorkerId, PoolId>> = const { RefCell::new(BTreeMap::new()) };
    static REWARDS: RefCell<BTreeMap<PoolId, u128>> = const { RefCell::new(BTreeMap::new()) };
}

/// Programs that a test deployed.
pub struct Deployed;

impl crate::Programs for Deployed {
    fn owner(program: &ProgramId) -> Option<Account> {
        PROGRAMS.with_borrow(|all| all.get(program).copied())
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn deploy_for_benchmark(owner: &Account) -> ProgramId {
        let program = ProgramId([9; 32]);
        PROGRAMS.with_borrow_mut(|all| all.insert(program, *owner));
        program
    }
}

/// Workers that a test bound.
pub struct Working;

impl Working {
    /// A worker works for a pool from now on.
    pub fn bind(worker: WorkerId, pool: PoolId) {
        WORKERS.with_borrow_mut(|all| all.insert(worker, pool));
    }

    /// A worker works for nobody.
    pub fn unbind(worker: &WorkerId) {
        WORKERS.with_borrow_mut(|all| all.remove(worker));
    }

    /// What a pool was told that it has.
    pub fn rewarded(pool: PoolId) -> u128 {
        REWARDS.with_borrow(|all| all.get(&pool).copied().unwrap_or_default())
    }
}

impl Earners<AccountId32> for Working {
    fn pool(worker: &WorkerId) -> Option<PoolId> {
        WORKERS.with_borrow(|all| all.get(worker).copied())
    }

    fn account(pool: PoolId) -> AccountId32 {
        account(POOLS + pool.0 as u8)
    }

    fn reward(pool: PoolId, amount: Planck) {
        REWARDS.with_borrow_mut(|all| *all.entry(pool).or_default() += amount.0);
    }

    fn weight_of_reward() -> Weight {
        Weight::zero()
    }
}

/// An account by number.
pub fn account(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}

/// The same, as messages name it.
pub fn named(n: u8) -> Account {
    Account([n; 32])
}

/// What it has free.
pub fn balance(n: u8) -> u128 {
    Balances::free_balance(account(n))
}

/// Storage with rich accounts 1 to 99, pools and a pot, at block 1; commands cost nothing.
pub fn new_test_ext() -> sp_io::TestExternalities {
    let mut balances: Vec<_> = (1..100).map(|n| (account(n), RICH)).collect();
    balances.extend((POOLS..POOLS + 8).map(|n| (account(n), DEPOSIT)));
    balances.extend([(account(POT), RICH), (account(POOR), 2 * DEPOSIT)]);
    let genesis = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    PROGRAMS.with_borrow_mut(BTreeMap::clear);
    WORKERS.with_borrow_mut(BTreeMap::clear);
    REWARDS.with_borrow_mut(BTreeMap::clear);
    Working::bind(WORKER, POOL);
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs `test` and checks the invariants after it.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        check();
    });
}

/// Checks the invariants. Nobody made gifts, so the escrow holds exactly what it owes.
pub fn check() {
    Credit::do_try_state().unwrap();
    let mut owed = 0;
    for record in crate::Credits::<Test>::iter_values() {
        owed += record.free.0 + record.reserved.0;
    }
    for (_, _, reservation) in crate::Reservations::<Test>::iter() {
        owed += reservation.caller.map_or(0, |_| reservation.amount.0);
    }
    let escrow = balance(ESCROW);
    assert!(escrow == owed + DEPOSIT || (escrow, owed) == (0, 0), "{escrow} {owed}");
    for pool in 0..8 {
        let pool = PoolId(pool);
        assert_eq!(balance(POOLS + pool.0 as u8), DEPOSIT + Working::rewarded(pool), "a pool knows what it has");
    }
}

/// Lets an account make a call; one that fails changes nothing.
pub fn by(n: u8, made: Call) -> Result<(), DispatchError> {
    let result: DispatchResultWithPostInfo = RuntimeCall::Credit(made).dispatch(RawOrigin::Signed(account(n)).into());
    result.map(|_| ()).map_err(|error| error.error)
}

/// Refused with this error, and nothing changed.
pub fn refused(n: u8, made: Call, error: Error) {
    let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
    assert_eq!(by(n, made), Err(error.into()));
    assert_eq!(sp_io::storage::root(sp_runtime::StateVersion::V1), before, "a refusal changes nothing");
}

/// Governance sets the price.
pub fn set_price(price: CommandPrice) -> Result<(), DispatchError> {
    let result = RuntimeCall::Credit(Call::set_price { price }).dispatch(RawOrigin::Root.into());
    result.map(|_| ()).map_err(|error| error.error)
}

/// A program of account `n`.
pub fn deploy(n: u8, id: u8) -> ProgramId {
    let program = ProgramId([id; 32]);
    deploy_as(n, program);
    program
}

/// A program of account `n`, under this id.
pub fn deploy_as(n: u8, program: ProgramId) {
    PROGRAMS.with_borrow_mut(|all| all.insert(program, named(n)));
}

/// Removes a program, as programs do: its commands are refunded later.
pub fn remove(program: ProgramId) {
    let owner = Deployed::owner(&program).unwrap();
    PROGRAMS.with_borrow_mut(|all| all.remove(&program));
    Credit::removed(&program, &owner);
}

/// A program of [`OWNER`]'s, whose commands cost [`COST`].
pub fn priced_program() -> ProgramId {
    set_price(PRICE).unwrap();
    deploy(OWNER, 1)
}

/// Account `n` sends a command that may cost it so much.
pub fn order(program: ProgramId, command: u64, n: u8, price_max: Option<u128>) -> DispatchResult {
    let limits = ProgramLimits::default();
    frame_support::storage::with_storage_layer(|| {
        Credit::reserve(&program, command, named(n), BYTES, &limits, price_max.map(Planck))
    })
}

/// Blocks pass.
pub fn pass(blocks: u32) {
    System::set_block_number(System::block_number() + blocks);
}

/// A program's credit.
pub fn credit(program: ProgramId) -> CreditRecord {
    crate::Credits::<Test>::get(program)
}

/// What is laid aside for a command.
pub fn reservation(program: ProgramId, command: u64) -> Option<Reservation> {
    crate::Reservations::<Test>::get(program, command)
}

/// The newest event, which is the pallet's.
pub fn last_event() -> Event {
    let RuntimeEvent::Credit(event) = System::events().pop().unwrap().event else { panic!("the last event is ours") };
    event
}
