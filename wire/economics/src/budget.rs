//! How much the network pays in a block: a schedule by height, and nothing else.
//!
//! The budget of a block falls to three quarters every 180 days, for ever. Which block belongs to which period follows from its height, so
//! nobody has to be trusted to say it. The original let one account set it.

use crate::fixed::mul_div;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::{BlockNumber, PHA, Planck};
use scale_info::TypeInfo;

/// Largest budget of a block: 10,000 PHA.
pub const BUDGET_PER_BLOCK_MAX: Planck = Planck(10_000 * PHA);
/// Shortest period: a day of two-second blocks.
pub const PERIOD_BLOCKS_MIN: u32 = 43_200;
/// After this many periods nothing is left of the largest budget: 10¹⁶ Planck are below one after 129.
const PERIODS_MAX: u32 = 160;

/// What is paid from when on.
///
/// # Source Phala's budget balancer: 720,000 PHA a day, three quarters of it after each 180 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Schedule {
    /// The first block that is paid for.
    pub start: BlockNumber,
    /// How many blocks a period has.
    pub period_blocks: u32,
    /// The budget of a block in the first period.
    pub first: Planck,
}

/// Why a schedule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// [`PERIOD_BLOCKS_MIN`].
    #[error("a period is shorter than 43200 blocks")]
    Period,
    /// [`BUDGET_PER_BLOCK_MAX`].
    #[error("the budget of a block is above 10000 PHA")]
    Budget,
}

impl Schedule {
    /// 720,000 PHA a day and periods of 180 days, in blocks of two seconds, from `start` on.
    ///
    /// All of it together is 518.4 million PHA.
    pub const fn standard(start: BlockNumber) -> Self {
        Self { start, period_blocks: 180 * 43_200, first: Planck(720_000 * PHA / 43_200) }
    }

    /// This schedule, if it keeps the rules.
    ///
    /// # Errors The first rule that is broken.
    pub const fn validate(self) -> Result<Self, ScheduleError> {
        if self.period_blocks < PERIOD_BLOCKS_MIN {
            return Err(ScheduleError::Period);
        }
        if self.first.0 > BUDGET_PER_BLOCK_MAX.0 {
            return Err(ScheduleError::Budget);
        }
        Ok(self)
    }

    /// The budget of one block.
    ///
    /// # Units Planck.
    /// # Rounding Down, once for each period that has passed.
    pub fn at(&self, block: BlockNumber) -> Planck {
        if block < self.start {
            return Planck(0);
        }
        self.in_period(block.since(self.start).checked_div(self.period_blocks).unwrap_or(u32::MAX))
    }

    /// The budget of the blocks after `from`, up to and including `to`.
    ///
    /// # Units Planck.
    /// # Rounding None: this is the sum of what [`Schedule::at`] gives for each block.
    /// # Invariant Asking for two neighbouring spans is asking for both at once.
    pub fn between(&self, from: BlockNumber, to: BlockNumber) -> Planck {
        let total = |through: BlockNumber| {
            if through < self.start { 0 } else { self.total(u64::from(through.since(self.start)) + 1) }
        };
        Planck(total(to).saturating_sub(total(from)))
    }

    /// The sum of the first `blocks` budgets.
    fn total(&self, blocks: u64) -> u128 {
        let period = u64::from(self.period_blocks.max(1));
        let (mut left, mut sum, mut budget) = (blocks, 0u128, self.first.0);
        for _ in 0..PERIODS_MAX {
            let length = left.min(period);
            sum = sum.saturating_add(budget.saturating_mul(length.into()));
            left -= length;
            if left == 0 || budget == 0 {
                break;
            }
            budget = three_quarters(budget);
        }
        sum
    }

    /// The budget of a block in a period, the first being zero.
    fn in_period(&self, period: u32) -> Planck {
        if period >= PERIODS_MAX {
            return Planck(0);
        }
        Planck((0..period).fold(self.first.0, |budget, _| three_quarters(budget)))
    }
}

