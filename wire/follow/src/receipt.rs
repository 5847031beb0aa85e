//! Receipts with their proof: everything that a stranger needs to verify an answer, offline.
//!
//! # The idea
//! A receipt says: this answer came from that code, state and machine; it names a finalised block. The proof beside it
//! leads from what the stranger trusts (a genesis hash or a checkpoint) to that block, and from the block's state root to
//! five values: the worker's record, its cluster, the program, its newest anchor, the time. The receipt must agree with
//! all of them.
//!
//! # Properties
//! - One answer, one receipt, one proof: any altered byte is refused, with its reason.
//! - Needs no network and no clock. Whether the answer is recent enough is for the caller to say: see
//!   [`VerifiedReceipt::block_time`].
//!
//! # Source
//! `docs/reference/receipt.md` specifies the same for those who write it anew.

use crate::{
    checkpoint::Checkpoint,
    finalized::Finalized,
    follower::{FollowError, verify_genesis},
    handover::{HandOver, HandOverError},
    header::{Head, Header},
    justification::{Justification, JustificationError},
    proof::{ProofError, read_exact_proof},
    route::Position,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use codec::{Decode, DecodeAll, DecodeWithMemLimit, DecodeWithMemTracking, Encode};
use phala_messages::{
    Account, AnchorRecord, Attested, BlockRef, ClusterId, GenesisHash, ProgramRecord, Receipt, Role, SignedReceipt,
    Subject, WorkerRecord, receipt::ParseReceiptError, storage,
};
use phala_units::{BlockNumber, UnixMillis};
use serde_json::{Value, json};

/// Value of `format` in the JSON form.
pub const BUNDLE_FORMAT: u64 = 1;
/// A chain proof, encoded: about 100 KiB for each hundred hand-overs of a small network.
pub const CHAIN_PROOF_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A proof in memory.
const PROOF_MEMORY_BYTES_MAX: usize = 3 * CHAIN_PROOF_BYTES_MAX;
/// Hand-overs in one proof; start from a checkpoint before there are more.
pub const HAND_OVERS_MAX: usize = 10_000;
/// Headers from the receipt's block up to the one that the justification finalises.
pub const PATH_HEADERS_MAX: usize = 1_024;
/// How much a worker's clock may lag behind the chain's.
pub const QUERY_CLOCK_LAG_MS_MAX: u64 = 10_000;
/// An encoded receipt; the longest path has ten hashes.
const RECEIPT_BYTES_MAX: usize = 4 * 1024;

/// What a verifier trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The hash of block 0 of the network.
    Genesis(GenesisHash),
    /// A block that somebody trustworthy vouches for.
    Checkpoint(Checkpoint),
}

impl Trust {
    /// Which network.
    pub fn genesis(&self) -> GenesisHash {
        match self {
            Self::Genesis(genesis) => *genesis,
            Self::Checkpoint(checkpoint) => checkpoint.genesis,
        }
    }
}

/// Where a proof starts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Start {
    /// At block 0.
    #[codec(index = 0)]
    Genesis {
        /// Its header.
        header: Header,
        /// Trie nodes that prove `Grandpa.Authorities` in its state.
        authorities: Vec<Vec<u8>>,
    },
    /// At a checkpoint that the verifier must have.
    #[codec(index = 1)]
    Checkpoint(BlockRef),
}

/// How the receipt's block is known to be final.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Finality {
    /// It is where the hand-overs end, or the checkpoint itself.
    #[codec(index = 0)]
    Reached,
    /// A justification finalises it or a descendant.
    #[codec(index = 1)]
    Justified {
        /// Encoded, by the set in office.
        justification: Vec<u8>,
        /// From the receipt's block up to the one that the justification finalises.
        headers: Vec<Header>,
    },
}

