//! Reading the chain's state by proof, at a finalised head, without being the one who follows.

use codec::Decode;
use futures::future::BoxFuture;
use phala_follow::{Finalized, FollowError, Head, Rpc, rpc::read_proof};
use std::{collections::BTreeMap, sync::Arc};

use crate::chain::{Unreadable, read};

/// Keys in one proof.
const KEYS_PER_PROOF: usize = 512;

/// Why a value could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The node, or its proofs.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The chain is of another version.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Values of the chain's state, by key.
pub type Values = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Reads the chain's state by proof.
pub trait Proofs: Send + Sync + 'static {
    /// The values of `keys` at `head`; each key is in the answer.
    fn read<'a>(&'a self, head: &'a Finalized<Head>, keys: &'a [Vec<u8>])
    -> BoxFuture<'a, Result<Values, FollowError>>;
}

impl dyn Proofs + '_ {
    /// The values of `keys` at `head`, in their order, decoded as `T`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn get<T: Decode>(
        &self,
        head: &Finalized<Head>,
        what: &'static str,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<T>>, ReadError> {
        let values = self.read(head, keys).await?;
        let mut out = Vec::with_capacity(keys.len());
        for key in keys {
            out.push(read(what, values.get(key).and_then(Option::as_ref))?);
        }
        Ok(out)
    }
}

/// Proofs from a node.
pub struct NodeProofs<R>(pub Arc<R>);

impl<R: Rpc + Send + Sync + 'static> Proofs for NodeProofs<R> {
    fn read<'a>(
        &'a self,
        head: &'a Finalized<Head>,
        keys: &'a [Vec<u8>],
    ) -> BoxFuture<'a, Result<Values, FollowError>> {
        Box::pin(async move {
            let mut out = Values::new();
            for keys in keys.chunks(KEYS_PER_PROOF) {
                let nodes = read_proof(&*self.0, keys, &head.hash).await?;
                let values = head.values(&nodes, keys)?.into_inner();
                out.extend(keys.iter().cloned().zip(values));
            }
            Ok(out)
        })
    }
}
