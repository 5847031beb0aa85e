//! The vault: sealed blobs as files, or in memory.

use phala_machine::{Vault, VaultError};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

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

/// Blobs in memory, for a process that keeps nothing.
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
