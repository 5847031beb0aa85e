//! One version of a program's state, readable for as long as somebody holds it.

use bytes::Bytes;
use imbl::OrdMap;
use phala_messages::{StateRoot, anchor::EMPTY_ROOT, limits::state_entry_bytes};
use std::{collections::BTreeMap, fmt, ops::Bound, sync::Arc};
use zeroize::Zeroize;

type Bucket = OrdMap<Arc<str>, Bytes>;

/// One version of a program's state. Cheap to clone, and it never changes.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) version: u64,
    pub(crate) root: StateRoot,
    buckets: OrdMap<Arc<str>, Bucket>,
    bytes: u64,
    entries: u32,
    settings: Arc<BTreeMap<String, String>>,
    pub(crate) carried: Option<Arc<Carried>>,
}

/// Secret bytes of the caller's. Erased with the last version that has them.
pub(crate) struct Carried(pub Vec<u8>);

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Snapshot {
    /// Version 0 of every program.
    pub(crate) fn empty() -> Self {
        let (buckets, settings) = (OrdMap::new(), Arc::default());
        Self { version: 0, root: EMPTY_ROOT, buckets, bytes: 0, entries: 0, settings, carried: None }
    }

    /// How many commands had been answered then.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Root of the state then.
    pub fn root(&self) -> StateRoot {
        self.root
    }

    /// The value under `key`.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.buckets.get(bucket)?.get(key).cloned()
    }

    /// The bucket's keys in ascending order: those above `after`, at most `limit`.
    pub fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let Some(bucket) = self.buckets.get(bucket) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        bucket.range::<_, str>((from, Bound::Unbounded)).take(limit).map(|(key, _)| key.to_string()).collect()
    }

    /// Size of the state as it counts against [`phala_messages::limits::STATE_BYTES_MAX`]: the sum of
    /// [`state_entry_bytes`].
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many keys there are in all buckets.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// What the owner has set.
    pub fn settings(&self) -> &Arc<BTreeMap<String, String>> {
        &self.settings
    }

    /// The secret bytes that were sealed into the state when its key changed last; see [`crate::Rekey::carried`].
    pub fn carried(&self) -> Option<&[u8]> {
        self.carried.as_ref().map(|carried| carried.0.as_slice())
    }

    /// Every key of every bucket, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Bytes)> {
        self.buckets.iter().flat_map(|(bucket, keys)| keys.iter().map(move |(key, value)| (&**bucket, &**key, value)))
    }

    /// Sets or removes a value; answers what was there.
    pub(crate) fn put(&mut self, bucket: &str, key: &str, value: Option<Bytes>) -> Option<Bytes> {
        let new = value.as_ref().map(Bytes::len);
        let old = match value {
            Some(value) => match self.buckets.get_mut(bucket) {
                Some(keys) => keys.insert(key.into(), value),
                None => {
                    self.buckets.insert(bucket.into(), OrdMap::unit(key.into(), value));
                    None
                }
            },
            None => {
                let keys = self.buckets.get_mut(bucket)?;
                let old = keys.remove(key);
                if keys.is_empty() {
                    self.buckets.remove(bucket);
                }
                old
            }
        };
        let size = |len| state_entry_bytes(bucket, key, len);
        self.bytes = self.bytes + new.map_or(0, size) - old.as_ref().map(Bytes::len).map_or(0, size);
        self.entries = self.entries + u32::from(new.is_some()) - u32::from(old.is_some());
        old
    }

    /// Sets or removes a setting; answers what was there.
    pub(crate) fn set(&mut self, key: &str, value: Option<String>) -> Option<String> {
        let settings = Arc::make_mut(&mut self.settings);
        match value {
            Some(value) => settings.insert(key.to_owned(), value),
            None => settings.remove(key),
        }
    }

    /// How many leaves this version has in the state's tree.
    pub(crate) fn leaves(&self) -> usize {
        self.entries as usize + self.settings.len() + usize::from(self.carried.is_some())
    }
}

/// Says which version, and nothing of its contents.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("version", &self.version).field("root", &self.root).finish_non_exhaustive()
    }
}
