//! The follower: what it believes, and how it comes to believe more.
//!
//! ```text
//! genesis hash ─ header 0 ─ its authorities (storage proof)     or     a checkpoint
//!        │
//!        ▼   hand-over, hand-over, …   each finalised by the set that leaves
//!   set in office ──► justification ──► newest finalised head ──► storage proofs ──► values
//! ```
//!
//! # Properties
//! - The head never goes back, and never moves without the signatures of the set in office.
//! - One call of [`Follower::advance`] does a bounded amount of work, whatever the node answers.

use crate::{
    authorities::{AuthoritiesError, AuthoritySet},
    checkpoint::Checkpoint,
    finalized::Finalized,
    handover::HandOverError,
    header::{Head, Header, hash_of},
    justification::JustificationError,
    proof::{ProofError, read_exact_proof},
    route::{self, Position},
    rpc::{self, Rpc, RpcError},
};
use alloc::vec::Vec;
use codec::DecodeAll;
use phala_messages::{BlockHash, BlockRef, GenesisHash, Hash, storage};
use phala_units::BlockNumber;
use sp_consensus_grandpa::AuthorityList;

/// Hand-overs in one call of [`Follower::advance`]; the next call goes on from there.
pub const HAND_OVERS_PER_CALL_MAX: usize = 64;
/// How far below the head [`Follower::read_at_finalized`] walks from parent to parent.
pub const ANCESTRY_BLOCKS_MAX: u32 = 1_024;

/// Why a node's word is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// The node gave no usable reply.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The node does not know the genesis block: it belongs to another network.
    #[error("the node does not know genesis {genesis}: it belongs to another network")]
    WrongGenesis {
        /// The network that is followed.
        genesis: GenesisHash,
    },
    /// The genesis state names no authorities.
    #[error("the authorities in the genesis state cannot be read")]
    GenesisAuthorities,
    /// A set of authorities is not valid.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// The node gave a header that has another hash.
    #[error("the node altered the header of block {block}")]
    AlteredHeader {
        /// Which was asked for.
        block: BlockHash,
    },
    /// The node does not have a block that it must have.
    #[error("the node does not have block {block}")]
    MissingBlock {
        /// Which.
        block: BlockHash,
    },
    /// The node's proof of finality is forged, or of a set that is not in office.
    #[error("the finality of block {number} is not proven: {source}", number = .block.number)]
    Justification {
        /// What the node says is final.
        block: BlockRef,
        /// What is wrong with its proof.
        source: JustificationError,
    },
    /// The node's proof is not for a block above the one asked for.
    #[error("the node proves the finality of another block than the one asked for")]
    OtherBlock,
    /// The authorities were not handed over as the rules ask.
    #[error("authorities are not handed over: {0}")]
    HandOver(HandOverError),
    /// The node's finalised chain does not contain the block that was finalised before.
    #[error("the node disagrees about the past: its chain does not contain finalised block {block}", block = .ours.hash)]
    Fork {
        /// The block that is final here.
        ours: BlockRef,
    },
    /// The node cannot prove the finality of a block that it says is final.
    #[error("the node has no proof that block {number} is final")]
    Unprovable {
        /// Which.
        number: BlockNumber,
    },
    /// A storage proof does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The block is above the finalised head.
    #[error("block {number} is not final yet")]
    NotFinalYet {
        /// Which.
        number: BlockNumber,
    },
    /// The block is too far below the head to be proven.
    #[error("block {number} is more than {ANCESTRY_BLOCKS_MAX} blocks below the finalised head")]
    TooOld {
        /// Which.
        number: BlockNumber,
    },
    /// The head is older than the caller allows.
    #[error("the newest finalised block is {age_ms} ms old; at most {max_age_ms} ms are allowed")]
    Stale {
        /// How old it is.
        age_ms: u64,
        /// How old it may be.
        max_age_ms: u64,
    },
}

/// Follows the finalised chain of one network through nodes that it does not trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    genesis: GenesisHash,
    position: Position,
}

impl Follower {
    /// Starts at genesis, of which only the hash is known.
    ///
    /// # Errors
    /// [`FollowError::WrongGenesis`], [`FollowError::GenesisAuthorities`], and those of the calls.
    pub async fn from_genesis<R: Rpc>(genesis: GenesisHash, rpc: &R) -> Result<Self, FollowError> {
        let (header, nodes) = fetch_genesis(genesis, rpc).await?;
        let position = verify_genesis(genesis, &header, &nodes)?;
        Ok(Self { genesis, position })
    }

    /// Starts at a block that the caller trusts.
    ///
    /// # Errors
    /// [`FollowError::Authorities`].
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Result<Self, FollowError> {
        let set = checkpoint.authority_set()?;
        Ok(Self { genesis: checkpoint.genesis, position: Position::trusted(checkpoint.head(), set) })
    }

