//! Finished records brought into the journal and the ledger of a gateway that does not run: what
//! `egret demo` begins with, so that the detectors know what is usual.

use super::ledger::open_store;
use super::{FLUSH_TIME, StartError, VERSION, journal_settings, runtime};
use std::sync::Arc;

use crate::adapters::journal::Journal;
use crate::adapters::ledger::{RecordStore, drain_all};
use crate::domain::config::Config;
use crate::domain::journal::Source;
use crate::domain::record::{CallRecord, Gateway, Recorder, Step, Wait};

/// Why it was not brought in.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The journal or the ledger cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// They do not take it.
    #[error("the history cannot be recorded: {0}")]
    Refused(String),
}

/// The gateway of a configuration, as its records name it.
pub fn gateway_of(config: &Config) -> Arc<Gateway> {
    Arc::new(Gateway {
        node: config.node.as_ref().into(),
        version: VERSION.into(),
        config_hash: config.config_hash.clone(),
    })
}

/// Records calls that are over, oldest first, with the recorder that the gateway itself uses. Gives
/// how many rows the ledger has of them.
///
/// # Errors
/// [`HistoryError`]; part of it may be recorded.
pub fn put_on_record(
    config: &Config,
    records: impl Iterator<Item = CallRecord>,
) -> Result<u64, HistoryError> {
    let refused = |error: &dyn std::fmt::Display| HistoryError::Refused(error.to_string());
    let runtime = runtime()?;
    let opened = runtime.block_on(open_store(&config.ledger.place));
    let (mut store, _) = opened.map_err(StartError::from)?;
    let cursors = runtime
        .block_on(store.cursors())
        .map_err(StartError::from)?;
    let settings = journal_settings(&config.journal);
    let known = |id| cursors.iter().copied().find(|cursor| cursor.journal == id);
    let journal = Journal::open(settings, &gateway_of(config), |id| {
        known(id).map_or(0, |cursor| cursor.done_to)
    })
    .map_err(StartError::from)?;
    let mut reader = journal.reader();
    for record in records {
        let ticket = journal.append(Step::Completion, None, &record, Wait::Written);
        let ticket = ticket.map_err(|error| refused(&error))?;
        let settled = runtime.block_on(journal.settled(ticket));
        settled.map_err(|error| refused(&error))?;
    }
    let left = journal.shutdown(FLUSH_TIME).err().unwrap_or(0);
    if left > 0 {
        return Err(refused(&format_args!("{left} records are not written")));
    }
    reader.seek(known(journal.id())).map_err(StartError::from)?;
    let drained = runtime.block_on(async {
        let drained = drain_all(&mut reader, &mut store).await;
        store.close().await.map_err(|error| error.to_string())?;
        drained
    });
    drained.map_err(|error| refused(&error))
}
