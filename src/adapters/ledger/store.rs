//! Writes into a ledger, whichever database it is in.

use super::error::LedgerError;
use super::feed::RecordStore;
use super::place::LedgerPlace;
use super::sqlite::SqliteStore;
use crate::domain::journal::{Batch, Cursor};
use crate::domain::record::CallRecord;

/// The writing end of a ledger.
pub enum Store {
    /// A SQLite file.
    Sqlite(SqliteStore),
}

impl Store {
    /// Opens the ledger, creating and migrating it as needed.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn open(place: &LedgerPlace) -> Result<Self, LedgerError> {
        match place {
            LedgerPlace::Sqlite(path) => SqliteStore::open(path).await.map(Self::Sqlite),
        }
    }

    /// Closes the ledger.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn close(self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(store) => store.close().await,
        }
    }
}

impl RecordStore for Store {
    type Error = LedgerError;

    async fn write(&mut self, records: &[Box<CallRecord>]) -> Result<usize, LedgerError> {
        match self {
            Self::Sqlite(store) => store.write(records).await,
        }
    }

    async fn drain(&mut self, batch: &Batch) -> Result<usize, LedgerError> {
        match self {
            Self::Sqlite(store) => store.drain(batch).await,
        }
    }

    async fn cursors(&mut self) -> Result<Vec<Cursor>, LedgerError> {
        match self {
            Self::Sqlite(store) => store.cursors().await,
        }
    }
}
