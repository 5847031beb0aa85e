//! Each worker's share of the work, and what a share has earned.
//!
//! The budget of a block is divided among the workers in proportion to their shares. A worker's share follows its V, which grows
//! in every block; the sum of all of them could be had only by visiting all workers. So the network keeps the sum of the shares as they were
//! when each worker was last visited ([`WorkIndex`]), and adds up, block by block or many at once, what one unit of share has earned.
//! A worker then is owed its share times what the index has risen since its last visit.
//!
//! # Properties
//! - All that workers are owed is at most the budget, to the last Planck.
//! - A worker's share is stale by one interval between heartbeats. While it is, every other worker's share is too: with all visited about
//!   twice an hour, shares lie below the current ones by at most the growth of V in that time, some 0.01 %, and what one gains by
//!   it another loses; none of it leaves the workers.

use crate::{Confidence, Fixed, Performance, fixed::mul_div};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::Planck;
use scale_info::TypeInfo;

/// A worker's part in the division of the budget, not an amount: only its proportion to the sum means something.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct WorkShare(pub Fixed);

/// √(V² + (2 × P_cur × confidence)²): a worker's share.
///
/// # Rounding Down to a multiple of 2⁻³².
/// # Source Phala's worker rewards.
pub fn work_share(value: Fixed, performance: Performance, confidence: Confidence) -> WorkShare {
    let pace = confidence.of(performance.0.saturating_times(2));
    WorkShare(value.mul_down(value).saturating_add(pace.mul_down(pace)).sqrt())
}

/// The sum of all shares, and what a unit of share has earned since the beginning.
///
/// # Invariant `sum` is the sum of the shares that joined and did not leave; `earned` never falls.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct WorkIndex {
    sum: Fixed,
    earned: Fixed,
}

/// What a unit of share had earned at some time, in PHA.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Earned(pub Fixed);

/// The sum of shares would be too large, or smaller than what leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shares do not fit their sum")]
pub struct SumError;

impl WorkIndex {
    /// The sum of all shares.
    pub const fn sum(&self) -> WorkShare {
        WorkShare(self.sum)
    }

    /// What a unit of share has earned so far.
    pub const fn earned(&self) -> Earned {
        Earned(self.earned)
    }

    /// Divides `budget` among the shares. Where there are none, nothing is divided and `budget` is still the pot's.
    ///
    /// # Rounding Down; what cannot be divided stays in the pot.
    pub fn divide(&mut self, budget: Planck) {
        // Down, unlike `Fixed::from_planck`: what is divided is never more than what there is.
        let Some(budget) = Fixed::from_ratio(budget.0, phala_units::PHA) else { return };
        if let Some(each) = budget.checked_div(self.sum) {
            self.earned = self.earned.saturating_add(each);
        }
    }

    /// Takes a share in, to earn from now on.
    ///
    /// # Errors [`SumError`], and nothing is changed.
    pub fn join(&mut self, share: WorkShare) -> Result<Earned, SumError> {
        self.sum = self.sum.checked_add(share.0).ok_or(SumError)?;
        Ok(self.earned())
    }

    /// Lets a share go.
    ///
    /// # Errors [`SumError`] if it is larger than the sum, and nothing is changed.
    pub fn leave(&mut self, share: WorkShare) -> Result<(), SumError> {
        if share.0 > self.sum {
            return Err(SumError);
        }
        self.sum = self.sum.saturating_sub(share.0);
        Ok(())
    }

    /// B_w: what `share` has earned since `then`.
    ///
    /// # Units Planck.
    /// # Rounding Down.
    pub fn owed(&self, share: WorkShare, then: Earned) -> Planck {
        let risen = self.earned.saturating_sub(then.0);
        share.0.mul_down(risen).to_planck()
    }
}

/// B_w = share / Σ × budget × n, the formula as it is written, for a sum of shares that is known anew in each block.
///
/// # Units Planck.
/// # Rounding Down; nothing when Σ is zero.
/// # Source Phala's worker rewards.
pub fn part_of_budget(share: WorkShare, sum: WorkShare, budget_per_block: Planck, blocks: u32) -> Planck {
    let budget = budget_per_block.0.saturating_mul(blocks.into());
    if sum.0 == Fixed::ZERO {
        return Planck(0);
    }
    Planck(mul_div(share.0.to_bits(), budget, sum.0.to_bits()).unwrap_or(u128::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_the_length_of_value_and_pace() {
        let pace = Performance(Fixed::from_int(2_000));
        assert_eq!(work_share(Fixed::from_int(3_000), pace, Confidence::One).0, Fixed::from_int(5_000));
        let weak = work_share(Fixed::ZERO, pace, Confidence::Four).0;
        assert_eq!(weak, Fixed::from_int(3_200));
        // The root of half the bits: too large, but no panic.
        let most = work_share(Fixed::MAX, Performance(Fixed::MAX), Confidence::One);
        assert!(most.0 >= Fixed::from_int(u32::MAX.into()));
    }

    #[test]
    fn a_budget_without_workers_stays_in_the_pot() {
        let mut index = WorkIndex::default();
        index.divide(Planck(PHA));
        let then = index.join(WorkShare(Fixed::from_int(5))).unwrap();
        assert_eq!(then, Earned::default());
        index.divide(Planck(u128::MAX));
        assert_eq!(index.earned(), then, "no budget is that large");
    }

    #[test]
    fn a_sum_takes_no_share_it_cannot_hold_and_lets_none_go_it_does_not() {
        let mut index = WorkIndex::default();
        let most = WorkShare(Fixed::MAX);
        assert!(index.join(most).is_ok());
        assert_eq!(index.join(WorkShare(Fixed::STEP)), Err(SumError));
        assert_eq!(index.leave(most), Ok(()));
        assert_eq!(index.leave(WorkShare(Fixed::STEP)), Err(SumError));
        assert_eq!(index.sum(), WorkShare::default());
    }

    #[test]
    fn no_sum_no_part() {
        let share = WorkShare(Fixed::ONE);
        assert_eq!(part_of_budget(share, WorkShare::default(), Planck(PHA), 1), Planck(0));
        assert_eq!(part_of_budget(share, share, Planck(PHA), 0), Planck(0));
        assert_eq!(part_of_budget(WorkShare(Fixed::MAX), share, Planck(u128::MAX), 2), Planck(u128::MAX));
    }

    proptest! {
        #[test]
        fn workers_are_owed_at_most_the_budget(
            shares in prop::collection::vec(1u64..1_000_000, 1..12),
            budgets in prop::collection::vec((0u128..100 * PHA, 0usize..12, 1u64..1_000_000), 1..40),
        ) {
            let mut index = WorkIndex::default();
            let mut workers: Vec<(WorkShare, Earned)> = Vec::new();
            for share in shares {
                let share = WorkShare(Fixed::from_int(share));
                let then = index.join(share).unwrap();
                workers.push((share, then));
            }
            let (mut budget, mut paid) = (0, 0);
            for (amount, who, anew) in budgets {
                index.divide(Planck(amount));
                budget += amount;
                let len = workers.len();
                let worker = &mut workers[who % len];
                paid += index.owed(worker.0, worker.1).0;
                index.leave(worker.0).unwrap();
                worker.0 = WorkShare(Fixed::from_int(anew));
                worker.1 = index.join(worker.0).unwrap();
            }
            paid += workers.iter().map(|(share, then)| index.owed(*share, *then).0).sum::<u128>();
            prop_assert!(paid <= budget);
            prop_assert!(budget - paid <= 100, "{} Planck of dust", budget - paid);
        }
    }
}
