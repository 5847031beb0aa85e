//! Routes: how to get from a believed block to a later one, hand-over by hand-over, with few and small calls.
//!
//! # The idea
//! A node does not say where a set ends, but it stores a justification beside many blocks, and whose
//! signatures it bears tells on which side of the end a block lies. So a distant end is found by halving the
//! distance; the last stretch is one call of `grandpa_proveFinality`, whose answer for a block of an older set
//! is the justification of that set's last block. A lying node can waste these calls; it cannot make a step
//! succeed.

use crate::{
    authorities::AuthoritySet,
    finalized::Finalized,
    follower::FollowError,
    handover::{HandOverError, appointed},
    header::{Head, Header, follows, hash_of},
    justification::{Justification, JustificationError},
    rpc::{self, FinalityProof, Rpc, RpcError},
};
use alloc::vec::Vec;
use phala_messages::{BlockHash, BlockRef};
use phala_units::BlockNumber;

/// Headers that one answer may bring along; farther ends are looked for first.
const WINDOW_BLOCKS: u32 = 256;
/// Neighbours of a block that are asked for a justification. GRANDPA finalises several blocks at once when it lags.
const NEIGHBOURS: u32 = 16;

/// A finalised block and the set in office after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    head: Finalized<Head>,
    set: AuthoritySet,
}

impl Position {
    pub(crate) fn trusted(head: Head, set: AuthoritySet) -> Self {
        Self { head: Finalized::trusted(head), set }
    }

    pub(crate) fn head(&self) -> &Finalized<Head> {
        &self.head
    }

    pub(crate) fn set(&self) -> &AuthoritySet {
        &self.set
    }

    /// Moves to `header` if the set in office finalised it, and to the set that it appoints.
    ///
    /// # Errors
    /// [`HandOverError`]; its variant `None` never.
    pub(crate) fn moved(&self, header: &Header, justification: &[u8]) -> Result<Self, HandOverError> {
        let justification = Justification::parse(justification)?;
        let head = Finalized::justified(header, &justification, &self.set)?;
        let set = match appointed(header)? {
            Some(next) => self.set.next(next)?,
            None => self.set.clone(),
        };
        Ok(Self { head, set })
    }
}

/// A proven move.
pub(crate) struct Step {
    /// Where it leads.
    pub(crate) position: Position,
    /// The block.
    pub(crate) header: Header,
    /// Its encoded justification.
    pub(crate) justification: Vec<u8>,
}

/// Whose justification a block bears.
enum Signed {
    /// Of the set in office: the step to it.
    Ours(Step),
    /// Of some other set, or of nobody: how it fails.
    Foreign(FollowError),
}

fn failure(block: BlockRef, error: HandOverError) -> FollowError {
    match error {
        HandOverError::Justification(source) => FollowError::Justification { block, source },
        other => FollowError::HandOver(other),
    }
}

/// Judges a justification. Only wrong signatures make it foreign; a block that breaks the rules is an error.
fn judge(position: &Position, header: Header, justification: Vec<u8>) -> Result<Signed, FollowError> {
    match position.moved(&header, &justification) {
        Ok(position) => Ok(Signed::Ours(Step { position, header, justification })),
        Err(error @ HandOverError::Justification(_)) => {
            Ok(Signed::Foreign(failure(Head::from(&header).block(), error)))
        }
        Err(error) => Err(FollowError::HandOver(error)),
    }
}

/// One step from `position` towards `target`, which the node says is final: to `target` or beyond while the set
/// lasts, else to the set's last block. None when the node has nothing newer to prove.
pub(crate) async fn step<R: Rpc>(position: &Position, target: &Header, rpc: &R) -> Result<Option<Step>, FollowError> {
    if target.number.saturating_sub(position.head.number.0) <= WINDOW_BLOCKS {
        return near_step(position, Some(target), rpc).await;
    }
    match signed(position, target.number, rpc).await? {
        Some(Signed::Ours(step)) => Ok(Some(step)),
        Some(Signed::Foreign(_)) => hand_over(position, target.number, rpc).await,
        None => Err(FollowError::Unprovable { number: BlockNumber(target.number) }),
    }
}

