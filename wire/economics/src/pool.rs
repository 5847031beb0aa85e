//! A pool's ledger: shares, what they are worth, and what reward and slash do to that.
//!
//! A pool holds value that belongs to its stakers in proportion to their shares. A reward adds value and no shares, so that every
//! share is worth more; a slash takes value. Stake pools and vaults keep the same ledger.
//!
//! # Words
//! *worth*: what shares would be paid out with. *price*: the worth of one share. *dust*: a worth that is not worth moving. *bankrupt*: a pool
//! that has shares and nothing to pay them with; it takes no stake and no reward, since those would go to who lost everything.
//!
//! # Properties
//! - All shares together are worth the pool's value, at most: whatever rounding leaves over stays in the pool.
//! - Nobody's shares lose worth because another one comes or goes.
//! - A contribution loses at most a millionth to rounding, or is refused.
//! - Only a slash lowers the price.

use crate::{
    Fixed,
    fixed::{mul_div, mul_div_up},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::Planck;
use scale_info::TypeInfo;

/// A worth up to this is none: 1,000 Planck.
pub const DUST_MAX: Planck = Planck(1_000);
/// Least contribution: 0.01 PHA.
pub const CONTRIBUTION_MIN: Planck = Planck(10_000_000_000);
/// Most shares a pool may have. At a price of one they stand for more PHA than there are, a million million million times over.
pub const SHARES_MAX: Shares = Shares(1 << 120);
/// Largest value of a pool.
pub const POOL_VALUE_MAX: Planck = Planck(1 << 120);

/// Parts of a pool. The first ones of a pool are as many as it has Planck.
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
pub struct Shares(pub u128);

/// How many shares there are, and the value that they divide.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SharePool {
    shares: Shares,
    value: Planck,
}

/// Why a contribution is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContributeError {
    /// [`CONTRIBUTION_MIN`].
    #[error("the contribution is below the least, 0.01 PHA")]
    TooLittle,
    /// The pool lost everything.
    #[error("the pool is bankrupt")]
    Bankrupt,
    /// One share is worth too much for this contribution to be divided fairly.
    #[error("more than a millionth of the contribution would be lost to rounding")]
    LostToRounding,
    /// [`SHARES_MAX`] or [`POOL_VALUE_MAX`].
    #[error("the pool cannot hold as much")]
    TooMuch,
}

/// Why a pool takes no reward; the reward then stays where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewardError {
    /// Nobody has a share.
    #[error("the pool has no shares")]
    NoShares,
    /// The pool lost everything.
    #[error("the pool is bankrupt")]
    Bankrupt,
    /// [`POOL_VALUE_MAX`].
    #[error("the pool cannot hold as much")]
    TooMuch,
}

/// Why shares are not burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BurnError {
    /// There are fewer.
    #[error("the pool has fewer shares")]
    TooMany,
    /// They are worth less than would be paid.
    #[error("the shares are worth less")]
    Overpaid,
}

impl SharePool {
    /// A pool as it is noted somewhere; `None` above [`SHARES_MAX`] or [`POOL_VALUE_MAX`].
    pub fn new(shares: Shares, value: Planck) -> Option<Self> {
        (shares <= SHARES_MAX && value <= POOL_VALUE_MAX).then_some(Self { shares, value })
    }

    /// How many shares there are.
    pub const fn shares(&self) -> Shares {
        self.shares
    }

    /// What they divide.
    pub const fn value(&self) -> Planck {
        self.value
    }

    /// Whether there are shares and nothing to pay them with.
    pub fn is_bankrupt(&self) -> bool {
        self.shares > Shares(0) && self.value <= DUST_MAX
    }

    /// The worth of one share, for people to read; `None` without shares.
    ///
    /// # Units Planck per share.
    /// # Rounding Down.
    pub fn price(&self) -> Option<Fixed> {
        Fixed::from_ratio(self.value.0, self.shares.0)
    }

    /// What `shares` are worth. More shares than there are, are worth the whole.
    ///
    /// # Units Planck.
    /// # Rounding Down.
    pub fn worth(&self, shares: Shares) -> Planck {
        if shares >= self.shares {
            return if self.shares == Shares(0) { Planck(0) } else { self.value };
        }
        Planck(mul_div(shares.0, self.value.0, self.shares.0).unwrap_or(0))
    }

