//! Assignments: from the newest finalised head to what this worker has to do.
//!
//! ```text
//! head ─► time, our registration, our cluster            one proof per head
//!           └► cluster.activity changed? ─► slots ─► programs and anchors ─► commands
//! ```
//! While a cluster's `activity` stands still there is nothing else to read.

use crate::{
    cluster::Cluster,
    heartbeat::WorkSeen,
    keeper::Keeper,
    logs::Logs,
    moves::KeySide,
    problem::Problem,
    programs::{ChainSide, ProgramCell},
    view::{Entry, View},
    worker::Worker,
};
use codec::Decode;
use phala_follow::{FollowError, Follower, Rpc};
use phala_machine::{
    Seen, Standing,
    chain::{Unreadable, read},
    task::{Task, blocking},
    trail::Trail,
};
use phala_messages::{
    AnchorRecord, BlockRef, ClusterId, ClusterRecord, CommandRecord, KeyRecord, LeadRecord, ProgramId, ProgramRecord,
    WorkerId, WorkerRecord, computation::WorkRecord, custody::RootGeneration, storage,
};
use phala_units::UnixMillis;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Keys of small values in one proof.
const KEYS_PER_PROOF: usize = 256;
/// Commands in one proof: the largest fill 16 MiB together with their proof's nodes.
const COMMANDS_PER_PROOF: usize = 48;
/// Commands of one program that are fetched ahead.
const INBOX_MAX: usize = 1_024;

/// Why a head was not observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The node, or its proofs.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The chain is of another version.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The chain skipped a command, which it cannot.
    #[error("command {index} of program {program} is missing on chain")]
    MissingCommand {
        /// Whose.
        program: ProgramId,
        /// Which.
        index: u64,
    },
}

/// Follows the chain and keeps the worker's view of it.
pub struct Observer<R> {
    worker: Arc<Worker>,
    rpc: Arc<R>,
    follower: Follower,
    cluster: Option<ClusterId>,
    activity: Option<u64>,
    open_root: Option<RootGeneration>,
    programs: BTreeMap<ProgramId, Known>,
    keepers: HashMap<ProgramId, Kept>,
    /// Whether the follower's head was looked at.
    looked: bool,
    /// The head that was looked at last.
    seen: Option<Seen>,
    trail: Trail,
}

/// What the chain says of a program.
type Known = (Arc<ProgramRecord>, Arc<AnchorRecord>, Arc<KeySide>);

struct Kept {
    cell: Arc<ProgramCell>,
    _task: Task,
}

