//! A session from its beginning to its end, and every rule on the way.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};
use phala_economics::{CHALLENGES_MAX, COOL_DOWN_MS_MAX, Confidence, Fixed, Parameters, Schedule, WorkRules};
use phala_messages::{
    InstanceKey, PoolId,
    computation::{Heartbeat, ScoreReport, SessionNumber},
    limits::{POOL_WORKERS_MAX, RECENT_PROCESSES_MAX, SCORE_BLOCK_AGE_MAX},
};
use phala_units::{BlockNumber, PHA};
use sp_core::Pair as _;
use sp_runtime::DispatchError;

fn error(error: Error<Test>) -> DispatchError {
    error.into()
}

fn start(n: u32, stake: u128) -> Call<Test> {
    Call::start { worker: worker(n), stake }
}

fn stop(n: u32) -> Call<Test> {
    Call::stop { worker: worker(n) }
}

const DAY_BLOCKS: u32 = 43_200;

#[test]
fn a_worker_computes_is_paid_stops_and_its_stake_returns_by_itself() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        assert_eq!(SimplePools::get(POOL.0).at_work, STAKE);
        jump_to(902);
        challenge(1);
        assert_ok!(apply(heartbeat_call(1, 300_000)).unwrap());
        let earned = SimplePools::get(POOL.0).rewards;
        // 900 blocks of 16.67 PHA, four fifths of it, and one worker to get it all.
        assert_eq!(earned / PHA, 12_000 - 1);
        assert_eq!(session(1).earned.0, earned);
        assert_ok!(call(OWNER, stop(1)));
        assert_eq!((work(1).session, Computation::on_its_way(POOL).0), (None, STAKE));
        jump_to(902 + 7 * DAY_BLOCKS - 1);
        next_block();
        assert_eq!(SimplePools::get(POOL.0).at_work, STAKE, "not a block too early");
        next_block();
        assert_eq!(SimplePools::get(POOL.0).at_work, 0);
        assert_eq!((Computation::on_its_way(POOL).0, SimplePools::get(POOL.0).slashed), (0, 0));
        assert_ok!(call(OWNER, start(1, STAKE)));
    });
}

#[test]
fn only_the_pool_s_owner_binds_and_only_whom_the_worker_named_as_its_operator() {
    run(|| {
        SimplePools::found(2, 2);
        assert_noop!(call(OWNER, bind_call(POOL, 1, OWNER)), error(Error::WorkerUnknown));
        Registered::set(worker(1), &instance(1));
        assert_noop!(call(2, bind_call(POOL, 1, 2)), error(Error::NotPoolOwner));
        assert_noop!(call(OWNER, bind_call(PoolId(99), 1, OWNER)), error(Error::NotPoolOwner));
        assert_noop!(call(OWNER, bind_call(POOL, 1, 2)), error(Error::NoConsent));
        let by_instance = Call::bind {
            pool: POOL,
            worker: worker(1),
            consent: signed(
                phala_messages::computation::WorkConsent {
                    worker: worker(1),
                    operator: phala_messages::Account([OWNER; 32]),
                },
                &instance(1),
            )
            .signature,
        };
        assert_noop!(call(OWNER, by_instance), error(Error::NoConsent));
        assert_ok!(call(OWNER, bind_call(POOL, 1, OWNER)));
        assert_noop!(call(OWNER, bind_call(POOL, 1, OWNER)), error(Error::WorkerBound));
        assert_noop!(call(2, Call::unbind { worker: worker(1) }), error(Error::NotPoolOwner));
        assert_ok!(call(OWNER, Call::unbind { worker: worker(1) }));
        assert_noop!(call(OWNER, Call::unbind { worker: worker(1) }), error(Error::WorkerNotBound));
        assert!(!PoolWorkers::<Test>::contains_key(POOL));
    });
}

#[test]
fn a_pool_has_so_many_workers_and_no_more() {
    run(|| {
        for n in 0..POOL_WORKERS_MAX {
            bound(n, POOL);
        }
        Registered::set(worker(POOL_WORKERS_MAX), &instance(POOL_WORKERS_MAX));
        assert_noop!(call(OWNER, bind_call(POOL, POOL_WORKERS_MAX, OWNER)), error(Error::WorkersFull));
    });
}

