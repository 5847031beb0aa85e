//! Rates in parts per million.

use crate::fixed::{mul_div, mul_div_up};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use phala_units::Planck;
use scale_info::TypeInfo;

/// One whole, in parts per million.
pub const PPM: u32 = 1_000_000;

/// A part of a whole: 0 to 1,000,000 parts per million.
///
/// # Invariants Never more than the whole; bytes that say so do not decode.
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
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Ppm(u32);

/// The rate is above the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is at most 1000000 parts per million")]
pub struct RateAboveWhole;

impl Ppm {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Everything.
    pub const WHOLE: Self = Self(PPM);

    /// A rate of `parts` in a million.
    ///
    /// # Errors [`RateAboveWhole`] above 1,000,000.
    pub const fn new(parts: u32) -> Result<Self, RateAboveWhole> {
        if parts > PPM { Err(RateAboveWhole) } else { Ok(Self(parts)) }
    }

    /// A rate of `n` per cent; 100 % at most.
    pub const fn percent(n: u8) -> Self {
        Self(if n > 100 { PPM } else { n as u32 * (PPM / 100) })
    }

    /// Parts per million.
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// What is left of the whole.
    pub const fn rest(self) -> Self {
        Self(PPM - self.0)
    }

    /// This part of `amount`.
    ///
    /// # Rounding Down.
    pub fn of(self, amount: Planck) -> Planck {
        Planck(mul_div(amount.0, self.0.into(), PPM.into()).unwrap_or(amount.0))
    }

    /// This part of `amount`.
    ///
    /// # Rounding Up; never more than `amount`.
    pub fn of_up(self, amount: Planck) -> Planck {
        Planck(mul_div_up(amount.0, self.0.into(), PPM.into()).unwrap_or(amount.0))
    }
}

impl Decode for Ppm {
    fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
        Self::new(u32::decode(input)?).map_err(|_| codec::Error::from("a rate above the whole"))
    }
}

impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 / 10_000)?;
        let mut places = self.0 % 10_000;
        let mut width = 4;
        if places > 0 {
            while places.is_multiple_of(10) {
                places /= 10;
                width -= 1;
            }
            write!(f, ".{places:0width$}")?;
        }
        f.write_str(" %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_at_most_the_whole() {
        assert_eq!(Ppm::new(PPM), Ok(Ppm::WHOLE));
        assert_eq!(Ppm::new(PPM + 1), Err(RateAboveWhole));
        assert_eq!(Ppm::decode(&mut PPM.encode().as_slice()), Ok(Ppm::WHOLE));
        assert!(Ppm::decode(&mut (PPM + 1).encode().as_slice()).is_err());
        assert_eq!(Ppm::percent(100), Ppm::percent(101));
        assert_eq!(Ppm::percent(20).rest(), Ppm::percent(80));
    }

    #[test]
    fn a_part_of_an_amount_is_rounded_as_it_says() {
        let third = Ppm::new(333_333).unwrap();
        assert_eq!((third.of(Planck(10)), third.of_up(Planck(10))), (Planck(3), Planck(4)));
        assert_eq!(Ppm::WHOLE.of_up(Planck(u128::MAX)), Planck(u128::MAX));
        assert_eq!(Ppm::ZERO.of_up(Planck(u128::MAX)), Planck(0));
    }

    #[test]
    fn a_rate_is_written_in_per_cent() {
        assert_eq!(Ppm::percent(5).to_string(), "5 %");
        assert_eq!(Ppm::new(12_345).unwrap().to_string(), "1.2345 %");
        assert_eq!(Ppm::new(10).unwrap().to_string(), "0.001 %");
    }
}
