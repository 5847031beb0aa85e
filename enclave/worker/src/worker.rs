//! The worker: everything above in one place, and the task that keeps it going.

use crate::{
    artifacts,
    assignments::Observer,
    authorize::Judge,
    benchmark::Counter,
    cluster::Cluster,
    copies::Arrivals,
    custody::{ChainCustody, Custody},
    heartbeat::{Earner, WorkSeen},
    lead::Watch,
    ledger::Ledgers,
    limits::{Gate, Places},
    problem::Problem,
    programs::{MachineAttester, ProgramCell},
    results::{self, Issued},
    view::View,
};
use bytes::Bytes;
use futures::future::select;
use phala_engine::{Attester, Engine, Outbound};
use phala_follow::Rpc;
use phala_machine::{
    Cabinet, Clock, Courier, Entropy, Identity, Machine, Member, NodeProofs, NodeSubmitter, Standing, StartError,
    Submitter, Vault,
    registration::Registrar,
    task::{Task, blocking},
    trail::Trail,
};
use phala_messages::{CodeHash, GenesisHash, ProgramId, Role, registration::Endpoint};
use phala_state::Disk;
use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64},
    },
};
use tokio::sync::{Notify, Semaphore, watch};

/// What a worker gets from outside.
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The TEE.
    pub machine: Arc<dyn Machine>,
    /// A disk for programs' state.
    pub disk: Arc<dyn Disk>,
    /// A disk for everything else.
    pub vault: Arc<dyn Vault>,
    /// How queries fetch.
    pub outbound: Arc<dyn Outbound>,
    /// How gatekeepers and other workers are reached.
    pub courier: Arc<dyn Courier>,
}

/// How a worker is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which network.
    pub genesis: GenesisHash,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// A head older than that is not served from.
    pub head_age_ms_max: u64,
    /// How often the node is asked for a newer head.
    pub poll_ms: u64,
    /// How much runs at once.
    pub places: Places,
    /// Cores that the benchmark runs on: all that programs may have.
    pub lanes: usize,
}

/// How old a head may be when nobody says otherwise.
pub const HEAD_AGE_MS_MAX: u64 = 60_000;

/// Counts, for whoever watches the worker.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Queries answered by programs.
    pub queries: AtomicU64,
    /// Queries answered by a problem inside the channel.
    pub problems: AtomicU64,
    /// Requests refused before they were opened, or because they did not open.
    pub refused: AtomicU64,
    /// Commands answered.
    pub commands: AtomicU64,
}

/// A worker.
pub struct Worker {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// How it is set up.
    pub config: Config,
    /// Counts.
    pub metrics: Metrics,
    pub(crate) ports: Ports,
    pub(crate) cabinet: Arc<Cabinet>,
    pub(crate) engine: Engine,
    pub(crate) custody: Arc<dyn Custody>,
    pub(crate) submitter: Arc<dyn Submitter>,
    pub(crate) member: Arc<Member>,
    pub(crate) attester: Arc<dyn Attester>,
    pub(crate) gate: Gate,
    pub(crate) judge: Judge,
    pub(crate) compiling: Semaphore,
    /// Every write to programs' disks.
    pub(crate) ledgers: Ledgers,
    /// Copies that come in.
    pub(crate) arrivals: Arrivals,
    /// A copy that goes out because the lead asked for it: one at a time.
    pub(crate) giving: Arc<Semaphore>,
    /// Number of the next message to another worker.
    pub(crate) said: AtomicU64,
    /// What the benchmark has done in this process.
    pub(crate) iterations: Arc<Counter>,
    work: RwLock<Option<Arc<WorkSeen>>>,
    cluster: RwLock<Option<Arc<Cluster>>>,
    view: RwLock<Arc<View>>,
    cells: RwLock<Arc<HashMap<ProgramId, Arc<ProgramCell>>>>,
    changed: AtomicBool,
    change: Notify,
    failure: watch::Sender<Option<String>>,
}

