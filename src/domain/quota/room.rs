//! Where calls wait for a place: by priority, fair between callers, each until its deadline.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::shares::{Shares, Turns, index};
use crate::types::{Micros, Priority};

/// A place in the queue. Never given twice by one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Name of the caller.
    pub caller: Arc<str>,
    /// How urgent its call is.
    pub priority: Priority,
    /// It goes away then.
    pub deadline: Micros,
}

/// There is no room for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// As many wait as may.
    Room,
    /// As many of this caller wait as may, so that one caller cannot fill the room.
    Caller,
}

/// Bounds of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// Most that wait.
    pub waiting: usize,
    /// Most of one caller.
    pub waiting_per_caller: usize,
    /// What each priority is sure to get.
    pub shares: Shares,
}

/// The calls of one priority: callers in turn, the calls of each in the order in which they came.
#[derive(Debug, Default)]
struct Lane {
    turn: VecDeque<Arc<str>>,
    calls: HashMap<Arc<str>, VecDeque<Ticket>>,
}

impl Lane {
    fn push(&mut self, caller: &Arc<str>, ticket: Ticket) {
        match self.calls.get_mut(caller) {
            Some(calls) => calls.push_back(ticket),
            None => {
                self.turn.push_back(Arc::clone(caller));
                self.calls
                    .insert(Arc::clone(caller), VecDeque::from([ticket]));
            }
        }
    }

    /// Takes the first call of the caller whose turn it is.
    fn pop(&mut self) -> Option<Ticket> {
        let caller = self.turn.pop_front()?;
        let calls = self.calls.get_mut(&caller)?;
        let ticket = calls.pop_front();
        if calls.is_empty() {
            self.calls.remove(&caller);
        } else {
            self.turn.push_back(caller);
        }
        ticket
    }

    fn remove(&mut self, caller: &Arc<str>, ticket: Ticket) {
        let Some(calls) = self.calls.get_mut(caller) else {
            return;
        };
        calls.retain(|of| *of != ticket);
        if calls.is_empty() {
            self.calls.remove(caller);
            self.turn.retain(|of| of != caller);
        }
    }

    fn len(&self) -> usize {
        self.calls.values().map(VecDeque::len).sum()
    }
}

/// The waiting calls of one budget.
#[derive(Debug)]
pub struct Room {
    settings: RoomSettings,
    lanes: [Lane; 4],
    waiters: HashMap<Ticket, Waiter>,
    per_caller: HashMap<Arc<str>, usize>,
    deadlines: BTreeSet<(Micros, Ticket)>,
    turns: Turns,
    next: u64,
}

impl Room {
    /// An empty room.
    pub fn new(settings: RoomSettings) -> Self {
        Self {
            settings,
            lanes: Default::default(),
            waiters: HashMap::new(),
            per_caller: HashMap::new(),
            deadlines: BTreeSet::new(),
            turns: Turns::default(),
            next: 0,
        }
    }

    /// Goes on with other bounds; who is in stays.
    pub fn retune(&mut self, settings: RoomSettings) {
        self.settings = settings;
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Whether calls of a priority wait.
    pub fn has(&self, priority: Priority) -> bool {
        self.lanes
            .get(index(priority))
            .is_some_and(|lane| !lane.turn.is_empty())
    }

    /// How many calls of a priority wait.
    pub fn waiting(&self, priority: Priority) -> usize {
        self.lanes.get(index(priority)).map_or(0, Lane::len)
    }

    /// How many of those that wait go before a call of this priority that comes now, as long as no
    /// less urgent one is owed its share.
    pub fn ahead_of(&self, priority: Priority) -> usize {
        let urgent = self.lanes.iter().take(index(priority) + 1);
        urgent.map(Lane::len).sum()
    }

    /// Lets a call wait.
    ///
    /// # Errors
    /// [`Full`].
    pub fn enter(&mut self, waiter: Waiter) -> Result<Ticket, Full> {
        if self.waiters.len() >= self.settings.waiting {
            return Err(Full::Room);
        }
        let of_caller = self.per_caller.entry(Arc::clone(&waiter.caller));
        let of_caller = of_caller.or_default();
        if *of_caller >= self.settings.waiting_per_caller {
            return Err(Full::Caller);
        }
        *of_caller += 1;
        let ticket = Ticket(self.next);
        self.next += 1;
        if let Some(lane) = self.lanes.get_mut(index(waiter.priority)) {
            lane.push(&waiter.caller, ticket);
        }
        self.deadlines.insert((waiter.deadline, ticket));
        self.waiters.insert(ticket, waiter);
        Ok(ticket)
    }

    /// The call goes away, whatever the reason. Gives what it was, unless it was gone already.
    pub fn leave(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.forget(ticket)?;
        if let Some(lane) = self.lanes.get_mut(index(waiter.priority)) {
            lane.remove(&waiter.caller, ticket);
        }
        Some(waiter)
    }

    /// Takes the call whose turn it is among the priorities that `may_go` allows.
    pub fn next(&mut self, may_go: impl Fn(Priority) -> bool) -> Option<(Ticket, Waiter)> {
        let waits = |priority| self.has(priority) && may_go(priority);
        let priority = self.turns.first(&self.settings.shares, waits)?;
        let ticket = self.lanes.get_mut(index(priority))?.pop()?;
        let waiter = self.forget(ticket)?;
        self.turns.note(priority);
        Some((ticket, waiter))
    }

    /// Sends away those whose time is over.
    pub fn expire(&mut self, now: Micros) -> Vec<Ticket> {
        let mut expired = Vec::new();
        while let Some((deadline, ticket)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            self.leave(ticket);
            expired.push(ticket);
        }
        expired
    }

    /// When the next one's time is over.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn forget(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.waiters.remove(&ticket)?;
        self.deadlines.remove(&(waiter.deadline, ticket));
        if let Some(count) = self.per_caller.get_mut(&waiter.caller) {
            *count -= 1;
            if *count == 0 {
                self.per_caller.remove(&waiter.caller);
            }
        }
        Some(waiter)
    }
}
