//! The gatekeeper: everything in one place, and the task that keeps it going.
//!
//! ```text
//! loop   observe ─► rounds ─► ask others ─► tell the chain
//! HTTP   /v1/peer  /v1/key  (sealed)      /v1/output  /v1/delivery  (plain: public things)  /v1/recovery  (sealed inside)
//! ```

use crate::{
    deliveries::Deliveries,
    observer::{NodeProofs, Observer, Proofs},
    peers::{self, PEER_PATH, PeerRefusal, PeerReply, Peers, SignedPeerRequest},
    problem::Problem,
    release::{QueryPlace, QueryPlaces, Remembered},
    rounds::{Ask, Doubt, Rounds, Say},
    view::View,
};
use codec::{DecodeAll, Encode};
use futures::future::{Either, select};
use phala_follow::Rpc;
use phala_machine::{
    Identity, Member, NodeSubmitter, Ports, Standing, StartError as MemberError, SubmitError,
    registration::Registrar,
    task::{Task, blocking},
    trail::Trail,
};
use phala_messages::{
    Account, GenesisHash, Hash, ParticipantKey, Role, WorkerId,
    calls::{Call, Custody, Recovery},
    custody::{Candidacy, CustodyMessage, DeliveryBatch, EpochNumber, RootGeneration, RoundNumber, Signed, place_of},
    recovery::RECOVERY_PATH,
    registration::Endpoint,
    release::{DELIVERY_PATH, KEY_PATH, OUTPUT_PATH},
    transcript::sha256,
};
use phala_units::{BlockNumber, UnixMillis};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

/// A peer that has not answered by then is asked again.
pub const PEER_MS_MAX: u64 = 5_000;
/// How long to wait before a peer is asked again.
const PEER_RETRY_MS: u64 = 1_000;
/// After so many blocks without effect a message is submitted again.
const SAY_AGAIN_BLOCKS: u32 = 3;

/// How a gatekeeper is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which network.
    pub genesis: GenesisHash,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// How often the node is asked for a newer head.
    pub poll_ms: u64,
}

/// Why a gatekeeper does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The TEE, or the identity.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// What it keeps.
    #[error("what it keeps: {0}")]
    Kept(#[from] Doubt),
}

/// Counts, for whoever watches the gatekeeper.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Parts of keys given out by this process.
    pub released: AtomicU64,
    /// Queries for keys that were refused.
    pub refused: AtomicU64,
    /// Requests of gatekeepers that were answered.
    pub peers: AtomicU64,
    /// Requests that did not open.
    pub unopened: AtomicU64,
}

/// A gatekeeper.
pub struct Gatekeeper {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// How it is set up.
    pub config: Config,
    /// What it deals with.
    pub participant: ParticipantKey,
    /// Counts.
    pub metrics: Metrics,
    pub(crate) member: Arc<Member>,
    pub(crate) proofs: Arc<dyn Proofs>,
    peers: Arc<dyn Peers>,
    rounds: Mutex<Rounds>,
    deliveries: Mutex<Deliveries>,
    remembered: Mutex<Remembered>,
    queries: QueryPlaces,
    view: RwLock<Arc<View>>,
    /// Who is being asked about what.
    asking: Mutex<BTreeSet<(WorkerId, (u8, u64))>>,
    /// What was submitted last, and when.
    said: Mutex<BTreeMap<Hash, BlockNumber>>,
    wake: Notify,
    failure: watch::Sender<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gatekeeper {
    /// Wakes a gatekeeper: opens or makes its identity and its participant key, and reads what it keeps. Blocks for as long as
    /// the TEE takes. Nothing is served before [`Gatekeeper::run`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start<R: Rpc + Send + Sync + 'static>(
        config: Config,
        ports: Ports,
        peers: Arc<dyn Peers>,
        rpc: Arc<R>,
    ) -> Result<Arc<Self>, StartError> {
        let submitter = Arc::new(NodeSubmitter(rpc.clone()));
        let member = Member::start(config.genesis, Role::Gatekeeper, config.endpoint.clone(), ports, submitter)?;
        let identity = member.identity.clone();
        let (cabinet, entropy) = (member.cabinet.clone(), member.ports.entropy.clone());
        let rounds = Rounds::open(config.genesis, identity.worker, cabinet.clone(), entropy)?;
        let deliveries = Deliveries::open(cabinet, identity.worker)?;
        Ok(Arc::new(Self {
            participant: ParticipantKey(rounds.participant().0),
            rounds: Mutex::new(rounds),
            deliveries: Mutex::new(deliveries),
            proofs: Arc::new(NodeProofs(rpc)),
            metrics: Metrics::default(),
            remembered: Mutex::default(),
            queries: QueryPlaces::default(),
            view: RwLock::new(Arc::new(View::nothing())),
            asking: Mutex::default(),
            said: Mutex::default(),
            wake: Notify::new(),
            failure: watch::Sender::new(None),
            identity,
            config,
            member,
            peers,
        }))
    }

