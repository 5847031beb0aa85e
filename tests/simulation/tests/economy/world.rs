//! Fifty stake pools, ten vaults, three hundred workers, and time that passes as it likes.

use crate::dice::Dice;
use frame_support::{
    storage::{TransactionOutcome, with_transaction},
    weights::Weight,
};
use pallet_computation as work;
use pallet_pools as pools;
use phala_economics::{PoolKind, PoolRecord, Ppm, Shares, WorkRules};
use phala_messages::PoolId;
use phala_runtime::{AccountId, Balances, Computation, Pools, Runtime, RuntimeCall, RuntimeOrigin, System};
use phala_simulation::economy::Economy;
pub use phala_simulation::economy::account;
use phala_units::{PHA, Planck};
use sp_runtime::{DispatchError, traits::Dispatchable};
use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

pub const STAKE_POOLS: u64 = 50;
pub const VAULTS: u64 = 10;
pub const WORKERS: u32 = 300;
pub const DELEGATORS: u64 = 150;
pub const DAY_BLOCKS: u32 = 43_200;
/// What is left of a block that nobody fills.
const ROOM: Weight = Weight::from_parts(500_000_000_000, 4_000_000);

/// Who owns a pool: six pools each.
pub fn owner(pool: PoolId) -> AccountId {
    account(pool.0 / 6)
}

pub fn delegator(dice: &mut Dice) -> AccountId {
    account(100 + dice.below(DELEGATORS))
}

/// The pool that a worker works for.
pub fn pool_of(n: u32) -> PoolId {
    PoolId(u64::from(n) % STAKE_POOLS)
}

pub struct World {
    pub dice: Dice,
    pub faults: u64,
    issued: u128,
    economy: Economy,
}

impl Deref for World {
    type Target = Economy;

    fn deref(&self) -> &Economy {
        &self.economy
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Economy {
        &mut self.economy
    }
}

impl World {
    pub fn new(dice: Dice) -> Self {
        let mut world = Self { dice, faults: 0, issued: 0, economy: Economy::new(WORKERS) };
        let rules = WorkRules { per_hour: 60, ..WorkRules::DEFAULT };
        let call = RuntimeCall::from(work::Call::<Runtime>::set_rules { rules });
        assert!(world.run(|| call.dispatch(RuntimeOrigin::root())).is_ok(), "the rules are set");
        for n in (0..10).chain(100..100 + DELEGATORS) {
            world.endow(account(n), 4_000_000 * PHA);
        }
        for id in 0..STAKE_POOLS + VAULTS {
            let (pool, commission) = (PoolId(id), Ppm::percent(world.dice.below(50) as u8));
            let call = match id < STAKE_POOLS {
                true => pools::Call::create_stake_pool { commission },
                false => pools::Call::create_vault { commission },
            };
            assert!(world.by(owner(pool), call), "the pool is founded");
        }
        for id in 0..STAKE_POOLS {
            let (pool, amount) = (PoolId(id), Planck(60_000 * PHA));
            assert!(world.by(owner(pool), pools::Call::contribute { pool, amount }), "its owner gives first");
        }
        world.block(ROOM);
        for n in 0..WORKERS {
            world.admit(n);
            assert!(world.bound(n), "the worker is bound");
            assert!(world.scored(n, 1_000), "its score is taken");
        }
        world.issued = world.run(Balances::total_issuance);
        world
    }

    /// Binds a worker to its pool.
    pub fn bound(&mut self, n: u32) -> bool {
        self.bind(n, pool_of(n), owner(pool_of(n)))
    }

    /// A worker reports its score.
    pub fn scored(&mut self, n: u32, score: u32) -> bool {
        let report = self.score(n, score);
        self.said(report)
    }

    /// A worker answers what it was asked, if it was.
    pub fn answered(&mut self, n: u32) -> bool {
        let answer = self.answer(n);
        answer.is_some_and(|answer| self.said(answer))
    }

    fn begin_with_chance(&mut self, number: u32) {
        let chance = self.dice.next();
        self.begin(number, chance);
    }

    /// Ends the block with so much room left, and begins the next.
    fn block(&mut self, room: Weight) {
        let number = self.end(room);
        self.begin_with_chance(number + 1);
    }

