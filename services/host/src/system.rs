//! The operating system behind the enclave's ports: time, chance, the TEE.

use futures::future::BoxFuture;
use phala_crypto::Secret;
use phala_machine::{Clock, Entropy, Machine, MachineError};
use phala_messages::collateral::Collateral;
use phala_platform::{Platform, PlatformError};
use phala_units::UnixMillis;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// The system's entropy.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("a system without entropy keeps no secrets");
    }
}

/// A platform as the enclave's machine.
pub struct PlatformMachine {
    platform: Arc<dyn Platform>,
    /// Where the platform has no sealing key and nothing is to be kept: a key for this process only.
    ephemeral: Option<Secret<32>>,
    /// Names the role, so that no two roles on one machine have the same sealing key.
    role: &'static str,
}

impl PlatformMachine {
    /// A machine that keeps what it seals over restarts.
    pub fn new(platform: Arc<dyn Platform>, role: &'static str) -> Self {
        Self { platform, ephemeral: None, role }
    }

    /// A machine that forgets everything with the process.
    pub fn ephemeral(platform: Arc<dyn Platform>, role: &'static str) -> Self {
        Self { platform, ephemeral: Some(Secret::generate(|out| SystemEntropy.fill(out))), role }
    }
}

fn error(error: PlatformError) -> MachineError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    MachineError(text)
}

impl Machine for PlatformMachine {
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, MachineError> {
        self.platform.quote(report_data).map_err(error)
    }

    fn sealing_key(&self) -> Result<Secret<32>, MachineError> {
        match &self.ephemeral {
            Some(key) => Ok(key.duplicate()),
            None => self.platform.sealing_key(self.role).map_err(error),
        }
    }

    fn collateral(&self) -> Result<Vec<Collateral>, MachineError> {
        self.platform.collateral().map_err(error)
    }

    fn simulated(&self) -> bool {
        self.platform.simulated()
    }

    fn tee(&self) -> &'static str {
        self.platform.name()
    }
}
