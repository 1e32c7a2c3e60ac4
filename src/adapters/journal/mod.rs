//! The journal on disk: the record of truth, and the only thing that a call waits for.
//!
//! [`Journal::append`] encodes an event, gives it its number and adds it to a buffer (`append`); one
//! thread writes what has gathered there and syncs it once for all (`writer`); `shared` is what both
//! see. [`Journal::settled`] waits until an event has come as far as its policy demands (`wait`). No
//! lock is held across I/O. `log` decides what is written where and what is known to be on disk;
//! `files` is the file system; `reader` reads the journal back for ledgers.
//!
//! Nothing here changes or removes an event that is on disk, but that `erase` overwrites the
//! openings of subjects, which lie beside the events.

mod append;
mod command;
mod erase;
mod files;
mod handover;
mod log;
mod prune;
mod reader;
mod relay;
mod shared;
mod wait;
mod walk;
mod writer;

#[cfg(test)]
mod handover_tests;
#[cfg(test)]
mod health_tests;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;

use crate::adapters::{clock, entropy};
use crate::domain::health::{COMMIT_BOUNDS, Histogram};
use crate::domain::journal::{JournalId, Kind, Start, Trail, encode_start, push_frame};
use crate::domain::record::{Gateway, NotRecorded, Ticket};
use crate::types::Micros;

pub use command::{CommandJournal, LastWrite, Presence, last_write};
pub use erase::{EraseError, Erased, Maintenance};
use files::Files;
pub use files::{Directory, DirectoryError, list, segment_path};
pub use handover::{Intake, Predecessor, Released};
use log::{Group, Log};
pub use log::{RecoverError, Recovered};
pub use prune::{Absence, GivingUp, Pruned, absence, leaves_path, mark_path};
pub use reader::{ReadError, Reader};
use relay::Order;
pub use relay::TakeBackError;
use shared::Shared;
use wait::Settled;
pub use walk::{Met, Place, Walk};

/// How the journal works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// Directory of the segments.
    pub directory: PathBuf,
    /// Size of a segment, in bytes.
    pub segment_size: u64,
    /// Most bytes that no ledger has taken yet; beyond them calls are refused by their policy.
    pub max_bytes: u64,
    /// Events that nobody waits for are on disk after this long.
    pub sync_interval: Duration,
    /// By how many steps of niceness the thread that writes goes before others for a core.
    pub writer_priority: u8,
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// An erasure that was cut off could not be finished.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// What is in it cannot be used.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// No identity could be drawn for it.
    #[error(transparent)]
    Entropy(#[from] entropy::NoEntropy),
    /// Its first event could not be written.
    #[error("cannot write to the journal {path}: {source}")]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A journal that another process has handed over does not end where it said.
    #[error(
        "the journal {path} was handed over as ending before event {wanted}, and ends before \
         {found}: something else writes to it"
    )]
    Elsewhere {
        /// The directory.
        path: PathBuf,
        /// The next event, as that process said.
        wanted: u64,
        /// The next event, as the files say.
        found: u64,
    },
    /// The thread that writes could not be started.
    #[error("cannot start the journal's thread: {0}")]
    Thread(std::io::Error),
}

/// How the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalState {
    /// Since when nothing can be written; `None` while all is well.
    pub failing_since: Option<Micros>,
    /// Number of the next event.
    pub next_seq: u64,
    /// Number of the first event that is not known to be on disk.
    pub durable_seq: u64,
    /// Bytes that wait in memory.
    pub waiting_bytes: usize,
    /// Bytes that no ledger has taken yet.
    pub undrained_bytes: u64,
    /// Calls refused for want of a record since the start.
    pub refused: u64,
    /// Calls that went on unrecorded since the start.
    pub shed: u64,
    /// The first event that the ledger has not taken.
    pub drained_seq: u64,
    /// When that event came; `None` if the ledger has taken all.
    pub behind_since: Option<Micros>,
    /// The disk has not answered for longer than calls are made to wait.
    pub stalled: bool,
    /// The thread that writes has ended without being told to.
    pub ended: bool,
}

impl JournalState {
    /// Whether calls can be recorded.
    pub const fn is_healthy(&self) -> bool {
        self.failing_since.is_none()
    }
}

/// An open journal.
pub struct Journal {
    shared: Arc<Shared>,
    id: JournalId,
    latest_before: Option<Micros>,
    writer: Thread,
    orders: mpsc::Sender<Order>,
    /// Says that the writer has ended; taken by the first to wait for it.
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Journal {
    /// Opens the journal: locks its directory, finds its end, cuts what a crash has torn, and
    /// records that a process has begun. `at_least` is the number of the first event that no
    /// ledger knows: numbers before it are not given again, even if segments are missing.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(
        settings: JournalSettings,
        gateway: &Gateway,
        at_least: impl FnOnce(JournalId) -> u64,
    ) -> Result<Self, JournalError> {
        let directory = Directory::open(&settings.directory)?;
        erase::finish(&settings.directory)?;
        Self::open_on(directory, settings, gateway, at_least)
    }

