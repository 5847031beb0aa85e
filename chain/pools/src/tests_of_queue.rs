//! Who asked first is paid first, in full, and in time.

use crate::{DAY_BLOCKS, FILLS_PER_VISIT, GRACE_BLOCKS, OVERDUE_PER_VISIT, VISITS_MAX, mock::*, weights::WeightInfo};
use frame_support::{
    traits::{Hooks, fungible::Mutate as _},
    weights::Weight,
};
use phala_economics::{CONTRIBUTION_MIN, DUST_MAX, RequestId, Shares};
use phala_messages::PoolId;
use phala_units::{PHA, Planck};

/// A pool in which account 2 has so many PHA, all at work.
fn busy(amount: u128) -> PoolId {
    let pool = stake_pool(0);
    contribute(2, pool, amount * PHA);
    Computing::start(pool, amount * PHA).unwrap();
    pool
}

/// What account `n` has, more than at the beginning.
fn gained(n: u8) -> i128 {
    balance(&account(n)) as i128 - RICH as i128
}

#[test]
fn what_is_free_is_paid_at_once() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 100 * PHA);
        reward(pool, 10 * PHA);
        withdraw(2, pool, 50 * PHA);
        assert_eq!(gained(2), -45 * PHA as i128);
        assert!(requests(pool).is_empty());
        let paid = Event::Withdrawn {
            pool,
            request: RequestId(0),
            holder: account(2),
            shares: Shares(50 * PHA),
            amount: Planck(55 * PHA),
            left: Shares(0),
        };
        assert_eq!(events().last(), Some(&paid));
    });
}

#[test]
fn who_asked_first_is_paid_first_and_in_part() {
    run(|| {
        let pool = busy(100);
        contribute(3, pool, 100 * PHA);
        Computing::start(pool, 100 * PHA).unwrap();
        withdraw(2, pool, 60 * PHA);
        withdraw(3, pool, 60 * PHA);
        withdraw(2, pool, 10 * PHA);
        blocks(3);
        assert_eq!((gained(2), gained(3)), (-100 * PHA as i128, -100 * PHA as i128));
        Pools::return_stake(pool, Planck(40 * PHA), Planck(0)).unwrap();
        blocks(1);
        assert_eq!((gained(2), gained(3)), (-60 * PHA as i128, -100 * PHA as i128));
        assert_eq!(requests(pool)[&RequestId(0)].shares, Shares(20 * PHA));
        Pools::return_stake(pool, Planck(50 * PHA), Planck(0)).unwrap();
        blocks(1);
        assert_eq!((gained(2), gained(3)), (-40 * PHA as i128, -70 * PHA as i128));
        // Whoever comes later pays who waits, and nobody had to call for it.
        contribute(4, pool, 40 * PHA);
        blocks(1);
        assert_eq!((gained(2), gained(3)), (-30 * PHA as i128, -40 * PHA as i128));
        assert!(requests(pool).is_empty() && !record(pool).queue.in_line || record(pool).queue.shares == Shares(0));
    });
}

#[test]
fn shares_in_the_queue_earn_and_lose() {
    run(|| {
        let pool = busy(100);
        withdraw(2, pool, 100 * PHA);
        Computing::slash(0, 50 * PHA);
        Computing::stop(0);
        reward(pool, 25 * PHA);
        until(9 * DAY_BLOCKS);
        assert_eq!(gained(2), -25 * PHA as i128);
        assert_eq!(record(pool).ledger.shares(), Shares(0));
    });
}

