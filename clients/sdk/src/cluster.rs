//! Clusters: who runs programs.

use crate::{
    Client, Hint, KeyPair, SubmitError,
    client::{ChainError, POLL, decode},
};
use phala_messages::{
    ClusterId, ClusterRecord, Measurement, Role, WorkerId, WorkerRecord,
    calls::{Call, Programs, Registry, Sudo},
    storage,
};
use std::time::{Duration, Instant};

/// How many clusters are asked for at once.
const BATCH: u32 = 32;

/// Why a cluster could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The chain did not take a transaction.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The cluster was founded, and is not there.
    #[error("the new cluster is not on chain")]
    Absent,
    /// A worker did not register in time.
    #[error("worker {worker} did not register within {seconds} s")]
    NotRegistered {
        /// Which.
        worker: WorkerId,
        /// How long it had.
        seconds: u64,
    },
    /// Gatekeepers did not make a master key in time.
    #[error("the gatekeepers made no master key within {seconds} s")]
    NoRoot {
        /// How long they had.
        seconds: u64,
    },
}

impl Hint for ClusterError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Chain(error) => error.hint(),
            Self::Submit(error) => error.hint(),
            Self::Absent => Some("try again".into()),
            Self::NoRoot { .. } => Some("the gatekeepers' logs say what they wait for; see DIR/logs".into()),
            Self::NotRegistered { .. } => Some("the worker's log says what it waits for; see DIR/logs".into()),
        }
    }
}

/// The call that founds a cluster.
pub const fn create_cluster_call() -> Call {
    Call::Programs(Programs::CreateCluster)
}

/// The call that gives a worker to a cluster.
pub const fn assign_worker_call(cluster: ClusterId, worker: WorkerId) -> Call {
    Call::Programs(Programs::AssignWorker { cluster, worker })
}

/// The call that takes a worker out of its cluster.
pub const fn unassign_worker_call(worker: WorkerId) -> Call {
    Call::Programs(Programs::UnassignWorker { worker })
}

impl Client {
    /// All clusters, by proof.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn clusters(&self) -> Result<Vec<(ClusterId, ClusterRecord)>, ChainError> {
        let mut all = Vec::new();
        // Clusters are numbered from 0 without gaps and are never removed.
        for first in (0..).step_by(BATCH as usize) {
            let ids: Vec<_> = (first..first + BATCH).map(ClusterId).collect();
            let keys: Vec<_> = ids.iter().map(|id| storage::cluster(*id)).collect();
            let (_, values) = self.read_raw(&keys).await?;
            for (index, id) in ids.into_iter().enumerate() {
                match decode(&values, index, "a cluster")? {
                    Some(record) => all.push((id, record)),
                    None => return Ok(all),
                }
            }
        }
        Ok(all)
    }

    /// Founds a cluster owned by `owner`.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn create_cluster(&self, owner: &KeyPair) -> Result<ClusterId, ClusterError> {
        let before = self.clusters().await?.len();
        self.submit_and_wait(owner, &create_cluster_call()).await?;
        let after = self.clusters().await?;
        let ours = after.get(before..).unwrap_or_default();
        let ours = ours.iter().rev().find(|(_, record)| record.owner == owner.account());
        ours.map(|(id, _)| *id).ok_or(ClusterError::Absent)
    }

    /// Gives `worker` to `cluster`.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn assign_worker(
        &self,
        owner: &KeyPair,
        cluster: ClusterId,
        worker: WorkerId,
    ) -> Result<(), ClusterError> {
        self.submit_and_wait(owner, &assign_worker_call(cluster, worker)).await?;
        Ok(())
    }

    /// Puts a measurement on the network's list for a role, as its administrator: from then on such machines may
    /// register in it.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn allow_measurement(
        &self,
        administrator: &KeyPair,
        role: Role,
        measurement: Measurement,
    ) -> Result<(), SubmitError> {
        let call = Box::new(Call::Registry(Registry::AllowMeasurement { role, measurement }));
        self.submit_and_wait(administrator, &Call::Sudo(Sudo::Sudo { call })).await?;
        Ok(())
    }

    /// The cluster that a worker works in.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn assignment(&self, worker: &WorkerId) -> Result<Option<ClusterId>, ChainError> {
        Ok(self.read_one(storage::assignment(worker), "an assignment").await?.1)
    }

    /// Waits until `accept` holds for the worker's registration.
    ///
    /// # Errors
    /// [`ClusterError::NotRegistered`] after `timeout`.
    pub async fn await_worker(
        &self,
        worker: WorkerId,
        timeout: Duration,
        accept: impl Fn(&WorkerRecord) -> bool,
    ) -> Result<WorkerRecord, ClusterError> {
        let deadline = Instant::now() + timeout;
        loop {
            self.advance().await?;
            if let Some(record) = self.worker(&worker).await?.filter(&accept) {
                return Ok(record);
            }
            if Instant::now() > deadline {
                return Err(ClusterError::NotRegistered { worker, seconds: timeout.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
