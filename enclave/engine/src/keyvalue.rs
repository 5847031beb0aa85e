//! `wasi:keyvalue`: the program's state. Both drafts over one store.
//!
//! A query sees the snapshot it began with and may not write. A command sees the snapshot with its own writes
//! laid over it; they leave with [`crate::Outcome::changes`], and only if it succeeds.
//!
//! Numbers of `increment` are kept as decimal text.

use crate::{
    call::{Changes, Mode},
    host::{
        HasHost, Host,
        bindings::wasi::{keyvalue0_2_0_draft as draft, keyvalue0_2_0_draft2 as draft2},
    },
    ports::Snapshot,
};
use bytes::Bytes;
use phala_messages::limits::{STATE_BYTES_MAX, STATE_KEY_BYTES_MAX, STATE_VALUE_BYTES_MAX, state_entry_bytes};
use std::{collections::BTreeMap, ops::Bound, str::FromStr, sync::Arc};
use wasmtime::component::{Linker, Resource};

/// Keys of one page of `list-keys`.
const PAGE_KEYS: usize = 256;
/// Bytes of a bucket's name.
const BUCKET_BYTES_MAX: usize = 256;

/// An open bucket.
pub struct Bucket {
    name: String,
    /// Where each page that was handed out ended: the first draft's cursors are numbers.
    pages: Vec<String>,
}

/// The value of one key as it was at one moment.
pub struct Cas {
    bucket: String,
    key: String,
    seen: Option<Bytes>,
}

/// Why an operation was refused; the program is told in these words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("a query may not write: send a command")]
    ReadOnly,
    #[error("a bucket's name has 1 to {BUCKET_BYTES_MAX} bytes")]
    BucketName,
    #[error("a key has at most {STATE_KEY_BYTES_MAX} bytes")]
    KeyTooLarge,
    #[error("a value has at most {STATE_VALUE_BYTES_MAX} bytes")]
    ValueTooLarge,
    #[error("the program's state is full: it has at most {STATE_BYTES_MAX} bytes")]
    StateFull,
    #[error("the value is not a decimal number")]
    NotANumber,
    #[error("the sum is out of range")]
    OutOfRange,
    #[error("this cursor was not given out for this bucket")]
    UnknownCursor,
}

type Result<T> = std::result::Result<T, Refusal>;

/// A snapshot with a call's writes over it.
pub(crate) struct State {
    snapshot: Arc<dyn Snapshot>,
    writable: bool,
    changes: Changes,
    /// Size of the whole state with the changes; computed at the first write.
    bytes: Option<u64>,
}

