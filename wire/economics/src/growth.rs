//! V and D between heartbeats, in closed form.
//!
//! # The problem
//! In each block without a heartbeat, a responsive worker's value V grows by ΔV = r × ((ρ − 1) × V + c), where r = P_cur / P_init.
//! D, which limits what the next payout takes off V, grows by the same ΔV; V stops at Vmax, D does not. Doing that for
//! every worker in every block costs as much as there are workers.
//!
//! # The idea
//! One block takes V to (1 + α) × V + β, with α = r × (ρ − 1) and β = r × c. Two blocks, done at once, are a map of the same kind,
//! with 2α + α² and (2 + α) × β. By doubling, n blocks cost log₂ n steps, and no division by the tiny ρ − 1 as in the textbook form
//! ρⁿ × V + c × (ρⁿ − 1) / (ρ − 1). As V only grows, it has passed Vmax on the way exactly if it lies above it at the end; the
//! block where it did is found by the same doublings. From there on D grows by the same amount in each block.
//!
//! # Properties
//! - Never loops over blocks: at most 64 doublings, whatever is asked.
//! - V is the value that exact arithmetic gives, rounded down to one step: it is never above it, and less than two steps below.
//! - The original's block by block arithmetic rounds each block; it stays below this by at most
//!   [`LOOP_DEVIATION_STEPS_PER_BLOCK`] steps a block, compounded.
//! - Growing twice is growing once for both times, within [`COMMUTE_DEVIATION_STEPS`].

use crate::{Fixed, Parameters, Performance, Score, wide::Wide};

/// How far below the closed form the original's arithmetic may lie, in steps of 2⁻⁶⁴ PHA for each block, each of them grown with
/// V since: it rounds a ratio and two products down, and multiplies the sum by at most 2.
///
/// After a day of two-second blocks that is a hundredth of a Planck.
pub const LOOP_DEVIATION_STEPS_PER_BLOCK: u64 = 4;

/// How far V and D may lie apart, in steps of 2⁻⁶⁴ PHA, when they grow in two parts instead of one: what the first part is rounded by
/// may double meanwhile, and both results are rounded.
pub const COMMUTE_DEVIATION_STEPS: u64 = 4;

/// How one worker's V grows, as long as nothing about it changes.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// What a block does; `None` where the numbers are so absurd that one block passes any limit.
    block: Option<Map>,
    limit: Fixed,
}

/// V and D after some blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grown {
    /// V, in PHA.
    pub value: Fixed,
    /// D, in PHA.
    pub deductible: Fixed,
}

/// V ↦ V + α × V + β.
#[derive(Clone, Copy, Debug)]
struct Map {
    alpha: Wide,
    beta: Wide,
}

impl Map {
    /// The map twice.
    fn double(self) -> Option<Self> {
        let alpha = self.alpha.add(self.alpha)?.add(self.alpha.mul(self.alpha)?)?;
        let beta = self.beta.add(self.beta)?.add(self.beta.mul(self.alpha)?)?;
        Some(Self { alpha, beta })
    }

    /// What is added to `value`.
    fn gain(self, value: Wide) -> Option<Wide> {
        value.mul(self.alpha)?.add(self.beta)
    }

    fn apply(self, value: Wide) -> Option<Wide> {
        value.add(self.gain(value)?)
    }

    /// The map `blocks` times.
    fn repeat(self, mut value: Wide, mut blocks: u64) -> Option<Wide> {
        let mut map = self;
        loop {
            if blocks & 1 == 1 {
                value = map.apply(value)?;
            }
            blocks >>= 1;
            if blocks == 0 {
                return Some(value);
            }
            map = map.double()?;
        }
    }
}

impl Growth {
    /// The growth of a worker of `score` that is now as fast as `performance` says.
    ///
    /// # Rounding α and β are rounded down at 2⁻¹²⁸.
    pub fn new(parameters: &Parameters, score: Score, performance: Performance) -> Self {
        // A worker without a score grows as one that is as fast as it was.
        let (pace, whole) = if score.0 == 0 { (Fixed::ONE, 1) } else { (performance.0, score.0) };
        let block = Wide::product(parameters.growth, pace, whole)
            .zip(Wide::product(parameters.operating_cost(score), pace, whole))
            .map(|(alpha, beta)| Map { alpha, beta });
        Self { block, limit: parameters.value_max }
    }

    /// V and D after `blocks` blocks in which the worker had nothing to answer.
    ///
    /// # Units PHA.
    /// # Rounding Down.
    /// # Source Phala's worker rewards: V grows for cost and risk, up to Vmax; D adds what V would have grown without that limit, so
    /// that workers at the limit are paid.
    pub fn after(&self, value: Fixed, deductible: Fixed, blocks: u64) -> Grown {
        let start = Wide::from(value);
        if blocks == 0 {
            return Grown { value, deductible };
        }
        let Some(block) = self.block else { return self.at_limit(Fixed::MAX) };
        match block.repeat(start, blocks) {
            Some(end) if end <= self.limit.into() => Grown {
                value: end.floor().unwrap_or(self.limit),
                deductible: deductible.saturating_add(end.less(start).floor().unwrap_or(Fixed::MAX)),
            },
            _ => self.through_limit(block, start, deductible, blocks),
        }
    }

