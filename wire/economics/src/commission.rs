//! What a pool's owner takes.
//!
//! A stake pool's owner takes a part of each payout ([`split`]); a vault's owner takes a part of what its shares have risen
//! above the highest price they ever had ([`HighWater`]).
//!
//! A rate that rises takes effect a week after it was announced ([`Commission`]); and whoever changes a rate, or lets
//! someone in or out, settles what was earned before at the old one. In October 2023 owners of the original's vaults raised their rate to 100 % and then
//! collected, on everything since they had last collected.

use crate::{
    Fixed, Ppm, SharePool, Shares,
    fixed::{mul_div, mul_div_up},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::{BlockNumber, Planck};
use scale_info::TypeInfo;

/// How long a rise is announced before it takes effect: seven days of two-second blocks, as long as a withdrawal may have to wait in
/// the queue before workers are stopped for it.
pub const NOTICE_BLOCKS: u32 = 7 * 43_200;

/// One payout, divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// To the owner.
    pub owner: Planck,
    /// To the shares.
    pub stakers: Planck,
}

/// Splits a payout between a pool's owner and its shares.
///
/// # Units Planck.
/// # Rounding The commission down; the dust stays with the stakers.
/// # Invariant `owner + stakers == payout`, exactly.
pub fn split(payout: Planck, rate: Ppm) -> Split {
    let owner = rate.of(payout);
    Split { owner, stakers: Planck(payout.0.saturating_sub(owner.0)) }
}

/// An owner's rate, and the rise that is announced, if one is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Commission {
    rate: Ppm,
    announced: Option<Rise>,
}

/// A higher rate, and the block from which on it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Rise {
    /// The rate to come.
    pub rate: Ppm,
    /// The first block in which it counts.
    pub from: BlockNumber,
}

impl Commission {
    /// A new pool's rate: nobody has staked on another one.
    pub const fn new(rate: Ppm) -> Self {
        Self { rate, announced: None }
    }

    /// The rate in block `now`.
    pub fn rate_at(&self, now: BlockNumber) -> Ppm {
        self.announced.filter(|rise| rise.from <= now).map_or(self.rate, |rise| rise.rate)
    }

    /// The rise that is still to come in block `now`.
    pub fn announced_at(&self, now: BlockNumber) -> Option<Rise> {
        self.announced.filter(|rise| rise.from > now)
    }

    /// Changes the rate: at once if it falls, [`NOTICE_BLOCKS`] later if it rises. An announcement replaces the one before it, and waits
    /// anew. What was earned before must have been settled.
    pub fn change(&mut self, rate: Ppm, now: BlockNumber) {
        let current = self.rate_at(now);
        let announced = (rate > current).then(|| Rise { rate, from: now.saturating_add(NOTICE_BLOCKS) });
        *self = Self { rate: current.min(rate), announced };
    }
}

/// The highest price that a vault's shares were settled at; its owner takes a part of what lies above.
///
/// # Units Planck per share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct HighWater(pub Fixed);

/// The price that a vault's first shares have.
impl Default for HighWater {
    fn default() -> Self {
        Self(Fixed::ONE)
    }
}