impl State {
    pub(crate) fn new(snapshot: Arc<dyn Snapshot>, mode: &Mode) -> Self {
        Self { snapshot, writable: matches!(mode, Mode::Command { .. }), changes: BTreeMap::new(), bytes: None }
    }

    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        if !self.changes.is_empty()
            && let Some(change) = self.changes.get(&(bucket.to_owned(), key.to_owned()))
        {
            return change.clone();
        }
        self.snapshot.get(bucket, key)
    }

    fn set(&mut self, bucket: &str, key: String, value: Bytes) -> Result<()> {
        self.check_writable()?;
        if key.len() > STATE_KEY_BYTES_MAX as usize {
            return Err(Refusal::KeyTooLarge);
        }
        if value.len() > STATE_VALUE_BYTES_MAX as usize {
            return Err(Refusal::ValueTooLarge);
        }
        let size = |value: usize| state_entry_bytes(bucket, &key, value);
        let before = self.get(bucket, &key).map_or(0, |value| size(value.len()));
        let all = self.bytes.unwrap_or_else(|| self.snapshot.bytes()).saturating_sub(before) + size(value.len());
        // What is too large already, because the limit was lowered, may still shrink.
        if all > STATE_BYTES_MAX && size(value.len()) > before {
            return Err(Refusal::StateFull);
        }
        self.bytes = Some(all);
        self.changes.insert((bucket.to_owned(), key), Some(value));
        Ok(())
    }

    fn delete(&mut self, bucket: &str, key: String) -> Result<()> {
        self.check_writable()?;
        let Some(before) = self.get(bucket, &key) else { return Ok(()) };
        let before = state_entry_bytes(bucket, &key, before.len());
        self.bytes = Some(self.bytes.unwrap_or_else(|| self.snapshot.bytes()).saturating_sub(before));
        let in_snapshot = self.snapshot.get(bucket, &key).is_some();
        let change = (bucket.to_owned(), key);
        if in_snapshot {
            self.changes.insert(change, None);
        } else {
            self.changes.remove(&change);
        }
        Ok(())
    }

    /// Adds `delta` to the number at `key`; no value counts as zero.
    fn add<N: FromStr + Default + ToString + Copy>(
        &mut self,
        bucket: &str,
        key: String,
        sum: impl FnOnce(N) -> Option<N>,
    ) -> Result<N> {
        self.check_writable()?;
        let before = match self.get(bucket, &key) {
            Some(value) => {
                std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).ok_or(Refusal::NotANumber)?
            }
            None => N::default(),
        };
        let sum = sum(before).ok_or(Refusal::OutOfRange)?;
        self.set(bucket, key, sum.to_string().into())?;
        Ok(sum)
    }

    /// The first [`PAGE_KEYS`] keys after `after`, in ascending order.
    fn page(&self, bucket: &str, after: Option<&str>) -> Vec<String> {
        let mut after = after.map(ToOwned::to_owned);
        let mut page = Vec::new();
        loop {
            let base = self.snapshot.keys(bucket, after.as_deref(), PAGE_KEYS);
            let last = (base.len() == PAGE_KEYS).then(|| base.last().cloned()).flatten();
            page.extend(self.merge(bucket, after.as_deref(), last.as_deref(), base));
            if page.len() >= PAGE_KEYS || last.is_none() {
                page.truncate(PAGE_KEYS);
                return page;
            }
            after = last;
        }
    }

    /// Lays the changes to keys in `(after, last]` over `base`, the snapshot's keys of that range.
    fn merge(&self, bucket: &str, after: Option<&str>, last: Option<&str>, base: Vec<String>) -> Vec<String> {
        let owned = |key: &str| (bucket.to_owned(), key.to_owned());
        let from = after.map_or(Bound::Included(owned("")), |key| Bound::Excluded(owned(key)));
        let changes = self
            .changes
            .range((from, Bound::Unbounded))
            .take_while(|((of, key), _)| of == bucket && last.is_none_or(|last| key.as_str() <= last));
        let mut merged = base;
        for ((_, key), value) in changes {
            match (merged.binary_search(key), value) {
                (Ok(index), None) => drop(merged.remove(index)),
                (Err(index), Some(_)) => merged.insert(index, key.clone()),
                (Ok(_), Some(_)) | (Err(_), None) => {}
            }
        }
        merged
    }

    fn check_writable(&self) -> Result<()> {
        if self.writable { Ok(()) } else { Err(Refusal::ReadOnly) }
    }
}

/// What both drafts do; each method first charges for the bytes it moves.
impl Host {
    fn kv_open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Bucket>>> {
        self.meter.charge(name.len())?;
        if name.is_empty() || name.len() > BUCKET_BYTES_MAX {
            return Ok(Err(Refusal::BucketName));
        }
        Ok(Ok(self.table.push(Bucket { name, pages: Vec::new() })?))
    }

    fn kv_get(&mut self, bucket: &Resource<Bucket>, key: &str) -> wasmtime::Result<Option<Bytes>> {
        let bucket = self.table.get(bucket)?;
        let value = self.state.get(&bucket.name, key);
        self.meter.charge(key.len() + value.as_ref().map_or(0, Bytes::len))?;
        Ok(value)
    }

    fn kv_exists(&mut self, bucket: &Resource<Bucket>, key: &str) -> wasmtime::Result<bool> {
        self.meter.charge(key.len())?;
        let bucket = self.table.get(bucket)?;
        Ok(self.state.get(&bucket.name, key).is_some())
    }

    fn kv_set(&mut self, bucket: &Resource<Bucket>, key: String, value: Vec<u8>) -> wasmtime::Result<Result<()>> {
        self.meter.charge(key.len() + value.len())?;
        let bucket = self.table.get(bucket)?;
        Ok(self.state.set(&bucket.name, key, value.into()))
    }

    fn kv_delete(&mut self, bucket: &Resource<Bucket>, key: String) -> wasmtime::Result<Result<()>> {
        self.meter.charge(key.len())?;
        let bucket = self.table.get(bucket)?;
        Ok(self.state.delete(&bucket.name, key))
    }

    fn kv_page(&mut self, bucket: &Resource<Bucket>, after: Option<&str>) -> wasmtime::Result<(Vec<String>, bool)> {
        let bucket = self.table.get(bucket)?;
        let page = self.state.page(&bucket.name, after);
        self.meter.charge(page.iter().map(|key| key.len() + 32).sum())?;
        let more = page.len() == PAGE_KEYS;
        Ok((page, more))
    }

