//! A runtime with nothing but this pallet and what it stands on; sessions are whatever a test says.

use crate::{self as pallet_pools, Sessions};
use core::cell::RefCell;
use frame_support::{
    PalletId, derive_impl,
    dispatch::{DispatchResultWithPostInfo, RawOrigin},
    parameter_types,
    traits::{ConstU128, Hooks, fungible::Mutate as _, tokens::Preservation},
    weights::Weight,
};
use phala_economics::{Holding, PoolRecord, Ppm, Request, RequestId, Shares};
use phala_messages::PoolId;
use phala_units::{PHA, Planck};
use sp_runtime::{
    AccountId32, BuildStorage, DispatchError,
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
    #[runtime::pallet_index(61)]
    pub type Pools = pallet_pools::Pallet<Test>;
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
    /// The accounts of pools are derived from it.
    pub const Pallet: PalletId = PalletId(*b"phala/po");
    /// Receives slashes.
    pub SlashTo: AccountId32 = account(SLASHED);
    /// Receives what no pool takes.
    pub UnclaimedTo: AccountId32 = account(UNCLAIMED);
}

impl pallet_pools::Config for Test {
    type Currency = Balances;
    type Sessions = Computing;
    type PalletId = Pallet;
    type SlashTo = SlashTo;
    type UnclaimedTo = UnclaimedTo;
    type WeightInfo = crate::weights::SubstrateWeight<Test>;
}

/// 0.01 PHA.
pub const DEPOSIT: u128 = PHA / 100;
/// What each account starts with.
pub const RICH: u128 = 1_000_000 * PHA;
/// Owns pools.
pub const OWNER: u8 = 1;
/// Receives slashes.
pub const SLASHED: u8 = 250;
/// Receives rewards that no pool takes.
pub const UNCLAIMED: u8 = 251;
/// Pays rewards.
pub const POT: u8 = 252;
/// How long a worker cools down.
pub const COOL_DOWN: u32 = 7 * crate::DAY_BLOCKS;

/// A session: its stake, and the block in which it gives it back, if it has stopped.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub pool: PoolId,
    pub stake: u128,
    pub due: Option<u32>,
}

thread_local! {
    static SESSIONS: RefCell<Vec<Session>> = const { RefCell::new(Vec::new()) };
}

/// Sessions that a test started.
pub struct Computing;

impl Computing {
    /// Puts stake to work in a new session.
    pub fn start(pool: PoolId, stake: u128) -> Result<(), DispatchError> {
        Pools::take_stake(pool, Planck(stake))?;
        SESSIONS.with_borrow_mut(|all| all.push(Session { pool, stake, due: None }));
        Ok(())
    }

    /// Stops the `index`-th session of all.
    pub fn stop(index: usize) {
        SESSIONS.with_borrow_mut(|all| {
            let session = &mut all[index];
            session.due = session.due.or(Some(System::block_number() + COOL_DOWN));
        });
    }

    /// All sessions.
    pub fn all() -> Vec<Session> {
        SESSIONS.with_borrow(Clone::clone)
    }

    /// A session loses stake at once.
    pub fn slash(index: usize, amount: u128) {
        let (pool, lost) = SESSIONS.with_borrow_mut(|all| {
            let session = &mut all[index];
            let lost = amount.min(session.stake);
            session.stake -= lost;
            (session.pool, lost)
        });
        Pools::return_stake(pool, Planck(0), Planck(lost)).unwrap();
    }

    /// Workers that have cooled down give their stake back.
    pub fn give_back() {
        let now = System::block_number();
        let is_due = |session: &Session| session.due.is_some_and(|due| due <= now);
        let due: Vec<Session> = SESSIONS.with_borrow(|all| all.iter().copied().filter(is_due).collect());
        SESSIONS.with_borrow_mut(|all| all.retain(|session| !is_due(session)));
        for session in due {
            Pools::return_stake(session.pool, Planck(session.stake), Planck(0)).unwrap();
        }
    }

    /// The blocks in which stake comes back.
    pub fn dues() -> Vec<u32> {
        SESSIONS.with_borrow(|all| all.iter().filter_map(|session| session.due).collect())
    }
}

impl Sessions for Computing {
    fn release(pool: PoolId, wanted: Planck) -> Planck {
        let due = System::block_number() + COOL_DOWN;
        SESSIONS.with_borrow_mut(|all| {
            let stopped = |session: &&Session| session.pool == pool && session.due.is_some();
            let mut coming: u128 = all.iter().filter(stopped).map(|session| session.stake).sum();
            for session in all.iter_mut().filter(|session| session.pool == pool) {
                if coming >= wanted.0 {
                    break;
                }
                if session.due.is_none() {
                    session.due = Some(due);
                    coming += session.stake;
                }
            }
            Planck(coming)
        })
    }

    fn on_its_way(pool: PoolId) -> Planck {
        let coming = |session: &&Session| session.pool == pool && session.due.is_some();
        SESSIONS.with_borrow(|all| Planck(all.iter().filter(coming).map(|session| session.stake).sum()))
    }

    fn weight() -> Weight {
        Weight::from_parts(1_000_000_000, 0)
    }
}

/// An account by number.
pub fn account(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}

/// What it has outside pools.
pub fn balance(who: &AccountId32) -> u128 {
    Balances::free_balance(who)
}