/// The way from what is trusted to the state in which a receipt's claims stand.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct ChainProof {
    /// Where it starts.
    pub start: Start,
    /// From set to set, up to the one in office at the receipt's block.
    pub hand_overs: Vec<HandOver>,
    /// That the receipt's block is final.
    pub finality: Finality,
    /// Trie nodes that prove the values of [`storage_keys`] in its state, none more.
    pub storage: Vec<Vec<u8>>,
}

/// A receipt that can be verified offline.
///
/// # Shape
/// JSON: `{"format": 1, "receipt": "0x…", "proof": "0x…"}`, the SCALE encodings of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptBundle {
    /// What is said.
    pub receipt: SignedReceipt,
    /// Why to believe it.
    pub proof: ChainProof,
}

/// What a verified receipt stands for. Only [`verify_receipt`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedReceipt {
    /// What it says.
    pub receipt: Receipt,
    /// Time of the receipt's block.
    pub block_time: UnixMillis,
    /// What the worker's evidence said.
    pub attested: Attested,
    /// Until when the worker's admission counts.
    pub expires_at: UnixMillis,
    /// The program's owner.
    pub owner: Account,
    /// The program, as the chain keeps it at that block.
    pub program: ProgramRecord,
}

impl VerifiedReceipt {
    /// The program's name, as far as it is text.
    pub fn program_name(&self) -> String {
        String::from_utf8_lossy(&self.program.name).into_owned()
    }

    /// What `phala verify --json` prints.
    pub fn to_json(&self) -> Value {
        let receipt = &self.receipt;
        json!({
            "valid": true,
            "program": receipt.program.to_string(),
            "program_name": self.program_name(),
            "owner": self.owner.to_string(),
            "code_hash": receipt.code.to_string(),
            "subject": match receipt.subject { Subject::Query => "query", Subject::Command(_) => "command" },
            "request_hash": receipt.request.to_string(),
            "response_hash": receipt.response.to_string(),
            "height": receipt.anchor.block.number.0,
            "block_hash": receipt.anchor.block.hash.to_string(),
            "block_time_ms": self.block_time.0,
            "time_ms": receipt.time.0,
            "version": receipt.anchor.version,
            "root": receipt.anchor.root.to_string(),
            "worker": receipt.worker.to_string(),
            "tee": self.attested.tee_name(),
            "tcb_status": self.attested.tcb.name(),
            "measurement": self.attested.measurement.to_string(),
        })
    }
}

