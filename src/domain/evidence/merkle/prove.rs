//! Making proofs from stored leaf hashes.

use std::ops::Range;

use super::{NodeHash, Tree};

/// Leaf hashes are read this many at a time (32 KiB), so that a proof in a log of any size needs
/// little memory.
const READ: u64 = 1024;

/// Where the hashes of the leaves are kept. A record whose content was pruned keeps its hash here.
pub trait LeafHashes {
    /// What can go wrong on reading.
    type Error;

    /// Appends the hashes of the leaves in `range` to `out`, in order.
    ///
    /// # Errors
    /// Whatever the store says; also when a leaf is not there.
    fn read(&self, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), Self::Error>;

    /// Root of the perfect subtree of 2^`level` leaves that is number `index` of its level, if the
    /// store keeps it. A store of tiles answers here and spares the reading of its leaves.
    ///
    /// # Errors
    /// Whatever the store says.
    fn subtree(&self, level: u32, index: u64) -> Result<Option<NodeHash>, Self::Error> {
        let _ = (level, index);
        Ok(None)
    }
}

impl LeafHashes for [NodeHash] {
    type Error = MissingLeaf;

    fn read(&self, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), MissingLeaf> {
        let missing = MissingLeaf {
            from: range.start,
            to: range.end,
        };
        let from = usize::try_from(range.start).map_err(|_| missing)?;
        let to = usize::try_from(range.end).map_err(|_| missing)?;
        out.extend_from_slice(self.get(from..to).ok_or(missing)?);
        Ok(())
    }
}

/// Leaf hashes that were asked for are not in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store does not hold all leaf hashes from {from} to before {to}")]
pub struct MissingLeaf {
    /// First leaf asked for.
    pub from: u64,
    /// One past the last.
    pub to: u64,
}

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// What is asked for cannot be proved in this tree.
    #[error("nothing to prove: {what} {asked} does not lie in a tree of {size} leaves")]
    OutOfRange {
        /// "leaf" or "old size".
        what: &'static str,
        /// The number asked for.
        asked: u64,
        /// The tree's size.
        size: u64,
    },
    /// The store answered with another number of leaf hashes than asked for.
    #[error("the store of leaf hashes gave {found} hashes for {expected} leaves from {from} on")]
    ShortRead {
        /// First leaf asked for.
        from: u64,
        /// Leaves asked for.
        expected: u64,
        /// Hashes received.
        found: usize,
    },
    /// The store failed.
    #[error("cannot read leaf hashes: {0}")]
    Store(E),
}

/// Root hash of the first `size` leaves.
///
/// # Errors
/// [`ProofError`] when the leaf hashes cannot be read.
pub fn root_at<L: LeafHashes + ?Sized>(
    leaves: &L,
    size: u64,
) -> Result<NodeHash, ProofError<L::Error>> {
    hash_range(leaves, 0..size)
}

/// The tree of the first `size` leaves, to go on appending to it.
///
/// # Errors
/// [`ProofError`] when the leaf hashes cannot be read.
pub fn tree_at<L: LeafHashes + ?Sized>(
    leaves: &L,
    size: u64,
) -> Result<Tree, ProofError<L::Error>> {
    tree_of(leaves, 0..size)
}