    /// The least shares that are worth `amount`, and all there are if none are.
    ///
    /// # Rounding Up, against who gives them up.
    pub fn shares_for(&self, amount: Planck) -> Shares {
        Shares(mul_div_up(amount.0, self.shares.0, self.value.0).unwrap_or(self.shares.0).min(self.shares.0))
    }

    /// Takes `amount` in, and gives shares for it.
    ///
    /// # Rounding Shares are rounded down, against who contributes. Into a pool without shares, one for each Planck; what others left
    /// as dust is then theirs.
    /// # Errors [`ContributeError`], and nothing is changed.
    pub fn contribute(&mut self, amount: Planck) -> Result<Shares, ContributeError> {
        use ContributeError::*;
        if amount < CONTRIBUTION_MIN {
            return Err(TooLittle);
        }
        if self.is_bankrupt() {
            return Err(Bankrupt);
        }
        let minted = match self.shares {
            Shares(0) => amount.0,
            Shares(shares) => mul_div(amount.0, shares, self.value.0).ok_or(TooMuch)?,
        };
        let after = Self::new(
            Shares(self.shares.0.checked_add(minted).ok_or(TooMuch)?),
            Planck(self.value.0.checked_add(amount.0).ok_or(TooMuch)?),
        )
        .ok_or(TooMuch)?;
        let lost = amount.0.saturating_sub(after.worth(Shares(minted)).0);
        if lost > amount.0 / u128::from(crate::PPM) {
            return Err(LostToRounding);
        }
        *self = after;
        Ok(Shares(minted))
    }

    /// Adds `amount` to what the shares divide.
    ///
    /// # Errors [`RewardError`], and nothing is changed.
    pub fn reward(&mut self, amount: Planck) -> Result<(), RewardError> {
        if self.shares == Shares(0) {
            return Err(RewardError::NoShares);
        }
        if self.is_bankrupt() {
            return Err(RewardError::Bankrupt);
        }
        let value = self.value.0.checked_add(amount.0).ok_or(RewardError::TooMuch)?;
        *self = Self::new(self.shares, Planck(value)).ok_or(RewardError::TooMuch)?;
        Ok(())
    }

    /// Takes `amount` from what the shares divide, or as much as there is; returns how much.
    pub fn slash(&mut self, amount: Planck) -> Planck {
        let taken = amount.min(self.value);
        self.value = Planck(self.value.0.saturating_sub(taken.0));
        taken
    }

    /// Says anew what the shares divide, for a pool whose value is that of its holdings (a vault).
    ///
    /// # Errors [`RewardError::TooMuch`], and nothing is changed.
    pub fn revalue(&mut self, value: Planck) -> Result<(), RewardError> {
        *self = Self::new(self.shares, value).ok_or(RewardError::TooMuch)?;
        Ok(())
    }

    /// Makes `shares` out of everybody's worth; `None` above [`SHARES_MAX`]. Only a vault's commission does so.
    pub(crate) fn dilute(&mut self, shares: Shares) -> Option<()> {
        *self = Self::new(Shares(self.shares.0.checked_add(shares.0)?), self.value)?;
        Some(())
    }