#[test]
fn only_governance_sets_prices_budget_and_rules_and_only_within_their_ranges() {
    run(|| {
        let all = [
            Call::set_tariff { tariff: Box::default() },
            Call::set_budget { budget: Schedule::standard(BlockNumber(1)) },
            Call::set_rules { rules: WorkRules::DEFAULT },
            Call::force_stop { worker: worker(1) },
        ];
        for each in all {
            assert_noop!(call(OWNER, each), DispatchError::BadOrigin);
        }
        let heartbeat_window_blocks = 0;
        let tariff = Box::new(Parameters { heartbeat_window_blocks, ..Parameters::DEFAULT });
        assert_noop!(govern(Call::set_tariff { tariff }), error(Error::TariffUnfit));
        let budget = Schedule { period_blocks: 1, ..Schedule::standard(BlockNumber(1)) };
        assert_noop!(govern(Call::set_budget { budget }), error(Error::BudgetUnfit));
        for rules in [
            WorkRules { challenges: CHALLENGES_MAX + 1, ..WorkRules::DEFAULT },
            WorkRules { cool_down_ms: COOL_DOWN_MS_MAX + 1, ..WorkRules::DEFAULT },
        ] {
            assert_noop!(govern(Call::set_rules { rules }), error(Error::RulesUnfit));
        }
        let rules = WorkRules { challenges: CHALLENGES_MAX, cool_down_ms: COOL_DOWN_MS_MAX, ..WorkRules::DEFAULT };
        assert_ok!(govern(Call::set_rules { rules }));
        assert_eq!(Rules::<Test>::get(), rules);
    });
}

#[test]
fn a_budget_that_changes_pays_for_what_was_before_by_what_stood_before() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        let began = System::block_number();
        jump_to(began + 100);
        let nothing = Schedule { first: Planck(0), ..Schedule::standard(BlockNumber(1)) };
        assert_ok!(govern(Call::set_budget { budget: nothing }));
        jump_to(began + 5_000);
        challenge(1);
        assert_ok!(apply(heartbeat_call(1, 0)).unwrap());
        let divided = Accrued::<Test>::get().divided;
        assert_eq!(divided, Planck(100 * Schedule::standard(BlockNumber(1)).first.0));
        assert!(divided.0 - Accrued::<Test>::get().paid.0 < 1_000);
    });
}

#[test]
fn a_score_is_taken_once_of_each_process_and_only_signed_recent_and_in_range() {
    run(|| {
        next_block();
        Registered::set(worker(1), &instance(1));
        assert_eq!(apply(score_call(1, SCORE)), Err(refused(Refusal::WorkerUnbound)));
        assert_ok!(call(OWNER, bind_call(POOL, 1, OWNER)));
        assert_noop!(call(OWNER, start(1, STAKE)), error(Error::NoScore));
        Registered::change(worker(1), |machine| machine.admitted = false);
        assert_eq!(apply(score_call(1, SCORE)), Err(refused(Refusal::NotAdmitted)));
        Registered::change(worker(1), |machine| machine.admitted = true);
        let report = |score, block| ScoreReport { worker: worker(1), score, block };
        let by = |report, pair: &sp_core::ed25519::Pair| apply(Call::report_score { report: signed(report, pair) });
        let last = block_ref(System::block_number() - 1);
        assert_eq!(by(report(SCORE, last), &identity(1)), Err(refused(Refusal::InstanceSignature)));
        assert_eq!(by(report(SCORE, last), &instance(2)), Err(refused(Refusal::InstanceSignature)));
        let max = Confidence::One.score_max().0;
        for score in [0, max + 1] {
            assert_eq!(by(report(score, last), &instance(1)), Err(refused(Refusal::ScoreRange)));
        }
        Registered::change(worker(1), |machine| machine.confidence = Confidence::Five);
        let weak = Confidence::Five.score_max().0;
        assert_eq!(by(report(weak + 1, last), &instance(1)), Err(refused(Refusal::ScoreRange)));
        let own = block_ref(System::block_number());
        assert_eq!(by(report(SCORE, own), &instance(1)), Err(refused(Refusal::ScoreBlock)), "not in the past");
        let foreign = phala_messages::BlockRef { hash: phala_messages::BlockHash([9; 32]), ..last };
        assert_eq!(by(report(SCORE, foreign), &instance(1)), Err(refused(Refusal::ScoreBlock)));
        pass(SCORE_BLOCK_AGE_MAX);
        assert_eq!(by(report(SCORE, last), &instance(1)), Err(refused(Refusal::ScoreBlock)), "too old");
        pass(1);
        let oldest = block_ref(System::block_number() - SCORE_BLOCK_AGE_MAX);
        assert_ok!(by(report(weak, oldest), &instance(1)).unwrap());
        assert_eq!(apply(score_call(1, SCORE)), Err(refused(Refusal::ScoreStands)));
        Registered::set(worker(1), &instance(2));
        let last = block_ref(System::block_number() - 1);
        assert_ok!(by(report(SCORE, last), &instance(2)).unwrap());
        assert_eq!(work(1).score.unwrap().score, SCORE);
        assert_eq!(work(1).processes.len(), 2);
    });
}

