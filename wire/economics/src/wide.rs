//! Room to work in: numbers with 128 bits behind the binary point, twice as many as [`Fixed`] has.
//!
//! The closed forms multiply a number by itself dozens of times. With 64 further bits all the truncations on the way together
//! stay far below one step of [`Fixed`], so a result is wrong in its last place at most, whatever the number of blocks.

use crate::Fixed;
use primitive_types::U256;

/// A number from 0 to 2¹²⁸ − 2⁻¹²⁸.
///
/// # Rounding Down, always.
/// # Invariants What is too large is `None`, never a wrapped number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wide(U256);

impl Wide {
    pub(crate) const ONE: Self = Self(U256([0, 0, 1, 0]));

    /// `a × b / c`: two numbers and a whole one; `None` for a `c` of zero.
    pub(crate) fn product(a: Fixed, b: Fixed, c: u32) -> Option<Self> {
        let product = primitive_types::U128::from(a.to_bits()).full_mul(b.to_bits().into());
        product.checked_div(c.into()).map(Self)
    }

    /// The largest [`Fixed`] that is not larger; `None` when there are larger ones only.
    pub(crate) fn floor(self) -> Option<Fixed> {
        u128::try_from(self.0 >> 64).ok().map(Fixed::from_bits)
    }

    pub(crate) fn add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `self − other`, stopping at zero.
    pub(crate) fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    pub(crate) fn mul(self, other: Self) -> Option<Self> {
        let [_, _, a, b, c, d, over, beyond] = self.0.full_mul(other.0).0;
        (over == 0 && beyond == 0).then_some(Self(U256([a, b, c, d])))
    }

    pub(crate) fn times(self, n: u64) -> Option<Self> {
        self.0.checked_mul(n.into()).map(Self)
    }

    /// `selfⁿ`, for a number not above one: wrong by at most `n` × 2⁻¹²⁷.
    pub(crate) fn power(self, n: u64) -> Self {
        let (mut result, mut base, mut n) = (Self::ONE, self.min(Self::ONE), n);
        while n > 0 {
            if n & 1 == 1 {
                result = result.mul(base).unwrap_or(Self::ONE);
            }
            base = base.mul(base).unwrap_or(Self::ONE);
            n >>= 1;
        }
        result
    }
}

impl From<Fixed> for Wide {
    fn from(number: Fixed) -> Self {
        Self(U256::from(number.to_bits()) << 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_not_passed() {
        let max = Wide::from(Fixed::MAX);
        assert_eq!(max.floor(), Some(Fixed::MAX));
        assert_eq!(max.add(Wide::ONE).and_then(Wide::floor), None);
        assert_eq!(max.mul(max), Wide::product(Fixed::MAX, Fixed::MAX, 1));
        assert_eq!(max.mul(max).and_then(Wide::floor), None);
        assert_eq!(max.mul(max).and_then(|square| square.mul(max)), None);
        assert_eq!(max.times(u64::MAX).and_then(|n| n.times(3)), None);
        assert_eq!(Wide(U256::MAX).add(Wide(U256::one())), None);
        assert_eq!(Wide::ONE.less(max), Wide(U256::zero()));
        assert_eq!(Wide::product(Fixed::ONE, Fixed::ONE, 0), None);
    }

    #[test]
    fn a_power_is_the_product_of_its_parts() {
        let half = Wide::from(Fixed::from_ratio(1, 2).unwrap());
        assert_eq!(half.power(0), Wide::ONE);
        assert_eq!(half.power(64).floor(), Some(Fixed::STEP));
        assert_eq!(half.power(128).0, U256::one());
        assert_eq!(half.power(129).0, U256::zero());
        assert_eq!(Wide::ONE.power(u64::MAX), Wide::ONE);
    }
}
