//! Waiting for records, across threads, without a system call for each of them.
//!
//! Waking a task of another thread's runtime costs a write to that runtime's event descriptor.
//! A commit may end the wait of hundreds of tasks of a few threads. So each thread has a *lane*:
//! the writer wakes one task of a lane, and that task, on its own thread, wakes the others, which
//! costs a push to a local queue. If it is dropped before it runs, its drop does the same; and if
//! it does neither for long, the writer wakes the others itself.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::record::{NotRecorded, Ticket, Wait};

/// How long a woken task may take to wake its lane before the writer does.
pub(super) const STRAGGLER: Duration = Duration::from_millis(20);

/// How far events have come. Every field counts events: the first that has not come so far.
#[derive(Debug, Default)]
pub(super) struct Marks {
    written: AtomicU64,
    durable: AtomicU64,
    /// Events before this did not get there when they should have.
    failed: AtomicU64,
}

impl Marks {
    pub(super) fn start(next_seq: u64) -> Self {
        let marks = Self::default();
        marks.written.store(next_seq, Ordering::SeqCst);
        marks.durable.store(next_seq, Ordering::SeqCst);
        marks
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn advance(&self, written: u64, durable: u64) {
        self.written.fetch_max(written, Ordering::SeqCst);
        self.durable.fetch_max(durable, Ordering::SeqCst);
    }

    pub(super) fn fail(&self, before: u64) {
        self.failed.fetch_max(before, Ordering::SeqCst);
    }

    fn verdict(&self, ticket: Ticket) -> Option<Result<(), NotRecorded>> {
        let reached = match ticket.wait {
            Wait::Nothing => u64::MAX,
            Wait::Written => self.written.load(Ordering::SeqCst),
            Wait::Durable => self.durable.load(Ordering::SeqCst),
        };
        if reached > ticket.seq {
            Some(Ok(()))
        } else if self.failed.load(Ordering::SeqCst) > ticket.seq {
            Some(Err(NotRecorded))
        } else {
            None
        }
    }
}

struct Waiter {
    id: u64,
    ticket: Ticket,
    waker: Waker,
}

#[derive(Default)]
struct Waiters {
    /// In the order of their ids.
    waiting: Vec<Waiter>,
    /// May go on; to be woken by the first of them.
    handed_over: Vec<Waker>,
    since: Option<Instant>,
    next_id: u64,
}

impl Waiters {
    fn place_of(&self, id: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&id, |one| one.id).ok()
    }
}

#[derive(Default)]
struct Lane {
    waiters: Mutex<Waiters>,
    /// `handed_over` is not empty; spares the lock.
    has_handed_over: AtomicBool,
}

impl Lane {
    /// Wakes those whose turn it is, from one of their own threads.
    fn pass_on(&self) {
        if !self.has_handed_over.load(Ordering::SeqCst) {
            return;
        }
        let wakers = {
            let mut waiters = self.waiters.lock();
            self.has_handed_over.store(false, Ordering::SeqCst);
            waiters.since = None;
            std::mem::take(&mut waiters.handed_over)
        };
        for waker in wakers {
            waker.wake();
        }
    }
}

/// The lanes of one journal.
#[derive(Default)]
pub(super) struct Lanes(Mutex<Vec<Arc<Lane>>>);

thread_local! {
    /// Lanes of this thread, by the address of the [`Lanes`] they belong to; mostly one.
    static OWN: RefCell<Vec<(usize, Arc<Lane>)>> = const { RefCell::new(Vec::new()) };
}

impl Lanes {
    fn own(&self) -> Arc<Lane> {
        let key = std::ptr::from_ref(self) as usize;
        let found = OWN.try_with(|own| {
            let mut own = own.borrow_mut();
            // A journal that is gone has left its lane to this thread alone.
            own.retain(|(_, lane)| Arc::strong_count(lane) > 1);
            if let Some((_, lane)) = own.iter().find(|(of, _)| *of == key) {
                return Arc::clone(lane);
            }
            let lane = self.add();
            own.push((key, Arc::clone(&lane)));
            lane
        });
        // While a thread ends it has no lanes of its own any more.
        found.unwrap_or_else(|_| self.add())
    }

