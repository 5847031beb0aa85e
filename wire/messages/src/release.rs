//! Key release: how a worker gets a program's key from gatekeepers, and what they note down of it.
//!
//! ```text
//! worker     → gatekeeper: KeyQuery   I run this program; signed by my instance, for this gatekeeper's instance
//! gatekeeper → worker:     KeyAnswer  my part of its key, sealed to your registered transport key
//!                          or a ReleaseRefusal, which says why not
//! gatekeeper → chain:      the Merkle root over its deliveries, batch by batch
//! ```
//! Both travel inside a request that is sealed to the gatekeeper's registered transport key. The part of the key inside the answer
//! is sealed once more, to the transport key that the *chain* has of the worker: whoever asks in a worker's name and whoever
//! the answer is passed on to hold nothing that opens.
//!
//! # Properties
//! - A query counts at one gatekeeper process, for one worker process, once.
//! - An answer opens for the worker's process that asked, and only as the answer to that query.

use crate::{
    Signature,
    anchor::results_root_from_path,
    custody::{DeliveryBatch, EpochNumber, RootGeneration},
    ids::{GenesisHash, Hash, InstanceKey, ParticipantKey, ProgramId, WorkerId},
    limits::SEALED_PARTIAL_KEY_BYTES_MAX,
    moves::CodeEpoch,
    transcript::Preimage,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, MaxEncodedLen};
use phala_units::BlockNumber;

/// Where a gatekeeper takes sealed queries for keys.
pub const KEY_PATH: &str = "/v1/key";
/// Where anyone reads what an epoch came to: SCALE of an [`EpochNumber`] in, the round's output out.
pub const OUTPUT_PATH: &str = "/v1/output";
/// Where anyone reads the proof of a delivery: SCALE of (sequence as `u64`, index as `u32`) in, [`DeliveryProof`] out.
pub const DELIVERY_PATH: &str = "/v1/delivery";
/// The authority of sealed requests to a gatekeeper.
pub const GATEKEEPER_AUTHORITY: &str = "gatekeeper.phala";

/// A part of a key, sealed to the worker that asked.
pub type SealedPartialKey = BoundedVec<u8, ConstU32<SEALED_PARTIAL_KEY_BYTES_MAX>>;

/// worker → gatekeeper: I need your part of this program's key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct KeyQuery {
    /// Who asks.
    pub worker: WorkerId,
    /// Its current process.
    pub instance: InstanceKey,
    /// Whose key.
    pub program: ProgramId,
    /// Under which master key.
    pub root: RootGeneration,
    /// For which of its codes.
    pub code: CodeEpoch,
    /// A recent block: an old query cannot be brought again.
    pub asked: BlockNumber,
    /// Makes this query different from every other.
    pub nonce: [u8; 16],
}

impl KeyQuery {
    /// The hash that the worker's instance signs. It names the gatekeeper's process: a query is of no use to another one.
    ///
    /// # Shape
    /// SHA-256 of `"phala/key-query/v1" ‖ genesis ‖ gatekeeper's instance ‖ SCALE(self)`.
    pub fn signing_hash(&self, genesis: &GenesisHash, gatekeeper: &InstanceKey) -> Hash {
        Preimage::new("phala/key-query/v1").bytes(&genesis.0).bytes(&gatekeeper.0).bytes(&self.encode()).hash()
    }
}

/// A query and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct SignedKeyQuery {
    /// What is asked.
    pub query: KeyQuery,
    /// By the worker's instance.
    pub signature: Signature,
}

/// gatekeeper → worker: my part of the program's key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct KeyAnswer {
    /// The epoch of the key share that made it. Parts of different epochs do not fit together.
    pub epoch: EpochNumber,
    /// Hash of that epoch's output, as it stands on chain.
    pub output: Hash,
    /// The member whose part it is.
    pub member: ParticipantKey,
    /// The part, HPKE-sealed to the worker's registered transport key with [`seal_info`].
    pub sealed: SealedPartialKey,
}

/// What a gatekeeper replies to a [`KeyQuery`].
pub type KeyReply = Result<KeyAnswer, ReleaseRefusal>;

/// The `info` under which the part of a key is sealed: it binds network, gatekeeper and query.
///
/// # Shape
/// `"phala/key-release/v1" ‖ signing hash of the query`.
pub fn seal_info(query: &Hash) -> Vec<u8> {
    [b"phala/key-release/v1".as_slice(), &query.0].concat()
}

