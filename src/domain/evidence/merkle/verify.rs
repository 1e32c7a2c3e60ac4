//! Checking proofs: the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use super::{NodeHash, node_hash};

/// Why a proof does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// The leaf would lie outside the tree.
    #[error("leaf {index} cannot be in a tree of {size} leaves")]
    OutsideTree {
        /// The leaf's index.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The old tree would be larger than the new one.
    #[error("a tree of {old} leaves cannot grow into one of {new}")]
    Shrinks {
        /// Stated size of the old tree.
        old: u64,
        /// Stated size of the new tree.
        new: u64,
    },
    /// Too many or too few hashes for these sizes.
    #[error("the proof has {found} hashes, which does not fit the sizes")]
    WrongLength {
        /// Number of hashes in the proof.
        found: usize,
    },
    /// The proof leads to another root than the stated one of the old tree.
    #[error("the proof does not lead to the root of the old tree")]
    OldRoot,
    /// The proof leads to another root than the stated one.
    #[error("the proof does not lead to the root of the tree")]
    Root,
}

/// Checks that the leaf is at `index` in the tree of `size` leaves with this root.
///
/// # Errors
/// [`ProofFault`] says what does not fit.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &NodeHash,
    proof: &[NodeHash],
    root: &NodeHash,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault::OutsideTree { index, size });
    }
    let mut position = Position {
        node: index,
        last: size - 1,
    };
    let mut hash = *leaf;
    for sister in proof {
        if position.last == 0 {
            return Err(ProofFault::WrongLength { found: proof.len() });
        }
        if position.is_right_child() {
            hash = node_hash(sister, &hash);
        } else {
            hash = node_hash(&hash, sister);
        }
        position.climb();
    }
    if position.last != 0 {
        return Err(ProofFault::WrongLength { found: proof.len() });
    }
    if hash == *root {
        Ok(())
    } else {
        Err(ProofFault::Root)
    }
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves.
///
/// # Errors
/// [`ProofFault`] says what does not fit.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &NodeHash,
    new_root: &NodeHash,
    proof: &[NodeHash],
) -> Result<(), ProofFault> {
    let wrong_length = ProofFault::WrongLength { found: proof.len() };
    if old > new {
        return Err(ProofFault::Shrinks { old, new });
    }
    if old == new || old == 0 {
        // Nothing to prove: the trees are the same, or anything begins with the empty tree.
        let expected_old = if old == new {
            new_root
        } else {
            &NodeHash::EMPTY_ROOT
        };
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        return if old_root == expected_old {
            Ok(())
        } else {
            Err(ProofFault::OldRoot)
        };
    }
    // Begin at the largest subtree that is complete in the old tree and ends with it.
    let mut position = Position {
        node: old - 1,
        last: new - 1,
    };
    while position.node & 1 == 1 {
        position.node >>= 1;
        position.last >>= 1;
    }
    // If that subtree is the whole old tree, its root is known and left out of the proof.
    let (seed, rest) = if old.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(wrong_length)?;
        (*first, rest)
    };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sister in rest {
        if position.last == 0 {
            return Err(wrong_length);
        }
        if position.is_right_child() {
            old_hash = node_hash(sister, &old_hash);
            new_hash = node_hash(sister, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, sister);
        }
        position.climb();
    }
    if position.last != 0 {
        return Err(wrong_length);
    }
    if old_hash != *old_root {
        return Err(ProofFault::OldRoot);
    }
    if new_hash == *new_root {
        Ok(())
    } else {
        Err(ProofFault::Root)
    }
}

/// Where a climb from a leaf to the root is: a node and the last node of the same level.
struct Position {
    node: u64,
    last: u64,
}

impl Position {
    /// The next hash of the proof stands to the left. The last node of a level without a sister
    /// waits for a left neighbour further up.
    const fn is_right_child(&self) -> bool {
        self.node & 1 == 1 || self.node == self.last
    }

