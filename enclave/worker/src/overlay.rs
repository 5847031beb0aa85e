//! A program's state as a call reads it: one version, or one version and what later commands of the same
//! batch have changed.

use bytes::Bytes;
use phala_engine::Changes;
use phala_messages::limits::state_entry_bytes;
use phala_state::Snapshot;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

/// A version as the engine reads it.
pub struct Version(pub Snapshot);

impl phala_engine::Snapshot for Version {
    fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.0.get(bucket, key)
    }

    fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        self.0.keys(bucket, after, limit)
    }

    fn bytes(&self) -> u64 {
        self.0.bytes()
    }
}

/// A version and changes on top of it, not yet on any disk.
#[derive(Clone)]
pub struct Overlay {
    base: Snapshot,
    buckets: Arc<HashMap<String, BTreeMap<String, Option<Bytes>>>>,
    settings: Arc<BTreeMap<String, String>>,
    bytes: u64,
}

impl Overlay {
    /// `base`, unchanged.
    pub fn new(base: Snapshot) -> Self {
        Self { settings: base.settings().clone(), bytes: base.bytes(), buckets: Arc::default(), base }
    }

    /// The settings with the changes so far.
    pub const fn settings(&self) -> &Arc<BTreeMap<String, String>> {
        &self.settings
    }

    /// Replaces all settings.
    pub fn set_settings(&mut self, settings: BTreeMap<String, String>) {
        self.settings = Arc::new(settings);
    }

    /// How large the state would be with `changes` on top.
    pub fn bytes_with(&self, changes: &Changes) -> u64 {
        use phala_engine::Snapshot;
        changes.iter().fold(self.bytes, |bytes, ((bucket, key), value)| {
            let size = |value: &Bytes| state_entry_bytes(bucket, key, value.len());
            let old = self.get(bucket, key);
            (bytes + value.as_ref().map_or(0, size)).saturating_sub(old.as_ref().map_or(0, size))
        })
    }

    /// Puts `changes` on top.
    pub fn apply(&mut self, changes: Changes) {
        self.bytes = self.bytes_with(&changes);
        // A call that has ended holds no copy any more: this seldom copies.
        let buckets = Arc::make_mut(&mut self.buckets);
        for ((bucket, key), value) in changes {
            buckets.entry(bucket).or_default().insert(key, value);
        }
    }

    /// Everything that differs from the base: changes, and settings set or unset.
    pub fn into_changes(self) -> (phala_state::Changes, BTreeMap<String, Option<String>>) {
        let changes = Arc::unwrap_or_clone(self.buckets)
            .into_iter()
            .flat_map(|(bucket, keys)| keys.into_iter().map(move |(key, value)| ((bucket.clone(), key), value)))
            .collect();
        let mut settings = BTreeMap::new();
        for key in self.base.settings().keys().filter(|key| !self.settings.contains_key(*key)) {
            settings.insert(key.clone(), None);
        }
        for (key, value) in self.settings.iter().filter(|(key, value)| self.base.settings().get(*key) != Some(value)) {
            settings.insert(key.clone(), Some(value.clone()));
        }
        (changes, settings)
    }
}

impl phala_engine::Snapshot for Overlay {
    fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        match self.buckets.get(bucket).and_then(|keys| keys.get(key)) {
            Some(changed) => changed.clone(),
            None => self.base.get(bucket, key),
        }
    }

    fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let Some(changed) = self.buckets.get(bucket) else { return self.base.keys(bucket, after, limit) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut ours = changed.range::<str, _>((from, Bound::Unbounded)).peekable();
        let mut base =
            BaseKeys { base: &self.base, bucket, after: after.map(str::to_owned), page: Vec::new().into_iter() }
                .peekable();
        let mut out = Vec::new();
        while out.len() < limit {
            let take_ours = match (ours.peek(), base.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((ours, _)), Some(base)) => *ours <= base,
            };
            if !take_ours {
                out.extend(base.next());
                continue;
            }
            if let Some((key, value)) = ours.next() {
                base.next_if(|base| base == key);
                out.extend(value.is_some().then(|| key.clone()));
            }
        }
        out
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The keys of a bucket of the base, page by page.
struct BaseKeys<'a> {
    base: &'a Snapshot,
    bucket: &'a str,
    after: Option<String>,
    page: std::vec::IntoIter<String>,
}

impl Iterator for BaseKeys<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(key) = self.page.next() {
            self.after = Some(key.clone());
            return Some(key);
        }
        self.page = self.base.keys(self.bucket, self.after.as_deref(), 256).into_iter();
        let key = self.page.next()?;
        self.after = Some(key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_engine::Snapshot as _;
    use phala_messages::ProgramId;
    use phala_state::{Commit, MemoryDisk, ProgramState, StateKeys};
    use proptest::prelude::*;

    type Write = (u8, u8, Option<u8>);

    fn changes(writes: &[Write]) -> Changes {
        let text = |n: &u8| format!("{n:03}");
        writes.iter().map(|(b, k, v)| ((text(b), text(k)), v.map(|v| Bytes::from(vec![v; v as usize % 9])))).collect()
    }

    fn state(writes: &[Write]) -> ProgramState {
        let keys = StateKeys::derive(&phala_crypto::Secret::new([1; 32]));
        let entropy = Arc::new(|out: &mut [u8]| out.fill(7));
        let mut state = ProgramState::open(Arc::new(MemoryDisk::new()), ProgramId([1; 32]), keys, entropy).unwrap();
        let commit = Commit {
            version: 1,
            changes: changes(writes),
            settings: BTreeMap::new(),
            attachments: BTreeMap::new(),
            pending: Vec::new(),
        };
        state.commit(commit).unwrap();
        state
    }

    fn writes() -> impl Strategy<Value = Vec<Write>> {
        proptest::collection::vec((0u8..3, 0u8..40, proptest::option::of(0u8..20)), 0..60)
    }

    proptest! {
        /// What is read through an overlay is what is read after it was committed.
        #[test]
        fn an_overlay_reads_like_its_commit(first in writes(), then in writes(), after in 0u8..40, limit in 0usize..50) {
            let mut state = state(&first);
            let mut overlay = Overlay::new(state.snapshot());
            overlay.apply(changes(&then));
            let (changes, settings) = overlay.clone().into_changes();
            let commit = Commit { version: 2, changes, settings, attachments: BTreeMap::new(), pending: Vec::new() };
            state.commit(commit).unwrap();
            let committed = Version(state.snapshot());
            prop_assert_eq!(overlay.bytes(), committed.bytes());
            let after = format!("{after:03}");
            for bucket in ["000", "001", "002"] {
                prop_assert_eq!(overlay.keys(bucket, None, limit), committed.keys(bucket, None, limit));
                prop_assert_eq!(overlay.keys(bucket, Some(&after), limit), committed.keys(bucket, Some(&after), limit));
                for key in committed.keys(bucket, None, 100) {
                    prop_assert_eq!(overlay.get(bucket, &key), committed.get(bucket, &key));
                }
            }
        }
    }

    #[test]
    fn settings_are_replaced_as_a_whole() {
        let mut overlay = Overlay::new(state(&[]).snapshot());
        overlay.set_settings(BTreeMap::from([("a".into(), "1".into())]));
        assert_eq!(overlay.into_changes().1, BTreeMap::from([("a".into(), Some("1".into()))]));
    }
}
