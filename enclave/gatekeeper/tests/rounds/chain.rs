//! The chain: a model. Who is admitted, and who works for the program, is said by the world.

use crate::{
    common::{custody::Custody as Model, program_record, record},
    world::CLUSTER,
};
use phala_enclave_gatekeeper::{release::Facts, rounds::Say};
use phala_messages::{
    Account, ClusterRecord, InstanceKey, KeyRecord, Refusal, Registration, WorkerId,
    custody::{Parameters, RoundLogs, RoundNumber, RoundRecord},
    release::KeyQuery,
};
use phala_units::{BlockNumber, UnixMillis};
use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

pub use crate::common::custody::ROOT;

pub fn id(n: usize) -> WorkerId {
    WorkerId([n as u8 + 1; 32])
}

/// The key of a gatekeeper's how-manieth process.
pub fn instance(n: usize, start: u32) -> InstanceKey {
    let mut key = [n as u8; 32];
    key[..4].copy_from_slice(&start.to_le_bytes());
    InstanceKey(key)
}

pub struct Custody {
    model: Model,
    processes: BTreeMap<usize, u32>,
    worker: Option<Registration>,
}

impl Deref for Custody {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}

impl DerefMut for Custody {
    fn deref_mut(&mut self) -> &mut Model {
        &mut self.model
    }
}

impl Custody {
    pub fn new(parameters: Parameters) -> Self {
        Self { model: Model::new(parameters), processes: BTreeMap::new(), worker: None }
    }

    /// A round that is kept.
    pub fn kept(&self, number: RoundNumber) -> Option<(RoundRecord, RoundLogs)> {
        self.model.rounds.get(&number).cloned()
    }

    /// Counts in this process of gatekeeper `n`, in place of any other.
    pub fn register(&mut self, n: usize, start: u32) {
        self.processes.insert(n, start);
    }

    /// What a process says.
    pub fn tell(&mut self, (n, start): (usize, u32), say: &Say, now: BlockNumber) -> Result<(), Refusal> {
        if self.processes.get(&n) != Some(&start) {
            return Err(Refusal::GatekeeperSignature);
        }
        match say {
            Say::Log(message) => self.model.commit_log(message, now),
            Say::Confirm(message) => self.model.confirm(message, now),
            Say::Report(message) => self.model.report(message, now),
            Say::Complain(message) => self.model.complain(message),
            other => panic!("no custodians were appointed: {other:?}"),
        }
    }

    /// A member goes of its own will.
    pub fn leave(&mut self, gatekeeper: WorkerId) {
        self.model.eligible.retain(|one| one.gatekeeper != gatekeeper);
    }

    /// Governance sends a member away.
    pub fn expel(&mut self, gatekeeper: WorkerId) {
        self.leave(gatekeeper);
        self.model.cheats.insert(gatekeeper);
    }

    pub fn assign(&mut self, worker: &Registration, assigned: bool) {
        self.worker = assigned.then(|| worker.clone());
    }

    pub fn facts(&mut self, _query: &KeyQuery) -> Facts {
        let worker = self.worker.as_ref();
        let workers = Vec::from_iter(worker.map(|worker| worker.worker));
        let cluster = ClusterRecord {
            owner: Account([0; 32]),
            workers: workers.try_into().expect("one is not too many"),
            slots: 0,
            activity: 0,
        };
        let record = worker.map(|one| record(one.clone(), BlockNumber(1), UnixMillis(0), 1_000_000_000));
        Facts {
            listed: record.is_some(),
            worker: record,
            assignment: worker.map(|_| CLUSTER),
            program: Some(program_record(CLUSTER)),
            cluster: Some(cluster),
            root: Some(ROOT),
            open_root: Some(ROOT),
            keys: KeyRecord::default(),
        }
    }
}
