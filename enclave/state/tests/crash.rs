//! The machine dies, or its disk fails, at every moment of a commit.

mod common;

use common::*;
use phala_messages::ProgramId;
use phala_state::{Batch, Commit, CommitError, Disk, DiskError, MemoryDisk, OpenError, ProgramState};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What becomes of the batch that meets its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing of it is there afterwards.
    Lost,
    /// All of it is there, and nobody was told.
    Landed,
    /// A disk that breaks its promise: only so many entries of it are there.
    Torn(usize),
}

/// A disk whose `fatal`-th batch meets its fate.
struct FailingDisk {
    inner: MemoryDisk,
    fatal: usize,
    fate: Fate,
    batches: AtomicUsize,
    /// Entries of the fatal batch.
    size: AtomicUsize,
}

impl FailingDisk {
    fn new(fatal: usize, fate: Fate) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryDisk::new(),
            fatal,
            fate,
            batches: AtomicUsize::new(0),
            size: AtomicUsize::new(0),
        })
    }
}

impl Disk for FailingDisk {
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
        self.inner.load(program, visit)
    }
    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.inner.get(program, name)
    }
    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError> {
        if self.batches.fetch_add(1, Ordering::Relaxed) != self.fatal {
            return self.inner.commit(program, batch);
        }
        self.size.store(batch.len(), Ordering::Relaxed);
        let landed = match self.fate {
            Fate::Lost => 0,
            Fate::Landed => batch.len(),
            Fate::Torn(entries) => entries,
        };
        self.inner.commit(program, batch.into_iter().take(landed).collect())?;
        Err(DiskError::new("the power failed"))
    }
    fn erase(&self, program: &ProgramId) -> Result<(), DiskError> {
        self.inner.erase(program)
    }
    fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
        self.inner.programs()
    }
}

/// Batch `n` of a worker's life: commits, and after every second one a retirement.
fn step(state: &mut ProgramState, n: usize) -> Result<(), CommitError> {
    if n % 3 == 2 {
        return state.retire_below(state.version(), state.attachments().take(1).collect::<Vec<_>>());
    }
    let version = state.version() + 1;
    let mut commit = put(version, &format!("key {}", n % 4), &format!("value {n}"));
    commit.changes.extend(change("b", &format!("key {}", (n + 1) % 4), None));
    commit.settings.insert("s".into(), Some(n.to_string()));
    commit.attachments.insert(version, format!("result {version}").into_bytes());
    commit.pending = format!("anchor {version}").into_bytes();
    state.commit(commit).map(drop)
}

const STEPS: usize = 9;

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    version: u64,
    contents: Vec<(u64, std::collections::BTreeMap<(String, String), Vec<u8>>)>,
    attachments: Vec<(u64, Vec<u8>)>,
    pending: Vec<(u64, u64, Vec<u8>)>,
    root: phala_messages::StateRoot,
}

fn see(state: &ProgramState) -> Seen {
    let kept = (0..=state.version()).filter_map(|version| state.snapshot_at(version));
    Seen {
        version: state.version(),
        contents: kept.map(|snapshot| (snapshot.version(), contents(&snapshot))).collect(),
        attachments: state.attachments().map(|n| (n, state.attachment(n).unwrap().unwrap())).collect(),
        pending: state.pending().map(|(from, to, bytes)| (from, to, bytes.to_vec())).collect(),
        root: state.root(),
    }
}

/// What a worker that nothing happens to sees after each step.
fn undisturbed() -> Vec<Seen> {
    let mut state = open(&Arc::new(MemoryDisk::new())).unwrap();
    let mut seen = vec![see(&state)];
    for n in 0..STEPS {
        step(&mut state, n).unwrap();
        seen.push(see(&state));
    }
    seen
}

#[test]
fn a_crash_leaves_the_old_state_or_the_new_one() {
    let expected = undisturbed();
    for fatal in 0..STEPS {
        for fate in [Fate::Lost, Fate::Landed] {
            let disk = FailingDisk::new(fatal, fate);
            let mut state = open(&disk).unwrap();
            for n in 0..fatal {
                step(&mut state, n).unwrap();
            }
            assert!(matches!(step(&mut state, fatal), Err(CommitError::Disk(_))));
            drop(state);
            let mut state = open(&disk).unwrap();
            let done = if fate == Fate::Landed { fatal + 1 } else { fatal };
            assert_eq!(see(&state), expected[done], "{fate:?} in step {fatal}");
            // And life goes on from there.
            for n in done..STEPS {
                step(&mut state, n).unwrap();
            }
            assert_eq!(see(&state), expected[STEPS]);
        }
    }
}

