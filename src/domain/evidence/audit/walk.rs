//! Walking over records and checkpoints.

use super::difference::{Difference, first_difference};
use crate::domain::evidence::merkle::{NodeHash, Tree};

/// Records between two checkpoints that are held for comparison (64 MiB of hashes). Checkpoints
/// come every second, so a longer stretch means that checkpoints are missing; it is still checked
/// against the next root, but a fault in it is located to the stretch only.
pub const MAX_WINDOW: usize = 1 << 20;

/// One record as found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number that it is stored under: its leaf's index, so the log's first record is 0.
    pub sequence: u64,
    /// Leaf hash of the bytes as they are now; none if the content was pruned.
    pub leaf: Option<NodeHash>,
    /// The leaf hash that is kept apart from the record, if the store has one.
    pub kept: Option<NodeHash>,
}

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The records differ from what was signed.
    #[error("{0}")]
    Records(#[from] Difference),
    /// The records are what was signed, the leaf hash kept beside one of them is not.
    #[error("the leaf hash kept for record {sequence} was changed; the record itself is unharmed")]
    KeptHash {
        /// The record.
        sequence: u64,
    },
    /// The signed root is not reached, and nothing that is left tells which record is at fault.
    #[error(
        "the records from {from} to before {to} are not those that were signed; neither they nor \
         the kept leaf hashes lead to the signed root"
    )]
    Unlocated {
        /// First record of the stretch.
        from: u64,
        /// Size of the tree that was signed.
        to: u64,
    },
    /// A checkpoint that is smaller than the one before it.
    #[error("the checkpoint of size {size} comes after one of size {before}")]
    Shrunk {
        /// Size of the checkpoint.
        size: u64,
        /// Size of the one before.
        before: u64,
    },
    /// Two signed checkpoints of one size have different roots: the log was forked.
    #[error("two checkpoints of size {size} have different roots: the log showed two histories")]
    Forked {
        /// Their size.
        size: u64,
    },
}

/// Takes records and checkpoints in the log's order and finds the first that do not fit.
/// Signatures are checked before (see `KeyHistory`): an unsigned checkpoint says nothing.
#[derive(Clone, Debug)]
pub struct Auditor {
    /// The tree up to the last checkpoint that fitted.
    tree: Tree,
    /// Records since then.
    stored: Vec<(u64, NodeHash)>,
    /// Their kept leaf hashes.
    kept: Vec<Option<NodeHash>>,
    /// Where the window began, when it had to be given up for its length.
    long_since: Option<u64>,
    /// [`MAX_WINDOW`].
    window: usize,
}

impl Default for Auditor {
    fn default() -> Self {
        Self::new()
    }
}

impl Auditor {
    /// Begins at the log's first record.
    pub const fn new() -> Self {
        Self::resume(Tree::new())
    }

    /// Goes on from a tree whose root an earlier audit found to be signed.
    pub const fn resume(tree: Tree) -> Self {
        Self {
            tree,
            stored: Vec::new(),
            kept: Vec::new(),
            long_since: None,
            window: MAX_WINDOW,
        }
    }

    #[cfg(test)]
    pub(super) const fn with_window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// The tree up to the last checkpoint that fitted.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Takes the next record, in stored order.
    ///
    /// # Errors
    /// [`Finding`] if neither content nor kept hash is left of it.
    pub fn record(&mut self, record: Record) -> Result<(), Finding> {
        let sequence = record.sequence;
        let Some(hash) = record.leaf.or(record.kept) else {
            return Err(Difference::Removed { sequence }.into());
        };
        if self.stored.len() == self.window {
            self.give_up_window()?;
        }
        self.kept.push(record.kept);
        self.stored.push((sequence, hash));
        Ok(())
    }

