//! The thread that writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::files::Files;
use super::log::{Group, Log};
use super::relay::{Away, Order};
use super::shared::{Queue, Shared};
use super::wait::STRAGGLER;
use crate::adapters::{clock, priority};
use crate::domain::health::COMMIT_BOUNDS;
use crate::domain::journal::{Kind, encode_gap, push_frame};
use crate::domain::record::Wait;

/// Most bytes that are written without a sync: bounds what is kept in memory for a retry.
const MAX_UNSYNCED: usize = 4 << 20;

/// How long the next group is left to gather for each event of the last one that somebody waited
/// for, and at most. A commit costs about as much for one event as for a hundred, so it is worth
/// waiting for an event that comes within this time. Callers that come one by one do not wait for
/// others; when many come, they wait for a core longer than for this.
const GATHER_EACH: Duration = Duration::from_micros(40);
const MAX_GATHER: Duration = Duration::from_millis(1);

/// The first pause after a failure, doubled each time up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// How often a stop that cannot write tries again; whoever waits for it gives up in the end.
const STOP_RETRY: Duration = Duration::from_millis(50);

pub(super) struct Writer<F: Files> {
    pub(super) shared: Arc<Shared>,
    log: Log<F>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// Set while another process has the journal.
    pub(super) away: Option<Away>,
    /// When something was last sent to it.
    pub(super) last_sent: Instant,
    /// Nobody is told how far events have come before everything that is kept is on disk.
    pub(super) untold: bool,
    /// When the oldest event that is not durable was taken.
    oldest: Option<Instant>,
    /// Some of a lane have been woken and have yet to wake the others.
    unsettled: bool,
    retry: Option<Duration>,
    /// How many events of the last group somebody waited for.
    awaited: u32,
    /// How long the last commit took: so long the next group has gathered already.
    spent: Duration,
}

/// Takes no more once the writer has ended, whatever ended it, and lets nobody wait for it.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        let next = self.0.queue.lock().next_seq;
        self.0.marks.fail(next);
        self.0.lanes.wake(&self.0.marks);
    }
}

impl<F: Files> Writer<F> {
    pub(super) fn new(shared: Arc<Shared>, log: Log<F>, orders: mpsc::Receiver<Order>) -> Self {
        Self {
            shared,
            log,
            orders,
            away: None,
            last_sent: Instant::now(),
            untold: false,
            oldest: None,
            unsettled: false,
            retry: None,
            awaited: 0,
            spent: Duration::ZERO,
        }
    }

    pub(super) fn run(mut self) {
        let _close = CloseOnDrop(Arc::clone(&self.shared));
        self.raise_priority();
        loop {
            let stopping = self.shared.stop.load(Ordering::SeqCst);
            self.obey();
            if self.away.is_some() {
                if self.forward(stopping) {
                    continue;
                }
                return;
            }
            if !stopping && self.retry.is_none() {
                self.gather();
            }
            let (group, wait) = self.take();
            self.keep(group);
            if self.oldest.is_none() && self.retry.is_none() {
                if stopping {
                    break;
                }
                self.sleep(None);
                continue;
            }
            let interval = self.shared.settings.sync_interval;
            let due = self.oldest.map_or(Duration::ZERO, |oldest| {
                interval.saturating_sub(oldest.elapsed())
            });
            let must_sync = stopping
                || wait >= Some(Wait::Durable)
                || due.is_zero()
                || self.retry.is_some()
                || self.log.kept_bytes() > MAX_UNSYNCED;
            if must_sync || wait.is_some() {
                self.commit(must_sync);
            }
            if let Some(retry) = self.retry {
                thread::park_timeout(if stopping { STOP_RETRY } else { retry });
            } else if !must_sync {
                thread::park_timeout(due);
            }
        }
        self.log.close();
    }

    /// Goes before other threads for a core, as far as was asked for. Not being allowed to is no
    /// reason not to write.
    fn raise_priority(&self) {
        let steps = self.shared.settings.writer_priority;
        if steps == 0 {
            return;
        }
        if let Err(error) = priority::go_before(steps) {
            tracing::warn!(
                %error,
                steps,
                "the journal's thread may not go before others ([journal] writer_priority): it needs \
                 CAP_SYS_NICE or a higher RLIMIT_NICE, and goes on without"
            );
        }
    }

    /// Gives a group time to gather, if the last one says that there will be one.
    fn gather(&mut self) {
        let time = gather_time(std::mem::take(&mut self.awaited)).saturating_sub(self.spent);
        if !time.is_zero() {
            thread::sleep(time);
        }
    }