    fn add(&self) -> Arc<Lane> {
        let lane = Arc::new(Lane::default());
        let mut lanes = self.0.lock();
        // Those of threads that have ended.
        lanes.retain(|lane| Arc::strong_count(lane) > 1 || !lane.waiters.lock().waiting.is_empty());
        lanes.push(Arc::clone(&lane));
        lane
    }

    /// Wakes everybody whose wait is over. Gives true while some have yet to be woken by others.
    pub(super) fn wake(&self, marks: &Marks) -> bool {
        let lanes = self.0.lock().clone();
        let mut unsettled = false;
        for lane in lanes {
            let mut late = Vec::new();
            let first = {
                let mut waiters = lane.waiters.lock();
                let waiters = &mut *waiters;
                if waiters
                    .since
                    .is_some_and(|since| since.elapsed() > STRAGGLER)
                {
                    late = std::mem::take(&mut waiters.handed_over);
                    waiters.since = None;
                }
                let before = waiters.handed_over.len();
                // Moved, not cloned: a waker counts its clones in memory of the waiting thread's.
                let over = waiters
                    .waiting
                    .extract_if(.., |waiter| marks.verdict(waiter.ticket).is_some());
                waiters.handed_over.extend(over.map(|waiter| waiter.waker));
                // If some were there before, one of them is on its way.
                let first = (before == 0).then(|| waiters.handed_over.pop()).flatten();
                let any = !waiters.handed_over.is_empty();
                lane.has_handed_over.store(any, Ordering::SeqCst);
                if any && waiters.since.is_none() {
                    waiters.since = Some(Instant::now());
                }
                unsettled |= any;
                first
            };
            for waker in first.into_iter().chain(late) {
                waker.wake();
            }
        }
        unsettled
    }
}

/// Ends when a ticket has come as far as it should.
pub(super) struct Settled<'a> {
    marks: &'a Marks,
    lanes: &'a Lanes,
    ticket: Ticket,
    place: Option<(Arc<Lane>, u64)>,
}

impl<'a> Settled<'a> {
    pub(super) fn new(marks: &'a Marks, lanes: &'a Lanes, ticket: Ticket) -> Self {
        Self {
            marks,
            lanes,
            ticket,
            place: None,
        }
    }
}

impl Future for Settled<'_> {
    type Output = Result<(), NotRecorded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(verdict) = this.marks.verdict(this.ticket) {
            // The drop of `place` wakes the others.
            this.place = leave(this.place.take());
            return Poll::Ready(verdict);
        }
        let (lane, known) = match this.place.take() {
            Some((lane, id)) => (lane, Some(id)),
            None => (this.lanes.own(), None),
        };
        let mut waiters = lane.waiters.lock();
        // The writer moves the marks before it looks at the lanes, so one of the two sees.
        if let Some(verdict) = this.marks.verdict(this.ticket) {
            drop(waiters);
            leave(known.map(|id| (lane, id)));
            return Poll::Ready(verdict);
        }
        let there = known.and_then(|id| waiters.place_of(id));
        let id = match there.and_then(|at| waiters.waiting.get_mut(at)) {
            Some(waiter) => {
                waiter.waker.clone_from(context.waker());
                waiter.id
            }
            None => {
                let id = waiters.next_id;
                waiters.next_id += 1;
                waiters.waiting.push(Waiter {
                    id,
                    ticket: this.ticket,
                    waker: context.waker().clone(),
                });
                id
            }
        };
        drop(waiters);
        this.place = Some((lane, id));
        Poll::Pending
    }
}

/// Gives up a place in a lane, and does what may have been handed to it.
fn leave(place: Option<(Arc<Lane>, u64)>) -> Option<(Arc<Lane>, u64)> {
    if let Some((lane, id)) = place {
        {
            let mut waiters = lane.waiters.lock();
            if let Some(at) = waiters.place_of(id) {
                waiters.waiting.remove(at);
            }
        }
        lane.pass_on();
    }
    None
}

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        leave(self.place.take());
    }
}