#[test]
fn cancelling_a_part_keeps_the_place_of_the_rest() {
    run(|| {
        let pool = busy(100);
        contribute(3, pool, 100 * PHA);
        Computing::start(pool, 100 * PHA).unwrap();
        withdraw(2, pool, 60 * PHA);
        blocks(10);
        withdraw(3, pool, 60 * PHA);
        let cancel =
            |request, shares| Call::cancel_withdrawal { pool, request: RequestId(request), shares: Shares(shares) };
        refused(3, cancel(0, PHA), Error::NotHolder);
        refused(2, cancel(2, PHA), Error::RequestUnknown);
        refused(2, cancel(0, 60 * PHA + 1), Error::NotEnoughShares);
        refused(2, cancel(0, 0), Error::NotEnoughShares);
        by(2, cancel(0, 20 * PHA)).unwrap();
        let left = requests(pool)[&RequestId(0)];
        assert_eq!((left.shares, left.since.0), (Shares(40 * PHA), 1));
        assert_eq!((holding(2, pool).free, holding(2, pool).queued), (Shares(60 * PHA), Shares(40 * PHA)));
        Pools::return_stake(pool, Planck(50 * PHA), Planck(0)).unwrap();
        blocks(1);
        assert_eq!((gained(2), gained(3)), (-60 * PHA as i128, -90 * PHA as i128));
        // All of it: the place is gone, and those behind move up.
        by(3, cancel(1, 50 * PHA)).unwrap();
        assert!(requests(pool).is_empty());
        refused(3, cancel(1, 1), Error::RequestUnknown);
        assert_eq!(holding(3, pool).free, Shares(90 * PHA));
        assert_eq!(record(pool).queue.front, RequestId(2));
    });
}

#[test]
fn a_gap_in_the_queue_is_stepped_over() {
    run(|| {
        let pool = busy(100);
        (0..20).for_each(|_| withdraw(2, pool, PHA));
        for request in (0..19).filter(|n| *n != 5) {
            by(2, Call::cancel_withdrawal { pool, request: RequestId(request), shares: Shares(PHA) }).unwrap();
        }
        Pools::return_stake(pool, Planck(2 * PHA), Planck(0)).unwrap();
        // A visit takes eight steps: a payment and seven gaps; then six gaps, and a payment.
        assert_eq!(record(pool).queue.front, RequestId(5));
        for gained_pha in [-99, -98] {
            Pools::on_initialize(1);
            assert_eq!(gained(2), gained_pha * PHA as i128);
        }
    });
}

#[test]
fn a_request_is_worth_the_least_or_everything() {
    run(|| {
        let pool = busy(1);
        let ask = |shares| Call::withdraw { pool, shares: Shares(shares) };
        refused(2, ask(0), Error::NotEnoughShares);
        refused(2, ask(PHA + 1), Error::NotEnoughShares);
        refused(3, ask(1), Error::NotEnoughShares);
        refused(2, ask(CONTRIBUTION_MIN.0 - 1), Error::TooFewShares);
        by(2, ask(CONTRIBUTION_MIN.0)).unwrap();
        withdraw(2, pool, PHA - CONTRIBUTION_MIN.0 - DUST_MAX.0);
        // What is left is dust; it may leave, for nothing.
        withdraw(2, pool, DUST_MAX.0);
        Pools::return_stake(pool, Planck(PHA), Planck(0)).unwrap();
        blocks(1);
        assert_eq!(gained(2), -(DUST_MAX.0 as i128));
        assert_eq!((record(pool).ledger.shares(), record(pool).free), (Shares(0), DUST_MAX));
        // Whoever comes next finds it.
        contribute(3, pool, PHA);
        assert_eq!(worth(3, pool), PHA + DUST_MAX.0);
    });
}

#[test]
fn who_cannot_be_paid_gets_the_shares_back_and_holds_nobody_up() {
    run(|| {
        let pool = busy(1);
        contribute(3, pool, PHA);
        Computing::start(pool, PHA).unwrap();
        withdraw(2, pool, CONTRIBUTION_MIN.0);
        withdraw(2, pool, CONTRIBUTION_MIN.0);
        withdraw(3, pool, PHA);
        Balances::set_balance(&account(2), 0);
        // The first is worth the least that makes an account exist; what is left of the second one is not.
        Pools::return_stake(pool, Planck(2 * CONTRIBUTION_MIN.0 - 1), Planck(1)).unwrap();
        blocks(1);
        let back = |n| Event::WithdrawalReturned {
            pool,
            request: RequestId(n),
            holder: account(2),
            shares: Shares(CONTRIBUTION_MIN.0),
        };
        assert!(events().contains(&back(0)) && events().contains(&back(1)));
        assert_eq!((balance(&account(2)), holding(2, pool).free), (0, Shares(PHA)));
        assert!(balance(&account(3)) > RICH - PHA);
    });
}

