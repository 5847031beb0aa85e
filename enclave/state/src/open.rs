//! Opening: from a disk that nobody vouches for to a state that its key vouches for.

use crate::{
    Disk, DiskError, Entropy, ProgramState, Snapshot, StateKeys,
    entry::{Entry, FORMAT, Leaf, Meta, Undo, setting_leaf, state_leaf},
    keys::{Name, Nonce},
    program::Kept,
    snapshot::Carried,
    tree::Tree,
};
use bytes::Bytes;
use codec::DecodeAll;
use phala_messages::{ProgramId, StateRoot};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use zeroize::Zeroizing;

/// Why what lies on disk is not this program's state.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There are entries, and none that holds them together: it was dropped, or all are of another program or key.
    #[error("{entries} entries lie on disk and none is this program's meta entry")]
    NoMeta {
        /// How many there are.
        entries: u64,
    },
    /// The meta entry was altered.
    #[error("the meta entry does not open: altered, or of another program or key")]
    MetaAltered,
    /// Written by another version of this software.
    #[error("state format {0} is not known here; this software reads format {FORMAT}")]
    Format(u8),
    /// The disk gave one name twice.
    #[error("the disk holds an entry twice")]
    Twice,
    /// An entry was altered, or stands under a name that is not its own.
    #[error("an entry does not open: altered, moved, or of another program or key")]
    EntryAltered,
    /// Entries were dropped, or old ones brought back.
    #[error("{found} entries lie on disk where {expected} belong")]
    Count {
        /// As the meta entry says.
        expected: u64,
        /// As there are.
        found: u64,
    },
    /// Entries of the state are older or newer than the meta entry.
    #[error("the entries on disk have the root {found}, where {expected} belongs")]
    Root {
        /// As the meta entry says.
        expected: StateRoot,
        /// As they have.
        found: StateRoot,
    },
    /// Undo entries or attachments are older or newer than the meta entry.
    #[error("undo entries or attachments on disk are not those of the meta entry")]
    LocalRoot,
    /// Undo entries do not lead from the newest version back. No disk can bring this about; a mistake of ours could.
    #[error("the undo entry of version {version} does not lead back to the version before")]
    Undo {
        /// Where the chain of undo entries breaks.
        version: u64,
    },
}

/// What was read, before it is believed.
#[derive(Default)]
struct Found {
    names: HashSet<Vec<u8>>,
    twice: bool,
    altered: bool,
    meta: Option<Vec<u8>>,
    leaves: Vec<Leaf>,
    local: Vec<(Name, Option<Nonce>)>,
    undos: BTreeMap<u64, Undo>,
    attachments: BTreeMap<u64, Nonce>,
}

impl ProgramState {
    /// Reads a program's state from disk and believes it if every entry opens and the roots are those that
    /// were sealed with it. A disk without entries gives version 0. Writes nothing.
    ///
    /// The caller still has to ask [`ProgramState::at_anchor`] whether this is the state that the chain knows:
    /// the disk may have been rolled back as a whole.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        disk: Arc<dyn Disk>,
        program: ProgramId,
        keys: StateKeys,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let mut found = Found::default();
        let mut newest = Snapshot::empty();
        let meta_name = Meta::name(&keys);
        disk.load(&program, &mut |name, sealed| {
            if name == meta_name {
                found.twice |= found.meta.replace(sealed).is_some();
            } else if !found.take(&mut newest, &keys, &program, &name, &sealed) {
                found.altered = true;
            }
            found.twice |= !found.names.insert(name);
        })?;
        let mut state = Self::empty(disk, program, keys, entropy);
        let entries = found.names.len() as u64;
        let Some(meta) = found.meta.take() else {
            return if entries == 0 { Ok(state) } else { Err(OpenError::NoMeta { entries }) };
        };
        let meta = read_meta(&state.keys, &program, &meta_name, &meta)?;
        if found.twice {
            return Err(OpenError::Twice);
        }
        if found.altered {
            return Err(OpenError::EntryAltered);
        }
        if entries - 1 != meta.entries {
            return Err(OpenError::Count { expected: meta.entries, found: entries - 1 });
        }
        let (leaves, local) = (found.leaves.len(), found.local.len());
        let root = state.tree.apply(found.leaves, leaves);
        if root.0 != meta.root {
            return Err(OpenError::Root { expected: StateRoot(meta.root), found: root });
        }
        if state.local.apply(found.local, local).0 != meta.local_root {
            return Err(OpenError::LocalRoot);
        }
        newest.version = meta.version;
        newest.root = root;
        state.kept = walk_back(&state.keys, &state.tree, &newest, found.undos)?;
        state.newest = newest;
        state.attachments = found.attachments;
        Ok(state)
    }
}

