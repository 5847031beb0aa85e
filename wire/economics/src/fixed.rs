//! The number economics counts in: 64 bits before the binary point, 64 behind it.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use phala_units::{PHA, Planck};
use primitive_types::U256;
use scale_info::TypeInfo;

/// Bits behind the binary point.
const FRACTION_BITS: u32 = 64;

/// A number from 0 to 2⁶⁴ − 2⁻⁶⁴, in steps of 2⁻⁶⁴ (U64F64).
///
/// # Units Its context's; where it stands for PHA, one is one PHA.
/// # Rounding Each operation names its own. Addition, subtraction and whole multiples are exact unless they saturate.
/// # Invariants No operation wraps or panics: too large becomes [`Fixed::MAX`], too small becomes zero, or it is `None`.
/// # Source The same number type as the original network's, so that its published figures can be compared digit by digit.
///
/// # Example
/// ```
/// use phala_economics::Fixed;
/// assert_eq!(Fixed::from_ratio(1, 3).unwrap().to_string(), "0.333333333333333333");
/// ```
#[derive(
    Clone,
    Copy,
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
pub struct Fixed(u128);

impl Fixed {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 1.
    pub const ONE: Self = Self(1 << FRACTION_BITS);
    /// 2⁻⁶⁴, one step.
    pub const STEP: Self = Self(1);
    /// 2⁶⁴ − 2⁻⁶⁴.
    pub const MAX: Self = Self(u128::MAX);

    /// The number whose encoding is `bits`: `bits` steps.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// How many steps.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// A whole number, exactly.
    pub const fn from_int(n: u64) -> Self {
        Self((n as u128) << FRACTION_BITS)
    }

    /// The whole part.
    ///
    /// # Rounding Down.
    pub const fn to_int(self) -> u64 {
        (self.0 >> FRACTION_BITS) as u64
    }

    /// `numerator / denominator`; `None` when that has no value here.
    ///
    /// # Rounding Down.
    pub fn from_ratio(numerator: u128, denominator: u128) -> Option<Self> {
        mul_div(numerator, Self::ONE.0, denominator).map(Self)
    }

    /// An amount in PHA.
    ///
    /// # Rounding Up, by less than a step, so that [`Fixed::to_planck`] gives the same amount back. Amounts of 2⁶⁴ PHA and
    /// more become [`Fixed::MAX`].
    pub fn from_planck(amount: Planck) -> Self {
        mul_div_up(amount.0, Self::ONE.0, PHA).map_or(Self::MAX, Self)
    }

    /// The amount, where one is one PHA.
    ///
    /// # Rounding Down to a Planck.
    pub fn to_planck(self) -> Planck {
        // Never larger than 10¹² × 2⁶⁴, so there is always a value.
        Planck(mul_div(self.0, PHA, Self::ONE.0).unwrap_or(u128::MAX))
    }

    /// `self + other`, or `None`.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `self + other`, stopping at the largest.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self − other`, stopping at zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self × n`, stopping at the largest.
    pub const fn saturating_times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n as u128))
    }

    /// `self × other`, stopping at the largest.
    ///
    /// # Rounding Down.
    pub fn mul_down(self, other: Self) -> Self {
        mul_div(self.0, other.0, Self::ONE.0).map_or(Self::MAX, Self)
    }

    /// `self × other`, stopping at the largest.
    ///
    /// # Rounding Up.
    pub fn mul_up(self, other: Self) -> Self {
        mul_div_up(self.0, other.0, Self::ONE.0).map_or(Self::MAX, Self)
    }

    /// `self / other`; `None` for a division by zero and for what is too large.
    ///
    /// # Rounding Down.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        mul_div(self.0, Self::ONE.0, other.0).map(Self)
    }

    /// The square root.
    ///
    /// # Rounding Down to a multiple of 2⁻³², as the original network has it: half the bits of a U64F64 are enough for the
    /// few places that need a root, and its published figures come out to the last digit.
    pub const fn sqrt(self) -> Self {
        // √(n·2⁻⁶⁴) = √n·2⁻³²
        Self(self.0.isqrt() << (FRACTION_BITS / 2))
    }
}

/// Decimal, rounded down to 18 places, without zeros at the end.
impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PLACES: u128 = 1_000_000_000_000_000_000;
        let fraction = self.0 & (Self::ONE.0 - 1);
        let mut places = mul_div(fraction, PLACES, Self::ONE.0).unwrap_or_default();
        write!(f, "{}", self.to_int())?;
        if places == 0 {
            return Ok(());
        }
        let mut width = 18;
        while places.is_multiple_of(10) {
            places /= 10;
            width -= 1;
        }
        write!(f, ".{places:0width$}")
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({:#x})", self.0)
    }
}

/// `a × b / c`, computed exactly and rounded down; `None` when `c` is zero or the result too large.
pub fn mul_div(a: u128, b: u128, c: u128) -> Option<u128> {
    if c == Fixed::ONE.0 {
        // A shift in place of a division: the commonest case by far.
        return u128::try_from(product(a, b) >> FRACTION_BITS).ok();
    }
    u128::try_from(product(a, b).checked_div(c.into())?).ok()
}

