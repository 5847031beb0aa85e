//! The disk: sealed entries of programs in one fjall database, sealed blobs as files beside it.

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use phala_machine::{Vault, VaultError};
use phala_messages::ProgramId;
use phala_state::{Batch, Disk, DiskError};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

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

/// Blobs as files.
pub struct FileVault(PathBuf);

impl FileVault {
    /// A vault in `dir`, made if need be.
    ///
    /// # Errors
    /// The system's word.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self(dir.into()))
    }

    fn path(&self, name: &str) -> Result<PathBuf, VaultError> {
        let plain =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if name.split('/').all(plain) {
            Ok(self.0.join(name))
        } else {
            Err(VaultError(format!("`{name}` is no name for a blob")))
        }
    }
}

fn put_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(dir)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(dir)?.sync_all()
}

impl Vault for FileVault {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        match fs::read(self.path(name)?) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VaultError(format!("{name}: {error}"))),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        put_file(&self.path(name)?, bytes).map_err(|error| VaultError(format!("{name}: {error}")))
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        match fs::remove_file(self.path(name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VaultError(format!("{name}: {error}"))),
            _ => Ok(()),
        }
    }
}

/// Blobs in memory, for a worker that keeps nothing.
#[derive(Default)]
pub struct MemoryVault(std::sync::Mutex<std::collections::BTreeMap<String, Vec<u8>>>);

impl MemoryVault {
    fn blobs(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Vault for MemoryVault {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.blobs().get(name).cloned())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.blobs().insert(name.into(), bytes.into());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.blobs().remove(name);
        Ok(())
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

    #[test]
    fn a_vault_gives_back_what_it_was_given() {
        let dir = tempfile::tempdir().unwrap();
        let vaults: [&dyn Vault; 2] = [&FileVault::open(dir.path()).unwrap(), &MemoryVault::default()];
        for vault in vaults {
            assert_eq!(vault.get("a/b").unwrap(), None);
            vault.put("a/b", b"1").unwrap();
            vault.put("a/b", b"2").unwrap();
            assert_eq!(vault.get("a/b").unwrap(), Some(b"2".to_vec()));
            vault.delete("a/b").unwrap();
            vault.delete("a/b").unwrap();
            assert_eq!(vault.get("a/b").unwrap(), None);
        }
    }

    #[test]
    fn no_name_leads_out_of_the_vault() {
        let dir = tempfile::tempdir().unwrap();
        let vault = FileVault::open(dir.path()).unwrap();
        for name in ["", "..", "a/../b", "/etc/passwd", "a//b", "a.new"] {
            assert!(vault.put(name, b"x").is_err(), "{name}");
        }
    }
}