impl Found {
    /// Opens one entry and notes it. False if it is none of ours in its own place.
    fn take(
        &mut self,
        newest: &mut Snapshot,
        keys: &StateKeys,
        program: &ProgramId,
        name: &[u8],
        sealed: &[u8],
    ) -> bool {
        let Ok((nonce, plain)) = keys.open(program, name, sealed) else { return false };
        let plain = Zeroizing::new(plain);
        let Some(entry) = Entry::decode(&plain) else { return false };
        let own_name = entry.name(keys);
        if own_name != name {
            return false;
        }
        match entry {
            Entry::State { bucket, key, value } => {
                let value = Bytes::from(value);
                self.leaves.push((own_name, Some(keys.leaf(&own_name, &value))));
                newest.put(&bucket, &key, Some(value));
            }
            Entry::Setting { key, value } => {
                self.leaves.push((own_name, Some(keys.leaf(&own_name, value.as_bytes()))));
                newest.set(&key, Some(value));
            }
            Entry::Carried { bytes } => {
                self.leaves.push((own_name, Some(keys.leaf(&own_name, &bytes))));
                newest.carried = Some(Arc::new(Carried(bytes)));
            }
            Entry::Undo(undo) => {
                self.local.push((own_name, Some(nonce)));
                self.undos.insert(undo.to, undo);
            }
            Entry::Attachment { number, .. } => {
                self.local.push((own_name, Some(nonce)));
                self.attachments.insert(number, nonce);
            }
        }
        true
    }
}

fn read_meta(keys: &StateKeys, program: &ProgramId, name: &Name, sealed: &[u8]) -> Result<Meta, OpenError> {
    let (_, plain) = keys.open(program, name, sealed).map_err(|_| OpenError::MetaAltered)?;
    match plain.first() {
        Some(&FORMAT) => Meta::decode_all(&mut &*plain).map_err(|_| OpenError::MetaAltered),
        Some(&other) => Err(OpenError::Format(other)),
        None => Err(OpenError::MetaAltered),
    }
}

