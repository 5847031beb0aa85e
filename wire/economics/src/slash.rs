//! What faults cost: V while a worker is silent, V and stake by the fault's level.
//!
//! A silent worker loses a little of V in each block, so that an outage of minutes costs next to nothing and one of weeks a good part.
//! What it did wrong beyond silence costs a part at once. When the session ends, the stake comes back in the proportion
//! that V kept of what it began with ([`stake_returned`]).

use crate::{Fixed, Parameters, Ppm, fixed::mul_div, wide::Wide};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::Planck;
use scale_info::TypeInfo;

/// How grave a fault is.
///
/// # Source The four levels of slashing in Phala's docs.
#[derive(
    Clone,
    Copy,
    Debug,
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
pub enum FaultLevel {
    /// The worker is offline: 0.1 % of V an hour. Charged block by block ([`silent`]), so nothing at once.
    Silence,
    /// Good faith that went wrong: 1 %.
    Minor,
    /// Malice, or many at once: 10 %.
    Grave,
    /// An attack on the network: everything, and the worker is banned.
    Attack,
}

impl FaultLevel {
    /// What is lost at once.
    pub const fn rate(self) -> Ppm {
        match self {
            Self::Silence => Ppm::ZERO,
            Self::Minor => Ppm::percent(1),
            Self::Grave => Ppm::percent(10),
            Self::Attack => Ppm::WHOLE,
        }
    }

    /// Whether the worker may never come back.
    pub const fn bans(self) -> bool {
        matches!(self, Self::Attack)
    }

    /// V after this fault.
    ///
    /// # Units PHA.
    /// # Rounding Down.
    pub fn value_after(self, value: Fixed) -> Fixed {
        mul_div(value.to_bits(), self.rate().rest().parts().into(), crate::PPM.into())
            .map_or(Fixed::ZERO, Fixed::from_bits)
    }

    /// What this fault costs of a stake.
    ///
    /// # Units Planck.
    /// # Rounding Up, against who is at fault; never more than the stake.
    pub fn fine(self, stake: Planck) -> Planck {
        self.rate().of_up(stake)
    }
}

/// V × (1 − rate)ⁿ: V of a worker that has been silent for `blocks` blocks past its window.
///
/// # Units PHA.
/// # Rounding Down. The original subtracts block by block and rounds each time in the worker's favour; it lies above this by at most
/// one step of 2⁻⁶⁴ PHA a block.
/// # Source Phala's slashing, level one.
pub fn silent(parameters: &Parameters, value: Fixed, blocks: u64) -> Fixed {
    let kept = Wide::from(Fixed::ONE).less(parameters.slash_rate.into()).power(blocks);
    Wide::from(value).mul(kept).and_then(Wide::floor).unwrap_or(Fixed::ZERO)
}

/// min(V / Ve, 1) × stake: what is returned of a stake when its session ends; the rest is slashed.
///
/// # Units Planck.
/// # Rounding Down. A session that began with no value returns the stake.
/// # Source The original's first settlement rule (2021).
pub fn stake_returned(stake: Planck, value: Fixed, initial: Fixed) -> Planck {
    if value >= initial {
        return stake;
    }
    mul_div(stake.0, value.to_bits(), initial.to_bits()).map_or(stake, Planck)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;
    use proptest::prelude::*;

    #[test]
    fn each_level_costs_more_than_the_one_before() {
        use FaultLevel::*;
        let stake = Planck(1_000 * PHA);
        let fines = [Silence, Minor, Grave, Attack].map(|level| level.fine(stake).0 / PHA);
        assert_eq!(fines, [0, 10, 100, 1_000]);
        let values = [Silence, Minor, Grave, Attack].map(|level| level.value_after(Fixed::from_int(1_000)).to_int());
        assert_eq!(values, [1_000, 990, 900, 0]);
        assert_eq!([Silence, Minor, Grave, Attack].map(FaultLevel::bans), [false, false, false, true]);
    }

    #[test]
    fn a_fine_is_rounded_against_the_faulty_and_is_never_more_than_the_stake() {
        assert_eq!(FaultLevel::Minor.fine(Planck(1)), Planck(1));
        assert_eq!(FaultLevel::Minor.fine(Planck(0)), Planck(0));
        assert_eq!(FaultLevel::Attack.fine(Planck(u128::MAX)), Planck(u128::MAX));
    }

    #[test]
    fn silence_for_ever_leaves_nothing() {
        let parameters = Parameters::DEFAULT;
        assert_eq!(silent(&parameters, Fixed::MAX, u64::MAX), Fixed::ZERO);
        assert_eq!(silent(&parameters, Fixed::MAX, 0), Fixed::MAX);
        let harmless = Parameters { slash_rate: Fixed::ZERO, ..parameters };
        assert_eq!(silent(&harmless, Fixed::MAX, u64::MAX), Fixed::MAX);
        let absurd = Parameters { slash_rate: Fixed::MAX, ..parameters };
        assert_eq!(silent(&absurd, Fixed::MAX, 1), Fixed::ZERO);
    }

    #[test]
    fn a_day_of_silence_costs_what_the_rate_says() {
        let left = silent(&Parameters::DEFAULT, Fixed::from_int(1_000), 24 * 1_800);
        // 1000 × e^−0.024
        assert_eq!(left.to_int(), 976);
    }

    #[test]
    fn a_stake_comes_back_as_far_as_v_was_kept() {
        let stake = Planck(1_000 * PHA);
        let back = |value, initial| stake_returned(stake, Fixed::from_int(value), Fixed::from_int(initial)).0 / PHA;
        assert_eq!([back(1_690, 1_690), back(2_000, 1_690), back(845, 1_690), back(0, 1_690)], [1_000, 1_000, 500, 0]);
        assert_eq!(back(0, 0), 1_000);
    }

    proptest! {
        #[test]
        fn silence_in_two_parts_is_silence_in_one(value in 0u128..1 << 95, rate in 0u128..1 << 54, n in 0u64..1 << 32, m in 0u64..1 << 32) {
            let parameters = Parameters { slash_rate: Fixed::from_bits(rate), ..Parameters::DEFAULT };
            let value = Fixed::from_bits(value);
            let parts = silent(&parameters, silent(&parameters, value, n), m);
            let whole = silent(&parameters, value, n + m);
            prop_assert!(parts.to_bits().abs_diff(whole.to_bits()) <= 2);
            prop_assert!(whole <= value);
        }

        #[test]
        fn a_stake_comes_back_whole_at_most(stake in any::<u128>(), value in any::<u128>(), initial in any::<u128>()) {
            let back = stake_returned(Planck(stake), Fixed::from_bits(value), Fixed::from_bits(initial));
            prop_assert!(back.0 <= stake);
        }
    }
}