#[test]
fn after_a_disk_error_nothing_more_is_written_until_it_is_opened_again() {
    let disk = FailingDisk::new(2, Fate::Landed);
    let mut state = open(&disk).unwrap();
    state.commit(put(1, "a", "one")).unwrap();
    state.commit(put(2, "a", "two")).unwrap();
    assert!(matches!(state.commit(put(3, "a", "three")), Err(CommitError::Disk(_))));
    assert!(matches!(state.commit(put(3, "a", "three")), Err(CommitError::MustReopen)));
    assert!(matches!(state.retire_below(2, []), Err(CommitError::MustReopen)));
    // What was durable for certain is still served.
    assert_eq!((state.version(), state.snapshot().get("b", "a").as_deref()), (2, Some(&b"two"[..])));
    assert_eq!(open(&disk).unwrap().version(), 3);
}

#[test]
fn a_batch_that_the_disk_tears_is_noticed() {
    for fatal in 0..STEPS {
        let mut torn = 0;
        for entries in 1.. {
            let disk = FailingDisk::new(fatal, Fate::Torn(entries));
            let mut state = open(&disk).unwrap();
            for n in 0..fatal {
                step(&mut state, n).unwrap();
            }
            step(&mut state, fatal).unwrap_err();
            if entries >= disk.size.load(Ordering::Relaxed) {
                break;
            }
            let error = open(&disk).err().expect("noticed");
            assert!(
                matches!(
                    error,
                    OpenError::NoMeta { .. } | OpenError::Count { .. } | OpenError::Root { .. } | OpenError::LocalRoot
                ),
                "{error}"
            );
            torn += 1;
        }
        assert!(torn > 0);
    }
}

#[test]
fn a_disk_that_cannot_be_read_says_so() {
    struct Unreadable;
    impl Disk for Unreadable {
        fn load(&self, _: &ProgramId, _: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
            Err(DiskError::new("no such device"))
        }
        fn get(&self, _: &ProgramId, _: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
            Err(DiskError::new("no such device"))
        }
        fn commit(&self, _: &ProgramId, _: Batch) -> Result<(), DiskError> {
            Err(DiskError::new("no such device"))
        }
        fn erase(&self, _: &ProgramId) -> Result<(), DiskError> {
            Err(DiskError::new("no such device"))
        }
        fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
            Err(DiskError::new("no such device"))
        }
    }
    let error = open(&Arc::new(Unreadable)).err().expect("refused");
    assert!(matches!(error, OpenError::Disk(_)));
    assert_eq!(error.to_string(), "the disk: no such device");
}

#[test]
fn queries_read_the_anchored_version_while_the_next_is_made_and_after_a_crash() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    let anchored = state.commit(put(1, "a", "anchored")).unwrap();
    state.retire_below(1, []).unwrap();
    let serving = state.at_anchor(1, &anchored).unwrap();
    let commit = Commit {
        version: 2,
        pending: b"anchor of 2".to_vec(),
        changes: change("b", "a", Some(b"next")),
        ..Commit::default()
    };
    let next = state.commit(commit).unwrap();
    assert_eq!(serving.get("b", "a").as_deref(), Some(&b"anchored"[..]));
    drop(state);
    let mut state = open(&disk).unwrap();
    assert_eq!(state.at_anchor(1, &anchored).unwrap().get("b", "a").as_deref(), Some(&b"anchored"[..]));
    assert_eq!(state.pending().collect::<Vec<_>>(), [(1, 2, &b"anchor of 2"[..])]);
    assert_eq!(state.at_anchor(2, &next).unwrap().get("b", "a").as_deref(), Some(&b"next"[..]));
    state.retire_below(2, []).unwrap();
    assert_eq!(state.pending().count(), 0);
    assert!(state.snapshot_at(1).is_none());
}
