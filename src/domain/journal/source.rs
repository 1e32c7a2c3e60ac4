//! How ledgers are fed: by cursor, from whoever can read the journal.

use super::assemble::Finished;
use super::event::Gap;
use super::frame::JournalId;

/// How far a ledger has come. It keeps this in the transaction that holds the rows, so that each
/// row is there exactly once whatever happens in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which journal.
    pub journal: JournalId,
    /// Where to read on: the first event of the oldest call that is still open.
    pub resume_at: u64,
    /// The event after the last that was looked at: calls that end before it are in the ledger.
    pub done_to: u64,
}

/// Rows for a ledger, and the cursor that goes with them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Calls that are over.
    pub calls: Vec<Finished>,
    /// What could not be recorded, with the number of the event that says so.
    pub gaps: Vec<(u64, Gap)>,
    /// Where the ledger stands once these are in it.
    pub cursor: Cursor,
    /// Bytes of the journal that were read for it.
    pub bytes: u64,
}

/// A journal to read from.
pub trait Source: Send + 'static {
    /// Why it cannot be read.
    type Error: std::fmt::Display;

    /// Which journal.
    fn journal(&self) -> JournalId;

    /// Goes to where a ledger stands; `None` for one that has nothing yet.
    ///
    /// # Errors
    /// The journal cannot be read, or does not reach there.
    fn seek(&mut self, cursor: Option<Cursor>) -> Result<(), Self::Error>;

    /// Rows of events that are on disk, at most about `limit`; `None` when there are no new events.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn next(&mut self, limit: usize) -> Result<Option<Batch>, Self::Error>;

    /// The rows are in the ledger.
    fn drained(&self, batch: &Batch);
}