/// Why a receipt is not believed: one variant for each rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is not a receipt bundle.
    #[error("a receipt file is a JSON object with format {BUNDLE_FORMAT}, receipt and proof")]
    BundleMalformed,
    /// The receipt's bytes are not a receipt.
    #[error(transparent)]
    ReceiptMalformed(#[from] ParseReceiptError),
    /// The proof's bytes are not a proof.
    #[error("the proof's bytes are damaged")]
    ProofMalformed,
    /// See [`CHAIN_PROOF_BYTES_MAX`], [`HAND_OVERS_MAX`], [`PATH_HEADERS_MAX`].
    #[error("the proof is larger than any that this software makes")]
    ProofTooLarge,
    /// The receipt was altered, or another key signed it.
    #[error("the receipt's signature is not by the instance that it names")]
    Signature,
    /// The receipt, or its proof, is of another network than the trusted one.
    #[error("the receipt belongs to another network than the trusted genesis {trusted}")]
    WrongGenesis {
        /// What the verifier trusts.
        trusted: GenesisHash,
    },
    /// The first set of authorities does not follow from the genesis block.
    #[error("the first authorities are not proven: {0}")]
    GenesisAuthorities(FollowError),
    /// The proof starts at a checkpoint that the verifier does not trust.
    #[error("the proof starts at checkpoint {number}, which is not trusted here", number = .0.number)]
    OtherStart(BlockRef),
    /// The receipt's block lies before everything that is trusted.
    #[error("the receipt's block {block} is older than the checkpoint {checkpoint}")]
    OlderThanCheckpoint {
        /// The receipt's.
        block: BlockNumber,
        /// The trusted one.
        checkpoint: BlockNumber,
    },
    /// The proof leads past the checkpoint on another chain.
    #[error("the proof leads through another chain than the checkpoint")]
    CheckpointDiffers,
    /// Authorities did not appoint the next ones.
    #[error("hand-over number {place} at block {block} is broken: {source}")]
    HandOver {
        /// Place in the proof, from zero.
        place: usize,
        /// Block that hands over.
        block: BlockNumber,
        /// What is wrong.
        source: HandOverError,
    },
    /// The finality of the receipt's block is not proven.
    #[error("the receipt's block is not final: {0}")]
    Justification(JustificationError),
    /// The finalised block does not descend from the receipt's.
    #[error("the receipt's block is not an ancestor of the finalised block")]
    NotAnAncestor,
    /// The values of the chain's state are not proven.
    #[error("the chain's state is not proven: {0}")]
    StorageProof(ProofError),
    /// A value of the chain's state is of another version of this software.
    #[error("the {0} in the chain's state cannot be read; another version of this software may do it")]
    RecordMalformed(&'static str),
    /// The worker never registered, or left.
    #[error("the worker is not registered at the receipt's block")]
    WorkerNotRegistered,
    /// Another process of the worker took over.
    #[error("another instance of the worker had taken over at the receipt's block")]
    InstanceSuperseded,
    /// The worker's evidence was too old.
    #[error("the worker's admission expired at {expires_at}")]
    AdmissionExpired {
        /// When.
        expires_at: UnixMillis,
    },
    /// There was no such program.
    #[error("the program does not exist at the receipt's block")]
    ProgramUnknown,
    /// The worker had no business with this program.
    #[error("the worker is not assigned to the program's cluster")]
    WorkerNotAssigned,
    /// Other code than the program's ran.
    #[error("the code that ran is not the program's")]
    CodeDiffers,
    /// The state was old.
    #[error("the answer is from version {version}, but the program was at version {newest}")]
    AnchorSuperseded {
        /// The receipt's.
        version: u64,
        /// The chain's.
        newest: u64,
    },
    /// The state was not anchored.
    #[error("the answer is from version {version}, which was not anchored; the program was at version {newest}")]
    AnchorAhead {
        /// The receipt's.
        version: u64,
        /// The chain's.
        newest: u64,
    },
    /// The state was another one.
    #[error("the state's root is not the anchored one")]
    RootDiffers,
    /// The command's result is not what the worker anchored.
    #[error("the command's result is not in the anchor")]
    ResultNotAnchored,
    /// The receipt's time cannot be.
    #[error("the receipt's time {time} does not fit the block's time {block_time}")]
    TimeImplausible {
        /// The receipt's.
        time: UnixMillis,
        /// The block's.
        block_time: UnixMillis,
    },
}

impl Refusal {
    /// A word for it that does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BundleMalformed => "bundle-malformed",
            Self::ReceiptMalformed(_) => "receipt-malformed",
            Self::ProofMalformed => "proof-malformed",
            Self::ProofTooLarge => "proof-too-large",
            Self::Signature => "signature",
            Self::WrongGenesis { .. } => "wrong-genesis",
            Self::GenesisAuthorities(_) => "genesis-authorities",
            Self::OtherStart(_) => "other-start",
            Self::OlderThanCheckpoint { .. } => "older-than-checkpoint",
            Self::CheckpointDiffers => "checkpoint-differs",
            Self::HandOver { .. } => "hand-over",
            Self::Justification(_) => "justification",
            Self::NotAnAncestor => "not-an-ancestor",
            Self::StorageProof(_) => "storage-proof",
            Self::RecordMalformed(_) => "record-malformed",
            Self::WorkerNotRegistered => "worker-not-registered",
            Self::InstanceSuperseded => "instance-superseded",
            Self::AdmissionExpired { .. } => "admission-expired",
            Self::ProgramUnknown => "program-unknown",
            Self::WorkerNotAssigned => "worker-not-assigned",
            Self::CodeDiffers => "code-differs",
            Self::AnchorSuperseded { .. } => "anchor-superseded",
            Self::AnchorAhead { .. } => "anchor-ahead",
            Self::RootDiffers => "root-differs",
            Self::ResultNotAnchored => "result-not-anchored",
            Self::TimeImplausible { .. } => "time-implausible",
        }
    }
}

