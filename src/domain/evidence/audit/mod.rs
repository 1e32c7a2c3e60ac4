//! The audit of a whole store: does what is kept still hash to what was signed, and if not, which
//! record is the first that was changed, removed, inserted or moved?
//!
//! A checkpoint alone can only say that something between it and the one before is wrong. The leaf
//! hashes that are kept apart from the records (in the ledger, in tiles) say which: where they
//! still lead to the signed root they are the truth, and the records are compared with them.
//! Conversely, records that lead to the root show a tampered leaf hash.
//!
//! [`Auditor`] compares records with checkpoints. [`first_difference`] compares any other store
//! with what it should hold: rows of the ledger, as digests of their content, with the digests of
//! the rows that the audited leaves give.

mod difference;
#[cfg(test)]
mod tests;
mod walk;

pub use difference::{Difference, first_difference};
pub use walk::{Auditor, Finding, MAX_WINDOW, Record};
