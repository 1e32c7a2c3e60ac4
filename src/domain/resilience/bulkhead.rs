//! How many calls are in flight, of each caller and together, and who waits for a place.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::AdaptiveLimit;
use crate::types::Micros;

/// Bounds of a bulkhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadSettings {
    /// Calls in flight together.
    pub in_flight: usize,
    /// Calls in flight of one caller.
    pub in_flight_per_caller: usize,
    /// Calls that may wait for a place.
    pub queue: usize,
    /// The longest that one waits.
    pub max_wait: Duration,
    /// The least that an adaptive limit shrinks to; `None` for a fixed limit.
    pub adaptive: Option<usize>,
}

impl Default for BulkheadSettings {
    /// 2,048 together, half of them for one caller, as many waiting, for a second at most: bounds
    /// that a healthy bank never meets and a hanging one soon does.
    fn default() -> Self {
        Self {
            in_flight: 2_048,
            in_flight_per_caller: 1_024,
            queue: 1_024,
            max_wait: Duration::from_secs(1),
            adaptive: None,
        }
    }
}

/// Whose places are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// Everybody's.
    Group,
    /// This caller's.
    Caller,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// What comes of a call that wants a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It has one; [`Bulkhead::leave`] must follow.
    Entered,
    /// It waits: its ticket is called by somebody's [`Bulkhead::leave`], or given back by
    /// [`Bulkhead::give_up`].
    Waits(Ticket),
    /// It need not wait: its time would be over before a place is free.
    Shed {
        /// Whose places are taken.
        crowd: Crowd,
        /// How long it would have waited.
        wait: Duration,
    },
}

#[derive(Debug, Default)]
struct Caller {
    in_flight: usize,
    waiting: VecDeque<Ticket>,
}

/// Calls in flight to one endpoint group. A slow bank then holds so many calls and no more, and one
/// caller cannot take all places of the others: places that become free go round the callers that
/// wait.
#[derive(Debug)]
pub struct Bulkhead {
    settings: BulkheadSettings,
    adaptive: Option<AdaptiveLimit>,
    total: usize,
    callers: HashMap<Arc<str>, Caller>,
    /// Callers that wait, each once, the next first.
    round: VecDeque<Arc<str>>,
    waiting: usize,
    tickets: u64,
    /// How long attempts take of late, in microseconds: a moving mean.
    usual: f64,
}

/// Weight of the last attempt in the mean of how long attempts take.
const WEIGHT: f64 = 0.1;

impl Bulkhead {
    /// Goes on with other settings: who is in flight and who waits stays. Gives those who may go because
    /// there are more places.
    pub fn retune(&mut self, settings: BulkheadSettings) -> Vec<Ticket> {
        let bounds = |of: &BulkheadSettings| (of.adaptive, of.in_flight);
        if bounds(&settings) != bounds(&self.settings) {
            let adaptive = settings.adaptive;
            self.adaptive = adaptive.map(|least| AdaptiveLimit::new(least, settings.in_flight));
        }
        self.settings = settings;
        self.call_next()
    }

    /// Nothing in flight.
    pub fn new(settings: BulkheadSettings) -> Self {
        Self {
            settings,
            adaptive: settings
                .adaptive
                .map(|least| AdaptiveLimit::new(least, settings.in_flight)),
            total: 0,
            callers: HashMap::new(),
            round: VecDeque::new(),
            waiting: 0,
            tickets: 0,
            usual: 0.0,
        }
    }

    /// Calls that may be in flight at the moment.
    pub fn limit(&self) -> usize {
        match &self.adaptive {
            Some(adaptive) => adaptive.limit(),
            None => self.settings.in_flight,
        }
    }

    /// Calls in flight.
    pub const fn in_flight(&self) -> usize {
        self.total
    }