    /// Where to go on from after a restart. Its keeper must protect it from change.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint::of(self.genesis, self.head(), self.position.set())
    }

    /// Which network.
    pub fn genesis(&self) -> GenesisHash {
        self.genesis
    }

    /// The newest finalised block known here.
    pub fn head(&self) -> &Finalized<Head> {
        self.position.head()
    }

    /// The authorities in office after the head.
    pub fn authorities(&self) -> &AuthoritySet {
        self.position.set()
    }

    /// Moves towards the node's newest finalised block. True when the head moved: call again until it does not.
    ///
    /// # Errors
    /// [`FollowError`]; what was proven before the error is kept.
    pub async fn advance<R: Rpc>(&mut self, rpc: &R) -> Result<bool, FollowError> {
        let newest = rpc::finalized_head(rpc).await?;
        let start = self.head().block();
        if newest == start.hash {
            return Ok(false);
        }
        let newest = rpc::header(rpc, &newest).await?.ok_or(FollowError::MissingBlock { block: newest })?;
        if newest.number < start.number.0 {
            return Ok(false);
        }
        if newest.number == start.number.0 {
            return Err(FollowError::Fork { ours: start });
        }
        for _ in 0..HAND_OVERS_PER_CALL_MAX {
            let Some(step) = route::step(&self.position, &newest, rpc).await? else { break };
            self.position = step.position;
            if self.head().number.0 >= newest.number {
                break;
            }
        }
        Ok(self.head().number > start.number)
    }

    /// The values of `keys` in the state at the head; none for a key that does not exist.
    ///
    /// # Errors
    /// [`FollowError::Rpc`], [`FollowError::Proof`].
    pub async fn read<R: Rpc>(
        &self,
        rpc: &R,
        keys: &[Vec<u8>],
    ) -> Result<Finalized<Vec<Option<Vec<u8>>>>, FollowError> {
        let nodes = rpc::read_proof(rpc, keys, &self.head().hash).await?;
        Ok(self.head().values(&nodes, keys)?)
    }

    /// As [`Follower::read`], at an older finalised block.
    ///
    /// # Errors
    /// As [`Follower::finalized`], and [`FollowError::Proof`].
    pub async fn read_at_finalized<R: Rpc>(
        &self,
        rpc: &R,
        block: &BlockRef,
        keys: &[Vec<u8>],
    ) -> Result<Finalized<Vec<Option<Vec<u8>>>>, FollowError> {
        let head = self.finalized(rpc, block).await?;
        let nodes = rpc::read_proof(rpc, keys, &head.hash).await?;
        Ok(head.values(&nodes, keys)?)
    }

    /// A block at or below the head, proven to be an ancestor of it or finalised by the set in office.
    ///
    /// # Errors
    /// [`FollowError::NotFinalYet`], [`FollowError::TooOld`], [`FollowError::Fork`] for a block of another chain, and
    /// those of the calls.
    pub async fn finalized<R: Rpc>(&self, rpc: &R, block: &BlockRef) -> Result<Finalized<Head>, FollowError> {
        let head = self.head();
        if block.number > head.number {
            return Err(FollowError::NotFinalYet { number: block.number });
        }
        if block.number == head.number {
            return if block.hash == head.hash {
                Ok(head.clone())
            } else {
                Err(FollowError::Fork { ours: head.block() })
            };
        }
        let header = rpc::header(rpc, &block.hash).await?.ok_or(FollowError::MissingBlock { block: block.hash })?;
        if header.number != block.number.0 {
            return Err(FollowError::OtherBlock);
        }
        if let Some(proven) = route::justified_by(self.authorities(), &header, rpc).await? {
            return Ok(proven);
        }
        if head.number.since(block.number) > ANCESTRY_BLOCKS_MAX {
            return Err(FollowError::TooOld { number: block.number });
        }
        let mut path = Vec::new();
        let mut at = head.hash;
        for _ in block.number.0..=head.number.0 {
            let header = rpc::header(rpc, &at).await?.ok_or(FollowError::MissingBlock { block: at })?;
            at = BlockHash(header.parent_hash.0);
            path.push(header);
        }
        path.reverse();
        let ancestor = head.ancestor(&path).map_err(|_| FollowError::OtherBlock)?;
        if ancestor.hash == block.hash { Ok(ancestor) } else { Err(FollowError::Fork { ours: ancestor.block() }) }
    }
}

/// Header 0 and the trie nodes that prove its authorities.
pub(crate) async fn fetch_genesis<R: Rpc>(
    genesis: GenesisHash,
    rpc: &R,
) -> Result<(Header, Vec<Vec<u8>>), FollowError> {
    let header = rpc::header(rpc, &genesis.into()).await?.ok_or(FollowError::WrongGenesis { genesis })?;
    let nodes = rpc::read_proof(rpc, &[storage::grandpa_authorities()], &genesis.into()).await?;
    Ok((header, nodes))
}

/// The first set of authorities, from the genesis header and a proof of its state.
pub(crate) fn verify_genesis(
    genesis: GenesisHash,
    header: &Header,
    nodes: &[Vec<u8>],
) -> Result<Position, FollowError> {
    if hash_of(header) != genesis.into() || header.number != 0 {
        return Err(FollowError::WrongGenesis { genesis });
    }
    let root = Hash(header.state_root.0);
    let values = read_exact_proof(&root, nodes, &[storage::grandpa_authorities()])?;
    let bytes = values.first().and_then(Option::as_ref).ok_or(FollowError::GenesisAuthorities)?;
    let list = AuthorityList::decode_all(&mut bytes.as_slice()).map_err(|_| FollowError::GenesisAuthorities)?;
    Ok(Position::trusted(Head::from(header), AuthoritySet::new(0, list)?))
}