fn three_quarters(budget: u128) -> u128 {
    mul_div(budget, 3, 4).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STANDARD: Schedule = Schedule::standard(BlockNumber(100));

    #[test]
    fn the_budget_falls_to_three_quarters_every_180_days() {
        let period = STANDARD.period_blocks;
        assert_eq!(STANDARD.at(BlockNumber(99)), Planck(0));
        assert_eq!(STANDARD.at(BlockNumber(100)), Planck(16_666_666_666_666));
        assert_eq!(STANDARD.at(BlockNumber(99 + period)), Planck(16_666_666_666_666));
        assert_eq!(STANDARD.at(BlockNumber(100 + period)), Planck(12_499_999_999_999));
        assert_eq!(STANDARD.at(BlockNumber(100 + 2 * period)), Planck(9_374_999_999_999));
    }

    #[test]
    fn the_pot_outlasts_the_schedule() {
        let all = STANDARD.between(BlockNumber(0), BlockNumber(u32::MAX));
        assert!(all < Planck(518_400_000 * PHA) && all > Planck(518_399_000 * PHA), "{all}");
        assert!(all < Planck(700_000_000 * PHA));
    }

    #[test]
    fn a_budget_ends_before_its_periods_do() {
        let most = Schedule { start: BlockNumber(0), period_blocks: PERIOD_BLOCKS_MIN, first: BUDGET_PER_BLOCK_MAX };
        assert_eq!(most.in_period(PERIODS_MAX - 1), Planck(0));
        assert_eq!(most.at(BlockNumber(u32::MAX)), Planck(0));
    }

    #[test]
    fn a_schedule_is_valid_at_its_limits_and_not_past_them() {
        let most = Schedule { start: BlockNumber(0), period_blocks: PERIOD_BLOCKS_MIN, first: BUDGET_PER_BLOCK_MAX };
        assert_eq!(most.validate(), Ok(most));
        assert_eq!(STANDARD.validate(), Ok(STANDARD));
        let short = Schedule { period_blocks: PERIOD_BLOCKS_MIN - 1, ..most };
        assert_eq!(short.validate(), Err(ScheduleError::Period));
        let rich = Schedule { first: Planck(BUDGET_PER_BLOCK_MAX.0 + 1), ..most };
        assert_eq!(rich.validate(), Err(ScheduleError::Budget));
    }

    #[test]
    fn a_schedule_without_sense_panics_nobody() {
        let absurd = Schedule { start: BlockNumber(0), period_blocks: 0, first: Planck(u128::MAX) };
        let _ = absurd.at(BlockNumber(u32::MAX));
        let _ = absurd.between(BlockNumber(u32::MAX), BlockNumber(0));
        let _ = absurd.between(BlockNumber(0), BlockNumber(u32::MAX));
    }

    proptest! {
        #[test]
        fn a_span_is_the_sum_of_its_blocks(start in 0u32..200_000, from in 0u32..400_000, length in 0u32..300) {
            let schedule = Schedule { start: BlockNumber(start), period_blocks: PERIOD_BLOCKS_MIN, first: Planck(7 * PHA + 3) };
            let to = from + length;
            let sum: u128 = (from + 1..=to).map(|block| schedule.at(BlockNumber(block)).0).sum();
            prop_assert_eq!(schedule.between(BlockNumber(from), BlockNumber(to)), Planck(sum));
        }

        #[test]
        fn two_neighbouring_spans_are_one(a in any::<u32>(), b in any::<u32>(), c in any::<u32>()) {
            let mut at = [a, b, c];
            at.sort_unstable();
            let [a, b, c] = at.map(BlockNumber);
            prop_assert_eq!(STANDARD.between(a, b).0 + STANDARD.between(b, c).0, STANDARD.between(a, c).0);
        }
    }
}
