//! What those who record and the thread that writes share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::JournalSettings;
use super::wait::{Lanes, Marks};
use crate::adapters::clock;
use crate::adapters::figures::AtomicHistogram;
use crate::domain::journal::{Gap, Trail};
use crate::domain::record::Wait;

/// How long one write or sync may take before new calls are refused: a disk that does not answer
/// is as good as none, and callers' own timeouts are longer.
const STALL: Duration = Duration::from_secs(5);

/// Events that wait to be written.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u64,
    /// How many of them somebody waits for.
    pub(super) awaited: u32,
    pub(super) next_seq: u64,
    /// How far somebody waits for them to come.
    pub(super) wait: Option<Wait>,
    /// What could not be taken.
    pub(super) gap: Option<Gap>,
}

/// What the callers and the writer share.
pub(super) struct Shared {
    pub(super) settings: JournalSettings,
    pub(super) queue: Mutex<Queue>,
    pub(super) marks: Marks,
    pub(super) lanes: Lanes,
    /// Bytes that the writer has taken and keeps until they are durable.
    pub(super) kept: AtomicU64,
    pub(super) undrained: AtomicU64,
    /// The first event that the ledger has not taken.
    pub(super) drained: AtomicU64,
    /// When events came that the ledger has not taken.
    pub(super) trail: Mutex<Trail>,
    /// When writing began to fail, in microseconds since 1970; 0 while all is well.
    pub(super) failing_since: AtomicU64,
    /// The bound of undrained bytes was reached and said so.
    pub(super) full: AtomicBool,
    pub(super) refused: AtomicU64,
    pub(super) shed: AtomicU64,
    /// How long commits took.
    pub(super) commits: AtomicHistogram,
    /// When the I/O that is going on began, in microseconds since `started`, plus one; 0 for none.
    pub(super) busy_since: AtomicU64,
    pub(super) started: Instant,
    /// The writer sleeps until it is woken, whatever is in the queue.
    pub(super) asleep: AtomicBool,
    pub(super) stop: AtomicBool,
    pub(super) closed: AtomicBool,
    /// The process that has taken the journal over does not answer.
    pub(super) relay_lost: AtomicBool,
}

impl Shared {
    /// Everything before `next_seq` is on disk; `trail` is what the ledger may lack of it.
    pub(super) fn new(settings: JournalSettings, next_seq: u64, trail: Trail) -> Self {
        Self {
            settings,
            queue: Mutex::new(Queue {
                next_seq,
                ..Queue::default()
            }),
            marks: Marks::start(next_seq),
            lanes: Lanes::default(),
            kept: AtomicU64::new(0),
            undrained: AtomicU64::new(0),
            drained: AtomicU64::new(next_seq.saturating_sub(1)),
            trail: Mutex::new(trail),
            failing_since: AtomicU64::new(0),
            full: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            commits: AtomicHistogram::default(),
            busy_since: AtomicU64::new(0),
            started: Instant::now(),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            relay_lost: AtomicBool::new(false),
        }
    }

    /// Why a call's first step cannot be taken, if so.
    pub(super) fn refuses(&self) -> bool {
        if self.closed.load(Ordering::Acquire) || self.failing_since.load(Ordering::Acquire) != 0 {
            return true;
        }
        if self.is_stalled() {
            return true;
        }
        let full = self.undrained.load(Ordering::Acquire) >= self.settings.max_bytes;
        if full != self.full.load(Ordering::Relaxed)
            && full != self.full.swap(full, Ordering::AcqRel)
        {
            if full {
                tracing::error!(
                    max_bytes = self.settings.max_bytes,
                    "the journal holds as much as it may that is not in the ledger; calls are \
                     refused until the ledger has caught up"
                );
            } else {
                tracing::info!("the ledger has caught up with the journal; calls are taken again");
            }
        }
        full
    }

    /// Whether one write or sync has taken too long already.
    pub(super) fn is_stalled(&self) -> bool {
        let busy = self.busy_since.load(Ordering::Acquire);
        if busy == 0 {
            return false;
        }
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        now.saturating_sub(busy) > STALL.as_micros() as u64
    }

    pub(super) fn note_lost(&self, queue: &mut Queue, first: bool, wait: Wait) {
        let now = clock::now();
        let gap = queue.gap.get_or_insert_with(|| Gap {
            from: now,
            ..Gap::default()
        });
        // A clock that went backwards must not make the gap end before it began.
        gap.to = gap.to.max(gap.from).max(now);
        match (first, wait) {
            (false, _) => gap.dropped += 1,
            (true, Wait::Nothing) => {
                gap.shed += 1;
                self.shed.fetch_add(1, Ordering::Relaxed);
            }
            (true, _) => {
                gap.refused += 1;
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
