//! The disk, as the enclave sees it: somebody else's, sealed entries only.

use phala_messages::ProgramId;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What one commit writes: a name with its new bytes, or with none to delete it. A name appears once.
pub type Batch = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Where sealed entries are kept, a set of names per program.
///
/// # Invariants
/// [`Disk::commit`] is atomic and durable: when it returns, the whole batch survives a power cut; when it fails or
/// the machine dies inside it, either all of the batch is there later or nothing of it.
pub trait Disk: Send + Sync {
    /// Hands every entry of `program` to `visit`, name and bytes, in any order.
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError>;
    /// One entry of `program`.
    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError>;
    /// Applies `batch`.
    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError>;
    /// Deletes every entry of `program`.
    fn erase(&self, program: &ProgramId) -> Result<(), DiskError>;
    /// Programs that have entries.
    fn programs(&self) -> Result<Vec<ProgramId>, DiskError>;
}

/// The disk could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the disk: {0}")]
pub struct DiskError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl DiskError {
    /// Wraps what the disk's library says.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

type Entries = BTreeMap<ProgramId, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A disk that forgets everything with the process: for tests, and for programs that need no more.
#[derive(Default)]
pub struct MemoryDisk(Mutex<Entries>);

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of what `program` has on it, as the disk's owner can make one at any time.
    pub fn copy(&self, program: &ProgramId) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.entries().get(program).cloned().unwrap_or_default()
    }

    /// Puts `entries` in the place of what `program` has on it, as the disk's owner can at any time.
    pub fn replace(&self, program: &ProgramId, entries: BTreeMap<Vec<u8>, Vec<u8>>) {
        self.entries().insert(*program, entries);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
        self.copy(program).into_iter().for_each(|(name, bytes)| visit(name, bytes));
        Ok(())
    }

    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self.entries().get(program).and_then(|entries| entries.get(name)).cloned())
    }

    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError> {
        let mut all = self.entries();
        let entries = all.entry(*program).or_default();
        for (name, bytes) in batch {
            match bytes {
                Some(bytes) => entries.insert(name, bytes),
                None => entries.remove(&name),
            };
        }
        Ok(())
    }

    fn erase(&self, program: &ProgramId) -> Result<(), DiskError> {
        self.entries().remove(program);
        Ok(())
    }

    fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
        Ok(self.entries().iter().filter(|(_, entries)| !entries.is_empty()).map(|(program, _)| *program).collect())
    }
}
