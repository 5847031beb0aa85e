//! A state is sealed anew under other keys: what is equal, what is not, and what a death at any moment leaves.

mod common;

use bytes::Bytes;
use common::*;
use phala_messages::{ProgramId, anchor::EMPTY_ROOT};
use phala_state::{
    ATTACHMENT_BYTES_MAX, Batch, CARRIED_BYTES_MAX, Commit, Disk, DiskError, MemoryDisk, OpenError, ProgramState,
    Rekey, RekeyError, Shelf, ShelfLabel,
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const NEW: ShelfLabel = [7; 16];
const SECRET: &[u8] = b"canary-carried";

fn shelf(disk: &Arc<impl Disk + 'static>, label: Option<ShelfLabel>) -> Shelf {
    Shelf::new(disk.clone(), label)
}

fn open_on(disk: &Arc<impl Disk + 'static>, label: Option<ShelfLabel>, key: u8) -> Result<ProgramState, OpenError> {
    ProgramState::open(Arc::new(shelf(disk, label)), PROGRAM, keys(key), entropy(99))
}

/// A state at version 3 with nothing pending, settings and attachments.
fn some_state(disk: &Arc<impl Disk + 'static>) -> ProgramState {
    let mut state = open(disk).unwrap();
    for version in 1..=3 {
        let mut commit = put(version, &format!("canary-key {version}"), &format!("canary-value {version}"));
        commit.settings.insert("canary-setting".into(), Some(version.to_string()));
        commit.attachments.insert(version, format!("canary-result {version}").into_bytes());
        state.commit(commit).unwrap();
    }
    state.retire_below(3, []).unwrap();
    state
}

fn everything() -> Rekey {
    Rekey { contents: true, carried: Some(SECRET.into()), attachments: BTreeMap::new() }
}

fn rekey(state: &ProgramState, disk: &Arc<impl Disk + 'static>, what: Rekey) -> Result<ProgramState, RekeyError> {
    state.rekey(shelf(disk, Some(NEW)), keys(2), entropy(50), what)
}

fn attachments(state: &ProgramState) -> Vec<(u64, Vec<u8>)> {
    state.attachments().map(|n| (n, state.attachment(n).unwrap().unwrap())).collect()
}

#[test]
fn contents_version_and_attachments_are_equal_and_the_root_is_another() {
    let disk = Arc::new(MemoryDisk::new());
    let old = some_state(&disk);
    let new = rekey(&old, &disk, everything()).unwrap();
    for state in [&new, &open_on(&disk, Some(NEW), 2).unwrap()] {
        assert_eq!((state.version(), contents(&state.snapshot())), (3, contents(&old.snapshot())));
        assert_eq!(state.snapshot().settings(), old.snapshot().settings());
        assert_eq!(state.snapshot().bytes(), old.snapshot().bytes());
        assert_eq!(attachments(state), attachments(&old));
        assert_eq!(state.snapshot().carried(), Some(SECRET));
        assert_eq!(state.root(), new.root());
        assert_ne!(state.root(), old.root());
    }
    // Both go on, each by itself.
    assert_eq!(open_on(&disk, None, 1).unwrap().root(), old.root());
    let mut new = new;
    new.commit(put(4, "more", "of it")).unwrap();
    assert_eq!(open_on(&disk, Some(NEW), 2).unwrap().version(), 4);
    assert_eq!(open_on(&disk, None, 1).unwrap().version(), 3);
    assert_eq!(new.snapshot_at(3).unwrap().carried(), Some(SECRET), "an older version has what it had");
}

#[test]
fn the_same_contents_have_the_same_root_on_every_machine_and_what_is_carried_is_part_of_it() {
    let roots: Vec<_> = [Some(SECRET), Some(SECRET), Some(b"other"), None]
        .into_iter()
        .map(|carried| {
            let disk = Arc::new(MemoryDisk::new());
            let what = Rekey { carried: carried.map(<[u8]>::to_vec), ..everything() };
            rekey(&some_state(&disk), &disk, what).unwrap().root()
        })
        .collect();
    assert_eq!(roots[0], roots[1]);
    assert!(roots[0] != roots[2] && roots[0] != roots[3] && roots[2] != roots[3]);
}

#[test]
fn without_contents_the_state_is_empty_and_results_stay_for_their_callers() {
    let disk = Arc::new(MemoryDisk::new());
    let old = some_state(&disk);
    let fresh = BTreeMap::from([(2, b"issued 2".to_vec()), (9, b"issued 9".to_vec())]);
    let new = rekey(&old, &disk, Rekey { attachments: fresh, ..Rekey::default() }).unwrap();
    for state in [new, open_on(&disk, Some(NEW), 2).unwrap()] {
        assert_eq!((state.version(), state.root()), (3, EMPTY_ROOT));
        assert!(contents(&state.snapshot()).is_empty() && state.snapshot().settings().is_empty());
        assert_eq!(state.snapshot().carried(), None);
        let found: Vec<_> =
            attachments(&state).into_iter().map(|(n, bytes)| (n, String::from_utf8(bytes).unwrap())).collect();
        let expected = [(1, "canary-result 1"), (2, "issued 2"), (3, "canary-result 3"), (9, "issued 9")];
        assert_eq!(found, expected.map(|(n, text)| (n, text.to_owned())));
    }
}

#[test]
fn a_state_of_version_0_moves_too() {
    let disk = Arc::new(MemoryDisk::new());
    let old = open(&disk).unwrap();
    rekey(&old, &disk, everything()).unwrap();
    let new = open_on(&disk, Some(NEW), 2).unwrap();
    assert_eq!((new.version(), new.snapshot().carried()), (0, Some(SECRET)));
    assert_ne!(new.root(), EMPTY_ROOT);
    rekey(&old, &disk, Rekey::default()).unwrap();
    assert_eq!(open_on(&disk, Some(NEW), 2).unwrap().root(), EMPTY_ROOT);
}

#[test]
fn what_is_pending_or_too_large_is_refused_and_nothing_is_written() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = some_state(&disk);
    let before = disk.copy(&PROGRAM);
    let carry = |bytes: usize| Rekey { carried: Some(vec![1; bytes]), ..everything() };
    let attach = |bytes: u64| Rekey { attachments: BTreeMap::from([(1, vec![1; bytes as usize])]), ..everything() };
    let refused = |what| rekey(&state, &disk, what).err();
    assert!(matches!(refused(carry(CARRIED_BYTES_MAX + 1)), Some(RekeyError::CarriedTooLong { .. })));
    assert!(matches!(refused(attach(ATTACHMENT_BYTES_MAX + 1)), Some(RekeyError::AttachmentTooLong { .. })));
    assert_eq!(disk.copy(&PROGRAM), before);
    assert!(refused(carry(CARRIED_BYTES_MAX)).is_none());
    assert!(refused(attach(ATTACHMENT_BYTES_MAX)).is_none());
    state.commit(put(4, "more", "pending")).unwrap();
    assert!(matches!(rekey(&state, &disk, everything()).err(), Some(RekeyError::NotRetired)));
    state.retire_below(4, []).unwrap();
    assert!(rekey(&state, &disk, everything()).is_ok());
}