impl ReceiptBundle {
    /// The JSON form, on one line.
    pub fn to_json(&self) -> String {
        let field = |bytes: Vec<u8>| format!("0x{}", hex::encode(bytes));
        json!({
            "format": BUNDLE_FORMAT,
            "receipt": field(self.receipt.encode()),
            "proof": field(self.proof.encode()),
        })
        .to_string()
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`Refusal::BundleMalformed`], [`Refusal::ReceiptMalformed`], [`Refusal::ProofMalformed`], [`Refusal::ProofTooLarge`].
    pub fn parse_json(text: &str) -> Result<Self, Refusal> {
        if text.len() > CHAIN_PROOF_BYTES_MAX.saturating_mul(2).saturating_add(RECEIPT_BYTES_MAX * 3) {
            return Err(Refusal::ProofTooLarge);
        }
        let value: Value = serde_json::from_str(text).map_err(|_| Refusal::BundleMalformed)?;
        let object = value.as_object().filter(|object| object.len() == 3).ok_or(Refusal::BundleMalformed)?;
        if object.get("format").and_then(Value::as_u64) != Some(BUNDLE_FORMAT) {
            return Err(Refusal::BundleMalformed);
        }
        let field = |name| {
            let digits = object.get(name)?.as_str()?.strip_prefix("0x")?;
            hex::decode(digits).ok()
        };
        let receipt = SignedReceipt::parse(&field("receipt").ok_or(Refusal::BundleMalformed)?)?;
        let proof = ChainProof::parse(&field("proof").ok_or(Refusal::BundleMalformed)?)?;
        Ok(Self { receipt, proof })
    }
}

impl ChainProof {
    /// Reads a proof; every byte must belong to it.
    ///
    /// # Errors
    /// [`Refusal::ProofTooLarge`], [`Refusal::ProofMalformed`].
    pub fn parse(mut bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > CHAIN_PROOF_BYTES_MAX {
            return Err(Refusal::ProofTooLarge);
        }
        // A list of nothings is small as bytes and large in memory.
        let proof =
            Self::decode_with_mem_limit(&mut bytes, PROOF_MEMORY_BYTES_MAX).map_err(|_| Refusal::ProofMalformed)?;
        if bytes.is_empty() { Ok(proof) } else { Err(Refusal::ProofMalformed) }
    }
}

/// What a receipt is judged by, in this order: the worker's record, its cluster, the program, the program's newest
/// anchor, the block's time.
pub fn storage_keys(receipt: &Receipt) -> [Vec<u8>; 5] {
    [
        storage::worker(&receipt.worker),
        storage::assignment(&receipt.worker),
        storage::program(&receipt.program),
        storage::anchor(&receipt.program),
        storage::timestamp_now(),
    ]
}

/// Verifies a receipt from what is trusted, without any network or clock.
///
/// # Errors
/// [`Refusal`]: the first rule that is broken, in the order in which `docs/reference/receipt.md` tells them.
pub fn verify_receipt(bundle: &ReceiptBundle, trust: &Trust) -> Result<VerifiedReceipt, Refusal> {
    verify_statement(&bundle.receipt, trust)?;
    let receipt = &bundle.receipt.receipt;
    let block = verify_block(&bundle.proof, &receipt.anchor.block, trust)?;
    let values = read_exact_proof(&block.state_root, &bundle.proof.storage, &storage_keys(receipt));
    let records = Records::parse(values.map_err(Refusal::StorageProof)?)?;
    records.verify_worker(receipt)?;
    records.verify_program(receipt)?;
    records.verify_time(receipt)?;
    Ok(VerifiedReceipt {
        receipt: receipt.clone(),
        block_time: records.time,
        attested: records.worker.attested,
        expires_at: records.worker.expires_at,
        owner: records.program.owner,
        program: records.program,
    })
}

