//! What lies on disk, once it is opened.

use crate::keys::{Name, StateKeys};
use bytes::Bytes;
use codec::{Decode, DecodeAll, Encode};

/// How state is written. Another number means that this software cannot read it.
pub(crate) const FORMAT: u8 = 1;

/// Keeps the names of different kinds of entries apart.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Meta = 0,
    State = 1,
    Setting = 2,
    Undo = 3,
    Attachment = 4,
    Carried = 5,
}

/// What holds the others together. One per program.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Meta {
    /// [`FORMAT`], and first, so that any version of the software can tell.
    pub format: u8,
    /// Newest version.
    pub version: u64,
    /// Root over state and settings.
    pub root: [u8; 32],
    /// Root over undo entries and attachments.
    pub local_root: [u8; 32],
    /// How many entries there are beside this one.
    pub entries: u64,
}

impl Meta {
    pub(crate) fn name(keys: &StateKeys) -> Name {
        keys.name(Kind::Meta, &[])
    }
}

/// Everything else.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Entry {
    #[codec(index = 1)]
    State { bucket: String, key: String, value: Vec<u8> },
    #[codec(index = 2)]
    Setting { key: String, value: String },
    #[codec(index = 3)]
    Undo(Undo),
    #[codec(index = 4)]
    Attachment { number: u64, bytes: Vec<u8> },
    #[codec(index = 5)]
    Carried { bytes: Vec<u8> },
}

/// What leads from version `to` back to version `from`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Undo {
    pub from: u64,
    pub to: u64,
    /// Root of the state at `from`.
    pub root: [u8; 32],
    /// What stood there: bucket, key, value.
    pub changes: Vec<(String, String, Option<Vec<u8>>)>,
    /// What was set.
    pub settings: Vec<(String, Option<String>)>,
    /// Bytes of the caller's, kept exactly as long as this.
    pub pending: Vec<u8>,
}

impl Entry {
    /// Reads an opened entry. None says that it was sealed by us and is no entry all the same.
    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        Self::decode_all(&mut &*plain).ok()
    }

    /// The only name under which it may lie.
    pub(crate) fn name(&self, keys: &StateKeys) -> Name {
        match self {
            Self::State { bucket, key, .. } => state_name(keys, bucket, key),
            Self::Setting { key, .. } => setting_name(keys, key),
            Self::Undo(undo) => undo_name(keys, undo.to),
            Self::Attachment { number, .. } => attachment_name(keys, *number),
            Self::Carried { .. } => carried_name(keys),
        }
    }
}

pub(crate) fn state_name(keys: &StateKeys, bucket: &str, key: &str) -> Name {
    keys.name(Kind::State, &[bucket.as_bytes(), key.as_bytes()])
}

pub(crate) fn setting_name(keys: &StateKeys, key: &str) -> Name {
    keys.name(Kind::Setting, &[key.as_bytes()])
}

pub(crate) fn undo_name(keys: &StateKeys, to: u64) -> Name {
    keys.name(Kind::Undo, &[&to.to_le_bytes()])
}

pub(crate) fn attachment_name(keys: &StateKeys, number: u64) -> Name {
    keys.name(Kind::Attachment, &[&number.to_le_bytes()])
}

fn carried_name(keys: &StateKeys) -> Name {
    keys.name(Kind::Carried, &[])
}

/// A leaf of the state's tree: its name, and what stands there now.
pub(crate) type Leaf = (Name, Option<[u8; 32]>);

pub(crate) fn state_leaf(keys: &StateKeys, bucket: &str, key: &str, value: Option<&Bytes>) -> Leaf {
    let name = state_name(keys, bucket, key);
    (name, value.map(|value| keys.leaf(&name, value)))
}

pub(crate) fn setting_leaf(keys: &StateKeys, key: &str, value: Option<&str>) -> Leaf {
    let name = setting_name(keys, key);
    (name, value.map(|value| keys.leaf(&name, value.as_bytes())))
}

pub(crate) fn carried_leaf(keys: &StateKeys, bytes: &[u8]) -> Leaf {
    let name = carried_name(keys);
    (name, Some(keys.leaf(&name, bytes)))
}