#[test]
fn the_chain_remembers_so_many_processes_and_no_more() {
    run(|| {
        bound(1, POOL);
        next_block();
        for n in 0..=RECENT_PROCESSES_MAX {
            let pair = instance(100 + n);
            Registered::set(worker(1), &pair);
            let block = block_ref(System::block_number() - 1);
            let message = ScoreReport { worker: worker(1), score: SCORE, block };
            assert_ok!(apply(Call::report_score { report: signed(message, &pair) }).unwrap());
            assert_eq!(work(1).processes.len() as u32, (n + 1).min(RECENT_PROCESSES_MAX));
        }
        assert!(!work(1).processes.contains(&InstanceKey(instance(100).public().0)), "the oldest is forgotten");
    });
}

#[test]
fn a_session_starts_once_with_a_stake_that_fits_and_is_free() {
    run(|| {
        assert_noop!(call(OWNER, start(1, STAKE)), error(Error::WorkerNotBound));
        ready(1, POOL);
        assert_noop!(call(2, start(1, STAKE)), error(Error::NotPoolOwner));
        let least = 50 * 31_622_776_601_683 / 1_000 * 1_000 / PHA;
        assert_noop!(call(OWNER, start(1, least * PHA)), error(Error::StakeTooLittle));
        assert_noop!(call(OWNER, start(1, 30_000 * PHA)), error(Error::StakeTooMuch));
        Registered::change(worker(1), |machine| machine.admitted = false);
        assert_noop!(call(OWNER, start(1, STAKE)), refused_call(Refusal::NotAdmitted));
        Registered::change(worker(1), |machine| machine.admitted = true);
        SimplePools::found(2, 2);
        assert_ok!(call(OWNER, start(1, (least + 1) * PHA)));
        assert_noop!(call(OWNER, start(1, STAKE)), error(Error::SessionStands));
        let free = SimplePools::get(POOL.0).free;
        for n in 2..100 {
            ready(n, POOL);
            let fits = SimplePools::get(POOL.0).free >= 19_000 * PHA;
            assert_eq!(call(OWNER, start(n, 19_000 * PHA)).is_ok(), fits, "{n}");
        }
        assert!(SimplePools::get(POOL.0).free < 19_000 * PHA && free > 0);
    });
}

#[test]
fn a_machine_below_the_least_score_does_not_start() {
    run(|| {
        bound(1, POOL);
        next_block();
        assert_ok!(apply(score_call(1, 49)).unwrap());
        assert_noop!(call(OWNER, start(1, STAKE)), error(Error::ScoreTooLow));
    });
}

#[test]
fn a_heartbeat_answers_the_challenge_that_waits_in_the_session_that_runs_once() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        pass(10);
        challenge(1);
        let good = match heartbeat_call(1, 100) {
            Call::heartbeat { heartbeat } => heartbeat.message,
            _ => unreachable!(),
        };
        let by = |message, pair: &sp_core::ed25519::Pair| apply(Call::heartbeat { heartbeat: signed(message, pair) });
        let other = Heartbeat { session: SessionNumber(9), ..good };
        assert_eq!(by(other, &instance(1)), Err(refused(Refusal::SessionOther)));
        let other = Heartbeat { challenge: BlockNumber(3), ..good };
        assert_eq!(by(other, &instance(1)), Err(refused(Refusal::NotChallenged)));
        let other = Heartbeat { worker: worker(2), ..good };
        assert_eq!(by(other, &instance(1)), Err(refused(Refusal::WorkerUnbound)));
        assert_eq!(by(good, &instance(2)), Err(refused(Refusal::InstanceSignature)));
        Registered::change(worker(1), |machine| machine.admitted = false);
        assert_eq!(by(good, &instance(1)), Err(refused(Refusal::NotAdmitted)));
        Registered::change(worker(1), |machine| machine.admitted = true);
        assert!(validate(Call::heartbeat { heartbeat: signed(good, &instance(1)) }).is_ok());
        assert_ok!(by(good, &instance(1)).unwrap());
        assert_eq!(by(good, &instance(1)), Err(refused(Refusal::NotChallenged)));
    });
}

