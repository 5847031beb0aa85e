//! The disk: sealed entries of programs in one fjall database.

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use phala_messages::ProgramId;
use phala_state::{Batch, Disk, DiskError};
use std::{collections::BTreeSet, path::Path};

/// Memory for reads: entries are read once, when a program is loaded.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// Programs' entries, under `program ‖ name`.
pub struct FjallDisk {
    database: Database,
    entries: Keyspace,
}

impl FjallDisk {
    /// Opens or makes the database in `dir`. Only one process can have it.
    ///
    /// # Errors
    /// The library's word.
    pub fn open(dir: &Path) -> Result<Self, DiskError> {
        let database =
            Database::builder(dir).cache_size(CACHE_BYTES).worker_threads(1).open().map_err(DiskError::new)?;
        // What is sealed does not compress.
        let options = || {
            KeyspaceCreateOptions::default().data_block_compression_policy(fjall::config::CompressionPolicy::disabled())
        };
        let entries = database.keyspace("state", options).map_err(DiskError::new)?;
        Ok(Self { database, entries })
    }
}

fn key(program: &ProgramId, name: &[u8]) -> Vec<u8> {
    [program.0.as_slice(), name].concat()
}

impl Disk for FjallDisk {
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
        for entry in self.entries.prefix(program.0) {
            let (key, value) = entry.into_inner().map_err(DiskError::new)?;
            visit(key.get(program.0.len()..).unwrap_or_default().to_vec(), value.to_vec());
        }
        Ok(())
    }

    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        let value = self.entries.get(key(program, name)).map_err(DiskError::new)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError> {
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (name, bytes) in batch {
            match bytes {
                Some(bytes) => writes.insert(&self.entries, key(program, &name), bytes),
                None => writes.remove(&self.entries, key(program, &name)),
            }
        }
        writes.commit().map_err(DiskError::new)
    }

    fn erase(&self, program: &ProgramId) -> Result<(), DiskError> {
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncAll));
        for entry in self.entries.prefix(program.0) {
            writes.remove(&self.entries, entry.key().map_err(DiskError::new)?);
        }
        writes.commit().map_err(DiskError::new)
    }

    fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
        let mut found = BTreeSet::new();
        for entry in self.entries.iter() {
            let key = entry.key().map_err(DiskError::new)?;
            found.extend(key.first_chunk().map(|id| ProgramId(*id)));
        }
        Ok(found.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: ProgramId = ProgramId([1; 32]);
    const Q: ProgramId = ProgramId([2; 32]);

    fn entries(disk: &FjallDisk, program: &ProgramId) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut out = Vec::new();
        disk.load(program, &mut |name, bytes| out.push((name, bytes))).unwrap();
        out
    }

    #[test]
    fn a_commit_survives_and_programs_do_not_see_each_other() {
        let dir = tempfile::tempdir().unwrap();
        {
            let disk = FjallDisk::open(dir.path()).unwrap();
            disk.commit(&P, vec![(b"a".to_vec(), Some(b"1".to_vec())), (b"b".to_vec(), Some(b"2".to_vec()))]).unwrap();
            disk.commit(&Q, vec![(b"a".to_vec(), Some(b"3".to_vec()))]).unwrap();
            disk.commit(&P, vec![(b"a".to_vec(), None)]).unwrap();
        }
        let disk = FjallDisk::open(dir.path()).unwrap();
        assert_eq!(entries(&disk, &P), [(b"b".to_vec(), b"2".to_vec())]);
        assert_eq!(disk.get(&Q, b"a").unwrap(), Some(b"3".to_vec()));
        assert_eq!(disk.get(&P, b"a").unwrap(), None);
        assert_eq!(disk.programs().unwrap(), [P, Q]);
        disk.erase(&P).unwrap();
        assert_eq!(entries(&disk, &P), []);
        assert_eq!(disk.programs().unwrap(), [Q]);
    }

    #[test]
    fn a_second_process_cannot_open_the_same_disk() {
        let dir = tempfile::tempdir().unwrap();
        let _held = FjallDisk::open(dir.path()).unwrap();
        assert!(FjallDisk::open(dir.path()).is_err());
    }
}