    fn kv_add<N: FromStr + Default + ToString + Copy>(
        &mut self,
        bucket: &Resource<Bucket>,
        key: String,
        sum: impl FnOnce(N) -> Option<N>,
    ) -> wasmtime::Result<Result<N>> {
        self.meter.charge(key.len())?;
        let bucket = self.table.get(bucket)?;
        Ok(self.state.add(&bucket.name, key, sum))
    }

    /// All or nothing: what fails in the middle is undone.
    fn kv_all(
        &mut self,
        bucket: &Resource<Bucket>,
        changes: Vec<(String, Option<Bytes>)>,
    ) -> wasmtime::Result<Result<()>> {
        let bytes = changes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len)).sum();
        self.meter.charge(bytes)?;
        self.meter.charge_work(changes.len() as u64 * 100)?;
        let bucket = self.table.get(bucket)?;
        let mut undo = Vec::with_capacity(changes.len());
        let bytes = self.state.bytes;
        for (key, value) in changes {
            let entry = (bucket.name.clone(), key.clone());
            let before = self.state.changes.get(&entry).cloned();
            let done = match value {
                Some(value) => self.state.set(&bucket.name, key, value),
                None => self.state.delete(&bucket.name, key),
            };
            if let Err(refusal) = done {
                for (entry, before) in undo.into_iter().rev() {
                    match before {
                        Some(change) => self.state.changes.insert(entry, change),
                        None => self.state.changes.remove(&entry),
                    };
                }
                self.state.bytes = bytes;
                return Ok(Err(refusal));
            }
            undo.push((entry, before));
        }
        Ok(Ok(()))
    }
}

/// Implements what is the same in both drafts.
macro_rules! store {
    ($wasi:ident) => {
        impl From<Refusal> for $wasi::store::Error {
            fn from(refusal: Refusal) -> Self {
                match refusal {
                    Refusal::BucketName => Self::NoSuchStore,
                    other => Self::Other(other.to_string()),
                }
            }
        }

        impl $wasi::store::Host for Host {
            fn open(&mut self, name: String) -> wasmtime::Result<std::result::Result<Resource<Bucket>, $wasi::store::Error>> {
                Ok(self.kv_open(name)?.map_err(Into::into))
            }
        }

        impl $wasi::batch::Host for Host {
            fn get_many(
                &mut self,
                bucket: Resource<Bucket>,
                keys: Vec<String>,
            ) -> wasmtime::Result<std::result::Result<Vec<store!(@many $wasi)>, $wasi::store::Error>> {
                let mut values = Vec::with_capacity(keys.len().min(PAGE_KEYS));
                for key in keys {
                    let value = self.kv_get(&bucket, &key)?.map(|value| value.to_vec());
                    values.push(store!(@pair $wasi key value));
                }
                Ok(Ok(values))
            }

            fn set_many(
                &mut self,
                bucket: Resource<Bucket>,
                pairs: Vec<(String, Vec<u8>)>,
            ) -> wasmtime::Result<std::result::Result<(), $wasi::store::Error>> {
                let changes = pairs.into_iter().map(|(key, value)| (key, Some(value.into()))).collect();
                Ok(self.kv_all(&bucket, changes)?.map_err(Into::into))
            }

            fn delete_many(
                &mut self,
                bucket: Resource<Bucket>,
                keys: Vec<String>,
            ) -> wasmtime::Result<std::result::Result<(), $wasi::store::Error>> {
                let changes = keys.into_iter().map(|key| (key, None)).collect();
                Ok(self.kv_all(&bucket, changes)?.map_err(Into::into))
            }
        }

        impl $wasi::store::HostBucket for Host {
            fn get(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
            ) -> wasmtime::Result<std::result::Result<Option<Vec<u8>>, $wasi::store::Error>> {
                Ok(Ok(self.kv_get(&bucket, &key)?.map(|value| value.to_vec())))
            }

            fn set(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
                value: Vec<u8>,
            ) -> wasmtime::Result<std::result::Result<(), $wasi::store::Error>> {
                Ok(self.kv_set(&bucket, key, value)?.map_err(Into::into))
            }

            fn delete(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
            ) -> wasmtime::Result<std::result::Result<(), $wasi::store::Error>> {
                Ok(self.kv_delete(&bucket, key)?.map_err(Into::into))
            }

            fn exists(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
            ) -> wasmtime::Result<std::result::Result<bool, $wasi::store::Error>> {
                Ok(Ok(self.kv_exists(&bucket, &key)?))
            }

            store!(@list $wasi);

            fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
                self.table.delete(bucket)?;
                Ok(())
            }
        }
    };

    // The first draft leaves a missing key out; the second names it.
    (@many draft) => { Option<(String, Vec<u8>)> };
    (@many draft2) => { (String, Option<Vec<u8>>) };
    (@pair draft $key:ident $value:ident) => { $value.map(|value| ($key, value)) };
    (@pair draft2 $key:ident $value:ident) => { ($key, $value) };

    (@list draft) => {
        fn list_keys(
            &mut self,
            bucket: Resource<Bucket>,
            cursor: Option<u64>,
        ) -> wasmtime::Result<std::result::Result<draft::store::KeyResponse, draft::store::Error>> {
            let after = match cursor {
                None => None,
                Some(page) => match usize::try_from(page).ok().and_then(|page| self.table.get(&bucket).ok()?.pages.get(page)) {
                    Some(after) => Some(after.clone()),
                    None => return Ok(Err(Refusal::UnknownCursor.into())),
                },
            };
            let (keys, more) = self.kv_page(&bucket, after.as_deref())?;
            let pages = &mut self.table.get_mut(&bucket)?.pages;
            let cursor = keys.last().filter(|_| more).map(|last| {
                pages.push(last.clone());
                pages.len() as u64 - 1
            });
            Ok(Ok(draft::store::KeyResponse { keys, cursor }))
        }
    };
    (@list draft2) => {
        fn list_keys(
            &mut self,
            bucket: Resource<Bucket>,
            cursor: Option<String>,
        ) -> wasmtime::Result<std::result::Result<draft2::store::KeyResponse, draft2::store::Error>> {
            let (keys, more) = self.kv_page(&bucket, cursor.as_deref())?;
            let cursor = keys.last().filter(|_| more).cloned();
            Ok(Ok(draft2::store::KeyResponse { keys, cursor }))
        }
    };
}

