//! The state against a plain map: whatever is done to both, both say the same, before and after a restart.

mod common;

use bytes::Bytes;
use common::*;
use phala_messages::{anchor::EMPTY_ROOT, limits::state_entry_bytes};
use phala_state::{Commit, MemoryDisk, ProgramState};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

type Model = BTreeMap<(String, String), Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Commit {
        by: u64,
        changes: Vec<(u8, u8, Option<Vec<u8>>)>,
        setting: Option<(u8, Option<u8>)>,
        attach: Option<(u8, Vec<u8>)>,
    },
    Retire {
        back: u64,
        attachment: u8,
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..40));
    let changes = prop::collection::vec((0_u8..3, 0_u8..12, value), 0..6);
    let setting = prop::option::of((0_u8..4, prop::option::of(any::<u8>())));
    let attach = prop::option::of((0_u8..5, prop::collection::vec(any::<u8>(), 0..20)));
    let commit = (1_u64..4, changes, setting, attach).prop_map(|(by, changes, setting, attach)| Step::Commit {
        by,
        changes,
        setting,
        attach,
    });
    let retire = (0_u64..5, 0_u8..5).prop_map(|(back, attachment)| Step::Retire { back, attachment });
    prop::collection::vec(prop_oneof![6 => commit, 2 => retire, 1 => Just(Step::Restart)], 1..40)
}

#[derive(Default)]
struct Expected {
    versions: BTreeMap<u64, (Model, BTreeMap<String, String>)>,
    attachments: BTreeMap<u64, Vec<u8>>,
}

fn compare(state: &ProgramState, expected: &Expected) {
    let newest = *expected.versions.keys().next_back().unwrap();
    assert_eq!(state.version(), newest);
    for (version, (model, settings)) in &expected.versions {
        let snapshot = state.snapshot_at(*version).unwrap_or_else(|| panic!("version {version} is gone"));
        assert_eq!(&contents(&snapshot), model, "version {version}");
        assert_eq!(&**snapshot.settings(), settings, "version {version}");
        let bytes: u64 = model.iter().map(|((bucket, key), value)| state_entry_bytes(bucket, key, value.len())).sum();
        assert_eq!(snapshot.bytes(), bytes);
        assert_eq!(snapshot.entries() as usize, model.len());
        assert_eq!(state.at_anchor(*version, &snapshot.root()).unwrap().version(), *version);
        for bucket in ["0", "1", "2", "3"] {
            let keys: Vec<_> = model.keys().filter(|(b, _)| b == bucket).map(|(_, key)| key.clone()).collect();
            assert_eq!(snapshot.keys(bucket, None, usize::MAX), keys);
            for (i, key) in keys.iter().enumerate() {
                let page: Vec<_> = keys[i + 1..].iter().take(2).cloned().collect();
                assert_eq!(snapshot.keys(bucket, Some(key), 2), page);
                assert_eq!(
                    snapshot.get(bucket, key).as_deref(),
                    model.get(&(bucket.into(), key.clone())).map(Vec::as_slice)
                );
            }
        }
    }
    assert_eq!(state.attachments().collect::<Vec<_>>(), expected.attachments.keys().copied().collect::<Vec<_>>());
    for (number, bytes) in &expected.attachments {
        assert_eq!(state.attachment(*number).unwrap().as_ref(), Some(bytes));
    }
    let pending: Vec<_> = state.pending().map(|(from, to, bytes)| (from, to, bytes.to_vec())).collect();
    let links: Vec<_> = expected
        .versions
        .keys()
        .zip(expected.versions.keys().skip(1))
        .map(|(from, to)| (*from, *to, to.to_le_bytes().to_vec()))
        .collect();
    assert_eq!(pending, links);
}

