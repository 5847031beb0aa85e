//! Vaults: what they are worth, what their owners take, and how one gets out of them.

use crate::{DAY_BLOCKS, GRACE_BLOCKS, mock::*};
use phala_economics::{NOTICE_BLOCKS, Ppm, RequestId, Shares};
use phala_messages::PoolId;
use phala_units::{PHA, Planck};

/// What account `n` has, more than at the beginning.
fn gained(n: u8) -> i128 {
    balance(&account(n)) as i128 - RICH as i128
}

/// Thousandths of a PHA, to the nearest.
fn thousandths(amount: u128) -> u128 {
    (amount + PHA / 2_000) / (PHA / 1_000)
}

fn settle(vault: PoolId) {
    by(9, Call::settle_vault { vault }).unwrap();
}

/// What a vault has of a stake pool.
fn held(vault: PoolId, pool: PoolId) -> phala_economics::Holding {
    crate::Holdings::<Test>::get(pool, Pools::account(vault)).unwrap_or_default()
}

#[test]
fn a_vault_is_worth_what_it_has_free_and_in_its_pools() {
    run(|| {
        let (a, b, vault) = (stake_pool(0), stake_pool(0), vault(0));
        contribute(2, vault, 100 * PHA);
        invest(vault, a, 40 * PHA);
        invest(vault, b, 40 * PHA);
        assert_eq!((record(vault).free, record(vault).ledger.value()), (Planck(20 * PHA), Planck(100 * PHA)));
        reward(a, 10 * PHA);
        Computing::start(b, 40 * PHA).unwrap();
        Computing::slash(0, 20 * PHA);
        settle(vault);
        assert_eq!(worth(2, vault), 90 * PHA);
        contribute(3, vault, 90 * PHA);
        assert_eq!(holding(3, vault).free, Shares(100 * PHA));
    });
}

#[test]
fn a_vault_gives_to_stake_pools_only_and_only_what_is_free() {
    run(|| {
        let (pool, first, second) = (stake_pool(0), vault(0), vault(0));
        contribute(2, first, 100 * PHA);
        let give = |vault, pool, amount| Call::vault_contribute { vault, pool, amount: Planck(amount) };
        refused(OWNER, give(first, second, PHA), Error::NotStakePool);
        refused(OWNER, give(first, first, PHA), Error::NotStakePool);
        refused(OWNER, give(pool, pool, PHA), Error::NotVault);
        refused(OWNER, give(PoolId(9), pool, PHA), Error::PoolUnknown);
        refused(OWNER, give(first, pool, 100 * PHA + 1), Error::NotEnoughFree);
        refused(9, Call::settle_vault { vault: pool }, Error::NotVault);
        refused(OWNER, Call::vault_withdraw { vault: first, pool: second, shares: Shares(1) }, Error::NotStakePool);
        assert_eq!(Pools::take_stake(first, Planck(1)), Err(Error::NotStakePool.into()));
        by(OWNER, give(first, pool, 100 * PHA)).unwrap();
        // A list lets a vault in by its account.
        by(OWNER, Call::add_to_list { pool, account: account(7), note: Default::default() }).unwrap();
        contribute(2, first, PHA);
        refused(OWNER, give(first, pool, PHA), Error::NotListed);
        by(OWNER, Call::add_to_list { pool, account: Pools::account(first), note: Default::default() }).unwrap();
        by(OWNER, give(first, pool, PHA)).unwrap();
    });
}

#[test]
fn who_comes_late_does_not_pay_for_what_was_gained_before() {
    run(|| {
        // Bob 10,000; they gain 50; Jack 3,000; 5 % commission.
        let (pool, vault) = (stake_pool(0), vault(5));
        contribute(2, vault, 10_000 * PHA);
        invest(vault, pool, 10_000 * PHA);
        reward(pool, 50 * PHA);
        contribute(3, vault, 3_000 * PHA);
        let owner = holding(OWNER, vault).free;
        assert_eq!(thousandths(owner.0), 2_488);
        assert_eq!(thousandths(worth(OWNER, vault)), 2_500);
        assert_eq!(thousandths(holding(3, vault).free.0), 2_985_817);
        assert_eq!(thousandths(record(vault).ledger.shares().0), 12_988_306);
        assert!(events().contains(&Event::CommissionTaken { vault, shares: owner }));
        let jack = worth(3, vault);
        settle(vault);
        assert_eq!((worth(3, vault), holding(OWNER, vault).free), (jack, owner));
        // The owner is a holder like others, and leaves like them.
        withdraw(OWNER, vault, owner.0);
        assert_eq!(holding(OWNER, vault).free, Shares(0));
    });
}

