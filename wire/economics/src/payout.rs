//! What a heartbeat pays, and what it takes off V.

use crate::{Fixed, Parameters};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::Planck;
use scale_info::TypeInfo;

/// One settlement: what a worker's pool gets, and what the treasury gets.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Payout {
    /// To the worker's pool.
    pub pool: Planck,
    /// To the treasury.
    pub treasury: Planck,
}

/// Splits B_w, a worker's part of the budget, between its pool and the treasury. A pot that holds less pays what is left.
///
/// # Units Planck.
/// # Rounding The pool's part down; the treasury takes the dust.
/// # Invariant `pool + treasury == min(part, pot)`, exactly.
/// # Source Phala's worker rewards: payout = (1 − treasury ratio) × B_w.
pub fn split(parameters: &Parameters, part: Planck, pot: Planck) -> Payout {
    let part = part.min(pot);
    let pool = parameters.treasury.rest().of(part);
    Payout { pool, treasury: Planck(part.0.saturating_sub(pool.0)) }
}

/// V − min(D, payout): a payout returns what V had grown by, and no more.
///
/// # Units PHA.
/// # Rounding What is taken off is rounded up, by less than 2⁻⁶⁴ PHA.
/// # Source Phala's worker rewards.
pub fn value_after(value: Fixed, deductible: Fixed, payout: Planck) -> Fixed {
    value.saturating_sub(deductible.min(Fixed::from_planck(payout)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::PHA;
    use proptest::prelude::*;

    #[test]
    fn an_empty_pot_pays_what_is_left_and_panics_nobody() {
        let split = |part, pot| split(&Parameters::DEFAULT, Planck(part), Planck(pot));
        assert_eq!(split(10 * PHA, u128::MAX), Payout { pool: Planck(8 * PHA), treasury: Planck(2 * PHA) });
        assert_eq!(split(10 * PHA, 5 * PHA), Payout { pool: Planck(4 * PHA), treasury: Planck(PHA) });
        assert_eq!(split(10 * PHA, 0), Payout::default());
        assert_eq!(split(u128::MAX, 1), Payout { pool: Planck(0), treasury: Planck(1) });
    }

    #[test]
    fn a_payout_takes_off_what_v_had_grown_by_and_no_more() {
        let (value, grown) = (Fixed::from_int(3_014), Fixed::from_int(14));
        assert_eq!(value_after(value, grown, Planck(20 * PHA)), Fixed::from_int(3_000));
        assert_eq!(value_after(value, grown, Planck(4 * PHA)), Fixed::from_int(3_010));
        assert_eq!(value_after(Fixed::ONE, Fixed::MAX, Planck(u128::MAX)), Fixed::ZERO);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(part in any::<u128>(), pot in any::<u128>(), rate in 0u32..=crate::PPM) {
            let parameters = Parameters { treasury: crate::Ppm::new(rate).unwrap(), ..Parameters::DEFAULT };
            let payout = split(&parameters, Planck(part), Planck(pot));
            prop_assert_eq!(payout.pool.0 + payout.treasury.0, part.min(pot));
        }
    }
}