    /// Takes the next checkpoint, after all records with a smaller sequence number than its size.
    ///
    /// # Errors
    /// [`Finding`]: the first record that does not fit. The auditor cannot go on after that.
    pub fn checkpoint(&mut self, size: u64, root: &NodeHash) -> Result<(), Finding> {
        let from = self.tree.size();
        if size < from {
            return Err(Finding::Shrunk { size, before: from });
        }
        let (grown, in_order) = self.grown();
        if in_order && grown.size() == size && grown.root() == *root {
            let mut kept = self.kept.iter().zip(&self.stored);
            let wrong = kept.find(|(kept, (_, leaf))| kept.is_some_and(|kept| kept != *leaf));
            if let Some((_, (sequence, _))) = wrong {
                return Err(Finding::KeptHash {
                    sequence: *sequence,
                });
            }
            self.tree = grown;
            self.stored.clear();
            self.kept.clear();
            self.long_since = None;
            return Ok(());
        }
        Err(self.locate(size, root))
    }

    /// The tree with the records of the window, and whether these are numbered as they stand.
    fn grown(&self) -> (Tree, bool) {
        let mut tree = self.tree.clone();
        let mut in_order = true;
        for (sequence, leaf) in &self.stored {
            in_order &= *sequence == tree.size();
            tree.append(*leaf);
        }
        (tree, in_order)
    }

    fn locate(&self, size: u64, root: &NodeHash) -> Finding {
        let first = self.tree.size();
        let from = self.long_since.unwrap_or(first);
        if size == first && self.stored.is_empty() {
            return Finding::Forked { size };
        }
        for truth in self.candidates() {
            if self.leads_to(&truth, size, root)
                && let Some(difference) = first_difference(first, &truth, &self.stored)
            {
                return difference.into();
            }
        }
        self.locate_without_truth(first, size)
            .map_or(Finding::Unlocated { from, to: size }, Into::into)
    }

    /// Lists of hashes that may be what was signed: the kept hashes as they stand and in the order
    /// of their numbers, and the records in the order of their numbers.
    fn candidates(&self) -> [Vec<NodeHash>; 3] {
        let mut order: Vec<usize> = (0..self.stored.len()).collect();
        order.sort_by_key(|at| self.stored.get(*at).map(|(sequence, _)| *sequence));
        let kept_at = |at: &usize| self.kept.get(*at).copied().flatten();
        let leaf_at = |at: &usize| self.stored.get(*at).map(|(_, leaf)| *leaf);
        [
            self.kept.iter().copied().flatten().collect(),
            order.iter().filter_map(kept_at).collect(),
            order.iter().filter_map(leaf_at).collect(),
        ]
    }

    /// The first difference from a list of hashes since the last checkpoint that fitted, if these
    /// lead to the root: for stores that keep leaf hashes by number, also of records that are gone.
    /// To be asked when [`Auditor::checkpoint`] has failed.
    pub fn locate_with(&self, size: u64, root: &NodeHash, truth: &[NodeHash]) -> Option<Finding> {
        if !self.leads_to(truth, size, root) {
            return None;
        }
        first_difference(self.tree.size(), truth, &self.stored).map(Into::into)
    }

    /// When no list of hashes leads to the root, numbers and kept hashes are still clues.
    fn locate_without_truth(&self, first: u64, size: u64) -> Option<Difference> {
        let mut expected = first;
        for (at, (numbered, leaf)) in self.stored.iter().enumerate() {
            let numbered = *numbered;
            if numbered > expected {
                return Some(Difference::Removed { sequence: expected });
            }
            if numbered < expected {
                return Some(Difference::Inserted {
                    sequence: expected,
                    numbered,
                });
            }
            let kept = self.kept.get(at).copied().flatten();
            if kept.is_some_and(|kept| kept != *leaf) {
                return Some(Difference::Changed { sequence: expected });
            }
            expected = expected.saturating_add(1);
        }
        (expected < size).then_some(Difference::Removed { sequence: expected })
    }

    fn leads_to(&self, truth: &[NodeHash], size: u64, root: &NodeHash) -> bool {
        let mut tree = self.tree.clone();
        truth.iter().for_each(|leaf| tree.append(*leaf));
        tree.size() == size && tree.root() == *root
    }

    /// Keeps the tree of a window that is too long, and not its records.
    fn give_up_window(&mut self) -> Result<(), Finding> {
        let first = self.tree.size();
        let (grown, _) = self.grown();
        if let Some(difference) = self.locate_without_truth(first, grown.size()) {
            return Err(difference.into());
        }
        self.long_since.get_or_insert(first);
        self.tree = grown;
        self.stored.clear();
        self.kept.clear();
        Ok(())
    }
}
