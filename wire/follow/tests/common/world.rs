//! A network on which one worker runs one program, and the receipts that it gives.
#![allow(dead_code, missing_docs)]

use crate::common::{Chain, Node, State, signing_key};
use codec::Encode;
use phala_follow::{ReceiptBundle, Trust, prove};
use phala_messages::{
    Account, AnchorRecord, AnchorRef, Attested, BlockRef, ClusterId, CodeHash, CommandProof, Hash, InstanceKey,
    Manifest, ProgramId, ProgramRecord, ProgramStatus, Receipt, Registration, ResultLeaf, Role, Root, SignedReceipt,
    StateRoot, Subject, TcbStatus, Tee, TransportKey, WorkerId, WorkerRecord,
    anchor::{results_path, results_root},
    receipt::RECEIPT_FORMAT,
    storage,
};
use phala_units::{BlockNumber, UnixMillis};

pub const INSTANCE_SEED: u8 = 0x33;
/// Block at which the receipts are read.
pub const BLOCK: u32 = 14;
/// First command that the newest anchor answers, and the version after.
pub const FROM: u64 = 4;
pub const VERSION: u64 = 7;

pub fn worker() -> WorkerId {
    WorkerId(signing_key(0x22).public())
}

pub fn program() -> ProgramId {
    ProgramId::derive(&owner(), 0)
}

pub fn owner() -> Account {
    Account([0x77; 32])
}

pub fn leaf(index: u64) -> ResultLeaf {
    let byte = index as u8;
    ResultLeaf {
        index,
        caller: Account([0x78; 32]),
        blind: Hash([byte; 32]),
        request: Hash([byte + 100; 32]),
        response: Hash([byte + 200; 32]),
    }
}

fn leaves() -> Vec<Hash> {
    (FROM..VERSION).map(|index| leaf(index).hash()).collect()
}

/// What the chain knows of worker and program.
#[derive(Clone)]
pub struct Records {
    pub worker: Option<WorkerRecord>,
    pub cluster: Option<ClusterId>,
    pub program: Option<ProgramRecord>,
    pub anchor: Option<AnchorRecord>,
}

impl Default for Records {
    fn default() -> Self {
        let registration = Registration {
            worker: worker(),
            instance: InstanceKey(signing_key(INSTANCE_SEED).public()),
            transport: TransportKey([0x44; 32]),
            role: Role::Worker,
            endpoint: b"http://127.0.0.1:8001".to_vec().try_into().unwrap(),
        };
        let measurement = Hash([0xcc; 32]);
        Self {
            worker: Some(WorkerRecord {
                registration,
                attested: Attested { tee: Tee::Tdx, root: Root::Development, tcb: TcbStatus::UpToDate, measurement },
                admitted_block: BlockNumber(11),
                admitted_at: UnixMillis(Chain::time_ms(11)),
                expires_at: UnixMillis(Chain::time_ms(11) + 3_600_000),
            }),
            cluster: Some(ClusterId(0)),
            program: Some(ProgramRecord {
                owner: owner(),
                name: b"classifier".to_vec().try_into().unwrap(),
                cluster: ClusterId(0),
                slot: 0,
                code: CodeHash([0x66; 32]),
                code_bytes: 1_000,
                manifest: Manifest::default(),
                status: ProgramStatus::Live,
                transport: Some(TransportKey([0x45; 32])),
                deployed: BlockNumber(11),
                commands: VERSION,
            }),
            anchor: Some(AnchorRecord {
                from: FROM,
                version: VERSION,
                root: StateRoot([0x88; 32]),
                results: results_root(&leaves()),
                by: Some((worker(), InstanceKey(signing_key(INSTANCE_SEED).public()))),
                block: BlockNumber(12),
            }),
        }
    }
}

impl Records {
    pub fn write(&self, state: &mut State) {
        let mut put = |key: Vec<u8>, value: Option<Vec<u8>>| match value {
            Some(value) => drop(state.insert(key, value)),
            None => drop(state.remove(&key)),
        };
        put(storage::worker(&worker()), self.worker.as_ref().map(Encode::encode));
        put(storage::assignment(&worker()), self.cluster.as_ref().map(Encode::encode));
        put(storage::program(&program()), self.program.as_ref().map(Encode::encode));
        put(storage::anchor(&program()), self.anchor.as_ref().map(Encode::encode));
    }
}

/// A chain of three sets; the records stand from block 11 on, the receipts are of block 14.
pub fn chain(records: &Records) -> Chain {
    chain_by(|state| records.write(state))
}

pub fn chain_by(change: impl FnOnce(&mut State)) -> Chain {
    let mut chain = Chain::new(0, &[1, 2, 3, 4]);
    chain.grow(4);
    chain.hand_over(&[2, 3, 4, 5]);
    chain.grow(3);
    chain.hand_over(&[3, 4, 5, 6]);
    chain.grow(1);
    chain.block(change);
    chain.grow(6);
    // The receipt's block is finalised together with the two after it.
    chain.blocks[BLOCK as usize].justification = None;
    chain.blocks[BLOCK as usize + 1].justification = None;
    chain
}

pub fn query(block: BlockRef, chain: &Chain) -> Receipt {
    Receipt {
        format: RECEIPT_FORMAT,
        genesis: chain.genesis(),
        program: program(),
        code: CodeHash([0x66; 32]),
        subject: Subject::Query,
        request: Hash([1; 32]),
        response: Hash([2; 32]),
        anchor: AnchorRef { block, version: VERSION, root: StateRoot([0x88; 32]) },
        worker: worker(),
        instance: InstanceKey(signing_key(INSTANCE_SEED).public()),
        time: UnixMillis(Chain::time_ms(block.number.0) + 1_234),
    }
}

pub fn command(block: BlockRef, chain: &Chain, index: u64) -> Receipt {
    let leaf = leaf(index);
    let path = results_path(&leaves(), (index - FROM) as usize).unwrap();
    Receipt {
        subject: Subject::Command(CommandProof { index, caller: leaf.caller, blind: leaf.blind, path }),
        request: leaf.request,
        response: leaf.response,
        time: UnixMillis(Chain::time_ms(11)),
        ..query(block, chain)
    }
}

pub fn sign(receipt: Receipt) -> SignedReceipt {
    sign_by(receipt, INSTANCE_SEED)
}

pub fn sign_by(receipt: Receipt, seed: u8) -> SignedReceipt {
    let signature = signing_key(seed).sign(&receipt.signing_hash().0);
    SignedReceipt { receipt, signature }
}

/// A proof for the receipt's block, whatever the receipt says beside: taken with a receipt that is in order.
pub async fn bundle(chain: &Chain, receipt: SignedReceipt, trust: &Trust) -> ReceiptBundle {
    let proof = prove(&receipt, trust, &Node::new(chain.clone())).await.unwrap();
    ReceiptBundle { receipt, proof }
}
