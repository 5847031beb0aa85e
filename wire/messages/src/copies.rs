//! Copies: how a program's state gets to the workers that stand by, and how those say what they hold.
//!
//! ```text
//! lead        → standing by: Piece   a batch of the program's disk, or all of it
//! lead        → standing by: Where   where does your copy stand?
//! standing by → lead:        Greet   are you there?
//! lead        → any member:  Give    mine is too old: send me yours
//! whoever was asked          →       CopyState: signed, for that message alone
//! ```
//! What travels is what lies on disks: sealed entries under names that are keyed hashes. A copy needs no secrecy and no
//! trust: it is verified when it is opened, against the root that the chain has anchored.
//!
//! A copy's *mark* names its contents. The mark of a whole copy is a hash over its entries; each batch leads from one mark to
//! the next ([`mark_after`]), so a batch that was altered, left out, repeated or put elsewhere does not fit.
//!
//! # Properties
//! - A message counts at one process, from one process, and pieces of one program in ascending order of their numbers.

use crate::{
    Signature,
    ids::{CodeHash, GenesisHash, Hash, InstanceKey, ProgramId, WorkerId},
    limits::COPY_PIECE_BYTES_MAX,
    transcript::Preimage,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, MaxEncodedLen};

/// Where a worker takes [`SignedCopyMessage`]s.
pub const COPY_PATH: &str = "/v1/copy";

/// Where a worker gives the code with this hash to whoever asks.
pub fn code_path(code: &CodeHash) -> alloc::string::String {
    alloc::format!("/v1/code/{code}")
}

/// Bytes of one piece.
pub type PieceBytes = BoundedVec<u8, ConstU32<COPY_PIECE_BYTES_MAX>>;

/// What the pieces of one change add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub enum CopyChange {
    /// One batch, for a copy at this mark.
    #[codec(index = 0)]
    Batch {
        /// Where the copy must stand.
        before: Hash,
    },
    /// All entries: whatever was there goes.
    #[codec(index = 1)]
    Whole,
}

/// What a member says to another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub enum CopySay {
    /// Are you there?
    #[codec(index = 0)]
    Greet,
    /// Where does your copy stand?
    #[codec(index = 1)]
    Where {
        /// Of which program.
        program: ProgramId,
    },
    /// Send me your copy, whole.
    #[codec(index = 2)]
    Give {
        /// Of which program.
        program: ProgramId,
    },
    /// A piece of a change.
    #[codec(index = 3)]
    Piece {
        /// Of which program.
        program: ProgramId,
        /// What the pieces add up to.
        change: CopyChange,
        /// The copy's mark after the change.
        after: Hash,
        /// Bytes of the whole change.
        total: u32,
        /// Where in it this piece begins.
        offset: u32,
        /// The piece.
        bytes: PieceBytes,
    },
}

/// member → member of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct CopyMessage {
    /// Who says it.
    pub from: WorkerId,
    /// Larger than the number of every earlier message of the same process.
    pub number: u64,
    /// What is said.
    pub say: CopySay,
}

impl CopyMessage {
    /// The hash that the sender's instance signs. It names the receiver's process: a message is of no use to another one.
    ///
    /// # Shape
    /// SHA-256 of `"phala/copy/v1" ‖ genesis ‖ receiver's instance ‖ SCALE(self)`.
    pub fn signing_hash(&self, genesis: &GenesisHash, to: &InstanceKey) -> Hash {
        Preimage::new("phala/copy/v1").bytes(&genesis.0).bytes(&to.0).bytes(&self.encode()).hash()
    }
}

/// A message and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct SignedCopyMessage {
    /// What is said.
    pub message: CopyMessage,
    /// By the sender's instance.
    pub signature: Signature,
}

/// The answer to a message: where the copy that it was about stands now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct CopyState {
    /// [`CopyMessage::signing_hash`] of what is answered.
    pub to: Hash,
    /// The copy's mark; of an empty copy, too. Zero where no copy was asked about, or it is on its way in pieces.
    pub mark: Hash,
}

impl CopyState {
    /// The hash that the answering instance signs.
    ///
    /// # Shape
    /// SHA-256 of `"phala/copy-state/v1" ‖ genesis ‖ SCALE(self)`.
    pub fn signing_hash(&self, genesis: &GenesisHash) -> Hash {
        Preimage::new("phala/copy-state/v1").bytes(&genesis.0).bytes(&self.encode()).hash()
    }
}

/// An answer and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct SignedCopyState {
    /// What is answered.
    pub state: CopyState,
    /// By the answering instance.
    pub signature: Signature,
}

