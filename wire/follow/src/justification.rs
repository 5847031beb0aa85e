//! Justifications: that more than two thirds of the authorities finalised a block.
//!
//! # The problem
//! A justification is a bundle of signed precommits. Genuine precommits for one block must not count for
//! another, votes of strangers and votes counted twice must not count at all, and a vote for a descendant
//! counts only if the headers between prove the descent.
//!
//! # Properties
//! - Every precommit in it carries a valid signature over (message, round, set id).
//! - The block that the counted votes finalise, and no other, is the justification's target.
//! - Every header in it is on the way from a vote to the lowest vote; there are no others.
//!
//! # Source
//! The same rules by which Substrate nodes judge justifications (`sc-consensus-grandpa`, `justification.rs`).

use crate::{
    authorities::AuthoritySet,
    header::{Header, hash_of},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use codec::DecodeAll;
use finality_grandpa::{Chain, Message};
use phala_messages::{BlockHash, BlockRef};
use phala_units::BlockNumber;
use sp_consensus_grandpa::{AuthorityId, GrandpaJustification, localized_payload_with_buffer};
use sp_core::{H256, Pair, ed25519};

/// A justification, encoded: 4,096 votes take 600 KiB.
pub const JUSTIFICATION_BYTES_MAX: usize = 1024 * 1024;
/// Headers between votes. Honest votes lie at most a few blocks apart.
pub const VOTES_ANCESTRIES_MAX: usize = 1_024;

/// Why a justification does not finalise its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JustificationError {
    /// See [`JUSTIFICATION_BYTES_MAX`].
    #[error("the justification has {0} bytes, more than {JUSTIFICATION_BYTES_MAX}")]
    TooLarge(usize),
    /// Not the bytes of a justification.
    #[error("the justification's bytes are damaged")]
    Malformed,
    /// An authority votes once, or twice if it cheats; everything beyond is padding.
    #[error("the justification has more votes than its authorities could have cast")]
    TooManyVotes,
    /// See [`VOTES_ANCESTRIES_MAX`].
    #[error("the justification has {0} headers between its votes, more than {VOTES_ANCESTRIES_MAX}")]
    TooManyHeaders(usize),
    /// The votes of the set in office do not make the target final.
    #[error("the votes of the authorities in office do not finalise the block")]
    NotFinal,
    /// A vote was altered, or cast in another round or by another set.
    #[error("a vote's signature is not valid")]
    Signature,
    /// A vote's descent is not proven.
    #[error("a vote does not descend from the others")]
    Ancestry,
    /// A header that no vote needs.
    #[error("the justification has headers that no vote needs")]
    UnusedHeaders,
    /// It finalises some other block.
    #[error("the justification finalises another block")]
    OtherBlock,
}

/// A justification whose votes are not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Justification(GrandpaJustification<Header>);

impl Justification {
    /// Reads a justification; every byte must belong to it.
    ///
    /// # Errors
    /// [`JustificationError::TooLarge`], [`JustificationError::Malformed`], [`JustificationError::TooManyHeaders`].
    pub fn parse(mut bytes: &[u8]) -> Result<Self, JustificationError> {
        if bytes.len() > JUSTIFICATION_BYTES_MAX {
            return Err(JustificationError::TooLarge(bytes.len()));
        }
        let justification =
            GrandpaJustification::<Header>::decode_all(&mut bytes).map_err(|_| JustificationError::Malformed)?;
        match justification.votes_ancestries.len() {
            headers if headers > VOTES_ANCESTRIES_MAX => Err(JustificationError::TooManyHeaders(headers)),
            _ => Ok(Self(justification)),
        }
    }

    /// The block that it claims to finalise.
    pub fn target(&self) -> BlockRef {
        let commit = &self.0.commit;
        BlockRef { number: BlockNumber(commit.target_number), hash: BlockHash(commit.target_hash.0) }
    }

    /// Whether `set` finalised [`Justification::target`].
    ///
    /// # Errors
    /// [`JustificationError`].
    pub fn verify(&self, set: &AuthoritySet) -> Result<(), JustificationError> {
        let commit = &self.0.commit;
        if commit.precommits.len() > set.list().len().saturating_mul(2) {
            return Err(JustificationError::TooManyVotes);
        }
        // The library adds to heights before it doubts them; it is shown only votes that were cast, at heights that
        // fit together.
        self.verify_signatures(set)?;
        let ancestry = Ancestry::new(&self.0.votes_ancestries);
        self.verify_ancestry(&ancestry)?;
        match finality_grandpa::validate_commit(commit, set.voters(), &ancestry) {
            Ok(result) if result.is_valid() => Ok(()),
            _ => Err(JustificationError::NotFinal),
        }
    }

    fn verify_signatures(&self, set: &AuthoritySet) -> Result<(), JustificationError> {
        let mut payload = Vec::new();
        for vote in &self.0.commit.precommits {
            let message: Message<H256, u32> = Message::Precommit(vote.precommit.clone());
            localized_payload_with_buffer(self.0.round, set.id(), &message, &mut payload);
            let (key, signature) = (public(&vote.id), ed25519::Signature::from(vote.signature.clone()));
            if !ed25519::Pair::verify(&signature, &payload, &key) {
                return Err(JustificationError::Signature);
            }
        }
        Ok(())
    }

    /// Each header must lie between a vote and the lowest vote, and each vote as many blocks above it as it says.
    fn verify_ancestry(&self, ancestry: &Ancestry) -> Result<(), JustificationError> {
        let votes = || self.0.commit.precommits.iter().map(|vote| &vote.precommit);
        let lowest = votes().min_by_key(|vote| vote.target_number).ok_or(JustificationError::NotFinal)?;
        let mut used = BTreeSet::new();
        for vote in votes().filter(|vote| vote.target_hash != lowest.target_hash) {
            let route =
                ancestry.ancestry(lowest.target_hash, vote.target_hash).map_err(|_| JustificationError::Ancestry)?;
            let above = u64::from(vote.target_number).checked_sub(lowest.target_number.into());
            if above != Some(route.len() as u64 + 1) {
                return Err(JustificationError::Ancestry);
            }
            used.insert(vote.target_hash);
            used.extend(route);
        }
        let unused = ancestry.headers != self.0.votes_ancestries.len() || !used.iter().eq(ancestry.parents.keys());
        if unused { Err(JustificationError::UnusedHeaders) } else { Ok(()) }
    }
}

fn public(id: &AuthorityId) -> ed25519::Public {
    id.clone().into()
}

/// The headers of a justification, by hash: each knows its parent.
struct Ancestry {
    parents: BTreeMap<H256, H256>,
    /// How many different ones there are.
    headers: usize,
}

impl Ancestry {
    fn new(headers: &[Header]) -> Self {
        let parents: BTreeMap<_, _> =
            headers.iter().map(|header| (H256(hash_of(header).0), header.parent_hash)).collect();
        Self { headers: parents.len(), parents }
    }
}

impl Chain<H256, u32> for Ancestry {
    fn ancestry(&self, base: H256, block: H256) -> Result<Vec<H256>, finality_grandpa::Error> {
        let mut route = Vec::new();
        let mut current = block;
        while current != base {
            current = *self.parents.get(&current).ok_or(finality_grandpa::Error::NotDescendent)?;
            route.push(current);
        }
        route.pop();
        Ok(route)
    }
}
