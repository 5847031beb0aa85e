//! What one commit asks for, and when it is refused.

use crate::{DiskError, Snapshot};
use bytes::Bytes;
use phala_messages::limits::*;
use std::{collections::BTreeMap, fmt};

/// Most bytes of one attachment: a command's result, its head and seals.
pub const ATTACHMENT_BYTES_MAX: u64 = RESULT_BYTES_MAX + HEAD_BYTES_MAX as u64 + 4 * 1024;
/// Most bytes of [`Commit::pending`].
pub const PENDING_BYTES_MAX: u64 = 64 * 1024;
/// Versions that may wait to be retired: as many as there are commands in one anchor.
pub const VERSIONS_KEPT_MAX: usize = phala_messages::anchor::ANCHOR_COMMANDS_MAX as usize;

/// What a program changed: bucket and key, with the new value, or with none to delete it.
pub type Changes = BTreeMap<(String, String), Option<Bytes>>;

/// One step from a version to a later one. Everything in it becomes durable together, or nothing.
#[derive(Clone, Default)]
pub struct Commit {
    /// The version that it leads to.
    pub version: u64,
    /// What the program changed.
    pub changes: Changes,
    /// What the owner set, or unset.
    pub settings: BTreeMap<String, Option<String>>,
    /// Bytes to keep beside the state until they are dropped; they do not enter its root.
    pub attachments: BTreeMap<u64, Vec<u8>>,
    /// Bytes to keep until the new version is retired: what the caller still has to tell the chain.
    pub pending: Vec<u8>,
}

/// Says how much, and not what.
impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit")
            .field("version", &self.version)
            .field("changes", &self.changes.len())
            .field("settings", &self.settings.len())
            .field("attachments", &self.attachments.len())
            .finish_non_exhaustive()
    }
}

/// Why a commit was refused. Except after [`CommitError::Disk`], the state is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A version is made once.
    #[error("version {offered} does not come after version {current}")]
    NotNewer {
        /// Newest version.
        current: u64,
        /// What the commit would have led to.
        offered: u64,
    },
    /// See [`VERSIONS_KEPT_MAX`].
    #[error("{VERSIONS_KEPT_MAX} versions wait to be anchored; no more are made until some are")]
    TooManyVersions,
    /// Buckets' names have the limit of keys.
    #[error("a bucket's name has {bytes} bytes, more than {STATE_KEY_BYTES_MAX}")]
    BucketTooLong {
        /// Its size.
        bytes: usize,
    },
    /// See [`STATE_KEY_BYTES_MAX`].
    #[error("a key has {bytes} bytes, more than {STATE_KEY_BYTES_MAX}")]
    KeyTooLong {
        /// Its size.
        bytes: usize,
    },
    /// See [`STATE_VALUE_BYTES_MAX`].
    #[error("a value has {bytes} bytes, more than {STATE_VALUE_BYTES_MAX}")]
    ValueTooLong {
        /// Its size.
        bytes: usize,
    },
    /// See [`STATE_BYTES_MAX`].
    #[error("the state would have {bytes} bytes, more than {STATE_BYTES_MAX}")]
    StateFull {
        /// Its size.
        bytes: u64,
    },
    /// See [`SETTING_BYTES_MAX`].
    #[error("a setting has {bytes} bytes, more than {SETTING_BYTES_MAX}")]
    SettingTooLong {
        /// Its size.
        bytes: usize,
    },
    /// See [`SETTINGS_MAX`].
    #[error("there would be {count} settings, more than {SETTINGS_MAX}")]
    TooManySettings {
        /// Their number.
        count: usize,
    },
    /// See [`ATTACHMENT_BYTES_MAX`].
    #[error("an attachment has {bytes} bytes, more than {ATTACHMENT_BYTES_MAX}")]
    AttachmentTooLong {
        /// Its size.
        bytes: usize,
    },
    /// See [`PENDING_BYTES_MAX`].
    #[error("the pending message has {bytes} bytes, more than {PENDING_BYTES_MAX}")]
    PendingTooLong {
        /// Its size.
        bytes: usize,
    },
    /// Whether the batch has landed is not known.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// An earlier write to the disk went wrong: only [`crate::ProgramState::open`] can tell what is there now.
    #[error("an earlier write went wrong; the state must be opened again")]
    MustReopen,
}

impl Commit {
    /// Refuses what is too large by itself.
    pub(crate) fn check_sizes(&self) -> Result<(), CommitError> {
        for ((bucket, key), value) in &self.changes {
            if bucket.len() > STATE_KEY_BYTES_MAX as usize {
                return Err(CommitError::BucketTooLong { bytes: bucket.len() });
            }
            if key.len() > STATE_KEY_BYTES_MAX as usize {
                return Err(CommitError::KeyTooLong { bytes: key.len() });
            }
            if let Some(value) = value.as_ref().filter(|value| value.len() > STATE_VALUE_BYTES_MAX as usize) {
                return Err(CommitError::ValueTooLong { bytes: value.len() });
            }
        }
        for (key, value) in &self.settings {
            let bytes = key.len() + value.as_ref().map_or(0, String::len);
            if bytes > SETTING_BYTES_MAX as usize {
                return Err(CommitError::SettingTooLong { bytes });
            }
        }
        if let Some(long) = self.attachments.values().find(|bytes| bytes.len() as u64 > ATTACHMENT_BYTES_MAX) {
            return Err(CommitError::AttachmentTooLong { bytes: long.len() });
        }
        if self.pending.len() as u64 > PENDING_BYTES_MAX {
            return Err(CommitError::PendingTooLong { bytes: self.pending.len() });
        }
        Ok(())
    }
}

/// Refuses a version that would be too large as a whole.
pub(crate) fn check_whole(next: &Snapshot) -> Result<(), CommitError> {
    if next.bytes() > STATE_BYTES_MAX {
        return Err(CommitError::StateFull { bytes: next.bytes() });
    }
    let count = next.settings().len();
    if count > SETTINGS_MAX as usize {
        return Err(CommitError::TooManySettings { count });
    }
    Ok(())
}