/// What a member replies to a [`SignedCopyMessage`].
pub type CopyReply = Result<SignedCopyState, CopyRefusal>;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, thiserror::Error)]
pub enum CopyRefusal {
    /// The bytes are no message.
    #[error("the message is malformed")]
    #[codec(index = 0)]
    Malformed,
    /// This worker's view of the chain is too old, or the chain does not count it in.
    #[error("the worker may not serve at the moment")]
    #[codec(index = 1)]
    NotServing,
    /// The sender is no admitted member of the cluster, as far as this worker has followed the chain.
    #[error("the sender is no admitted member of the cluster")]
    #[codec(index = 2)]
    NotMember,
    /// Not signed by the sender's current instance, or for another process.
    #[error("the message is not signed by the sender's current instance, for this process")]
    #[codec(index = 3)]
    Signature,
    /// Seen before, or overtaken by a later one.
    #[error("the message was said before, or a later one has overtaken it")]
    #[codec(index = 4)]
    Replayed,
    /// Only the lead may change copies, and only copies of those that stand by.
    #[error("the sender does not lead the cluster, or the receiver does not stand by")]
    #[codec(index = 5)]
    NotLead,
    /// The chain has not given this program to the cluster.
    #[error("the cluster does not run this program")]
    #[codec(index = 6)]
    UnknownProgram,
    /// See [`crate::limits::COPY_BYTES_MAX`].
    #[error("the change is larger than a copy may be")]
    #[codec(index = 7)]
    TooLarge,
    /// The piece does not follow the one before.
    #[error("a piece before this one is missing")]
    #[codec(index = 8)]
    Gap,
    /// The bytes do not lead to the mark that was promised.
    #[error("the pieces do not add up to what was promised")]
    #[codec(index = 9)]
    Mark,
    /// Too many changes at once.
    #[error("too many copies are on their way at once")]
    #[codec(index = 10)]
    Busy,
    /// The disk.
    #[error("the disk does not work")]
    #[codec(index = 11)]
    Disk,
}

impl CopyRefusal {
    /// All of them, in the order of their bytes.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::NotServing,
        Self::NotMember,
        Self::Signature,
        Self::Replayed,
        Self::NotLead,
        Self::UnknownProgram,
        Self::TooLarge,
        Self::Gap,
        Self::Mark,
        Self::Busy,
        Self::Disk,
    ];
}

/// The mark of a copy at `before`, after a batch with this SHA-256.
///
/// # Shape
/// SHA-256 of `"phala/copy-mark/v1" ‖ before ‖ batch`.
pub fn mark_after(before: &Hash, batch: &Hash) -> Hash {
    Preimage::new("phala/copy-mark/v1").bytes(&before.0).bytes(&batch.0).hash()
}

/// The mark of a whole copy whose entries, encoded in the order of their names, have this SHA-256.
///
/// # Shape
/// SHA-256 of `"phala/copy-whole/v1" ‖ entries`.
pub fn mark_of_whole(entries: &Hash) -> Hash {
    Preimage::new("phala/copy-whole/v1").bytes(&entries.0).hash()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_bound_to_network_receiver_and_every_field() {
        let message =
            CopyMessage { from: WorkerId([1; 32]), number: 2, say: CopySay::Where { program: ProgramId([3; 32]) } };
        let hash = |message: &CopyMessage, network, to| {
            message.signing_hash(&GenesisHash([network; 32]), &InstanceKey([to; 32]))
        };
        let mut all = alloc::collections::BTreeSet::from([
            hash(&message, 1, 1),
            hash(&message, 2, 1),
            hash(&message, 1, 2),
            hash(&CopyMessage { number: 3, ..message.clone() }, 1, 1),
            hash(&CopyMessage { from: WorkerId([2; 32]), ..message.clone() }, 1, 1),
        ]);
        all.insert(hash(&CopyMessage { say: CopySay::Give { program: ProgramId([3; 32]) }, ..message.clone() }, 1, 1));
        all.insert(hash(&CopyMessage { say: CopySay::Greet, ..message }, 1, 1));
        assert_eq!(all.len(), 7);
    }

    #[test]
    fn refusals_keep_their_bytes() {
        for (index, refusal) in (0u8..).zip(CopyRefusal::ALL) {
            assert_eq!(refusal.encode(), [index], "{refusal}");
        }
    }

    #[test]
    fn a_piece_has_at_most_so_many_bytes() {
        let piece = |bytes: u32| {
            let mut encoded = codec::Compact(bytes).encode();
            encoded.resize(encoded.len() + bytes as usize, 7);
            PieceBytes::decode(&mut encoded.as_slice())
        };
        assert!(piece(COPY_PIECE_BYTES_MAX).is_ok());
        assert!(piece(COPY_PIECE_BYTES_MAX + 1).is_err());
    }
}
