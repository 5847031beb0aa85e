//! What a key is for.

use codec::{Decode, Encode, MaxEncodedLen};

/// The longest identity.
pub const IDENTITY_BYTES_MAX: usize = 256;

/// The name of a key. Different names have independent keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(Vec<u8>);

/// An identity has more than [`IDENTITY_BYTES_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identity of {0} bytes, at most {IDENTITY_BYTES_MAX} are allowed")]
pub struct IdentityTooLong(pub usize);

impl Identity {
    /// The identity that `bytes` name. Bytes of different kinds need a tag in front, as [`KeyIdentity`] has.
    pub fn new(bytes: &[u8]) -> Result<Self, IdentityTooLong> {
        if bytes.len() > IDENTITY_BYTES_MAX {
            return Err(IdentityTooLong(bytes.len()));
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A program's key: it differs between networks, clusters, programs and the epochs of a program's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen)]
pub struct KeyIdentity {
    /// Hash of block 0.
    pub genesis: [u8; 32],
    /// The cluster that runs the program.
    pub cluster: u32,
    /// The program.
    pub program: [u8; 32],
    /// Counts the program's code changes that take a new key.
    pub code_epoch: u32,
}

impl From<KeyIdentity> for Identity {
    /// `"phala/program-key/v1"` and SCALE of the fields.
    fn from(key: KeyIdentity) -> Self {
        let mut bytes = b"phala/program-key/v1".to_vec();
        key.encode_to(&mut bytes);
        Self(bytes)
    }
}
