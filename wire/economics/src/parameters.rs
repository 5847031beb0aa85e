//! What governance can turn: rates per block, limits, and the ranges they may lie in.
//!
//! A rate is per block of the chain that uses it, so two networks with different block times have different numbers for
//! the same economy. [`Parameters::DEFAULT`] is the original network's economy at two seconds a block;
//! [`Parameters::ORIGINAL`] is the same at its twelve seconds, to compare figures with.

use crate::{Fixed, Ppm};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Largest growth of V per block: 2⁻¹⁶. At two seconds a block V would then grow by 2.8 % an hour, 137 times the default.
pub const GROWTH_MAX: Fixed = Fixed::from_bits(1 << 48);
/// Largest loss of V per unanswered block: 2⁻¹⁰, at two seconds a block 83 % an hour.
pub const SLASH_RATE_MAX: Fixed = Fixed::from_bits(1 << 54);
/// Largest operating cost per block, in PHA, for each of the two terms.
pub const COST_MAX: Fixed = Fixed::ONE;
/// Largest limit of V, in PHA: 2³⁰, about the whole supply. Its square still fits a [`Fixed`].
pub const VALUE_MAX: Fixed = Fixed::from_int(1 << 30);
/// Largest hardware cost, in PHA per point of score and in PHA.
pub const RIG_MAX: Fixed = Fixed::from_int(1_000_000);
/// Smallest stake boost: none.
pub const BOOST_MIN: Fixed = Fixed::ONE;
/// Largest stake boost.
pub const BOOST_MAX: Fixed = Fixed::from_int(16);
/// Largest coefficient of the least stake, in PHA.
pub const STAKE_COEFFICIENT_MAX: Fixed = Fixed::from_int(1_000_000);
/// Longest wait for an answer to a challenge, in blocks: two days at two seconds.
pub const HEARTBEAT_WINDOW_BLOCKS_MAX: u32 = 86_400;
/// Largest performance over score, in parts per million: twice the score.
pub const PERFORMANCE_CAP_PPM_MAX: u32 = 2_000_000;

/// The tunable numbers of work's price.
///
/// # Source Phala's tokenomics (worker rewards, staking mechanism); the letters of its formulas stand beside the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Parameters {
    /// ρ − 1: how much V grows per block.
    pub growth: Fixed,
    /// How much of V is lost per block while a worker does not answer.
    pub slash_rate: Fixed,
    /// V's limit, in PHA.
    pub value_max: Fixed,
    /// Operating cost per block and point of score, in PHA.
    pub cost_k: Fixed,
    /// Operating cost per block, in PHA.
    pub cost_b: Fixed,
    /// Hardware cost per point of score, in PHA.
    pub rig_k: Fixed,
    /// Hardware cost, in PHA.
    pub rig_b: Fixed,
    /// Re: how much a PHA of stake counts at full confidence.
    pub boost: Fixed,
    /// k: the least stake is k × √score, in PHA.
    pub stake_k: Fixed,
    /// How much of a worker's budget goes to the treasury.
    pub treasury: Ppm,
    /// How many blocks a challenge may stay unanswered.
    pub heartbeat_window_blocks: u32,
    /// The score below which no session starts.
    pub score_min: u32,
    /// Largest performance, in millionths of the score.
    pub performance_cap_ppm: u32,
}

/// Why parameters are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// [`GROWTH_MAX`].
    #[error("V would grow by more than 2^-16 a block")]
    Growth,
    /// [`SLASH_RATE_MAX`].
    #[error("V would shrink by more than 2^-10 a block")]
    SlashRate,
    /// [`VALUE_MAX`], or zero.
    #[error("the limit of V is zero or above 2^30 PHA")]
    ValueMax,
    /// [`COST_MAX`].
    #[error("an operating cost is above 1 PHA a block")]
    Cost,
    /// [`RIG_MAX`].
    #[error("a hardware cost is above 1000000 PHA")]
    Rig,
    /// [`BOOST_MIN`] to [`BOOST_MAX`].
    #[error("the stake boost lies outside 1 to 16")]
    Boost,
    /// [`STAKE_COEFFICIENT_MAX`], or zero: a worker without stake has nothing to lose.
    #[error("the coefficient of the least stake is zero or above 1000000 PHA")]
    StakeCoefficient,
    /// [`HEARTBEAT_WINDOW_BLOCKS_MAX`], or zero.
    #[error("the heartbeat window is zero or longer than 86400 blocks")]
    HeartbeatWindow,
    /// [`crate::SCORE_MAX`], or zero: performance is measured against the score.
    #[error("the least score is zero or above the largest")]
    ScoreMin,
    /// [`PERFORMANCE_CAP_PPM_MAX`], or less than the score itself.
    #[error("the cap of performance lies outside 1 to 2 times the score")]
    PerformanceCap,
}