#[test]
fn stake_that_the_queue_is_owed_does_not_go_to_work() {
    run(|| {
        let pool = busy(100);
        contribute(3, pool, 30 * PHA);
        Computing::start(pool, 30 * PHA).unwrap();
        withdraw(2, pool, 20 * PHA);
        contribute(4, pool, 50 * PHA);
        assert_eq!(Pools::take_stake(pool, Planck(30 * PHA + 1)), Err(Error::NotEnoughFree.into()));
        Computing::start(pool, 30 * PHA).unwrap();
        blocks(1);
        assert_eq!(gained(2), -80 * PHA as i128);
        assert_eq!(record(pool).free, Planck(0));
    });
}

#[test]
fn the_documents_timetable_is_kept() {
    run(|| {
        // 1,000 free of 20,000; 5,000 are asked back on day 1.
        let pool = stake_pool(0);
        contribute(2, pool, 20_000 * PHA);
        Computing::start(pool, 3_000 * PHA).unwrap();
        (0..8).for_each(|_| Computing::start(pool, 2_000 * PHA).unwrap());
        let start = 1;
        let day = |n: u32| start + (n - 1) * DAY_BLOCKS;
        let left = || record(pool).queue.shares.0 / PHA;
        withdraw(2, pool, 5_000 * PHA);
        assert_eq!((gained(2) / PHA as i128, left()), (-19_000, 4_000));
        until(day(2));
        contribute(3, pool, 500 * PHA);
        until(day(2) + 1);
        assert_eq!((gained(2) / PHA as i128, left()), (-18_500, 3_500));
        until(day(3));
        contribute(4, pool, 3_000 * PHA);
        until(day(3) + 1);
        assert_eq!((gained(2) / PHA as i128, left()), (-15_500, 500));
        // The gap of 500 stands until day 8; then a session is stopped, and no more of them than necessary.
        until(day(8) - DAY_BLOCKS / 24 - 1);
        assert!(Computing::all().iter().all(|session| session.due.is_none()));
        until(day(8));
        assert_eq!(Computing::all().iter().filter(|session| session.due.is_some()).count(), 1);
        assert_eq!(Computing::dues(), [start + GRACE_BLOCKS + COOL_DOWN]);
        until(day(15) - DAY_BLOCKS / 24 - 1);
        assert_eq!(left(), 500);
        until(day(15));
        assert_eq!((gained(2) / PHA as i128, left()), (-15_000, 0));
    });
}

#[test]
fn a_pool_is_left_within_fourteen_days_whatever_its_owner_does() {
    run(|| {
        // Everything is at work; the owner stops nothing and puts all that comes to work.
        let pool = stake_pool(0);
        (2..=40).for_each(|n| contribute(n, pool, 1_000 * PHA));
        (0..39).for_each(|_| Computing::start(pool, 1_000 * PHA).unwrap());
        let mut asked = Vec::new();
        for n in 2..=40 {
            withdraw(n, pool, 1_000 * PHA);
            asked.push((n, System::block_number()));
            until(System::block_number() + 7_000);
            let _ = Computing::start(pool, record(pool).free.0);
        }
        for (n, since) in asked {
            until(since + 14 * DAY_BLOCKS);
            assert_eq!(gained(n), 0, "account {n} has waited for fourteen days");
        }
        assert_eq!(record(pool).ledger.shares(), Shares(0));
    });
}

#[test]
fn no_more_sessions_stop_than_necessary() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 10_000 * PHA);
        (0..10).for_each(|_| Computing::start(pool, 1_000 * PHA).unwrap());
        withdraw(2, pool, 2_500 * PHA);
        Computing::stop(9);
        until(GRACE_BLOCKS);
        assert_eq!(Computing::dues().len(), 1);
        until(GRACE_BLOCKS + 2);
        // A thousand came back in the meantime? No: the worker still cools down, and counts as on its way.
        assert_eq!(Computing::dues().len(), 3);
        let stopped = |event: &Event| matches!(event, Event::SessionsStopped { .. });
        assert_eq!(events().into_iter().filter(stopped).count(), 1);
        until(14 * DAY_BLOCKS);
        assert_eq!(gained(2), -7_500 * PHA as i128);
        assert_eq!(Computing::all().len(), 7);
        assert_eq!(record(pool).free, Planck(500 * PHA));
    });
}

