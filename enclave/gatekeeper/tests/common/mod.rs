//! A laboratory: a model of custody, pretended TEEs, disks that can be copied and put back.
#![allow(dead_code, unused_imports, missing_docs, reason = "each test file uses a part")]

pub mod custody;
pub mod recovery;

use phala_crypto::Secret;
use phala_machine::{Entropy, Machine, MachineError, Vault, VaultError};
use phala_messages::{
    Account, Attested, ClusterId, CodeHash, Hash, InstanceKey, Manifest, ProgramRecord, ProgramStatus, Registration,
    Role, Root, TcbStatus, Tee, TransportKey, WorkerId, WorkerRecord, collateral::Collateral, transcript::sha256,
};
use phala_units::{BlockNumber, UnixMillis};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// A stream of numbers from a seed.
#[derive(Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Chance that a seed repeats.
pub struct LabEntropy(Mutex<Chance>);

impl LabEntropy {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Chance::new(seed))))
    }
}

impl Entropy for LabEntropy {
    fn fill(&self, out: &mut [u8]) {
        let mut chance = self.0.lock().unwrap();
        for piece in out.chunks_mut(8) {
            let n = chance.next().to_le_bytes();
            piece.copy_from_slice(&n[..piece.len()]);
        }
    }
}

/// A TEE of its own for each machine: its sealing key opens nothing of another one's.
pub struct LabMachine(pub u8);

impl Machine for LabMachine {
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, MachineError> {
        Ok(report_data.to_vec())
    }

    fn sealing_key(&self) -> Result<Secret<32>, MachineError> {
        Ok(Secret::new([self.0; 32]))
    }

    fn collateral(&self) -> Result<Vec<Collateral>, MachineError> {
        Ok(vec![])
    }

    fn simulated(&self) -> bool {
        true
    }

    fn tee(&self) -> &'static str {
        "laboratory"
    }
}

/// A disk that can be copied, put back, and told to fail.
#[derive(Default)]
pub struct LabVault {
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
    broken: Mutex<bool>,
}

pub type Blobs = BTreeMap<String, Vec<u8>>;

impl LabVault {
    pub fn contents(&self) -> Blobs {
        self.blobs.lock().unwrap().clone()
    }

    pub fn put_back(&self, blobs: Blobs) {
        *self.blobs.lock().unwrap() = blobs;
    }

    pub fn with(blobs: Blobs) -> Arc<Self> {
        let vault = Arc::new(Self::default());
        vault.put_back(blobs);
        vault
    }

    pub fn break_it(&self, broken: bool) {
        *self.broken.lock().unwrap() = broken;
    }

    fn check(&self) -> Result<(), VaultError> {
        if *self.broken.lock().unwrap() { Err(VaultError("the disk is broken".into())) } else { Ok(()) }
    }
}

impl Vault for LabVault {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        self.check()?;
        Ok(self.blobs.lock().unwrap().get(name).cloned())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.check()?;
        let mut blobs = self.blobs.lock().unwrap();
        let is_under = |name: &str, folder: &str| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        if blobs.keys().any(|other| is_under(name, other) || is_under(other, name)) {
            return Err(VaultError("a name cannot be a file and a folder".into()));
        }
        blobs.insert(name.into(), bytes.into());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.check()?;
        self.blobs.lock().unwrap().remove(name);
        Ok(())
    }
}

pub const GATEKEEPER_CODE: Hash = Hash([0x47; 32]);
pub const WORKER_CODE: Hash = Hash([0x57; 32]);

pub fn record(registration: Registration, admitted: BlockNumber, now: UnixMillis, life_ms: u64) -> WorkerRecord {
    let measurement = match registration.role {
        Role::Gatekeeper => GATEKEEPER_CODE,
        Role::Worker => WORKER_CODE,
    };
    WorkerRecord {
        attested: Attested { tee: Tee::Tdx, root: Root::Development, tcb: TcbStatus::UpToDate, measurement },
        admitted_block: admitted,
        admitted_at: now,
        expires_at: now.saturating_add(life_ms),
        registration,
    }
}

/// A program of this cluster, as the chain has it.
pub fn program_record(cluster: ClusterId) -> ProgramRecord {
    ProgramRecord {
        owner: Account([0; 32]),
        name: Default::default(),
        cluster,
        slot: 0,
        code: CodeHash([1; 32]),
        code_bytes: 1,
        manifest: Manifest::default(),
        status: ProgramStatus::Deploying,
        transport: None,
        deployed: BlockNumber(1),
        commands: 0,
    }
}