    fn open_on(
        mut files: impl Files,
        settings: JournalSettings,
        gateway: &Gateway,
        at_least: impl FnOnce(JournalId) -> u64,
    ) -> Result<Self, JournalError> {
        let recovered = log::recover(&mut files)?;
        let id = match recovered.journal {
            Some(id) => id,
            None => JournalId::from_bytes(entropy::key_bytes()?),
        };
        if recovered.cut_bytes > 0 {
            tracing::warn!(
                bytes = recovered.cut_bytes,
                next = recovered.next_seq,
                "the last process was cut off while it wrote to the journal; what it had not \
                 finished writing, and nobody had been told was kept, was cut"
            );
        }
        let known = at_least(id);
        if known > recovered.next_seq {
            tracing::error!(
                from = recovered.next_seq,
                to = known - 1,
                "the journal lacks events that the ledger has: a segment was removed or cut. The \
                 ledger keeps their rows, but their evidence is gone; restore the journal from a \
                 copy"
            );
        }
        let next_seq = recovered.next_seq.max(known);
        let mut log = Log::new(files, id, next_seq, settings.segment_size);
        let mut fields = Vec::new();
        let start = Start {
            at: clock::now(),
            node: gateway.node.clone(),
            version: gateway.version.clone().into_owned().into(),
            config_hash: gateway.config_hash.clone(),
            cut_bytes: recovered.cut_bytes,
        };
        encode_start(&mut fields, &start);
        let mut bytes = Vec::new();
        push_frame(&mut bytes, Kind::Start, next_seq, &fields, &[]);
        log.push(Group {
            first_seq: next_seq,
            count: 1,
            bytes,
        });
        // At once, so that a directory that cannot be written is known before the first call.
        log.write(start.at)
            .and_then(|()| log.sync())
            .map_err(|source| JournalError::Write {
                path: settings.directory.clone(),
                source,
            })?;
        let mut trail = Trail::default();
        trail.note(next_seq..next_seq + 1, start.at);
        Self::run(settings, id, log, next_seq + 1, trail, recovered.created_at)
    }

    /// Starts the thread that writes. `next_seq` is the number of the next event; all before it are
    /// on disk.
    fn run(
        settings: JournalSettings,
        id: JournalId,
        log: Log<impl Files>,
        next_seq: u64,
        trail: Trail,
        latest_before: Option<Micros>,
    ) -> Result<Self, JournalError> {
        let shared = Arc::new(Shared::new(settings, next_seq, trail));
        let (end, ended) = mpsc::channel();
        let (orders, received) = mpsc::channel();
        let writer = writer::Writer::new(Arc::clone(&shared), log, received);
        let thread = thread::Builder::new()
            .name("egret-journal".to_owned())
            .spawn(move || {
                // Dropped last, also when the writer panics.
                let _end: mpsc::Sender<()> = end;
                writer.run();
            })
            .map_err(JournalError::Thread)?;
        Ok(Self {
            shared,
            id,
            latest_before,
            writer: thread.thread().clone(),
            orders,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Its identity.
    pub fn id(&self) -> JournalId {
        self.id
    }

    /// Where its segments are.
    pub fn directory(&self) -> &Path {
        &self.shared.settings.directory
    }

    /// The latest time that the journal held when it was opened, as far as the files tell; `None`
    /// for a new one.
    pub fn latest_before(&self) -> Option<Micros> {
        self.latest_before
    }

    /// The most bytes that may be on disk that no ledger has taken.
    pub fn max_bytes(&self) -> u64 {
        self.shared.settings.max_bytes
    }

    /// How long its commits took, in seconds.
    pub fn commits(&self) -> Histogram {
        self.shared.commits.read(COMMIT_BOUNDS)
    }

    /// How it is.
    pub fn state(&self) -> JournalState {
        let shared = &self.shared;
        let (next_seq, queued) = {
            let queue = shared.queue.lock();
            (queue.next_seq, queue.bytes.len())
        };
        let kept = usize::try_from(shared.kept.load(Ordering::Acquire)).unwrap_or(usize::MAX);
        let drained_seq = shared.drained.load(Ordering::Acquire);
        let behind_since = shared.trail.lock().taken_at(drained_seq);
        JournalState {
            failing_since: match shared.failing_since.load(Ordering::Acquire) {
                0 => None,
                at => Some(Micros(i64::try_from(at).unwrap_or(i64::MAX))),
            },
            next_seq,
            durable_seq: shared.marks.durable(),
            waiting_bytes: queued.saturating_add(kept),
            undrained_bytes: shared.undrained.load(Ordering::Acquire),
            refused: shared.refused.load(Ordering::Relaxed),
            shed: shared.shed.load(Ordering::Relaxed),
            drained_seq,
            behind_since,
            stalled: shared.is_stalled(),
            ended: shared.closed.load(Ordering::Acquire) && !shared.stop.load(Ordering::Acquire),
        }
    }

    /// Waits until an event has come as far as its ticket says.
    ///
    /// # Errors
    /// [`NotRecorded`] as soon as it is known that it will not for now.
    pub fn settled(&self, ticket: Ticket) -> impl Future<Output = Result<(), NotRecorded>> + '_ {
        Settled::new(&self.shared.marks, &self.shared.lanes, ticket)
    }

    /// A reader of what is on disk.
    pub fn reader(&self) -> Reader {
        Reader::following(self.id, Arc::clone(&self.shared))
    }

    /// Takes no more calls and brings everything to the disk, for at most `deadline`. Stop the
    /// proxy first: its open calls hand over their records as they end.
    ///
    /// # Errors
    /// How many events did not make it.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), u64> {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.stop.store(true, Ordering::SeqCst);
        self.writer.unpark();
        if let Some(ended) = self.ended.lock().take() {
            // Either way it says something: the writer has ended (its sender is gone), or the
            // time is up while the disk does not answer.
            let _ = ended.recv_timeout(deadline);
        }
        let state = self.state();
        match state.next_seq - state.durable_seq {
            0 => Ok(()),
            missing => Err(missing),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.stop.store(true, Ordering::SeqCst);
        self.writer.unpark();
    }
}
