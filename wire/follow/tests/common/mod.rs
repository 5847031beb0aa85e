//! A chain small enough to hold in one's head: seeded authorities, real headers, tries, justifications and
//! hand-overs, and a node that serves it, or lies about it when told to.
#![allow(dead_code, missing_docs)]

use codec::Encode;
use phala_crypto::{Secret, SigningKey};
use phala_follow::{Header, Rpc, RpcError, header::hash_of, rpc::FinalityProof};
use phala_messages::{BlockHash, BlockRef, GenesisHash, storage};
use phala_units::BlockNumber;
use serde_json::{Value, json};
use sp_consensus_grandpa::{
    AuthorityId, ConsensusLog, GRANDPA_ENGINE_ID, GrandpaJustification, ScheduledChange, localized_payload,
};
use sp_core::{H256, Pair, ed25519};
use sp_runtime::{
    generic::{Digest, DigestItem},
    traits::BlakeTwo256,
};
use sp_state_machine::{InMemoryBackend, prove_read};
use std::{collections::BTreeMap, future::Future};

pub type State = BTreeMap<Vec<u8>, Vec<u8>>;
pub type Justification = GrandpaJustification<Header>;

/// Time of block 0; each later block is 2 s younger.
pub const GENESIS_TIME_MS: u64 = 1_700_000_000_000;

/// An authority's key pair from a seed of one byte.
pub fn authority(seed: u8) -> ed25519::Pair {
    ed25519::Pair::from_seed(&[seed; 32])
}

pub fn authority_list(seeds: &[u8]) -> Vec<(AuthorityId, u64)> {
    seeds.iter().map(|seed| (authority(*seed).public().into(), 1)).collect()
}

/// A signing key of a worker from a seed of one byte.
pub fn signing_key(seed: u8) -> SigningKey {
    SigningKey::new(&Secret::new([seed; 32]))
}

/// One vote for a block.
#[derive(Clone, Copy)]
pub struct Vote {
    pub seed: u8,
    pub block: BlockRef,
}

/// A justification made of these votes.
pub fn justification(round: u64, set_id: u64, target: BlockRef, votes: &[Vote], between: Vec<Header>) -> Justification {
    let precommits = votes
        .iter()
        .map(|vote| {
            let precommit = finality_grandpa::Precommit::new(H256(vote.block.hash.0), vote.block.number.0);
            let message = finality_grandpa::Message::Precommit(precommit.clone());
            let pair = authority(vote.seed);
            let signature = pair.sign(&localized_payload(round, set_id, &message)).into();
            finality_grandpa::SignedPrecommit { precommit, signature, id: pair.public().into() }
        })
        .collect();
    GrandpaJustification {
        round,
        commit: finality_grandpa::Commit {
            target_hash: H256(target.hash.0),
            target_number: target.number.0,
            precommits,
        },
        votes_ancestries: between,
    }
}

#[derive(Clone)]
pub struct Block {
    pub header: Header,
    pub state: State,
    pub justification: Option<Vec<u8>>,
    /// Number of the set that finalises it.
    pub set: u64,
}

impl Block {
    pub fn reference(&self) -> BlockRef {
        BlockRef { number: BlockNumber(self.header.number), hash: hash_of(&self.header) }
    }
}

#[derive(Clone)]
pub struct Chain {
    pub blocks: Vec<Block>,
    /// Seeds of the authorities of each set, oldest first.
    pub sets: Vec<Vec<u8>>,
    /// Only every n-th block bears a justification, and each that hands over.
    pub period: u32,
}

fn backend(state: &State) -> InMemoryBackend<BlakeTwo256> {
    InMemoryBackend::from((state.clone(), sp_core::storage::StateVersion::V1))
}

fn grandpa_log(log: ConsensusLog<u32>) -> DigestItem {
    DigestItem::Consensus(GRANDPA_ENGINE_ID, log.encode())
}

pub fn appoints(seeds: &[u8], delay: u32) -> DigestItem {
    grandpa_log(ConsensusLog::ScheduledChange(ScheduledChange { next_authorities: authority_list(seeds), delay }))
}

pub fn forces(seeds: &[u8]) -> DigestItem {
    grandpa_log(ConsensusLog::ForcedChange(0, ScheduledChange { next_authorities: authority_list(seeds), delay: 0 }))
}