#[test]
fn a_worker_that_does_not_answer_falls_silent_shrinks_and_recovers_without_pay() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        computing(2, POOL);
        pass(5);
        challenge(1);
        let asked = System::block_number();
        let window = Parameters::DEFAULT.heartbeat_window_blocks;
        pass(window);
        assert!(session(1).worth.responsive, "on its last block");
        let before = session(1).worth.value;
        pass(1);
        assert_eq!(System::block_number(), asked + window + 1);
        assert!(!session(1).worth.responsive);
        assert_eq!((session(1).place, session(2).place), (None, Some(0)));
        assert_eq!(session(1).worth.share.0, Fixed::ZERO);
        check();
        pass(1_800);
        let rewards = SimplePools::get(POOL.0).rewards;
        assert_ok!(apply(heartbeat_call(1, 0)).unwrap());
        assert!(session(1).worth.responsive && session(1).place == Some(1));
        let lost = before.to_int() - session(1).worth.value.to_int();
        assert!((5..=8).contains(&lost), "an hour costs a thousandth of 7,500: {lost}");
        assert_eq!(SimplePools::get(POOL.0).rewards, rewards, "the time of silence is not paid");
        assert_ok!(call(OWNER, stop(1)));
        let returned = Computation::on_its_way(POOL).0;
        assert!(returned < STAKE && returned > STAKE * 998 / 1_000);
        jump_to(System::block_number() + 7 * DAY_BLOCKS);
        let treasury = Balances::free_balance(Treasury::get());
        assert_ok!(call(2, Call::reclaim { worker: worker(1) }));
        let slashed = SimplePools::get(POOL.0).slashed;
        assert_eq!(slashed, STAKE - returned);
        assert_eq!(Balances::free_balance(Treasury::get()), treasury + slashed);
    });
}

#[test]
fn a_window_that_changes_judges_every_challenge_once() {
    run(|| {
        ask_nobody();
        for n in 1..=4 {
            computing(n, POOL);
        }
        pass(2);
        challenge(1);
        pass(1);
        challenge(2);
        let window = |blocks| {
            let tariff = Parameters { heartbeat_window_blocks: blocks, ..Parameters::DEFAULT };
            assert_ok!(govern(Call::set_tariff { tariff: Box::new(tariff) }));
        };
        window(1);
        pass(10);
        assert!(!session(1).worth.responsive && !session(2).worth.responsive);
        challenge(3);
        window(500);
        pass(400);
        assert!(session(3).worth.responsive);
        window(2);
        pass(700);
        assert!(!session(3).worth.responsive && session(4).worth.responsive);
        assert_eq!(CheckedThrough::<Test>::get().0, System::block_number() - 3);
    });
}

#[test]
fn hosting_programs_costs_no_pay_however_little_is_measured_beside_them() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        computing(2, POOL);
        Hosts::serve(worker(1), true);
        let beat = |n, iterations| {
            challenge(n);
            assert_ok!(apply(heartbeat_call(n, iterations)).unwrap());
        };
        for round in 1..5u32 {
            jump_to(round * 900);
            beat(1, 0);
            beat(2, u64::from(round) * 300_000);
        }
        let (serving, idle) = (session(1).worth, session(2).worth);
        assert_eq!(serving.performance(), phala_economics::Score(SCORE).into());
        assert!(session(1).earned.0 * 100 >= session(2).earned.0 * 99, "who serves earns what who measures earns");
        assert!(idle.performance().0 > Fixed::ZERO);
        // The last program is gone: the interval in which it ran is not measured, the next one is.
        Hosts::serve(worker(1), false);
        jump_to(4_500);
        beat(1, 0);
        assert_eq!(session(1).worth.performance(), phala_economics::Score(SCORE).into());
        jump_to(5_400);
        beat(1, 0);
        assert_eq!(session(1).worth.performance().0, Fixed::ZERO);
    });
}