/// The receipt alone: who signed it, for which network, and whether its block can be reached at all.
pub(crate) fn verify_statement(signed: &SignedReceipt, trust: &Trust) -> Result<(), Refusal> {
    let receipt = &signed.receipt;
    if !phala_crypto::verify_ed25519(&receipt.instance.0, &receipt.signing_hash().0, &signed.signature) {
        return Err(Refusal::Signature);
    }
    if receipt.genesis != trust.genesis() {
        return Err(Refusal::WrongGenesis { trusted: trust.genesis() });
    }
    let block = receipt.anchor.block.number;
    match trust {
        Trust::Checkpoint(checkpoint) if block < checkpoint.number => {
            Err(Refusal::OlderThanCheckpoint { block, checkpoint: checkpoint.number })
        }
        _ => Ok(()),
    }
}

/// The receipt's block, proven final.
fn verify_block(proof: &ChainProof, block: &BlockRef, trust: &Trust) -> Result<Finalized<Head>, Refusal> {
    if proof.hand_overs.len() > HAND_OVERS_MAX {
        return Err(Refusal::ProofTooLarge);
    }
    let (mut position, mut due) = verify_start(&proof.start, block, trust)?;
    for (place, hand_over) in proof.hand_overs.iter().enumerate() {
        let number = BlockNumber(hand_over.header.number);
        if due.is_some_and(|checkpoint| checkpoint.number < number) {
            meets(&position, &mut due)?;
        }
        let broken = |source| Refusal::HandOver { place, block: number, source };
        let next = position.moved(&hand_over.header, &hand_over.justification).map_err(broken)?;
        if next.set().id() == position.set().id() {
            return Err(broken(HandOverError::None));
        }
        position = next;
        if due.is_some_and(|checkpoint| checkpoint.number == number && checkpoint.hash != position.head().hash) {
            return Err(Refusal::CheckpointDiffers);
        }
    }
    meets(&position, &mut due)?;
    match &proof.finality {
        Finality::Reached if position.head().block() == *block => Ok(position.head().clone()),
        Finality::Reached => Err(Refusal::Justification(JustificationError::OtherBlock)),
        Finality::Justified { headers, .. } if headers.len() > PATH_HEADERS_MAX => Err(Refusal::ProofTooLarge),
        Finality::Justified { justification, headers } => {
            let last = headers.last().ok_or(Refusal::NotAnAncestor)?;
            let justification = Justification::parse(justification).map_err(Refusal::Justification)?;
            let top = Finalized::justified(last, &justification, position.set()).map_err(Refusal::Justification)?;
            let found = top.ancestor(headers).map_err(|_| Refusal::NotAnAncestor)?;
            if found.block() == *block { Ok(found) } else { Err(Refusal::NotAnAncestor) }
        }
    }
}

/// Where the proof starts, and the checkpoint that it must still pass through.
fn verify_start<'a>(
    start: &Start,
    block: &BlockRef,
    trust: &'a Trust,
) -> Result<(Position, Option<&'a Checkpoint>), Refusal> {
    let genesis = trust.genesis();
    match (start, trust) {
        (Start::Genesis { header, authorities }, _) => {
            let position = verify_genesis(genesis, header, authorities).map_err(|error| match error {
                FollowError::WrongGenesis { .. } => Refusal::WrongGenesis { trusted: genesis },
                other => Refusal::GenesisAuthorities(other),
            })?;
            match trust {
                Trust::Checkpoint(checkpoint) if checkpoint.number == block.number => {
                    if checkpoint.hash == block.hash {
                        Ok((position, None))
                    } else {
                        Err(Refusal::CheckpointDiffers)
                    }
                }
                Trust::Checkpoint(checkpoint) => Ok((position, Some(checkpoint))),
                Trust::Genesis(_) => Ok((position, None)),
            }
        }
        (Start::Checkpoint(start), Trust::Checkpoint(checkpoint)) if *start == checkpoint.head().block() => {
            let set = checkpoint.authority_set().map_err(|error| Refusal::GenesisAuthorities(error.into()))?;
            Ok((Position::trusted(checkpoint.head(), set), None))
        }
        (Start::Checkpoint(start), _) => Err(Refusal::OtherStart(*start)),
    }
}