/// `a × b / c`, computed exactly and rounded up; `None` when `c` is zero or the result too large.
pub fn mul_div_up(a: u128, b: u128, c: u128) -> Option<u128> {
    if c == 0 {
        return None;
    }
    let (quotient, rest) = product(a, b).div_mod(c.into());
    let quotient = u128::try_from(quotient).ok()?;
    if rest.is_zero() { Some(quotient) } else { quotient.checked_add(1) }
}

/// The product of two 128-bit numbers, which always fits.
fn product(a: u128, b: u128) -> U256 {
    primitive_types::U128::from(a).full_mul(b.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Schoolbook multiplication and division bit by bit: slow, obvious, and sharing nothing with the code above.
    fn wide_mul_div(a: u128, b: u128, c: u128) -> (Option<u128>, bool) {
        let (mut high, mut low) = (0u128, 0u128);
        for bit in (0..128).rev() {
            high = high << 1 | low >> 127;
            low <<= 1;
            if b >> bit & 1 == 1 {
                let (sum, carry) = low.overflowing_add(a);
                low = sum;
                high += u128::from(carry);
            }
        }
        let (mut rest, mut quotient, mut overflow) = (0u128, 0u128, false);
        for bit in (0..256).rev() {
            let next = if bit >= 128 { high >> (bit - 128) & 1 } else { low >> bit & 1 };
            let carry = rest >> 127 == 1;
            rest = rest << 1 | next;
            let fits = carry || rest >= c;
            if fits {
                rest = rest.wrapping_sub(c);
            }
            overflow |= quotient >> 127 == 1;
            quotient = quotient << 1 | u128::from(fits);
        }
        ((!overflow).then_some(quotient), rest == 0)
    }

    /// Numbers of every magnitude, the extremes among them.
    fn any_magnitude() -> impl Strategy<Value = u128> {
        prop_oneof![
            (any::<u128>(), 0u32..128).prop_map(|(n, shift)| n >> shift),
            Just(0),
            Just(1),
            Just(u128::MAX),
            Just(Fixed::ONE.0),
            Just(PHA)
        ]
    }

    proptest! {
        #[test]
        fn products_and_quotients_are_exact(a in any_magnitude(), b in any_magnitude(), c in any_magnitude()) {
            if c == 0 {
                prop_assert_eq!(mul_div(a, b, c), None);
                prop_assert_eq!(mul_div_up(a, b, c), None);
            } else {
                let (quotient, even) = wide_mul_div(a, b, c);
                prop_assert_eq!(mul_div(a, b, c), quotient);
                let up = if even { quotient } else { quotient.and_then(|q| q.checked_add(1)) };
                prop_assert_eq!(mul_div_up(a, b, c), up);
            }
        }

        #[test]
        fn an_amount_survives_being_a_number(planck in 0u128..(1 << 64) * PHA) {
            let number = Fixed::from_planck(Planck(planck));
            prop_assert_eq!(number.to_planck(), Planck(planck));
        }

        #[test]
        fn a_root_is_within_its_step(bits in any_magnitude()) {
            let root = Fixed(bits).sqrt();
            prop_assert_eq!(root.0 % (1 << 32), 0);
            let half = root.0 >> 32;
            prop_assert!(half * half <= bits);
            prop_assert!((half + 1).checked_mul(half + 1).is_none_or(|square| square > bits));
        }

        #[test]
        fn nothing_wraps(a in any_magnitude(), b in any_magnitude()) {
            let (x, y) = (Fixed(a), Fixed(b));
            prop_assert!(x.saturating_add(y) >= x);
            prop_assert!(x.saturating_sub(y) <= x);
            prop_assert!(x.mul_down(y) <= x.mul_up(y) && x.mul_up(y).0 - x.mul_down(y).0 <= 1);
            prop_assert!(b == 0 || x.saturating_times(b as u64 | 1) >= x);
            prop_assert_eq!(x.checked_add(y).unwrap_or(Fixed::MAX), x.saturating_add(y));
            if let Some(quotient) = x.checked_div(y) {
                prop_assert!(quotient.mul_down(y) <= x);
            }
        }
    }

    #[test]
    fn the_largest_amount_saturates() {
        assert_eq!(Fixed::from_planck(Planck(u128::MAX)), Fixed::MAX);
        assert_eq!(Fixed::from_planck(Planck((1 << 64) * PHA)), Fixed::MAX);
        assert_eq!(Fixed::from_planck(Planck(((1 << 64) - 1) * PHA)).to_int(), u64::MAX);
        assert_eq!(Fixed::MAX.to_planck(), Planck((1 << 64) * PHA - 1));
    }

    #[test]
    fn a_number_is_written_in_decimals() {
        assert_eq!(Fixed::from_int(3_000).to_string(), "3000");
        assert_eq!(Fixed::from_ratio(5, 4).unwrap().to_string(), "1.25");
        assert_eq!(Fixed::from_ratio(1_000_001, 1_000).unwrap().to_string(), "1000.000999999999999999");
        assert_eq!(Fixed::STEP.to_string(), "0");
        assert_eq!(Fixed::MAX.to_string(), "18446744073709551615.999999999999999999");
    }
}