/// Storage with rich accounts 1 to 99, at block 1.
pub fn new_test_ext() -> sp_io::TestExternalities {
    let mut balances: Vec<_> = (1..100).map(|n| (account(n), RICH)).collect();
    balances.extend([SLASHED, UNCLAIMED].map(|n| (account(n), DEPOSIT)));
    balances.push((account(POT), 1_000 * RICH));
    let genesis = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    SESSIONS.with_borrow_mut(Vec::clear);
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs `test` and checks the invariants after it; nobody made gifts to pools, so that these hold exactly what they note.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        check();
    });
}

/// Checks the invariants.
pub fn check() {
    Pools::do_try_state().unwrap();
    for (pool, record) in crate::Pools::<Test>::iter() {
        let noted = record.free.0 + record.at_work.0 + DEPOSIT;
        assert_eq!(balance(&Pools::account(pool)), noted, "{pool}");
    }
}

/// Lets an account make a call; one that fails changes nothing.
pub fn call(who: AccountId32, call: Call) -> Result<(), DispatchError> {
    let result: DispatchResultWithPostInfo = RuntimeCall::Pools(call).dispatch(RawOrigin::Signed(who).into());
    result.map(|_| ()).map_err(|error| error.error)
}

/// A call by account `n`.
pub fn by(n: u8, made: Call) -> Result<(), DispatchError> {
    call(account(n), made)
}

/// Refused with this error, and nothing changed.
pub fn refused(n: u8, made: Call, error: Error) {
    let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
    assert_eq!(by(n, made), Err(error.into()));
    assert_eq!(sp_io::storage::root(sp_runtime::StateVersion::V1), before, "a refusal changes nothing");
}

/// A stake pool of [`OWNER`]'s with so much commission, in per cent.
pub fn stake_pool(percent: u8) -> PoolId {
    let pool = PoolId(crate::PoolCount::<Test>::get());
    by(OWNER, Call::create_stake_pool { commission: Ppm::percent(percent) }).unwrap();
    pool
}

/// A vault of [`OWNER`]'s.
pub fn vault(percent: u8) -> PoolId {
    let pool = PoolId(crate::PoolCount::<Test>::get());
    by(OWNER, Call::create_vault { commission: Ppm::percent(percent) }).unwrap();
    pool
}

/// Account `n` contributes so many Planck.
pub fn contribute(n: u8, pool: PoolId, amount: u128) {
    by(n, Call::contribute { pool, amount: Planck(amount) }).unwrap();
}

/// Account `n` asks for so many shares' worth.
pub fn withdraw(n: u8, pool: PoolId, shares: u128) {
    by(n, Call::withdraw { pool, shares: Shares(shares) }).unwrap();
}

/// A vault of [`OWNER`]'s gives so many Planck to a stake pool.
pub fn invest(vault: PoolId, pool: PoolId, amount: u128) {
    by(OWNER, Call::vault_contribute { vault, pool, amount: Planck(amount) }).unwrap();
}

/// A reward arrives.
pub fn reward(pool: PoolId, amount: u128) {
    Balances::transfer(&account(POT), &Pools::account(pool), amount, Preservation::Preserve).unwrap();
    Pools::reward(pool, Planck(amount)).unwrap();
}

/// A pool's record.
pub fn record(pool: PoolId) -> PoolRecord {
    crate::Pools::<Test>::get(pool).unwrap()
}

/// What account `n` has of a pool.
pub fn holding(n: u8, pool: PoolId) -> Holding {
    crate::Holdings::<Test>::get(pool, account(n)).unwrap_or_default()
}

/// What account `n`'s shares are worth, as the pool was last settled.
pub fn worth(n: u8, pool: PoolId) -> u128 {
    record(pool).ledger.worth(holding(n, pool).shares()).0
}

/// The requests in a pool's queue.
pub fn requests(pool: PoolId) -> BTreeMap<RequestId, Request> {
    crate::Requests::<Test>::iter_prefix(pool).collect()
}

/// One block with so much room for the sweep; the invariants hold after it.
pub fn block(room: Weight) {
    make(room);
    Pools::do_try_state().unwrap();
}

/// One block: sessions give back what is due, and the sweep comes by.
fn make(room: Weight) {
    System::set_block_number(System::block_number() + 1);
    Computing::give_back();
    let now = System::block_number();
    Pools::on_initialize(now);
    let spent = Pools::on_idle(now, room);
    assert!(spent.all_lte(room), "the sweep spends {spent} of {room}");
}

/// So many blocks with room enough.
pub fn blocks(count: u32) {
    (0..count).for_each(|_| block(ROOM));
}

/// Room of a block that is not full.
pub const ROOM: Weight = Weight::from_parts(1_000_000_000_000, u64::MAX);

/// Days pass: blocks in which nothing can happen are left out, all others are made.
pub fn until(height: u32) {
    while System::block_number() < height {
        // What happens in one block has its consequences in the next few.
        (0..5.min(height - System::block_number())).for_each(|_| make(ROOM));
        Pools::do_try_state().unwrap();
        let now = System::block_number();
        let overdue = crate::Requests::<Test>::iter().map(|(_, _, request)| request.since.0 + crate::GRACE_BLOCKS);
        let next = overdue.chain(Computing::dues()).filter(|block| *block > now).min().unwrap_or(height);
        System::set_block_number(now.max(next.min(height) - 1));
    }
}

/// The pallet's events so far.
pub fn events() -> Vec<Event> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Pools(event) => Some(event),
            _ => None,
        })
        .collect()
}
