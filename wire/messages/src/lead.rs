//! Leading: which of a cluster's workers moves its programs on, and how another takes its place.
//!
//! ```text
//! standing by → chain: Doubt   the lead does not answer me: it shall show itself
//! lead        → chain: Show    here I am
//! standing by → chain: Take    it did not, for so many blocks, or its admission has expired: I lead now
//! ```
//!
//! # Properties
//! - A message counts for the [`LeadRecord`] as it stands, once: it names the term and the newest block in the record, and each
//!   message that counts changes one of them.

use crate::{
    Signature,
    ids::{ClusterId, GenesisHash, Hash, WorkerId},
    transcript::Preimage,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::BlockNumber;
use scale_info::TypeInfo;

/// What a worker says about who leads its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum LeadStep {
    /// standing by → chain: the lead shall show itself.
    #[codec(index = 0)]
    Doubt,
    /// lead → chain: here I am.
    #[codec(index = 1)]
    Show,
    /// standing by → chain: the lead is dead by what the chain knows; I lead.
    #[codec(index = 2)]
    Take,
}

/// worker → chain: about who leads.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct LeadMessage {
    /// Of which cluster.
    pub cluster: ClusterId,
    /// [`LeadRecord::term`] as it stands.
    pub term: u64,
    /// [`LeadRecord::newest`] as it stands.
    pub newest: BlockNumber,
    /// What is said.
    pub step: LeadStep,
    /// Who says so.
    pub worker: WorkerId,
}

impl LeadMessage {
    /// The hash that the worker's instance signs.
    ///
    /// # Shape
    /// SHA-256 of `"phala/lead/v1" ‖ genesis ‖ SCALE(self)`.
    pub fn signing_hash(&self, genesis: &GenesisHash) -> Hash {
        Preimage::new("phala/lead/v1").bytes(&genesis.0).bytes(&self.encode()).hash()
    }
}

/// The arguments of `programs.lead`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedLeadMessage {
    /// What is said.
    pub message: LeadMessage,
    /// By the worker's current instance.
    pub signature: Signature,
}

/// What the chain knows of a cluster's lead, beside who it is: the first of [`crate::ClusterRecord::workers`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct LeadRecord {
    /// Counts changes of the lead.
    pub term: u64,
    /// Block in which it began to lead, or showed itself when it was doubted last.
    pub shown: BlockNumber,
    /// Block in which it was doubted, until it shows itself.
    pub doubted: Option<BlockNumber>,
}

impl LeadRecord {
    /// The newest block in the record.
    pub fn newest(&self) -> BlockNumber {
        self.doubted.unwrap_or(self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_bound_to_the_network_and_every_field() {
        let message = LeadMessage {
            cluster: ClusterId(1),
            term: 2,
            newest: BlockNumber(3),
            step: LeadStep::Doubt,
            worker: WorkerId([4; 32]),
        };
        let ours = GenesisHash([1; 32]);
        let mut all = alloc::collections::BTreeSet::from([
            message.signing_hash(&ours),
            message.signing_hash(&GenesisHash([2; 32])),
        ]);
        for step in [LeadStep::Show, LeadStep::Take] {
            all.insert(LeadMessage { step, ..message.clone() }.signing_hash(&ours));
        }
        all.insert(LeadMessage { cluster: ClusterId(2), ..message.clone() }.signing_hash(&ours));
        all.insert(LeadMessage { term: 3, ..message.clone() }.signing_hash(&ours));
        all.insert(LeadMessage { newest: BlockNumber(4), ..message.clone() }.signing_hash(&ours));
        all.insert(LeadMessage { worker: WorkerId([5; 32]), ..message }.signing_hash(&ours));
        assert_eq!(all.len(), 8);
    }
}