#[test]
fn an_attachment_that_was_dropped_stops_the_move() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    let before = disk.copy(&PROGRAM);
    let mut commit = Commit { version: 1, ..Commit::default() };
    commit.attachments.insert(1, b"result".to_vec());
    state.commit(commit).unwrap();
    state.retire_below(1, []).unwrap();
    disk.replace(&PROGRAM, before);
    assert!(matches!(rekey(&state, &disk, everything()).err(), Some(RekeyError::Attachment(_))));
}

#[test]
fn nothing_on_any_shelf_shows_what_it_is() {
    let disk = Arc::new(MemoryDisk::new());
    rekey(&some_state(&disk), &disk, everything()).unwrap();
    for (name, bytes) in disk.copy(&PROGRAM) {
        let all = [name, bytes].concat();
        assert!(!all.windows(6).any(|window| window == b"canary"));
    }
}

#[test]
fn a_shelf_shows_its_own_entries_only() {
    let disk = Arc::new(MemoryDisk::new());
    let old = some_state(&disk);
    rekey(&old, &disk, everything()).unwrap();
    // The wrong key, or a shelf that nothing lies on.
    assert!(matches!(open_on(&disk, Some(NEW), 1), Err(OpenError::NoMeta { .. })));
    assert_eq!(open_on(&disk, Some([8; 16]), 2).unwrap().version(), 0);
    // What lies on another shelf changes nothing, on this one it does.
    disk.commit(&PROGRAM, vec![([&[9; 16][..], &[1; 32]].concat(), Some(b"junk".to_vec()))]).unwrap();
    assert!(open_on(&disk, None, 1).is_ok() && open_on(&disk, Some(NEW), 2).is_ok());
    for name in [vec![1; 32], vec![1; 47], vec![1; 49], vec![]] {
        let before = disk.copy(&PROGRAM);
        disk.commit(&PROGRAM, vec![(name, Some(b"junk".to_vec()))]).unwrap();
        assert!(matches!(open_on(&disk, None, 1), Err(OpenError::EntryAltered)));
        assert!(open_on(&disk, Some(NEW), 2).is_ok());
        disk.replace(&PROGRAM, before);
    }
    // Each is cleared by itself.
    shelf(&disk, Some(NEW)).clear_others(&PROGRAM).unwrap();
    assert!(open_on(&disk, Some(NEW), 2).is_ok());
    assert!(disk.copy(&PROGRAM).keys().all(|name| name.len() == 48 && name.starts_with(&NEW)));
    shelf(&disk, Some(NEW)).clear(&PROGRAM).unwrap();
    assert!(disk.copy(&PROGRAM).is_empty());
}