    /// As [`Growth::after`], when V passes its limit on the way.
    fn through_limit(&self, block: Map, start: Wide, deductible: Fixed, blocks: u64) -> Grown {
        let limit = Wide::from(self.limit);
        let below = |map: Map, value| map.apply(value).filter(|next| *next <= limit);
        let (mut value, mut left) = (start, blocks);
        // As many blocks as stay below the limit, largest doublings first. The first block apart: then V is not zero, and
        // a doubling too large to be written down would pass any limit in a few steps of the one before it.
        if let Some(next) = below(block, value) {
            (value, left) = (next, left.saturating_sub(1));
            let doublings = core::iter::successors(Some(block), |map| map.double());
            let mut maps = [None; u64::BITS as usize];
            for ((slot, map), exponent) in maps.iter_mut().zip(doublings).zip(0..) {
                if left >> exponent == 0 {
                    break;
                }
                *slot = Some((map, 1u64 << exponent));
            }
            for (map, length) in maps.into_iter().rev().flatten() {
                while left >= length
                    && let Some(next) = below(map, value)
                {
                    (value, left) = (next, left.saturating_sub(length));
                }
            }
        }
        if left == 0 {
            // Rounding alone was above the limit.
            let gain = value.less(start).floor().unwrap_or(Fixed::MAX);
            return Grown { value: value.floor().unwrap_or(self.limit), deductible: deductible.saturating_add(gain) };
        }
        // The block that passes the limit, or lies above one that was lowered; then those at the limit, all alike.
        let passing = block.apply(value).map(|next| next.less(start));
        let rest = block.gain(limit).and_then(|gain| gain.times(left.saturating_sub(1)));
        let gain = passing.zip(rest).and_then(|(passing, rest)| passing.add(rest)).and_then(Wide::floor);
        self.at_limit(gain.map_or(Fixed::MAX, |gain| deductible.saturating_add(gain)))
    }

    fn at_limit(&self, deductible: Fixed) -> Grown {
        Grown { value: self.limit, deductible }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(parameters: &Parameters) -> Growth {
        Growth::new(parameters, Score(100), Score(100).into())
    }

    #[test]
    fn no_block_changes_nothing() {
        let here = Grown { value: Fixed::from_int(40_000), deductible: Fixed::from_int(3) };
        assert_eq!(growth(&Parameters::DEFAULT).after(here.value, here.deductible, 0), here);
    }

    #[test]
    fn a_worker_at_the_limit_goes_on_earning() {
        let parameters = Parameters::ORIGINAL;
        let growth = growth(&parameters);
        let one = growth.after(parameters.value_max, Fixed::ZERO, 1);
        let many = growth.after(parameters.value_max, Fixed::ZERO, 1_000_000);
        assert_eq!((one.value, many.value), (parameters.value_max, parameters.value_max));
        assert!(one.deductible > Fixed::ZERO);
        assert!(many.deductible.to_bits().abs_diff(one.deductible.to_bits() * 1_000_000) <= 1_000_000);
    }

    #[test]
    fn a_limit_that_was_lowered_takes_v_down_with_the_next_block() {
        let parameters = Parameters::ORIGINAL;
        let above = Fixed::from_int(31_000);
        let next = growth(&parameters).after(above, Fixed::ZERO, 1);
        assert_eq!(next.value, parameters.value_max);
        let unlimited = Parameters { value_max: crate::VALUE_MAX, ..parameters };
        let gain = Growth::new(&unlimited, Score(100), Score(100).into()).after(above, Fixed::ZERO, 1).deductible;
        assert_eq!(next.deductible, gain);
    }

    #[test]
    fn without_growth_and_cost_v_stands_still() {
        let still = Parameters { growth: Fixed::ZERO, cost_k: Fixed::ZERO, cost_b: Fixed::ZERO, ..Parameters::DEFAULT };
        let here = Grown { value: Fixed::from_int(7), deductible: Fixed::ZERO };
        assert_eq!(growth(&still).after(here.value, here.deductible, u64::MAX), here);
    }

    #[test]
    fn numbers_without_sense_end_at_the_limit() {
        let absurd = Parameters {
            growth: Fixed::MAX,
            cost_k: Fixed::MAX,
            cost_b: Fixed::MAX,
            value_max: Fixed::MAX,
            ..Parameters::DEFAULT
        };
        for performance in [Fixed::ZERO, Fixed::STEP, Fixed::ONE, Fixed::MAX] {
            for score in [0, 1, u32::MAX] {
                for value in [Fixed::ZERO, Fixed::STEP, Fixed::MAX] {
                    for blocks in [1, 2, 3, 1 << 63, u64::MAX] {
                        let grown =
                            Growth::new(&absurd, Score(score), Performance(performance)).after(value, value, blocks);
                        assert!(grown.value >= value && grown.deductible >= value);
                    }
                }
            }
        }
    }

    #[test]
    fn a_worker_worth_nothing_grows_by_its_costs() {
        // So little that the doublings overflow long before V has reached anything.
        let slow =
            Parameters { growth: crate::GROWTH_MAX, cost_k: Fixed::ZERO, cost_b: Fixed::STEP, ..Parameters::DEFAULT };
        let growth = Growth::new(&slow, Score(u32::MAX), Performance(Fixed::STEP));
        let grown = growth.after(Fixed::ZERO, Fixed::ZERO, u64::MAX);
        assert!(grown.value < slow.value_max);
        let fast = Growth::new(&slow, Score(1), Score(1).into()).after(Fixed::ZERO, Fixed::ZERO, u64::MAX);
        assert_eq!(fast.value, slow.value_max);
    }
}
