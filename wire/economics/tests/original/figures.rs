//! Published figures, to the digits they are published with.

use phala_economics::*;
use phala_units::{BlockNumber, PHA, Planck};

const PARAMETERS: Parameters = Parameters::ORIGINAL;

/// 100 PHA: the original's budget of a block.
const BUDGET: Planck = Planck(100 * PHA);

fn fixed(text: &str) -> Fixed {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let denominator = 10u128.pow(places.len() as u32);
    let places: u128 = if places.is_empty() { 0 } else { places.parse().unwrap() };
    Fixed::from_int(whole.parse().unwrap()).saturating_add(Fixed::from_ratio(places, denominator).unwrap())
}

/// Asserts that `number` agrees with all the digits of `text`, but for `last` in the last of them.
#[track_caller]
fn agrees(number: Fixed, text: &str, last: u128) {
    let places = text.split_once('.').map_or(0, |(_, places)| places.len()) as u32;
    let scaled = |number: Fixed| mul_div(number.to_bits(), 10u128.pow(places.min(18)), Fixed::ONE.to_bits()).unwrap();
    let apart = scaled(number).abs_diff(scaled(fixed(text)));
    assert!(apart <= last, "{number} is not {text}: {apart} in the last digit");
}

/// The worker of the original's tests: it starts in block 2 with V = 3,000 and P = 100.
fn worker(value: u64, score: u32, confidence: Confidence) -> Session {
    let value = Fixed::from_int(value);
    Session {
        score: Score(score),
        confidence,
        lately: Score(score).into(),
        serving: false,
        responsive: true,
        initial: value,
        value,
        deductible: Fixed::ZERO,
        settled_at: BlockNumber(1),
        share: WorkShare::default(),
        earned: Earned::default(),
    }
}

#[test]
fn the_least_stake() {
    agrees(stake_min(&PARAMETERS, Score(1_000)), "3162.277660146355", 1);
}

#[test]
fn the_initial_value_at_each_confidence() {
    let value = |level| {
        let confidence = Confidence::from_level(level).unwrap();
        initial_value(&PARAMETERS, Fixed::from_int(1_000), Score(1_000), confidence)
    };
    for (level, expected) in [(1, 1_690), (2, 1_690), (3, 1_690), (4, 1_612), (5, 1_573), (128, 1_690)] {
        let apart = value(level).to_bits().abs_diff(Fixed::from_int(expected).to_bits());
        assert!(apart < 1 << 11, "{level}: {}", value(level));
    }
}

#[test]
fn v_of_an_idle_worker() {
    let growth = Growth::new(&PARAMETERS, Score(100), Score(100).into());
    let start = Fixed::from_int(3_000);
    let one = growth.after(start, Fixed::ZERO, 1).value;
    // All twenty digits.
    let last = mul_div(one.to_bits() & (Fixed::ONE.to_bits() - 1), 10u128.pow(20), Fixed::ONE.to_bits()).unwrap();
    assert!(last.abs_diff(203_509_369_147_797_934) <= 10, "{last}");
    agrees(growth.after(start, Fixed::ZERO, 7_201).value, "3014.6899337932", 1);
}

#[test]
fn a_heartbeat_after_a_day() {
    let mut session = worker(3_000, 100, Confidence::Two);
    // What the others divide the budget by was taken at the start of the block, with the old performance.
    session.settle(&PARAMETERS, BlockNumber(7_203));
    let sum = session.current_share();
    let measured = measure(
        &PARAMETERS,
        session.score,
        Mark { iterations: 0, at_ms: 24_000 },
        Mark { iterations: 110 * 7_200 * 2, at_ms: 24_000 + 7_202 * 12_000 },
    )
    .unwrap();
    agrees(measured.0, "109.969452929741738405", 1);
    assert_eq!(session.answer(&PARAMETERS, BlockNumber(7_204), Some(measured), false), Answer::Due);
    let part = part_of_budget(session.current_share(), sum, BUDGET, 7_202);
    let paid = session.pay(&PARAMETERS, part, Planck(u128::MAX));
    assert!(paid.pool.0.abs_diff(576_424_184_820_453_732) <= 1, "{}", paid.pool);
    assert!(paid.treasury.0.abs_diff(144_106_046_205_113_433) <= 1, "{}", paid.treasury);
    agrees(session.value, "3000.000000000000", 0);
}

#[test]
fn an_hour_without_an_answer() {
    let mut session = worker(3_000, 100, Confidence::Two);
    session.settle(&PARAMETERS, BlockNumber(7_203));
    let measured = Performance(fixed("109.96945292974173840575"));
    session.answer(&PARAMETERS, BlockNumber(7_204), Some(measured), false);
    session.pay(&PARAMETERS, BUDGET, Planck(u128::MAX));
    // Challenged, eleven blocks pass; then the window is over, and three hundred cost.
    session.fall_silent(&PARAMETERS, BlockNumber(7_216));
    session.settle(&PARAMETERS, BlockNumber(7_515));
    agrees(session.value, "2997.02608778511139", 1_000);
}

#[test]
fn a_day_at_the_limit_of_v() {
    let mut session = worker(30_000, 3_000, Confidence::Two);
    session.settle(&PARAMETERS, BlockNumber(7_203));
    assert_eq!(session.value, PARAMETERS.value_max);
    let sum = session.current_share();
    let measured = measure(
        &PARAMETERS,
        session.score,
        Mark { iterations: 0, at_ms: 24_000 },
        Mark { iterations: 1_000_000, at_ms: 24_000 + 7_202 * 12_000 },
    )
    .unwrap();
    agrees(measured.0, "69.425", 1);
    session.answer(&PARAMETERS, BlockNumber(7_204), Some(measured), false);
    agrees(session.deductible, "144.6101", 1);
    let part = part_of_budget(session.current_share(), sum, BUDGET, 7_202);
    let paid = session.pay(&PARAMETERS, part, Planck(u128::MAX));
    assert!(paid.pool.0.abs_diff(564_977_413_359_895_000) <= 1_000, "{}", paid.pool);
    agrees(session.value, "29855.389859583859", 1);
}