/// Why a gatekeeper gives no part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, thiserror::Error)]
pub enum ReleaseRefusal {
    /// The newest block that the gatekeeper could verify is too old: it may be kept from hearing of a revocation.
    #[error("the gatekeeper's view of the chain is too old")]
    #[codec(index = 0)]
    Stale,
    /// The chain does not count the gatekeeper in at the moment.
    #[error("the gatekeeper is not admitted")]
    #[codec(index = 1)]
    NotAdmitted,
    /// The bytes are no query.
    #[error("the query is malformed")]
    #[codec(index = 2)]
    Malformed,
    /// Not signed by the instance that it names, or for another gatekeeper.
    #[error("the query is not signed by the instance that it names, for this gatekeeper's process")]
    #[codec(index = 3)]
    Signature,
    /// It names a block that is too old, or one that the gatekeeper has not seen.
    #[error("the query names a block that is too old or not final yet")]
    #[codec(index = 4)]
    Asked,
    /// The same query again.
    #[error("the query was answered before")]
    #[codec(index = 5)]
    Replayed,
    /// No machine of this name.
    #[error("no machine of this name is registered")]
    #[codec(index = 6)]
    UnknownWorker,
    /// Another process has taken the worker's place.
    #[error("another process is the worker's current one")]
    #[codec(index = 7)]
    OtherInstance,
    /// A gatekeeper, which runs no programs.
    #[error("the machine is not registered as a worker")]
    #[codec(index = 8)]
    NotAWorker,
    /// Its evidence is too old.
    #[error("the worker's admission has expired")]
    #[codec(index = 9)]
    Expired,
    /// Its code was taken off the list.
    #[error("the worker's measurement is not on the list any more")]
    #[codec(index = 10)]
    Unlisted,
    /// Never deployed, or removed.
    #[error("no such program, or it was removed")]
    #[codec(index = 11)]
    UnknownProgram,
    /// Somebody else runs it.
    #[error("the worker is not assigned to the program's cluster")]
    #[codec(index = 12)]
    Unassigned,
    /// The program's key comes from another master key.
    #[error("the program's key does not come from this root")]
    #[codec(index = 13)]
    OtherRoot,
    /// The gatekeeper is no member of the root's current epoch, or was not there when it was made.
    #[error("the gatekeeper holds no key share of the root's current epoch")]
    #[codec(index = 14)]
    NoKeyShare,
    /// Too many at once.
    #[error("the gatekeeper is busy")]
    #[codec(index = 15)]
    Busy,
    /// The node behind the gatekeeper does not prove what is needed to decide.
    #[error("the gatekeeper cannot read the chain at the moment")]
    #[codec(index = 16)]
    Unreadable,
    /// Its disk does not take the note of the delivery, and without one nothing is delivered.
    #[error("the gatekeeper cannot note the delivery down")]
    #[codec(index = 17)]
    NotLogged,
    /// The chain's transport key of the worker is not usable.
    #[error("the worker's transport key is not usable")]
    #[codec(index = 18)]
    TransportKey,
    /// The program runs other code, and its owner has ordered none with this key.
    #[error("the program's key is not for this code")]
    #[codec(index = 19)]
    OtherCode,
}

impl ReleaseRefusal {
    /// Every one of them.
    pub const ALL: [Self; 20] = [
        Self::Stale,
        Self::NotAdmitted,
        Self::Malformed,
        Self::Signature,
        Self::Asked,
        Self::Replayed,
        Self::UnknownWorker,
        Self::OtherInstance,
        Self::NotAWorker,
        Self::Expired,
        Self::Unlisted,
        Self::UnknownProgram,
        Self::Unassigned,
        Self::OtherRoot,
        Self::NoKeyShare,
        Self::Busy,
        Self::Unreadable,
        Self::NotLogged,
        Self::TransportKey,
        Self::OtherCode,
    ];

    /// Whether the same worker may have better luck with the same gatekeeper soon, although nothing changes on chain.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Stale | Self::NotAdmitted | Self::Asked | Self::Busy | Self::Unreadable | Self::NotLogged)
    }
}

