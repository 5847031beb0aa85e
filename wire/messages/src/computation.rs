//! Computing: how workers come to earn, and how one that lied is punished.
//!
//! ```text
//! worker → operator: WorkConsent    I am yours: you may bind me to your pool
//! worker → chain:    ScoreReport    so fast is this machine, by this process
//! chain  → worker:   Challenge      are you there?
//! worker → chain:    Heartbeat      yes, and so much have I done
//! anyone → chain:    FaultProof     these two things were signed by one process, and cannot both be true
//! ```
//!
//! # Who signs
//! [`ScoreReport`] and [`Heartbeat`] are signed by the worker's current instance; [`WorkConsent`] by its identity: it stands for longer
//! than a process.

use crate::{
    anchor::SignedAnchor,
    custody::{CustodyMessage, message},
    ids::{Account, Hash, InstanceKey, PoolId, WorkerId},
    limits::{RECEIPT_PROOF_BYTES_MAX, RECENT_PROCESSES_MAX},
    receipt::SignedReceipt,
    registration::BlockRef,
    transcript::Preimage,
};
use alloc::boxed::Box;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::{BlockNumber, UnixMillis};
use scale_info::TypeInfo;

/// worker → operator: whoever has this account may bind me to a pool of theirs. Signed by the worker's **identity**.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct WorkConsent {
    /// The machine.
    pub worker: WorkerId,
    /// Whose it is.
    pub operator: Account,
}
message!(WorkConsent, "phala/work-consent/v1", worker);

/// worker → chain: what the benchmark came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ScoreReport {
    /// The machine.
    pub worker: WorkerId,
    /// Iterations of the benchmark in six seconds of the chain's time.
    pub score: u32,
    /// A finalised block, the one that the measurement ended with: who measures for longer than it says is found out.
    pub block: BlockRef,
}
message!(ScoreReport, "phala/work-score/v1", worker);

/// worker → chain: here I am.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Heartbeat {
    /// The machine.
    pub worker: WorkerId,
    /// In which session.
    pub session: SessionNumber,
    /// The challenge that is answered: [`Challenge::block`].
    pub challenge: BlockNumber,
    /// Iterations of the benchmark since this process entered the session.
    pub iterations: u64,
}
message!(Heartbeat, "phala/work-heartbeat/v1", worker);

/// Counts sessions; each has its own.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct SessionNumber(pub u64);

/// chain → worker: give a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Challenge {
    /// The block that asks.
    pub block: BlockNumber,
    /// Its time.
    pub time: UnixMillis,
}

/// A score that the chain took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ScoreRecord {
    /// The score.
    pub score: u32,
    /// The process that measured it.
    pub instance: InstanceKey,
    /// The block that holds it.
    pub block: BlockNumber,
}

/// What a bound worker has to know of its work, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct WorkRecord {
    /// Whose pool it works for.
    pub pool: PoolId,
    /// What its newest benchmark came to.
    pub score: Option<ScoreRecord>,
    /// The session in which it computes now.
    pub session: Option<SessionNumber>,
    /// What it has to answer: the oldest challenge that waits.
    pub challenge: Option<Challenge>,
    /// The operator wants it back as soon as its stake has cooled down.
    pub leaving: bool,
    /// Its processes that were seen at work, the newest last: who reports a fault of one finds it here.
    pub processes: BoundedVec<InstanceKey, ConstU32<RECENT_PROCESSES_MAX>>,
}

/// A [`SignedReceipt`]'s bytes, as they lie in a proof of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ReceiptProof(pub BoundedVec<u8, ConstU32<RECEIPT_PROOF_BYTES_MAX>>);

impl ReceiptProof {
    /// A receipt, as the worker gave it.
    pub fn new(receipt: &SignedReceipt) -> Option<Self> {
        receipt.encode().try_into().ok().map(Self)
    }

    /// The receipt, if these are the bytes of one.
    pub fn open(&self) -> Option<SignedReceipt> {
        SignedReceipt::parse(&self.0).ok()
    }
}

