//! Putting on record what Egret's own commands do: in a journal beside the gateway's, sealed before
//! anything is shown, and from there into the ledger.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::VERSION;
use crate::adapters::evidence::commands::{CommandSeal, NotSealed};
use crate::adapters::evidence::deliver::{Origin, catch_up};
use crate::adapters::journal::{CommandJournal, DirectoryError, JournalError, Presence};
use crate::adapters::ledger::{LedgerPlace, Reader, ReadingsStore, RecordStore, Store, drain_all};
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

/// What is on record and not yet all that it should be. A running gateway sees to it within seconds,
/// else its next start or the next command does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Why the ledger does not have it.
    pub ledger: Option<String>,
    /// Why no checkpoint vouches for it.
    pub seal: Option<String>,
}

impl Pending {
    /// For the person at the terminal.
    pub fn notices(&self, journal: &Path) -> impl Iterator<Item = String> {
        let journal = journal.display();
        let ledger = self
            .ledger
            .as_ref()
            .map(|why| format!("on record in {journal}, and not yet in the ledger: {why}"));
        let seal = self.seal.as_ref().map(|why| {
            format!(
                "on record in {journal}, and not yet sealed, so that nobody could prove it: {why}"
            )
        });
        ledger.into_iter().chain(seal)
    }
}

/// Puts commands on record.
pub struct OwnCalls {
    journal: PathBuf,
    ledger: LedgerPlace,
    gateway: Arc<Gateway>,
    user: String,
    login: Option<String>,
    /// Signs for what is on record; `None` if the configuration does not want it.
    seal: Option<CommandSeal>,
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
        let seal = config.evidence.enabled.then(|| CommandSeal {
            node: config.journal.directory.clone(),
            default_origin: config.evidence.origin(&config.node),
            key_file: config.evidence.key_file.clone(),
        });
        Self {
            seal,
            ..Self::at(&journal_of(config), &config.ledger.place, gateway)
        }
    }

    /// With everything given; nothing is sealed.
    pub fn at(journal: &Path, ledger: &LedgerPlace, gateway: Gateway) -> Self {
        let user = machine::user_name();
        Self {
            journal: journal.to_owned(),
            ledger: ledger.clone(),
            gateway: Arc::new(gateway),
            login: machine::login_name().filter(|login| *login != user),
            user,
            seal: None,
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
        // What fails here fails at the end, too, and is said then.
        let _ = self.seal(&mut journal);
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
    ) -> Result<Pending, E> {
        let open = self.begin(call).await?;
        let mut tally = Tally::default();
        let done = work(&mut tally).await;
        let outcome = done.as_ref().map_or_else(E::outcome, |()| Outcome::Success);
        let pending = open.finish(outcome, tally).await;
        done?;
        Ok(pending?)
    }

    /// Signs for what is in the journal of commands.
    fn seal(&self, journal: &mut CommandJournal) -> Result<(), NotSealed> {
        self.seal.as_ref().map_or(Ok(()), |seal| seal.seal(journal))
    }

    /// Does what makes the node's next key, and has the log of commands go on with that key: the
    /// key in force is read before, since a running gateway puts it away at once.
    ///
    /// # Errors
    /// [`OwnCallError`], or what `make_key` says; in the result, why the log of commands does not
    /// go on with the next key.
    pub fn rotate_key<T, E: From<OwnCallError>>(
        &self,
        make_key: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, Option<String>), E> {
        let Some(seal) = self.seal.as_ref().filter(|_| self.journal.is_dir()) else {
            return Ok((make_key()?, None));
        };
        let mut journal = self.open(&[], PATIENCE)?;
        let (made, sealed) = seal.seal_around(&mut journal, make_key)?;
        Ok((made, sealed.err().map(|why| why.to_string())))
    }

    /// Sees to what commands have left to be done, unless one has the journal at this moment: what
    /// the ledger lacks, what is not sealed, and commands that have gone. Gives whether it did.
    ///
    /// # Errors
    /// Why not all of it is done.
    pub async fn keep(&self) -> Result<bool, Pending> {
        if !self.journal.is_dir() {
            return Ok(true);
        }
        let known = self.known_events().await;
        let opened = self.open(&known, Duration::ZERO);
        let mut journal = match opened {
            Ok(journal) => journal,
            Err(OwnCallError::Busy(_)) => return Ok(false),
            Err(error) => {
                return Err(Pending {
                    ledger: Some(error.to_string()),
                    seal: None,
                });
            }
        };
        let pending = self.settle(&mut journal).await;
        if pending == Pending::default() {
            return Ok(true);
        }
        Err(pending)
    }

    /// Seals what is in the journal and feeds the ledger with it.
    async fn settle(&self, journal: &mut CommandJournal) -> Pending {
        let sealed = self.seal(journal);
        let drained = self.drain_into_ledger(journal).await;
        Pending {
            ledger: drained.err(),
            seal: sealed.err().map(|why| why.to_string()),
        }
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

    async fn drain_into_ledger(&self, journal: &mut CommandJournal) -> Result<(), String> {
        // A reader sees what a writer would change: making a ledger, or bringing one up to date, is
        // the gateway's.
        let reader = Reader::open(&self.ledger).await;
        drop(reader.map_err(|error| error.to_string())?);
        if let LedgerPlace::Postgres(place) = &self.ledger {
            let readings = ReadingsStore::open(place).await;
            if let Some(mut store) = readings.map_err(|error| error.to_string())? {
                // Checkpoints stay beside the journal: an auditor's machine signs for no node.
                return drain(journal, &mut store).await.map(|_| ());
            }
        }
        let store = Store::open(&self.ledger).await;
        let mut store = store.map_err(|error| error.to_string())?;
        let mut drained = drain(journal, &mut store).await.map(|_| ());
        if drained.is_ok() && self.seal.is_some() {
            let origin = Origin {
                directory: self.journal.clone(),
                journal: journal.id(),
            };
            (store, drained) = catch_up(origin, store).await;
        }
        let closed = store.close().await;
        drained?;
        closed.map_err(|error| error.to_string())
    }
}

impl OpenOwnCall<'_> {
    /// Identity of the call.
    pub fn call_id(&self) -> CallId {
        self.record.call_id
    }

    /// Puts on record how the command ended, seals that, and feeds the ledger.
    ///
    /// # Errors
    /// [`OwnCallError`]: on record is that it was done, not how it ended.
    pub async fn finish(mut self, outcome: Outcome, tally: Tally) -> Result<Pending, OwnCallError> {
        own::complete(&mut self.record, outcome, tally.rows, clock::now());
        let mut journal = self.calls.open(&[], PATIENCE)?;
        // Somebody who has removed the journal meanwhile has removed the first step with it.
        let is_known = journal.id() == self.journal;
        let known = is_known.then_some(self.record.subjects.len());
        journal.append(Step::Completion, known, &self.record)?;
        self.presence.leave();
        Ok(self.calls.settle(&mut journal).await)
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
