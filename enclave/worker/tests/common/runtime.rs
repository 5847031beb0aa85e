//! The pretended runtime: takes what workers submit as the real one does, except that it believes every quote.

use super::{
    LabClock,
    chain::{Chain, Node, State},
};
use codec::{Decode, Encode};
use phala_crypto::verify_ed25519;
use phala_follow::{Rpc, RpcError};
use phala_messages::{
    Account, AnchorRecord, Attested, ClusterId, ClusterRecord, CodeHash, CommandRecord, GenesisHash, Hash, LeadRecord,
    Manifest, ProgramId, ProgramRecord, ProgramStatus, Refusal, Root, TcbStatus, Tee, TransportKey, WorkerId,
    WorkerRecord,
    anchor::{EMPTY_ROOT, SignedAnchor},
    custody::RootGeneration,
    lead::{LeadStep, SignedLeadMessage},
    moves::SignedMoved,
    program::SignedReady,
    registration::Submission,
    storage,
};
use phala_units::{BlockNumber, Planck, UnixMillis};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard};

/// How long an admission lasts.
pub const ADMISSION_MS: u64 = 3_600_000;
const CLUSTER: ClusterId = ClusterId(1);

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Anchors are taken and never seen again.
    pub lose_anchors: bool,
    /// Nothing replies.
    pub silent: bool,
    /// Moves are taken and never seen again.
    pub lose_moves: bool,
}

/// Blocks that a doubted lead has here: tests make them faster than a busy machine can answer.
const PATIENCE: u32 = 200;

pub(super) struct Inner {
    pub(super) node: Node,
    /// The state of the next block.
    pub(super) next: State,
    deployed: u64,
    pub(super) faults: Faults,
    registrations: u32,
    anchors: u32,
    pub(super) moves: u32,
    pub(super) scores: u32,
    pub(super) heartbeats: Vec<phala_messages::computation::Heartbeat>,
}

/// A network of one node and one cluster.
pub struct Network {
    inner: Mutex<Inner>,
    clock: Arc<LabClock>,
}

pub(super) fn get<T: Decode>(state: &State, key: &[u8]) -> Option<T> {
    state.get(key).map(|bytes| T::decode(&mut bytes.as_slice()).unwrap())
}

pub(super) fn refuse(rule: Refusal) -> RpcError {
    RpcError::Refused { code: 1010, message: format!("Invalid Transaction: Custom error: {}", rule.code()) }
}