/// What a gatekeeper notes down before an answer leaves.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen)]
pub struct Delivery {
    /// To whom.
    pub worker: WorkerId,
    /// To which process of it.
    pub instance: InstanceKey,
    /// Whose key.
    pub program: ProgramId,
    /// Under which master key.
    pub root: RootGeneration,
    /// For which of its codes.
    pub code: CodeEpoch,
    /// From a key share of which epoch.
    pub epoch: EpochNumber,
    /// The finalised block by which it was judged.
    pub block: BlockNumber,
    /// [`KeyQuery::signing_hash`] of what was asked.
    pub query: Hash,
}

impl Delivery {
    /// Its leaf in the tree under [`DeliveryBatch::root`]. Nodes are those of [`crate::anchor::results_root`].
    ///
    /// # Shape
    /// SHA-256 of `"phala/delivery-leaf/v1" ‖ SCALE(self)`.
    pub fn hash(&self) -> Hash {
        Preimage::new("phala/delivery-leaf/v1").bytes(&self.encode()).hash()
    }
}

/// That a delivery stands in a batch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeliveryProof {
    /// The batch, as it stands on chain.
    pub batch: DeliveryBatch,
    /// The delivery's place in it.
    pub index: u32,
    /// The delivery.
    pub delivery: Delivery,
    /// The partners of its leaf, from below.
    pub path: Vec<Hash>,
}

impl DeliveryProof {
    /// Whether the delivery stands in the batch. That the batch stands on chain is for the reader to see.
    pub fn verify(&self) -> bool {
        let Self { batch, index, delivery, path } = self;
        (batch.first..=batch.last).contains(&delivery.block)
            && results_root_from_path(delivery.hash(), (*index).into(), batch.count.into(), path) == Some(batch.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::{results_path, results_root};

    fn delivery(n: u8) -> Delivery {
        Delivery {
            worker: WorkerId([n; 32]),
            instance: InstanceKey([1; 32]),
            program: ProgramId([2; 32]),
            root: RootGeneration(0),
            code: CodeEpoch(0),
            epoch: EpochNumber(1),
            block: BlockNumber(10 + u32::from(n)),
            query: Hash([n; 32]),
        }
    }

    fn proof(count: u8, index: u8) -> DeliveryProof {
        let leaves: Vec<_> = (0..count).map(|n| delivery(n).hash()).collect();
        let batch = DeliveryBatch {
            gatekeeper: WorkerId([9; 32]),
            sequence: 3,
            root: results_root(&leaves),
            count: count.into(),
            first: BlockNumber(10),
            last: BlockNumber(9 + u32::from(count)),
        };
        let path = results_path(&leaves, index.into()).unwrap();
        DeliveryProof { batch, index: index.into(), delivery: delivery(index), path }
    }

    #[test]
    fn every_delivery_of_a_batch_can_be_shown_and_nothing_else() {
        for count in 1..=9 {
            for index in 0..count {
                assert!(proof(count, index).verify(), "{index} of {count}");
                let mut moved = proof(count, index);
                moved.index += 1;
                assert!(!moved.verify());
                let mut other = proof(count, index);
                other.delivery.worker.0[0] ^= 1;
                assert!(!other.verify());
                let mut longer = proof(count, index);
                longer.path.push(Hash::default());
                assert!(!longer.verify());
                let mut late = proof(count, index);
                late.batch.last = BlockNumber(9);
                assert!(!late.verify());
            }
        }
    }

    #[test]
    fn a_query_is_bound_to_network_gatekeeper_and_every_field() {
        let query = KeyQuery {
            worker: WorkerId([1; 32]),
            instance: InstanceKey([2; 32]),
            program: ProgramId([3; 32]),
            root: RootGeneration(4),
            code: CodeEpoch(0),
            asked: BlockNumber(5),
            nonce: [6; 16],
        };
        let hash = |query: &KeyQuery, network, gatekeeper| {
            query.signing_hash(&GenesisHash([network; 32]), &InstanceKey([gatekeeper; 32]))
        };
        let mut all = alloc::collections::BTreeSet::from([hash(&query, 1, 1), hash(&query, 2, 1), hash(&query, 1, 2)]);
        all.insert(hash(&KeyQuery { nonce: [7; 16], ..query.clone() }, 1, 1));
        all.insert(hash(&KeyQuery { code: CodeEpoch(1), ..query.clone() }, 1, 1));
        all.insert(hash(&KeyQuery { program: ProgramId([4; 32]), ..query }, 1, 1));
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn refusals_keep_their_bytes() {
        for (index, refusal) in (0u8..).zip(ReleaseRefusal::ALL) {
            assert_eq!(refusal.encode(), [index], "{refusal}");
        }
    }
}