    /// Takes what has gathered. Gives how far somebody waits for it to come.
    pub(super) fn take(&mut self) -> (Group, Option<Wait>) {
        let failing = self.retry.is_some();
        let mut spare = self.log.spare();
        let (group, wait) = {
            let mut queue = self.shared.queue.lock();
            if !failing {
                note_gap(&mut queue);
            }
            std::mem::swap(&mut queue.bytes, &mut spare);
            let count = std::mem::take(&mut queue.count);
            let group = Group {
                first_seq: queue.next_seq - count,
                count,
                bytes: spare,
            };
            self.shared
                .kept
                .fetch_add(group.bytes.len() as u64, Ordering::Relaxed);
            self.awaited = std::mem::take(&mut queue.awaited);
            (group, queue.wait.take())
        };
        if group.count > 0 && self.away.is_none() {
            let mut trail = self.shared.trail.lock();
            trail.note(group.first_seq..group.first_seq + group.count, clock::now());
        }
        (group, wait)
    }

    /// Keeps events until they are on disk.
    pub(super) fn keep(&mut self, group: Group) {
        if group.count > 0 {
            self.oldest.get_or_insert_with(Instant::now);
        }
        self.log.push(group);
    }

    pub(super) fn log_mut(&mut self) -> &mut Log<F> {
        &mut self.log
    }

    /// Whether the last try failed.
    pub(super) fn is_failing(&self) -> bool {
        self.retry.is_some()
    }

    pub(super) fn commit(&mut self, sync: bool) {
        let shared = Arc::clone(&self.shared);
        let start = Instant::now();
        let began = u64::try_from(shared.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.busy_since.store(began + 1, Ordering::Release);
        let before = self.log.kept_bytes();
        let mut done = self.log.write(clock::now());
        if done.is_ok() && sync {
            done = self.log.sync();
        }
        shared.busy_since.store(0, Ordering::Release);
        self.spent = start.elapsed();
        shared.commits.add(COMMIT_BOUNDS, self.spent);
        let kept = self.log.kept_bytes();
        shared
            .kept
            .fetch_sub((before - kept) as u64, Ordering::Relaxed);
        shared
            .undrained
            .fetch_add((before - kept) as u64, Ordering::AcqRel);
        match done {
            Ok(()) => {
                if sync {
                    self.oldest = None;
                    self.untold = false;
                }
                self.mend();
            }
            Err(error) => self.fail_at(&error),
        }
        if !self.untold {
            shared
                .marks
                .advance(self.log.written_seq(), self.log.durable_seq());
        }
        self.wake();
    }

    /// Writing works.
    pub(super) fn mend(&mut self) {
        if self.retry.take().is_some() {
            self.shared.failing_since.store(0, Ordering::SeqCst);
            tracing::info!("the journal can be written again");
        }
    }

    /// Writing does not work.
    pub(super) fn fail_at(&mut self, error: &dyn std::fmt::Display) {
        let shared = &self.shared;
        if self.retry.is_none() {
            let now = u64::try_from(clock::now().0).unwrap_or(0).max(1);
            shared.failing_since.store(now, Ordering::SeqCst);
            tracing::error!(
                %error,
                directory = %shared.settings.directory.display(),
                "the journal cannot be written; calls are refused as their policy says, until it \
                 can"
            );
        }
        self.retry = Some(
            self.retry
                .map_or(FIRST_RETRY, |last| (last * 2).min(LAST_RETRY)),
        );
        // After `failing_since`: whoever is numbered later sees that.
        let next = shared.queue.lock().next_seq;
        shared.marks.fail(next);
    }

    pub(super) fn wake(&mut self) {
        self.unsettled = self.shared.lanes.wake(&self.shared.marks);
    }

    /// Sleeps until there is something to do, or so much time has passed.
    pub(super) fn sleep(&mut self, most: Option<Duration>) {
        let shared = &self.shared;
        shared.asleep.store(true, Ordering::SeqCst);
        let nothing = {
            let queue = shared.queue.lock();
            queue.count == 0 && queue.gap.is_none()
        };
        if nothing && !shared.stop.load(Ordering::SeqCst) {
            if let Some(most) = most {
                thread::park_timeout(most);
            } else if self.unsettled {
                thread::park_timeout(STRAGGLER * 2);
                self.unsettled = shared.lanes.wake(&shared.marks);
            } else {
                thread::park();
            }
        }
        shared.asleep.store(false, Ordering::SeqCst);
    }
}

/// How long to let a group gather when somebody waited for so many events of the last one.
fn gather_time(awaited: u32) -> Duration {
    (GATHER_EACH * awaited.saturating_sub(1)).min(MAX_GATHER)
}

/// Says in the journal what is missing in it.
fn note_gap(queue: &mut Queue) {
    let Some(gap) = queue.gap.take().filter(|gap| !gap.is_empty()) else {
        return;
    };
    let mut fields = Vec::new();
    encode_gap(&mut fields, &gap);
    let seq = queue.next_seq;
    queue.next_seq += 1;
    queue.count += 1;
    push_frame(&mut queue.bytes, Kind::Gap, seq, &fields, &[]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_alone_waits_for_nobody_and_a_crowd_not_for_long() {
        assert_eq!(gather_time(0), Duration::ZERO);
        assert_eq!(gather_time(1), Duration::ZERO);
        assert_eq!(gather_time(2), GATHER_EACH);
        assert_eq!(gather_time(u32::MAX), MAX_GATHER);
    }
}