/// The step to the last block of the set, which lies below `limit`.
pub(crate) async fn hand_over<R: Rpc>(position: &Position, limit: u32, rpc: &R) -> Result<Option<Step>, FollowError> {
    let mut position = position.clone();
    let set = position.set.id();
    let (mut high, mut best) = (limit, None);
    while high.saturating_sub(position.head.number.0) > WINDOW_BLOCKS {
        let low = position.head.number.0;
        let middle = low + (high - low) / 2;
        match signed(&position, middle, rpc).await? {
            Some(Signed::Ours(step)) if step.position.set.id() != set => return Ok(Some(step)),
            Some(Signed::Ours(step)) => {
                position = step.position.clone();
                best = Some(step);
            }
            Some(Signed::Foreign(_)) => high = middle,
            None => return Err(FollowError::Unprovable { number: BlockNumber(middle) }),
        }
    }
    Ok(near_step(&position, None, rpc).await?.or(best))
}

/// The step to a near `target`, or to the set's last block.
///
/// A head that is only a few blocks away bears its own justification. Farther ones, and ends of sets, are proven by
/// `grandpa_proveFinality`; the headers that come along must lead back to the head, for a chain that leaves it out is
/// a fork. Until its first hand-over a chain has nothing that this call could look up, and nodes refuse; then the
/// justification that `target` bears is taken, however far it is.
async fn near_step<R: Rpc>(position: &Position, target: Option<&Header>, rpc: &R) -> Result<Option<Step>, FollowError> {
    let head = position.head.block();
    if let Some(target) = target
        && target.number.saturating_sub(head.number.0) <= NEIGHBOURS
        && let Some(justification) = rpc::block_justification(rpc, &hash_of(target)).await?
        && let Signed::Ours(step) = judge(position, target.clone(), justification)?
    {
        return linked(position, step, rpc).await.map(Some);
    }
    let proof = match (rpc::prove_finality(rpc, head.number.0.saturating_add(1)).await, target) {
        (Err(RpcError::Refused { .. }), Some(target)) => return justified_step(position, target, rpc).await,
        (proof, _) => proof?,
    };
    let Some(proof) = proof else { return Ok(None) };
    let Some(signed) = judge_proof(position, &proof, rpc).await? else { return Ok(None) };
    let step = match signed {
        Signed::Ours(step) => step,
        Signed::Foreign(error) => return Err(error),
    };
    let first = match proof.unknown_headers.first() {
        None => step.header.clone(),
        Some(second) => {
            let linked = proof.unknown_headers.windows(2).all(|pair| match pair {
                [parent, child] => follows(child, &hash_of(parent)),
                _ => false,
            });
            if !linked {
                return Err(FollowError::OtherBlock);
            }
            let block = BlockHash(second.parent_hash.0);
            rpc::header(rpc, &block).await?.ok_or(FollowError::MissingBlock { block })?
        }
    };
    if follows(&first, &head.hash) { Ok(Some(step)) } else { Err(FollowError::Fork { ours: head }) }
}

/// The step to `target`, or a block closely above it, by the justification that it bears.
async fn justified_step<R: Rpc>(position: &Position, target: &Header, rpc: &R) -> Result<Option<Step>, FollowError> {
    match signed(position, target.number, rpc).await? {
        None => Ok(None),
        Some(Signed::Foreign(error)) => Err(error),
        Some(Signed::Ours(step)) => linked(position, step, rpc).await.map(Some),
    }
}

/// `step`, if its ancestors lead back to the head.
async fn linked<R: Rpc>(position: &Position, step: Step, rpc: &R) -> Result<Step, FollowError> {
    let head = position.head.block();
    if step.header.number.saturating_sub(head.number.0) > WINDOW_BLOCKS.saturating_add(NEIGHBOURS) {
        return Err(FollowError::Unprovable { number: BlockNumber(step.header.number) });
    }
    let mut at = step.header.clone();
    while at.number > head.number.0.saturating_add(1) {
        let block = BlockHash(at.parent_hash.0);
        let parent = rpc::header(rpc, &block).await?.ok_or(FollowError::MissingBlock { block })?;
        if !follows(&at, &hash_of(&parent)) || parent.number.saturating_add(1) != at.number {
            return Err(FollowError::OtherBlock);
        }
        at = parent;
    }
    if follows(&at, &head.hash) { Ok(step) } else { Err(FollowError::Fork { ours: head }) }
}