    /// Calls that wait.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// A call wants a place and has this much time.
    pub fn enter(&mut self, caller: &Arc<str>, patience: Duration) -> Entry {
        let mine = self.callers.get(caller);
        let (of_caller, before_me) =
            mine.map_or((0, 0), |mine| (mine.in_flight, mine.waiting.len()));
        let limit = self.limit();
        let crowd = if of_caller >= self.settings.in_flight_per_caller {
            Crowd::Caller
        } else if self.total >= limit || before_me > 0 {
            Crowd::Group
        } else {
            self.callers
                .entry(Arc::clone(caller))
                .or_default()
                .in_flight += 1;
            self.total += 1;
            return Entry::Entered;
        };
        // The longer of the two queues: for a place of mine, and for a place at all.
        let of_all = self.turns(self.waiting, limit);
        let wait = match crowd {
            Crowd::Group => of_all,
            Crowd::Caller => of_all.max(self.turns(before_me, self.settings.in_flight_per_caller)),
        };
        if self.waiting >= self.settings.queue || wait > patience.min(self.settings.max_wait) {
            return Entry::Shed { crowd, wait };
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let mine = self.callers.entry(Arc::clone(caller)).or_default();
        if mine.waiting.is_empty() {
            self.round.push_back(Arc::clone(caller));
        }
        mine.waiting.push_back(ticket);
        self.waiting += 1;
        Entry::Waits(ticket)
    }

    /// How long it takes until it is the turn of one behind `waiting` others for `places` places.
    fn turns(&self, waiting: usize, places: usize) -> Duration {
        let micros = self.usual * (waiting + 1) as f64 / places.max(1) as f64;
        Duration::from_micros(micros as u64)
    }

    /// A call is over; gives the tickets of those that have its place now, mostly one or none.
    pub fn leave(&mut self, caller: &Arc<str>) -> Vec<Ticket> {
        let Some(mine) = self
            .callers
            .get_mut(caller)
            .filter(|mine| mine.in_flight > 0)
        else {
            return Vec::new();
        };
        mine.in_flight -= 1;
        self.total -= 1;
        self.forget(caller);
        self.call_next()
    }

    /// An attempt took so long; `failed` says that the bank failed or threw it out.
    pub fn learn(&mut self, took: Duration, failed: bool, now: Micros) {
        let micros = took.as_micros() as f64;
        self.usual = if self.usual == 0.0 {
            micros
        } else {
            self.usual + (micros - self.usual) * WEIGHT
        };
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.learn(took, failed, self.total, now);
        }
    }

    /// Somebody does not wait any longer. False if the ticket has been called meanwhile: then the
    /// place is taken, and [`Bulkhead::leave`] must follow.
    pub fn give_up(&mut self, caller: &Arc<str>, ticket: Ticket) -> bool {
        let Some(mine) = self.callers.get_mut(caller) else {
            return false;
        };
        let Some(at) = mine.waiting.iter().position(|waits| *waits == ticket) else {
            return false;
        };
        mine.waiting.remove(at);
        self.waiting -= 1;
        if mine.waiting.is_empty() {
            self.round.retain(|waits| waits != caller);
        }
        self.forget(caller);
        true
    }

    /// Gives free places to those whose turn it is.
    fn call_next(&mut self) -> Vec<Ticket> {
        let mut called = Vec::new();
        let limit = self.limit();
        // Callers at their own bound are passed over and keep their turn.
        let mut passed = 0;
        while self.total < limit && passed < self.round.len() {
            let Some(caller) = self.round.pop_front() else {
                break;
            };
            let Some(next) = self.callers.get_mut(&caller) else {
                continue;
            };
            if next.in_flight >= self.settings.in_flight_per_caller {
                self.round.push_back(caller);
                passed += 1;
                continue;
            }
            let Some(ticket) = next.waiting.pop_front() else {
                continue;
            };
            next.in_flight += 1;
            self.total += 1;
            self.waiting -= 1;
            called.push(ticket);
            if !next.waiting.is_empty() {
                self.round.push_back(caller);
            }
            passed = 0;
        }
        called
    }

    fn forget(&mut self, caller: &Arc<str>) {
        let is_idle = |mine: &Caller| mine.in_flight == 0 && mine.waiting.is_empty();
        if self.callers.get(caller).is_some_and(is_idle) {
            self.callers.remove(caller);
        }
    }
}

#[cfg(test)]
mod tests;