impl HighWater {
    /// Mints the owner's shares for what the vault gained since it was last settled, and moves the mark up to the price that is left. To
    /// be called before anyone comes or goes, and before the rate changes.
    ///
    /// ```text
    /// gain = value − shares × mark      fee = rate × gain      minted = shares × fee / (value − fee)
    /// ```
    ///
    /// The shares minted are worth the fee, and everyone else's have lost exactly that.
    ///
    /// # Rounding Against the owner: gain, fee and shares down, the mark up.
    /// # Source Phala's vaults: a performance fee above a high-water mark.
    pub fn settle(&mut self, vault: &mut SharePool, rate: Ppm) -> Shares {
        if vault.shares() == Shares(0) {
            // Whoever comes next pays one Planck a share.
            *self = Self::default();
            return Shares(0);
        }
        let (shares, value) = (vault.shares().0, vault.value().0);
        let Some(worth_at_mark) = mul_div_up(shares, self.0.to_bits(), Fixed::ONE.to_bits()) else { return Shares(0) };
        let Some(gain) = value.checked_sub(worth_at_mark).filter(|gain| *gain > 0) else { return Shares(0) };
        let fee = rate.of(Planck(gain)).0;
        let minted = mul_div(shares, fee, value.saturating_sub(fee)).map_or(Shares(0), Shares);
        if vault.dilute(minted).is_none() {
            return Shares(0);
        }
        let price = mul_div_up(value, Fixed::ONE.to_bits(), vault.shares().0).map_or(Fixed::MAX, Fixed::from_bits);
        *self = Self(self.0.max(price));
        minted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;
    use proptest::prelude::*;

    #[test]
    fn a_payout_is_divided_without_a_rest() {
        // Ten PHA earned, a fifth to the treasury, 40 % commission, two stakers with one and two thirds.
        let payout = crate::payout::split(&crate::Parameters::DEFAULT, Planck(10 * PHA), Planck(u128::MAX));
        let split = split(payout.pool, Ppm::percent(40));
        assert_eq!((payout.treasury.0, split.owner.0), (2 * PHA, 3_200_000_000_000));
        let mut pool = SharePool::new(Shares(300 * PHA), Planck(300 * PHA)).unwrap();
        pool.reward(split.stakers).unwrap();
        assert_eq!(pool.worth(Shares(100 * PHA)).0 - 100 * PHA, 1_600_000_000_000);
        assert_eq!(pool.worth(Shares(200 * PHA)).0 - 200 * PHA, 3_200_000_000_000);
    }

    #[test]
    fn a_rise_waits_for_its_notice_and_a_fall_does_not() {
        let mut commission = Commission::new(Ppm::percent(5));
        commission.change(Ppm::percent(100), BlockNumber(1_000));
        let from = BlockNumber(1_000 + NOTICE_BLOCKS);
        let last = BlockNumber(from.0 - 1);
        assert_eq!(commission.rate_at(BlockNumber(1_000)), Ppm::percent(5));
        assert_eq!(commission.rate_at(last), Ppm::percent(5));
        assert_eq!(commission.announced_at(last), Some(Rise { rate: Ppm::WHOLE, from }));
        assert_eq!(commission.rate_at(from), Ppm::WHOLE);
        assert_eq!(commission.announced_at(from), None);
        // A later announcement waits anew; a fall counts at once and takes the announcement back.
        let mut again = commission;
        again.change(Ppm::percent(90), last);
        assert_eq!(again.rate_at(from), Ppm::percent(5));
        commission.change(Ppm::percent(2), from);
        assert_eq!(commission, Commission::new(Ppm::percent(2)));
    }

    #[test]
    fn a_rise_at_the_end_of_time_never_counts_early() {
        let mut commission = Commission::default();
        commission.change(Ppm::WHOLE, BlockNumber(u32::MAX - 1));
        assert_eq!(commission.rate_at(BlockNumber(u32::MAX - 1)), Ppm::ZERO);
    }

    /// Thousandths of a PHA, to the nearest.
    fn thousandths(amount: u128) -> u128 {
        (amount + PHA / 2_000) / (PHA / 1_000)
    }

    #[test]
    fn the_original_example_gives_its_shares() {
        // Bob 10,000; up to 10,050; Jack 3,000 at 1.005; the mark still at 1.
        let mut vault = SharePool::default();
        vault.contribute(Planck(10_000 * PHA)).unwrap();
        vault.reward(Planck(50 * PHA)).unwrap();
        vault.contribute(Planck(3_000 * PHA)).unwrap();
        assert_eq!(thousandths(vault.shares().0), 12_985_075);
        let mut mark = HighWater::default();
        let minted = mark.settle(&mut vault, Ppm::percent(5));
        assert_eq!(thousandths(minted.0), 3_231);
        assert_eq!(mark.0.to_string().get(..7), Some("1.00475"));
    }

    #[test]
    fn who_comes_late_does_not_pay_for_what_was_gained_before() {
        let mut vault = SharePool::default();
        let mut mark = HighWater::default();
        let rate = Ppm::percent(5);
        let mut contribute = |vault: &mut SharePool, amount: u128| {
            let minted = mark.settle(vault, rate);
            (minted, vault.contribute(Planck(amount * PHA)).unwrap())
        };
        contribute(&mut vault, 10_000);
        vault.reward(Planck(50 * PHA)).unwrap();
        let (owner, jack) = contribute(&mut vault, 3_000);
        assert_eq!(thousandths(owner.0), 2_488);
        assert_eq!(thousandths(vault.worth(owner).0), 2_500);
        assert_eq!(thousandths(jack.0), 2_985_817);
        assert_eq!(thousandths(vault.shares().0), 12_988_306);
        let worth = vault.worth(jack);
        assert_eq!(mark.settle(&mut vault, rate), Shares(0));
        assert_eq!(vault.worth(jack), worth);
    }

    #[test]
    fn a_rate_raised_before_collecting_takes_only_the_old_one() {
        // The vault gained 1,000 PHA at 5 %; its owner raises to 100 % and collects.
        let mut vault = SharePool::new(Shares(10_000 * PHA), Planck(11_000 * PHA)).unwrap();
        let (mut mark, mut commission) = (HighWater::default(), Commission::new(Ppm::percent(5)));
        let now = BlockNumber(500);
        let mut owner = mark.settle(&mut vault, commission.rate_at(now)).0;
        commission.change(Ppm::WHOLE, now);
        owner += mark.settle(&mut vault, commission.rate_at(now)).0;
        assert_eq!(thousandths(vault.worth(Shares(owner)).0), 50_000);
    }

    #[test]
    fn a_loss_is_made_good_before_the_owner_takes_again() {
        let mut vault = SharePool::new(Shares(1_000 * PHA), Planck(2_000 * PHA)).unwrap();
        let (mut mark, half) = (HighWater::default(), Ppm::percent(50));
        assert!(mark.settle(&mut vault, half) > Shares(0));
        let high = mark;
        vault.slash(Planck(500 * PHA));
        assert_eq!(mark.settle(&mut vault, half), Shares(0));
        vault.reward(Planck(500 * PHA)).unwrap();
        assert_eq!(mark.settle(&mut vault, half), Shares(0));
        assert_eq!(mark, high);
        vault.reward(Planck(PHA)).unwrap();
        assert!(mark.settle(&mut vault, half) > Shares(0));
    }

    #[test]
    fn a_vault_that_was_left_begins_anew() {
        let mut mark = HighWater(Fixed::from_int(7));
        assert_eq!(mark.settle(&mut SharePool::default(), Ppm::WHOLE), Shares(0));
        assert_eq!(mark, HighWater::default());
        let mut full = SharePool::new(crate::SHARES_MAX, crate::POOL_VALUE_MAX).unwrap();
        assert_eq!(HighWater(Fixed::ZERO).settle(&mut full, Ppm::percent(1)), Shares(0));
        assert_eq!(HighWater(Fixed::MAX).settle(&mut full, Ppm::WHOLE), Shares(0));
    }

    proptest! {
        #[test]
        fn an_owner_takes_at_most_its_rate_of_the_gain(
            shares in 1u128 << 34..1 << 90,
            value in 1u128 << 34..1 << 90,
            rate in 0u32..=crate::PPM,
            mark in 0u128..1 << 68,
        ) {
            let mut vault = SharePool::new(Shares(shares), Planck(value)).unwrap();
            let mut high = HighWater(Fixed::from_bits(mark));
            let before = mul_div_up(shares, mark, Fixed::ONE.to_bits()).unwrap();
            let rate = Ppm::new(rate).unwrap();
            let minted = high.settle(&mut vault, rate);
            prop_assert!(vault.worth(minted) <= rate.of(Planck(value.saturating_sub(before))));
            prop_assert!(vault.worth(Shares(shares)).0 >= before.min(value).saturating_sub(1));
            prop_assert!(high.0.to_bits() >= mark);
            prop_assert_eq!(high.settle(&mut vault, Ppm::WHOLE), Shares(0));
        }
    }
}
