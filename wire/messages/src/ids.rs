//! Identifiers: 32 bytes each, one type each.
//!
//! Text form is `0x` and 64 hexadecimal digits. [`Account`] also has the SS58 form people see; that one
//! needs a library and lives with the clients.

#[cfg(feature = "serde")]
use alloc::string::String;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::{fmt, str::FromStr};
use scale_info::TypeInfo;

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 0x and 64 hexadecimal digits")]
pub struct ParseIdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
        )]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let digits = text.strip_prefix("0x").unwrap_or(text);
                let mut bytes = [0; 32];
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseIdError)?;
                Ok(Self(bytes))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A machine's identity: the Ed25519 public key of its worker, kept over restarts.
    WorkerId
);
id!(
    /// One process of a worker: an Ed25519 public key made fresh at each start. Signs anchors and receipts.
    InstanceKey
);
id!(
    /// The Ed25519 public key that a gatekeeper deals and acknowledges with, kept over restarts.
    ParticipantKey
);
id!(
    /// An X25519 public key that requests or commands are sealed to.
    TransportKey
);
id!(
    /// A deployed program. Derived by the chain from its owner and a counter; see [`ProgramId::derive`].
    ProgramId
);
id!(
    /// SHA-256 of a program's WebAssembly component.
    CodeHash
);
id!(
    /// An account of the chain: a public key (sr25519, ed25519) or the hash of one.
    Account
);
id!(
    /// A recovery custodian's public key: X25519 where pieces are sealed to it, Ed25519 where it signs.
    CustodianKey
);
id!(
    /// A hash; the field it stands in says of what.
    Hash
);
id!(
    /// Blake2b-256 of a block's header.
    BlockHash
);
id!(
    /// Hash of block 0. It names the network: everything signed or sealed carries it.
    GenesisHash
);
id!(
    /// Root of a program's state; see `phala-state`. It hides the state: its leaves are keyed hashes.
    StateRoot
);

impl From<GenesisHash> for BlockHash {
    fn from(genesis: GenesisHash) -> Self {
        Self(genesis.0)
    }
}

impl ProgramId {
    /// The id of the `counter`-th program that the chain admits, owned by `owner`.
    ///
    /// # Shape
    /// SHA-256 of `"phala/program/v1" ‖ owner ‖ counter as u64 little-endian`.
    pub fn derive(owner: &Account, counter: u64) -> Self {
        let mut preimage = alloc::vec::Vec::with_capacity(56);
        preimage.extend_from_slice(b"phala/program/v1");
        preimage.extend_from_slice(&owner.0);
        preimage.extend_from_slice(&counter.to_le_bytes());
        Self(crate::transcript::sha256(&preimage).0)
    }
}

/// A group of workers that run the same programs.
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
pub struct ClusterId(pub u32);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {}", self.0)
    }
}

/// A pool of stake.
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
pub struct PoolId(pub u64);

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_being_written_and_read() {
        let id = ProgramId([0xab; 32]);
        assert_eq!(alloc::format!("{id}").parse(), Ok(id));
        assert_eq!("ab".repeat(32).parse(), Ok(id));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in ["", "0x", "0x12", &"zz".repeat(32), &"ab".repeat(33)] {
            assert_eq!(text.parse::<ProgramId>(), Err(ParseIdError), "{text}");
        }
    }
}
