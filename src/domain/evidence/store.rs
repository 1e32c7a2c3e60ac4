//! Where checkpoints are copied to.

use std::future::Future;

use super::merkle::NodeHash;
use crate::domain::journal::JournalId;
use crate::types::Micros;

/// A checkpoint as a ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Number of records that it covers.
    pub size: u64,
    /// Signatures besides the log's own.
    pub cosignatures: u64,
    /// Name of the log.
    pub origin: String,
    /// Root of the tree.
    pub root: NodeHash,
    /// When it was signed, by the node's clock.
    pub made_at: Micros,
    /// The signed note.
    pub note: String,
}

/// A ledger that keeps checkpoints.
pub trait CheckpointStore: Send + 'static {
    /// Why it cannot be written.
    type Error: std::fmt::Display;

    /// Size of the largest checkpoint of a journal that it has.
    fn newest_size(
        &mut self,
        journal: JournalId,
    ) -> impl Future<Output = Result<Option<u64>, Self::Error>>;

    /// Adds checkpoints, durably; those that are there already are left as they are.
    fn add(
        &mut self,
        journal: JournalId,
        checkpoints: &[StoredCheckpoint],
    ) -> impl Future<Output = Result<(), Self::Error>>;
}