fn run(steps: Vec<Step>) {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    let mut expected = Expected::default();
    expected.versions.insert(0, Default::default());
    for step in steps {
        let (newest, (mut model, mut settings)) =
            expected.versions.iter().next_back().map(|(v, c)| (*v, c.clone())).unwrap();
        match step {
            Step::Commit { by, changes, setting, attach } => {
                let version = newest + by;
                let mut commit = Commit { version, pending: version.to_le_bytes().to_vec(), ..Commit::default() };
                for (bucket, key, value) in changes {
                    let at = (bucket.to_string(), format!("key {key}"));
                    match &value {
                        Some(value) => model.insert(at.clone(), value.clone()),
                        None => model.remove(&at),
                    };
                    commit.changes.insert(at, value.map(Bytes::from));
                }
                if let Some((key, value)) = setting {
                    let (key, value) = (key.to_string(), value.map(|value| value.to_string()));
                    match &value {
                        Some(value) => settings.insert(key.clone(), value.clone()),
                        None => settings.remove(&key),
                    };
                    commit.settings.insert(key, value);
                }
                if let Some((number, bytes)) = attach {
                    expected.attachments.insert(number.into(), bytes.clone());
                    commit.attachments.insert(number.into(), bytes);
                }
                state.commit(commit).unwrap();
                expected.versions.insert(version, (model, settings));
            }
            Step::Retire { back, attachment } => {
                let below = newest.saturating_sub(back);
                state.retire_below(below, [u64::from(attachment)]).unwrap();
                expected.versions.retain(|version, _| *version >= below || *version == newest);
                expected.attachments.remove(&attachment.into());
            }
            Step::Restart => state = open(&disk).unwrap(),
        }
    }
    compare(&state, &expected);
    let again = open(&disk).unwrap();
    compare(&again, &expected);
    for version in expected.versions.keys() {
        assert_eq!(again.snapshot_at(*version).unwrap().root(), state.snapshot_at(*version).unwrap().root());
    }
    // A replica that comes to the same contents in one step has the same root.
    let (version, (model, settings)) = expected.versions.iter().next_back().unwrap();
    let mut replica = open(&Arc::new(MemoryDisk::new())).unwrap();
    let commit = Commit {
        version: version + 1,
        changes: model.iter().map(|(at, value)| (at.clone(), Some(Bytes::from(value.clone())))).collect(),
        settings: settings.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect(),
        ..Commit::default()
    };
    assert_eq!(replica.commit(commit).unwrap(), state.root());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_a_map_with_a_memory(steps in steps()) {
        run(steps);
    }
}

#[test]
fn a_new_program_holds_nothing() {
    let disk = Arc::new(MemoryDisk::new());
    let state = open(&disk).unwrap();
    assert_eq!((state.version(), state.root(), state.snapshot().bytes()), (0, EMPTY_ROOT, 0));
    assert!(disk.copy(&PROGRAM).is_empty(), "opening writes nothing");
}

#[test]
fn a_snapshot_never_changes() {
    let mut state = open(&Arc::new(MemoryDisk::new())).unwrap();
    state.commit(put(1, "a", "one")).unwrap();
    let one = state.snapshot();
    state.commit(put(2, "a", "two")).unwrap();
    state.commit(Commit { version: 3, changes: change("b", "a", None), ..Commit::default() }).unwrap();
    state.retire_below(3, []).unwrap();
    assert_eq!(one.get("b", "a").as_deref(), Some(&b"one"[..]));
    assert_eq!(one.version(), 1);
    assert_eq!(state.root(), EMPTY_ROOT);
    assert!(state.snapshot_at(1).is_none());
}

#[test]
fn another_key_gives_another_root_and_the_same_key_the_same() {
    let root = |key| {
        let mut state =
            ProgramState::open(Arc::new(MemoryDisk::new()), PROGRAM, keys(key), entropy(key.into())).unwrap();
        state.commit(put(1, "a", "one")).unwrap()
    };
    assert_eq!(root(1), root(1));
    assert_ne!(root(1), root(2));
}

#[test]
fn ten_thousand_keys_survive_a_restart() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    let changes =
        (0..10_000).map(|n| (("b".to_owned(), format!("{n:05}")), Some(Bytes::from(format!("value {n}"))))).collect();
    state.commit(Commit { version: 1, changes, ..Commit::default() }).unwrap();
    state.retire_below(1, []).unwrap();
    state.commit(put(2, "04711", "other")).unwrap();
    let again = open(&disk).unwrap();
    assert_eq!(again.root(), state.root());
    assert_eq!(again.snapshot().entries(), 10_000);
    assert_eq!(again.snapshot().get("b", "04711").as_deref(), Some(&b"other"[..]));
    assert_eq!(again.snapshot_at(1).unwrap().get("b", "04711").as_deref(), Some(&b"value 4711"[..]));
    assert_eq!(again.snapshot().keys("b", Some("09997"), 10), ["09998", "09999"]);
    // One entry per key, the meta entry, and the undo entry of version 2.
    assert_eq!(disk.copy(&PROGRAM).len(), 10_002);
}