    /// Follows the chain, registers, and takes part in rounds, until something makes that impossible; says what. Then nothing
    /// secret is left in memory.
    pub async fn run<R: Rpc + Send + Sync + 'static>(self: Arc<Self>, rpc: Arc<R>) -> String {
        let follower = match Trail::follower(&self.member, &*rpc, self.config.poll_ms).await {
            Ok(follower) => follower,
            Err(reason) => return reason,
        };
        let _registrar = Task::start(Registrar::new(self.member.clone()).run());
        let mut observer = Observer::new(self.member.clone(), rpc, self.proofs.clone(), follower);
        let mut tasks = JoinSet::new();
        loop {
            let held = self.rounds().held();
            match observer.observe(&held).await {
                Ok(None) => {}
                Ok(Some(view)) => self.take_view(view).await,
                Err(error) => {
                    tracing::warn!(%error, "the chain cannot be followed at the moment");
                    self.member.ports.clock.sleep(self.config.poll_ms * 4).await;
                }
            }
            if self.view().standing == Standing::Superseded {
                self.fail(
                    "a newer process of this gatekeeper has registered with the chain; this one stops. \
                     If you did not start another, somebody runs a copy of this gatekeeper's disk"
                        .into(),
                );
            }
            if let Some(reason) = self.failure.borrow().clone() {
                return reason;
            }
            self.ask(&mut tasks);
            self.tell().await;
            while tasks.try_join_next().is_some() {}
            let wake = std::pin::pin!(self.wake.notified());
            drop(select(wake, self.member.ports.clock.sleep(self.config.poll_ms)).await);
        }
    }

    async fn take_view(self: &Arc<Self>, view: View) {
        let view = Arc::new(view);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        // Computing an output takes a while in a large round.
        let this = self.clone();
        let outcome = blocking(move || this.rounds().observe(&view)).await;
        self.settle(outcome);
    }

    /// Stops when there is doubt.
    pub(crate) fn settle<T>(&self, outcome: Result<T, Doubt>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(doubt) => {
                self.fail(doubt.to_string());
                None
            }
        }
    }

    /// This gatekeeper doubts itself: it serves nothing more, forgets all secrets, and stops.
    fn fail(&self, reason: String) {
        tracing::error!(reason, "stopping");
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert(reason);
            first
        });
        self.rounds().forget();
        self.wake.notify_one();
    }

    // ---- others

    /// Asks other gatekeepers for what is missing.
    fn ask(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        let view = self.view();
        if self.may_serve(&view).is_err() {
            return;
        }
        let asks = self.rounds().asks(&view);
        for ask in asks {
            let name = (ask.to, ask.request.topic());
            if lock(&self.asking).insert(name) {
                let this = self.clone();
                tasks.spawn(async move {
                    let again_ms = this.clone().ask_one(ask).await;
                    if again_ms > 0 {
                        this.member.ports.clock.sleep(again_ms).await;
                    }
                    lock(&this.asking).remove(&name);
                    this.wake.notify_one();
                });
            }
        }
    }

    /// Asks one gatekeeper for one thing; after how long to ask it again.
    async fn ask_one(self: Arc<Self>, ask: Ask) -> u64 {
        let Ask { to, request } = ask;
        let view = self.view();
        let Some(record) = view.machine(&to, self.member.ports.clock.now()).cloned() else { return PEER_RETRY_MS };
        let registration = &record.registration;
        let message = SignedPeerRequest::sign(&self.identity, &registration.instance, &request).encode();
        let (Ok((sealed, opener)), Ok(endpoint)) =
            (peers::seal(&registration.transport, PEER_PATH, message), core::str::from_utf8(&registration.endpoint))
        else {
            return PEER_RETRY_MS;
        };
        let limit = self.member.ports.clock.sleep(PEER_MS_MAX);
        let reply = match select(self.peers.post(endpoint, PEER_PATH, sealed), limit).await {
            Either::Left((reply, _)) => reply.and_then(|bytes| peers::open_answer::<PeerReply>(opener, &bytes)),
            Either::Right(_) => return PEER_RETRY_MS,
        };
        match reply {
            Ok(Ok(answer)) => {
                let this = self.clone();
                // Newer than the one that the question came from, perhaps.
                let view = self.view();
                let outcome = blocking(move || this.rounds().take(&view, &to, &request, answer)).await;
                self.settle(outcome);
                0
            }
            Ok(Err(refusal)) => {
                tracing::debug!(%to, %refusal, "a gatekeeper refuses");
                PEER_RETRY_MS
            }
            Err(error) => {
                tracing::debug!(%to, %error, "a gatekeeper does not answer");
                PEER_RETRY_MS
            }
        }
    }

    // ---- the chain

    /// Tells the chain what it should know.
    async fn tell(&self) {
        let view = self.view();
        if view.own().is_none() {
            return;
        }
        let mut says = self.rounds().says(&view);
        says.extend(self.rounds().says_of_recovery(&view));
        let mut calls: Vec<Call> = says.into_iter().map(|say| self.call(say)).collect();
        let batch = self.deliveries().observe(&view);
        if let Some(Some(batch)) = self.settle(batch) {
            calls.push(Call::Custody(Box::new(Custody::LogDeliveries { batch: self.signed::<DeliveryBatch>(batch) })));
        }
        let now = view.block.number;
        lock(&self.said).retain(|_, at| now.since(*at) < SAY_AGAIN_BLOCKS);
        for call in calls {
            let name = sha256(&call.encode());
            if lock(&self.said).insert(name, now).is_some() {
                continue;
            }
            match self.member.submitter.submit(&call).await {
                Ok(()) | Err(SubmitError::Known | SubmitError::Had) => {}
                Err(error) => tracing::warn!(%error, "the chain does not take a message"),
            }
        }
    }

    fn call(&self, say: Say) -> Call {
        Call::Custody(Box::new(match say {
            Say::Log(message) => Custody::CommitLog { commitment: self.signed(message) },
            Say::Confirm(message) => Custody::Confirm { confirmation: self.signed(message) },
            Say::Report(message) => Custody::ReportOutput { report: Box::new(self.signed(message)) },
            Say::Complain(message) => Custody::Complain { complaint: Box::new(self.signed(message)) },
            Say::Backup(message) => return recovery(Recovery::StoreBackup { backup: Box::new(self.signed(*message)) }),
            Say::Output(root, output) => return recovery(Recovery::StoreOutput { root, output }),
            Say::Object(message) => return recovery(Recovery::Object { objection: self.signed(message) }),
            Say::Take(message) => return recovery(Recovery::TakeSeat { taken: self.signed(message) }),
        }))
    }

    fn signed<M: CustodyMessage>(&self, message: M) -> Signed<M> {
        let hash = message.signing_hash(&self.identity.genesis);
        let signature = self.identity.sign_as_instance(&hash.0);
        Signed { message, signature }
    }

    /// This gatekeeper's consent that `account` bonds for it; hand it to the account's owner.
    pub fn consent(&self, account: Account) -> Signed<Candidacy> {
        let message = Candidacy { gatekeeper: self.identity.worker, participant: self.participant, account };
        let hash = message.signing_hash(&self.identity.genesis);
        let signature = self.identity.sign_as_worker(&hash.0);
        Signed { message, signature }
    }

    // ---- HTTP

    /// Answers a POST of `bytes` to `path`. What comes back from a sealed path is sealed (`message/ohttp-res`); from the others
    /// it is SCALE (`application/octet-stream`).
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn handle(self: &Arc<Self>, path: &str, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
        if self.failure.borrow().is_some() {
            return Err(Problem::Stopping);
        }
        match path {
            PEER_PATH => self.handle_peer(bytes).await,
            KEY_PATH => {
                let (query, sealer) = self.open(path, bytes)?;
                let reply = self.release(&query).await;
                let count = if reply.is_ok() { &self.metrics.released } else { &self.metrics.refused };
                count.fetch_add(1, Ordering::Relaxed);
                peers::seal_answer(sealer, reply.encode())
            }
            RECOVERY_PATH => Ok(self.recover(bytes).await.encode()),
            OUTPUT_PATH => {
                let epoch =
                    EpochNumber::decode_all(&mut &*bytes).map_err(|_| Problem::Malformed("an epoch's number"))?;
                self.rounds().output(epoch).map(|output| output.encode()).ok_or(Problem::Unknown)
            }
            DELIVERY_PATH => {
                let (sequence, index) =
                    DecodeAll::decode_all(&mut &*bytes).map_err(|_| Problem::Malformed("sequence and index"))?;
                let proof = self.deliveries().proof(sequence, index).map_err(|_| Problem::Disk)?;
                proof.map(|proof| proof.encode()).ok_or(Problem::Unknown)
            }
            _ => Err(Problem::NotFound),
        }
    }

    fn open(
        &self,
        path: &str,
        bytes: &[u8],
    ) -> Result<(zeroize::Zeroizing<Vec<u8>>, phala_crypto::channel::ResponseSealer), Problem> {
        peers::open(self.identity.channel(), path, bytes).inspect_err(|_| {
            self.metrics.unopened.fetch_add(1, Ordering::Relaxed);
        })
    }

    async fn handle_peer(self: &Arc<Self>, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
        let (message, sealer) = self.open(PEER_PATH, bytes)?;
        let view = self.view();
        self.may_serve(&view)?;
        let reply = match SignedPeerRequest::decode_all(&mut message.as_slice()) {
            Err(_) => Err(PeerRefusal::Malformed),
            Ok(signed) => match view.machine(&signed.sender, self.member.ports.clock.now()) {
                None => Err(PeerRefusal::NotAdmitted),
                Some(record) => {
                    let sender = record.registration.instance;
                    match signed.open(&self.identity.genesis, &self.identity.instance, &sender) {
                        Err(refusal) => Err(refusal),
                        Ok(request) => {
                            let this = self.clone();
                            let outcome = blocking(move || this.rounds().answer(&view, &signed.sender, &request)).await;
                            self.settle(outcome).ok_or(Problem::Stopping)?
                        }
                    }
                }
            },
        };
        self.metrics.peers.fetch_add(1, Ordering::Relaxed);
        peers::seal_answer(sealer, reply.encode())
    }

    // ---- state

    /// What this gatekeeper sees of the chain.
    pub fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this gatekeeper may give anything out.
    ///
    /// # Errors
    /// See [`View::may_serve`]; [`Problem::Stopping`].
    pub fn may_serve(&self, view: &View) -> Result<(), Problem> {
        if self.failure.borrow().is_some() {
            return Err(Problem::Stopping);
        }
        view.may_serve(self.member.ports.clock.now())
    }

    pub(crate) fn rounds(&self) -> MutexGuard<'_, Rounds> {
        lock(&self.rounds)
    }

    pub(crate) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        lock(&self.deliveries)
    }

    pub(crate) fn remembered(&self) -> MutexGuard<'_, Remembered> {
        lock(&self.remembered)
    }

    pub(crate) fn query_place(&self) -> Option<QueryPlace<'_>> {
        self.queries.take()
    }

    /// How this gatekeeper stands.
    pub fn status(&self) -> Status {
        let view = self.view();
        let (standing, reason) = match &view.standing {
            Standing::Admitted(_) => ("admitted", None),
            Standing::Unregistered(why) => ("unregistered", Some(why.clone())),
            Standing::Superseded => ("superseded", None),
        };
        let now = self.member.ports.clock.now();
        let rounds = self.rounds();
        let roots = view.roots.iter().filter_map(|(root, seen)| {
            let epoch = seen.epoch.as_ref()?;
            Some(RootLine {
                root: *root,
                epoch: epoch.epoch,
                threshold: epoch.threshold,
                members: epoch.members.iter().map(|member| member.gatekeeper).collect(),
                is_member: place_of(&epoch.members, &self.identity.worker).is_some(),
                holds_key_share: rounds.shares().epoch(*root) == Some(epoch.epoch),
                group_key: epoch.group_key.to_string(),
                refreshed_at_block: epoch.since,
            })
        });
        let roots = roots.collect();
        let round = view.round.as_ref().map(|seen| RoundLine {
            round: seen.record.number,
            phase: format!("{:?}", seen.record.phase),
            deadline_block: seen.record.deadline,
            deals: place_of(&seen.record.dealers, &self.identity.worker).is_some(),
            plays: place_of(&seen.record.players, &self.identity.worker).is_some(),
        });
        let deliveries = self.deliveries();
        Status {
            gatekeeper: self.identity.worker,
            participant: self.participant,
            standing,
            reason: self.failure.borrow().clone().or(reason),
            serving: self.may_serve(&view).is_ok(),
            block: view.block.number,
            block_time: view.time,
            head_age_ms: now.since(view.time),
            roots,
            round,
            deliveries_by_this_process: self.metrics.released.load(Ordering::Relaxed),
            deliveries_waiting: deliveries.waiting(),
            delivery_batches: view.delivered.next,
            tee: self.member.ports.machine.tee(),
            simulated: self.member.ports.machine.simulated(),
        }
    }

    /// The evidence that was registered last.
    pub fn evidence(&self) -> Option<Arc<Vec<u8>>> {
        self.member.evidence()
    }
}

