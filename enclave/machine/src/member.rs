//! The member: a machine that the chain counts in, or is about to. What every role needs, in one place.

use crate::{
    cabinet::Cabinet,
    chain::Submitter,
    identity::{Identity, IdentityError},
    ports::{Clock, Entropy, Machine, MachineError, Vault},
    standing::{Seen, Standing},
    task::blocking,
};
use phala_messages::{BlockRef, GenesisHash, Role, WorkerRecord, registration::Endpoint};
use phala_units::UnixMillis;
use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

/// What a member gets from outside.
#[derive(Clone)]
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The TEE.
    pub machine: Arc<dyn Machine>,
    /// A disk for sealed blobs.
    pub vault: Arc<dyn Vault>,
}

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The TEE gives no sealing key.
    #[error("the TEE: {0}")]
    Machine(#[from] MachineError),
    /// It does not know who it is.
    #[error("its identity: {0}")]
    Identity(#[from] IdentityError),
}

/// A machine of the network.
pub struct Member {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// What it wants to be.
    pub role: Role,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// What it gets from outside.
    pub ports: Ports,
    /// What it keeps.
    pub cabinet: Arc<Cabinet>,
    /// Carries its messages to the chain.
    pub submitter: Arc<dyn Submitter>,
    seen: RwLock<Seen>,
    admitted_once: AtomicBool,
    quote: RwLock<Option<Arc<Vec<u8>>>>,
    refusal: Mutex<Option<String>>,
}

impl Member {
    /// Opens or makes the identity. Blocks for as long as the TEE takes.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        genesis: GenesisHash,
        role: Role,
        endpoint: Endpoint,
        ports: Ports,
        submitter: Arc<dyn Submitter>,
    ) -> Result<Arc<Self>, StartError> {
        let sealing_key = ports.machine.sealing_key()?;
        let cabinet = Arc::new(Cabinet::new(ports.vault.clone(), &sealing_key, ports.entropy.clone()));
        let identity = Arc::new(Identity::open(&cabinet, genesis, &*ports.entropy)?);
        Ok(Arc::new(Self {
            identity,
            role,
            endpoint,
            ports,
            cabinet,
            submitter,
            seen: RwLock::new(Seen::nothing()),
            admitted_once: AtomicBool::new(false),
            quote: RwLock::default(),
            refusal: Mutex::default(),
        }))
    }

    /// What it saw of itself on chain last.
    pub fn seen(&self) -> Seen {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what the chain has under this machine's name at a finalised block, and judges how this process stands.
    pub fn observe(&self, block: BlockRef, time: UnixMillis, record: Option<WorkerRecord>) -> Seen {
        let admitted_at = record.as_ref().map(|record| record.admitted_at);
        let seen = Seen { block, time, standing: self.judge(record, time), admitted_at };
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = seen.clone();
        seen
    }

    fn judge(&self, record: Option<WorkerRecord>, time: UnixMillis) -> Standing {
        let instance = self.identity.instance;
        match record {
            Some(record) if record.admits(&instance, time) && record.registration.role == self.role => {
                self.admitted_once.store(true, Ordering::Release);
                Standing::Admitted(Arc::new(record))
            }
            Some(record) if record.registration.instance == instance => {
                Standing::Unregistered("its admission has expired".into())
            }
            // Of two processes with one identity only the one that registered last is believed.
            Some(_) if self.admitted_once.load(Ordering::Acquire) => Standing::Superseded,
            _ => Standing::Unregistered(
                self.refusal().unwrap_or_else(|| "the chain has not admitted this process yet".into()),
            ),
        }
    }

    /// A quote from the TEE.
    ///
    /// # Errors
    /// [`MachineError`].
    pub async fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, MachineError> {
        let machine = self.ports.machine.clone();
        blocking(move || machine.quote(report_data)).await
    }

    /// The evidence that was registered last.
    pub fn evidence(&self) -> Option<Arc<Vec<u8>>> {
        self.quote.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note_quote(&self, quote: Vec<u8>) {
        *self.quote.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(quote));
    }

    pub(crate) fn note_refusal(&self, reason: String) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    fn refusal(&self) -> Option<String> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
