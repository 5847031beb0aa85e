//! Checkpoints: where to start believing, when not at genesis.

use crate::{
    authorities::{AuthoritiesError, AuthoritySet, from_raw},
    header::Head,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use codec::{Decode, Encode};
use phala_messages::{BlockHash, GenesisHash, Hash};
use phala_units::BlockNumber;
use serde_json::{Value, json};

/// A finalised block with the authorities in office after it.
///
/// # Shape
/// JSON: `{"genesis", "number", "hash", "state_root", "set_id", "authorities"}`; hashes and keys as `0x…`. An authority is
/// its Ed25519 key; one of a weight other than one is `KEY:WEIGHT`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// Which network.
    pub genesis: GenesisHash,
    /// Height.
    pub number: BlockNumber,
    /// Hash of its header.
    pub hash: BlockHash,
    /// Root of the state after it.
    pub state_root: Hash,
    /// How many sets were in office before the one below.
    pub set_id: u64,
    /// Keys and weights of the authorities that finalise what follows.
    pub authorities: Vec<([u8; 32], u64)>,
}

/// Why a text is not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCheckpointError {
    /// Not a JSON object of the six fields.
    #[error("a checkpoint is a JSON object with genesis, number, hash, state_root, set_id and authorities")]
    Malformed,
    /// Its authorities are none.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

const FIELDS: [&str; 6] = ["genesis", "number", "hash", "state_root", "set_id", "authorities"];

impl Checkpoint {
    /// The block.
    pub fn head(&self) -> Head {
        Head { number: self.number, hash: self.hash, state_root: self.state_root }
    }

    /// The authorities that finalise what follows.
    ///
    /// # Errors
    /// [`AuthoritiesError`].
    pub fn authority_set(&self) -> Result<AuthoritySet, AuthoritiesError> {
        AuthoritySet::new(self.set_id, self.authorities.iter().map(|(key, weight)| (from_raw(*key), *weight)).collect())
    }

    pub(crate) fn of(genesis: GenesisHash, head: &Head, set: &AuthoritySet) -> Self {
        Self {
            genesis,
            number: head.number,
            hash: head.hash,
            state_root: head.state_root,
            set_id: set.id(),
            authorities: set.keys(),
        }
    }

    /// The JSON form.
    pub fn to_json(&self) -> Value {
        let authority = |(key, weight): &([u8; 32], u64)| match weight {
            1 => Hash(*key).to_string(),
            _ => format!("{}:{weight}", Hash(*key)),
        };
        json!({
            "genesis": self.genesis.to_string(),
            "number": self.number.0,
            "hash": self.hash.to_string(),
            "state_root": self.state_root.to_string(),
            "set_id": self.set_id,
            "authorities": self.authorities.iter().map(authority).collect::<Vec<String>>(),
        })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`ParseCheckpointError`].
    pub fn parse_json(text: &str) -> Result<Self, ParseCheckpointError> {
        let value: Value = serde_json::from_str(text).map_err(|_| ParseCheckpointError::Malformed)?;
        let checkpoint = Self::from_value(&value).ok_or(ParseCheckpointError::Malformed)?;
        checkpoint.authority_set()?;
        Ok(checkpoint)
    }

    fn from_value(value: &Value) -> Option<Self> {
        let object = value.as_object().filter(|object| object.keys().all(|key| FIELDS.contains(&key.as_str())))?;
        let text = |name: &str| object.get(name)?.as_str();
        let authority = |value: &Value| {
            let (key, weight) = match value.as_str()?.split_once(':') {
                Some((key, weight)) => (key, weight.parse().ok()?),
                None => (value.as_str()?, 1),
            };
            Some((key.parse::<Hash>().ok()?.0, weight))
        };
        Some(Self {
            genesis: text("genesis")?.parse().ok()?,
            number: BlockNumber(u32::try_from(object.get("number")?.as_u64()?).ok()?),
            hash: text("hash")?.parse().ok()?,
            state_root: text("state_root")?.parse().ok()?,
            set_id: object.get("set_id")?.as_u64()?,
            authorities: object.get("authorities")?.as_array()?.iter().map(authority).collect::<Option<_>>()?,
        })
    }
}