#[test]
fn an_empty_pot_pays_what_is_left_and_stops_nobody() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        let left = 3 * PHA;
        assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), Pot::get(), left));
        let beat = |block: u32| {
            jump_to(block);
            challenge(1);
            assert_ok!(apply(heartbeat_call(1, u64::from(block) * 333)).unwrap());
        };
        beat(900);
        assert_eq!(SimplePools::get(POOL.0).rewards, left * 4 / 5);
        assert_eq!(Balances::free_balance(Pot::get()), 0);
        beat(1_800);
        assert_eq!(SimplePools::get(POOL.0).rewards, left * 4 / 5);
        assert!(session(1).worth.responsive);
        check();
        assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), Pot::get(), POT));
        beat(2_700);
        assert!(SimplePools::get(POOL.0).rewards > 11_000 * PHA, "from now on it is paid again");
        // As if nothing had been taken away meanwhile.
        let missing = left + POT - Balances::free_balance(Pot::get());
        assert!(missing > 0);
        let whole = Balances::total_issuance();
        Balances::force_set_balance(RuntimeOrigin::root(), account(OWNER), 1_000 * PHA - left).unwrap();
        assert_eq!(Balances::total_issuance(), whole - left);
    });
}

#[test]
fn staking_more_needs_no_cool_down_and_what_was_lost_is_slashed_then() {
    run(|| {
        ask_nobody();
        let restart = |stake| Call::restart { worker: worker(1), stake };
        ready(1, POOL);
        assert_noop!(call(OWNER, restart(STAKE)), error(Error::NoSession));
        assert_ok!(call(OWNER, start(1, STAKE)));
        assert_noop!(call(2, restart(2 * STAKE)), error(Error::NotPoolOwner));
        assert_noop!(call(OWNER, restart(STAKE)), error(Error::StakeNotMore));
        pass(2);
        challenge(1);
        pass(61);
        assert!(!session(1).worth.responsive);
        assert_noop!(call(OWNER, restart(2 * STAKE)), error(Error::WorkerSilent));
        pass(3_600);
        assert_ok!(apply(heartbeat_call(1, 0)).unwrap());
        assert_ok!(call(OWNER, restart(2 * STAKE)));
        let record = session(1);
        assert_eq!((record.number, record.stake.0, record.place), (SessionNumber(2), 2 * STAKE, Some(0)));
        let slashed = SimplePools::get(POOL.0).slashed;
        assert!((STAKE / 600..STAKE / 400).contains(&slashed), "two hours of silence: {slashed}");
        assert_eq!(SimplePools::get(POOL.0).at_work, 2 * STAKE);
        // A challenge that waits is not got rid of like this.
        challenge(1);
        assert_ok!(call(OWNER, restart(3 * STAKE)));
        pass(61);
        assert!(!session(1).worth.responsive);
        assert_ok!(call(OWNER, stop(1)));
        assert_noop!(call(OWNER, restart(4 * STAKE)), error(Error::NoSession));
    });
}

#[test]
fn a_stake_cools_down_and_nobody_has_it_a_moment_earlier() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        let reclaim = || Call::reclaim { worker: worker(1) };
        assert_noop!(call(OWNER, reclaim()), error(Error::NotCooling));
        assert_noop!(call(2, stop(1)), error(Error::NotPoolOwner));
        assert_ok!(call(OWNER, stop(1)));
        assert_noop!(call(OWNER, stop(1)), error(Error::NoSession));
        assert_noop!(call(OWNER, start(1, STAKE)), error(Error::SessionStands));
        let began = System::block_number();
        // Rules that change now do not change what was promised.
        assert_ok!(govern(Call::set_rules {
            rules: WorkRules { cool_down_ms: 0, challenges: 0, ..WorkRules::DEFAULT }
        }));
        jump_to(began + 7 * DAY_BLOCKS - 1);
        assert_noop!(call(OWNER, reclaim()), error(Error::CoolingDown));
        jump_to(began + 7 * DAY_BLOCKS);
        assert_ok!(call(2, reclaim()));
        assert_noop!(call(2, reclaim()), error(Error::NoSession));
        check();
        // Reclaimed by hand: the queue goes on behind it.
        computing(2, POOL);
        assert_ok!(call(OWNER, stop(2)));
        next_block();
        assert!(!Sessions::<Test>::contains_key(worker(2)));
        assert_eq!((CoolingHead::<Test>::get(), CoolingTail::<Test>::get()), (2, 2));
    });
}