fn recovery(call: Recovery) -> Call {
    Call::Recovery(Box::new(call))
}

/// A root, as a gatekeeper's status shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RootLine {
    /// Which.
    pub root: RootGeneration,
    /// Its current epoch.
    pub epoch: EpochNumber,
    /// How many key shares give a program's key.
    pub threshold: u32,
    /// Who holds key shares.
    pub members: Vec<WorkerId>,
    /// Whether this gatekeeper is one of them.
    pub is_member: bool,
    /// Whether it holds the key share of this epoch.
    pub holds_key_share: bool,
    /// The master public key.
    pub group_key: String,
    /// Block since which the epoch holds.
    pub refreshed_at_block: BlockNumber,
}

/// The newest round, as a gatekeeper's status shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoundLine {
    /// Which.
    pub round: RoundNumber,
    /// Where it stands.
    pub phase: String,
    /// When that ends.
    pub deadline_block: BlockNumber,
    /// Whether this gatekeeper deals.
    pub deals: bool,
    /// Whether it is to hold a key share.
    pub plays: bool,
}

/// How a gatekeeper stands. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Who it is.
    pub gatekeeper: WorkerId,
    /// What it deals with.
    pub participant: ParticipantKey,
    /// In one word.
    pub standing: &'static str,
    /// And why.
    pub reason: Option<String>,
    /// Whether it gives anything out now.
    pub serving: bool,
    /// Height of the newest block that it verified.
    pub block: BlockNumber,
    /// Its time.
    pub block_time: UnixMillis,
    /// How old that is.
    pub head_age_ms: u64,
    /// The roots that concern it.
    pub roots: Vec<RootLine>,
    /// The newest round.
    pub round: Option<RoundLine>,
    /// Parts of keys that this process gave out.
    pub deliveries_by_this_process: u64,
    /// Deliveries that the chain has no root over yet.
    pub deliveries_waiting: usize,
    /// Batches of deliveries on chain.
    pub delivery_batches: u64,
    /// The TEE's name.
    pub tee: &'static str,
    /// Whether it is a simulation that keeps no secret.
    pub simulated: bool,
}
