//! Putting on record what Egret's own commands do: in a journal beside the gateway's, before
//! anything is shown, and from there into the ledger.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::VERSION;
use crate::adapters::journal::{CommandJournal, DirectoryError, JournalError, Presence};
use crate::adapters::ledger::{LedgerPlace, Reader, RecordStore, Store, drain_all};
use crate::adapters::{clock, entropy, machine};
use crate::domain::config::Config;
use crate::domain::journal::{Cursor, JournalId, Source};
use crate::domain::own::{self, OwnCall};
use crate::domain::record::{CallRecord, Gateway, Step};
use crate::types::{CallId, Outcome};

/// How long a command waits for others. Each holds the journal for some milliseconds, and for two
/// seconds at most while the ledger does not take what is in it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long the gateway waits with its start: what commands have left in their journal can wait.
pub const GATEWAY_PATIENCE: Duration = Duration::from_millis(500);

/// The command cannot be put on record, so it does nothing.
#[derive(Debug, thiserror::Error)]
pub enum OwnCallError {
    /// The journal cannot be written.
    #[error(
        "this cannot be put on record, and what is not on record is not done: {0}; commands need \
         the rights of the user who runs the gateway"
    )]
    Journal(#[from] JournalError),
    /// Others hold the journal.
    #[error(
        "this cannot be put on record, and what is not on record is not done: other commands have \
         held {0} for too long; try again"
    )]
    Busy(PathBuf),
    /// No identity could be drawn for it.
    #[error(transparent)]
    Entropy(#[from] entropy::NoEntropy),
}

/// How a command's errors look to its record.
pub trait CommandError: From<OwnCallError> {
    /// How a command ended that ended with this error.
    fn outcome(&self) -> Outcome;
}

/// What a command that is on record counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that were shown; `None` where that says nothing.
    pub rows: Option<u64>,
}

impl Tally {
    /// Counts rows that are shown.
    pub fn add(&mut self, rows: usize) {
        *self.rows.get_or_insert(0) += rows as u64;
    }
}

/// Whether the ledger has what is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// It has.
    Yes,
    /// The journal keeps it until the next command or the next start of the gateway; why.
    Later(String),
}

/// Puts commands on record.
pub struct OwnCalls {
    journal: PathBuf,
    ledger: LedgerPlace,
    gateway: Arc<Gateway>,
    user: String,
    login: Option<String>,
}

/// A command that is on record and has not ended.
pub struct OpenOwnCall<'a> {
    calls: &'a OwnCalls,
    record: CallRecord,
    journal: JournalId,
    presence: Presence,
}

/// The journal of commands lies beside that of the gateway.
pub fn journal_of(config: &Config) -> PathBuf {
    let mut name = OsString::from(&config.journal.directory);
    name.push("-cli");
    name.into()
}

impl OwnCalls {
    /// For the commands of a configuration, run by the user of this process.
    pub fn new(config: &Config) -> Self {
        let gateway = Gateway {
            node: format!("{}{}", config.node, own::NODE_SUFFIX).into(),
            version: VERSION.into(),
            config_hash: config.config_hash.clone(),
        };
        Self::at(&journal_of(config), &config.ledger.place, gateway)
    }

    /// With everything given.
    pub fn at(journal: &Path, ledger: &LedgerPlace, gateway: Gateway) -> Self {
        let user = machine::user_name();
        Self {
            journal: journal.to_owned(),
            ledger: ledger.clone(),
            gateway: Arc::new(gateway),
            login: machine::login_name().filter(|login| *login != user),
            user,
        }
    }

    /// Where the journal of commands is.
    pub fn journal(&self) -> &Path {
        &self.journal
    }

