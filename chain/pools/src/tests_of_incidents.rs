//! What went wrong in networks like this one, each with the test that keeps it from going wrong here.

use crate::{DAY_BLOCKS, GRACE_BLOCKS, mock::*};
use phala_economics::{DUST_MAX, NOTICE_BLOCKS, Ppm, RequestId, Shares};
use phala_units::{PHA, Planck};

/// October 2023: owners of vaults raised their commission to 100 % and collected at once; the new rate was applied to
/// everything gained since they had last collected.
#[test]
fn october_2023_a_commission_raised_before_collecting_takes_only_the_old_one() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(5));
        contribute(2, vault, 10_000 * PHA);
        invest(vault, pool, 10_000 * PHA);
        reward(pool, 1_000 * PHA);
        by(OWNER, Call::set_commission { pool: vault, rate: Ppm::WHOLE }).unwrap();
        by(OWNER, Call::settle_vault { vault }).unwrap();
        let fifty = worth(OWNER, vault);
        assert!((49 * PHA..=50 * PHA).contains(&fifty));
        // Whatever they do in the week of the notice: the old rate.
        reward(pool, 1_000 * PHA);
        System::set_block_number(1 + NOTICE_BLOCKS - 1);
        by(OWNER, Call::set_commission { pool: vault, rate: Ppm::WHOLE }).unwrap();
        by(OWNER, Call::settle_vault { vault }).unwrap();
        assert!(worth(OWNER, vault) - fifty <= 55 * PHA);
        // The second announcement waits anew: in the block in which the first one would have counted, nothing does.
        System::set_block_number(1 + NOTICE_BLOCKS);
        let (owner, delegator) = (worth(OWNER, vault), worth(2, vault));
        reward(pool, 1_000 * PHA);
        by(OWNER, Call::settle_vault { vault }).unwrap();
        assert!(worth(OWNER, vault) - owner <= 60 * PHA);
        assert!(worth(2, vault) - delegator >= 940 * PHA);
        // Delegators see it a week ahead, and leave with all that is theirs.
        let theirs = holding(2, vault).free.0;
        withdraw(2, vault, theirs);
        blocks(3);
        assert!(balance(&account(2)) >= RICH + 2_800 * PHA);
    });
}

/// The same in a stake pool: payouts of the notice's week are divided at the old rate.
#[test]
fn october_2023_a_stake_pools_rise_is_known_for_a_week() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 1_000 * PHA);
        by(OWNER, Call::set_commission { pool, rate: Ppm::WHOLE }).unwrap();
        reward(pool, 100 * PHA);
        assert_eq!(worth(2, pool), 1_100 * PHA);
        withdraw(2, pool, 1_000 * PHA);
        assert_eq!(balance(&account(2)), RICH + 100 * PHA);
    });
}

/// December 2022: after a migration, claims of 1,708 accounts in 887 pools were wrong. Nothing is claimed here: what an account
/// has follows from its shares alone, and is what an independent account of rewards says.
#[test]
fn december_2022_everybody_has_the_rewards_of_the_time_they_were_there() {
    run(|| {
        let pool = stake_pool(0);
        let mut expected = [0u128; 60];
        let mut staked = [0u128; 60];
        for round in 0..55u128 {
            let who = 2 + (round as usize * 7) % 50;
            let amount = (1 + round * 13 % 90) * PHA;
            contribute(who as u8, pool, amount);
            staked[who] += amount;
            expected[who] += amount;
            let paid = (1 + round % 5) * PHA;
            let all: u128 = expected.iter().sum();
            expected = expected.map(|one| one + paid * one / all);
            reward(pool, paid);
        }
        for who in 2..60u8 {
            let (has, expected) = (worth(who, pool), expected[who as usize]);
            assert!(has.abs_diff(expected) <= 200, "account {who} has {has} and should have {expected}");
            if has > 0 {
                let shares = holding(who, pool).free.0;
                withdraw(who, pool, shares);
                let gained = balance(&account(who)) - (RICH - staked[who as usize]);
                assert!(gained.abs_diff(expected) <= 200);
            }
        }
        assert!(record(pool).free.0 <= 60 * DUST_MAX.0);
    });
}

/// Vaults could be locked for ever, or hold what was asked back beyond any limit, because somebody had to call for each step.
#[test]
fn locked_vaults_a_vault_whose_owner_is_gone_empties_itself() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(10));
        contribute(2, vault, 500 * PHA);
        contribute(3, vault, 500 * PHA);
        invest(vault, pool, 1_000 * PHA);
        Computing::start(pool, 1_000 * PHA).unwrap();
        reward(pool, 100 * PHA);
        for n in [2, 3] {
            let shares = holding(n, vault).free.0;
            withdraw(n, vault, shares);
        }
        until(1 + 21 * DAY_BLOCKS);
        for n in [2, 3] {
            assert_eq!(holding(n, vault).shares(), Shares(0));
            assert!(balance(&account(n)).abs_diff(RICH + 45 * PHA) < PHA / 1_000);
        }
        // And it is no less a vault than before.
        contribute(4, vault, 10 * PHA);
        invest(vault, pool, 10 * PHA);
    });
}

