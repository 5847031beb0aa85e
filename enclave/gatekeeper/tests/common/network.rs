//! A network: a small chain with real headers, justifications and proofs, on it the model of custody, a registry that believes
//! every quote, one cluster; gatekeepers that reach each other through a port that can be disturbed; a worker.
#![allow(dead_code, unused_imports, missing_docs, reason = "each test file uses a part")]

#[path = "../../../../wire/follow/tests/common/mod.rs"]
pub mod chain;

use super::common::{
    self, Chance, LabEntropy, LabMachine, LabVault, custody::*, program_record, record, recovery::Recovery,
};
use chain::{Chain, Node, State};
use codec::{Decode, DecodeAll, Encode};
use futures::future::BoxFuture;
use phala_crypto::{Secret, verify_ed25519};
use phala_enclave_gatekeeper::{Config, Gatekeeper, PeerError, Peers, Problem, peers, release::key_identity};
use phala_follow::{Rpc, RpcError};
use phala_machine::{Cabinet, Clock, Entropy, Identity, Ports, registration::parse_endpoint};
use phala_messages::{
    Account, ClusterId, ClusterRecord, CodeEpoch, CodeHash, Hash, Manifest, ProgramId, ProgramRecord, ProgramStatus,
    Refusal, Registration, Role, WorkerId, WorkerRecord,
    custody::{
        Complaint, Confirmation, CustodyMessage, DeliveryBatch, LogCommitment, Member, OutputReport, Parameters,
        RootGeneration, Signed,
    },
    recovery::{EpochOutput, Objection, SeatBackup, SeatTaken},
    registration::Submission,
    release::{KEY_PATH, KeyAnswer, KeyQuery, KeyReply, SignedKeyQuery, seal_info},
    storage,
};
use phala_threshold::{Output, PartialKey, ParticipantKey, combine};
use phala_units::{BlockNumber, UnixMillis};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub const CLUSTER: ClusterId = ClusterId(1);
pub const PROGRAM: ProgramId = ProgramId([0x50; 32]);
/// Another program of the same cluster, whose key comes from no root.
pub const ROOTLESS: ProgramId = ProgramId([0x51; 32]);

/// Time that passes with the chain, and as far as a test moves it. Waiting is real, but short.
#[derive(Default)]
pub struct LabClock(AtomicU64);

impl LabClock {
    pub fn set(&self, ms: u64) {
        self.0.fetch_max(ms, Ordering::SeqCst);
    }

    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for LabClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms / 50 + 1)))
    }
}

struct Inner {
    node: Node,
    next: State,
    custody: Custody,
    recovery: Recovery,
    /// Time that each proof takes.
    slow_ms: u64,
    silent: bool,
}

/// A chain of one node.
pub struct Network {
    inner: Mutex<Inner>,
    pub clock: Arc<LabClock>,
}

fn get<T: Decode>(state: &State, key: &[u8]) -> Option<T> {
    state.get(key).map(|bytes| T::decode(&mut bytes.as_slice()).unwrap())
}

fn write_recovery(state: &mut State, recovery: &Recovery) {
    if let Some(set) = &recovery.set {
        state.insert(storage::custodians(), set.encode());
        state.insert(storage::custodian_set(set.number), set.encode());
    }
    for (place, backup) in &recovery.backups {
        state.insert(storage::seat_backup(ROOT, *place), backup.encode());
    }
    if let Some((epoch, output)) = &recovery.output {
        state.insert(storage::output_epoch(ROOT), epoch.encode());
        state.insert(storage::epoch_output(ROOT), output.encode());
    }
    match &recovery.ceremony {
        Some(ceremony) => {
            state.insert(storage::active_ceremonies(), vec![ROOT].encode());
            state.insert(storage::ceremony(ROOT), ceremony.encode());
        }
        None => {
            state.remove(&storage::active_ceremonies());
            state.remove(&storage::ceremony(ROOT));
        }
    }
}

fn refuse(rule: Refusal) -> RpcError {
    RpcError::Refused { code: 1010, message: format!("Invalid Transaction: Custom error: {}", rule.code()) }
}

