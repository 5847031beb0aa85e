//! [`Finalized`]: what more than two thirds of the authorities can no longer take back.
//!
//! Only this module builds one, from exactly four sources: a root of trust, a justification, a line of parents down from a
//! finalised block, a storage proof at a finalised block.

use crate::{
    authorities::AuthoritySet,
    header::{Head, Header, follows, hash_of},
    justification::{Justification, JustificationError},
    proof::{ProofError, read_proof},
};
use alloc::vec::Vec;
use core::ops::Deref;
use phala_messages::BlockRef;

/// A value of the finalised chain. What trusts takes this wrapper, not the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finalized<T> {
    value: T,
    block: BlockRef,
}

impl<T> Finalized<T> {
    /// The finalised block that it stands in.
    pub fn block(&self) -> BlockRef {
        self.block
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Finalized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Headers that do not lead from one block to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the headers do not lead from the block up to the finalised one")]
pub struct NotAnAncestor;

impl Finalized<Head> {
    fn new(head: Head) -> Self {
        Self { block: head.block(), value: head }
    }

    /// Genesis or a checkpoint: final because the caller says so.
    pub(crate) fn trusted(head: Head) -> Self {
        Self::new(head)
    }

    /// The block that `justification` finalises, if `set` says so.
    pub(crate) fn justified(
        header: &Header,
        justification: &Justification,
        set: &AuthoritySet,
    ) -> Result<Self, JustificationError> {
        let head = Head::from(header);
        if justification.target() != head.block() {
            return Err(JustificationError::OtherBlock);
        }
        justification.verify(set)?;
        Ok(Self::new(head))
    }

    /// The first of `path`, whose last is this block; each is the parent of the next.
    pub(crate) fn ancestor(&self, path: &[Header]) -> Result<Self, NotAnAncestor> {
        let (Some(first), Some(last)) = (path.first(), path.last()) else { return Err(NotAnAncestor) };
        let linked = path.windows(2).all(|pair| match pair {
            [parent, child] => follows(child, &hash_of(parent)) && parent.number.checked_add(1) == Some(child.number),
            _ => false,
        });
        if !linked || hash_of(last) != self.hash {
            return Err(NotAnAncestor);
        }
        Ok(Self::new(Head::from(first)))
    }

    /// The values of `keys` in this block's state.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn values<K: AsRef<[u8]>>(
        &self,
        nodes: &[Vec<u8>],
        keys: &[K],
    ) -> Result<Finalized<Vec<Option<Vec<u8>>>>, ProofError> {
        let value = read_proof(&self.state_root, nodes, keys)?.values;
        Ok(Finalized { value, block: self.block })
    }
}