/// The audit path of a leaf in the tree of `size` leaves (RFC 6962, section 2.1.1), from the
/// leaf's sister up to the root's child.
///
/// # Errors
/// [`ProofError`] when the leaf is not in that tree or hashes cannot be read.
pub fn prove_inclusion<L: LeafHashes + ?Sized>(
    leaves: &L,
    index: u64,
    size: u64,
) -> Result<Vec<NodeHash>, ProofError<L::Error>> {
    if index >= size {
        return Err(ProofError::OutOfRange {
            what: "leaf",
            asked: index,
            size,
        });
    }
    let mut path = Vec::new();
    let mut subtree = 0..size;
    while let Some(middle) = split(&subtree) {
        if index < middle {
            path.push(hash_range(leaves, middle..subtree.end)?);
            subtree.end = middle;
        } else {
            path.push(hash_range(leaves, subtree.start..middle)?);
            subtree.start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `new` leaves begins with that of `old` leaves (RFC 6962, section
/// 2.1.2). Empty when there is nothing to prove.
///
/// # Errors
/// [`ProofError`] when `old` is larger than `new` or hashes cannot be read.
pub fn prove_consistency<L: LeafHashes + ?Sized>(
    leaves: &L,
    old: u64,
    new: u64,
) -> Result<Vec<NodeHash>, ProofError<L::Error>> {
    if old > new {
        return Err(ProofError::OutOfRange {
            what: "old size",
            asked: old,
            size: new,
        });
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let mut subtree = 0..new;
    // The verifier knows the old root, so that it is left out where it is itself a node.
    let mut is_old_root = true;
    while subtree.end != old {
        let Some(middle) = split(&subtree) else { break };
        if old <= middle {
            path.push(hash_range(leaves, middle..subtree.end)?);
            subtree.end = middle;
        } else {
            path.push(hash_range(leaves, subtree.start..middle)?);
            subtree.start = middle;
            is_old_root = false;
        }
    }
    if !is_old_root {
        path.push(hash_range(leaves, subtree)?);
    }
    path.reverse();
    Ok(path)
}

/// Where RFC 6962 divides a range of at least two leaves: the left part is the largest power of
/// two that is smaller than the range. None for a single leaf.
fn split(range: &Range<u64>) -> Option<u64> {
    let length = range.end - range.start;
    if length < 2 {
        return None;
    }
    let left = 1_u64 << (length - 1).ilog2();
    Some(range.start + left)
}

/// Hash of the subtree over a range that [`split`] made (or one that begins at 0): its start is a
/// multiple of every perfect subtree in it.
fn hash_range<L: LeafHashes + ?Sized>(
    leaves: &L,
    range: Range<u64>,
) -> Result<NodeHash, ProofError<L::Error>> {
    Ok(tree_of(leaves, range)?.root())
}

/// The tree over such a range alone.
fn tree_of<L: LeafHashes + ?Sized>(
    leaves: &L,
    range: Range<u64>,
) -> Result<Tree, ProofError<L::Error>> {
    let mut tree = Tree::new();
    let mut buffer = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let level = (range.end - at).ilog2();
        let known = leaves
            .subtree(level, at >> level)
            .map_err(ProofError::Store)?;
        if let Some(hash) = known
            && tree.append_subtree(level, hash)
        {
            at += 1 << level;
            continue;
        }
        at = append_subtree(leaves, &mut tree, &mut buffer, at, level)?;
    }
    Ok(tree)
}

/// Adds the perfect subtree of 2^`level` leaves at `at`, whose root is not stored: its children if
/// they are, else its leaves. Returns where it ends.
fn append_subtree<L: LeafHashes + ?Sized>(
    leaves: &L,
    tree: &mut Tree,
    buffer: &mut Vec<NodeHash>,
    at: u64,
    level: u32,
) -> Result<u64, ProofError<L::Error>> {
    let end = at + (1 << level);
    let piece = level.min(READ.ilog2());
    let mut at = at;
    while at < end {
        // Stored nodes of the piece's height stand for all leaves below them.
        let known = if piece == level {
            None
        } else {
            leaves
                .subtree(piece, at >> piece)
                .map_err(ProofError::Store)?
        };
        match known {
            Some(hash) if tree.append_subtree(piece, hash) => {}
            _ => {
                let length = 1_u64 << piece;
                buffer.clear();
                leaves
                    .read(at..at + length, buffer)
                    .map_err(ProofError::Store)?;
                if u64::try_from(buffer.len()) != Ok(length) {
                    return Err(ProofError::ShortRead {
                        from: at,
                        expected: length,
                        found: buffer.len(),
                    });
                }
                buffer.iter().for_each(|leaf| tree.append(*leaf));
            }
        }
        at += 1 << piece;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::super::{leaf_hash, vectors};
    use super::*;

    fn leaves() -> Vec<NodeHash> {
        vectors::leaves()
            .iter()
            .map(|leaf| leaf_hash(leaf))
            .collect()
    }

    #[test]
    fn proofs_are_those_of_the_reference_implementation() {
        let leaves = leaves();
        for (index, size, proof) in vectors::inclusions() {
            assert_eq!(prove_inclusion(&leaves[..], index, size).unwrap(), proof);
        }
        for (old, new, proof) in vectors::consistencies() {
            assert_eq!(prove_consistency(&leaves[..], old, new).unwrap(), proof);
        }
        for (size, root) in (1..).zip(vectors::roots()) {
            assert_eq!(root_at(&leaves[..], size).unwrap(), root);
        }
    }

    #[test]
    fn what_cannot_be_proved_is_an_error() {
        let leaves = leaves();
        assert!(matches!(
            prove_inclusion(&leaves[..], 8, 8),
            Err(ProofError::OutOfRange { asked: 8, .. })
        ));
        assert!(matches!(
            prove_consistency(&leaves[..], 9, 8),
            Err(ProofError::OutOfRange { asked: 9, .. })
        ));
        let error = prove_inclusion(&leaves[..], 0, 12).unwrap_err();
        assert_eq!(error, ProofError::Store(MissingLeaf { from: 8, to: 12 }));
    }
}
