//! One attempt's place in its group.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Changed, Group, State, now, random};
use crate::domain::resilience::{Admission, BreakerState, Crowd, Entry, Pass, Ticket, Verdict};

/// Why an attempt may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The breaker is open.
    Open {
        /// When it makes sense to come again.
        retry_after: Duration,
    },
    /// No place is free in time.
    Crowded {
        /// Whose places are taken.
        crowd: Crowd,
        /// How long it would take until one is free, as things are.
        wait: Duration,
    },
}

/// Leave for one attempt: a place in the bulkhead and a pass of the breaker. Given back when
/// dropped, whatever becomes of the attempt.
pub struct Place {
    group: Arc<Group>,
    caller: Arc<str>,
    pass: Option<Pass>,
    has_told: bool,
}

impl Group {
    /// Gets a place for an attempt, waiting for it if need be, but no longer than `patience`. Gives
    /// also how the breaker has changed by being asked.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn enter(
        self: &Arc<Self>,
        caller: &Arc<str>,
        patience: Duration,
    ) -> (Result<Place, Refused>, Option<Changed>) {
        let called = {
            let mut state = self.state.lock();
            match state.bulkhead.enter(caller, patience) {
                Entry::Entered => return self.ask(&mut state, caller),
                Entry::Shed { crowd, wait } => {
                    drop(state);
                    return (Err(self.shed(crowd, wait)), None);
                }
                Entry::Waits(ticket) => {
                    let (call, called) = oneshot::channel();
                    state.waiting.insert(ticket, call);
                    Waiting {
                        group: self,
                        caller,
                        ticket,
                        called,
                        has_place: false,
                    }
                }
            }
        };
        let limit = patience.min(self.settings.bulkheads.max_wait);
        if !called.wait(limit).await {
            return (Err(self.shed(Crowd::Group, limit)), None);
        }
        self.ask(&mut self.state.lock(), caller)
    }

    fn shed(&self, crowd: Crowd, wait: Duration) -> Refused {
        self.counts.shed.fetch_add(1, Ordering::Relaxed);
        Refused::Crowded { crowd, wait }
    }

    /// Asks the breaker for somebody who has a place.
    fn ask(
        self: &Arc<Self>,
        state: &mut State,
        caller: &Arc<str>,
    ) -> (Result<Place, Refused>, Option<Changed>) {
        let Some(breaker) = &mut state.breaker else {
            return (Ok(self.place(caller, None)), None);
        };
        let (admission, change) = breaker.ask(now());
        let changed = change.map(|change| self.changed(change));
        match admission {
            Admission::Go(pass) => (Ok(self.place(caller, Some(pass))), changed),
            Admission::Stop { retry_after } => {
                leave(state, caller);
                self.counts.stopped.fetch_add(1, Ordering::Relaxed);
                (Err(Refused::Open { retry_after }), changed)
            }
        }
    }

    fn place(self: &Arc<Self>, caller: &Arc<str>, pass: Option<Pass>) -> Place {
        Place {
            group: Arc::clone(self),
            caller: Arc::clone(caller),
            pass,
            has_told: false,
        }
    }

    fn changed(self: &Arc<Self>, change: crate::domain::resilience::Change) -> Changed {
        if change.to == BreakerState::Open {
            self.counts.opened.fetch_add(1, Ordering::Relaxed);
        }
        Changed {
            group: Arc::clone(self),
            change,
        }
    }
}

/// Gives a place back and calls those whose turn it is.
fn leave(state: &mut State, caller: &Arc<str>) {
    for ticket in state.bulkhead.leave(caller) {
        state.call(ticket);
    }
}

/// Somebody who waits for a place. Gives it, or his turn, back when dropped before it is used.
struct Waiting<'a> {
    group: &'a Arc<Group>,
    caller: &'a Arc<str>,
    ticket: Ticket,
    called: oneshot::Receiver<()>,
    has_place: bool,
}

impl Waiting<'_> {
    /// Whether the place came in time.
    async fn wait(mut self, limit: Duration) -> bool {
        let called = tokio::time::timeout(limit, &mut self.called).await;
        self.has_place = matches!(called, Ok(Ok(())));
        self.has_place
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.has_place {
            return;
        }
        let mut state = self.group.state.lock();
        state.waiting.remove(&self.ticket);
        if !state.bulkhead.give_up(self.caller, self.ticket) {
            leave(&mut state, self.caller);
        }
    }
}

impl Place {
    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Whether much depends on this attempt: the breaker is half-open.
    pub fn is_probe(&self) -> bool {
        self.pass.as_ref().is_some_and(Pass::is_probe)
    }

    /// Tells how the attempt went, which took so long; only the first word counts.
    pub fn tell(&mut self, verdict: Verdict, took: Duration) -> Option<Changed> {
        if std::mem::replace(&mut self.has_told, true) {
            return None;
        }
        let mut state = self.group.state.lock();
        let at = now();
        if verdict != Verdict::Unknown {
            let failed = matches!(verdict, Verdict::Failed | Verdict::Throttled);
            state.bulkhead.learn(took, failed, at);
        }
        let change = match (self.pass.take(), &mut state.breaker) {
            (Some(pass), Some(breaker)) => breaker.tell(pass, verdict, at, random()),
            _ => None,
        };
        drop(state);
        change.map(|change| self.group.changed(change))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.group.state.lock();
        if let (Some(pass), Some(breaker)) = (self.pass.take(), &mut state.breaker) {
            // It says nothing, so nothing changes.
            let _ = breaker.tell(pass, Verdict::Unknown, now(), 0);
        }
        leave(&mut state, &self.caller);
    }
}