    /// One level up, or several where the node has no sister.
    const fn climb(&mut self) {
        if self.node == self.last {
            while self.node & 1 == 0 && self.node != 0 {
                self.node >>= 1;
                self.last >>= 1;
            }
        }
        self.node >>= 1;
        self.last >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{leaf_hash, vectors};
    use super::*;

    fn root(size: u64) -> NodeHash {
        vectors::roots()[usize::try_from(size).unwrap() - 1]
    }

    #[test]
    fn reference_inclusion_proofs_verify_and_their_corruptions_do_not() {
        for (index, size, proof) in vectors::inclusions() {
            let leaf = leaf_hash(&vectors::leaves()[usize::try_from(index).unwrap()]);
            let root = root(size);
            let check = |index, size, leaf: &NodeHash, proof: &[NodeHash], root: &NodeHash| {
                verify_inclusion(index, size, leaf, proof, root)
            };
            check(index, size, &leaf, &proof, &root).unwrap();

            check(index.wrapping_sub(1), size, &leaf, &proof, &root).unwrap_err();
            check(index + 1, size, &leaf, &proof, &root).unwrap_err();
            check(index ^ 2, size, &leaf, &proof, &root).unwrap_err();
            check(index, size * 2, &leaf, &proof, &root).unwrap_err();
            check(index, size / 2, &leaf, &proof, &root).unwrap_err();
            check(index, size, &root_of_nothing(), &proof, &root).unwrap_err();
            check(index, size, &leaf, &proof, &root_of_nothing()).unwrap_err();
            check(index, size, &leaf, &[&proof[..], &[root]].concat(), &root).unwrap_err();
            check(index, size, &leaf, &[&[root], &proof[..]].concat(), &root).unwrap_err();
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at] = flip(wrong[at]);
                check(index, size, &leaf, &wrong, &root).unwrap_err();
                let mut short = proof.clone();
                short.remove(at);
                check(index, size, &leaf, &short, &root).unwrap_err();
            }
        }
    }

    #[test]
    fn reference_consistency_proofs_verify_and_their_corruptions_do_not() {
        for (old, new, proof) in vectors::consistencies() {
            let (a, b) = (root(old), root(new));
            verify_consistency(old, new, &a, &b, &proof).unwrap();
            if proof.is_empty() {
                continue;
            }
            verify_consistency(old - 1, new, &a, &b, &proof).unwrap_err();
            verify_consistency(old + 1, new, &a, &b, &proof).unwrap_err();
            verify_consistency(old ^ 2, new, &a, &b, &proof).unwrap_err();
            verify_consistency(old, new * 2, &a, &b, &proof).unwrap_err();
            verify_consistency(old, new / 2, &a, &b, &proof).unwrap_err();
            verify_consistency(old, new, &flip(a), &b, &proof).unwrap_err();
            verify_consistency(old, new, &a, &flip(b), &proof).unwrap_err();
            verify_consistency(old, new, &b, &a, &proof).unwrap_err();
            verify_consistency(old, new, &a, &b, &[]).unwrap_err();
            verify_consistency(old, new, &a, &b, &proof[1..]).unwrap_err();
            for extra in [a, b, proof[0]] {
                let after = [&proof[..], &[extra]].concat();
                verify_consistency(old, new, &a, &b, &after).unwrap_err();
                let before = [&[extra], &proof[..]].concat();
                verify_consistency(old, new, &a, &b, &before).unwrap_err();
            }
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at] = flip(wrong[at]);
                verify_consistency(old, new, &a, &b, &wrong).unwrap_err();
            }
        }
    }

    #[test]
    fn trivial_consistency_needs_no_proof_but_right_roots() {
        let (a, b) = (root(1), root(2));
        let empty = NodeHash::EMPTY_ROOT;
        verify_consistency(0, 0, &empty, &empty, &[]).unwrap();
        verify_consistency(0, 1, &empty, &a, &[]).unwrap();
        verify_consistency(1, 1, &a, &a, &[]).unwrap();
        assert_eq!(
            verify_consistency(1, 1, &a, &b, &[]),
            Err(ProofFault::OldRoot)
        );
        assert_eq!(
            verify_consistency(0, 1, &a, &a, &[]),
            Err(ProofFault::OldRoot)
        );
        assert_eq!(
            verify_consistency(0, 1, &empty, &a, &[b]),
            Err(ProofFault::WrongLength { found: 1 })
        );
        assert_eq!(
            verify_consistency(2, 1, &b, &a, &[]),
            Err(ProofFault::Shrinks { old: 2, new: 1 })
        );
    }

    fn root_of_nothing() -> NodeHash {
        NodeHash::EMPTY_ROOT
    }

    fn flip(hash: NodeHash) -> NodeHash {
        let mut bytes = *hash.as_bytes();
        bytes[0] ^= 8;
        NodeHash::from_bytes(bytes)
    }
}