impl Worker {
    /// Wakes a worker: opens or makes its identity. Blocks for as long as the TEE takes. Nothing is served before [`Worker::run`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start<R: Rpc + Send + Sync + 'static>(
        config: Config,
        ports: Ports,
        engine: Engine,
        rpc: Arc<R>,
    ) -> Result<Arc<Self>, StartError> {
        let (clock, entropy, courier) = (ports.clock.clone(), ports.entropy.clone(), ports.courier.clone());
        let proofs = Arc::new(NodeProofs(rpc.clone()));
        let custody = |identity: Arc<Identity>| -> Arc<dyn Custody> {
            Arc::new(ChainCustody::new(identity, clock, entropy, proofs, courier))
        };
        Self::start_with(config, ports, engine, rpc, custody)
    }

    /// The same with programs' keys from elsewhere.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_with<R: Rpc + Send + Sync + 'static>(
        config: Config,
        ports: Ports,
        engine: Engine,
        rpc: Arc<R>,
        custody: impl FnOnce(Arc<Identity>) -> Arc<dyn Custody>,
    ) -> Result<Arc<Self>, StartError> {
        let common = phala_machine::Ports {
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            machine: ports.machine.clone(),
            vault: ports.vault.clone(),
        };
        let submitter = Arc::new(NodeSubmitter(rpc));
        let member = Member::start(config.genesis, Role::Worker, config.endpoint.clone(), common, submitter)?;
        let identity = member.identity.clone();
        let custody = custody(identity.clone());
        Ok(Arc::new(Self {
            judge: Judge::new(config.genesis, identity.instance),
            custody,
            submitter: member.submitter.clone(),
            cabinet: member.cabinet.clone(),
            attester: Arc::new(MachineAttester(ports.machine.clone())),
            gate: Gate::new(config.places),
            compiling: Semaphore::new(1),
            ledgers: Ledgers::new(ports.disk.clone()),
            arrivals: Arrivals::default(),
            giving: Arc::new(Semaphore::new(1)),
            said: AtomicU64::new(1),
            iterations: Arc::default(),
            work: RwLock::default(),
            cluster: RwLock::default(),
            view: RwLock::new(Arc::new(View::nothing())),
            cells: RwLock::default(),
            changed: AtomicBool::new(false),
            change: Notify::new(),
            failure: watch::Sender::new(None),
            metrics: Metrics::default(),
            identity,
            member,
            config,
            ports,
            engine,
        }))
    }

    /// Follows the chain, registers, and keeps programs, until something makes that impossible; says what.
    pub async fn run<R: Rpc + Send + Sync + 'static>(self: Arc<Self>, rpc: Arc<R>) -> String {
        let follower = match Trail::follower(&self.member, &*rpc, self.config.poll_ms).await {
            Ok(follower) => follower,
            Err(reason) => return reason,
        };
        let _registrar = Task::start(Registrar::new(self.member.clone()).run());
        let _watch = Task::start(Watch::new(self.clone()).run());
        let _earner = Task::start(Earner::new(self.clone()).run());
        let mut failure = self.failure.subscribe();
        let mut observer = Observer::new(self.clone(), rpc, follower);
        let reason = loop {
            match observer.observe().await {
                Ok(false) => {}
                Ok(true) => {
                    break "a newer process of this worker has registered with the chain; this one stops. \
                           If you did not start another, somebody runs a copy of this worker's disk"
                        .into();
                }
                Err(error) => {
                    tracing::warn!(%error, "the chain cannot be followed at the moment");
                    self.ports.clock.sleep(self.config.poll_ms * 4).await;
                }
            }
            if let Some(reason) = failure.borrow_and_update().clone() {
                break reason;
            }
            let change = std::pin::pin!(self.change.notified());
            drop(select(change, self.ports.clock.sleep(self.config.poll_ms)).await);
        };
        self.gate.close();
        reason
    }

    /// Chance, as states want it.
    pub(crate) fn entropy(&self) -> Arc<dyn phala_state::Entropy> {
        let entropy = self.ports.entropy.clone();
        Arc::new(move |out: &mut [u8]| entropy.fill(out))
    }

    /// What this worker sees of the chain.
    pub fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_view(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// The cluster that this worker works in, as far as it has followed the chain.
    pub fn cluster(&self) -> Option<Arc<Cluster>> {
        self.cluster.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_cluster(&self, cluster: Option<Cluster>) {
        *self.cluster.write().unwrap_or_else(PoisonError::into_inner) = cluster.map(Arc::new);
    }

    /// What the chain has of this worker's work, as far as it has followed it.
    pub fn work(&self) -> Option<Arc<WorkSeen>> {
        self.work.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_work(&self, seen: WorkSeen) {
        *self.work.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(seen));
    }

    /// Whether this worker may serve at all.
    ///
    /// # Errors
    /// See [`View::may_serve`]; [`Problem::Stopping`].
    pub fn may_serve(&self, view: &View) -> Result<(), Problem> {
        if self.failure.borrow().is_some() {
            return Err(Problem::Stopping);
        }
        view.may_serve(self.ports.clock.now(), self.config.head_age_ms_max)
    }

    /// Lets no new request in.
    pub fn close(&self) {
        self.gate.close();
    }

    /// Calls that run and requests that wait.
    pub fn load(&self) -> (usize, usize) {
        (self.gate.running(), self.gate.waiting())
    }

    /// What this worker holds of a program.
    ///
    /// # Errors
    /// [`Problem::UnknownProgram`].
    pub fn cell(&self, program: &ProgramId) -> Result<Arc<ProgramCell>, Problem> {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner).clone();
        cells.get(program).cloned().ok_or(Problem::UnknownProgram(*program))
    }

    pub(crate) fn cells_of_code(&self, code: &CodeHash) -> Vec<Arc<ProgramCell>> {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner).clone();
        cells.values().filter(|cell| cell.chain().code_bytes(code).is_some()).cloned().collect()
    }

    pub(crate) fn set_cells(&self, cells: Vec<Arc<ProgramCell>>) {
        let cells = cells.into_iter().map(|cell| (cell.id, cell)).collect();
        *self.cells.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(cells);
    }

    /// Takes a program's code.
    ///
    /// # Errors
    /// [`Problem::CodeUnassigned`], [`Problem::CodeHash`], [`Problem::Disk`].
    pub async fn store_code(self: &Arc<Self>, code: CodeHash, component: Vec<u8>) -> Result<(), Problem> {
        artifacts::store(self, code, component).await
    }

    /// The code with this hash, if a program of this worker has it: for other workers of its cluster.
    ///
    /// # Errors
    /// [`Problem::CodeUnassigned`], [`Problem::NeedsCode`].
    pub async fn code(&self, code: &CodeHash) -> Result<Vec<u8>, Problem> {
        artifacts::give(self, code).await
    }

    /// Size of the code with this hash, if a program of this worker has it.
    ///
    /// # Errors
    /// [`Problem::CodeUnassigned`].
    pub fn code_bytes(&self, code: &CodeHash) -> Result<u32, Problem> {
        let sizes = self.cells_of_code(code).into_iter().filter_map(|cell| cell.chain().code_bytes(code));
        sizes.max().ok_or(Problem::CodeUnassigned)
    }

    /// The result of a command, once it is final; waits up to `wait_ms` for it.
    ///
    /// # Errors
    /// [`Problem::UnknownProgram`], [`Problem::ResultPending`], [`Problem::ResultGone`], [`Problem::CommandSealed`].
    pub async fn result(&self, program: &ProgramId, index: u64, wait_ms: u64) -> Result<Bytes, Problem> {
        let cell = self.cell(program)?;
        let mut deadline = self.ports.clock.sleep(wait_ms);
        loop {
            let more = std::pin::pin!(cell.results.more());
            let mut more = more;
            more.as_mut().enable();
            match issued(&cell, index).await {
                Ok(Issued::Sealed(bytes)) => return Ok(bytes.into()),
                Ok(Issued::Unopened) => return Err(Problem::CommandSealed),
                Err(Problem::ResultPending) if wait_ms > 0 => {}
                Err(problem) => return Err(problem),
            }
            match select(more, deadline).await {
                futures::future::Either::Left((_, rest)) => deadline = rest,
                futures::future::Either::Right(_) => return Err(Problem::ResultPending),
            }
        }
    }

    /// The evidence that was registered last.
    pub fn evidence(&self) -> Option<Arc<Vec<u8>>> {
        self.member.evidence()
    }

    /// Something that queries should see has changed.
    pub(crate) fn note_change(&self) {
        self.changed.store(true, std::sync::atomic::Ordering::Release);
        self.change.notify_one();
    }

    pub(crate) fn take_change(&self) -> bool {
        self.changed.swap(false, std::sync::atomic::Ordering::AcqRel)
    }

    /// This worker doubts itself: it serves nothing more and stops.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(reason, "stopping");
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert(reason);
            first
        });
        self.note_change();
    }

    /// The TEE's name, and whether it is a simulation.
    pub fn tee(&self) -> (&'static str, bool) {
        (self.ports.machine.tee(), self.ports.machine.simulated())
    }

    /// How this process stands, in one word, and why.
    pub fn standing(&self) -> (&'static str, Option<String>) {
        match &self.view().standing {
            Standing::Admitted(_) => ("admitted", None),
            Standing::Unregistered(why) => ("unregistered", Some(why.clone())),
            Standing::Superseded => ("superseded", None),
        }
    }
}

async fn issued(cell: &Arc<ProgramCell>, index: u64) -> Result<Issued, Problem> {
    if let Some(issued) = cell.results.fresh(index) {
        return Ok(issued);
    }
    let cell = cell.clone();
    blocking(move || {
        let loaded = cell.loaded().ok_or_else(|| cell.phase())?;
        results::read(&loaded.lock_state(), index)
    })
    .await
}
