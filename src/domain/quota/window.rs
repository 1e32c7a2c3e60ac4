//! What the bank counts.

use std::collections::VecDeque;
use std::time::Duration;

use crate::types::Micros;

/// So many calls in any span of a window's length, as the bank sees it.
///
/// The bank counts a call when it *arrives*, which is some time after it was sent and at the latest
/// when its answer comes. So a call takes a place from the moment it is sent until one window after
/// its answer: whatever the way to the bank adds, no two calls that are further apart here are
/// closer together there. That holds whether the bank's window slides or begins at fixed times,
/// since any fixed window is one span of its length. The price is the time of one call per window.
#[derive(Clone, Debug)]
pub struct Window {
    limit: u32,
    span: Duration,
    /// Sent and not answered.
    open: u32,
    /// When each of the others gives its place back; in order, since answers come in order of time.
    free_at: VecDeque<Micros>,
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl Window {
    /// A window in which nothing was sent. A limit of 0 is taken as 1: a bank that allows nothing
    /// is a matter of policy.
    pub fn new(limit: u32, span: Duration) -> Self {
        Self {
            limit: limit.max(1),
            span,
            open: 0,
            free_at: VecDeque::new(),
        }
    }

    /// Goes on with another limit and span: what was sent stays sent, and counts for the new span from
    /// when it was answered. Of calls whose places were free already nothing is known any more, so
    /// after a longer span was set the first of them is short of those.
    pub fn retune(&mut self, limit: u32, span: Duration, now: Micros) {
        self.used(now);
        let (before, after) = (self.span, span);
        for at in &mut self.free_at {
            *at = if after >= before {
                at.plus(after - before)
            } else {
                Micros(at.0.saturating_sub(micros(before - after)))
            };
        }
        self.limit = limit.max(1);
        self.span = span;
        let excess = self.free_at.len().saturating_sub(self.limit as usize);
        self.free_at.drain(..excess);
    }

    /// Calls in a span.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Places that are taken.
    pub fn used(&mut self, now: Micros) -> u32 {
        while self.free_at.front().is_some_and(|at| *at <= now) {
            self.free_at.pop_front();
        }
        let settled = u32::try_from(self.free_at.len()).unwrap_or(u32::MAX);
        settled.saturating_add(self.open)
    }

    /// Calls that are sent and not answered.
    pub fn open(&self) -> u32 {
        self.open
    }

    /// Until when each of the others counts.
    pub fn counted(&mut self, now: Micros) -> impl Iterator<Item = Micros> + '_ {
        self.used(now);
        self.free_at.iter().copied()
    }

    /// Takes a place, whatever is taken already: who may is decided elsewhere.
    pub fn take(&mut self) {
        self.open = self.open.saturating_add(1);
    }

    /// A call that had taken a place was answered, or came to an end without: the bank may have
    /// counted it until now.
    pub fn settle(&mut self, now: Micros) {
        self.open = self.open.saturating_sub(1);
        self.occupy(now.plus(self.span));
    }

    /// A call that had taken a place was certainly never sent.
    pub fn give_back(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// The bank counts more than was sent here: others use the same allowance, or it counts since
    /// before this process began. Their places are taken until `free_at`.
    pub fn note_foreign(&mut self, remaining: u32, free_at: Micros, now: Micros) {
        let free = self.limit.saturating_sub(self.used(now));
        for _ in remaining..free {
            self.occupy(free_at);
        }
    }

    fn occupy(&mut self, until: Micros) {
        // Later than the last in nearly every case.
        let at = self.free_at.partition_point(|at| *at <= until);
        self.free_at.insert(at, until);
        // Of more than the limit only the last ones matter.
        let excess = self.free_at.len().saturating_sub(self.limit as usize);
        self.free_at.drain(..excess);
    }

    /// When, at the latest, the `nth` place from now (1 is the next) is free under a limit, if every
    /// open call is answered at once.
    pub fn free_at(&mut self, nth: u32, limit: u32, now: Micros) -> Micros {
        let used = self.used(now);
        let needed = (used.saturating_add(nth)).saturating_sub(limit.min(self.limit));
        match needed.checked_sub(1) {
            None => now,
            Some(before) => {
                let settled = self.free_at.len();
                let before = before as usize;
                match self.free_at.get(before) {
                    Some(at) => *at,
                    // Beyond those that are settled: after the open ones, window by window.
                    None => {
                        let rounds = 1 + (before - settled) / self.limit.max(1) as usize;
                        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
                        now.plus(self.span.saturating_mul(rounds))
                    }
                }
            }
        }
    }
}
