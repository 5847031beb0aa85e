//! The disk's owner tries everything that a disk's owner can.

mod common;

use bytes::Bytes;
use common::*;
use phala_messages::ProgramId;
use phala_state::{AnchorError, AttachmentError, Commit, Disk, MemoryDisk, OpenError, ProgramState};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

const CANARIES: [&str; 5] = ["canary-bucket", "canary-key", "canary-value", "canary-setting", "canary-attachment"];

/// Three versions; the last two are not retired.
fn some_state(disk: &Arc<impl Disk + 'static>) -> ProgramState {
    let mut state = open(disk).unwrap();
    for version in 1..=3 {
        let mut commit = Commit { version, pending: b"canary-pending".to_vec(), ..Commit::default() };
        for n in 0..4 {
            let key = format!("canary-key {n}");
            commit
                .changes
                .insert(("canary-bucket".into(), key), Some(Bytes::from(format!("canary-value {}", n + version))));
        }
        commit.settings.insert("canary-setting".into(), Some(format!("canary-setting {version}")));
        commit.attachments.insert(version, format!("canary-attachment {version}").into_bytes());
        state.commit(commit).unwrap();
    }
    state.retire_below(1, []).unwrap();
    state
}

fn reopen(entries: Entries) -> Result<ProgramState, OpenError> {
    let disk = Arc::new(MemoryDisk::new());
    disk.replace(&PROGRAM, entries);
    open(&disk)
}

/// The name of the entry that every commit writes, whatever is in it.
fn meta_name(first: &Entries, second: &Entries, third: &Entries) -> Vec<u8> {
    let mut names = first.iter().filter(|(name, bytes)| second[*name] != **bytes && third[*name] != second[*name]);
    let (name, _) = names.next().expect("meta is always written");
    assert!(names.next().is_none());
    name.clone()
}

/// Names of one state's entries: what is there after each of three changes of the same key.
struct History {
    copies: [Entries; 3],
    meta: Vec<u8>,
    roots: [phala_messages::StateRoot; 3],
}

fn history() -> History {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    let mut step = |version, key: &str| {
        state.commit(put(version, key, "value")).unwrap();
        state.retire_below(version, []).unwrap();
        (disk.copy(&PROGRAM), state.root())
    };
    let steps = [step(1, "a"), step(2, "b"), step(3, "c")];
    let roots = [steps[0].1, steps[1].1, steps[2].1];
    let [first, second, third] = steps.map(|(copy, _)| copy);
    let meta = meta_name(&first, &second, &third);
    History { copies: [first, second, third], meta, roots }
}

#[test]
fn any_flipped_bit_of_any_entry_is_noticed() {
    let disk = Arc::new(MemoryDisk::new());
    some_state(&disk);
    let good = disk.copy(&PROGRAM);
    assert!(reopen(good.clone()).is_ok());
    for (name, bytes) in &good {
        for at in 0..bytes.len() {
            let mut entries = good.clone();
            entries.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            let error = reopen(entries).err().expect("noticed");
            assert!(matches!(error, OpenError::EntryAltered | OpenError::MetaAltered), "{error}");
        }
        for at in 0..name.len() {
            let mut entries = good.clone();
            let bytes = entries.remove(name).unwrap();
            let mut other = name.clone();
            other[at] ^= 1 << (at % 8);
            entries.insert(other, bytes);
            let error = reopen(entries).err().expect("noticed");
            assert!(matches!(error, OpenError::EntryAltered | OpenError::NoMeta { .. }), "{error}");
        }
    }
}

#[test]
fn any_cut_entry_is_noticed() {
    let disk = Arc::new(MemoryDisk::new());
    some_state(&disk);
    let good = disk.copy(&PROGRAM);
    for (name, bytes) in &good {
        for len in 0..bytes.len() {
            let mut entries = good.clone();
            entries.insert(name.clone(), bytes[..len].to_vec());
            assert!(matches!(reopen(entries).err(), Some(OpenError::EntryAltered | OpenError::MetaAltered)));
        }
    }
}

