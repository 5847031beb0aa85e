//! The pretended runtime's part for computing: takes scores and heartbeats as the real one does, and pays nobody.

use super::{
    chain::Chain,
    runtime::{Inner, Network, get, refuse},
};
use codec::{Decode, Encode};
use phala_crypto::verify_ed25519;
use phala_follow::RpcError;
use phala_messages::{
    InstanceKey, PoolId, Refusal, WorkerId,
    computation::{Challenge, Heartbeat, ScoreRecord, ScoreReport, SessionNumber, WorkRecord},
    custody::{CustodyMessage, Signed},
    storage,
};
use phala_units::{BlockNumber, UnixMillis};

impl Network {
    /// Binds a worker to a pool.
    pub fn bind(&self, worker: WorkerId) {
        self.lock().bind(worker, None);
    }

    /// Binds a worker that has given its score.
    pub fn bind_scored(&self, worker: WorkerId, instance: InstanceKey) {
        let score = ScoreRecord { score: 1_000, instance, block: BlockNumber(1) };
        self.lock().bind(worker, Some(score));
    }

    pub fn open_session(&self, worker: WorkerId, session: SessionNumber) {
        self.lock().change_work(&worker, |work| work.session = Some(session));
    }

    /// Asks a worker in the next block.
    pub fn challenge(&self, worker: WorkerId) {
        let mut inner = self.lock();
        let number = inner.number();
        let challenge = Challenge { block: BlockNumber(number), time: UnixMillis(Chain::time_ms(number)) };
        inner.change_work(&worker, |work| work.challenge = Some(challenge));
    }

    /// What will stand in the next block.
    pub fn work(&self, worker: &WorkerId) -> WorkRecord {
        get(&self.lock().next, &storage::work(worker)).expect("it is bound")
    }

    pub fn scores(&self) -> u32 {
        self.lock().scores
    }

    pub fn heartbeats(&self) -> Vec<Heartbeat> {
        self.lock().heartbeats.clone()
    }
}

impl Inner {
    /// The next block.
    fn number(&self) -> u32 {
        self.node.chain.head().header.number + 1
    }

    fn bind(&mut self, worker: WorkerId, score: Option<ScoreRecord>) {
        let processes = Default::default();
        let record = WorkRecord { pool: PoolId(4), score, session: None, challenge: None, leaving: false, processes };
        self.next.insert(storage::work(&worker), record.encode());
    }

    fn change_work(&mut self, worker: &WorkerId, change: impl FnOnce(&mut WorkRecord)) {
        let key = storage::work(worker);
        let mut record: WorkRecord = get(&self.next, &key).expect("it is bound");
        change(&mut record);
        self.next.insert(key, record.encode());
    }

    pub(super) fn work(&mut self, call: u8, mut arguments: &[u8]) -> Result<(), RpcError> {
        match call {
            6 => self.take_score(Signed::<ScoreReport>::decode(&mut arguments).unwrap()),
            7 => self.take_heartbeat(Signed::<Heartbeat>::decode(&mut arguments).unwrap()),
            other => panic!("no worker makes call {other} of computation"),
        }
    }

    fn check<M: CustodyMessage>(&self, signed: &Signed<M>) -> Result<(WorkRecord, InstanceKey), RpcError> {
        let worker = signed.message.sender();
        let instance = self.instance(&worker);
        let hash = signed.message.signing_hash(&self.node.chain.genesis());
        if !verify_ed25519(&instance, &hash.0, &signed.signature) {
            return Err(refuse(Refusal::InstanceSignature));
        }
        let record = get(&self.next, &storage::work(&worker)).ok_or(refuse(Refusal::WorkerUnbound))?;
        Ok((record, InstanceKey(instance)))
    }

    fn take_score(&mut self, signed: Signed<ScoreReport>) -> Result<(), RpcError> {
        let (record, instance) = self.check(&signed)?;
        let ScoreReport { worker, score, block } = signed.message;
        if record.score.is_some_and(|stands| stands.instance == instance) {
            return Err(refuse(Refusal::ScoreStands));
        }
        assert!(self.node.chain.at(&block.hash.to_string()).is_some(), "a block of this chain");
        let block = BlockNumber(self.number());
        self.change_work(&worker, |work| work.score = Some(ScoreRecord { score, instance, block }));
        self.scores += 1;
        Ok(())
    }

    fn take_heartbeat(&mut self, signed: Signed<Heartbeat>) -> Result<(), RpcError> {
        let (record, _) = self.check(&signed)?;
        let heartbeat = signed.message;
        if record.session != Some(heartbeat.session) {
            return Err(refuse(Refusal::SessionOther));
        }
        if record.challenge.is_none_or(|challenge| challenge.block != heartbeat.challenge) {
            return Err(refuse(Refusal::NotChallenged));
        }
        self.change_work(&heartbeat.worker, |work| work.challenge = None);
        self.heartbeats.push(heartbeat);
        Ok(())
    }
}