impl Chain {
    /// Block 0 of a network; `salt` makes networks differ.
    pub fn new(salt: u8, authorities: &[u8]) -> Self {
        let mut state = State::new();
        state.insert(storage::grandpa_authorities(), authority_list(authorities).encode());
        state.insert(storage::timestamp_now(), GENESIS_TIME_MS.encode());
        state.insert(b"salt".to_vec(), vec![salt; 40]);
        for filler in 0..64u8 {
            state.insert(vec![filler.wrapping_mul(37), filler], vec![filler; usize::from(filler) * 2]);
        }
        let mut chain = Self { blocks: vec![], sets: vec![authorities.to_vec()], period: 1 };
        chain.seal(state, vec![]);
        chain.blocks[0].justification = None;
        chain
    }

    pub fn genesis(&self) -> GenesisHash {
        GenesisHash(hash_of(&self.blocks[0].header).0)
    }

    pub fn head(&self) -> &Block {
        self.blocks.last().unwrap()
    }

    pub fn time_ms(height: u32) -> u64 {
        GENESIS_TIME_MS + u64::from(height) * 2_000
    }

    /// Adds a block with this state and digest, justified by the newest set.
    fn seal(&mut self, mut state: State, logs: Vec<DigestItem>) {
        let number = self.blocks.len() as u32;
        state.insert(storage::timestamp_now(), Self::time_ms(number).encode());
        let header = Header {
            parent_hash: self.blocks.last().map_or(H256::zero(), |block| H256(hash_of(&block.header).0)),
            number,
            state_root: *backend(&state).root(),
            extrinsics_root: H256::repeat_byte(9),
            digest: Digest { logs },
        };
        let set = self.sets.len() as u64 - 1;
        let mut block = Block { header, state, justification: None, set };
        block.justification = Some(self.justify(&block).encode());
        self.blocks.push(block);
    }

    /// Adds a block with exactly this state.
    pub fn reseal(&mut self, state: State) {
        self.seal(state, vec![]);
    }

    /// The justification of a block by all authorities of its set.
    pub fn justify(&self, block: &Block) -> Justification {
        let target = block.reference();
        let votes: Vec<_> =
            self.sets[block.set as usize].iter().map(|seed| Vote { seed: *seed, block: target }).collect();
        justification(u64::from(block.header.number) + 7, block.set, target, &votes, vec![])
    }

    /// Adds a block whose state is the last one's, changed.
    pub fn block(&mut self, change: impl FnOnce(&mut State)) {
        let mut state = self.head().state.clone();
        change(&mut state);
        self.seal(state, vec![]);
        let last = self.blocks.last_mut().unwrap();
        if last.header.number % self.period != 0 {
            last.justification = None;
        }
    }

    /// Adds `n` blocks in which nothing happens.
    pub fn grow(&mut self, n: u32) {
        for _ in 0..n {
            self.block(|_| {});
        }
    }

    /// Adds a block that appoints other authorities; they finalise what follows.
    pub fn hand_over(&mut self, seeds: &[u8]) {
        self.hand_over_by(vec![appoints(seeds, 0)], seeds);
    }

    /// As [`Chain::hand_over`], with any digest.
    pub fn hand_over_by(&mut self, logs: Vec<DigestItem>, seeds: &[u8]) {
        let mut state = self.head().state.clone();
        state.insert(storage::grandpa_authorities(), authority_list(seeds).encode());
        self.seal(state, logs);
        self.sets.push(seeds.to_vec());
    }

    /// Forgets all blocks above `height`, as if they had not been made.
    pub fn cut(&mut self, height: u32) {
        self.blocks.truncate(height as usize + 1);
        self.sets.truncate(self.head().set as usize + 1);
    }

    pub fn at(&self, hash: &str) -> Option<&Block> {
        let hash: BlockHash = hash.parse().ok()?;
        self.blocks.iter().find(|block| hash_of(&block.header) == hash)
    }

    pub fn read_proof(&self, block: &Block, keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let proof = prove_read(backend(&block.state), keys).unwrap();
        proof.into_nodes().into_iter().collect()
    }