/// Judges the answer of `grandpa_proveFinality`. None when it proves nothing above the head.
async fn judge_proof<R: Rpc>(
    position: &Position,
    proof: &FinalityProof,
    rpc: &R,
) -> Result<Option<Signed>, FollowError> {
    let block = BlockHash(proof.block.0);
    let target = match Justification::parse(&proof.justification) {
        Ok(justification) => justification.target(),
        Err(source) => {
            let block = BlockRef { number: position.head.number, hash: block };
            return Err(FollowError::Justification { block, source });
        }
    };
    if target.hash != block {
        return Err(FollowError::OtherBlock);
    }
    if target.number <= position.head.number {
        return Ok(None);
    }
    let header = match proof.unknown_headers.last() {
        Some(header) if hash_of(header) == block => header.clone(),
        Some(_) => return Err(FollowError::OtherBlock),
        None => rpc::header(rpc, &block).await?.ok_or(FollowError::MissingBlock { block })?,
    };
    judge(position, header, proof.justification.clone()).map(Some)
}

/// Whose justification the block at `height`, or one closely above it, bears. None when the node has none.
async fn signed<R: Rpc>(position: &Position, height: u32, rpc: &R) -> Result<Option<Signed>, FollowError> {
    for height in height..height.saturating_add(NEIGHBOURS) {
        let Some(block) = rpc::block_hash(rpc, height).await? else { break };
        let Some(justification) = rpc::block_justification(rpc, &block).await? else { continue };
        let header = rpc::header(rpc, &block).await?.ok_or(FollowError::MissingBlock { block })?;
        return judge(position, header, justification).map(Some);
    }
    match rpc::prove_finality(rpc, height).await {
        Ok(Some(proof)) => judge_proof(position, &proof, rpc).await,
        Ok(None) | Err(RpcError::Refused { .. } | RpcError::TooLarge) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `header`, if the node has a justification of it by `set`.
pub(crate) async fn justified_by<R: Rpc>(
    set: &AuthoritySet,
    header: &Header,
    rpc: &R,
) -> Result<Option<Finalized<Head>>, FollowError> {
    let Some(bytes) = rpc::block_justification(rpc, &hash_of(header)).await? else { return Ok(None) };
    let proven =
        Justification::parse(&bytes).and_then(|justification| Finalized::justified(header, &justification, set));
    Ok(proven.ok())
}

/// A justification by the set in office of `header` or a block closely above it, with the headers from `header` up to
/// that block. None when the block belongs to another set, or the node has no such justification.
pub(crate) async fn finality<R: Rpc>(
    position: &Position,
    header: &Header,
    rpc: &R,
) -> Result<Option<(Vec<u8>, Vec<Header>)>, FollowError> {
    let mut path = Vec::from([header.clone()]);
    for height in header.number..header.number.saturating_add(NEIGHBOURS) {
        if height > header.number {
            let Some(block) = rpc::block_hash(rpc, height).await? else { break };
            path.push(rpc::header(rpc, &block).await?.ok_or(FollowError::MissingBlock { block })?);
        }
        let Some(last) = path.last() else { break };
        let Some(bytes) = rpc::block_justification(rpc, &hash_of(last)).await? else { continue };
        return Ok(is_by(position, &bytes, last)?.then_some((bytes, path)));
    }
    let proof = match rpc::prove_finality(rpc, header.number).await {
        Ok(Some(proof)) => proof,
        Ok(None) | Err(RpcError::Refused { .. } | RpcError::TooLarge) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut path = Vec::from([header.clone()]);
    path.extend(proof.unknown_headers);
    let Some(last) = path.last() else { return Ok(None) };
    Ok(is_by(position, &proof.justification, last)?.then_some((proof.justification, path)))
}

/// Whether `justification` finalises `header` by the set in office.
fn is_by(position: &Position, justification: &[u8], header: &Header) -> Result<bool, FollowError> {
    match position.moved(header, justification) {
        Ok(_) => Ok(true),
        Err(HandOverError::Justification(JustificationError::TooLarge(_) | JustificationError::Malformed)) => {
            Err(FollowError::OtherBlock)
        }
        Err(HandOverError::Justification(_)) => Ok(false),
        Err(error) => Err(FollowError::HandOver(error)),
    }
}
