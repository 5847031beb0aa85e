//! Headers, and the part of one that a follower keeps.

use codec::{Decode, Encode};
use phala_messages::{BlockHash, BlockRef, Hash};
use phala_units::BlockNumber;
use sp_core::H256;
use sp_runtime::traits::BlakeTwo256;

/// A block's header, as the chain encodes it.
pub type Header = sp_runtime::generic::Header<u32, BlakeTwo256>;

/// A header, encoded. The largest carries a new set of 4,096 authorities, 40 bytes each.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;

/// Blake2b-256 of the encoded header.
pub fn hash_of(header: &Header) -> BlockHash {
    BlockHash(sp_crypto_hashing::blake2_256(&header.encode()))
}

/// What a follower keeps of a block: its place, its name and the root of the state after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// Height.
    pub number: BlockNumber,
    /// Hash of its header.
    pub hash: BlockHash,
    /// Storage proofs lead to this root.
    pub state_root: Hash,
}

impl Head {
    /// Height and hash.
    pub fn block(&self) -> BlockRef {
        BlockRef { number: self.number, hash: self.hash }
    }
}

impl From<&Header> for Head {
    fn from(header: &Header) -> Self {
        Self { number: BlockNumber(header.number), hash: hash_of(header), state_root: Hash(header.state_root.0) }
    }
}

/// Whether `child` says that its parent is the block `parent`.
pub(crate) fn follows(child: &Header, parent: &BlockHash) -> bool {
    child.parent_hash == H256(parent.0)
}