impl Network {
    pub fn new(parameters: Parameters) -> Arc<Self> {
        let mut chain = Chain::new(1, &[1, 2, 3]);
        chain.block(|state| {
            for (role, code) in [(Role::Gatekeeper, common::GATEKEEPER_CODE), (Role::Worker, common::WORKER_CODE)] {
                state.insert(storage::measurement(role, &code), vec![]);
            }
            let cluster = ClusterRecord { owner: Account([0; 32]), workers: Default::default(), slots: 0, activity: 0 };
            state.insert(storage::cluster(CLUSTER), cluster.encode());
            for program in [PROGRAM, ROOTLESS] {
                state.insert(storage::program(&program), program_record(CLUSTER).encode());
            }
            state.insert(storage::program_root(&PROGRAM), ROOT.encode());
        });
        let clock = Arc::new(LabClock::default());
        clock.set(Chain::time_ms(chain.head().header.number));
        let next = chain.head().state.clone();
        let custody = Custody::new(parameters);
        let inner =
            Inner { node: Node::new(chain), next, custody, recovery: Recovery::default(), slow_ms: 0, silent: false };
        Arc::new(Self { inner: Mutex::new(inner), clock })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn genesis(&self) -> phala_messages::GenesisHash {
        self.lock().node.chain.genesis()
    }

    pub fn height(&self) -> BlockNumber {
        BlockNumber(self.lock().node.chain.head().header.number)
    }

    /// Changes the state of the next block.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock().next);
    }

    pub fn custody<T>(&self, look: impl FnOnce(&mut Custody) -> T) -> T {
        look(&mut self.lock().custody)
    }

    pub fn recovery<T>(&self, look: impl FnOnce(&mut Recovery, &mut Custody) -> T) -> T {
        let inner = &mut *self.lock();
        look(&mut inner.recovery, &mut inner.custody)
    }

    pub fn slow(&self, ms: u64) {
        self.lock().slow_ms = ms;
    }

    pub fn silence(&self, silent: bool) {
        self.lock().silent = silent;
    }

    /// Makes a final block of everything that was taken.
    pub fn seal(&self) {
        let mut inner = self.lock();
        let Inner { node, next, custody, recovery, .. } = &mut *inner;
        let number = BlockNumber(node.chain.head().header.number + 1);
        let now = UnixMillis(Chain::time_ms(number.0));
        next.insert(storage::custody_parameters(), custody.parameters.encode());
        next.insert(storage::newest_round(), custody.newest.encode());
        for (number, (record, logs)) in &custody.rounds {
            next.insert(storage::round(*number), record.encode());
            next.insert(storage::round_logs(*number), logs.encode());
        }
        for (number, epoch) in &custody.epochs {
            next.insert(storage::epoch(*number), epoch.encode());
        }
        if let Some(root) = &custody.root {
            next.insert(storage::root(ROOT), root.encode());
            next.entry(storage::open_root()).or_insert_with(|| ROOT.encode());
        }
        for (gatekeeper, head) in &custody.heads {
            next.insert(storage::delivery_head(gatekeeper), head.encode());
        }
        write_recovery(next, recovery);
        let state = next.clone();
        node.chain.reseal(state);
        let admitted = |id: &WorkerId| {
            get::<WorkerRecord>(next, &storage::worker(id))
                .is_some_and(|record| record.has_role(Role::Gatekeeper) && now < record.expires_at)
        };
        // What the next block does by itself, before anything is submitted to it.
        custody.advance(number.next(), admitted);
        recovery.advance(custody);
        drop(inner);
        self.clock.set(now.0);
    }

    /// Admits a machine without evidence.
    pub fn admit(&self, registration: Registration, life_ms: u64) {
        let mut inner = self.lock();
        let number = inner.node.chain.head().header.number + 1;
        let now = UnixMillis(Chain::time_ms(number));
        let key = storage::worker(&registration.worker);
        let record = record(registration, BlockNumber(number), now, life_ms);
        inner.next.insert(key, record.encode());
    }

    pub fn assign(&self, worker: WorkerId, assigned: bool) {
        self.change(|state| {
            let mut cluster: ClusterRecord = get(state, &storage::cluster(CLUSTER)).unwrap();
            cluster.workers.retain(|one| *one != worker);
            state.remove(&storage::assignment(&worker));
            if assigned {
                cluster.workers.try_push(worker).unwrap();
                state.insert(storage::assignment(&worker), CLUSTER.encode());
            }
            state.insert(storage::cluster(CLUSTER), cluster.encode());
        });
    }
}