impl Network {
    pub fn new(clock: Arc<LabClock>) -> Self {
        let mut chain = Chain::new(1, &[1, 2, 3]);
        chain.block(|state| {
            let cluster = ClusterRecord { owner: Account([0; 32]), workers: Default::default(), slots: 0, activity: 0 };
            state.insert(storage::cluster(CLUSTER), cluster.encode());
        });
        let next = chain.head().state.clone();
        clock.set(Chain::time_ms(chain.head().header.number));
        let inner = Inner {
            node: Node::new(chain),
            next,
            deployed: 0,
            faults: Faults::default(),
            registrations: 0,
            anchors: 0,
            moves: 0,
            scores: 0,
            heartbeats: Vec::new(),
        };
        Self { inner: Mutex::new(inner), clock }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn genesis(&self) -> GenesisHash {
        self.lock().node.chain.genesis()
    }

    pub fn fault(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Makes a final block of everything that was taken.
    pub fn seal(&self) {
        let mut inner = self.lock();
        let next = inner.next.clone();
        inner.node.chain.reseal(next);
        let number = inner.node.chain.head().header.number;
        drop(inner);
        self.clock.set(Chain::time_ms(number));
    }

    pub fn height(&self) -> u32 {
        self.lock().node.chain.head().header.number
    }

    pub fn registrations(&self) -> u32 {
        self.lock().registrations
    }

    pub fn anchors(&self) -> u32 {
        self.lock().anchors
    }

    pub fn worker_record(&self, worker: &WorkerId) -> Option<WorkerRecord> {
        get(&self.lock().node.chain.head().state, &storage::worker(worker))
    }

    pub fn anchor(&self, program: &ProgramId) -> AnchorRecord {
        get(&self.lock().node.chain.head().state, &storage::anchor(program)).unwrap()
    }

    pub fn transport(&self, program: &ProgramId) -> Option<TransportKey> {
        get::<ProgramRecord>(&self.lock().node.chain.head().state, &storage::program(program))?.transport
    }

    /// The index of the next command.
    pub fn commands(&self, program: &ProgramId) -> u64 {
        get::<ProgramRecord>(&self.lock().next, &storage::program(program)).unwrap().commands
    }

    pub fn assign(&self, worker: WorkerId) {
        let mut inner = self.lock();
        inner.next.insert(storage::assignment(&worker), CLUSTER.encode());
        inner.change_cluster(|cluster| cluster.workers.try_push(worker).unwrap());
    }

    /// The cluster's workers; the first leads.
    pub fn workers(&self) -> Vec<WorkerId> {
        get::<ClusterRecord>(&self.lock().next, &storage::cluster(CLUSTER)).unwrap().workers.into_inner()
    }

    pub fn unassign(&self, worker: &WorkerId) {
        let mut inner = self.lock();
        inner.next.remove(&storage::assignment(worker));
        inner.change_cluster(|cluster| cluster.workers.retain(|member| member != worker));
        inner.begin_term();
    }

    /// Lets `worker` lead, as if it had taken the lead.
    pub fn promote(&self, worker: &WorkerId) {
        self.lock().promote(worker);
    }

    pub fn lead(&self) -> LeadRecord {
        get(&self.lock().next, &storage::lead(CLUSTER)).unwrap_or_default()
    }

    pub fn deploy(&self, owner: Account, code: CodeHash, code_bytes: u32) -> ProgramId {
        let mut inner = self.lock();
        let id = ProgramId::derive(&owner, inner.deployed);
        inner.deployed += 1;
        let block = BlockNumber(inner.node.chain.head().header.number + 1);
        let mut slot = 0;
        inner.change_cluster(|cluster| {
            slot = cluster.slots;
            cluster.slots += 1;
        });
        let mut manifest = Manifest::default();
        manifest.limits.query_ms_max = 3_000;
        let record = ProgramRecord {
            owner,
            name: Default::default(),
            cluster: CLUSTER,
            slot,
            code,
            code_bytes,
            manifest,
            status: ProgramStatus::Deploying,
            transport: None,
            deployed: block,
            commands: 0,
        };
        let anchor = AnchorRecord { from: 0, version: 0, root: EMPTY_ROOT, results: Hash::default(), by: None, block };
        inner.next.insert(storage::cluster_program(CLUSTER, slot), id.encode());
        inner.next.insert(storage::program(&id), record.encode());
        inner.next.insert(storage::anchor(&id), anchor.encode());
        if let Some(root) = get::<RootGeneration>(&inner.next, &storage::open_root()) {
            inner.next.insert(storage::program_root(&id), root.encode());
        }
        id
    }

    pub fn remove(&self, program: &ProgramId) {
        let mut inner = self.lock();
        let record: ProgramRecord = get(&inner.next, &storage::program(program)).unwrap();
        inner.next.remove(&storage::cluster_program(CLUSTER, record.slot));
        inner.next.remove(&storage::program(program));
        inner.next.remove(&storage::anchor(program));
        inner.change_cluster(|_| {});
    }

    pub fn command(&self, program: &ProgramId, caller: Account, sealed: Vec<u8>) -> u64 {
        let mut inner = self.lock();
        let mut record: ProgramRecord = get(&inner.next, &storage::program(program)).unwrap();
        let index = record.commands;
        record.commands += 1;
        let number = inner.node.chain.head().header.number + 1;
        let command = CommandRecord {
            caller,
            block: BlockNumber(number),
            time: UnixMillis(Chain::time_ms(number)),
            deposit: Planck(0),
            sealed: sealed.try_into().unwrap(),
        };
        inner.next.insert(storage::command(program, index), command.encode());
        inner.next.insert(storage::program(program), record.encode());
        inner.change_cluster(|_| {});
        index
    }
}

impl Inner {
    pub(super) fn change_cluster(&mut self, change: impl FnOnce(&mut ClusterRecord)) {
        let key = storage::cluster(CLUSTER);
        let mut cluster: ClusterRecord = get(&self.next, &key).unwrap();
        change(&mut cluster);
        cluster.activity += 1;
        self.next.insert(key, cluster.encode());
    }

    fn submit(&mut self, extrinsic: &[u8]) -> Result<(), RpcError> {
        let mut bytes = extrinsic;
        let length = codec::Compact::<u32>::decode(&mut bytes).unwrap();
        assert_eq!(length.0 as usize, bytes.len());
        // Preamble (2 bytes), era, nonce, tip, metadata-hash mode.
        let mut call = &bytes[6..];
        let index = <[u8; 2]>::decode(&mut call).unwrap();
        match index {
            [50, 0] => self.register(Submission::decode(&mut call).unwrap()),
            [50, 1] => Err(refuse(Refusal::CollateralNotNewer)),
            [51, 6] => self.ready(SignedReady::decode(&mut call).unwrap()),
            [51, 13] => {
                let genesis = self.node.chain.genesis();
                self.moved(SignedMoved::decode(&mut call).unwrap(), &genesis)
            }
            [51, 7] => self.anchor(SignedAnchor::decode(&mut call).unwrap()),
            [51, 14] => self.take_lead(SignedLeadMessage::decode(&mut call).unwrap()),
            [60, _] => self.work(index[1], call),
            other => panic!("no worker makes call {other:?}"),
        }
    }

    fn register(&mut self, submission: Submission) -> Result<(), RpcError> {
        let genesis = self.node.chain.genesis();
        let Submission { registration, block, quote, signature } = submission;
        assert!(self.node.chain.at(&block.hash.to_string()).is_some(), "a block of this chain");
        assert_eq!(
            quote.to_vec(),
            registration.report_data(&block.hash, &genesis),
            "the quote is over the registration"
        );
        let hash = registration.signing_hash(&block.hash, &genesis, &quote);
        assert!(verify_ed25519(&registration.worker.0, &hash.0, &signature), "signed by the worker's identity");
        let number = self.node.chain.head().header.number + 1;
        let now = UnixMillis(Chain::time_ms(number));
        let record = WorkerRecord {
            attested: Attested {
                tee: Tee::Tdx,
                root: Root::Development,
                tcb: TcbStatus::UpToDate,
                measurement: Hash::default(),
            },
            admitted_block: BlockNumber(number),
            admitted_at: now,
            expires_at: now.saturating_add(ADMISSION_MS),
            registration,
        };
        self.next.insert(storage::worker(&record.registration.worker), record.encode());
        self.registrations += 1;
        Ok(())
    }

    pub(super) fn instance(&self, worker: &WorkerId) -> [u8; 32] {
        get::<WorkerRecord>(&self.next, &storage::worker(worker)).unwrap().registration.instance.0
    }

    fn begin_term(&mut self) {
        let number = BlockNumber(self.node.chain.head().header.number + 1);
        let key = storage::lead(CLUSTER);
        let term = get::<LeadRecord>(&self.next, &key).unwrap_or_default().term + 1;
        self.next.insert(key, LeadRecord { term, shown: number, doubted: None }.encode());
    }

    fn promote(&mut self, worker: &WorkerId) {
        self.change_cluster(|cluster| {
            let before = cluster.workers[0];
            cluster.workers.retain(|member| member != worker && *member != before);
            cluster.workers.try_insert(0, *worker).unwrap();
            cluster.workers.try_push(before).unwrap();
        });
        self.begin_term();
    }

    fn leads(&self, worker: &WorkerId) -> bool {
        get::<ClusterRecord>(&self.next, &storage::cluster(CLUSTER)).unwrap().workers.first() == Some(worker)
    }

    fn take_lead(&mut self, signed: SignedLeadMessage) -> Result<(), RpcError> {
        let message = &signed.message;
        let hash = message.signing_hash(&self.node.chain.genesis());
        if !verify_ed25519(&self.instance(&message.worker), &hash.0, &signed.signature) {
            return Err(refuse(Refusal::InstanceSignature));
        }
        let key = storage::lead(CLUSTER);
        let record: LeadRecord = get(&self.next, &key).unwrap_or_default();
        if (record.term, record.newest()) != (message.term, message.newest) {
            return Err(refuse(Refusal::LeadStale));
        }
        let number = BlockNumber(self.node.chain.head().header.number + 1);
        assert_eq!(self.leads(&message.worker), message.step == LeadStep::Show, "each says what is its to say");
        match message.step {
            LeadStep::Doubt if record.doubted.is_some() => return Err(refuse(Refusal::LeadDoubted)),
            LeadStep::Doubt => {
                self.next.insert(key, LeadRecord { doubted: Some(number), ..record }.encode());
            }
            LeadStep::Show => {
                self.next.insert(key, LeadRecord { shown: number, doubted: None, ..record }.encode());
            }
            LeadStep::Take if record.doubted.is_some_and(|block| number.since(block) >= PATIENCE) => {
                self.promote(&message.worker);
            }
            LeadStep::Take => return Err(refuse(Refusal::LeadAlive)),
        }
        Ok(())
    }

    fn ready(&mut self, signed: SignedReady) -> Result<(), RpcError> {
        let ready = &signed.ready;
        let hash = ready.signing_hash(&self.node.chain.genesis());
        if !verify_ed25519(&self.instance(&ready.worker), &hash.0, &signed.signature) {
            return Err(refuse(Refusal::InstanceSignature));
        }
        let key = storage::program(&ready.program);
        let mut record: ProgramRecord = get(&self.next, &key).ok_or(refuse(Refusal::ProgramUnknown))?;
        if record.status != ProgramStatus::Deploying {
            return Err(refuse(Refusal::NotDeploying));
        }
        if !self.leads(&ready.worker) {
            return Err(refuse(Refusal::NotLead));
        }
        record.status = ProgramStatus::Live;
        record.transport = Some(ready.transport);
        self.next.insert(key, record.encode());
        self.change_cluster(|_| {});
        Ok(())
    }

    fn anchor(&mut self, signed: SignedAnchor) -> Result<(), RpcError> {
        let anchor = &signed.anchor;
        let hash = anchor.signing_hash(&self.node.chain.genesis());
        let instance = self.instance(&anchor.worker);
        if !verify_ed25519(&instance, &hash.0, &signed.signature) {
            return Err(refuse(Refusal::InstanceSignature));
        }
        let key = storage::anchor(&anchor.program);
        let now: AnchorRecord = get(&self.next, &key).ok_or(refuse(Refusal::ProgramUnknown))?;
        if !self.leads(&anchor.worker) {
            return Err(refuse(Refusal::NotLead));
        }
        if anchor.from < now.version {
            return Err(refuse(Refusal::AnchorStale));
        }
        assert_eq!(anchor.from, now.version, "an anchor leaves no gap");
        assert!(
            anchor.to > anchor.from
                && anchor.to <= get::<ProgramRecord>(&self.next, &storage::program(&anchor.program)).unwrap().commands
        );
        if self.faults.lose_anchors {
            return Ok(());
        }
        self.anchors += 1;
        let record = AnchorRecord {
            from: anchor.from,
            version: anchor.to,
            root: anchor.root,
            results: anchor.results,
            by: Some((anchor.worker, instance.into())),
            block: BlockNumber(self.node.chain.head().header.number + 1),
        };
        self.next.insert(key, record.encode());
        for index in anchor.from..anchor.to {
            assert!(
                self.next.remove(&storage::command(&anchor.program, index)).is_some(),
                "a command is answered once"
            );
        }
        self.change_cluster(|_| {});
        Ok(())
    }
}

impl Rpc for Network {
    fn call(&self, method: &str, params: Value) -> impl Future<Output = Result<Value, RpcError>> + Send {
        let mut inner = self.lock();
        let reply = if inner.faults.silent {
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
