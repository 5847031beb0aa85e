//! Submitting: an extrinsic on its way into a finalised block, and what came of it.
//!
//! ```text
//! sign (nonce, versions) ──author_submitExtrinsic──► pool ──► block ──finalised──► outcome
//! ```
//! The nonce and the versions come from the node: if it lies, the signature fits nothing and nothing happens.
//! That the extrinsic was applied is proven by the account's nonce; what came of it is read, by proof, from
//! the events of its block.

use crate::{
    Hint, KeyPair,
    client::{ChainError, Client, POLL, decode},
};
use codec::Encode;
use phala_follow::{RpcError, rpc};
use phala_messages::{
    Account, BlockRef,
    calls::{Call, SigningContext},
    storage,
};
use phala_units::BlockNumber;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long an extrinsic may take until it is finalised.
const FINALISED_TIMEOUT: Duration = Duration::from_secs(120);

/// Why an extrinsic did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The node did not take it.
    #[error("the node refused the transaction of {signer}: {reason}")]
    Refused {
        /// Who signed.
        signer: String,
        /// What the node said.
        reason: String,
    },
    /// A node's answer to a question makes no sense.
    #[error("the node's answer to {0} makes no sense")]
    Answer(&'static str),
    /// It was applied, and the chain said no.
    #[error("the chain refused: {reason}")]
    Failed {
        /// The rule.
        reason: String,
        /// What to do about it.
        hint: Option<&'static str>,
    },
    /// Another extrinsic with the same nonce took its place.
    #[error("another transaction of the same account took this one's place")]
    Replaced,
    /// Not finalised in time.
    #[error("the transaction was not finalised within {} s", FINALISED_TIMEOUT.as_secs())]
    Timeout,
}

impl Hint for SubmitError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Chain(error) => error.hint(),
            Self::Refused { reason, .. } if reason.contains("pay") || reason.contains("balance") => Some(
                "the account needs PHA: `phala account send` sends some, from //Alice on a development network".into(),
            ),
            Self::Refused { .. } | Self::Replaced => Some(
                "try again; two commands that sign with one account at the same moment get in each other's way".into(),
            ),
            Self::Answer(_) => Some("the node runs other software, or it lies; ask another node".into()),
            Self::Failed { hint, .. } => hint.map(Into::into),
            Self::Timeout => Some("is the chain moving? `phala status` shows its height".into()),
        }
    }
}

/// An extrinsic in the pool.
#[derive(Clone, Debug)]
pub struct Pending {
    signer: Account,
    nonce: u32,
    bytes: Vec<u8>,
    /// The newest finalised block when it was sent: it lies above it.
    from: BlockNumber,
}

/// Where an extrinsic was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// In which finalised block.
    pub block: BlockRef,
    /// Its place there.
    pub index: u32,
}

impl Client {
    /// Signs `call` and hands it to the node.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, signer: &KeyPair, call: &Call) -> Result<Pending, SubmitError> {
        let from = self.advance().await?.number;
        let node_error = |error: RpcError| SubmitError::from(self.follow_error(error.into()));
        let version = rpc::runtime_version(&self.rpc).await.map_err(node_error)?;
        let nonce = rpc::next_index(&self.rpc, &signer.address()).await.map_err(node_error)?;
        let context = SigningContext {
            genesis: self.genesis(),
            spec_version: version.spec_version,
            transaction_version: version.transaction_version,
            nonce,
        };
        let signature = signer.sign(&call.signing_payload(&context));
        let bytes = call.signed(&signer.account(), &signature, nonce);
        self.hand_over(&bytes, signer).await?;
        Ok(Pending { signer: signer.account(), nonce, bytes, from })
    }

    async fn hand_over(&self, bytes: &[u8], signer: &KeyPair) -> Result<(), SubmitError> {
        match rpc::submit_extrinsic(&self.rpc, bytes).await {
            Ok(_) => Ok(()),
            Err(RpcError::Refused { message, .. }) => {
                Err(SubmitError::Refused { signer: signer.address(), reason: message })
            }
            Err(error) => Err(self.follow_error(error.into()).into()),
        }
    }

    /// Waits until `pending` lies in a finalised block, and until it is proven what came of it.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn finalised(&self, pending: &Pending) -> Result<Applied, SubmitError> {
        let deadline = Instant::now() + FINALISED_TIMEOUT;
        let head = loop {
            let head = self.advance().await?;
            if self.account(&pending.signer).await?.nonce > pending.nonce {
                break head;
            }
            if Instant::now() > deadline {
                return Err(SubmitError::Timeout);
            }
            tokio::time::sleep(POLL).await;
        };
        let applied = self.find(pending, head).await?.ok_or(SubmitError::Replaced)?;
        let values = self.read_raw_at(applied.block, &[storage::item("System", "Events")]).await?;
        let events = values.first().and_then(Option::as_deref).unwrap_or_default();
        match outcome(events, applied.index).map(|outcome| outcome.and_then(|()| inner(events, applied.index))) {
            Some(Ok(())) => Ok(applied),
            Some(Err(error)) => {
                let (reason, hint) = crate::refusals::explain(&error);
                Err(SubmitError::Failed { reason, hint })
            }
            None => Err(SubmitError::Replaced),
        }
    }

    /// Submits `call` and waits for its outcome.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit_and_wait(&self, signer: &KeyPair, call: &Call) -> Result<Applied, SubmitError> {
        let pending = self.submit(signer, call).await?;
        self.finalised(&pending).await
    }

    /// The block between `pending.from` and `head` that holds the extrinsic. The node only points at it.
    async fn find(&self, pending: &Pending, head: BlockRef) -> Result<Option<Applied>, SubmitError> {
        let ours = json!(format!("0x{}", hex::encode(&pending.bytes)));
        for number in (pending.from.0..=head.number.0).rev() {
            let hash = self.ask("chain_getBlockHash", json!([number])).await?;
            let block = self.ask("chain_getBlock", json!([hash])).await?;
            let extrinsics = block.pointer("/block/extrinsics").and_then(Value::as_array);
            let extrinsics = extrinsics.ok_or(SubmitError::Answer("chain_getBlock"))?;
            if let Some(index) = extrinsics.iter().position(|extrinsic| *extrinsic == ours) {
                let hash = hash.as_str().and_then(|hash| hash.parse().ok());
                let hash = hash.ok_or(SubmitError::Answer("chain_getBlockHash"))?;
                let block = BlockRef { number: BlockNumber(number), hash };
                return Ok(Some(Applied { block, index: index as u32 }));
            }
        }
        Ok(None)
    }

    /// How many extrinsics an account has sent, and what it owns, at the newest finalised block.
    pub(crate) async fn read_one<T: codec::Decode>(
        &self,
        key: Vec<u8>,
        what: &'static str,
    ) -> Result<(BlockRef, Option<T>), ChainError> {
        let (block, values) = self.read_raw(&[key]).await?;
        Ok((block, decode(&values, 0, what)?))
    }
}

