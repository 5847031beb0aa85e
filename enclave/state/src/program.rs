//! The state of one program.

use crate::{
    Batch, Commit, CommitError, Disk, DiskError, Entropy, Snapshot, StateKeys, VERSIONS_KEPT_MAX,
    commit::check_whole,
    entry::{Entry, FORMAT, Leaf, Meta, Undo, attachment_name, setting_leaf, state_leaf, undo_name},
    keys::{Name, Nonce},
    tree::Tree,
};
use codec::Encode;
use phala_messages::{ProgramId, StateRoot};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroizing;

/// The state of one program: its newest version, and those before it that are not retired.
pub struct ProgramState {
    pub(crate) keys: StateKeys,
    pub(crate) tree: Tree,
    pub(crate) local: Tree,
    pub(crate) newest: Snapshot,
    /// By the version that the commit led to.
    pub(crate) kept: BTreeMap<u64, Kept>,
    pub(crate) attachments: BTreeMap<u64, Nonce>,
    pub(crate) disk: Arc<dyn Disk>,
    program: ProgramId,
    entropy: Arc<dyn Entropy>,
    /// A write went wrong: what is on disk is not known.
    pub(crate) must_reopen: bool,
}

/// What is kept of a commit until it is retired.
pub(crate) struct Kept {
    /// The version before it.
    pub before: Snapshot,
    /// See [`Commit::pending`].
    pub pending: Vec<u8>,
}

/// Why the state on this disk is not the one that the chain has anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// The disk was rolled back or erased, or another machine went on without this one.
    #[error("the chain has anchored version {anchored}, the disk holds version {newest}")]
    Behind {
        /// As the chain says.
        anchored: u64,
        /// As the disk has.
        newest: u64,
    },
    /// Same version, other contents.
    #[error("the chain has anchored root {anchored} for version {version}, the disk holds {found}")]
    Differs {
        /// Which version.
        version: u64,
        /// As the chain says.
        anchored: StateRoot,
        /// As the disk has.
        found: StateRoot,
    },
    /// The version was retired, or lies between two that were made.
    #[error("version {version} is not kept; the oldest kept is {oldest}")]
    NotKept {
        /// As the chain says.
        version: u64,
        /// As the disk has.
        oldest: u64,
    },
}

/// Why an attachment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// The disk did not give it.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It was there when it was written.
    #[error("the attachment was dropped from the disk")]
    Dropped,
    /// It does not open, or it is an older one of the same number.
    #[error("the attachment on disk was altered or rolled back")]
    Altered,
}

/// Entries on their way to disk.
#[derive(Default)]
pub(crate) struct Writes {
    pub batch: Batch,
    pub local: Vec<(Name, Option<Nonce>)>,
}

