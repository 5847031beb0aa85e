//! A Merkle tree in memory, updated leaf by leaf.

use crate::keys::Name;
use phala_messages::StateRoot;
use sp_core::{Blake2Hasher, H256};
use sp_trie::{LayoutV1, MemoryDB, delta_trie_root, empty_trie_root};

type Layout = LayoutV1<Blake2Hasher>;

/// Substrate's base-16 Merkle tree over `name → leaf`.
#[derive(Clone)]
pub(crate) struct Tree {
    nodes: MemoryDB<Blake2Hasher>,
    root: H256,
    /// Leaves written since dead nodes were last thrown away.
    written: usize,
    /// Leaves there are now.
    len: usize,
}

/// Leaves that may be written before dead nodes are thrown away, however small the tree.
const WRITTEN_BEFORE_PURGE_MIN: usize = 1_024;

impl Tree {
    pub(crate) fn new() -> Self {
        Self { nodes: MemoryDB::default(), root: empty_trie_root::<Layout>(), written: 0, len: 0 }
    }

    pub(crate) fn root(&self) -> StateRoot {
        StateRoot(self.root.0)
    }

    /// Sets or removes leaves. `len` is how many leaves there are then.
    pub(crate) fn apply<L: AsRef<[u8]>>(&mut self, leaves: Vec<(Name, Option<L>)>, len: usize) -> StateRoot {
        self.written += leaves.len();
        self.len = len;
        let delta = leaves.iter().map(|(name, leaf)| (name.as_slice(), leaf.as_ref().map(AsRef::as_ref)));
        self.root = delta_trie_root::<Layout, _, _, _, _, &[u8]>(&mut self.nodes, self.root, delta, None, None)
            .expect("every node of the tree is in memory");
        // Throwing dead nodes away looks at all of them: once per so many writes as there are leaves, it costs
        // each write a constant.
        if self.written > self.len.max(WRITTEN_BEFORE_PURGE_MIN) {
            self.nodes.purge();
            self.written = 0;
        }
        self.root()
    }

    #[cfg(test)]
    fn nodes(&self) -> usize {
        self.nodes.keys().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_messages::anchor::EMPTY_ROOT;
    use sp_core::Hasher;
    use sp_trie::TrieConfiguration;

    fn leaf(n: u32) -> (Name, Option<[u8; 32]>) {
        let name = Blake2Hasher::hash(&n.to_le_bytes()).0;
        (name, Some(Blake2Hasher::hash(&name).0))
    }

    #[test]
    fn the_root_of_nothing_is_the_one_the_chain_starts_with() {
        assert_eq!(Tree::new().root(), EMPTY_ROOT);
        let mut tree = Tree::new();
        tree.apply(vec![leaf(1)], 1);
        assert_ne!(tree.root(), EMPTY_ROOT);
        assert_eq!(tree.apply::<[u8; 32]>(vec![(leaf(1).0, None)], 0), EMPTY_ROOT);
    }

    #[test]
    fn the_root_is_that_of_the_leaves_however_they_came() {
        let all: std::collections::BTreeMap<_, _> =
            (0..100).map(|n| leaf(n)).map(|(name, leaf)| (name, leaf.unwrap())).collect();
        let at_once = Layout::trie_root(all.clone());
        let mut tree = Tree::new();
        for n in (0..150).rev() {
            tree.apply(vec![leaf(n)], 0);
        }
        tree.apply::<[u8; 32]>((100..150).map(|n| (leaf(n).0, None)).collect(), 100);
        assert_eq!(tree.root().0, at_once.0);
    }

    #[test]
    fn dead_nodes_do_not_pile_up() {
        let mut tree = Tree::new();
        for round in 0..20_000_u32 {
            let name = leaf(round % 10).0;
            tree.apply(vec![(name, Some(round.to_le_bytes()))], 10);
        }
        assert!(tree.nodes() < 10_000, "{} nodes for 10 leaves", tree.nodes());
    }
}