#[test]
fn any_dropped_entry_is_noticed() {
    let disk = Arc::new(MemoryDisk::new());
    some_state(&disk);
    let good = disk.copy(&PROGRAM);
    let mut without_meta = 0;
    for name in good.keys() {
        let mut entries = good.clone();
        entries.remove(name);
        match reopen(entries).err().expect("noticed") {
            OpenError::Count { expected, found } => {
                assert_eq!((expected, found), (good.len() as u64 - 1, good.len() as u64 - 2))
            }
            OpenError::NoMeta { entries } => {
                assert_eq!(entries, good.len() as u64 - 1);
                without_meta += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(without_meta, 1);
}

#[test]
fn any_two_exchanged_entries_are_noticed() {
    let disk = Arc::new(MemoryDisk::new());
    some_state(&disk);
    let good = disk.copy(&PROGRAM);
    for (one, one_bytes) in &good {
        for (other, other_bytes) in good.iter().filter(|(other, _)| *other > one) {
            let mut entries = good.clone();
            entries.insert(one.clone(), other_bytes.clone());
            entries.insert(other.clone(), one_bytes.clone());
            let error = reopen(entries).err().expect("noticed");
            assert!(matches!(error, OpenError::EntryAltered | OpenError::MetaAltered), "{error}");
        }
    }
}

#[test]
fn any_entry_rolled_back_alone_is_noticed() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = some_state(&disk);
    let old = disk.copy(&PROGRAM);
    let mut commit = Commit { version: 4, ..Commit::default() };
    for n in 0..4 {
        commit.changes.insert(("canary-bucket".into(), format!("canary-key {n}")), Some(Bytes::from("newer")));
    }
    commit.settings.insert("canary-setting".into(), Some("newer".into()));
    commit.attachments.insert(3, b"newer".to_vec());
    state.commit(commit).unwrap();
    let new = disk.copy(&PROGRAM);
    let mut seen = BTreeSet::new();
    for (name, bytes) in old.iter().filter(|(name, bytes)| new[*name] != **bytes) {
        let mut entries = new.clone();
        entries.insert(name.clone(), bytes.clone());
        seen.insert(match reopen(entries).err().expect("noticed") {
            OpenError::Root { expected, found } => {
                assert_eq!(expected, state.root());
                assert_ne!(found, expected);
                "root"
            }
            OpenError::LocalRoot => "local",
            // Only the meta entry itself counts differently.
            OpenError::Count { .. } => "count",
            other => panic!("{other}"),
        });
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["count", "local", "root"]);
}

#[test]
fn a_deleted_entry_brought_back_is_noticed() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    state.commit(put(1, "a", "one")).unwrap();
    let old = disk.copy(&PROGRAM);
    state.commit(Commit { version: 2, changes: change("b", "a", None), ..Commit::default() }).unwrap();
    let new = disk.copy(&PROGRAM);
    let mut entries = new.clone();
    entries.extend(old.into_iter().filter(|(name, _)| !new.contains_key(name)));
    assert!(matches!(reopen(entries).err(), Some(OpenError::Count { .. })));
}

#[test]
fn a_meta_entry_of_another_time_is_noticed() {
    let History { copies, meta, roots } = history();
    for (i, entries) in copies.iter().enumerate() {
        for (j, other) in copies.iter().enumerate().filter(|(j, _)| *j != i) {
            let mut entries = entries.clone();
            entries.insert(meta.clone(), other[&meta].clone());
            assert!(matches!(reopen(entries).err(), Some(OpenError::Count { .. })), "meta of {j} in {i}");
        }
        assert_eq!(reopen(entries.clone()).unwrap().root(), roots[i]);
    }
}

#[test]
fn a_disk_rolled_back_as_a_whole_shows_as_an_older_version() {
    let History { copies, roots, .. } = history();
    let newest = reopen(copies[2].clone()).unwrap();
    assert_eq!(newest.at_anchor(3, &roots[2]).unwrap().version(), 3);
    let rolled_back = reopen(copies[1].clone()).unwrap();
    assert_eq!((rolled_back.version(), rolled_back.root()), (2, roots[1]));
    assert_eq!(rolled_back.at_anchor(3, &roots[2]).unwrap_err(), AnchorError::Behind { anchored: 3, newest: 2 });
    let erased = reopen(Entries::new()).unwrap();
    assert_eq!(erased.at_anchor(3, &roots[2]).unwrap_err(), AnchorError::Behind { anchored: 3, newest: 0 });
}

#[test]
fn a_fork_shows_as_another_root() {
    let disk = Arc::new(MemoryDisk::new());
    open(&disk).unwrap().commit(put(1, "a", "one")).unwrap();
    let clone = Arc::new(MemoryDisk::new());
    clone.replace(&PROGRAM, disk.copy(&PROGRAM));
    let (mut one, mut other) = (open(&disk).unwrap(), open(&clone).unwrap());
    let anchored = one.commit(put(2, "a", "two")).unwrap();
    let found = other.commit(put(2, "a", "three")).unwrap();
    assert_eq!(other.at_anchor(2, &anchored).unwrap_err(), AnchorError::Differs { version: 2, anchored, found });
}

#[test]
fn a_retired_version_is_not_kept() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = some_state(&disk);
    let root = state.snapshot_at(1).unwrap().root();
    state.retire_below(2, []).unwrap();
    for state in [state, open(&disk).unwrap()] {
        assert_eq!(state.at_anchor(1, &root).unwrap_err(), AnchorError::NotKept { version: 1, oldest: 2 });
        assert!(state.snapshot_at(2).is_some());
    }
}