impl ProgramState {
    pub(crate) fn empty(disk: Arc<dyn Disk>, program: ProgramId, keys: StateKeys, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            keys,
            tree: Tree::new(),
            local: Tree::new(),
            newest: Snapshot::empty(),
            kept: BTreeMap::new(),
            attachments: BTreeMap::new(),
            disk,
            program,
            entropy,
            must_reopen: false,
        }
    }

    /// Which program's.
    pub fn program(&self) -> ProgramId {
        self.program
    }

    /// Newest version.
    pub fn version(&self) -> u64 {
        self.newest.version
    }

    /// Root of the newest version.
    pub fn root(&self) -> StateRoot {
        self.newest.root
    }

    /// The newest version.
    pub fn snapshot(&self) -> Snapshot {
        self.newest.clone()
    }

    /// A version that is not retired.
    pub fn snapshot_at(&self, version: u64) -> Option<Snapshot> {
        if version == self.newest.version {
            return Some(self.snapshot());
        }
        self.kept.values().map(|kept| &kept.before).find(|before| before.version == version).cloned()
    }

    /// The version that the chain has anchored: the only one that may be served.
    ///
    /// # Errors
    /// [`AnchorError`] when this is not the state that the chain knows.
    pub fn at_anchor(&self, version: u64, root: &StateRoot) -> Result<Snapshot, AnchorError> {
        if version > self.newest.version {
            return Err(AnchorError::Behind { anchored: version, newest: self.newest.version });
        }
        let oldest = self.kept.values().next().map_or(self.newest.version, |kept| kept.before.version);
        let snapshot = self.snapshot_at(version).ok_or(AnchorError::NotKept { version, oldest })?;
        if snapshot.root != *root {
            return Err(AnchorError::Differs { version, anchored: *root, found: snapshot.root });
        }
        Ok(snapshot)
    }

    /// Commits that are not retired, oldest first: the versions each led from and to, and its
    /// [`Commit::pending`].
    pub fn pending(&self) -> impl Iterator<Item = (u64, u64, &[u8])> {
        self.kept.iter().map(|(to, kept)| (kept.before.version, *to, kept.pending.as_slice()))
    }

    /// Numbers of the attachments there are, ascending.
    pub fn attachments(&self) -> impl Iterator<Item = u64> {
        self.attachments.keys().copied()
    }

    /// Reads an attachment from disk. None when there is none of this number.
    ///
    /// # Errors
    /// [`AttachmentError`].
    pub fn attachment(&self, number: u64) -> Result<Option<Vec<u8>>, AttachmentError> {
        let Some(expected) = self.attachments.get(&number) else { return Ok(None) };
        let name = attachment_name(&self.keys, number);
        let sealed = self.disk.get(&self.program, &name)?.ok_or(AttachmentError::Dropped)?;
        let (nonce, plain) = self.keys.open(&self.program, &name, &sealed).map_err(|_| AttachmentError::Altered)?;
        match Entry::decode(&plain) {
            Some(Entry::Attachment { bytes, .. }) if nonce == *expected => Ok(Some(bytes)),
            _ => Err(AttachmentError::Altered),
        }
    }

    /// Makes a new version durable, and answers its root. The versions before stay readable until they are retired.
    ///
    /// # Errors
    /// [`CommitError`]. Limits are checked first; what breaks one changes nothing.
    pub fn commit(&mut self, commit: Commit) -> Result<StateRoot, CommitError> {
        if self.must_reopen {
            return Err(CommitError::MustReopen);
        }
        if commit.version <= self.newest.version {
            return Err(CommitError::NotNewer { current: self.newest.version, offered: commit.version });
        }
        if self.kept.len() >= VERSIONS_KEPT_MAX {
            return Err(CommitError::TooManyVersions);
        }
        commit.check_sizes()?;

        let mut next = self.newest.clone();
        let mut undo = Undo { from: next.version, to: commit.version, root: next.root.0, ..Undo::default() };
        let staged = self.stage(&commit, &mut next, &mut undo);
        check_whole(&next)?;

        let mut writes = Writes::default();
        let mut leaves = Vec::with_capacity(staged.len());
        for (leaf, entry) in staged {
            writes.batch.push((leaf.0.to_vec(), entry.map(|entry| self.seal(&leaf.0, &entry).1)));
            leaves.push(leaf);
        }
        undo.pending.clone_from(&commit.pending);
        self.put_local(&mut writes, undo_name(&self.keys, commit.version), &Entry::Undo(undo));
        let mut attachments = self.attachments.clone();
        for (number, bytes) in commit.attachments {
            let nonce =
                self.put_local(&mut writes, attachment_name(&self.keys, number), &Entry::Attachment { number, bytes });
            attachments.insert(number, nonce);
        }
        next.version = commit.version;
        next.root = self.tree.apply(leaves, next.leaves());
        self.write(writes, &next, self.kept.len() + 1 + attachments.len())?;

        let before = std::mem::replace(&mut self.newest, next);
        self.kept.insert(commit.version, Kept { before, pending: commit.pending });
        self.attachments = attachments;
        Ok(self.newest.root)
    }

    /// Forgets versions below `version` (but never the newest) and what was pending for them, and deletes the given attachments.
    ///
    /// # Errors
    /// [`CommitError::Disk`] and [`CommitError::MustReopen`].
    pub fn retire_below(
        &mut self,
        version: u64,
        attachments: impl IntoIterator<Item = u64>,
    ) -> Result<(), CommitError> {
        if self.must_reopen {
            return Err(CommitError::MustReopen);
        }
        let mut writes = Writes::default();
        let retired: Vec<u64> =
            self.kept.iter().filter(|(_, kept)| kept.before.version < version).map(|(to, _)| *to).collect();
        for to in &retired {
            writes.delete(undo_name(&self.keys, *to));
        }
        let mut kept_attachments = self.attachments.clone();
        for number in attachments {
            if kept_attachments.remove(&number).is_some() {
                writes.delete(attachment_name(&self.keys, number));
            }
        }
        if writes.batch.is_empty() {
            return Ok(());
        }
        let newest = self.newest.clone();
        self.write(writes, &newest, self.kept.len() - retired.len() + kept_attachments.len())?;
        self.kept.retain(|to, _| !retired.contains(to));
        self.attachments = kept_attachments;
        Ok(())
    }

    /// Applies changes to `next`, notes in `undo` what they replace, and answers each leaf they touch with the
    /// entry that belongs under it.
    fn stage(&self, commit: &Commit, next: &mut Snapshot, undo: &mut Undo) -> Vec<(Leaf, Option<Entry>)> {
        let mut staged = Vec::with_capacity(commit.changes.len() + commit.settings.len());
        for ((bucket, key), value) in &commit.changes {
            let old = next.put(bucket, key, value.clone());
            if old != *value {
                let entry = value.as_ref().map(|value| Entry::State {
                    bucket: bucket.clone(),
                    key: key.clone(),
                    value: value.to_vec(),
                });
                staged.push((state_leaf(&self.keys, bucket, key, value.as_ref()), entry));
                undo.changes.push((bucket.clone(), key.clone(), old.map(|old| old.to_vec())));
            }
        }
        for (key, value) in &commit.settings {
            let old = next.set(key, value.clone());
            if old != *value {
                let entry = value.as_ref().map(|value| Entry::Setting { key: key.clone(), value: value.clone() });
                staged.push((setting_leaf(&self.keys, key, value.as_deref()), entry));
                undo.settings.push((key.clone(), old));
            }
        }
        staged
    }

    pub(crate) fn seal(&self, name: &Name, entry: &Entry) -> (Nonce, Vec<u8>) {
        self.keys.seal(&self.program, name, &Zeroizing::new(entry.encode()), &*self.entropy)
    }

    fn put_local(&self, writes: &mut Writes, name: Name, entry: &Entry) -> Nonce {
        let (nonce, sealed) = self.seal(&name, entry);
        writes.batch.push((name.to_vec(), Some(sealed)));
        writes.local.push((name, Some(nonce)));
        nonce
    }

    /// Hands the batch to the disk, with the meta entry that belongs to it: for version `newest`, beside
    /// `local` undo entries and attachments.
    pub(crate) fn write(&mut self, mut writes: Writes, newest: &Snapshot, local: usize) -> Result<(), CommitError> {
        let meta = Meta {
            format: FORMAT,
            version: newest.version,
            root: newest.root.0,
            local_root: self.local.apply(writes.local, local).0,
            entries: (newest.leaves() + local) as u64,
        };
        let name = Meta::name(&self.keys);
        let (_, sealed) = self.keys.seal(&self.program, &name, &meta.encode(), &*self.entropy);
        writes.batch.push((name.to_vec(), Some(sealed)));
        // Whatever becomes of it, the trees have gone on: only a success puts this back.
        self.must_reopen = true;
        self.disk.commit(&self.program, writes.batch)?;
        self.must_reopen = false;
        Ok(())
    }
}

impl Writes {
    fn delete(&mut self, name: Name) {
        self.batch.push((name.to_vec(), None));
        self.local.push((name, None));
    }
}
