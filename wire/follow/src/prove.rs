//! Proving: collecting, from a node that nobody needs to trust, what verifies a receipt offline.

use crate::{
    follower::{FollowError, fetch_genesis, verify_genesis},
    handover::HandOver,
    proof::read_proof,
    receipt::{
        ChainProof, Finality, HAND_OVERS_MAX, ReceiptBundle, Refusal, Start, Trust, storage_keys, verify_receipt,
        verify_statement,
    },
    route::{self, Position},
    rpc::{self, Rpc},
};
use alloc::vec::Vec;
use phala_messages::{BlockRef, SignedReceipt};

/// Why there is no proof for a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The node does not give what is needed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The receipt would not be believed.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The proof that makes `receipt` verifiable from `trust`. It has been verified.
///
/// # Errors
/// [`ProveError`].
pub async fn prove<R: Rpc>(receipt: &SignedReceipt, trust: &Trust, rpc: &R) -> Result<ChainProof, ProveError> {
    verify_statement(receipt, trust)?;
    let block = receipt.receipt.anchor.block;
    let (start, position) = start(trust, rpc).await?;
    let (hand_overs, finality) = lead(position, &block, rpc).await?;
    let mut bundle = ReceiptBundle {
        receipt: receipt.clone(),
        proof: ChainProof { start, hand_overs, finality, storage: Vec::new() },
    };
    let header = rpc::header(rpc, &block.hash).await?.ok_or(FollowError::MissingBlock { block: block.hash })?;
    let keys = storage_keys(&receipt.receipt);
    let nodes = rpc::read_proof(rpc, &keys, &block.hash).await?;
    bundle.proof.storage = needed(&phala_messages::Hash(header.state_root.0), nodes, &keys)?;
    verify_receipt(&bundle, trust)?;
    Ok(bundle.proof)
}

async fn start<R: Rpc>(trust: &Trust, rpc: &R) -> Result<(Start, Position), FollowError> {
    match trust {
        Trust::Genesis(genesis) => {
            let (header, nodes) = fetch_genesis(*genesis, rpc).await?;
            let root = phala_messages::Hash(header.state_root.0);
            let authorities = needed(&root, nodes, &[phala_messages::storage::grandpa_authorities()])?;
            let position = verify_genesis(*genesis, &header, &authorities)?;
            Ok((Start::Genesis { header, authorities }, position))
        }
        Trust::Checkpoint(checkpoint) => {
            let set = checkpoint.authority_set()?;
            Ok((Start::Checkpoint(checkpoint.head().block()), Position::trusted(checkpoint.head(), set)))
        }
    }
}

/// The nodes that the keys need.
fn needed(root: &phala_messages::Hash, nodes: Vec<Vec<u8>>, keys: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, FollowError> {
    let used = read_proof(root, &nodes, keys)?.used;
    Ok(nodes.into_iter().zip(used).filter_map(|(node, used)| used.then_some(node)).collect())
}

/// The hand-overs from `position` to `block`, and its finality.
async fn lead<R: Rpc>(
    mut position: Position,
    block: &BlockRef,
    rpc: &R,
) -> Result<(Vec<HandOver>, Finality), ProveError> {
    let mut hand_overs = Vec::new();
    let header = rpc::header(rpc, &block.hash).await?.ok_or(FollowError::MissingBlock { block: block.hash })?;
    if header.number != block.number.0 {
        return Err(Refusal::NotAnAncestor.into());
    }
    loop {
        if position.head().block() == *block {
            return Ok((hand_overs, Finality::Reached));
        }
        if let Some((justification, headers)) = route::finality(&position, &header, rpc).await? {
            return Ok((hand_overs, Finality::Justified { justification, headers }));
        }
        let set = position.set().id();
        // Moves within the set are not part of the proof; each comes closer to the set's last block.
        let step = route::hand_over(&position, block.number.0, rpc).await?;
        let step = step.ok_or(FollowError::Unprovable { number: block.number })?;
        if step.position.head().number > block.number || hand_overs.len() >= HAND_OVERS_MAX {
            return Err(FollowError::Unprovable { number: block.number }.into());
        }
        position = step.position;
        if position.set().id() != set {
            hand_overs.push(HandOver { header: step.header, justification: step.justification });
        }
    }
}