/// Makes the versions that are not retired, from the newest back, and checks the root of each.
fn walk_back(
    keys: &StateKeys,
    tree: &Tree,
    newest: &Snapshot,
    undos: BTreeMap<u64, Undo>,
) -> Result<BTreeMap<u64, Kept>, OpenError> {
    let mut kept = BTreeMap::new();
    let mut at = newest.clone();
    let mut tree = if undos.is_empty() { Tree::new() } else { tree.clone() };
    for (to, undo) in undos.into_iter().rev() {
        if to != at.version || undo.from >= to {
            return Err(OpenError::Undo { version: at.version });
        }
        let mut before = at.clone();
        let mut leaves = Vec::with_capacity(undo.changes.len() + undo.settings.len());
        for (bucket, key, value) in undo.changes {
            let value = value.map(Bytes::from);
            leaves.push(state_leaf(keys, &bucket, &key, value.as_ref()));
            before.put(&bucket, &key, value);
        }
        for (key, value) in undo.settings {
            leaves.push(setting_leaf(keys, &key, value.as_deref()));
            before.set(&key, value);
        }
        before.version = undo.from;
        before.root = tree.apply(leaves, before.leaves());
        if before.root.0 != undo.root {
            return Err(OpenError::Undo { version: to });
        }
        kept.insert(to, Kept { before: before.clone(), pending: undo.pending });
        at = before;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryDisk;
    use crate::entry::undo_name;
    use codec::Encode;
    use phala_crypto::Secret;

    const PROGRAM: ProgramId = ProgramId([1; 32]);

    fn keys() -> StateKeys {
        StateKeys::derive(&Secret::new([7; 32]))
    }

    fn open(entries: Vec<(Name, Vec<u8>)>, meta: impl Fn(Meta) -> Vec<u8>) -> Result<ProgramState, OpenError> {
        let entropy = |out: &mut [u8]| out.fill(9);
        let (mut local, mut sealed) = (Tree::new(), BTreeMap::new());
        let count = entries.len();
        for (name, plain) in entries {
            let (nonce, bytes) = keys().seal(&PROGRAM, &name, &plain, &entropy);
            local.apply(vec![(name, Some(nonce))], count);
            sealed.insert(name.to_vec(), bytes);
        }
        let good = Meta {
            format: FORMAT,
            version: 2,
            root: Tree::new().root().0,
            local_root: local.root().0,
            entries: count as u64,
        };
        let name = Meta::name(&keys());
        sealed.insert(name.to_vec(), keys().seal(&PROGRAM, &name, &meta(good), &entropy).1);
        let disk = MemoryDisk::new();
        disk.replace(&PROGRAM, sealed);
        ProgramState::open(Arc::new(disk), PROGRAM, keys(), Arc::new(entropy))
    }

    fn undo(from: u64, to: u64) -> Undo {
        Undo { from, to, root: Tree::new().root().0, ..Undo::default() }
    }

    fn open_with(undos: &[Undo]) -> Result<ProgramState, OpenError> {
        let entries = undos.iter().map(|undo| (undo_name(&keys(), undo.to), Entry::Undo(undo.clone()).encode()));
        open(entries.collect(), |meta| meta.encode())
    }

    #[test]
    fn another_format_is_told_apart_from_damage() {
        assert_eq!(open(vec![], |meta| meta.encode()).map(|state| state.version()).ok(), Some(2));
        let newer = open(vec![], |meta| [&[FORMAT + 1][..], &meta.encode()[1..], b"more"].concat());
        assert!(matches!(newer.err(), Some(OpenError::Format(format)) if format == FORMAT + 1));
        assert!(matches!(
            open(vec![], |meta| [&meta.encode()[..], b"more"].concat()).err(),
            Some(OpenError::MetaAltered)
        ));
        assert!(matches!(open(vec![], |_| vec![]).err(), Some(OpenError::MetaAltered)));
    }

    #[test]
    fn undo_entries_that_do_not_lead_back_are_refused() {
        assert!(open_with(&[undo(1, 2), undo(0, 1)]).is_ok());
        let version = |undos: &[Undo]| match open_with(undos).err() {
            Some(OpenError::Undo { version }) => version,
            other => panic!("{other:?}"),
        };
        assert_eq!(version(&[undo(2, 3)]), 2, "from a version that is not there");
        assert_eq!(version(&[undo(1, 2), undo(0, 0)]), 1, "a gap");
        assert_eq!(version(&[undo(2, 2)]), 2, "in a circle");
        assert_eq!(version(&[Undo { root: [1; 32], ..undo(1, 2) }]), 2, "to another root");
        let change = vec![("b".to_owned(), "k".to_owned(), Some(vec![1]))];
        assert_eq!(version(&[Undo { changes: change, ..undo(1, 2) }]), 2, "to other contents");
    }

    #[test]
    fn an_entry_of_ours_under_another_name_is_refused() {
        let moved = open(vec![([5; 32], Entry::Undo(undo(1, 2)).encode())], |meta| meta.encode());
        assert!(matches!(moved.err(), Some(OpenError::EntryAltered)));
        let nonsense = open(vec![([5; 32], vec![0xff])], |meta| meta.encode());
        assert!(matches!(nonsense.err(), Some(OpenError::EntryAltered)));
    }
}