/// A worker whose value stood at its limit was paid nothing; what little is paid must not be lost on the way.
#[test]
fn zero_payout_the_least_payout_counts() {
    run(|| {
        let pool = stake_pool(10);
        contribute(2, pool, 1_000 * PHA);
        (0..100).for_each(|_| reward(pool, 1));
        assert_eq!(record(pool).ledger.value(), Planck(1_000 * PHA + 100));
        assert_eq!(worth(2, pool), 1_000 * PHA + 100);
        reward(pool, 0);
    });
}

/// Dust kept queues and vaults from ever being empty.
#[test]
fn dust_a_queue_of_dust_holds_nobody_up() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, PHA);
        contribute(3, pool, PHA);
        Computing::start(pool, 2 * PHA).unwrap();
        withdraw(2, pool, PHA);
        withdraw(3, pool, PHA);
        // All but dust of the first request is paid; the rest of it does not wait.
        Pools::return_stake(pool, Planck(PHA - DUST_MAX.0), Planck(0)).unwrap();
        blocks(1);
        assert_eq!(requests(pool).keys().collect::<Vec<_>>(), [&RequestId(1)]);
        assert_eq!(balance(&account(2)), RICH - DUST_MAX.0);
        Pools::return_stake(pool, Planck(PHA + DUST_MAX.0), Planck(0)).unwrap();
        blocks(1);
        assert!(requests(pool).is_empty());
        assert_eq!(balance(&account(3)), RICH + DUST_MAX.0);
    });
}

/// A pool without value divided by zero, or gave the next contribution to those who had lost everything.
#[test]
fn zero_price_a_bankrupt_pool_is_left_and_begins_anew() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        contribute(3, pool, 100 * PHA);
        Computing::start(pool, 200 * PHA).unwrap();
        withdraw(3, pool, 50 * PHA);
        Computing::slash(0, 200 * PHA);
        refused(4, Call::contribute { pool, amount: Planck(PHA) }, Error::Bankrupt);
        // Who waits does not wait for nothing.
        blocks(1);
        assert!(requests(pool).is_empty());
        withdraw(2, pool, 100 * PHA);
        refused(4, Call::contribute { pool, amount: Planck(PHA) }, Error::Bankrupt);
        withdraw(3, pool, 50 * PHA);
        assert_eq!((balance(&account(2)), balance(&account(3))), (RICH - 100 * PHA, RICH - 100 * PHA));
        contribute(4, pool, PHA);
        assert_eq!(worth(4, pool), PHA);
    });
}

/// The same in a vault whose pools have lost everything.
#[test]
fn zero_price_a_bankrupt_vault_is_left_and_begins_anew() {
    run(|| {
        let (pool, vault) = (stake_pool(0), vault(10));
        contribute(2, vault, 100 * PHA);
        invest(vault, pool, 100 * PHA);
        Computing::start(pool, 100 * PHA).unwrap();
        withdraw(2, vault, 50 * PHA);
        blocks(2);
        Computing::slash(0, 100 * PHA);
        refused(4, Call::contribute { pool: vault, amount: Planck(PHA) }, Error::Bankrupt);
        blocks(3);
        assert!(requests(pool).is_empty() && requests(vault).is_empty());
        withdraw(2, vault, 50 * PHA);
        contribute(4, vault, PHA);
        assert_eq!(worth(4, vault), PHA);
        let left = crate::Holdings::<Test>::get(pool, Pools::account(vault)).map_or(0, |holding| holding.free.0);
        if left > 0 {
            by(OWNER, Call::vault_withdraw { vault, pool, shares: Shares(left) }).unwrap();
        }
        assert_eq!(crate::Positions::<Test>::get(Pools::account(vault)).len(), 0);
    });
}

/// "Releasing for more than 14 days": stake had cooled down, and waited for somebody to reclaim it.
#[test]
fn issue_559_nobody_has_to_reclaim() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        Computing::start(pool, 100 * PHA).unwrap();
        withdraw(2, pool, 100 * PHA);
        until(1 + GRACE_BLOCKS + COOL_DOWN + 1);
        assert_eq!(balance(&account(2)), RICH);
    });
}

/// A second request cancelled the first one, and its place and time were lost.
#[test]
fn a_new_request_leaves_the_old_one_its_place() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        Computing::start(pool, 100 * PHA).unwrap();
        withdraw(2, pool, 60 * PHA);
        until(3 * DAY_BLOCKS);
        withdraw(2, pool, 40 * PHA);
        let since: Vec<u32> = requests(pool).values().map(|request| request.since.0).collect();
        assert_eq!(since, [1, 3 * DAY_BLOCKS]);
    });
}

/// Gifts to a pool's account changed what the chain thought was free.
#[test]
fn a_gift_changes_nobodys_shares() {
    new_test_ext().execute_with(|| {
        use frame_support::traits::{fungible::Mutate as _, tokens::Preservation};
        let pool = stake_pool(0);
        contribute(2, pool, PHA);
        let before = record(pool);
        Balances::transfer(&account(3), &Pools::account(pool), 5 * PHA, Preservation::Preserve).unwrap();
        assert_eq!(record(pool), before);
        withdraw(2, pool, PHA);
        Pools::do_try_state().unwrap();
        blocks(1);
        by(OWNER, Call::close { pool }).unwrap();
        by(OWNER, Call::remove { pool }).unwrap();
        assert_eq!(balance(&account(OWNER)), RICH + 5 * PHA);
    });
}
