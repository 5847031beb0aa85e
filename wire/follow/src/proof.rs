//! Storage proofs: values of a state, of which only the root is known.
//!
//! A proof is the set of trie nodes on the way from the root to each key. A node is found by its hash, so
//! an altered node is a missing node.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use core::cell::RefCell;
use hash_db::{HashDBRef, Hasher, Prefix};
use phala_messages::Hash;
use sp_core::{Blake2Hasher, H256};
use sp_trie::{DBValue, LayoutV1, read_trie_value};

/// Nodes of one proof: a key takes about ten.
pub const PROOF_NODES_MAX: usize = 16_384;
/// All nodes of one proof.
pub const PROOF_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why nodes do not prove values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// See [`PROOF_NODES_MAX`].
    #[error("the storage proof has {0} nodes, more than {PROOF_NODES_MAX}")]
    TooManyNodes(usize),
    /// See [`PROOF_BYTES_MAX`].
    #[error("the storage proof has more than {PROOF_BYTES_MAX} bytes")]
    TooLarge,
    /// The same node twice.
    #[error("the storage proof has the same node twice")]
    DuplicateNode,
    /// A node on the way to key number `key` is missing or altered.
    #[error("the storage proof lacks a node on the way to key number {key}, or has it altered")]
    Incomplete {
        /// Place among the keys asked for, from zero.
        key: usize,
    },
    /// Nodes that no key needs.
    #[error("the storage proof has nodes that no key needs")]
    UnusedNodes,
}

/// What nodes prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenValues {
    /// One for each key, in order; none where the state has no such key.
    pub values: Vec<Option<Vec<u8>>>,
    /// For each node, whether a key needed it.
    pub used: Vec<bool>,
}

/// The values of `keys` in the state with this root.
///
/// # Errors
/// [`ProofError`]. Nodes beyond those needed are none: see [`ProvenValues::used`].
pub fn read_proof<K: AsRef<[u8]>>(
    state_root: &Hash,
    nodes: &[Vec<u8>],
    keys: &[K],
) -> Result<ProvenValues, ProofError> {
    let nodes = Nodes::new(nodes)?;
    let root = H256(state_root.0);
    let read = |(key, bytes): (usize, &K)| {
        read_trie_value::<LayoutV1<Blake2Hasher>, _>(&nodes, &root, bytes.as_ref(), None, None)
            .map_err(|_| ProofError::Incomplete { key })
    };
    let values = keys.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(ProvenValues { values, used: nodes.used.into_inner() })
}

/// As [`read_proof`], and every node must be needed: there is one proof for each list of keys.
///
/// # Errors
/// [`ProofError`].
pub fn read_exact_proof<K: AsRef<[u8]>>(
    state_root: &Hash,
    nodes: &[Vec<u8>],
    keys: &[K],
) -> Result<Vec<Option<Vec<u8>>>, ProofError> {
    let proven = read_proof(state_root, nodes, keys)?;
    if proven.used.iter().all(|used| *used) { Ok(proven.values) } else { Err(ProofError::UnusedNodes) }
}

/// Trie nodes by their hashes; remembers which were asked for.
struct Nodes<'a> {
    by_hash: BTreeMap<H256, (usize, &'a Vec<u8>)>,
    used: RefCell<Vec<bool>>,
}

impl<'a> Nodes<'a> {
    fn new(nodes: &'a [Vec<u8>]) -> Result<Self, ProofError> {
        if nodes.len() > PROOF_NODES_MAX {
            return Err(ProofError::TooManyNodes(nodes.len()));
        }
        if nodes.iter().map(Vec::len).fold(0, usize::saturating_add) > PROOF_BYTES_MAX {
            return Err(ProofError::TooLarge);
        }
        let mut by_hash = BTreeMap::new();
        for (place, node) in nodes.iter().enumerate() {
            if by_hash.insert(Blake2Hasher::hash(node), (place, node)).is_some() {
                return Err(ProofError::DuplicateNode);
            }
        }
        Ok(Self { by_hash, used: RefCell::new(vec![false; nodes.len()]) })
    }
}

impl HashDBRef<Blake2Hasher, DBValue> for Nodes<'_> {
    fn get(&self, key: &H256, _: Prefix<'_>) -> Option<DBValue> {
        let (place, node) = self.by_hash.get(key)?;
        if let Some(used) = self.used.borrow_mut().get_mut(*place) {
            *used = true;
        }
        Some((*node).clone())
    }

    fn contains(&self, key: &H256, _: Prefix<'_>) -> bool {
        self.by_hash.contains_key(key)
    }
}