#[test]
fn another_key_or_program_opens_nothing() {
    let disk = Arc::new(MemoryDisk::new());
    some_state(&disk);
    let entries = disk.copy(&PROGRAM);
    let other_key = ProgramState::open(disk.clone(), PROGRAM, keys(2), entropy(0)).err();
    assert!(matches!(other_key, Some(OpenError::NoMeta { .. })));
    let other = ProgramId([1; 32]);
    disk.replace(&other, entries);
    let other_program = ProgramState::open(disk, other, keys(1), entropy(0)).err();
    assert!(matches!(other_program, Some(OpenError::MetaAltered)));
}

#[test]
fn an_entry_given_twice_is_noticed() {
    struct Twice(MemoryDisk);
    impl Disk for Twice {
        fn load(
            &self,
            program: &ProgramId,
            visit: &mut dyn FnMut(Vec<u8>, Vec<u8>),
        ) -> Result<(), phala_state::DiskError> {
            self.0.load(program, visit)?;
            let (name, bytes) = self.0.copy(program).into_iter().next_back().expect("there are some");
            visit(name, bytes);
            Ok(())
        }
        fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, phala_state::DiskError> {
            self.0.get(program, name)
        }
        fn commit(&self, program: &ProgramId, batch: phala_state::Batch) -> Result<(), phala_state::DiskError> {
            self.0.commit(program, batch)
        }
        fn erase(&self, program: &ProgramId) -> Result<(), phala_state::DiskError> {
            self.0.erase(program)
        }
        fn programs(&self) -> Result<Vec<ProgramId>, phala_state::DiskError> {
            self.0.programs()
        }
    }
    let disk = Arc::new(MemoryDisk::new());
    some_state(&disk);
    let twice = MemoryDisk::new();
    twice.replace(&PROGRAM, disk.copy(&PROGRAM));
    assert!(matches!(open(&Arc::new(Twice(twice))).err(), Some(OpenError::Twice)));
}

#[test]
fn an_attachment_tampered_with_while_open_is_noticed() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    let attach = |version, text: &str| Commit { version, attachments: [(7, text.into())].into(), ..Commit::default() };
    state.commit(attach(1, "old")).unwrap();
    let old = disk.copy(&PROGRAM);
    state.commit(attach(2, "new")).unwrap();
    assert_eq!(state.attachment(7).unwrap().as_deref(), Some(&b"new"[..]));
    assert!(state.attachment(8).unwrap().is_none());
    disk.replace(&PROGRAM, old);
    assert!(matches!(state.attachment(7), Err(AttachmentError::Altered)));
    disk.erase(&PROGRAM).unwrap();
    assert!(matches!(state.attachment(7), Err(AttachmentError::Dropped)));
}

#[test]
fn no_plaintext_lies_on_disk() {
    let disk = Arc::new(RecordingDisk::default());
    some_state(&disk);
    let batches = disk.batches.lock().unwrap();
    let written: Vec<u8> =
        batches.iter().flatten().flat_map(|(name, bytes)| name.iter().chain(bytes.iter().flatten())).copied().collect();
    assert!(written.len() > 1_000);
    for canary in CANARIES.iter().chain(&["canary-pending", "canary"]) {
        assert!(!written.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary}");
    }
}

#[test]
fn no_nonce_serves_twice() {
    let disk = Arc::new(RecordingDisk::default());
    for _ in 0..5 {
        let mut state = open(&disk).unwrap();
        for _ in 0..20 {
            let version = state.version() + 1;
            state.commit(put(version, "a", "the same value every time")).unwrap();
            let delete = Commit { version: version + 1, changes: change("b", "a", None), ..Commit::default() };
            state.commit(delete).unwrap();
        }
        let to = state.version() - 1;
        state.retire_below(to, []).unwrap();
    }
    let batches = disk.batches.lock().unwrap();
    let sealed: Vec<_> = batches.iter().flatten().filter_map(|(_, bytes)| bytes.as_ref()).collect();
    let nonces: BTreeSet<_> = sealed.iter().map(|bytes| &bytes[..24]).collect();
    assert!(sealed.len() > 100);
    assert_eq!(nonces.len(), sealed.len());
}

#[test]
fn an_erased_program_is_gone() {
    let disk = Arc::new(MemoryDisk::new());
    some_state(&disk);
    assert_eq!(disk.programs().unwrap(), [PROGRAM]);
    disk.erase(&PROGRAM).unwrap();
    assert!(disk.programs().unwrap().is_empty());
    assert_eq!(open(&disk).unwrap().version(), 0);
}
