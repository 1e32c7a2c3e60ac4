//! The growing tree.

use super::{NodeHash, node_hash};

/// A tree that keeps the roots of its largest perfect subtrees and nothing else: at most 64
/// hashes for any number of leaves. They are all that is needed to append and to state the root.
///
/// Invariant: one root for each 1 in the binary form of the size, largest subtree first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    roots: Vec<NodeHash>,
}

impl Tree {
    /// The tree without leaves.
    pub const fn new() -> Self {
        Self {
            size: 0,
            roots: Vec::new(),
        }
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the largest perfect subtrees, left to right.
    #[cfg(test)]
    pub(super) fn roots(&self) -> &[NodeHash] {
        &self.roots
    }

    /// Adds a leaf by its hash. One node is hashed per call on average, at most 64.
    pub fn append(&mut self, leaf: NodeHash) {
        self.append_visiting(leaf, |_, _, _| {});
    }

    /// Adds a leaf and shows every node that it completes, the leaf first, as (level, index in
    /// that level, hash): the nodes that a store of tiles keeps.
    pub fn append_visiting(&mut self, leaf: NodeHash, mut visit: impl FnMut(u32, u64, NodeHash)) {
        let index = self.size;
        let mut hash = leaf;
        visit(0, index, hash);
        // Each trailing 1 of the size is a perfect subtree that waits for a sister of its height.
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
            visit(level, index.checked_shr(level).unwrap_or(0), hash);
        }
        self.roots.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// Adds a whole perfect subtree of 2^level leaves by its root.
    /// Returns false, and adds nothing, if one cannot begin at this size.
    pub(super) fn append_subtree(&mut self, level: u32, root: NodeHash) -> bool {
        let aligned = self.size.trailing_zeros() >= level;
        let grown = 1_u64
            .checked_shl(level)
            .and_then(|leaves| self.size.checked_add(leaves));
        let (true, Some(grown)) = (aligned, grown) else {
            return false;
        };
        let mut hash = root;
        for _ in 0..(self.size >> level).trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
        }
        self.roots.push(hash);
        self.size = grown;
        true
    }

    /// Root hash of the tree as it is now.
    pub fn root(&self) -> NodeHash {
        self.roots
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or(NodeHash::EMPTY_ROOT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::leaf_hash;
    use super::super::vectors;
    use super::*;

    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let mut tree = Tree::new();
        assert_eq!(tree.root(), NodeHash::EMPTY_ROOT);
        for (leaf, root) in vectors::leaves().iter().zip(vectors::roots()) {
            tree.append(leaf_hash(leaf));
            assert_eq!(tree.root(), root, "size {}", tree.size());
        }
    }

    #[test]
    fn the_visitor_sees_each_completed_node_once() {
        let mut tree = Tree::new();
        let mut seen = Vec::new();
        for leaf in vectors::leaves() {
            tree.append_visiting(leaf_hash(&leaf), |level, index, hash| {
                seen.push((level, index, hash));
            });
        }
        // 8 leaves, 4 pairs, 2 fours and the root.
        assert_eq!(seen.len(), 15);
        assert!(seen.contains(&(3, 0, tree.root())));
        assert!(
            seen.iter()
                .any(|(level, index, _)| (*level, *index) == (1, 3))
        );
    }
}