#[test]
fn an_owner_who_wants_everything_gets_the_commission_of_that_moment_too() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(10));
        contribute(2, vault, 100 * PHA);
        invest(vault, pool, 100 * PHA);
        reward(pool, PHA / 100);
        settle(vault);
        let seen = holding(OWNER, vault).free;
        assert!(seen > Shares(0) && worth(OWNER, vault) < PHA / 100, "too little to ask for a part of it");
        // The call itself values the vault, and the owner has more than it saw.
        reward(pool, PHA / 100);
        by(OWNER, Call::withdraw { pool: vault, shares: seen }).unwrap();
        assert_eq!(holding(OWNER, vault).free, Shares(0));
    });
}

#[test]
fn a_loss_is_made_good_before_the_owner_takes_again() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(50));
        contribute(2, vault, 1_000 * PHA);
        invest(vault, pool, 1_000 * PHA);
        Computing::start(pool, 1_000 * PHA).unwrap();
        reward(pool, 100 * PHA);
        settle(vault);
        let owner = holding(OWNER, vault).free;
        Computing::slash(0, 90 * PHA);
        settle(vault);
        reward(pool, 90 * PHA);
        settle(vault);
        assert_eq!(holding(OWNER, vault).free, owner);
        reward(pool, PHA);
        settle(vault);
        assert!(holding(OWNER, vault).free > owner);
    });
}

#[test]
fn a_vault_pays_from_what_its_pools_pay_and_nobody_has_to_act() {
    run(|| {
        let (a, b, vault) = (stake_pool(0), stake_pool(0), vault(0));
        contribute(2, vault, 100 * PHA);
        invest(vault, a, 50 * PHA);
        invest(vault, b, 50 * PHA);
        Computing::start(a, 50 * PHA).unwrap();
        withdraw(2, vault, 30 * PHA);
        assert_eq!(gained(2), -100 * PHA as i128);
        // The one that can pay at once is asked; the one at work is left alone.
        blocks(3);
        assert_eq!(gained(2), -70 * PHA as i128);
        assert!(held(vault, a).queued == Shares(0) && held(vault, b).free < Shares(20 * PHA));
        assert!(requests(vault).is_empty() && requests(a).is_empty() && requests(b).is_empty());
        // The margin that was asked for beyond that is the vault's to give again.
        let rest = record(vault).free.0;
        assert!(rest > 0 && rest < PHA);
        invest(vault, b, rest);
    });
}

#[test]
fn a_vaults_owner_does_not_give_away_what_the_queue_is_owed() {
    run(|| {
        let (a, b, vault) = (stake_pool(0), stake_pool(0), vault(0));
        contribute(2, vault, 100 * PHA);
        invest(vault, a, 90 * PHA);
        Computing::start(a, 90 * PHA).unwrap();
        withdraw(2, vault, 50 * PHA);
        assert_eq!(gained(2), -90 * PHA as i128);
        contribute(3, vault, 60 * PHA);
        let give = |amount| Call::vault_contribute { vault, pool: b, amount: Planck(amount) };
        refused(OWNER, give(20 * PHA + 1), Error::NotEnoughFree);
        by(OWNER, give(20 * PHA)).unwrap();
        blocks(2);
        assert_eq!(gained(2), -50 * PHA as i128);
    });
}

