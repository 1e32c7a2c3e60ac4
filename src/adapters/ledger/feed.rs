//! Feeds the ledger from the journal: the only way into it.
//!
//! A thread of its own reads what is on disk in the journal, puts calls together and writes each
//! batch in one transaction with the cursor that stands for it. A call never waits for this: while
//! the ledger is slow or away, the journal grows. A batch that fails is kept. Before it is tried again
//! the ledger is asked where it stands: the batch may have been committed after all, and the ledger
//! that is there again may not be the one that went (a copy, an older state, a new file). Then the
//! journal is read again from where that ledger stands.
#![allow(
    clippy::vec_box,
    reason = "records are handed over in boxes: moving 750 bytes from list to list costs more"
)]

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::adapters::priority;
use crate::domain::journal::{Batch, Cursor, JournalId, Source};
use crate::domain::record::CallRecord;

/// The most rows per transaction: a commit every few thousand rows costs nothing more per row, and
/// a failed one is not too much to repeat.
const BATCH: usize = 8_192;

/// How long events gather before they are drained together. The more calls share a transaction, the
/// less each costs: the pages of the indexes are written once for all of them.
const GATHER: Duration = Duration::from_millis(250);

/// The first pause after a failure, doubled each time up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// A ledger that can be fed.
pub trait RecordStore: Send + 'static {
    /// Why it cannot be written.
    type Error: std::fmt::Display;

    /// Writes records that no journal holds, durably: all or, as far as can be known, none. Calls
    /// that are there already are left as they are. Gives how many were new.
    fn write(
        &mut self,
        records: &[Box<CallRecord>],
    ) -> impl Future<Output = Result<usize, Self::Error>>;

    /// Writes a batch of a journal and its cursor in one durable transaction. Gives how many calls
    /// were new.
    fn drain(&mut self, batch: &Batch) -> impl Future<Output = Result<usize, Self::Error>>;

    /// How far the ledger has come with every journal that it knows.
    fn cursors(&mut self) -> impl Future<Output = Result<Vec<Cursor>, Self::Error>>;
}

/// A cursor as the table `journals` keeps it: journal, `resume_at`, `done_to`. `None` for a row that
/// no gateway can have written.
pub(super) fn cursor((journal, resume_at, done_to): (Vec<u8>, i64, i64)) -> Option<Cursor> {
    Some(Cursor {
        journal: JournalId::from_bytes(journal.try_into().ok()?),
        resume_at: resume_at.try_into().ok()?,
        done_to: done_to.try_into().ok()?,
    })
}

/// What the feed has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedStats {
    /// The first event of the journal that the ledger does not know.
    pub next_seq: u64,
    /// Rows written.
    pub written: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// The last attempt failed.
    pub failing: bool,
}

/// The feed stopped before the ledger had everything. Nothing is lost: the journal has it, and the
/// next start goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger lacks what the journal has from event {0} on; the next start brings it in")]
pub struct Undrained(pub u64);

struct Shared {
    next_seq: AtomicU64,
    written: AtomicU64,
    failures: AtomicU64,
    failing: AtomicBool,
    /// Everything that can be read was drained; said when the feed stops.
    complete: AtomicBool,
    stop: AtomicBool,
    wake: tokio::sync::Notify,
    deadline: Mutex<Option<Instant>>,
}

/// The running feed.
pub struct LedgerFeed {
    shared: Arc<Shared>,
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

impl LedgerFeed {
    /// Starts the thread. `source` must be where the ledger stands ([`Source::seek`]).
    ///
    /// # Errors
    /// The operating system could not start a thread or a runtime in it.
    pub fn start(source: impl Source, store: impl RecordStore) -> io::Result<Self> {
        Self::start_at(Standing::Unasked, source, store)
    }

    /// Starts the thread although nobody knows yet where the ledger stands: `source` goes there
    /// once the ledger can be asked. `first_new` is the first event that this process may have
    /// written: a ledger that knows more than is before it has seen events that are lost.
    ///
    /// # Errors
    /// As [`LedgerFeed::start`].
    pub fn start_away(
        source: impl Source,
        store: impl RecordStore,
        first_new: u64,
    ) -> io::Result<Self> {
        Self::start_at(Standing::Unknown { first_new }, source, store)
    }