store!(draft);
store!(draft2);

impl draft::atomics::Host for Host {
    fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<std::result::Result<u64, draft::store::Error>> {
        Ok(self.kv_add(&bucket, key, |before: u64| before.checked_add(delta))?.map_err(Into::into))
    }
}

impl draft2::atomics::Host for Host {
    fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<std::result::Result<i64, draft2::store::Error>> {
        Ok(self.kv_add(&bucket, key, |before: i64| before.checked_add(delta))?.map_err(Into::into))
    }

    fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<std::result::Result<(), draft2::atomics::CasError>> {
        self.meter.charge(value.len())?;
        let cas = self.table.delete(cas)?;
        let seen = self.state.get(&cas.bucket, &cas.key);
        if seen != cas.seen {
            let fresh = self.table.push(Cas { seen, ..cas })?;
            return Ok(Err(draft2::atomics::CasError::CasFailed(fresh)));
        }
        let done = self.state.set(&cas.bucket, cas.key, value.into());
        Ok(done.map_err(|refusal| draft2::atomics::CasError::StoreError(refusal.into())))
    }
}

impl draft2::atomics::HostCas for Host {
    fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<std::result::Result<Resource<Cas>, draft2::store::Error>> {
        let seen = self.kv_get(&bucket, &key)?;
        let bucket = self.table.get(&bucket)?.name.clone();
        Ok(Ok(self.table.push(Cas { bucket, key, seen })?))
    }

    fn current(
        &mut self,
        cas: Resource<Cas>,
    ) -> wasmtime::Result<std::result::Result<Option<Vec<u8>>, draft2::store::Error>> {
        let seen = self.table.get(&cas)?.seen.clone();
        self.meter.charge(seen.as_ref().map_or(0, Bytes::len))?;
        Ok(Ok(seen.map(|value| value.to_vec())))
    }

    fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    draft::store::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    draft::atomics::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    draft::batch::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    draft2::store::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    draft2::atomics::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    draft2::batch::add_to_linker::<Host, HasHost>(linker, |host| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::UnixMillis;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Fixed(BTreeMap<(String, String), Bytes>);

    impl Snapshot for Fixed {
        fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
            self.0.get(&(bucket.into(), key.into())).cloned()
        }

        fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Vec<String> {
            let keys = self.0.keys().filter(|(of, key)| of == bucket && after.is_none_or(|after| key.as_str() > after));
            keys.map(|(_, key)| key.clone()).take(limit).collect()
        }

        fn bytes(&self) -> u64 {
            self.0.iter().map(|((bucket, key), value)| state_entry_bytes(bucket, key, value.len())).sum()
        }
    }

