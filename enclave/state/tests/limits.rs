//! Every limit, exactly reached and exceeded by one; what is refused changes nothing.

mod common;

use bytes::Bytes;
use common::*;
use phala_messages::limits::*;
use phala_state::{
    ATTACHMENT_BYTES_MAX, Changes, Commit, CommitError, MemoryDisk, PENDING_BYTES_MAX, ProgramState, VERSIONS_KEPT_MAX,
};
use std::sync::Arc;

/// `fits` is taken, `exceeds` is refused without a trace.
fn at_the_limit(fits: Commit, exceeds: Commit) -> CommitError {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    state.commit(Commit { version: 1, ..fits }).unwrap();
    let (before, root) = (disk.copy(&PROGRAM), state.root());
    let error = state.commit(Commit { version: 2, ..exceeds }).expect_err("one past the limit");
    assert_eq!((disk.copy(&PROGRAM), state.root(), state.version()), (before, root, 1));
    state.commit(put(2, "a", "goes on")).unwrap();
    assert_eq!(open(&disk).unwrap().root(), state.root());
    error
}

fn with(changes: Changes) -> Commit {
    Commit { changes, ..Commit::default() }
}

#[test]
fn a_key_has_a_limit() {
    let key = |bytes| with(change("b", &"k".repeat(bytes), Some(b"v")));
    let max = STATE_KEY_BYTES_MAX as usize;
    assert!(matches!(at_the_limit(key(max), key(max + 1)), CommitError::KeyTooLong { bytes } if bytes == max + 1));
}

#[test]
fn a_buckets_name_has_a_limit() {
    let bucket = |bytes| with(change(&"b".repeat(bytes), "k", Some(b"v")));
    let max = STATE_KEY_BYTES_MAX as usize;
    assert!(
        matches!(at_the_limit(bucket(max), bucket(max + 1)), CommitError::BucketTooLong { bytes } if bytes == max + 1)
    );
}

#[test]
fn a_value_has_a_limit() {
    let value = |bytes| with(change("b", "k", Some(&vec![7; bytes])));
    let max = STATE_VALUE_BYTES_MAX as usize;
    assert!(
        matches!(at_the_limit(value(max), value(max + 1)), CommitError::ValueTooLong { bytes } if bytes == max + 1)
    );
}

#[test]
fn a_state_has_a_limit() {
    let value = Bytes::from(vec![7; STATE_VALUE_BYTES_MAX as usize]);
    let mut changes = Changes::new();
    let mut left = STATE_BYTES_MAX;
    for n in 0.. {
        let key = format!("{n:03}");
        let bytes = (left - state_entry_bytes("b", &key, 0)).min(value.len() as u64);
        left -= state_entry_bytes("b", &key, bytes as usize);
        changes.insert(("b".into(), key), Some(value.slice(..bytes as usize)));
        if left == 0 {
            break;
        }
        assert!(left > 1_000, "the values do not divide the state evenly");
    }
    let full = STATE_BYTES_MAX;
    let mut state = open(&Arc::new(MemoryDisk::new())).unwrap();
    state.commit(Commit { version: 1, ..with(changes) }).unwrap();
    assert_eq!(state.snapshot().bytes(), full);
    state.retire_below(1, []).unwrap();
    let error = state.commit(Commit { version: 2, ..with(change("b", "one more", Some(b""))) }).unwrap_err();
    assert!(matches!(error, CommitError::StateFull { bytes } if bytes == full + state_entry_bytes("b", "one more", 0)));
    // Room can be made.
    let mut changes = change("b", "one more", Some(b""));
    changes.extend(change("b", "000", None));
    state.commit(Commit { version: 2, ..with(changes) }).unwrap();
}

#[test]
fn a_setting_has_a_limit() {
    let setting =
        |bytes: usize| Commit { settings: [("key".into(), Some("v".repeat(bytes - 3)))].into(), ..Commit::default() };
    let max = SETTING_BYTES_MAX as usize;
    assert!(
        matches!(at_the_limit(setting(max), setting(max + 1)), CommitError::SettingTooLong { bytes } if bytes == max + 1)
    );
}

#[test]
fn settings_have_a_limit_in_number() {
    let max = SETTINGS_MAX as usize;
    let settings = |from: usize, to| Commit {
        settings: (from..to).map(|n| (n.to_string(), Some(String::new()))).collect(),
        ..Commit::default()
    };
    let error = at_the_limit(settings(0, max), settings(max, max + 1));
    assert!(matches!(error, CommitError::TooManySettings { count } if count == max + 1));
}

#[test]
fn an_attachment_has_a_limit() {
    let attachment = |bytes: u64| Commit { attachments: [(1, vec![7; bytes as usize])].into(), ..Commit::default() };
    let error = at_the_limit(attachment(ATTACHMENT_BYTES_MAX), attachment(ATTACHMENT_BYTES_MAX + 1));
    assert!(matches!(error, CommitError::AttachmentTooLong { bytes } if bytes as u64 == ATTACHMENT_BYTES_MAX + 1));
}

#[test]
fn a_pending_message_has_a_limit() {
    let pending = |bytes: u64| Commit { pending: vec![7; bytes as usize], ..Commit::default() };
    let error = at_the_limit(pending(PENDING_BYTES_MAX), pending(PENDING_BYTES_MAX + 1));
    assert!(matches!(error, CommitError::PendingTooLong { bytes } if bytes as u64 == PENDING_BYTES_MAX + 1));
}

#[test]
fn versions_that_wait_have_a_limit_in_number() {
    let disk = Arc::new(MemoryDisk::new());
    let mut state = open(&disk).unwrap();
    for version in 1..=VERSIONS_KEPT_MAX as u64 {
        state.commit(put(version, "a", "v")).unwrap();
    }
    let next = VERSIONS_KEPT_MAX as u64 + 1;
    assert!(matches!(state.commit(put(next, "a", "v")), Err(CommitError::TooManyVersions)));
    assert_eq!(open(&disk).unwrap().snapshot_at(0).unwrap().bytes(), 0);
    state.retire_below(1, []).unwrap();
    state.commit(put(next, "a", "w")).unwrap();
}

#[test]
fn a_version_is_made_once() {
    let mut state: ProgramState = open(&Arc::new(MemoryDisk::new())).unwrap();
    state.commit(put(5, "a", "v")).unwrap();
    for offered in [0, 4, 5] {
        let error = state.commit(put(offered, "a", "w")).unwrap_err();
        assert!(matches!(error, CommitError::NotNewer { current: 5, offered: o } if o == offered));
    }
    state.commit(put(6, "a", "w")).unwrap();
}

#[test]
fn what_is_too_large_is_told_without_telling_what_it_is() {
    let mut state = open(&Arc::new(MemoryDisk::new())).unwrap();
    let secret = "canary".repeat(1_000);
    let errors = [
        state.commit(put(1, &secret, "v")).unwrap_err().to_string(),
        state
            .commit(Commit { settings: [(secret.repeat(10), None)].into(), version: 1, ..Commit::default() })
            .unwrap_err()
            .to_string(),
        format!("{:?}", put(1, &secret, &secret)),
        format!("{:?}", state.snapshot()),
    ];
    for error in errors {
        assert!(!error.contains("canary"), "{error}");
    }
}
