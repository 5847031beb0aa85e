//! Receipts: proof, for someone who trusts none of us, of where an answer came from.
//!
//! A receipt is small and travels with every answer. By itself it proves that some Ed25519 key said so.
//! Beside a proof of the chain's state at [`AnchorRef::block`] it proves that this key belonged to a worker
//! whose TEE evidence was good, that the program had that code, and that its state was the newest. How the
//! two are verified together is told in `phala-follow` and in `docs/reference/receipt.md`.

use crate::{
    Signature,
    anchor::{ResultLeaf, results_root_from_path},
    ids::{Account, CodeHash, GenesisHash, Hash, InstanceKey, ProgramId, StateRoot, WorkerId},
    registration::BlockRef,
    transcript::Preimage,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, Encode};
use phala_units::UnixMillis;

/// First byte of an encoded receipt.
pub const RECEIPT_FORMAT: u8 = 1;
/// Length of a path in a tree of [`crate::anchor::ANCHOR_COMMANDS_MAX`] leaves.
pub const RESULT_PATH_MAX: usize = 10;
/// The trailer field (RFC 9110 §6.5) of an answer that carries the base64 of a [`SignedReceipt`].
pub const RECEIPT_FIELD: &str = "phala-receipt";

/// Which state an answer was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AnchorRef {
    /// A finalised block. In its state stand the worker's registration, the program and the anchor.
    pub block: BlockRef,
    /// The program's version there.
    pub version: u64,
    /// Root of the program's state at that version.
    pub root: StateRoot,
}

/// The place of a command's result in the tree under the anchor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CommandProof {
    /// Which command.
    pub index: u64,
    /// Who sent it.
    pub caller: Account,
    /// See [`ResultLeaf::blind`].
    pub blind: Hash,
    /// See [`crate::anchor::results_path`].
    pub path: Vec<Hash>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Subject {
    /// A request sent straight to the worker.
    #[codec(index = 0)]
    Query,
    /// A request ordered by the chain.
    #[codec(index = 1)]
    Command(CommandProof),
}

/// worker → caller: this answer came from that code, state and machine.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// [`RECEIPT_FORMAT`].
    pub format: u8,
    /// Which network.
    pub genesis: GenesisHash,
    /// Which program.
    pub program: ProgramId,
    /// Which code ran.
    pub code: CodeHash,
    /// What was answered.
    pub subject: Subject,
    /// Transcript hash of the request, as the program saw it.
    pub request: Hash,
    /// Transcript hash of the response, as the program gave it.
    pub response: Hash,
    /// Which state it was read from.
    pub anchor: AnchorRef,
    /// Which machine.
    pub worker: WorkerId,
    /// Which process of it.
    pub instance: InstanceKey,
    /// When, by the clock of the worker (query) or of the ordering block (command).
    pub time: UnixMillis,
}

/// A receipt with the signature of the instance that it names.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedReceipt {
    /// What is said.
    pub receipt: Receipt,
    /// By [`Receipt::instance`], over [`Receipt::signing_hash`].
    pub signature: Signature,
}

/// Why bytes are not a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReceiptError {
    /// Written by another version of this software.
    #[error("receipt format {0} is not known here; this software reads format {RECEIPT_FORMAT}")]
    Format(u8),
    /// Not the bytes of a receipt.
    #[error("the receipt's bytes are damaged")]
    Malformed,
}

impl Receipt {
    /// The hash that the instance signs.
    ///
    /// # Shape
    /// SHA-256 of `"phala/receipt/v1" ‖ SCALE(self)`.
    pub fn signing_hash(&self) -> Hash {
        Preimage::new("phala/receipt/v1").bytes(&self.encode()).hash()
    }

    /// For a command whose anchor answered `from..version`: the root that its result leads to.
    pub fn results_root(&self, from: u64) -> Option<Hash> {
        let Subject::Command(proof) = &self.subject else { return None };
        let leaf = ResultLeaf {
            index: proof.index,
            caller: proof.caller,
            blind: proof.blind,
            request: self.request,
            response: self.response,
        };
        let count = self.anchor.version.checked_sub(from)?;
        results_root_from_path(leaf.hash(), proof.index.checked_sub(from)?, count, &proof.path)
    }
}

impl SignedReceipt {
    /// Reads a receipt; every byte must belong to it.
    ///
    /// # Errors
    /// [`ParseReceiptError`].
    pub fn parse(mut bytes: &[u8]) -> Result<Self, ParseReceiptError> {
        match bytes.first() {
            Some(&RECEIPT_FORMAT) => {}
            Some(&other) => return Err(ParseReceiptError::Format(other)),
            None => return Err(ParseReceiptError::Malformed),
        }
        let receipt = Self::decode_all(&mut bytes).map_err(|_| ParseReceiptError::Malformed)?;
        match &receipt.receipt.subject {
            Subject::Command(proof) if proof.path.len() > RESULT_PATH_MAX => Err(ParseReceiptError::Malformed),
            _ => Ok(receipt),
        }
    }
}
