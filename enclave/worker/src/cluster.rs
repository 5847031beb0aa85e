//! The cluster: who its workers are, who of them leads, and how to reach the others.

use phala_messages::{BlockRef, ClusterId, ClusterRecord, LeadRecord, ProgramId, Role, WorkerId, WorkerRecord};
use phala_units::UnixMillis;
use std::collections::BTreeMap;

/// A worker's cluster, as one finalised block has it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Which.
    pub id: ClusterId,
    /// Its workers; the first leads.
    pub workers: Vec<WorkerId>,
    /// What the chain knows of the lead.
    pub lead: LeadRecord,
    /// Registrations of the workers, as far as they have one.
    pub records: BTreeMap<WorkerId, WorkerRecord>,
    /// The block that says so.
    pub block: BlockRef,
    /// Its time.
    pub time: UnixMillis,
}

impl Cluster {
    /// The cluster, from what stands on chain.
    pub fn new(
        id: ClusterId,
        record: &ClusterRecord,
        lead: LeadRecord,
        records: BTreeMap<WorkerId, WorkerRecord>,
        (block, time): (BlockRef, UnixMillis),
    ) -> Self {
        Self { id, workers: record.workers.to_vec(), lead, records, block, time }
    }

    /// Who leads.
    pub fn leader(&self) -> Option<WorkerId> {
        self.workers.first().copied()
    }

    /// Whether this worker leads.
    pub fn led_by(&self, worker: &WorkerId) -> bool {
        self.workers.first() == Some(worker)
    }

    /// The registration of a member whose admission has not run out.
    pub fn admitted(&self, worker: &WorkerId) -> Option<&WorkerRecord> {
        let record = self.workers.contains(worker).then(|| self.records.get(worker)).flatten()?;
        (record.has_role(Role::Worker) && self.time < record.expires_at).then_some(record)
    }

    /// Every admitted member but `me`.
    pub fn others(&self, me: &WorkerId) -> impl Iterator<Item = (WorkerId, &WorkerRecord)> {
        let me = *me;
        self.workers.iter().filter(move |id| **id != me).filter_map(|id| Some((*id, self.admitted(id)?)))
    }

    /// How many others would take the lead before `me`, if all wanted to.
    pub fn rank(&self, me: &WorkerId) -> u32 {
        self.workers.iter().skip(1).take_while(|id| *id != me).count() as u32
    }
}

/// Where a member is reached.
pub fn endpoint(record: &WorkerRecord) -> String {
    String::from_utf8_lossy(&record.registration.endpoint).into_owned()
}

/// How many workers hold what the lead has on disk of one program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Which stand by and are admitted.
    pub standing_by: usize,
    /// Those of them that have everything that is on the lead's disk.
    pub complete: usize,
}

/// Names a program's copies in a log.
pub(crate) fn short(program: &ProgramId) -> String {
    program.to_string().chars().take(10).collect()
}
