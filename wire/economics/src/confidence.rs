//! How far a machine's evidence is trusted, and what that is worth.

use crate::{Fixed, PPM};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_messages::{Attested, Root, TcbStatus};
use scale_info::TypeInfo;

/// The confidence level of a machine, one the best.
///
/// # Source Phala's confidence levels, which follow from what Intel says about the platform.
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
pub enum Confidence {
    /// Up to date, and nothing to advise.
    One,
    /// Up to date, with advisories that software has answered.
    Two,
    /// Software hardening or configuration needed.
    Three,
    /// Configuration and software hardening needed.
    Four,
    /// Out of date within its period of grace.
    Five,
    /// The simulated TEE of a development network.
    Simulated,
}

impl Confidence {
    /// How far a machine with this evidence is trusted. Which machines are admitted at all is the registry's to say.
    pub const fn from_attested(attested: &Attested) -> Self {
        match (attested.root, attested.tcb) {
            (Root::Development, _) => Self::Simulated,
            (Root::Intel, TcbStatus::UpToDate) => Self::One,
            (Root::Intel, TcbStatus::SWHardeningNeeded | TcbStatus::ConfigurationNeeded) => Self::Three,
            (Root::Intel, TcbStatus::ConfigurationAndSWHardeningNeeded) => Self::Four,
            (Root::Intel, _) => Self::Five,
        }
    }

    /// The largest score that is believed of such a machine.
    pub fn score_max(self) -> crate::Score {
        // A part of a u32.
        crate::Score(self.of(Fixed::from_int(crate::SCORE_MAX.into())).to_int() as u32)
    }

    /// The level of this number: 1 to 5, and 128 for the simulated TEE, as the original numbers them.
    pub const fn from_level(level: u8) -> Option<Self> {
        Some(match level {
            1 => Self::One,
            2 => Self::Two,
            3 => Self::Three,
            4 => Self::Four,
            5 => Self::Five,
            128 => Self::Simulated,
            _ => return None,
        })
    }

    /// What a stake's boost and a worker's performance are multiplied by, in parts per million.
    pub const fn factor_ppm(self) -> u32 {
        match self {
            Self::One | Self::Two | Self::Three | Self::Simulated => PPM,
            Self::Four => 800_000,
            Self::Five => 700_000,
        }
    }

    /// This part of `number`.
    ///
    /// # Rounding Down.
    pub fn of(self, number: Fixed) -> Fixed {
        // A part of a number always fits.
        crate::fixed::mul_div(number.to_bits(), self.factor_ppm().into(), PPM.into()).map_or(number, Fixed::from_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weaker_the_evidence_the_less_it_is_worth() {
        let factors = [1, 2, 3, 4, 5, 128].map(|level| Confidence::from_level(level).unwrap().factor_ppm());
        assert_eq!(factors, [1_000_000, 1_000_000, 1_000_000, 800_000, 700_000, 1_000_000]);
        assert_eq!(Confidence::Five.of(Fixed::from_int(10)), Fixed::from_int(7));
        assert_eq!(Confidence::One.of(Fixed::MAX), Fixed::MAX);
    }

    #[test]
    fn evidence_gives_a_level_and_a_limit_of_scores() {
        use phala_messages::{Hash, Tee};
        let of =
            |root, tcb| Confidence::from_attested(&Attested { tee: Tee::Tdx, root, tcb, measurement: Hash::default() });
        assert_eq!(of(Root::Development, TcbStatus::OutOfDate), Confidence::Simulated);
        let levels = [
            TcbStatus::UpToDate,
            TcbStatus::SWHardeningNeeded,
            TcbStatus::ConfigurationNeeded,
            TcbStatus::ConfigurationAndSWHardeningNeeded,
            TcbStatus::OutOfDate,
        ]
        .map(|tcb| of(Root::Intel, tcb));
        use Confidence::*;
        assert_eq!(levels, [One, Three, Three, Four, Five]);
        assert_eq!([One, Four, Five].map(|level| level.score_max().0), [1_048_576, 838_860, 734_003]);
    }

    #[test]
    fn there_are_no_other_levels() {
        assert_eq!((0..=u8::MAX).filter(|level| Confidence::from_level(*level).is_some()).count(), 6);
        assert_eq!(Confidence::from_level(0), None);
        assert_eq!(Confidence::from_level(6), None);
    }
}
