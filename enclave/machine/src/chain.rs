//! Speaking to the chain: submitting what a machine has to say.

use codec::{Decode, DecodeAll};
use futures::future::BoxFuture;
use phala_follow::{Rpc, RpcError, rpc::submit_extrinsic};
use phala_messages::{Refusal, calls::Call};
use std::sync::Arc;

/// JSON-RPC code of a transaction that the runtime refuses.
const CODE_INVALID: i64 = 1010;
/// JSON-RPC code of a transaction that the pool has had: it is in a block, or was refused.
const CODE_BANNED: i64 = 1012;
/// JSON-RPC code of a transaction that the pool has.
const CODE_IMPORTED: i64 = 1013;

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// A rule of the chain says no.
    #[error("{0}")]
    Refused(Refusal),
    /// The node has it already.
    #[error("the node has this message already")]
    Known,
    /// The node has had it: it is in a block, or the node refused it not long ago.
    #[error("the node has had this message already")]
    Had,
    /// Anything else: worth another try.
    #[error("{0}")]
    Later(String),
}

/// Whoever carries messages to the chain.
pub trait Submitter: Send + Sync + 'static {
    /// Hands in a call that carries its own authority. Success means that a node took it, not that it will count.
    fn submit<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), SubmitError>>;
}

/// Submits through a node's RPC.
pub struct NodeSubmitter<R>(pub Arc<R>);

impl<R: Rpc + Send + Sync + 'static> Submitter for NodeSubmitter<R> {
    fn submit<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), SubmitError>> {
        Box::pin(async move {
            match submit_extrinsic(&*self.0, &call.authorized()).await {
                Ok(_) => Ok(()),
                Err(error) => Err(judge(error)),
            }
        })
    }
}

/// What a node's error says.
fn judge(error: RpcError) -> SubmitError {
    let RpcError::Refused { code, message } = &error else { return SubmitError::Later(error.to_string()) };
    match *code {
        CODE_IMPORTED => return SubmitError::Known,
        CODE_BANNED => return SubmitError::Had,
        _ => {}
    }
    // `Invalid Transaction: Custom error: 137`, as the node writes `InvalidTransaction::Custom(137)`.
    let custom = message.rsplit_once("Custom error: ").filter(|_| *code == CODE_INVALID);
    let rule = custom.and_then(|(_, n)| n.trim_end_matches('.').trim().parse().ok()).and_then(Refusal::from_code);
    rule.map_or_else(|| SubmitError::Later(error.to_string()), SubmitError::Refused)
}

/// Something in the chain's state that this software cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain's {0} is not in the form that this software knows: it is older or newer than the chain")]
pub struct Unreadable(pub &'static str);

/// Reads a value of the chain's state.
///
/// # Errors
/// [`Unreadable`].
pub fn read<T: Decode>(what: &'static str, value: Option<&Vec<u8>>) -> Result<Option<T>, Unreadable> {
    value.map(|bytes| T::decode_all(&mut bytes.as_slice()).map_err(|_| Unreadable(what))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i64, message: &str) -> SubmitError {
        judge(RpcError::Refused { code, message: message.into() })
    }

    #[test]
    fn a_rule_of_the_chain_gets_its_name_back() {
        let error = refused(1010, "Invalid Transaction: Custom error: 167");
        assert_eq!(error, SubmitError::Refused(Refusal::AnchorStale));
        assert_eq!(error.to_string(), "the anchor starts before the program's newest version");
        assert_eq!(refused(1010, "Invalid Transaction: Custom error: 7"), SubmitError::Refused(Refusal::Evidence(7)));
    }

    #[test]
    fn what_the_pool_has_already_is_no_failure() {
        assert_eq!(refused(1013, "Transaction Already Imported"), SubmitError::Known);
        assert_eq!(refused(1012, "Transaction is temporarily banned"), SubmitError::Had);
    }

    #[test]
    fn everything_else_is_tried_again() {
        for error in [
            refused(1010, "Transaction is outdated"),
            refused(1010, "Custom error: 255"),
            refused(1, "Custom error: 167"),
        ] {
            assert!(matches!(error, SubmitError::Later(_)), "{error:?}");
        }
        assert!(matches!(judge(RpcError::TooLarge), SubmitError::Later(_)));
    }
}