/// A disk that dies before, or after, its `fatal`-th batch, and is dead from then on.
struct DyingDisk {
    inner: MemoryDisk,
    fatal: usize,
    lands: bool,
    batches: AtomicUsize,
}

impl Disk for DyingDisk {
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
        self.inner.load(program, visit)
    }
    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.inner.get(program, name)
    }
    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError> {
        let n = self.batches.fetch_add(1, Ordering::Relaxed);
        if n < self.fatal || (n == self.fatal && self.lands) {
            self.inner.commit(program, batch)?;
        }
        if n < self.fatal { Ok(()) } else { Err(DiskError::new("the power failed")) }
    }
    fn erase(&self, program: &ProgramId) -> Result<(), DiskError> {
        self.inner.erase(program)
    }
    fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
        self.inner.programs()
    }
}

/// A state that takes more than one batch to be sealed anew, on a disk with what an earlier attempt left on the new shelf.
fn large_state(disk: &Arc<DyingDisk>) -> ProgramState {
    let mut state = open(disk).unwrap();
    let mut commit = Commit { version: 1, ..Commit::default() };
    for n in 0..5_000 {
        commit.changes.insert(("b".into(), format!("{n}")), Some(Bytes::from(n.to_string())));
    }
    commit.attachments.extend((1..=5).map(|n| (n, vec![n as u8; 1 << 20])));
    state.commit(commit).unwrap();
    state.retire_below(1, []).unwrap();
    let left = |n: u8| ([&NEW[..], &[n; 32]].concat(), Some(b"left by an earlier attempt".to_vec()));
    disk.inner.commit(&PROGRAM, (0..9).map(left).collect()).unwrap();
    state
}