    /// What `grandpa_proveFinality` gives: the last block of the set, or the newest justified block.
    pub fn prove_finality(&self, height: u32) -> Option<FinalityProof> {
        let set = self.blocks.get(height as usize)?.set;
        let last = if set + 1 == self.sets.len() as u64 || self.blocks.last()?.set == set {
            self.blocks.iter().rev().find(|block| block.justification.is_some())?
        } else {
            self.blocks.iter().rev().find(|block| block.set == set)?
        };
        Some(FinalityProof {
            block: H256(hash_of(&last.header).0),
            justification: last.justification.clone()?,
            unknown_headers: (height + 1..=last.header.number)
                .map(|n| self.blocks[n as usize].header.clone())
                .collect(),
        })
    }
}

pub fn hex(bytes: &[u8]) -> Value {
    Value::String(format!("0x{}", hex::encode(bytes)))
}

/// What a lie replaces a reply with; `None` lets the truth through.
pub type Lie = Box<dyn Fn(&Chain, &str, &Value) -> Option<Result<Value, RpcError>> + Send + Sync>;

/// A node that has a chain.
pub struct Node {
    pub chain: Chain,
    pub lie: Option<Lie>,
    /// As in a node's limit on replies; more headers than this are refused.
    pub headers_max: usize,
    pub calls: std::sync::Mutex<Vec<String>>,
}

impl Node {
    pub fn new(chain: Chain) -> Self {
        Self { chain, lie: None, headers_max: usize::MAX, calls: Default::default() }
    }

    pub fn lying(
        chain: Chain,
        lie: impl Fn(&Chain, &str, &Value) -> Option<Result<Value, RpcError>> + Send + Sync + 'static,
    ) -> Self {
        Self { lie: Some(Box::new(lie)), ..Self::new(chain) }
    }

    fn truth(&self, method: &str, params: &Value) -> Result<Value, RpcError> {
        let chain = &self.chain;
        let refused = |message: &str| RpcError::Refused { code: 1, message: message.into() };
        let text = |place: usize| params[place].as_str().unwrap_or_default();
        Ok(match method {
            "chain_getFinalizedHead" => hex(&hash_of(&chain.head().header).0),
            "chain_getHeader" => chain.at(text(0)).map_or(Value::Null, |block| json!(block.header)),
            "chain_getBlockHash" => {
                let block = chain.blocks.get(params[0].as_u64().unwrap_or(u64::MAX) as usize);
                block.map_or(Value::Null, |block| hex(&hash_of(&block.header).0))
            }
            "chain_getBlock" => chain.at(text(0)).map_or(Value::Null, |block| {
                let justifications = block.justification.as_ref().map(|bytes| json!([[GRANDPA_ENGINE_ID, bytes]]));
                json!({"block": {"header": block.header, "extrinsics": []}, "justifications": justifications})
            }),
            "grandpa_proveFinality" => {
                let height = params[0].as_u64().unwrap_or(u64::MAX) as u32;
                if height > chain.head().header.number {
                    return Err(refused("Block not yet finalized"));
                }
                match chain.prove_finality(height) {
                    Some(proof) if proof.unknown_headers.len() > self.headers_max => {
                        return Err(refused("Response is too big"));
                    }
                    Some(proof) => hex(&proof.encode()),
                    None => Value::Null,
                }
            }
            "state_getReadProof" => {
                let block = chain.at(text(1)).ok_or(refused("State already discarded"))?;
                let key = |key: &Value| hex::decode(&key.as_str().unwrap()[2..]).unwrap();
                let keys: Vec<_> = params[0].as_array().unwrap().iter().map(key).collect();
                let nodes: Vec<_> = chain.read_proof(block, &keys).iter().map(|node| hex(node)).collect();
                json!({"at": text(1), "proof": nodes})
            }
            "state_getRuntimeVersion" => json!({"specName": "phala", "specVersion": 7, "transactionVersion": 2}),
            "system_accountNextIndex" => json!(3),
            "author_submitExtrinsic" => hex(&phala_messages::transcript::sha256(text(0).as_bytes()).0),
            other => return Err(refused(&format!("Method not found: {other}"))),
        })
    }
}

impl Rpc for Node {
    fn call(&self, method: &str, params: Value) -> impl Future<Output = Result<Value, RpcError>> + Send {
        self.calls.lock().unwrap().push(method.into());
        let lie = self.lie.as_ref().and_then(|lie| lie(&self.chain, method, &params));
        let reply = lie.unwrap_or_else(|| self.truth(method, &params));
        async move { reply }
    }
}
