//! Measure: amounts, heights and times as types that cannot be swapped.
//!
//! A bare `u64` could be a height, a time or a count; two bare `u64` can be exchanged by accident, two
//! of these types cannot. Each type encodes exactly as the number inside it (SCALE), so a wrapper costs
//! no byte on chain or on the wire.
//!
//! # Properties
//! - Arithmetic never wraps: it is checked (`Option`) or saturating, and says which in its name.
//! - Display carries the unit: a number never appears without it.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

mod planck;

pub use planck::{PHA, ParsePlanckError, Planck};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $unit:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
        )]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
        pub struct $name(pub $inner);

        impl $name {
            /// The next value, stopping at the largest.
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// `self + n`, stopping at the largest value.
            pub const fn saturating_add(self, n: $inner) -> Self {
                Self(self.0.saturating_add(n))
            }

            /// How far `self` lies after `earlier`; zero when it does not.
            pub const fn since(self, earlier: Self) -> $inner {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($unit, "{}"), self.0)
            }
        }

        impl From<$inner> for $name {
            fn from(n: $inner) -> Self {
                Self(n)
            }
        }
    };
}

number!(
    /// Height of a block of the chain; genesis is 0.
    BlockNumber(u32), "#"
);

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
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
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The moment `seconds` after the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// `self` moved `ms` milliseconds later, stopping at the largest value.
    pub const fn saturating_add(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; zero when `self` is not later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_costs_no_byte() {
        assert_eq!(BlockNumber(7).encode(), 7u32.encode());
        assert_eq!(UnixMillis(7).encode(), 7u64.encode());
        assert_eq!(Planck(7).encode(), 7u128.encode());
    }

    #[test]
    fn arithmetic_never_wraps() {
        assert_eq!(BlockNumber(u32::MAX).next(), BlockNumber(u32::MAX));
        assert_eq!(BlockNumber(3).since(BlockNumber(5)), 0);
        assert_eq!(UnixMillis(u64::MAX).saturating_add(1), UnixMillis(u64::MAX));
        assert_eq!(UnixMillis::from_seconds(u64::MAX).0, u64::MAX);
    }

    #[test]
    fn a_number_is_displayed_with_its_unit() {
        assert_eq!(BlockNumber(7).to_string(), "#7");
        assert_eq!(UnixMillis(7).to_string(), "7 ms");
    }
}