    /// Puts on record that a command is about to do something. It may do so when this returns.
    ///
    /// # Errors
    /// [`OwnCallError`]; then it must not.
    pub async fn begin(&self, call: OwnCall) -> Result<OpenOwnCall<'_>, OwnCallError> {
        let now = clock::now();
        let call_id = CallId::from_parts(now.as_millis(), entropy::id_bytes()?);
        let call = match &self.login {
            Some(login) => call.fact(own::LOGIN, login),
            None => call,
        };
        let record = call.open(call_id, now, Arc::clone(&self.gateway), &self.user);
        let known = self.known_events().await;
        let mut journal = self.open(&known, PATIENCE)?;
        let presence = journal.enter(call_id)?;
        journal.append(Step::Intent, None, &record)?;
        Ok(OpenOwnCall {
            calls: self,
            record,
            journal: journal.id(),
            presence,
        })
    }

    /// Does what a command does, between putting on record that it will and how it went.
    ///
    /// # Errors
    /// What `work` says; or that it was not done because it cannot be put on record.
    pub async fn record<E: CommandError>(
        &self,
        call: OwnCall,
        work: impl AsyncFnOnce(&mut Tally) -> Result<(), E>,
    ) -> Result<Drained, E> {
        let open = self.begin(call).await?;
        let mut tally = Tally::default();
        let done = work(&mut tally).await;
        let outcome = done.as_ref().map_or_else(E::outcome, |()| Outcome::Success);
        let drained = open.finish(outcome, tally).await;
        done?;
        Ok(drained?)
    }

    /// How far the ledger has come, as far as it can be asked.
    async fn known_events(&self) -> Vec<Cursor> {
        match Reader::open(&self.ledger).await {
            Ok(mut reader) => reader.cursors().await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    fn open(&self, known: &[Cursor], patience: Duration) -> Result<CommandJournal, OwnCallError> {
        let at_least = |id| {
            let cursor = known.iter().find(|cursor| cursor.journal == id);
            cursor.map_or(0, |cursor| cursor.done_to)
        };
        CommandJournal::open(&self.journal, &self.gateway, at_least, patience).map_err(|error| {
            match error {
                JournalError::Directory(DirectoryError::Locked { path }) => {
                    OwnCallError::Busy(path)
                }
                error => OwnCallError::Journal(error),
            }
        })
    }

    /// Brings what is in the journal of commands into a ledger. Gives how many rows were new.
    ///
    /// # Errors
    /// Why not.
    pub async fn drain_into(
        &self,
        store: &mut impl RecordStore,
        patience: Duration,
    ) -> Result<u64, String> {
        if !self.journal.is_dir() {
            return Ok(0);
        }
        let known = store.cursors().await.map_err(|error| error.to_string())?;
        let opened = self.open(&known, patience);
        let mut journal = opened.map_err(|error| error.to_string())?;
        drain(&mut journal, store).await
    }

    async fn drain_into_ledger(&self, journal: &mut CommandJournal) -> Result<u64, String> {
        // A reader sees what a writer would change: making a ledger, or bringing one up to date, is
        // the gateway's.
        let reader = Reader::open(&self.ledger).await;
        drop(reader.map_err(|error| error.to_string())?);
        let store = Store::open(&self.ledger).await;
        let mut store = store.map_err(|error| error.to_string())?;
        let drained = drain(journal, &mut store).await;
        let closed = store.close().await;
        let drained = drained?;
        closed.map_err(|error| error.to_string())?;
        Ok(drained)
    }
}

impl OpenOwnCall<'_> {
    /// Identity of the call.
    pub fn call_id(&self) -> CallId {
        self.record.call_id
    }

    /// Puts on record how the command ended, and feeds the ledger.
    ///
    /// # Errors
    /// [`OwnCallError`]: on record is that it was done, not how it ended.
    pub async fn finish(mut self, outcome: Outcome, tally: Tally) -> Result<Drained, OwnCallError> {
        own::complete(&mut self.record, outcome, tally.rows, clock::now());
        let mut journal = self.calls.open(&[], PATIENCE)?;
        // Somebody who has removed the journal meanwhile has removed the first step with it.
        let is_known = journal.id() == self.journal;
        let known = is_known.then_some(self.record.subjects.len());
        journal.append(Step::Completion, known, &self.record)?;
        self.presence.leave();
        Ok(match self.calls.drain_into_ledger(&mut journal).await {
            Ok(_) => Drained::Yes,
            Err(why) => Drained::Later(why),
        })
    }
}

/// Brings everything in the journal of commands into a ledger, and ends the calls of commands that
/// are gone.
async fn drain(journal: &mut CommandJournal, store: &mut impl RecordStore) -> Result<u64, String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let cursors = store.cursors().await.map_err(|error| failed(&error))?;
    let id = journal.id();
    let mut reader = journal.reader().map_err(|error| failed(&error))?;
    let cursor = cursors.into_iter().find(|cursor| cursor.journal == id);
    reader.seek(cursor).map_err(|error| failed(&error))?;
    let mut drained = drain_all(&mut reader, store).await?;
    let gone: Vec<CallRecord> = reader
        .open_records()
        .filter(|record| journal.has_gone(record.call_id))
        .cloned()
        .collect();
    for mut record in gone {
        own::give_up(&mut record);
        let ended = journal.append(Step::Completion, Some(record.subjects.len()), &record);
        ended.map_err(|error| failed(&error))?;
    }
    journal.tidy();
    drained += drain_all(&mut reader, store).await?;
    Ok(drained)
}