    fn start_at(
        standing: Standing,
        source: impl Source,
        store: impl RecordStore,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            next_seq: AtomicU64::new(0),
            written: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            wake: tokio::sync::Notify::new(),
            deadline: Mutex::new(None),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (end, ended) = mpsc::channel();
        let feeder = Feeder {
            shared: Arc::clone(&shared),
            source,
            store,
            pending: None,
            standing,
        };
        thread::Builder::new()
            .name("egret-ledger".to_owned())
            .spawn(move || {
                // Dropped last, also when the feeder panics.
                let _end: mpsc::Sender<()> = end;
                priority::go_behind();
                runtime.block_on(feeder.run());
            })?;
        Ok(Self {
            shared,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// What has been done so far.
    pub fn stats(&self) -> FeedStats {
        let shared = &self.shared;
        FeedStats {
            next_seq: shared.next_seq.load(Ordering::Acquire),
            written: shared.written.load(Ordering::Acquire),
            failures: shared.failures.load(Ordering::Acquire),
            failing: shared.failing.load(Ordering::Acquire),
        }
    }

    /// Drains what is on disk in the journal, for at most `deadline`. Stop the journal first.
    ///
    /// # Errors
    /// [`Undrained`].
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Undrained> {
        *self.shared.deadline.lock() = Some(Instant::now() + deadline);
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
        if let Some(ended) = self.ended.lock().take() {
            let _ = ended.recv_timeout(deadline);
        }
        if self.shared.complete.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(Undrained(self.stats().next_seq))
        }
    }
}

impl Drop for LedgerFeed {
    fn drop(&mut self) {
        self.shared.deadline.lock().get_or_insert_with(Instant::now);
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
    }
}

struct Feeder<S, R> {
    shared: Arc<Shared>,
    source: S,
    store: R,
    /// Read and not yet known to be written.
    pending: Option<Batch>,
    standing: Standing,
}

/// What is known of where the ledger stands.
enum Standing {
    /// It has not been asked; the source is where it stood when the feed was made.
    Unasked,
    /// It has not been asked, nor has anybody else: the source is nowhere. The events from this
    /// number on are of this process.
    Unknown { first_new: u64 },
    /// There, as it said itself.
    Sure(Option<Cursor>),
    /// It was there before something failed.
    Doubtful(Option<Cursor>),
}

/// What a look at the journal brought.
enum Turn {
    /// As much as one batch may hold: there is probably more.
    Full,
    Some,
    Nothing,
}

impl<S: Source, R: RecordStore> Feeder<S, R> {
    async fn run(mut self) {
        let mut retry = None;
        loop {
            let stopping = self.shared.stop.load(Ordering::SeqCst);
            let deadline = *self.shared.deadline.lock();
            let mut pause = GATHER;
            match self.turn().await {
                Ok(Turn::Full) => {
                    self.recovered();
                    retry = None;
                    pause = Duration::ZERO;
                }
                Ok(Turn::Some) => {
                    self.recovered();
                    retry = None;
                }
                Ok(Turn::Nothing) => {
                    self.recovered();
                    retry = None;
                    if stopping {
                        self.shared.complete.store(true, Ordering::Release);
                        return;
                    }
                }
                Err(error) => {
                    self.failed(&error);
                    retry = Some(
                        retry.map_or(FIRST_RETRY, |last: Duration| (last * 2).min(LAST_RETRY)),
                    );
                    pause = retry.unwrap_or(FIRST_RETRY);
                }
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return;
            }
            if stopping {
                pause = if retry.is_some() {
                    FIRST_RETRY
                } else {
                    Duration::ZERO
                };
            }
            if !pause.is_zero() {
                let _ = tokio::time::timeout(pause, self.shared.wake.notified()).await;
            }
        }
    }

    /// Drains one batch.
    async fn turn(&mut self) -> Result<Turn, String> {
        self.ask_ledger().await?;
        let batch = match self.pending.take() {
            Some(batch) => batch,
            None => match self.source.next(BATCH).map_err(|error| error.to_string())? {
                Some(batch) => batch,
                None => return Ok(Turn::Nothing),
            },
        };
        // Steps of calls that go on are read again after a restart; no need to write that down.
        if !(batch.calls.is_empty() && batch.gaps.is_empty()) {
            match self.store.drain(&batch).await {
                Ok(new) => {
                    self.shared.written.fetch_add(new as u64, Ordering::AcqRel);
                    self.standing = Standing::Sure(Some(batch.cursor));
                }
                Err(error) => {
                    self.pending = Some(batch);
                    if let Standing::Sure(cursor) = self.standing {
                        self.standing = Standing::Doubtful(cursor);
                    }
                    return Err(error.to_string());
                }
            }
        }
        self.settle(&batch);
        Ok(if batch.calls.len() >= BATCH {
            Turn::Full
        } else {
            Turn::Some
        })
    }

    /// Asks the ledger where it stands, if that is in doubt, and goes there.
    async fn ask_ledger(&mut self) -> Result<(), String> {
        let before = match self.standing {
            Standing::Sure(_) => return Ok(()),
            Standing::Unasked | Standing::Unknown { .. } => None,
            Standing::Doubtful(cursor) => Some(cursor),
        };
        let journal = self.source.journal();
        let cursors = self
            .store
            .cursors()
            .await
            .map_err(|error| error.to_string())?;
        let found = cursors.into_iter().find(|cursor| cursor.journal == journal);
        if let Standing::Unknown { first_new } = self.standing {
            // Their numbers were given again, since nobody knew. A start that can ask goes beyond
            // them.
            if let Some(found) = found.filter(|found| found.done_to > first_new) {
                return Err(format!(
                    "the ledger has events up to {} of this journal, which had lost those from \
                     {first_new} on: restart the gateway while the ledger answers, then `egret \
                     audit rebuild` into an empty database",
                    found.done_to
                ));
            }
            self.source.seek(found).map_err(|error| error.to_string())?;
        }
        if let Some(before) = before.filter(|before| *before != found) {
            match self.pending.take() {
                // It was committed, and only the word of it was lost.
                Some(batch) if found == Some(batch.cursor) => self.settle(&batch),
                _ => {
                    tracing::warn!(
                        target: "egret::ledger",
                        from = found.map_or(0, |cursor| cursor.done_to),
                        before = before.map_or(0, |cursor| cursor.done_to),
                        "the ledger stands elsewhere than before: it was replaced or restored; what \
                         it lacks is brought in from the journal"
                    );
                    self.source.seek(found).map_err(|error| error.to_string())?;
                }
            }
        }
        self.standing = Standing::Sure(found);
        Ok(())
    }

    /// A batch is in the ledger, or there was nothing in it to write.
    fn settle(&mut self, batch: &Batch) {
        self.source.drained(batch);
        self.shared
            .next_seq
            .store(batch.cursor.done_to, Ordering::Release);
    }

    fn recovered(&self) {
        if self.shared.failing.swap(false, Ordering::AcqRel) {
            tracing::info!(target: "egret::ledger", "the ledger is being fed again");
        }
    }

    fn failed(&self, error: &str) {
        self.shared.failures.fetch_add(1, Ordering::AcqRel);
        if !self.shared.failing.swap(true, Ordering::AcqRel) {
            tracing::error!(
                target: "egret::ledger",
                %error,
                "the ledger cannot be fed; calls go on, the journal keeps their records, and the \
                 ledger is tried again"
            );
        }
    }
}

/// Drains everything that a source has; for rebuilding. Gives how many rows were written.
///
/// # Errors
/// What the source or the store says.
pub async fn drain_all(
    source: &mut impl Source,
    store: &mut impl RecordStore,
) -> Result<u64, String> {
    let mut written = 0;
    while let Some(batch) = source.next(BATCH).map_err(|error| error.to_string())? {
        let new = store
            .drain(&batch)
            .await
            .map_err(|error| error.to_string())?;
        written += new as u64;
        source.drained(&batch);
    }
    Ok(written)
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