impl Inner {
    fn submit(&mut self, extrinsic: &[u8]) -> Result<(), RpcError> {
        let mut bytes = extrinsic;
        codec::Compact::<u32>::decode(&mut bytes).unwrap();
        // Preamble (2 bytes), era, nonce, tip, metadata-hash mode.
        let mut call = &bytes[6..];
        let index = <[u8; 2]>::decode(&mut call).unwrap();
        let now = BlockNumber(self.node.chain.head().header.number + 1);
        match index {
            [50, 0] => return self.register(Submission::decode(&mut call).unwrap()),
            [52, 8] => {
                let message = self.message::<LogCommitment>(call)?;
                self.custody.commit_log(&message, now)
            }
            [52, 9] => {
                let message = self.message::<Confirmation>(call)?;
                self.custody.confirm(&message, now)
            }
            [52, 10] => {
                let message = self.message::<OutputReport>(call)?;
                self.custody.report(&message, now)
            }
            [52, 11] => {
                let message = self.message::<Complaint>(call)?;
                self.custody.complain(&message)
            }
            [52, 12] => {
                let message = self.message::<DeliveryBatch>(call)?;
                self.custody.log_deliveries(&message, now)
            }
            [53, 5] => {
                let message = self.message::<SeatBackup>(call)?;
                self.recovery.store_backup(&message, &self.custody)
            }
            [53, 6] => {
                let (_, output) = <(RootGeneration, EpochOutput)>::decode(&mut call).unwrap();
                self.recovery.store_output(&output, &self.custody)
            }
            [53, 8] => {
                let message = self.message::<Objection>(call)?;
                self.recovery.object(&message, &mut self.custody)
            }
            [53, 9] => {
                let message = self.message::<SeatTaken>(call)?;
                self.recovery.take(&message, &mut self.custody, now)
            }
            other => panic!("no gatekeeper makes call {other:?}"),
        }
        .map_err(refuse)
    }

    fn message<M: CustodyMessage + Decode>(&self, mut call: &[u8]) -> Result<M, RpcError> {
        let message = M::decode(&mut call).unwrap();
        let signature = <[u8; 64]>::decode(&mut call).unwrap();
        let record: Option<WorkerRecord> = get(&self.next, &storage::worker(&message.sender()));
        let record = record.ok_or(refuse(Refusal::GatekeeperNotAdmitted))?;
        let hash = message.signing_hash(&self.node.chain.genesis());
        if !verify_ed25519(&record.registration.instance.0, &hash.0, &signature) {
            return Err(refuse(Refusal::GatekeeperSignature));
        }
        Ok(message)
    }

    fn register(&mut self, submission: Submission) -> Result<(), RpcError> {
        let Submission { registration, block, quote, signature } = submission;
        let hash = registration.signing_hash(&block.hash, &self.node.chain.genesis(), &quote);
        assert!(verify_ed25519(&registration.worker.0, &hash.0, &signature), "signed by the machine's identity");
        let number = self.node.chain.head().header.number + 1;
        let now = UnixMillis(Chain::time_ms(number));
        let key = storage::worker(&registration.worker);
        let before = get::<WorkerRecord>(&self.next, &key).filter(|r| r.registration.instance == registration.instance);
        let admitted = before.map_or(BlockNumber(number), |record| record.admitted_block);
        self.next.insert(key, record(registration, admitted, now, 3_600_000).encode());
        Ok(())
    }
}

impl Rpc for Network {
    fn call(&self, method: &str, params: Value) -> impl Future<Output = Result<Value, RpcError>> + Send {
        let mut inner = self.lock();
        if method == "state_getReadProof" {
            self.clock.advance(inner.slow_ms);
        }
        let reply = if inner.silent {
            Err(RpcError::Unreachable("as asked".into()))
        } else if method == "author_submitExtrinsic" {
            let extrinsic = hex::decode(&params[0].as_str().unwrap()[2..]).unwrap();
            inner.submit(&extrinsic).map(|()| Value::String(Hash::default().to_string()))
        } else {
            // The node's own future is ready at once.
            futures::executor::block_on(inner.node.call(method, params))
        };
        drop(inner);
        std::future::ready(reply)
    }
}

/// What happens to requests between gatekeepers, in percent.
#[derive(Clone, Copy, Default)]
pub struct Disturbance {
    pub lose: u64,
    pub alter: u64,
    pub double: u64,
}

