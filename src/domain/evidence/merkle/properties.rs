//! The tree against RFC 6962's own words: the recursive definitions of section 2.1.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// MTH of section 2.1.
fn naive_root(leaves: &[NodeHash]) -> NodeHash {
    match leaves {
        [] => NodeHash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// PATH of section 2.1.1.
fn naive_path(index: usize, leaves: &[NodeHash]) -> Vec<NodeHash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sister) = if index < left.len() {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - left.len(), right), naive_root(left))
    };
    path.push(sister);
    path
}

/// SUBPROOF of section 2.1.2.
fn naive_subproof(old: usize, leaves: &[NodeHash], known: bool) -> Vec<NodeHash> {
    if old == leaves.len() {
        return if known {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sister) = if old <= left.len() {
        (naive_subproof(old, left, known), naive_root(right))
    } else {
        (
            naive_subproof(old - left.len(), right, false),
            naive_root(left),
        )
    };
    path.push(sister);
    path
}

fn leaves(count: usize) -> Vec<NodeHash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// Keeps every completed node from level `from` up, like a store of tiles.
struct Nodes {
    leaves: Vec<NodeHash>,
    nodes: HashMap<(u32, u64), NodeHash>,
}

impl Nodes {
    fn new(leaves: Vec<NodeHash>, from: u32) -> Self {
        let mut nodes = HashMap::new();
        let mut tree = Tree::new();
        for leaf in &leaves {
            tree.append_visiting(*leaf, |level, index, hash| {
                if level >= from {
                    nodes.insert((level, index), hash);
                }
            });
        }
        Self { leaves, nodes }
    }
}

impl LeafHashes for Nodes {
    type Error = Infallible;

    fn read(&self, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), Infallible> {
        let (from, to) = (range.start as usize, range.end as usize);
        out.extend_from_slice(&self.leaves[from..to]);
        Ok(())
    }

    fn subtree(&self, level: u32, index: u64) -> Result<Option<NodeHash>, Infallible> {
        Ok(self.nodes.get(&(level, index)).copied())
    }
}

#[test]
fn every_small_tree_and_every_proof_in_it() {
    let all = leaves(34);
    for size in 0..=all.len() {
        let tree = &all[..size];
        let root = naive_root(tree);
        let n = size as u64;
        assert_eq!(root_at(tree, n).unwrap(), root);
        for index in 0..size {
            let proof = prove_inclusion(tree, index as u64, n).unwrap();
            assert_eq!(proof, naive_path(index, tree));
            verify_inclusion(index as u64, n, &tree[index], &proof, &root).unwrap();
        }
        for old in 1..=size {
            let proof = prove_consistency(tree, old as u64, n).unwrap();
            assert_eq!(proof, naive_subproof(old, tree, true));
            let old_root = naive_root(&tree[..old]);
            verify_consistency(old as u64, n, &old_root, &root, &proof).unwrap();
        }
    }
}

proptest! {
    // Each case hashes thousands of leaves.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn appending_equals_the_definition(count in 0_usize..3_000) {
        let leaves = leaves(count);
        let mut tree = Tree::new();
        for leaf in &leaves {
            tree.append(*leaf);
        }
        prop_assert_eq!(tree.root(), naive_root(&leaves));
        prop_assert_eq!(tree.roots().len(), tree.size().count_ones() as usize);
    }

    #[test]
    fn proofs_from_stored_nodes_equal_proofs_from_leaves(
        count in 1_usize..5_000,
        pick in any::<prop::sample::Index>(),
        from in 0_u32..13,
    ) {
        let leaves = leaves(count);
        let at = pick.index(count);
        let nodes = Nodes::new(leaves.clone(), from);
        let (size, index) = (count as u64, at as u64);
        prop_assert_eq!(prove_inclusion(&nodes, index, size).unwrap(), naive_path(at, &leaves));
        prop_assert_eq!(
            prove_consistency(&nodes, index + 1, size).unwrap(),
            naive_subproof(at + 1, &leaves, true)
        );
        prop_assert_eq!(root_at(&nodes, size).unwrap(), naive_root(&leaves));
    }

    #[test]
    fn a_proof_for_another_leaf_or_place_never_verifies(
        count in 2_usize..200,
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(count);
        let (a, b) = (a.index(count), b.index(count));
        prop_assume!(a != b);
        let size = count as u64;
        let root = naive_root(&leaves);
        let proof = prove_inclusion(&leaves[..], a as u64, size).unwrap();
        prop_assert!(verify_inclusion(a as u64, size, &leaves[b], &proof, &root).is_err());
        prop_assert!(verify_inclusion(b as u64, size, &leaves[a], &proof, &root).is_err());
    }

    #[test]
    fn hostile_proofs_are_refused_without_trouble(
        index in any::<u64>(),
        size in any::<u64>(),
        old in any::<u64>(),
        count in 0_usize..130,
    ) {
        let proof = leaves(count);
        let (leaf, root) = (leaf_hash(b"leaf"), leaf_hash(b"root"));
        prop_assert!(verify_inclusion(index, size, &leaf, &proof, &root).is_err());
        prop_assert!(verify_consistency(old, size, &leaf, &root, &proof).is_err());
    }
}
