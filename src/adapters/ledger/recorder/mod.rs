//! Takes records from the proxy and brings each into the ledger exactly once.
//!
//! [`LedgerRecorder::submit`] puts the record into one of a few shared lists and wakes nobody; a
//! thread of its own looks at the lists ten times a second and writes what it finds in one
//! transaction. So a call pays for one uncontended lock, and a commit is shared by all the calls
//! of a tick.
//!
//! What "written" means: the transaction that holds the record has been committed and is on disk.
//! Until then the record is in memory and counts against the capacity. A batch that fails is kept
//! and tried again until it succeeds or the process ends; the store ignores rows it already has,
//! so a commit that took place but reported failure does no harm.
#![allow(
    clippy::vec_box,
    reason = "records are handed over in boxes: moving 750 bytes from list to list costs more"
)]

mod writer;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::record::{CallRecord, Recorder, RecorderFull};

/// Where records are written to.
pub trait RecordStore: Send + 'static {
    /// Why a batch could not be written.
    type Error: std::fmt::Display;

    /// Writes all of a batch durably or, as far as can be known, none of it. Records that are
    /// there already are left as they are. Returns how many were new.
    fn write(
        &mut self,
        records: &[Box<CallRecord>],
    ) -> impl Future<Output = Result<usize, Self::Error>>;
}

/// How the recorder works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderSettings {
    /// The most records that may be open or waiting to be written. At about 1.5 KiB a record, the
    /// default holds at most 100 MiB, and some seconds of traffic while the disk does not answer.
    pub capacity: usize,
    /// How long calls are gathered before they are written together. The more calls share a
    /// transaction, the less each costs: the pages of the indexes are written once for all of them.
    /// A crash of the process loses what was handed over since the last look, so this, or
    /// [`RecorderSettings::idle`] after a quiet time if that is longer, is what can be lost.
    pub gather: Duration,
    /// The longest pause between two looks when nothing happens.
    pub idle: Duration,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self {
            capacity: 65_536,
            gather: Duration::from_millis(100),
            idle: Duration::from_millis(100),
        }
    }
}

/// What the recorder has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderStats {
    /// Records that hold a place: still open or waiting to be written.
    pub unwritten: usize,
    /// Of those, the finished ones that wait to be written.
    pub queued: usize,
    /// Records that are in the ledger.
    pub written: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Records that were found to be in the ledger already, as after a doubtful commit.
    pub already_there: u64,
    /// The last attempt failed.
    pub failing: bool,
}

/// The recorder stopped and could not write everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{queued} finished audit records could not be written before the deadline, and {open} calls \
     were still open"
)]
pub struct Unwritten {
    /// Finished records that are not in the ledger.
    pub queued: usize,
    /// Records that were reserved and never handed over.
    pub open: usize,
}

/// More lists than threads that serve calls, so that two of them rarely share one.
const SHARDS: usize = 16;

/// On cache lines of its own (two, since processors fetch them in pairs): neighbours belong to
/// threads on other cores.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<Vec<Box<CallRecord>>>);

/// What the callers and the writer share.
struct Shared {
    shards: [Shard; SHARDS],
    capacity: usize,
    /// Places taken.
    unwritten: AtomicUsize,
    /// Finished records that the writer has taken out of the lists and not yet written.
    in_hand: AtomicUsize,
    written: AtomicU64,
    failures: AtomicU64,
    already_there: AtomicU64,
    failing: AtomicBool,
    /// No more places are given: the recorder was shut down or its thread is gone.
    closed: AtomicBool,
    /// Wakes the writer out of a pause; used for stopping only.
    wake: tokio::sync::Notify,
    /// When the writer must be done, once it is to stop.
    deadline: Mutex<Option<Instant>>,
}

impl Shared {
    fn queued(&self) -> usize {
        let waiting: usize = self.shards.iter().map(|shard| shard.0.lock().len()).sum();
        waiting + self.in_hand.load(Ordering::Acquire)
    }