#[test]
fn a_visit_pays_a_few_and_the_next_one_goes_on() {
    run(|| {
        let pool = stake_pool(0);
        contribute(2, pool, 1_000 * PHA);
        Computing::start(pool, 1_000 * PHA).unwrap();
        let many = OVERDUE_PER_VISIT + 1;
        (0..many).for_each(|_| withdraw(2, pool, PHA));
        System::set_block_number(GRACE_BLOCKS + 1);
        Pools::on_initialize(0);
        assert_eq!(record(pool).queue.shares_overdue, Shares(u128::from(OVERDUE_PER_VISIT) * PHA));
        Pools::on_initialize(0);
        assert_eq!(record(pool).queue.shares_overdue, Shares(u128::from(many) * PHA));
        Pools::return_stake(pool, Planck(900 * PHA), Planck(0)).unwrap();
        Pools::on_initialize(0);
        assert_eq!(requests(pool).len() as u32, many - FILLS_PER_VISIT);
        Pools::on_initialize(0);
        assert_eq!(requests(pool).len() as u32, many - 2 * FILLS_PER_VISIT);
    });
}

/// Pools in which somebody waits for one PHA that is free by now.
fn waiting(pools: u32) -> Vec<PoolId> {
    let pools: Vec<PoolId> = (0..pools).map(|_| stake_pool(0)).collect();
    for (n, pool) in pools.iter().enumerate() {
        let who = 2 + (n % 90) as u8;
        contribute(who, *pool, PHA);
        Pools::take_stake(*pool, Planck(PHA)).unwrap();
        withdraw(who, *pool, PHA);
        Pools::return_stake(*pool, Planck(PHA), Planck(0)).unwrap();
    }
    pools
}

#[test]
fn a_block_visits_as_many_pools_as_it_may() {
    run(|| {
        let pools = waiting(VISITS_MAX + 1);
        let served = || pools.iter().filter(|pool| requests(**pool).is_empty()).count() as u32;
        Pools::on_idle(1, Weight::MAX);
        assert_eq!(served(), VISITS_MAX);
        Pools::on_idle(1, Weight::MAX);
        assert_eq!(served(), VISITS_MAX + 1);
    });
}

#[test]
fn the_sweep_spends_no_more_than_it_is_given() {
    run(|| {
        let pools = waiting(4);
        let served = || pools.iter().filter(|pool| requests(**pool).is_empty()).count();
        let least = crate::Pallet::<Test>::sweep_min();
        assert_eq!(Pools::on_idle(1, Weight::zero()), Weight::zero());
        let base = <Test as crate::Config>::WeightInfo::sweep_base();
        assert_eq!(Pools::on_idle(1, least - Weight::from_parts(1, 0)), base);
        assert_eq!(served(), 0);
        let spent = Pools::on_idle(1, least);
        assert!(spent.all_lte(least) && spent.ref_time() > base.ref_time());
        assert!(served() >= 1);
    });
}

#[test]
fn a_full_block_visits_one_pool_all_the_same() {
    run(|| {
        let pools = waiting(3);
        for n in 1..=3 {
            block(Weight::zero());
            assert_eq!(pools.iter().filter(|pool| requests(**pool).is_empty()).count(), n);
        }
        assert_eq!(Pools::on_initialize(9), <Test as crate::Config>::WeightInfo::sweep_base());
    });
}

#[test]
fn no_pool_is_visited_twice_before_all_others_were() {
    run(|| {
        // One pool has a queue that never ends; the others are paid all the same, in their order.
        let endless = stake_pool(0);
        contribute(2, endless, 1_000 * PHA);
        Computing::start(endless, 1_000 * PHA).unwrap();
        (0..200).for_each(|_| withdraw(2, endless, PHA));
        Pools::return_stake(endless, Planck(500 * PHA), Planck(0)).unwrap();
        let others = waiting(5);
        let mut order = Vec::new();
        for _ in 0..12 {
            let before = System::events().len();
            block(Weight::zero());
            let paid = events().into_iter().skip(before.saturating_sub(System::events().len()));
            order.push(
                paid.filter_map(|event| match event {
                    Event::Withdrawn { pool, .. } => Some(pool),
                    _ => None,
                })
                .last()
                .unwrap(),
            );
            System::reset_events();
        }
        assert_eq!(order[0], endless);
        assert_eq!(order[1..6], others);
        assert!(order[6..].iter().all(|pool| *pool == endless));
        assert_eq!(requests(endless).len() as u32, 200 - 7 * FILLS_PER_VISIT);
    });
}
