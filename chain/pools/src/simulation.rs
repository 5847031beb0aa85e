//! Seasons of a network, drawn from a seed: owners, delegators, vaults, workers that earn, stop and are slashed, full blocks and leaps
//! of time. After every block, or few blocks of a leap, the books balance, and nobody waits longer than is promised.

use crate::{DAY_BLOCKS, mock::*};
use frame_support::weights::Weight;
use phala_economics::{PoolKind, Ppm, Shares};
use phala_messages::PoolId;
use phala_units::Planck;
use std::collections::BTreeMap;

const STAKE_POOLS: u64 = 20;
const VAULTS: u64 = 5;
const DELEGATORS: u64 = 40;
const OPERATIONS: u32 = 10_000;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// From dust to a fortune.
    fn amount(&mut self) -> u128 {
        let digits = self.below(8) as u32;
        u128::from(1 + self.below(9)) * 10u128.pow(9 + digits) / 7
    }
}

/// What happened, by name.
type Tally = BTreeMap<&'static str, (u32, u32)>;

fn pool(dice: &mut Dice) -> PoolId {
    PoolId(dice.below(STAKE_POOLS))
}

fn some_vault(dice: &mut Dice) -> PoolId {
    PoolId(STAKE_POOLS + dice.below(VAULTS))
}

fn any_pool(dice: &mut Dice) -> PoolId {
    PoolId(dice.below(STAKE_POOLS + VAULTS))
}

/// A part of what there is: mostly some, sometimes all, sometimes too much.
fn part(dice: &mut Dice, all: u128) -> u128 {
    match dice.below(8) {
        0 => all,
        1 => all.saturating_add(1),
        _ => all / 1_000 * u128::from(dice.below(1_000)),
    }
}

/// One operation; its name, and whether it was carried out.
fn operate(dice: &mut Dice) -> (&'static str, bool) {
    let who = 2 + dice.below(DELEGATORS) as u8;
    match dice.below(34) {
        0..8 => {
            let (pool, amount) = (any_pool(dice), Planck(dice.amount()));
            ("contribute", by(who, Call::contribute { pool, amount }).is_ok())
        }
        8..13 => {
            let pool = any_pool(dice);
            let shares = Shares(part(dice, holding(who, pool).free.0));
            ("withdraw", by(who, Call::withdraw { pool, shares }).is_ok())
        }
        13..15 => {
            let pool = any_pool(dice);
            let queue: Vec<_> = requests(pool).into_iter().filter(|(_, request)| request.vault.is_none()).collect();
            let Some((request, found)) = queue.get(dice.below(queue.len() as u64) as usize) else {
                return ("cancel", false);
            };
            let (holder, request) = (found.holder.0.into(), *request);
            let shares = Shares(part(dice, found.shares.0));
            ("cancel", call(holder, Call::cancel_withdrawal { pool, request, shares }).is_ok())
        }
        15..17 => {
            let (pool, to) = (any_pool(dice), account(2 + dice.below(DELEGATORS) as u8));
            let shares = Shares(part(dice, holding(who, pool).free.0));
            ("transfer", by(who, Call::transfer_shares { pool, to, shares }).is_ok())
        }
        17..20 => {
            let (vault, pool) = (some_vault(dice), pool(dice));
            let amount = Planck(part(dice, record(vault).free.0));
            ("invest", by(OWNER, Call::vault_contribute { vault, pool, amount }).is_ok())
        }
        20 => {
            let (vault, pool) = (some_vault(dice), pool(dice));
            let had = crate::Holdings::<Test>::get(pool, Pools::account(vault)).unwrap_or_default().free.0;
            let shares = Shares(part(dice, had));
            ("divest", by(OWNER, Call::vault_withdraw { vault, pool, shares }).is_ok())
        }
        21 => ("settle", by(who, Call::settle_vault { vault: some_vault(dice) }).is_ok()),
        22 => {
            let (pool, rate) = (any_pool(dice), Ppm::percent(dice.below(101) as u8));
            ("rate", by(OWNER, Call::set_commission { pool, rate }).is_ok())
        }
        23 => {
            let (pool, cap) = (any_pool(dice), (dice.below(4) == 0).then(|| Planck(dice.amount() * 100)));
            ("cap", by(OWNER, Call::set_cap { pool, cap }).is_ok())
        }
        24..28 => {
            let pool = pool(dice);
            let stake = part(dice, record(pool).free.0);
            ("start", stake > 0 && Computing::start(pool, stake).is_ok())
        }
        28 => {
            let sessions = Computing::all().len();
            if sessions > 0 {
                Computing::stop(dice.below(sessions as u64) as usize);
            }
            ("stop", sessions > 0)
        }
        29 => {
            let sessions = Computing::all();
            let index = dice.below(sessions.len() as u64) as usize;
            let Some(session) = sessions.get(index) else { return ("slash", false) };
            let lost =
                if dice.below(12) == 0 { session.stake } else { session.stake / 1_000 * u128::from(dice.below(100)) };
            Computing::slash(index, lost);
            ("slash", lost > 0)
        }
        _ => {
            let pool = pool(dice);
            reward(pool, dice.amount() / 100);
            ("reward", true)
        }
    }
}

