//! The ledger as a start finds it.

use super::own_calls::{GATEWAY_PATIENCE, OwnCalls};
use super::{StartError, runtime};
use crate::adapters::ledger::{LedgerError, LedgerPlace, RecordStore as _, Store};
use crate::adapters::priority;
use crate::domain::config::Config;
use crate::domain::journal::{Cursor, JournalId};

/// The ledger as it is found at a start.
pub struct FoundLedger {
    pub(super) store: Store,
    /// How far it has come with every journal; `None` if it cannot be reached.
    pub(super) cursors: Option<Vec<Cursor>>,
}

impl FoundLedger {
    /// Opens it.
    ///
    /// # Errors
    /// [`StartError`]; a database that is away is no error.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        behind(|| {
            let (store, cursors) = runtime()?.block_on(open_ledger(config))?;
            Ok(Self { store, cursors })
        })
    }

    /// How far it has come with a journal.
    pub fn cursor(&self, journal: &JournalId) -> Option<Cursor> {
        let mut known = self.cursors.iter().flatten().copied();
        known.find(|cursor| cursor.journal == *journal)
    }
}

/// Opens the ledger, brings in what commands have put on record, and asks how far it has come; `None`
/// for a database that cannot be reached. Calls are recorded without it: the journal keeps what it
/// lacks.
async fn open_ledger(config: &Config) -> Result<(Store, Option<Vec<Cursor>>), LedgerError> {
    let (mut store, is_reachable) = open_store(&config.ledger.place).await?;
    if !is_reachable {
        return Ok((store, None));
    }
    bring_in_own_calls(config, &mut store).await;
    let cursors = store.cursors().await?;
    store.rest().await;
    Ok((store, Some(cursors)))
}

/// Does something in a thread that goes behind those of calls, and so do the threads that it leaves
/// behind: a connection to SQLite is one.
fn behind<T: Send>(work: impl FnOnce() -> Result<T, StartError> + Send) -> Result<T, StartError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            priority::go_behind();
            work()
        });
        let thread = thread.map_err(StartError::Thread)?;
        thread
            .join()
            .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    })
}

/// Opens the ledger; says whether it can be reached.
pub(super) async fn open_store(place: &LedgerPlace) -> Result<(Store, bool), LedgerError> {
    match Store::open(place).await {
        Ok(mut store) => {
            store.rest().await;
            Ok((store, true))
        }
        Err(error @ LedgerError::Unreachable { .. }) => match Store::unopened(place) {
            Some(store) => {
                tracing::error!(
                    target: "egret::ledger",
                    %error,
                    "the gateway starts without its ledger; the journal keeps the records, and \
                     the ledger is tried again"
                );
                Ok((store, false))
            }
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Brings in what commands could not put into the ledger; what fails here the next command does.
async fn bring_in_own_calls(config: &Config, store: &mut Store) {
    let calls = OwnCalls::new(config);
    if let Err(error) = calls.drain_into(store, GATEWAY_PATIENCE).await {
        tracing::warn!(
            journal = %calls.journal().display(),
            %error,
            "what commands have put on record is not in the ledger yet"
        );
    }
}