impl Parameters {
    /// The original network's genesis, per block of twelve seconds: V grows by 1.0002 an hour, and loses 0.001 an hour when silent.
    pub const ORIGINAL: Self = Self {
        growth: Fixed::from_bits(12_296_603_860_733),
        slash_rate: Fixed::from_bits(61_489_146_912_365),
        value_max: Fixed::from_int(30_000),
        cost_k: Fixed::from_bits(291_740_030_655),
        cost_b: Fixed::from_bits(621_866_907_450_610),
        rig_k: Fixed::from_bits(5_534_023_222_112_865_485),
        rig_b: Fixed::ZERO,
        boost: Fixed::from_bits(23_980_767_295_822_417_101),
        stake_k: Fixed::from_int(100),
        treasury: Ppm::percent(20),
        heartbeat_window_blocks: 10,
        score_min: 50,
        performance_cap_ppm: 1_200_000,
    };

    /// The same economy at two seconds a block, with the stake boost (1.5) and least stake (k = 50) the original's live networks
    /// ended up with.
    pub const DEFAULT: Self = Self {
        growth: Fixed::from_bits(2_049_433_407_759),
        slash_rate: Fixed::from_bits(10_248_191_152_060),
        cost_k: Fixed::from_bits(48_623_338_442),
        cost_b: Fixed::from_bits(103_644_484_575_101),
        boost: Fixed::from_bits(3 << 63),
        stake_k: Fixed::from_int(50),
        heartbeat_window_blocks: 60,
        ..Self::ORIGINAL
    };

