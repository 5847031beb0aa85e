//! Amounts of the network's token.

use alloc::string::String;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::{fmt, str::FromStr};
use scale_info::TypeInfo;

/// One PHA: 10¹² Planck.
pub const PHA: u128 = 1_000_000_000_000;

/// Decimal places of one PHA.
const DECIMALS: usize = 12;

/// An amount of the token, in Planck (10⁻¹² PHA), the smallest unit there is.
///
/// # Example
/// ```
/// use phala_units::Planck;
/// let amount: Planck = "1.5 PHA".parse().unwrap();
/// assert_eq!(amount, Planck(1_500_000_000_000));
/// assert_eq!(amount.to_string(), "1.5 PHA");
/// ```
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Planck(pub u128);

impl fmt::Display for Planck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / PHA, self.0 % PHA);
        if part == 0 {
            return write!(f, "{whole} PHA");
        }
        let digits = alloc::format!("{part:012}");
        write!(f, "{whole}.{} PHA", digits.trim_end_matches('0'))
    }
}

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsePlanckError {
    /// The text is not `DIGITS[.DIGITS] [PHA|planck]`.
    NotANumber,
    /// More than 12 decimal places, or a fraction of a Planck.
    TooPrecise,
    /// The amount does not fit 128 bits.
    TooLarge,
}

impl fmt::Display for ParsePlanckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "an amount is written like `1.5 PHA` or `1500 planck`",
            Self::TooPrecise => "one PHA has 12 decimal places",
            Self::TooLarge => "the amount does not fit 128 bits",
        })
    }
}

impl core::error::Error for ParsePlanckError {}

impl FromStr for Planck {
    type Err = ParsePlanckError;

    /// Reads `1.5 PHA`, `1.5` (PHA) or `1500 planck`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use ParsePlanckError::*;
        let text = text.trim();
        if let Some(number) = text.strip_suffix("planck") {
            let number = number.trim_end();
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(if number.contains('.') { TooPrecise } else { NotANumber });
            }
            return number.parse().map(Planck).map_err(|_| TooLarge);
        }
        let number = text.strip_suffix("PHA").unwrap_or(text).trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || number.ends_with('.') {
            return Err(NotANumber);
        }
        if part.len() > DECIMALS {
            return Err(TooPrecise);
        }
        let mut padded = String::from(part);
        while padded.len() < DECIMALS {
            padded.push('0');
        }
        let whole: u128 = whole.parse().map_err(|_| TooLarge)?;
        let part: u128 = padded.parse().map_err(|_| NotANumber)?;
        whole.checked_mul(PHA).and_then(|n| n.checked_add(part)).map(Planck).ok_or(TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_survives_being_written_and_read() {
        for planck in [0, 1, 999_999_999_999, PHA, PHA + 1, 1_000_000_000 * PHA, u128::MAX] {
            let text = alloc::format!("{}", Planck(planck));
            assert_eq!(text.parse(), Ok(Planck(planck)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_its_reason() {
        use ParsePlanckError::*;
        for (text, error) in [
            ("", NotANumber),
            ("PHA", NotANumber),
            ("1.", NotANumber),
            (".5", NotANumber),
            ("-1", NotANumber),
            ("1e3", NotANumber),
            ("1.2.3", NotANumber),
            ("0.0000000000001", TooPrecise),
            ("1.5 planck", TooPrecise),
            ("340282366920938463463374607431768211456 planck", TooLarge),
            ("340282366920938463463374608", TooLarge),
        ] {
            assert_eq!(text.parse::<Planck>(), Err(error), "{text}");
        }
    }
}