    /// One block, or a leap. Most blocks have room, some have little, some none.
    pub fn pass(&mut self) {
        match self.dice.below(24) {
            0..4 => self.block(Weight::zero()),
            4 | 5 => self.block(Weight::from_parts(2_000_000_000, 100_000)),
            6 => {
                // The chain stood still.
                self.lost_ms += self.dice.below(86_400_000);
                self.block(ROOM);
            }
            7 => {
                // Hours in which nobody does anything but answer. Sometimes a full block comes first: what fell due is still there.
                let until = self.run(System::block_number) + self.dice.below(u64::from(DAY_BLOCKS)) as u32;
                self.leap(until);
                if self.dice.percent(50) {
                    self.lost_ms += self.dice.below(8 * 86_400_000);
                    self.block(Weight::zero());
                }
            }
            _ => self.block(ROOM),
        }
    }

    /// Goes to a block far ahead, with a few blocks on the way.
    fn leap(&mut self, until: u32) {
        let now = self.run(System::block_number);
        let steps = 8.min(until.saturating_sub(now));
        for step in 1..=steps {
            self.begin_with_chance(now + (until - now) / steps * step);
            for n in 0..WORKERS {
                self.answered(n);
            }
            self.block(ROOM);
        }
    }

    /// What must hold after every block.
    pub fn check(&mut self) {
        let issued = self.issued;
        self.run(|| {
            Pools::do_try_state().expect("the books of pools balance");
            Computation::do_try_state().expect("the books of computation balance");
            assert_eq!(Balances::total_issuance(), issued, "no PHA is made or lost");
            let mut at_work: BTreeMap<PoolId, u128> = BTreeMap::new();
            for record in work::Sessions::<Runtime>::iter_values() {
                *at_work.entry(record.pool).or_default() += record.stake.0;
            }
            for (id, record) in pools::Pools::<Runtime>::iter() {
                let staked = at_work.get(&id).copied().unwrap_or_default();
                assert_eq!(record.at_work.0, staked, "{id}: what is at work is what sessions have");
                let record = if record.kind == PoolKind::Vault { settled(id) } else { record };
                let worth = record.ledger.worth(record.ledger.shares());
                let assets = record.free.0 + record.at_work.0 + invested(id);
                assert!(worth.0 <= assets, "{id}: no share is worth more than there is: {record:?}");
            }
        });
    }

    /// Everybody asks for everything back, and gets it in the time that is promised.
    pub fn everybody_leaves(&mut self) {
        let all: Vec<_> = self.run(|| pools::Holdings::<Runtime>::iter().collect());
        for (pool, who, holding) in all {
            let is_vault = self.run(|| pools::PoolAccounts::<Runtime>::contains_key(&who));
            if holding.free > Shares(0) && !is_vault {
                let gone = self.tried(who.clone(), pools::Call::withdraw { pool, shares: holding.free });
                assert_eq!(gone, Ok(()), "{who} has shares of {pool} and may go: {holding:?}");
            }
        }
        let now = self.run(System::block_number);
        for day in 1..=22 {
            self.leap(now + day * DAY_BLOCKS);
            self.check();
        }
        self.run(|| {
            for (pool, who, holding) in pools::Holdings::<Runtime>::iter() {
                let record = pools::Pools::<Runtime>::get(pool).unwrap();
                let is_vault = pools::PoolAccounts::<Runtime>::contains_key(&who);
                let is_owner = record.kind == PoolKind::Vault && who == owner(pool);
                assert!(is_vault || is_owner, "{who} could not leave {pool}: {holding:?}, {record:?}");
            }
        });
    }
}

/// A vault as whoever deals with it finds it: its price follows from what it has, and is looked at then.
fn settled(vault: PoolId) -> PoolRecord {
    let settle = RuntimeCall::from(pools::Call::<Runtime>::settle_vault { vault });
    let found = with_transaction(|| {
        // A vault without shares has nothing to settle.
        let _ = settle.dispatch(RuntimeOrigin::signed(account(0)));
        TransactionOutcome::Rollback(pools::Pools::<Runtime>::get(vault).ok_or(DispatchError::CannotLookup))
    });
    found.expect("there is such a vault")
}

/// What a vault has in stake pools.
fn invested(vault: PoolId) -> u128 {
    let who = Pools::account(vault);
    let pools = pools::Positions::<Runtime>::get(&who);
    let worth = |pool: &PoolId| {
        let holding = pools::Holdings::<Runtime>::get(pool, &who).unwrap_or_default();
        let ledger = pools::Pools::<Runtime>::get(pool).map(|record| record.ledger).unwrap_or_default();
        ledger.worth(holding.free).0 + ledger.worth(holding.queued).0
    };
    // Each part is rounded down by itself.
    pools.iter().map(|pool| worth(pool) + 2).sum()
}
