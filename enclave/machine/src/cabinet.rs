//! The cabinet: sealed blobs on somebody else's disk.
//!
//! # Properties
//! - What stands under one name does not open under another, nor for other code, nor on another machine.
//! - Names are public (they hold ids that stand on chain); contents are not.
//! - A blob that is there but does not open is an error, never "nothing": it is not silently replaced.

use crate::ports::{Entropy, Vault, VaultError};
use phala_crypto::{SEAL_NONCE_BYTES, SealKey, Secret, derive};
use std::sync::Arc;

/// Why a blob cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum CabinetError {
    /// The disk does not work.
    #[error("the vault: {0}")]
    Vault(#[from] VaultError),
    /// Altered, swapped, or sealed by other code or on another machine.
    #[error("`{0}` does not open: it was altered, or sealed by other code or on another machine")]
    Sealed(String),
}

/// Seals what goes into the vault, opens what comes out.
pub struct Cabinet {
    vault: Arc<dyn Vault>,
    key: SealKey,
    entropy: Arc<dyn Entropy>,
}

impl Cabinet {
    /// The cabinet of this code on this machine.
    pub fn new(vault: Arc<dyn Vault>, sealing_key: &Secret<32>, entropy: Arc<dyn Entropy>) -> Self {
        Self { vault, key: SealKey::new(derive(sealing_key, "phala/worker-cabinet/v1", &[])), entropy }
    }

    /// What stands under `name`.
    ///
    /// # Errors
    /// [`CabinetError`].
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CabinetError> {
        let Some(sealed) = self.vault.get(name)? else { return Ok(None) };
        self.key.open(name.as_bytes(), &sealed).map(Some).map_err(|_| CabinetError::Sealed(name.into()))
    }

    /// Whether this cabinet's key opens `sealed` as what stands under `name`.
    pub fn opens(&self, name: &str, sealed: &[u8]) -> bool {
        self.key.open(name.as_bytes(), sealed).is_ok()
    }

    /// Seals and writes a blob; back when it is on the disk for good.
    ///
    /// # Errors
    /// [`CabinetError::Vault`].
    pub fn put(&self, name: &str, plain: &[u8]) -> Result<(), CabinetError> {
        let nonce: [u8; SEAL_NONCE_BYTES] = self.entropy.bytes();
        Ok(self.vault.put(name, &self.key.seal(nonce, name.as_bytes(), plain))?)
    }

    /// Deletes a blob.
    ///
    /// # Errors
    /// [`CabinetError::Vault`].
    pub fn delete(&self, name: &str) -> Result<(), CabinetError> {
        Ok(self.vault.delete(name)?)
    }
}