    /// Destroys `shares` and lets `paid` go for them.
    ///
    /// # Errors [`BurnError`], and nothing is changed.
    pub fn burn(&mut self, shares: Shares, paid: Planck) -> Result<(), BurnError> {
        if shares > self.shares {
            return Err(BurnError::TooMany);
        }
        if paid > self.worth(shares) {
            return Err(BurnError::Overpaid);
        }
        self.shares = Shares(self.shares.0.saturating_sub(shares.0));
        self.value = Planck(self.value.0.saturating_sub(paid.0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;

    fn pool(shares: u128, value: u128) -> SharePool {
        SharePool::new(Shares(shares), Planck(value)).unwrap()
    }

    #[test]
    fn shares_are_the_amount_over_the_price() {
        let mut pool = SharePool::default();
        assert_eq!(pool.contribute(Planck(100 * PHA)), Ok(Shares(100 * PHA)));
        pool.reward(Planck(25 * PHA)).unwrap();
        assert_eq!(pool.price(), Fixed::from_ratio(5, 4));
        assert_eq!(pool.contribute(Planck(50 * PHA)), Ok(Shares(40 * PHA)));
        assert_eq!(pool.worth(Shares(100 * PHA)), Planck(125 * PHA));
        assert_eq!(pool.slash(Planck(35 * PHA)), Planck(35 * PHA));
        assert_eq!(pool.price(), Some(Fixed::ONE));
    }

    #[test]
    fn a_contribution_is_taken_from_its_least_amount_on() {
        assert!(SharePool::default().contribute(CONTRIBUTION_MIN).is_ok());
        assert_eq!(SharePool::default().contribute(Planck(CONTRIBUTION_MIN.0 - 1)), Err(ContributeError::TooLittle));
    }

    #[test]
    fn a_pool_without_a_price_takes_nothing() {
        // The original divided by a price of zero.
        for value in [0, 1, DUST_MAX.0] {
            let mut pool = pool(100 * PHA, value);
            assert!(pool.is_bankrupt());
            assert_eq!(pool.contribute(Planck(PHA)), Err(ContributeError::Bankrupt));
            assert_eq!(pool.reward(Planck(PHA)), Err(RewardError::Bankrupt));
            assert_eq!(pool.burn(Shares(100 * PHA), Planck(0)), Ok(()));
            // All shares are gone; the next one starts anew.
            assert!(!pool.is_bankrupt());
            assert_eq!(pool.reward(Planck(PHA)), Err(RewardError::NoShares));
            assert_eq!(pool.contribute(Planck(PHA)), Ok(Shares(PHA)));
            assert_eq!(pool.worth(Shares(PHA)), Planck(PHA + value));
        }
        assert!(!pool(100 * PHA, DUST_MAX.0 + 1).is_bankrupt());
        assert!(!SharePool::default().is_bankrupt());
    }

    #[test]
    fn a_price_that_was_driven_up_robs_nobody_who_comes_after() {
        // A few shares and a large reward: one share is worth a thousand PHA.
        let mut pool = pool(2_000, 2_000_000 * PHA);
        let before = pool;
        assert_eq!(pool.contribute(Planck(1_500 * PHA)), Err(ContributeError::LostToRounding));
        assert_eq!(pool.contribute(Planck(999 * PHA)), Err(ContributeError::LostToRounding));
        assert_eq!(pool, before);
        assert_eq!(pool.contribute(Planck(3_000 * PHA)), Ok(Shares(3)));
    }

    #[test]
    fn a_pool_holds_its_limits_and_no_more() {
        let max = POOL_VALUE_MAX.0;
        assert!(SharePool::new(SHARES_MAX, POOL_VALUE_MAX).is_some());
        assert_eq!(SharePool::new(Shares(SHARES_MAX.0 + 1), POOL_VALUE_MAX), None);
        assert_eq!(SharePool::new(SHARES_MAX, Planck(max + 1)), None);
        let mut full = pool(max - PHA, max - PHA);
        assert_eq!(full.contribute(Planck(PHA + 1)), Err(ContributeError::TooMuch));
        assert_eq!(full.contribute(Planck(u128::MAX)), Err(ContributeError::TooMuch));
        assert_eq!(full.contribute(Planck(PHA)), Ok(Shares(PHA)));
        assert_eq!(full.reward(Planck(1)), Err(RewardError::TooMuch));
        assert_eq!(full.reward(Planck(u128::MAX)), Err(RewardError::TooMuch));
        assert_eq!(full.revalue(Planck(max + 1)), Err(RewardError::TooMuch));
        assert_eq!(full.dilute(Shares(1)), None);
        assert_eq!(full.slash(Planck(u128::MAX)), POOL_VALUE_MAX);
    }

    #[test]
    fn shares_are_burned_for_their_worth_at_most() {
        let mut pool = pool(3, 10);
        assert_eq!(pool.burn(Shares(4), Planck(0)), Err(BurnError::TooMany));
        assert_eq!(pool.burn(Shares(1), Planck(4)), Err(BurnError::Overpaid));
        assert_eq!(pool.burn(Shares(1), Planck(3)), Ok(()));
        // The dust stays with those who stay.
        assert_eq!(pool.worth(Shares(2)), Planck(7));
        assert_eq!(pool.worth(Shares(3)), Planck(7));
        assert_eq!(SharePool::default().worth(Shares(3)), Planck(0));
    }

    #[test]
    fn the_shares_for_an_amount_are_worth_it() {
        let pool = pool(3_000, 10_001);
        for amount in [0, 1, 3, 5_000, 10_000, 10_001] {
            let shares = pool.shares_for(Planck(amount));
            assert!(pool.worth(shares).0 >= amount);
            assert!(shares.0 == 0 || pool.worth(Shares(shares.0 - 1)).0 < amount);
        }
        assert_eq!(pool.shares_for(Planck(10_002)), Shares(3_000));
    }
}
