//! What the tests of this crate share.
#![allow(dead_code, missing_docs)]

use bytes::Bytes;
use phala_crypto::Secret;
use phala_messages::ProgramId;
use phala_state::{
    Batch, Changes, Commit, Disk, DiskError, Entropy, MemoryDisk, OpenError, ProgramState, Snapshot, StateKeys,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

pub const PROGRAM: ProgramId = ProgramId([0xab; 32]);

/// Entropy that never repeats and is the same in every run.
pub fn entropy(seed: u64) -> Arc<dyn Entropy> {
    let count = AtomicU64::new(0);
    Arc::new(move |out: &mut [u8]| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        let block = phala_crypto::keyed_hash(&Secret::new([1; 32]), &[seed.to_le_bytes(), n.to_le_bytes()].concat());
        out.iter_mut().zip(block.iter().cycle()).for_each(|(out, byte)| *out = *byte);
    })
}

pub fn keys(n: u8) -> StateKeys {
    StateKeys::derive(&Secret::new([n; 32]))
}

/// Each opening of the same disk draws other entropy, as each process start does.
pub fn open(disk: &Arc<impl Disk + 'static>) -> Result<ProgramState, OpenError> {
    static STARTS: AtomicU64 = AtomicU64::new(0);
    ProgramState::open(disk.clone(), PROGRAM, keys(1), entropy(STARTS.fetch_add(1, Ordering::Relaxed)))
}

pub fn change(bucket: &str, key: &str, value: Option<&[u8]>) -> Changes {
    Changes::from([((bucket.into(), key.into()), value.map(Bytes::copy_from_slice))])
}

pub fn put(version: u64, key: &str, value: &str) -> Commit {
    Commit { version, changes: change("b", key, Some(value.as_bytes())), ..Commit::default() }
}

/// Everything that a snapshot holds.
pub fn contents(snapshot: &Snapshot) -> BTreeMap<(String, String), Vec<u8>> {
    snapshot.iter().map(|(bucket, key, value)| ((bucket.into(), key.into()), value.to_vec())).collect()
}

/// A disk that notes every batch it is given.
#[derive(Default)]
pub struct RecordingDisk {
    pub inner: MemoryDisk,
    pub batches: Mutex<Vec<Batch>>,
}

impl Disk for RecordingDisk {
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
        self.inner.load(program, visit)
    }
    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.inner.get(program, name)
    }
    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError> {
        self.batches.lock().unwrap().push(batch.clone());
        self.inner.commit(program, batch)
    }
    fn erase(&self, program: &ProgramId) -> Result<(), DiskError> {
        self.inner.erase(program)
    }
    fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
        self.inner.programs()
    }
}