    /// These parameters, if every one lies in its range.
    ///
    /// # Errors The first rule that is broken.
    pub fn validate(self) -> Result<Self, ParametersError> {
        use ParametersError::*;
        let rules = [
            (self.growth <= GROWTH_MAX, Growth),
            (self.slash_rate <= SLASH_RATE_MAX, SlashRate),
            (self.value_max > Fixed::ZERO && self.value_max <= VALUE_MAX, ValueMax),
            (self.cost_k <= COST_MAX && self.cost_b <= COST_MAX, Cost),
            (self.rig_k <= RIG_MAX && self.rig_b <= RIG_MAX, Rig),
            ((BOOST_MIN..=BOOST_MAX).contains(&self.boost), Boost),
            (self.stake_k > Fixed::ZERO && self.stake_k <= STAKE_COEFFICIENT_MAX, StakeCoefficient),
            ((1..=HEARTBEAT_WINDOW_BLOCKS_MAX).contains(&self.heartbeat_window_blocks), HeartbeatWindow),
            ((1..=crate::SCORE_MAX).contains(&self.score_min), ScoreMin),
            ((crate::PPM..=PERFORMANCE_CAP_PPM_MAX).contains(&self.performance_cap_ppm), PerformanceCap),
        ];
        rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(self), |(_, rule)| Err(rule))
    }

    /// c: what a worker of `score` costs to run per block, in PHA.
    ///
    /// # Rounding Exact, unless it saturates.
    pub const fn operating_cost(&self, score: crate::Score) -> Fixed {
        self.cost_k.saturating_times(score.0 as u64).saturating_add(self.cost_b)
    }

    /// C: what the hardware of a worker of `score` is worth, in PHA.
    ///
    /// # Rounding Exact, unless it saturates.
    pub const fn hardware_cost(&self, score: crate::Score) -> Fixed {
        self.rig_k.saturating_times(score.0 as u64).saturating_add(self.rig_b)
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One step of `field` and nothing else.
    fn past(number: Fixed) -> Fixed {
        number.saturating_add(Fixed::STEP)
    }

    #[test]
    fn what_is_preset_is_valid() {
        assert_eq!(Parameters::ORIGINAL.validate(), Ok(Parameters::ORIGINAL));
        assert_eq!(Parameters::default().validate(), Ok(Parameters::DEFAULT));
    }

    #[test]
    fn a_limit_is_allowed_and_one_past_it_is_not() {
        use ParametersError::*;
        type Edit = fn(&mut Parameters, bool);
        let rules: [(ParametersError, Edit); 17] = [
            (Growth, |p, over| p.growth = if over { past(GROWTH_MAX) } else { GROWTH_MAX }),
            (SlashRate, |p, over| p.slash_rate = if over { past(SLASH_RATE_MAX) } else { SLASH_RATE_MAX }),
            (ValueMax, |p, over| p.value_max = if over { past(VALUE_MAX) } else { VALUE_MAX }),
            (ValueMax, |p, over| p.value_max = if over { Fixed::ZERO } else { Fixed::STEP }),
            (Cost, |p, over| p.cost_k = if over { past(COST_MAX) } else { COST_MAX }),
            (Cost, |p, over| p.cost_b = if over { past(COST_MAX) } else { COST_MAX }),
            (Rig, |p, over| p.rig_k = if over { past(RIG_MAX) } else { RIG_MAX }),
            (Rig, |p, over| p.rig_b = if over { past(RIG_MAX) } else { RIG_MAX }),
            (Boost, |p, over| p.boost = if over { past(BOOST_MAX) } else { BOOST_MAX }),
            (Boost, |p, over| p.boost = if over { BOOST_MIN.saturating_sub(Fixed::STEP) } else { BOOST_MIN }),
            (StakeCoefficient, |p, over| {
                p.stake_k = if over { past(STAKE_COEFFICIENT_MAX) } else { STAKE_COEFFICIENT_MAX }
            }),
            (StakeCoefficient, |p, over| p.stake_k = if over { Fixed::ZERO } else { Fixed::STEP }),
            (HeartbeatWindow, |p, over| p.heartbeat_window_blocks = HEARTBEAT_WINDOW_BLOCKS_MAX + u32::from(over)),
            (HeartbeatWindow, |p, over| p.heartbeat_window_blocks = u32::from(!over)),
            (ScoreMin, |p, over| p.score_min = crate::SCORE_MAX + u32::from(over)),
            (ScoreMin, |p, over| p.score_min = u32::from(!over)),
            (PerformanceCap, |p, over| p.performance_cap_ppm = PERFORMANCE_CAP_PPM_MAX + u32::from(over)),
        ];
        for (rule, edit) in rules {
            let mut at = Parameters::DEFAULT;
            edit(&mut at, false);
            assert_eq!(at.validate(), Ok(at), "{rule}");
            edit(&mut at, true);
            assert_eq!(at.validate(), Err(rule));
        }
        let less = Parameters { performance_cap_ppm: crate::PPM - 1, ..Parameters::DEFAULT };
        assert_eq!(less.validate(), Err(PerformanceCap));
    }

    #[test]
    fn six_short_blocks_are_worth_one_long_one() {
        let (short, long) = (Parameters::DEFAULT, Parameters::ORIGINAL);
        for (name, short, long) in [
            ("slash", short.slash_rate, long.slash_rate),
            ("cost_k", short.cost_k, long.cost_k),
            ("cost_b", short.cost_b, long.cost_b),
        ] {
            let six = short.saturating_times(6).to_bits();
            assert!(long.to_bits().abs_diff(six) <= 6, "{name}: {six} {}", long.to_bits());
        }
        // (1 + g)⁶ − 1 = 6g + 15g² + …; the original rounds its rate at the fifteenth decimal.
        let six =
            short.growth.saturating_times(6).saturating_add(short.growth.mul_down(short.growth).saturating_times(15));
        assert!(long.growth.to_bits().abs_diff(six.to_bits()) <= 1 << 15, "{six:?} {:?}", long.growth);
    }
}
