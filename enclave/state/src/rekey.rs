//! Sealing a state anew: the same contents and version under other keys, on another shelf.
//!
//! ```text
//! old shelf   a state at an anchored version, nothing of it pending ──┐ entry by entry, in batches
//! new shelf   (cleared) ─► entries … attachments … ─► meta, last ◄────┘
//! ```
//! Without its meta entry a shelf does not open, so a half-written one is never taken for a state. The old shelf is not touched.
//!
//! # Properties
//! - A kill at any moment leaves the old state whole; after the last batch the new one is whole, too.
//! - Contents, settings and version are equal; the root is another, as the keys are.
//! - Attachments are there again, byte for byte, whether or not the contents came along.
//! - Beside both states it takes the memory of one batch.

use crate::{
    Batch, DiskError, Entropy, ProgramState, Shelf, Snapshot, StateKeys,
    entry::{Entry, attachment_name, carried_leaf, setting_leaf, state_leaf},
    keys::Name,
    program::{AttachmentError, Writes},
    snapshot::Carried,
};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroize;

/// Most bytes that a state carries.
pub const CARRIED_BYTES_MAX: usize = 4 * 1024;
/// Sealed bytes of one batch.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Entries of one batch.
const BATCH_ENTRIES: usize = 4_096;

/// What goes along.
#[derive(Default)]
pub struct Rekey {
    /// Whether the contents and settings do. If not, the new state is empty.
    pub contents: bool,
    /// Secret bytes of the caller's, sealed into the state until it is sealed anew the next time: they enter its root.
    pub carried: Option<Vec<u8>>,
    /// Attachments to put in the place of those of the same number, or beside them.
    pub attachments: BTreeMap<u64, Vec<u8>>,
}

/// Why a state was not sealed anew. The old one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RekeyError {
    /// Its newest version is not known to be the only one that counts.
    #[error("versions before the newest are not retired")]
    NotRetired,
    /// An earlier write went wrong.
    #[error("an earlier write went wrong; the state must be opened again")]
    MustReopen,
    /// See [`CARRIED_BYTES_MAX`].
    #[error("{bytes} bytes to be carried are more than {CARRIED_BYTES_MAX}")]
    CarriedTooLong {
        /// How many.
        bytes: usize,
    },
    /// See [`crate::ATTACHMENT_BYTES_MAX`].
    #[error("an attachment has {bytes} bytes, more than an attachment may")]
    AttachmentTooLong {
        /// Its size.
        bytes: usize,
    },
    /// An attachment could not be read.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Entries on their way to the new shelf.
struct Load<'a> {
    to: &'a ProgramState,
    batch: Batch,
    bytes: usize,
}

impl Load<'_> {
    fn put(&mut self, name: Name, entry: &Entry) -> Result<crate::keys::Nonce, DiskError> {
        let (nonce, sealed) = self.to.seal(&name, entry);
        self.bytes += sealed.len();
        self.batch.push((name.to_vec(), Some(sealed)));
        if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_ENTRIES {
            self.flush()?;
        }
        Ok(nonce)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.bytes = 0;
        self.to.disk.commit(&self.to.program(), std::mem::take(&mut self.batch))
    }
}

impl ProgramState {
    /// Seals this state anew under `keys` on `shelf`, which is cleared first. Both can be used afterwards; it is the caller's to
    /// decide which of them counts, and to clear the other's shelf.
    ///
    /// # Errors
    /// [`RekeyError`].
    pub fn rekey(
        &self,
        shelf: Shelf,
        keys: StateKeys,
        entropy: Arc<dyn Entropy>,
        rekey: Rekey,
    ) -> Result<Self, RekeyError> {
        if self.must_reopen {
            return Err(RekeyError::MustReopen);
        }
        if !self.kept.is_empty() {
            return Err(RekeyError::NotRetired);
        }
        if let Some(long) = rekey.carried.as_ref().filter(|bytes| bytes.len() > CARRIED_BYTES_MAX) {
            return Err(RekeyError::CarriedTooLong { bytes: long.len() });
        }
        let too_long = |bytes: &&Vec<u8>| bytes.len() as u64 > crate::ATTACHMENT_BYTES_MAX;
        if let Some(long) = rekey.attachments.values().find(too_long) {
            return Err(RekeyError::AttachmentTooLong { bytes: long.len() });
        }
        shelf.clear(&self.program())?;
        let mut to = Self::empty(Arc::new(shelf), self.program(), keys, entropy);
        let mut next = if rekey.contents { self.newest.clone() } else { Snapshot::empty() };
        next.version = self.newest.version;
        next.carried = rekey.carried.map(|bytes| Arc::new(Carried(bytes)));

        let mut load = Load { to: &to, batch: Batch::new(), bytes: 0 };
        let mut leaves = Vec::with_capacity(next.leaves());
        for (bucket, key, value) in next.iter() {
            let leaf = state_leaf(&to.keys, bucket, key, Some(value));
            load.put(leaf.0, &Entry::State { bucket: bucket.into(), key: key.into(), value: value.to_vec() })?;
            leaves.push(leaf);
        }
        for (key, value) in &**next.settings() {
            let leaf = setting_leaf(&to.keys, key, Some(value));
            load.put(leaf.0, &Entry::Setting { key: key.clone(), value: value.clone() })?;
            leaves.push(leaf);
        }
        if let Some(carried) = &next.carried {
            let leaf = carried_leaf(&to.keys, &carried.0);
            let mut entry = Entry::Carried { bytes: carried.0.clone() };
            let put = load.put(leaf.0, &entry);
            if let Entry::Carried { bytes } = &mut entry {
                bytes.zeroize();
            }
            put?;
            leaves.push(leaf);
        }
        let (mut attachments, mut local) = (BTreeMap::new(), Vec::new());
        let mut numbers: Vec<u64> = self.attachments().chain(rekey.attachments.keys().copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            let bytes = match rekey.attachments.get(&number) {
                Some(bytes) => bytes.clone(),
                None => self.attachment(number)?.ok_or(AttachmentError::Dropped)?,
            };
            let name = attachment_name(&to.keys, number);
            let nonce = load.put(name, &Entry::Attachment { number, bytes })?;
            attachments.insert(number, nonce);
            local.push((name, Some(nonce)));
        }
        load.flush()?;
        next.root = to.tree.apply(leaves, next.leaves());
        let count = attachments.len();
        to.write(Writes { batch: Batch::new(), local }, &next, count).map_err(|error| match error {
            crate::CommitError::Disk(error) => RekeyError::Disk(error),
            _ => RekeyError::MustReopen,
        })?;
        to.newest = next;
        to.attachments = attachments;
        Ok(to)
    }
}