#[test]
fn what_a_vault_asked_back_for_others_stays_asked() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(0));
        contribute(2, vault, 100 * PHA);
        invest(vault, pool, 100 * PHA);
        Computing::start(pool, 100 * PHA).unwrap();
        by(OWNER, Call::vault_withdraw { vault, pool, shares: Shares(10 * PHA) }).unwrap();
        let cancel =
            |request, shares| Call::vault_cancel { vault, pool, request: RequestId(request), shares: Shares(shares) };
        by(OWNER, cancel(0, 4 * PHA)).unwrap();
        assert_eq!(held(vault, pool).queued, Shares(6 * PHA));
        refused(2, Call::cancel_withdrawal { pool, request: RequestId(0), shares: Shares(1) }, Error::NotHolder);
        withdraw(2, vault, 20 * PHA);
        blocks(2);
        assert!(held(vault, pool).queued >= Shares(20 * PHA));
        refused(OWNER, cancel(0, 6 * PHA), Error::VaultQueue);
        by(2, Call::cancel_withdrawal { pool: vault, request: RequestId(0), shares: Shares(20 * PHA) }).unwrap();
        by(OWNER, cancel(0, 6 * PHA)).unwrap();
    });
}

#[test]
fn a_vault_is_left_within_twenty_one_days_whatever_its_owner_does() {
    run(|| {
        // Three pools that are wholly at work, whose owners stop nothing; a vault whose owner does nothing; and its price rises more
        // than that of the pools that it asked.
        let pools = [stake_pool(0), stake_pool(0), stake_pool(0)];
        let vault = vault(20);
        (2..=21).for_each(|n| contribute(n, vault, 900 * PHA));
        for pool in pools {
            invest(vault, pool, 6_000 * PHA);
            (0..6).for_each(|_| Computing::start(pool, 1_000 * PHA).unwrap());
        }
        let mut asked = Vec::new();
        for n in 2..=21 {
            withdraw(n, vault, 900 * PHA);
            asked.push((n, System::block_number()));
            until(System::block_number() + DAY_BLOCKS / 2);
            reward(pools[2], 10 * PHA);
        }
        for (n, since) in asked {
            until(since + 21 * DAY_BLOCKS);
            assert!(gained(n) >= 0, "account {n} has waited for twenty-one days");
            assert_eq!(holding(n, vault).shares(), Shares(0));
        }
    });
}

#[test]
fn a_slash_on_the_way_does_not_keep_anybody_longer() {
    run(|| {
        let pools = [stake_pool(0), stake_pool(0)];
        let vault = vault(0);
        contribute(2, vault, 1_000 * PHA);
        contribute(3, vault, 9_000 * PHA);
        for pool in pools {
            invest(vault, pool, 5_000 * PHA);
            (0..5).for_each(|_| Computing::start(pool, 1_000 * PHA).unwrap());
        }
        withdraw(2, vault, 1_000 * PHA);
        until(6 * DAY_BLOCKS);
        // A tenth of the pool that was asked is lost.
        (0..5).for_each(|n| Computing::slash(n, 100 * PHA));
        until(1 + 21 * DAY_BLOCKS);
        assert_eq!(holding(2, vault).shares(), Shares(0));
        assert!((-51 * PHA as i128..=-49 * PHA as i128).contains(&gained(2)), "{}", gained(2));
    });
}

#[test]
fn an_overdue_vault_asks_for_an_eighth_more() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(0));
        contribute(2, vault, 1_000 * PHA);
        invest(vault, pool, 1_000 * PHA);
        Computing::start(pool, 1_000 * PHA).unwrap();
        withdraw(2, vault, 800 * PHA);
        blocks(2);
        let asked = held(vault, pool).queued;
        assert_eq!(asked, Shares(800 * PHA + 800 * PHA / 64));
        until(1 + GRACE_BLOCKS - 1);
        assert_eq!(held(vault, pool).queued, asked);
        until(1 + GRACE_BLOCKS + 1);
        assert!(held(vault, pool).queued >= Shares(900 * PHA));
    });
}

#[test]
fn a_rise_counts_for_what_is_gained_after_it() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(10));
        contribute(2, vault, 1_000 * PHA);
        invest(vault, pool, 1_000 * PHA);
        by(OWNER, Call::set_commission { pool: vault, rate: Ppm::percent(50) }).unwrap();
        // Nobody comes by for two weeks: all of this was gained under the old rate, or might have been.
        System::set_block_number(1 + 2 * NOTICE_BLOCKS);
        reward(pool, 100 * PHA);
        settle(vault);
        assert_eq!(thousandths(worth(OWNER, vault)), 10_000);
        let before = worth(OWNER, vault);
        reward(pool, 100 * PHA);
        settle(vault);
        assert!(worth(OWNER, vault) - before > 49 * PHA);
    });
}
