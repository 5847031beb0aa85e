//! How far the closed forms are from the loop they replace, and from exact arithmetic.

use crate::reference::Worker;
use phala_economics::*;
use proptest::prelude::*;

fn parameters(growth: u128, cost: u128, limit: u64) -> Parameters {
    Parameters {
        growth: Fixed::from_bits(growth),
        cost_b: Fixed::from_bits(cost),
        value_max: Fixed::from_int(limit),
        ..Parameters::DEFAULT
    }
}

/// What the loop may lag behind by after `blocks`, given how often V has doubled meanwhile at most.
fn bound(blocks: u64, doublings: u32) -> u128 {
    u128::from(blocks * LOOP_DEVIATION_STEPS_PER_BLOCK) << doublings
}

/// Asserts that `closed` is not below `looped`, and above it by the bound at most.
#[track_caller]
fn near(name: &str, closed: Fixed, looped: Fixed, bound: u128) {
    // The closed form may be one step too low, where exact arithmetic hits a step.
    let lag = closed.to_bits().checked_sub(looped.to_bits().saturating_sub(1));
    assert!(lag.is_some_and(|lag| lag <= bound + 1), "{name}: {closed:?}, by the loop {looped:?}");
}

fn compare(parameters: &Parameters, value: Fixed, score: u32, pace: Fixed, blocks: u64, doublings: u32) {
    let mut looped = Worker::new(parameters, value, Fixed::from_int(score.into()), pace);
    for _ in 0..blocks {
        looped.idle(parameters);
    }
    let closed = Growth::new(parameters, Score(score), Performance(pace)).after(value, Fixed::ZERO, blocks);
    near("V", closed.value, looped.v, bound(blocks, doublings));
    near("D", closed.deductible, looped.d, bound(blocks, doublings));
}

#[test]
fn a_month_of_long_blocks_and_a_week_of_short_ones() {
    for (parameters, blocks) in [(Parameters::ORIGINAL, [7_200, 216_000]), (Parameters::DEFAULT, [43_200, 302_400])] {
        for (score, pace, value) in [(100, 100, 3_000), (1_000, 1_200, 5_000), (2_800, 1, 29_990), (50, 60, 0)] {
            for blocks in blocks {
                compare(&parameters, Fixed::from_int(value), score, Fixed::from_int(pace), blocks, 1);
            }
        }
    }
}

#[test]
fn the_deviation_after_a_month_is_below_a_planck() {
    // 2⁻⁶⁴ PHA are 5.4 × 10⁻⁸ Planck.
    let month = 30 * 43_200;
    let steps_of_a_planck = Fixed::from_planck(phala_units::Planck(1)).to_bits();
    assert!(bound(month, 1) < steps_of_a_planck);
}