/// Something a worker signed that it must not have signed. The list is closed; what it costs is the chain's to say.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum FaultProof {
    /// Two anchors of one process, for the same commands of one program, that differ in the state or in the results.
    #[codec(index = 0)]
    TwoAnchors {
        /// One.
        first: Box<SignedAnchor>,
        /// The other.
        second: Box<SignedAnchor>,
        /// The process that signed both.
        instance: InstanceKey,
    },
    /// Two receipts of one process that name the same block and program, and other states.
    #[codec(index = 1)]
    TwoReceipts {
        /// One.
        first: ReceiptProof,
        /// The other.
        second: ReceiptProof,
    },
    /// A receipt that names a state other than the one that the chain has at that block.
    #[codec(index = 2)]
    OtherState {
        /// What the worker gave.
        receipt: ReceiptProof,
    },
    /// A receipt of a time when the worker's evidence had expired.
    #[codec(index = 3)]
    ExpiredEvidence {
        /// What the worker gave.
        receipt: ReceiptProof,
    },
}

/// What happened, by its name: one punishment for each.
///
/// # Shape
/// SHA-256 of `"phala/fault/v1" ‖ kind as u8 ‖ worker ‖ SCALE(what)`.
pub fn fault_id(kind: u8, worker: &WorkerId, what: &impl Encode) -> Hash {
    Preimage::new("phala/fault/v1").bytes(&[kind]).bytes(&worker.0).bytes(&what.encode()).hash()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{GenesisHash, ProgramId},
        receipt::{AnchorRef, CommandProof, RECEIPT_FORMAT, RESULT_PATH_MAX, Receipt, Subject},
    };

    #[test]
    fn a_heartbeat_is_bound_to_the_network_and_every_field() {
        let heartbeat = Heartbeat {
            worker: WorkerId([1; 32]),
            session: SessionNumber(2),
            challenge: BlockNumber(3),
            iterations: 4,
        };
        let ours = GenesisHash([1; 32]);
        let all = alloc::collections::BTreeSet::from([
            heartbeat.signing_hash(&ours),
            heartbeat.signing_hash(&GenesisHash([2; 32])),
            Heartbeat { worker: WorkerId([2; 32]), ..heartbeat }.signing_hash(&ours),
            Heartbeat { session: SessionNumber(3), ..heartbeat }.signing_hash(&ours),
            Heartbeat { challenge: BlockNumber(4), ..heartbeat }.signing_hash(&ours),
            Heartbeat { iterations: 5, ..heartbeat }.signing_hash(&ours),
        ]);
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn each_message_has_a_domain_of_its_own() {
        let domains = [WorkConsent::DOMAIN, ScoreReport::DOMAIN, Heartbeat::DOMAIN];
        assert_eq!(alloc::collections::BTreeSet::from(domains).len(), domains.len());
    }

    fn receipt(path: usize) -> SignedReceipt {
        let proof = CommandProof {
            index: u64::MAX,
            caller: Account([1; 32]),
            blind: Hash([2; 32]),
            path: alloc::vec![Hash([3; 32]); path],
        };
        let anchor = AnchorRef { block: BlockRef::default(), version: 1, root: Default::default() };
        let receipt = Receipt {
            format: RECEIPT_FORMAT,
            genesis: GenesisHash([1; 32]),
            program: ProgramId([2; 32]),
            code: Default::default(),
            subject: Subject::Command(proof),
            request: Hash([4; 32]),
            response: Hash([5; 32]),
            anchor,
            worker: WorkerId([6; 32]),
            instance: InstanceKey([7; 32]),
            time: UnixMillis(8),
        };
        SignedReceipt { receipt, signature: [9; 64] }
    }

    #[test]
    fn the_longest_receipt_fits_a_proof_and_one_with_a_longer_path_is_none() {
        let longest = receipt(RESULT_PATH_MAX);
        assert_eq!(ReceiptProof::new(&longest).unwrap().open(), Some(longest));
        assert_eq!(ReceiptProof::new(&receipt(RESULT_PATH_MAX + 1)).and_then(|proof| proof.open()), None);
        let mut bytes = alloc::vec![0u8; RECEIPT_PROOF_BYTES_MAX as usize];
        assert!(BoundedVec::<u8, ConstU32<RECEIPT_PROOF_BYTES_MAX>>::try_from(bytes.clone()).is_ok());
        bytes.push(0);
        assert!(BoundedVec::<u8, ConstU32<RECEIPT_PROOF_BYTES_MAX>>::try_from(bytes).is_err());
    }
}