#[test]
fn a_death_at_every_write_leaves_the_old_state_whole_and_the_new_one_whole_or_unreadable() {
    let disk =
        |fatal, lands| Arc::new(DyingDisk { inner: MemoryDisk::new(), fatal, lands, batches: AtomicUsize::new(0) });
    let undisturbed = disk(usize::MAX, true);
    let old = large_state(&undisturbed);
    let first = undisturbed.batches.load(Ordering::Relaxed);
    let root = rekey(&old, &undisturbed, everything()).unwrap().root();
    let last = undisturbed.batches.load(Ordering::Relaxed) - 1;
    assert!(last - first >= 4, "clearing, entries, attachments and meta: {}", last - first);
    for fatal in first..=last {
        for lands in [false, true] {
            let disk = disk(fatal, lands);
            let old = large_state(&disk);
            assert!(matches!(rekey(&old, &disk, everything()), Err(RekeyError::Disk(_))), "batch {fatal}");
            // The machine starts again, on what is left.
            let left = Arc::new(MemoryDisk::new());
            left.replace(&PROGRAM, disk.inner.copy(&PROGRAM));
            let again = open_on(&left, None, 1).unwrap();
            assert_eq!((again.version(), again.root()), (1, old.root()));
            assert_eq!(attachments(&again), attachments(&old));
            let new = open_on(&left, Some(NEW), 2);
            match new {
                Ok(new) if fatal == last && lands => assert_eq!((new.version(), new.root()), (1, root)),
                // Cleared, and nothing put there yet.
                Ok(new) if (fatal, lands) == (first, true) || (fatal, lands) == (first + 1, false) => {
                    assert_eq!((new.version(), new.root()), (0, phala_messages::anchor::EMPTY_ROOT));
                }
                Ok(new) => panic!("version {} is not all there: batch {fatal}, {lands}", new.version()),
                Err(error) => assert!(matches!(error, OpenError::NoMeta { .. }), "{error}"),
            }
            // Begun again, it comes to its end.
            assert_eq!(rekey(&again, &left, everything()).unwrap().root(), root);
            assert_eq!(open_on(&left, Some(NEW), 2).unwrap().root(), root);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is committed between moves, a state that has moved any number of times holds what one that never moved holds.
    #[test]
    fn a_state_that_has_moved_is_the_state_that_has_not(
        steps in proptest::collection::vec((any::<bool>(), 0u8..6, proptest::option::of(0u8..9)), 1..30)
    ) {
        let disk = Arc::new(MemoryDisk::new());
        let (mut moving, mut still) = (open(&disk).unwrap(), open(&Arc::new(MemoryDisk::new())).unwrap());
        let mut moves = 0u8;
        for (moves_now, key, value) in steps {
            let version = still.version() + 1;
            let value = value.map(|n| vec![n; n as usize]);
            let commit = || Commit {
                version,
                changes: change("b", &key.to_string(), value.as_deref()),
                settings: BTreeMap::from([("s".to_owned(), value.as_ref().map(|value| value.len().to_string()))]),
                attachments: BTreeMap::from([(version, vec![key])]),
                ..Commit::default()
            };
            still.commit(commit()).unwrap();
            moving.commit(commit()).unwrap();
            moving.retire_below(version, []).unwrap();
            if moves_now {
                moves += 1;
                let on = shelf(&disk, Some([moves; 16]));
                moving = moving.rekey(on.clone(), keys(10 + moves), entropy(moves.into()), everything()).unwrap();
                on.clear_others(&PROGRAM).unwrap();
            }
        }
        let label = (moves > 0).then_some([moves; 16]);
        let moved = open_on(&disk, label, if moves == 0 { 1 } else { 10 + moves }).unwrap();
        prop_assert_eq!(moved.root(), moving.root());
        prop_assert_eq!(contents(&moved.snapshot()), contents(&still.snapshot()));
        let (moved_now, still_now) = (moved.snapshot(), still.snapshot());
        prop_assert_eq!(moved_now.settings(), still_now.settings());
        prop_assert_eq!(attachments(&moved), attachments(&still));
    }
}