    /// Moves everything that was handed over to the end of `into`.
    fn drain(&self, into: &mut Vec<Box<CallRecord>>) {
        for shard in &self.shards {
            let mut records = shard.0.lock();
            self.in_hand.fetch_add(records.len(), Ordering::AcqRel);
            // Leaves the list its memory.
            into.append(&mut records);
        }
    }
}

/// The recorder of `egret serve`.
pub struct LedgerRecorder {
    shared: Arc<Shared>,
    /// Says that the writer has ended; taken by the first to wait for it.
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

impl LedgerRecorder {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// The operating system could not start a thread or a runtime in it.
    pub fn start(store: impl RecordStore, settings: RecorderSettings) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            shards: Default::default(),
            capacity: settings.capacity,
            unwritten: AtomicUsize::new(0),
            in_hand: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            already_there: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            wake: tokio::sync::Notify::new(),
            deadline: Mutex::new(None),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (end, ended) = mpsc::channel();
        let writer = writer::Writer::new(Arc::clone(&shared), store, settings);
        thread::Builder::new()
            .name("egret-ledger".to_owned())
            .spawn(move || {
                // Dropped last, also when the writer panics.
                let _end: mpsc::Sender<()> = end;
                runtime.block_on(writer.run());
            })?;
        Ok(Self {
            shared,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Takes no more calls, waits for the open ones and writes everything, for at most `deadline`.
    /// Stop the proxy first: its open calls hand over their records as they end.
    ///
    /// # Errors
    /// [`Unwritten`]: what did not make it. The writer gives up then.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Unwritten> {
        let until = Instant::now() + deadline;
        self.shared.closed.store(true, Ordering::SeqCst);
        *self.shared.deadline.lock() = Some(until);
        self.shared.wake.notify_one();
        if let Some(ended) = self.ended.lock().take() {
            // Either way it says something: the writer has ended (its sender is gone), or the
            // time is up while the store does not answer.
            let _ = ended.recv_timeout(deadline);
        }
        let queued = self.shared.queued();
        let open = self
            .shared
            .unwritten
            .load(Ordering::Acquire)
            .saturating_sub(queued);
        if queued == 0 && open == 0 {
            Ok(())
        } else {
            Err(Unwritten { queued, open })
        }
    }

    /// What has been done so far.
    pub fn stats(&self) -> RecorderStats {
        let shared = &self.shared;
        RecorderStats {
            unwritten: shared.unwritten.load(Ordering::Acquire),
            queued: shared.queued(),
            written: shared.written.load(Ordering::Acquire),
            failures: shared.failures.load(Ordering::Acquire),
            already_there: shared.already_there.load(Ordering::Acquire),
            failing: shared.failing.load(Ordering::Acquire),
        }
    }
}

impl Drop for LedgerRecorder {
    /// Without a shutdown the writer still tries for a moment to write what it has, and ends.
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared
            .deadline
            .lock()
            .get_or_insert_with(|| Instant::now() + Duration::from_secs(1));
        self.shared.wake.notify_one();
    }
}

impl Recorder for LedgerRecorder {
    fn reserve(&self) -> Result<(), RecorderFull> {
        let shared = &self.shared;
        // In this order, and sequentially consistent: either this sees that the recorder closes,
        // or the writer sees the place taken and waits for its record.
        let before = shared.unwritten.fetch_add(1, Ordering::SeqCst);
        if before >= shared.capacity || shared.closed.load(Ordering::SeqCst) {
            shared.unwritten.fetch_sub(1, Ordering::SeqCst);
            return Err(RecorderFull);
        }
        Ok(())
    }

    fn submit(&self, record: Box<CallRecord>) {
        if let Some(shard) = self.shared.shards.get(own_shard()) {
            shard.0.lock().push(record);
        }
    }
}

/// The list that the current thread uses, dealt out in turn.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    // While a thread ends its own number may be gone already.
    OWN.try_with(|own| *own).unwrap_or(0)
}

#[cfg(test)]
mod tests;