/// Exact growth, by the definition, with nothing rounded for as many blocks as fit.
#[test]
fn the_closed_form_is_exact_to_its_last_step() {
    use primitive_types::U512;
    // α and β are multiples of 2⁻²⁰, so that ten blocks need 200 bits.
    let parameters = parameters(1 << 44, 1 << 44, 1 << 30);
    let value = Fixed::from_int(123_456_789);
    let unit = |shift: u32| U512::one() << shift;
    // V in units of 2⁻²⁶⁴, of which 64 bits are V's own and 200 are for ten products.
    let mut exact = U512::from(value.to_bits()) << 200;
    let beta = U512::from((1u128 << 44) + parameters.cost_k.to_bits() * 100) << 200;
    for blocks in 1..=10u64 {
        exact = exact + (exact >> 20) + beta;
        let floor = Fixed::from_bits((exact / unit(200)).as_u128());
        let closed = Growth::new(&parameters, Score(100), Score(100).into()).after(value, Fixed::ZERO, blocks).value;
        assert!(closed <= floor && floor.to_bits() - closed.to_bits() <= 1, "{blocks}: {closed:?} {floor:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_loop_lags_behind_the_closed_form_by_its_rounding(
        growth in 0u128..1 << 46,
        cost in 0u128..1 << 52,
        value in 0u128..40_000 << 64,
        score in 1u32..10_000,
        pace in 0u64..12_000,
        blocks in 0u64..20_000,
        limit in 20_000u64..60_000,
    ) {
        // 20,000 blocks of at most 2⁻¹⁸ × 1.2 grow V by less than a tenth.
        let parameters = parameters(growth, cost, limit);
        let pace = Fixed::from_int(pace.min(u64::from(score) * 12 / 10));
        let value = Fixed::from_bits(value).min(parameters.value_max);
        compare(&parameters, value, score, pace, blocks, 1);
    }

    #[test]
    fn a_silent_worker_loses_what_the_loop_takes(value in 0u128..1 << 94, rate in 0u128..1 << 54, blocks in 0u64..5_000) {
        let parameters = Parameters { slash_rate: Fixed::from_bits(rate), ..Parameters::DEFAULT };
        let start = Fixed::from_bits(value);
        let mut looped = Worker::new(&parameters, start, Fixed::ONE, Fixed::ONE);
        for _ in 0..blocks {
            looped.silent(&parameters);
        }
        let closed = silent(&parameters, start, blocks);
        // The loop takes off too little, a step a block at most.
        let lag = looped.v.to_bits().checked_sub(closed.to_bits());
        prop_assert!(lag.is_some_and(|lag| lag <= u128::from(blocks) + 1), "{:?} {:?}", closed, looped.v);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn growing_in_two_parts_is_growing_in_one(
        growth in 0u128..=1 << 48,
        cost in 0u128..=1 << 60,
        value in 0u128..60_000 << 64,
        pace in 0u64..1_300,
        first in 0u64..200_000,
        second in 0u64..200_000,
        limit in 30_000u64..100_000,
    ) {
        let parameters = parameters(growth, cost, limit);
        let growth = Growth::new(&parameters, Score(1_000), Performance(Fixed::from_int(pace)));
        let value = Fixed::from_bits(value);
        let halfway = growth.after(value, Fixed::ZERO, first);
        let parts = growth.after(halfway.value, halfway.deductible, second);
        let whole = growth.after(value, Fixed::ZERO, first + second);
        // V cannot grow by more than to its limit, which bounds what a step lost at the first half has become. Where V hardly
        // grows before it gets there, a step counts as one.
        let grown = if halfway.value == Fixed::ZERO { 1 } else {
            whole.value.to_bits().div_ceil(halfway.value.to_bits().max(1)).max(1)
        };
        let bound = u128::from(COMMUTE_DEVIATION_STEPS) * grown;
        prop_assert!(parts.value.to_bits().abs_diff(whole.value.to_bits()) <= bound, "{parts:?} {whole:?}");
        prop_assert!(parts.deductible.to_bits().abs_diff(whole.deductible.to_bits()) <= bound, "{parts:?} {whole:?}");
    }

    #[test]
    fn more_time_and_more_value_never_make_less(
        growth in 0u128..=1 << 48,
        value in 0u128..60_000 << 64,
        more in 0u128..1 << 70,
        blocks in any::<u64>(),
        longer in any::<u64>(),
    ) {
        let parameters = parameters(growth, 1 << 50, 60_000);
        let growth = Growth::new(&parameters, Score(1_000), Score(1_000).into());
        let value = Fixed::from_bits(value);
        let here = growth.after(value, Fixed::ZERO, blocks);
        let later = growth.after(value, Fixed::ZERO, blocks.saturating_add(longer));
        prop_assert!(later.value >= here.value && later.deductible >= here.deductible);
        prop_assert!(here.value >= value && here.value <= parameters.value_max);
        let richer = growth.after(value.saturating_add(Fixed::from_bits(more)).min(parameters.value_max), Fixed::ZERO, blocks);
        prop_assert!(richer.value >= here.value);
    }

    #[test]
    fn no_number_at_all_panics(
        growth in any::<u128>(), cost in any::<u128>(), limit in any::<u128>(), value in any::<u128>(),
        deductible in any::<u128>(), pace in any::<u128>(), score in any::<u32>(), blocks in any::<u64>(),
        zeros in 0u32..128,
    ) {
        let parameters = Parameters {
            growth: Fixed::from_bits(growth >> zeros),
            slash_rate: Fixed::from_bits(growth >> zeros),
            cost_k: Fixed::from_bits(cost >> zeros),
            value_max: Fixed::from_bits(limit),
            ..Parameters::DEFAULT
        };
        let grown = Growth::new(&parameters, Score(score), Performance(Fixed::from_bits(pace)))
            .after(Fixed::from_bits(value), Fixed::from_bits(deductible), blocks);
        prop_assert!(blocks == 0 || grown.value <= parameters.value_max);
        prop_assert!(grown.deductible >= Fixed::from_bits(deductible));
        prop_assert!(silent(&parameters, Fixed::from_bits(value), blocks) <= Fixed::from_bits(value));
        let _ = work_share(Fixed::from_bits(value), Performance(Fixed::from_bits(pace)), Confidence::One);
    }
}