/// Between gatekeepers.
#[derive(Default)]
pub struct Streets {
    houses: Mutex<BTreeMap<String, Weak<Gatekeeper>>>,
    pub disturbance: Mutex<Disturbance>,
    chance: Mutex<Option<Chance>>,
    /// What was last posted, sealed.
    pub posted: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Streets {
    fn percent(&self, percent: u64) -> bool {
        self.chance.lock().unwrap().get_or_insert_with(|| Chance::new(1)).percent(percent)
    }
}

impl Peers for Streets {
    fn post<'a>(
        &'a self,
        endpoint: &'a str,
        path: &'a str,
        mut body: Vec<u8>,
    ) -> BoxFuture<'a, Result<Vec<u8>, PeerError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let house = self.houses.lock().unwrap().get(endpoint).and_then(Weak::upgrade);
            let house = house.ok_or(PeerError("nobody lives there".into()))?;
            let Disturbance { lose, alter, double } = *self.disturbance.lock().unwrap();
            self.posted.lock().unwrap().push((endpoint.into(), body.clone()));
            if self.percent(lose) {
                return Err(PeerError("lost".into()));
            }
            if self.percent(alter) {
                let middle = body.len() / 2;
                body[middle] ^= 1;
            }
            if self.percent(double) {
                let _ = house.handle(path, &body).await;
            }
            let answer = house.handle(path, &body).await.map_err(|problem| PeerError(problem.to_string()))?;
            if self.percent(lose) { Err(PeerError("lost".into())) } else { Ok(answer) }
        })
    }
}

/// A gatekeeper's process. Dropping it is `kill -9`.
pub struct Process {
    pub gatekeeper: Arc<Gatekeeper>,
    task: tokio::task::JoinHandle<String>,
}

impl Process {
    /// Why it stopped by itself.
    pub async fn reason(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(60), &mut self.task).await.expect("it stops").expect("no panic")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Everything together.
pub struct Lab {
    pub network: Arc<Network>,
    pub streets: Arc<Streets>,
    pub disks: Vec<Arc<LabVault>>,
}

impl Lab {
    pub fn new(parameters: Parameters, gatekeepers: usize) -> Self {
        let disks = (0..gatekeepers).map(|_| Arc::default()).collect();
        Self { network: Network::new(parameters), streets: Arc::default(), disks }
    }

    /// Starts gatekeeper `n` and lets it be eligible.
    pub fn start(&self, n: usize) -> Process {
        self.start_on(n, self.disks[n].clone())
    }

    pub fn start_on(&self, n: usize, vault: Arc<LabVault>) -> Process {
        let endpoint = format!("http://127.0.0.1:{}", 9_000 + n);
        let config = Config {
            genesis: self.network.genesis(),
            endpoint: parse_endpoint(&endpoint).expect("it is an endpoint"),
            poll_ms: 100,
        };
        static STARTS: AtomicU64 = AtomicU64::new(77);
        let ports = Ports {
            clock: self.network.clock.clone(),
            entropy: LabEntropy::new(STARTS.fetch_add(1, Ordering::SeqCst)),
            machine: Arc::new(LabMachine(n as u8 + 1)),
            vault,
        };
        let rpc = self.network.clone();
        let gatekeeper = Gatekeeper::start(config, ports, self.streets.clone(), rpc.clone()).expect("it starts");
        self.streets.houses.lock().unwrap().insert(endpoint, Arc::downgrade(&gatekeeper));
        let member = Member { gatekeeper: gatekeeper.identity.worker, participant: gatekeeper.participant };
        self.network.custody(|custody| {
            if !custody.eligible.contains(&member) {
                custody.eligible.push(member);
            }
        });
        let task = tokio::spawn(gatekeeper.clone().run(rpc));
        Process { gatekeeper, task }
    }

    /// Makes blocks until `done` says so.
    pub async fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        for _ in 0..600 {
            if done() {
                return;
            }
            self.blocks(1).await;
        }
        panic!("never came: {what}");
    }