/// A proof that leads past a checkpoint must have its authorities in office there.
fn meets(position: &Position, due: &mut Option<&Checkpoint>) -> Result<(), Refusal> {
    let same = |checkpoint: &Checkpoint| checkpoint.authority_set().is_ok_and(|set| set == *position.set());
    match due.take() {
        Some(checkpoint) if !same(checkpoint) => Err(Refusal::CheckpointDiffers),
        _ => Ok(()),
    }
}

/// What the chain knew at the receipt's block.
struct Records {
    worker: WorkerRecord,
    cluster: Option<ClusterId>,
    program: ProgramRecord,
    anchor: AnchorRecord,
    time: UnixMillis,
}

impl Records {
    fn parse(values: Vec<Option<Vec<u8>>>) -> Result<Self, Refusal> {
        fn record<T: Decode>(value: Option<Vec<u8>>, name: &'static str) -> Result<Option<T>, Refusal> {
            let parse =
                |bytes: Vec<u8>| T::decode_all(&mut bytes.as_slice()).map_err(|_| Refusal::RecordMalformed(name));
            value.map(parse).transpose()
        }
        let mut values = values.into_iter();
        let mut next = || values.next().flatten();
        Ok(Self {
            worker: record(next(), "worker")?
                .filter(|worker: &WorkerRecord| worker.has_role(Role::Worker))
                .ok_or(Refusal::WorkerNotRegistered)?,
            cluster: record(next(), "assignment")?,
            program: record(next(), "program")?.ok_or(Refusal::ProgramUnknown)?,
            anchor: record(next(), "anchor")?.ok_or(Refusal::ProgramUnknown)?,
            time: record(next(), "time")?.ok_or(Refusal::RecordMalformed("time"))?,
        })
    }

    fn verify_worker(&self, receipt: &Receipt) -> Result<(), Refusal> {
        if self.worker.registration.instance != receipt.instance {
            return Err(Refusal::InstanceSuperseded);
        }
        let expires_at = self.worker.expires_at;
        if self.time >= expires_at || receipt.time >= expires_at {
            return Err(Refusal::AdmissionExpired { expires_at });
        }
        Ok(())
    }

    fn verify_program(&self, receipt: &Receipt) -> Result<(), Refusal> {
        if self.cluster != Some(self.program.cluster) {
            return Err(Refusal::WorkerNotAssigned);
        }
        if self.program.code != receipt.code {
            return Err(Refusal::CodeDiffers);
        }
        let (version, newest) = (receipt.anchor.version, self.anchor.version);
        if version < newest {
            return Err(Refusal::AnchorSuperseded { version, newest });
        }
        if version > newest {
            return Err(Refusal::AnchorAhead { version, newest });
        }
        if receipt.anchor.root != self.anchor.root {
            return Err(Refusal::RootDiffers);
        }
        match &receipt.subject {
            Subject::Query => Ok(()),
            Subject::Command(_) if receipt.results_root(self.anchor.from) == Some(self.anchor.results) => Ok(()),
            Subject::Command(_) => Err(Refusal::ResultNotAnchored),
        }
    }

    /// A query is answered after its block, a command was ordered before.
    fn verify_time(&self, receipt: &Receipt) -> Result<(), Refusal> {
        let fits = match receipt.subject {
            Subject::Query => receipt.time.saturating_add(QUERY_CLOCK_LAG_MS_MAX) >= self.time,
            Subject::Command(_) => receipt.time <= self.time,
        };
        if fits { Ok(()) } else { Err(Refusal::TimeImplausible { time: receipt.time, block_time: self.time }) }
    }
}
