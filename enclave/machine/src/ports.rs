//! What a machine needs from outside: time, chance, a TEE, a disk. Whoever serves it brings these;
//! tests bring others.

use futures::future::BoxFuture;
use phala_crypto::Secret;
use phala_messages::collateral::Collateral;
use phala_units::UnixMillis;

/// The time, and waiting for it.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> UnixMillis;
    /// Waits.
    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()>;
}

/// Chance.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out` with bytes that nobody can guess.
    fn fill(&self, out: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` bytes that nobody can guess.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A secret that nobody can guess.
    pub fn secret(&self) -> Secret<32> {
        Secret::generate(|out| self.fill(out))
    }
}

/// Why the TEE did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MachineError(pub String);

/// The TEE around this process. Its calls may block for as long as a quote takes.
pub trait Machine: Send + Sync + 'static {
    /// Evidence that this code runs on this machine and said `report_data`.
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, MachineError>;
    /// A key that this code gets on this machine, and no other code on no other machine.
    fn sealing_key(&self) -> Result<Secret<32>, MachineError>;
    /// What Intel says about this machine, as far as the machine knows it.
    fn collateral(&self) -> Result<Vec<Collateral>, MachineError>;
    /// Whether this is a simulation that keeps no secret.
    fn simulated(&self) -> bool;
    /// Its name as people read it.
    fn tee(&self) -> &'static str;
}

/// Why the vault did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct VaultError(pub String);

/// Somebody else's disk, for whole blobs. Names are paths: what is a blob's name is no other's folder. It sees names and sealed bytes; it may lose, keep or swap them.
pub trait Vault: Send + Sync + 'static {
    /// A blob.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError>;
    /// Writes a blob, whole or not at all; back only when it is on the disk for good.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError>;
    /// Deletes a blob, if there is one.
    fn delete(&self, name: &str) -> Result<(), VaultError>;
}