/// What the events of a block say of its extrinsic `index`: the last `System.ExtrinsicSuccess` or
/// `System.ExtrinsicFailed` in its phase, with the bytes of the dispatch error.
///
/// # Shape
/// `0 (ApplyExtrinsic) ‖ index as u32 ‖ 0 (System) ‖ 0 or 1 ‖ …`. Events between carry other pallets' bytes, which the
/// client does not need to understand: FRAME writes this one last.
fn outcome(events: &[u8], index: u32) -> Option<Result<(), Vec<u8>>> {
    let phase = [[0].as_slice(), &index.encode(), &[0]].concat();
    let found = events.windows(phase.len() + 1).rposition(|at| at.starts_with(&phase) && at[phase.len()] <= 1)?;
    let rest = &events[found + phase.len()..];
    Some(if rest[0] == 0 { Ok(()) } else { Err(rest[1..].iter().copied().take(8).collect()) })
}

/// Calls that carry another one, which may fail while they succeed: pallet, event, and how many bytes of the event come before the
/// inner call's result.
const CARRIERS: [(u8, u8, usize); 7] = [
    // Multisig.MultisigExecuted: who, when, account, hash.
    (21, 2, 32 + 8 + 32 + 32),
    // Proxy.ProxyExecuted.
    (22, 0, 0),
    // Executed and MemberExecuted of the council and of the committee: hash.
    (31, 4, 32),
    (31, 5, 32),
    (32, 4, 32),
    (32, 5, 32),
    // Sudo.Sudid.
    (40, 0, 0),
];

/// What came of the call that extrinsic `index` carried, if it carried one.
fn inner(events: &[u8], index: u32) -> Result<(), Vec<u8>> {
    for (pallet, event, before) in CARRIERS {
        let head = [[0].as_slice(), &index.encode(), &[pallet, event]].concat();
        let found = events.windows(head.len()).position(|at| at == head);
        let result = found.and_then(|found| events.get(found + head.len() + before..));
        if let Some([1, error @ ..]) = result {
            return Err(error.iter().copied().take(8).collect());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_carried_may_fail_by_itself() {
        let event = |pallet, event, body: &[u8]| [[0, 1, 0, 0, 0, pallet, event].as_slice(), body].concat();
        assert_eq!(inner(&event(22, 0, &[0]), 1), Ok(()));
        assert_eq!(inner(&event(22, 0, &[1, 3, 61, 8, 0, 0, 0]), 1), Err(vec![3, 61, 8, 0, 0, 0]));
        assert_eq!(inner(&event(22, 0, &[1, 2]), 2), Ok(()), "another extrinsic's");
        assert_eq!(inner(&event(21, 2, &[[7; 104].as_slice(), &[1, 2]].concat()), 1), Err(vec![2]));
        assert_eq!(inner(&event(31, 4, &[[7; 32].as_slice(), &[1, 2]].concat()), 1), Err(vec![2]));
        assert_eq!(inner(&[], 1), Ok(()));
    }

    /// Two events of extrinsic 1: some other pallet's, then System's.
    fn events(last: &[u8]) -> Vec<u8> {
        let mut bytes = vec![8];
        bytes.extend([0, 1, 0, 0, 0, 51, 2, 9, 9, 0]);
        bytes.extend([0, 1, 0, 0, 0, 0]);
        bytes.extend(last);
        bytes
    }

    #[test]
    fn what_became_of_an_extrinsic_is_read_from_its_own_events() {
        assert_eq!(outcome(&events(&[0, 1, 2, 3]), 1), Some(Ok(())));
        let failed = events(&[1, 3, 51, 4, 0, 0, 0, 7, 7, 7]);
        assert_eq!(outcome(&failed, 1), Some(Err(vec![3, 51, 4, 0, 0, 0, 7, 7])));
        assert_eq!(outcome(&failed, 2), None);
        assert_eq!(outcome(&[], 0), None);
    }
}