    fn state(keys: impl IntoIterator<Item = String>) -> State {
        let entries = keys.into_iter().map(|key| (("b".to_owned(), key), Bytes::from_static(b"1"))).collect();
        State::new(Arc::new(Fixed(entries)), &Mode::Command { index: 0, time: UnixMillis(0), seed: [0; 32] })
    }

    #[test]
    fn a_query_may_not_write() {
        let mut state = State::new(Arc::new(Fixed::default()), &Mode::Query);
        assert_eq!(state.set("b", "k".into(), "v".into()), Err(Refusal::ReadOnly));
        assert_eq!(state.delete("b", "k".into()), Err(Refusal::ReadOnly));
        assert_eq!(state.add("b", "k".into(), |n: u64| Some(n)), Err(Refusal::ReadOnly));
    }

    #[test]
    fn keys_and_values_fit_exactly_and_not_a_byte_more() {
        let mut state = state([]);
        let (key, value) = (STATE_KEY_BYTES_MAX as usize, STATE_VALUE_BYTES_MAX as usize);
        assert_eq!(state.set("b", "k".repeat(key), vec![0; value].into()), Ok(()));
        assert_eq!(state.set("b", "k".repeat(key + 1), "".into()), Err(Refusal::KeyTooLarge));
        assert_eq!(state.set("b", "k".into(), vec![0; value + 1].into()), Err(Refusal::ValueTooLarge));
    }

    #[test]
    fn state_is_full_at_its_limit_and_room_can_be_made() {
        let mut state = state([]);
        let value = Bytes::from(vec![0; STATE_VALUE_BYTES_MAX as usize]);
        let fit = STATE_BYTES_MAX / (u64::from(STATE_VALUE_BYTES_MAX) + 4);
        for n in 0..fit {
            assert_eq!(state.set("b", format!("{n:03}"), value.clone()), Ok(()), "{n} of {fit}");
        }
        assert_eq!(state.set("b", "one more".into(), value.clone()), Err(Refusal::StateFull));
        assert_eq!(state.delete("b", "000".into()), Ok(()));
        assert_eq!(state.set("b", "one".into(), value), Ok(()));
    }

    #[test]
    fn numbers_are_decimal_and_do_not_wrap() {
        let mut state = state(["one".into()]);
        assert_eq!(state.add("b", "one".into(), |n: i64| n.checked_add(41)), Ok(42));
        assert_eq!(state.get("b", "one"), Some("42".into()));
        assert_eq!(state.add("b", "none".into(), |n: i64| n.checked_add(-3)), Ok(-3));
        assert_eq!(state.add("b", "none".into(), |n: u64| Some(n)), Err(Refusal::NotANumber));
        assert_eq!(state.add("b", "one".into(), |n: u64| n.checked_add(u64::MAX)), Err(Refusal::OutOfRange));
    }

    #[test]
    fn what_comes_and_goes_within_a_command_leaves_no_trace() {
        let mut state = state(["old".into()]);
        state.set("b", "new".into(), "1".into()).expect("fits");
        state.delete("b", "new".into()).expect("may write");
        state.delete("b", "never".into()).expect("may write");
        assert_eq!(state.changes, Changes::new());
        state.delete("b", "old".into()).expect("may write");
        assert_eq!(state.changes, Changes::from([(("b".into(), "old".into()), None)]));
        assert_eq!(state.bytes, Some(0));
    }

    proptest! {
        /// Pages of snapshot and changes together equal a plain map that went through the same changes.
        #[test]
        fn pages_show_every_key_once_in_order(
            base in proptest::collection::btree_set(0_u16..2_000, 0..1_500),
            sets in proptest::collection::vec(0_u16..2_000, 0..300),
            deletes in proptest::collection::vec(0_u16..2_000, 0..800),
        ) {
            let name = |n: &u16| format!("{n:05}");
            let mut state = state(base.iter().map(name));
            let mut model = base;
            for n in &sets {
                state.set("b", name(n), "2".into()).expect("fits");
                model.insert(*n);
            }
            state.set("a", "other bucket".into(), "2".into()).expect("fits");
            state.set("c", "other bucket".into(), "2".into()).expect("fits");
            for n in &deletes {
                state.delete("b", name(n)).expect("may write");
                model.remove(n);
            }
            let mut seen = Vec::new();
            loop {
                let page = state.page("b", seen.last().map(String::as_str));
                let more = page.len() == PAGE_KEYS;
                seen.extend(page);
                if !more {
                    break;
                }
            }
            prop_assert_eq!(seen, model.iter().map(name).collect::<Vec<_>>());
        }
    }
}
