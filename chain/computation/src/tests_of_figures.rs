//! The original network's published figures, from heartbeat to payout, through the pallet.
//!
//! The original took a share as it was at the end of an interval, ours counts it as it was at the beginning; with one worker that is all of
//! the budget either way. Its figures have 7,202 blocks in the interval; the last digits differ where its per-block rounding does.

use crate::{mock::*, *};
use frame_support::assert_ok;
use phala_economics::{Fixed, Mark, Parameters, Performance, Score};
use phala_units::{BlockNumber, PHA, Planck};

/// A session of one worker, as the original's tests set it up: V = 3000, P = 100, original prices, started in block 2.
fn figure(value: u64, score: u32) {
    ask_nobody();
    original();
    computing(1, POOL);
    Sessions::<Test>::mutate(worker(1), |record| {
        let record = record.as_mut().unwrap();
        record.worth.score = Score(score);
        record.worth.lately = Score(score).into();
        record.worth.initial = Fixed::from_int(value);
        record.worth.value = Fixed::from_int(value);
        record.worth.settled_at = BlockNumber(System::block_number() - 1);
        let mut accrual = Computation::accrue();
        record.worth.rejoin(&mut accrual.index).unwrap();
        record.mark = Mark { iterations: 0, at_ms: 0 };
        Accrued::<Test>::put(accrual);
    });
}

/// Answers a challenge of this block, at a time of the original's: twelve seconds a block.
fn answer(iterations: u64, elapsed_ms: u64) {
    challenge(1);
    Work::<Test>::mutate(worker(1), |work| {
        let challenge = work.as_mut().unwrap().challenge.as_mut().unwrap();
        challenge.time = phala_units::UnixMillis(elapsed_ms);
    });
    assert_ok!(apply(heartbeat_call(1, iterations)).unwrap());
}

/// Whether two amounts of PHA agree to `places` decimal places of the second.
fn close(amount: Planck, expected: f64, within: f64) -> bool {
    (amount.0 as f64 / PHA as f64 - expected).abs() < within
}

fn number(fixed: Fixed) -> f64 {
    fixed.to_bits() as f64 / 2f64.powi(64)
}

#[test]
fn one_block_and_7200_of_idleness() {
    run(|| {
        figure(3_000, 100);
        let mut worth = session(1).worth;
        let began = System::block_number();
        worth.settle(&Parameters::ORIGINAL, BlockNumber(began));
        assert!((number(worth.value) - 3_000.002_035_093_691_48).abs() < 1e-12);
        worth.settle(&Parameters::ORIGINAL, BlockNumber(began + 7_200));
        assert!((number(worth.value) - 3_014.689_933_793_2).abs() < 1e-9);
    });
}

#[test]
fn a_worker_alone_gets_the_whole_budget_and_v_is_back() {
    run(|| {
        figure(3_000, 100);
        let began = System::block_number();
        jump_to(began + 7_202);
        answer(110 * 7_200 * 2, 7_202 * 12_000);
        // 110 × 7200 / 7202.
        let lately = session(1).worth.lately;
        assert!((number(lately.0) - 109.969_452_929_731_74).abs() < 1e-10);
        // The whole of 7,202 blocks of 100 PHA: four fifths to the pool. The original says 576,424.18 and 144,106.05: its share is the newer one.
        let paid = Planck(SimplePools::get(POOL.0).rewards);
        assert!(close(paid, 7_202.0 * 80.0, 1e-3), "{paid}");
        let treasury = Planck(Balances::free_balance(Treasury::get()) - PHA);
        assert!(close(treasury, 7_202.0 * 20.0, 1e-3), "{treasury}");
        assert!(
            576_424.184_820_453_732 - 7_202.0 * 80.0 < 576_424.0 * 0.001_5,
            "and the difference is its growth of share"
        );
        assert!((number(session(1).worth.value) - 3_000.0).abs() < 1e-9, "V is back");
    });
}

#[test]
fn performance_is_measured_and_capped() {
    run(|| {
        figure(3_000, 600);
        jump_to(System::block_number() + 10);
        answer(11_000, 100_000);
        assert_eq!(session(1).worth.lately, Performance(Fixed::from_int(660)));
        jump_to(System::block_number() + 10);
        answer(26_000, 200_000);
        assert_eq!(session(1).worth.lately, Performance(Fixed::from_int(720)));
    });
}

#[test]
fn an_hour_of_silence() {
    run(|| {
        figure(3_000, 100);
        Sessions::<Test>::mutate(worker(1), |record| {
            record.as_mut().unwrap().worth.lately =
                Performance(Fixed::from_ratio(109_969_452_929_731_741, PHA * 1_000).unwrap());
        });
        challenge(1);
        // Ten blocks of the window and the one of the challenge grow, then 300 shrink.
        pass(11);
        assert!(!session(1).worth.responsive);
        let mut worth = session(1).worth;
        worth.settle(&Parameters::ORIGINAL, BlockNumber(System::block_number() + 299));
        assert!((number(worth.value) - 2_997.026_087_785_111_39).abs() < 1e-9, "{}", number(worth.value));
    });
}

#[test]
fn a_worker_at_the_limit_of_v_is_paid_and_v_falls_by_what_it_would_have_grown() {
    run(|| {
        figure(30_000, 3_000);
        let began = System::block_number();
        jump_to(began + 7_202);
        // D of 7,202 blocks of a worker that stands still at the limit.
        answer(1_000_000, 7_202 * 12_000);
        let paid = Planck(SimplePools::get(POOL.0).rewards);
        assert!(close(paid, 7_202.0 * 80.0, 1e-3), "not nothing: {paid}");
        assert!(
            (number(session(1).worth.value) - 29_855.389_859_583_859).abs() < 1e-2,
            "{}",
            number(session(1).worth.value)
        );
    });
}

#[test]
fn settling_at_two_times_is_settling_at_the_later_one() {
    run(|| {
        figure(3_000, 100);
        let began = System::block_number();
        let mut twice = session(1).worth;
        let mut once = twice;
        once.settle(&Parameters::ORIGINAL, BlockNumber(began + 7_000));
        twice.settle(&Parameters::ORIGINAL, BlockNumber(began + 1_234));
        twice.settle(&Parameters::ORIGINAL, BlockNumber(began + 7_000));
        let apart = once.value.to_bits().abs_diff(twice.value.to_bits());
        assert!(apart <= u128::from(phala_economics::COMMUTE_DEVIATION_STEPS), "{apart}");
        // And the division of the budget: in many steps or in one, but for what each step rounds.
        let mut accrual = Accrued::<Test>::get();
        for block in 0..100 {
            jump_to(began + 10 * (block + 1));
            Accrued::<Test>::put(Computation::accrue());
        }
        let stepwise = Accrued::<Test>::get();
        accrual.index.divide(stepwise.divided);
        let (one, many) = (once.owed(&accrual.index), once.owed(&stepwise.index));
        assert!(one >= many && one.0 - many.0 <= 100, "{one} {many}");
    });
}
