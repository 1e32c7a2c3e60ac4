//! Where calls and log lines wait to be told: bounded, never waited for.
//!
//! Whoever puts something in takes a lock that nobody holds for longer than it takes to push or to swap
//! a vector, wakes nobody, and if there is no room it is counted and dropped. A worker has an inbox of its
//! own, so that workers do not meet; the telemetry thread looks into all of them now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Things that wait.
pub struct Inbox<T> {
    waiting: Mutex<Vec<T>>,
    most: usize,
    dropped: AtomicU64,
}

impl<T> Inbox<T> {
    /// With room for so many.
    pub fn new(most: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            most,
            dropped: AtomicU64::new(0),
        }
    }

    /// Puts one in, or counts it as dropped.
    pub fn put(&self, one: T) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < self.most {
            waiting.push(one);
            return;
        }
        drop(waiting);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves what waits to `taken`, at most up to `most` of them there.
    fn take(&self, taken: &mut Vec<T>, most: usize) {
        let room = most.saturating_sub(taken.len());
        if room == 0 {
            return;
        }
        let mut waiting = self.waiting.lock();
        if taken.is_empty() && waiting.len() <= room {
            // The usual case: nothing is copied, and what was read gives its room back.
            std::mem::swap(&mut *waiting, taken);
            return;
        }
        let count = waiting.len().min(room);
        taken.extend(waiting.drain(..count));
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The inboxes of all workers.
pub struct Inboxes<T> {
    most: usize,
    all: Mutex<Vec<Arc<Inbox<T>>>>,
}

impl<T> Inboxes<T> {
    /// With room for so many in each.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            all: Mutex::default(),
        }
    }

    /// The inbox of one more worker.
    pub fn add(&self) -> Arc<Inbox<T>> {
        let inbox = Arc::new(Inbox::new(self.most));
        self.all.lock().push(Arc::clone(&inbox));
        inbox
    }

    /// Takes what waits, at most so many.
    pub fn take(&self, taken: &mut Vec<T>, most: usize) {
        let all = self.all.lock().clone();
        for inbox in all {
            inbox.take(taken, most);
        }
    }

    /// How many were dropped for want of room.
    pub fn dropped(&self) -> u64 {
        self.all.lock().iter().map(|inbox| inbox.dropped()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_the_rest_comes_in_order() {
        let all = Inboxes::new(3);
        let (first, second) = (all.add(), all.add());
        for n in 0..5 {
            first.put(n);
        }
        second.put(10);
        assert_eq!(all.dropped(), 2);
        let mut taken = Vec::new();
        all.take(&mut taken, 2);
        assert_eq!(taken, [0, 1]);
        taken.clear();
        all.take(&mut taken, 100);
        assert_eq!(taken, [2, 10]);
        first.put(7);
        taken.clear();
        all.take(&mut taken, 100);
        assert_eq!(taken, [7]);
    }
}