impl<R: Rpc + Send + Sync + 'static> Observer<R> {
    /// An observer that goes on from `follower`.
    pub fn new(worker: Arc<Worker>, rpc: Arc<R>, follower: Follower) -> Self {
        Self {
            worker,
            rpc,
            follower,
            cluster: None,
            activity: None,
            open_root: None,
            programs: BTreeMap::new(),
            keepers: HashMap::new(),
            looked: false,
            seen: None,
            trail: Trail::default(),
        }
    }

    /// Moves to the newest finalised head and looks at everything that concerns this worker there.
    /// True when another process of this worker has taken its place.
    ///
    /// # Errors
    /// [`ObserveError`]; the view stays as it was.
    pub async fn observe(&mut self) -> Result<bool, ObserveError> {
        while self.follower.advance(&*self.rpc).await? {
            self.looked = false;
        }
        if !self.looked {
            self.look().await?;
            self.looked = true;
            self.trail.save(&self.worker.member, &self.follower);
        }
        if self.worker.take_change() {
            self.publish();
        }
        self.fetch_commands().await?;
        Ok(self.worker.view().standing == Standing::Superseded)
    }

    async fn values(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, FollowError> {
        let mut out = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_PER_PROOF) {
            out.extend(self.follower.read(&*self.rpc, keys).await?.into_inner());
        }
        Ok(out)
    }

    async fn value<T: Decode>(&self, what: &'static str, key: Vec<u8>) -> Result<Option<T>, ObserveError> {
        let values = self.values(&[key]).await?;
        Ok(read(what, values.first().and_then(Option::as_ref))?)
    }

    async fn look(&mut self) -> Result<(), ObserveError> {
        let id = self.worker.identity.worker;
        let mut keys = vec![
            storage::timestamp_now(),
            storage::worker(&id),
            storage::assignment(&id),
            storage::open_root(),
            storage::work(&id),
        ];
        keys.extend(self.cluster.map(storage::cluster));
        let values = self.values(&keys).await?;
        let at = |n: usize| values.get(n).and_then(Option::as_ref);
        let time = read::<u64>("time", at(0))?.map_or(UnixMillis(0), UnixMillis);
        let record: Option<WorkerRecord> = read("worker record", at(1))?;
        let assigned: Option<ClusterId> = read("assignment", at(2))?;
        let cluster: Option<ClusterRecord> = match assigned {
            Some(id) if self.cluster == Some(id) => read("cluster", at(5))?,
            Some(id) => self.value("cluster", storage::cluster(id)).await?,
            None => None,
        };
        let activity = cluster.as_ref().map(|cluster| cluster.activity);
        let open_root: Option<RootGeneration> = read("open root", at(3))?;
        if assigned != self.cluster || activity != self.activity || open_root != self.open_root {
            self.programs = match (assigned, &cluster) {
                (Some(id), Some(cluster)) => self.read_programs(id, cluster, open_root).await?,
                _ => BTreeMap::new(),
            };
            self.open_root = open_root;
            self.cluster = assigned;
            self.activity = activity;
        }
        self.worker.custody.see(self.follower.head());
        let work: Option<WorkRecord> = read("record of work", at(4))?;
        let at = (self.follower.head().block(), time);
        self.worker.set_work(WorkSeen { block: at.0, time, record: work });
        let cluster = match (assigned, &cluster) {
            (Some(id), Some(cluster)) => Some(self.read_members(id, cluster, at).await?),
            _ => None,
        };
        let leads = cluster.as_ref().is_some_and(|cluster| cluster.led_by(&id));
        let leader = cluster.as_ref().and_then(Cluster::leader);
        self.worker.set_cluster(cluster);
        let seen = self.worker.member.observe(at.0, time, record);
        self.assign(seen.block, &seen.standing, leads, leader).await;
        self.seen = Some(seen);
        self.worker.note_change();
        Ok(())
    }

    /// Who the cluster's workers are, and who leads.
    async fn read_members(
        &self,
        id: ClusterId,
        cluster: &ClusterRecord,
        at: (BlockRef, UnixMillis),
    ) -> Result<Cluster, ObserveError> {
        // Who works alone leads, and need not know more.
        if cluster.workers.len() < 2 {
            return Ok(Cluster::new(id, cluster, LeadRecord::default(), BTreeMap::new(), at));
        }
        let keys: Vec<_> = [storage::lead(id)].into_iter().chain(cluster.workers.iter().map(storage::worker)).collect();
        let values = self.values(&keys).await?;
        let lead = read("lead", values.first().and_then(Option::as_ref))?.unwrap_or_default();
        let mut records = BTreeMap::new();
        for (worker, value) in cluster.workers.iter().zip(values.iter().skip(1)) {
            let record: Option<WorkerRecord> = read("worker record", value.as_ref())?;
            records.extend(record.map(|record| (*worker, record)));
        }
        Ok(Cluster::new(id, cluster, lead, records, at))
    }

    async fn read_programs(
        &self,
        id: ClusterId,
        cluster: &ClusterRecord,
        open_root: Option<RootGeneration>,
    ) -> Result<BTreeMap<ProgramId, Known>, ObserveError> {
        let keys: Vec<_> = (0..cluster.slots).map(|slot| storage::cluster_program(id, slot)).collect();
        let mut ids: Vec<ProgramId> = Vec::new();
        for value in self.values(&keys).await? {
            ids.extend(read::<ProgramId>("program slot", value.as_ref())?);
        }
        let of = |id| [storage::program(id), storage::anchor(id), storage::program_root(id), storage::key_record(id)];
        let keys: Vec<_> = ids.iter().flat_map(of).collect();
        let values = self.values(&keys).await?;
        let mut programs = BTreeMap::new();
        for (id, four) in ids.iter().zip(values.chunks(4)) {
            let [program, anchor, root, keys] = four else { continue };
            let program = read::<ProgramRecord>("program", program.as_ref())?;
            let anchor = read::<AnchorRecord>("anchor", anchor.as_ref())?;
            let root = read::<RootGeneration>("program's root", root.as_ref())?;
            let record = read::<KeyRecord>("program's keys", keys.as_ref())?.unwrap_or_default();
            if let (Some(program), Some(anchor)) = (program, anchor) {
                let keys = KeySide { root, open_root, record };
                programs.insert(*id, (Arc::new(program), Arc::new(anchor), Arc::new(keys)));
            }
        }
        Ok(programs)
    }

    /// Starts keepers of new programs, stops those of removed ones, tells all what the chain says.
    async fn assign(&mut self, block: BlockRef, standing: &Standing, leads: bool, leader: Option<WorkerId>) {
        let registered = matches!(standing, Standing::Admitted(_));
        let gone = |id: &ProgramId, kept: &Kept| !self.programs.contains_key(id) || kept.cell.leads != leads;
        let removed: Vec<ProgramId> =
            self.keepers.iter().filter(|(id, kept)| gone(id, kept)).map(|(id, _)| *id).collect();
        for id in removed {
            let Some(kept) = self.keepers.remove(&id) else { continue };
            kept.cell.retire();
            if self.programs.contains_key(&id) {
                tracing::info!(program = %id, leads, "another worker leads now");
            } else {
                tracing::info!(program = %id, "the program was removed, or given to others");
            }
        }
        for (id, (record, anchor, keys)) in &self.programs {
            let (record, anchor, keys) = (record.clone(), anchor.clone(), keys.clone());
            let chain = ChainSide { block, registered, record, anchor, keys };
            if let Some(kept) = self.keepers.get(id) {
                kept.cell.observe(chain);
                continue;
            }
            tracing::info!(program = %id, leads, "assigned");
            let logs = Arc::new(Logs::new(self.worker.ports.clock.clone()));
            let cell = Arc::new(ProgramCell::new(*id, chain, leads, logs, self.worker.gate.program()));
            if let Some(leader) = leader.filter(|_| !leads) {
                cell.set_phase(Problem::StandsBy(leader));
                // From here on the disk is the lead's to change; a keeper that was here writes nothing any more.
                let ledger = self.worker.ledgers.of(id);
                blocking(move || ledger.stand_by()).await;
            }
            let task = Task::start(Keeper::new(self.worker.clone(), cell.clone()).run());
            self.keepers.insert(*id, Kept { cell, _task: task });
        }
        self.worker.set_cells(self.keepers.values().map(|kept| kept.cell.clone()).collect());
    }

    /// Reads commands that the inboxes do not have yet.
    async fn fetch_commands(&self) -> Result<(), ObserveError> {
        for kept in self.keepers.values() {
            let cell = &kept.cell;
            if cell.loaded().is_none() {
                continue;
            }
            let chain = cell.chain();
            loop {
                let (next, room) = {
                    let inbox = cell.lock_inbox();
                    (inbox.next(), INBOX_MAX.saturating_sub(inbox.len()).min(COMMANDS_PER_PROOF))
                };
                let end = chain.record.commands.min(next.saturating_add(room as u64));
                // What lies before the anchor is answered and gone; it is not for this disk to ask again.
                if next < chain.anchor.version || next >= end {
                    break;
                }
                let keys: Vec<_> = (next..end).map(|index| storage::command(&cell.id, index)).collect();
                let values = self.values(&keys).await?;
                for (index, value) in (next..end).zip(&values) {
                    let command: CommandRecord = read("command", value.as_ref())?
                        .ok_or(ObserveError::MissingCommand { program: cell.id, index })?;
                    if cell.lock_inbox().put(index, command).is_err() {
                        // The keeper has started over meanwhile; the next look fetches what it needs.
                        break;
                    }
                }
                cell.wake();
            }
        }
        Ok(())
    }

    /// Lets queries see what was found.
    fn publish(&self) {
        let Some(Seen { block, time, standing, .. }) = self.seen.clone() else { return };
        let programs: HashMap<ProgramId, Entry> = self
            .keepers
            .iter()
            .map(|(id, kept)| {
                let chain = kept.cell.chain();
                let loaded = kept.cell.side(&chain).ok();
                let serving = kept.cell.serving(&chain);
                (*id, Entry { cell: kept.cell.clone(), chain, loaded, serving })
            })
            .collect();
        self.worker.set_view(View { block, time, standing, programs: Arc::new(programs) });
    }
}
