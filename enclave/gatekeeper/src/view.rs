//! The view: what a gatekeeper sees of the chain, whole and consistent, replaced as one.
//!
//! # Properties
//! - Everything in a view is true at its block.

use crate::problem::Problem;
use phala_follow::{Finalized, Head};
use phala_machine::Standing;
use phala_messages::{
    BlockRef, WorkerId, WorkerRecord,
    custody::{DeliveryHead, EpochNumber, EpochRecord, Parameters, RootGeneration, RootRecord, RoundLogs, RoundRecord},
    recovery::{CeremonyRecord, CustodianSet, EpochOutput, SeatBackup, SetNumber},
};
use phala_units::UnixMillis;
use std::{collections::BTreeMap, sync::Arc};

/// How old the newest block that a gatekeeper could verify may be while it gives parts of keys out: 20 blocks of two seconds.
/// Whoever keeps news from it gains that much time after a revocation, and no more.
pub const HEAD_AGE_MS_MAX: u64 = 20 * 2_000;

/// The newest round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundView {
    /// What it is and where it stands.
    pub record: RoundRecord,
    /// Which logs were committed.
    pub logs: RoundLogs,
}

/// A root and its current epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootView {
    /// The root.
    pub record: RootRecord,
    /// Its epoch. None when the chain has forgotten it, as it does when a root is closed.
    pub epoch: Option<Arc<EpochRecord>>,
}

/// What a machine must know of the seat that it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatView {
    /// The seat's backup.
    pub backup: SeatBackup,
    /// The custodians for whom it was made.
    pub set: CustodianSet,
    /// What the epoch came to.
    pub output: EpochOutput,
}

/// What concerns recovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryView {
    /// For whom backups are made. None before any were appointed.
    pub custodians: Option<CustodianSet>,
    /// Of which epoch, and for which custodians, the chain has a backup of this gatekeeper's own seats.
    pub backed: BTreeMap<RootGeneration, (EpochNumber, SetNumber)>,
    /// Of which epoch the chain keeps the output.
    pub outputs: BTreeMap<RootGeneration, EpochNumber>,
    /// Ceremonies that stand.
    pub ceremonies: BTreeMap<RootGeneration, Arc<CeremonyRecord>>,
    /// Seats that this machine is bound to.
    pub seats: BTreeMap<RootGeneration, Arc<SeatView>>,
}

/// What a gatekeeper sees of the chain.
#[derive(Clone, Debug)]
pub struct View {
    /// The finalised head, for further reads. None in a view that was not read by proof.
    pub head: Option<Finalized<Head>>,
    /// The same block, by height and hash.
    pub block: BlockRef,
    /// Its time.
    pub time: UnixMillis,
    /// How this process stands there.
    pub standing: Standing,
    /// Times of rounds.
    pub parameters: Parameters,
    /// The newest round, running or over.
    pub round: Option<Arc<RoundView>>,
    /// Older rounds that made a current epoch of which this gatekeeper, a member, holds no key share yet.
    pub missed: Vec<Arc<RoundView>>,
    /// Roots that concern this gatekeeper.
    pub roots: BTreeMap<RootGeneration, RootView>,
    /// Epochs that concern it: current ones, and the one that the newest round hands on.
    pub epochs: BTreeMap<EpochNumber, Arc<EpochRecord>>,
    /// Members, dealers and players that are admitted as gatekeepers, with a measurement on the list.
    pub machines: BTreeMap<WorkerId, Arc<WorkerRecord>>,
    /// Where the log of this gatekeeper's deliveries stands on chain.
    pub delivered: DeliveryHead,
    /// Backups and ceremonies.
    pub recovery: RecoveryView,
}

impl View {
    /// Before anything was proven.
    pub fn nothing() -> Self {
        Self {
            head: None,
            block: BlockRef::default(),
            time: UnixMillis(0),
            standing: Standing::Unregistered("this gatekeeper has just started".into()),
            parameters: Parameters::DEFAULT,
            round: None,
            missed: Vec::new(),
            roots: BTreeMap::new(),
            epochs: BTreeMap::new(),
            machines: BTreeMap::new(),
            delivered: DeliveryHead::default(),
            recovery: RecoveryView::default(),
        }
    }

    /// This process's own record, while it is admitted.
    pub fn own(&self) -> Option<&Arc<WorkerRecord>> {
        match &self.standing {
            Standing::Admitted(record) => Some(record),
            Standing::Unregistered(_) | Standing::Superseded => None,
        }
    }

    /// Another gatekeeper, if it is admitted at `now`.
    pub fn machine(&self, gatekeeper: &WorkerId, now: UnixMillis) -> Option<&Arc<WorkerRecord>> {
        self.machines.get(gatekeeper).filter(|record| now.max(self.time) < record.expires_at)
    }

    /// Whether this gatekeeper may give anything out at `now`.
    ///
    /// # Errors
    /// [`Problem::Superseded`], [`Problem::Unregistered`], [`Problem::Stale`].
    pub fn may_serve(&self, now: UnixMillis) -> Result<(), Problem> {
        Ok(self.standing.may_serve(self.time, now, HEAD_AGE_MS_MAX)?)
    }
}