    /// Makes blocks and lets everybody look at each.
    pub async fn blocks(&self, n: u32) {
        for _ in 0..n {
            self.network.seal();
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Gatekeepers that hold key shares of the first epoch.
    pub async fn live(&self) -> Vec<Process> {
        let processes: Vec<_> = (0..self.disks.len()).map(|n| self.start(n)).collect();
        self.until("key shares for all", || processes.iter().all(holds)).await;
        processes
    }
}

/// Whether it holds the key share of the current epoch, and serves.
pub fn holds(process: &Process) -> bool {
    let status = process.gatekeeper.status();
    status.serving && status.roots.iter().any(|root| root.holds_key_share)
}

/// A worker, as gatekeepers see one.
pub struct Worker {
    pub identity: Identity,
    entropy: Arc<LabEntropy>,
}

impl Worker {
    pub fn new(lab: &Lab, seed: u64) -> Self {
        let entropy = LabEntropy::new(seed);
        let cabinet = Cabinet::new(Arc::new(LabVault::default()), &Secret::new([99; 32]), entropy.clone());
        let identity = Identity::open(&cabinet, lab.network.genesis(), &*entropy).unwrap();
        Self { identity, entropy }
    }

    pub fn registration(&self, role: Role) -> Registration {
        Registration {
            worker: self.identity.worker,
            instance: self.identity.instance,
            transport: self.identity.transport,
            role,
            endpoint: Default::default(),
        }
    }

    pub fn query(&self, asked: BlockNumber) -> KeyQuery {
        let entropy: &dyn Entropy = &*self.entropy;
        KeyQuery {
            worker: self.identity.worker,
            instance: self.identity.instance,
            program: PROGRAM,
            root: ROOT,
            code: CodeEpoch(0),
            asked,
            nonce: entropy.bytes(),
        }
    }

    pub fn sign(&self, gatekeeper: &Gatekeeper, query: KeyQuery) -> SignedKeyQuery {
        let hash = query.signing_hash(&gatekeeper.identity.genesis, &gatekeeper.identity.instance);
        SignedKeyQuery { signature: self.identity.sign_as_instance(&hash.0), query }
    }

    /// Asks, as over HTTP.
    pub async fn ask(&self, gatekeeper: &Arc<Gatekeeper>, signed: &SignedKeyQuery) -> Result<KeyReply, Problem> {
        post(gatekeeper, signed.encode()).await
    }

    /// Opens an answer with the key that the chain has of this worker.
    pub fn open(&self, gatekeeper: &Gatekeeper, query: &KeyQuery, answer: &KeyAnswer) -> Option<PartialKey> {
        let hash = query.signing_hash(&gatekeeper.identity.genesis, &gatekeeper.identity.instance);
        let plain = self.identity.open_sealed(&seal_info(&hash), &answer.sealed).ok()?;
        Some(PartialKey::parse(&plain).unwrap())
    }

    /// The program's key, as docs/reference/gatekeeper-http.md says.
    pub async fn program_key(&self, lab: &Lab, processes: &[Process]) -> [u8; 32] {
        let epoch = lab.network.custody(|custody| custody.epoch().cloned()).unwrap();
        let output = processes[0].gatekeeper.handle("/v1/output", &epoch.epoch.encode()).await.unwrap();
        let output = Output::parse(&output).unwrap();
        assert_eq!(output.hash(), epoch.output_hash.0);
        let mut partials = vec![];
        for Process { gatekeeper, .. } in processes {
            let query = self.query(lab.network.height());
            let signed = self.sign(gatekeeper, query.clone());
            let answer = self.ask(gatekeeper, &signed).await.unwrap().unwrap();
            assert_eq!((answer.epoch, answer.output), (epoch.epoch, epoch.output_hash));
            let partial = self.open(gatekeeper, &query, &answer).expect("it is sealed to this worker");
            partials.push((ParticipantKey(answer.member.0), partial));
        }
        let name = key_identity(&lab.network.genesis(), CLUSTER, &PROGRAM, CodeEpoch(0)).into();
        let combined = combine(&output, &name, &partials).expect("enough good ones");
        assert!(combined.bad.is_empty());
        *combined.key.expose()
    }
}

pub async fn post(gatekeeper: &Arc<Gatekeeper>, message: Vec<u8>) -> Result<KeyReply, Problem> {
    let (sealed, opener) = peers::seal(&gatekeeper.identity.transport, KEY_PATH, message).unwrap();
    let answer = gatekeeper.handle(KEY_PATH, &sealed).await?;
    Ok(peers::open_answer(opener, &answer).unwrap())
}