/// Nobody waits longer than is promised, from the last slash on.
fn check_waits(slashed: u32) {
    let now = System::block_number();
    for (pool, id, request) in crate::Requests::<Test>::iter() {
        let record = record(pool);
        let days = if record.kind == PoolKind::Vault { 21 } else { 14 };
        let since = request.since.0.max(slashed);
        assert!(
            now.saturating_sub(since) <= days * DAY_BLOCKS || record.ledger.worth(request.shares).0 < DEPOSIT,
            "{pool}, {id} waits since block {since}, now {now}: {request:?} {record:?}"
        );
    }
}

/// Plays a seed; returns what happened.
fn play(seed: u64) -> Tally {
    let mut tally = Tally::new();
    let mut dice = Dice(seed);
    new_test_ext().execute_with(|| {
        for _ in 0..STAKE_POOLS {
            stake_pool(dice.below(50) as u8);
        }
        for _ in 0..VAULTS {
            vault(dice.below(50) as u8);
        }
        let issued = Balances::total_issuance();
        let (mut done, mut slashed) = (0, 0);
        while done < OPERATIONS {
            for _ in 0..1 + dice.below(50) {
                let (name, carried_out) = operate(&mut dice);
                let (yes, no) = tally.entry(name).or_default();
                *if carried_out { yes } else { no } += 1;
                done += 1;
                if name == "slash" && carried_out {
                    slashed = System::block_number();
                }
            }
            // Most blocks have room, some have little, some none.
            match dice.below(10) {
                0 | 1 => block(Weight::zero()),
                2 => block(crate::Pallet::<Test>::sweep_min()),
                3 => {
                    // Days in which nobody does anything.
                    let next = System::block_number() + dice.below(6 * u64::from(DAY_BLOCKS)) as u32;
                    until(next);
                    check_waits(slashed);
                }
                _ => block(ROOM),
            }
            System::reset_events();
            check();
            assert_eq!(Balances::total_issuance(), issued, "no PHA is made or lost");
        }
        // Everybody leaves; nothing keeps them.
        for (pool, who, holding) in crate::Holdings::<Test>::iter().collect::<Vec<_>>() {
            let is_vault = crate::PoolAccounts::<Test>::contains_key(&who);
            if holding.free > Shares(0) && !is_vault {
                call(who, Call::withdraw { pool, shares: holding.free }).unwrap();
            }
        }
        until(System::block_number() + 22 * DAY_BLOCKS);
        check();
        for (pool, who, holding) in crate::Holdings::<Test>::iter() {
            let is_vault = crate::PoolAccounts::<Test>::contains_key(&who);
            let is_owner = record(pool).kind == PoolKind::Vault && who == account(OWNER);
            assert!(is_vault || is_owner, "{who} could not leave {pool}: {holding:?}, {:?}", record(pool));
        }
    });
    tally
}

#[test]
fn the_books_balance_through_seasons() {
    let tally = play(1);
    for (name, (yes, _)) in &tally {
        assert!(*yes > 20, "{name} hardly ever happened: {tally:?}");
    }
    assert_eq!(tally.len(), 13, "{tally:?}");
}
