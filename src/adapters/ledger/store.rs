//! Writes into a ledger, whichever database it is in.

use super::error::LedgerError;
use super::feed::RecordStore;
use super::place::LedgerPlace;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use crate::domain::evidence::{CheckpointStore, StoredCheckpoint};
use crate::domain::journal::{Batch, Cursor, JournalId};
use crate::domain::record::CallRecord;

/// The writing end of a ledger.
pub enum Store {
    /// A SQLite file.
    Sqlite(SqliteStore),
    /// A database that many gateways share.
    Postgres(PostgresStore),
}

impl Store {
    /// Opens the ledger, creating and migrating it as needed.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn open(place: &LedgerPlace) -> Result<Self, LedgerError> {
        match place {
            LedgerPlace::Sqlite(path) => SqliteStore::open(path).await.map(Self::Sqlite),
            LedgerPlace::Postgres(at) => PostgresStore::open(at).await.map(Self::Postgres),
        }
    }

    /// A store for a ledger that cannot be reached yet; each use tries to open it. `None` for a
    /// ledger that is a file: what keeps it from being opened does not pass by itself.
    pub fn unopened(place: &LedgerPlace) -> Option<Self> {
        match place {
            LedgerPlace::Sqlite(_) => None,
            LedgerPlace::Postgres(at) => Some(Self::Postgres(PostgresStore::new(at.clone()))),
        }
    }

    /// Lets go of a connection that belongs to the present runtime; the next use opens another.
    pub async fn rest(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(store) => store.rest().await,
        }
    }

    /// Closes the ledger.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn close(self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(mut store) => {
                store.rest().await;
                Ok(())
            }
        }
    }
}

impl RecordStore for Store {
    type Error = LedgerError;

    async fn write(&mut self, records: &[Box<CallRecord>]) -> Result<usize, LedgerError> {
        match self {
            Self::Sqlite(store) => store.write(records).await,
            Self::Postgres(store) => store.write(records).await,
        }
    }

    async fn drain(&mut self, batch: &Batch) -> Result<usize, LedgerError> {
        match self {
            Self::Sqlite(store) => store.drain(batch).await,
            Self::Postgres(store) => store.drain(batch).await,
        }
    }

    async fn cursors(&mut self) -> Result<Vec<Cursor>, LedgerError> {
        match self {
            Self::Sqlite(store) => store.cursors().await,
            Self::Postgres(store) => store.cursors().await,
        }
    }
}

impl CheckpointStore for Store {
    type Error = LedgerError;

    async fn newest_size(&mut self, journal: JournalId) -> Result<Option<u64>, LedgerError> {
        match self {
            Self::Sqlite(store) => store.newest_size(journal).await,
            Self::Postgres(store) => store.newest_size(journal).await,
        }
    }

    async fn add(
        &mut self,
        journal: JournalId,
        checkpoints: &[StoredCheckpoint],
    ) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(store) => store.add(journal, checkpoints).await,
            Self::Postgres(store) => store.add(journal, checkpoints).await,
        }
    }
}