#[test]
fn stakes_return_in_the_room_that_a_block_has_and_no_more() {
    run(|| {
        ask_nobody();
        for n in 0..20 {
            computing(n, POOL);
        }
        for n in 0..20 {
            assert_ok!(call(OWNER, stop(n)));
        }
        jump_to(System::block_number() + 7 * DAY_BLOCKS);
        let step = <Test as Config>::WeightInfo::sweep();
        use frame_support::traits::Hooks;
        let almost = step.saturating_sub(Weight::from_parts(1, 0));
        assert_eq!(Computation::on_idle(System::block_number(), almost), Weight::zero());
        assert_eq!(Sessions::<Test>::iter().count(), 20);
        let used = Computation::on_idle(System::block_number(), step.saturating_mul(7));
        assert_eq!((used, Sessions::<Test>::iter().count()), (step.saturating_mul(7), 13));
        Computation::on_idle(System::block_number(), Weight::MAX);
        assert_eq!(Sessions::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_worker_that_is_unbound_while_it_computes_stops_and_goes_when_its_stake_is_back() {
    run(|| {
        ask_nobody();
        computing(1, POOL);
        assert_ok!(call(OWNER, Call::unbind { worker: worker(1) }));
        assert!(work(1).leaving && session(1).cooling.is_some());
        assert_ok!(call(OWNER, Call::unbind { worker: worker(1) }));
        jump_to(System::block_number() + 7 * DAY_BLOCKS);
        next_block();
        assert!(!Work::<Test>::contains_key(worker(1)) && !Sessions::<Test>::contains_key(worker(1)));
        assert_ok!(call(OWNER, bind_call(POOL, 1, OWNER)));
    });
}

#[test]
fn a_pool_that_calls_stake_back_gets_the_largest_first_and_no_more_than_it_wants() {
    run(|| {
        ask_nobody();
        for n in 0..20u32 {
            ready(n, POOL);
            assert_ok!(call(OWNER, start(n, (2_000 + 100 * u128::from(n)) * PHA)));
        }
        assert_eq!(Computation::release(POOL, Planck(0)), Planck(0));
        assert_eq!(Computation::release(POOL, Planck(PHA)), Planck(3_900 * PHA));
        assert!(session(19).cooling.is_some() && session(18).cooling.is_none());
        assert_eq!(Computation::release(POOL, Planck(3_900 * PHA)), Planck(3_900 * PHA));
        assert_eq!(Computation::release(POOL, Planck(3_901 * PHA)), Planck(7_700 * PHA));
        let coming = Computation::release(POOL, Planck(u128::MAX));
        assert_eq!(
            Sessions::<Test>::iter_values().filter(|record| record.cooling.is_some()).count(),
            2 + RELEASE_SESSIONS_MAX
        );
        assert_eq!(coming, Computation::on_its_way(POOL));
        Computation::release(POOL, Planck(u128::MAX));
        let all = Computation::release(POOL, Planck(u128::MAX));
        assert_eq!(all.0, SimplePools::get(POOL.0).at_work);
        assert_eq!(Computation::release(PoolId(77), Planck(PHA)), Planck(0));
    });
}

#[test]
fn governance_can_stop_any_session() {
    run(|| {
        computing(1, POOL);
        assert_ok!(govern(Call::force_stop { worker: worker(1) }));
        assert!(session(1).cooling.is_some());
        assert_noop!(govern(Call::force_stop { worker: worker(1) }), error(Error::NoSession));
        assert_noop!(govern(Call::force_stop { worker: worker(2) }), error(Error::NoSession));
    });
}

#[test]
fn workers_are_drawn_about_twice_an_hour_and_who_waits_is_not_asked_again() {
    run(|| {
        for n in 0..30 {
            computing(n, POOL);
        }
        let mut asked = 0usize;
        for _ in 0..1_800 {
            next_block();
            for n in 0..30 {
                if work(n).challenge.is_some_and(|challenge| challenge.block == Computation::block()) {
                    asked += 1;
                    assert_ok!(apply(heartbeat_call(n, 1)).unwrap());
                }
            }
        }
        assert!((35..90).contains(&asked), "60 are to be expected: {asked}");
        assert!((0..30).all(|n| session(n).worth.responsive));
    });
}
