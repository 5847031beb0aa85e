//! Anchors: what a program's state is, written where nobody can take it back.
//!
//! A program's *version* is the number of commands it has answered. After answering commands `from..to` a
//! worker anchors `(to, root of its state, root of the results)`. A worker serves only the state whose
//! root is the newest finalised anchor, so an old copy of its disk is recognised as old.

use crate::{
    Signature,
    ids::{Account, GenesisHash, Hash, InstanceKey, ProgramId, StateRoot, WorkerId},
    transcript::Preimage,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use phala_units::BlockNumber;
use scale_info::TypeInfo;

/// Commands that one anchor may answer.
pub const ANCHOR_COMMANDS_MAX: u64 = 1_024;

/// Root of a state that holds nothing, as every program's does at version 0: Substrate's trie (Blake2b-256)
/// without leaves.
pub const EMPTY_ROOT: StateRoot = StateRoot([
    0x03, 0x17, 0x0a, 0x2e, 0x75, 0x97, 0xb7, 0xb7, 0xe3, 0xd8, 0x4c, 0x05, 0x39, 0x1d, 0x13, 0x9a, //
    0x62, 0xb1, 0x57, 0xe7, 0x87, 0x86, 0xd8, 0xc0, 0x82, 0xf2, 0x9d, 0xcf, 0x4c, 0x11, 0x13, 0x14,
]);

/// worker → chain: commands `from..to` are answered, and this is the state now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Anchor {
    /// Which program.
    pub program: ProgramId,
    /// Version before: must be the program's newest.
    pub from: u64,
    /// Version after; `to > from`.
    pub to: u64,
    /// Root of the state at version `to`.
    pub root: StateRoot,
    /// Merkle root over the [`ResultLeaf`] of each command in `from..to`; see [`results_root`].
    pub results: Hash,
    /// Who says so.
    pub worker: WorkerId,
}

impl Anchor {
    /// The hash that the worker's instance signs.
    ///
    /// # Shape
    /// SHA-256 of `"phala/anchor/v1" ‖ genesis ‖ SCALE(self)`.
    pub fn signing_hash(&self, genesis: &GenesisHash) -> Hash {
        Preimage::new("phala/anchor/v1").bytes(&genesis.0).bytes(&self.encode()).hash()
    }
}

/// The arguments of `programs.anchor`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedAnchor {
    /// What is said.
    pub anchor: Anchor,
    /// By the worker's current instance.
    pub signature: Signature,
}

/// The newest anchor of a program, as the chain keeps it. Version 0 stands there from deployment on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct AnchorRecord {
    /// First command answered by it.
    pub from: u64,
    /// Commands answered so far.
    pub version: u64,
    /// Root of the state at that version.
    pub root: StateRoot,
    /// Merkle root over the results of `from..version`.
    pub results: Hash,
    /// Who anchored it: worker and instance. None at version 0.
    pub by: Option<(WorkerId, InstanceKey)>,
    /// Block that holds it.
    pub block: BlockNumber,
}

/// What one command came to, in the tree under [`Anchor::results`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ResultLeaf {
    /// Which command.
    pub index: u64,
    /// Who sent it.
    pub caller: Account,
    /// Keeps others from guessing; see [`crate::command::EXPORT_BLIND`].
    pub blind: Hash,
    /// Transcript hash of the request.
    pub request: Hash,
    /// Transcript hash of the response.
    pub response: Hash,
}

impl ResultLeaf {
    /// The leaf's hash.
    ///
    /// # Shape
    /// SHA-256 of `"phala/result-leaf/v1" ‖ SCALE(self)`.
    pub fn hash(&self) -> Hash {
        Preimage::new("phala/result-leaf/v1").bytes(&self.encode()).hash()
    }
}

/// SHA-256 of `"phala/result-node/v1" ‖ left ‖ right`.
fn node(left: &Hash, right: &Hash) -> Hash {
    Preimage::new("phala/result-node/v1").bytes(&left.0).bytes(&right.0).hash()
}

/// One level up; a last node without a partner is carried up as it is.
fn level_above(level: &[Hash]) -> Vec<Hash> {
    level.chunks(2).map(|pair| if let [left, right] = pair { node(left, right) } else { pair[0] }).collect()
}

/// Root of the binary Merkle tree over `leaves`, in order; zero for none.
pub fn results_root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level_above(&level);
    }
    level.first().copied().unwrap_or_default()
}

/// The partners of leaf `index` on its way to the root, from below. None when there is no such leaf.
pub fn results_path(leaves: &[Hash], mut index: usize) -> Option<Vec<Hash>> {
    leaves.get(index)?;
    let mut level = leaves.to_vec();
    let mut path = Vec::new();
    while level.len() > 1 {
        if let Some(partner) = level.get(index ^ 1) {
            path.push(*partner);
        }
        level = level_above(&level);
        index /= 2;
    }
    Some(path)
}

/// The root that `leaf` at `index` of `count` leaves leads to along `path`. None when the path has not
/// exactly the length that such a leaf's path has.
pub fn results_root_from_path(leaf: Hash, mut index: u64, mut count: u64, path: &[Hash]) -> Option<Hash> {
    if index >= count {
        return None;
    }
    let mut path = path.iter();
    let mut hash = leaf;
    while count > 1 {
        let partner = index ^ 1;
        if partner < count {
            let sibling = path.next()?;
            hash = if index & 1 == 0 { node(&hash, sibling) } else { node(sibling, &hash) };
        }
        index /= 2;
        count = count.div_ceil(2);
    }
    path.next().is_none().then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u8) -> Vec<Hash> {
        (0..n).map(|i| Hash([i; 32])).collect()
    }

    #[test]
    fn the_empty_root_is_that_of_the_empty_trie() {
        assert_eq!(EMPTY_ROOT.0, sp_crypto_hashing::blake2_256(&[0]));
    }

    #[test]
    fn every_leaf_of_every_tree_leads_to_the_root() {
        for n in 1..20 {
            let leaves = leaves(n);
            let root = results_root(&leaves);
            for (i, leaf) in leaves.iter().enumerate() {
                let path = results_path(&leaves, i).unwrap();
                assert_eq!(results_root_from_path(*leaf, i as u64, n.into(), &path), Some(root), "{i} of {n}");
            }
        }
    }

    #[test]
    fn a_leaf_leads_to_the_root_from_its_own_place_only() {
        let leaves = leaves(7);
        let root = results_root(&leaves);
        let path = results_path(&leaves, 2).unwrap();
        for index in (0..9).filter(|i| *i != 2) {
            assert_ne!(results_root_from_path(leaves[2], index, 7, &path), Some(root), "{index}");
        }
        let mut longer = path.clone();
        longer.push(Hash::default());
        assert_eq!(results_root_from_path(leaves[2], 2, 7, &longer), None);
        assert_eq!(results_root_from_path(leaves[2], 2, 7, &path[..2]), None);
        assert_eq!(results_path(&leaves, 7), None);
    }
}
