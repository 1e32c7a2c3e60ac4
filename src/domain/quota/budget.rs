//! One budget: what the bank allows, who has it, who waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::fleet::{Fleet, FleetSettings, Means, Message, Reply};
use super::pressure::Pressure;
use super::room::{Full, Room, RoomSettings, Ticket, Waiter};
use super::window::Window;
use crate::types::{Micros, Priority};

/// How a budget works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Calls in a span.
    pub limit: u32,
    /// The span.
    pub span: Duration,
    /// Places that only money may take, so that it need not wait for one to become free.
    pub kept_for_money: u32,
    /// Where calls wait.
    pub room: RoomSettings,
    /// Whether calls are only counted: nobody waits and nobody is refused.
    pub shadow: bool,
}

/// How much of the window a priority may take without a pause, in percent. Beyond it calls go one
/// by one at the pace at which the window gives places back. So a flood spreads over the window
/// instead of emptying it, and an urgent call that comes later finds a place within one pace; and
/// nothing is wasted, since the pace is the whole allowance. Light traffic never gets that far.
const UNPACED: [(Priority, u32); 4] = [
    (Priority::Money, 100),
    (Priority::Write, 75),
    (Priority::Read, 50),
    (Priority::Batch, 25),
];

/// The shortest time between two looks.
const BLINK: Duration = Duration::from_millis(1);

/// A call that wants to go to the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Name of the caller.
    pub caller: Arc<str>,
    /// How urgent.
    pub priority: Priority,
    /// How long it can wait: until then.
    pub deadline: Micros,
}

/// The answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may go, and has its place.
    Go {
        /// Only because this budget does no more than count.
        over: bool,
    },
    /// It waits.
    Wait(Ticket),
    /// It cannot go.
    Refused(Refused),
}

/// Why a call cannot go, and when it would make sense to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: Throttle,
    /// Not before.
    pub retry_after: Duration,
}

/// Why a call cannot go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// There will be no place before its deadline.
    TooLate,
    /// As many wait as may.
    RoomFull,
    /// As many of its caller wait as may.
    CallerFull,
}

/// A call that waited and may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Which.
    pub ticket: Ticket,
    /// What it was.
    pub waiter: Waiter,
}

/// How a budget stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Calls that may be in a span, as configured.
    pub limit: u32,
    /// The same after what the bank's refusals have taught.
    pub allowed: u32,
    /// Places taken.
    pub used: u32,
    /// Calls that wait.
    pub waiting: usize,
    /// When the next place is free; now if one is.
    pub next_at: Micros,
}

impl Standing {
    /// Places that are free.
    pub const fn remaining(&self) -> u32 {
        self.allowed.saturating_sub(self.used)
    }
}

/// The state of one budget.
#[derive(Debug)]
pub struct Budget {
    settings: BudgetSettings,
    window: Window,
    pressure: Pressure,
    /// The next paced call may go then.
    paced_at: Micros,
    room: Room,
    /// Others share it.
    fleet: Option<Fleet>,
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(settings: BudgetSettings) -> Self {
        let window = Window::new(settings.limit, settings.span);
        Self {
            pressure: Pressure::new(window.limit()),
            window,
            paced_at: Micros(0),
            room: Room::new(settings.room),
            fleet: None,
            settings,
        }
    }

    /// A budget that others share. What only counts is not shared.
    pub fn shared(settings: BudgetSettings, fleet: FleetSettings, now: Micros) -> Self {
        let mut budget = Self::new(settings);
        if !settings.shadow {
            let limit = budget.window.limit();
            budget.fleet = Some(Fleet::new(fleet, limit, settings.span, now));
        }
        budget
    }

    /// Goes on with other settings: what is used stays used, who waits waits on, and what the bank's
    /// refusals have taught holds in proportion. A budget that others share does not change: it would
    /// be another one for each of them.
    pub fn retune(&mut self, settings: BudgetSettings, now: Micros) {
        if self.fleet.is_some() {
            return;
        }
        self.window.retune(settings.limit, settings.span, now);
        self.pressure.retune(self.window.limit());
        self.room.retune(settings.room);
        self.paced_at = now;
        self.settings = settings;
    }

    /// How it works.
    pub fn settings(&self) -> &BudgetSettings {
        &self.settings
    }

    /// What this gateway has of it, if others share it.
    pub fn fleet(&self) -> Option<&Fleet> {
        self.fleet.as_ref()
    }

    /// When to speak to the store that all share; `None` while it need not be spoken to.
    pub fn sync_at(&mut self, now: Micros) -> Option<Micros> {
        self.fleet.as_ref()?.sync_at(self.room.len(), now)
    }

    /// What to tell the store. [`Budget::heard`] or [`Budget::lost`] must follow.
    pub fn message(&mut self, now: Micros) -> Option<Message> {
        let fleet = self.fleet.as_mut()?;
        fleet.means(now);
        let waiting = Priority::ALL.iter().map(|p| self.room.waiting(*p));
        let mut counts = [0; 4];
        for (count, waiting) in counts.iter_mut().zip(waiting) {
            *count = u32::try_from(waiting).unwrap_or(u32::MAX);
        }
        Some(fleet.message(counts, &mut self.window, now))
    }

    /// What the store has said. Ask [`Budget::grant`] afterwards.
    pub fn heard(&mut self, reply: Reply, now: Micros) {
        let used = self.window.used(now);
        if let Some(fleet) = &mut self.fleet {
            fleet.heard(reply, used, now);
        }
    }

    /// The store cannot be reached since then: from here on this gateway counts for itself.
    pub fn lost(&mut self, since: Micros, now: Micros) {
        let used = self.window.used(now);
        if let Some(fleet) = &mut self.fleet {
            fleet.lost(used, since);
        }
    }

    /// How much less than the limit is allowed after the bank's refusals, and for how long nothing
    /// is.
    pub fn pressure(&mut self, now: Micros) -> (u32, Duration) {
        let allowed = self.pressure.allowed(self.settings.span, now);
        let until = self.pressure.paused_until(now);
        (
            allowed,
            until.map_or(Duration::ZERO, |until| until.since(now)),
        )
    }

    /// A call wants to go. If it may it has its place from now on, and [`Budget::settle`] or
    /// [`Budget::give_back`] must follow.
    pub fn ask(&mut self, ask: Ask, now: Micros) -> Answer {
        // Who comes now does not overtake who waits for the same or more urgently.
        let may_go = self.room.ahead_of(ask.priority) == 0 && self.may_go(ask.priority, now);
        if may_go || self.settings.shadow {
            self.take(now);
            return Answer::Go { over: !may_go };
        }
        let ahead = u32::try_from(self.room.ahead_of(ask.priority)).unwrap_or(u32::MAX);
        let free_at = self.free_at(ahead.saturating_add(1), ask.priority, now);
        let refused = |why| {
            Answer::Refused(Refused {
                why,
                retry_after: free_at.since(now),
            })
        };
        if free_at > ask.deadline {
            return refused(Throttle::TooLate);
        }
        let waiter = Waiter {
            caller: ask.caller,
            priority: ask.priority,
            deadline: ask.deadline,
        };
        match self.room.enter(waiter) {
            Ok(ticket) => {
                if let Some(fleet) = &mut self.fleet {
                    fleet.wait();
                }
                Answer::Wait(ticket)
            }
            Err(Full::Room) => refused(Throttle::RoomFull),
            Err(Full::Caller) => refused(Throttle::CallerFull),
        }
    }

    /// The next call that waited and may go now; it has its place. Ask until there is none,
    /// whenever something was settled and at [`Budget::wake_at`].
    pub fn grant(&mut self, now: Micros) -> Option<Granted> {
        if self.room.is_empty() {
            return None;
        }
        let may_go = Priority::ALL.iter().map(|p| self.may_go(*p, now));
        let may_go: Vec<bool> = may_go.collect();
        let may_go = |priority| {
            let mut each = Priority::ALL.iter().zip(&may_go);
            each.any(|(of, may)| *of == priority && *may)
        };
        let (ticket, waiter) = self.room.next(may_go)?;
        self.take(now);
        Some(Granted { ticket, waiter })
    }

    /// Sends those away whose deadline has passed.
    pub fn expire(&mut self, now: Micros) -> Vec<Ticket> {
        self.room.expire(now)
    }

    /// A call no longer waits: its caller is gone. False if it does not wait (any more).
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.room.leave(ticket).is_some()
    }

    /// A call that had a place is over, and the bank may have counted it.
    pub fn settle(&mut self, now: Micros) {
        self.window.settle(now);
        if let Some(fleet) = &mut self.fleet {
            fleet.end(Some(now));
        }
    }

    /// A call that had a place was certainly never sent.
    pub fn give_back(&mut self) {
        self.window.give_back();
        if let Some(fleet) = &mut self.fleet {
            fleet.end(None);
        }
    }

    /// A call was refused by the bank for want of allowance, be its place settled or not. See
    /// [`Pressure::refused`].
    pub fn throttled(&mut self, retry_after: Option<Duration>, sent_at: Micros, now: Micros) {
        self.pressure
            .refused(retry_after, self.settings.span, sent_at, now);
    }

    /// The bank says how much is left, and in how long there is more.
    pub fn observe(&mut self, remaining: u32, reset: Duration, now: Micros) {
        let reset = reset.min(self.settings.span);
        if self.fleet.as_ref().is_some_and(Fleet::is_joined) {
            // What is left was left by all who share it, and how much they have used meanwhile is
            // not known here. That nothing is left holds for all.
            if remaining == 0 {
                self.pressure.hold(now.plus(reset));
            }
            return;
        }
        self.window.note_foreign(remaining, now.plus(reset), now);
    }

    /// When to ask [`Budget::grant`] and [`Budget::expire`] again, if nothing else happens before;
    /// `None` while nobody waits.
    pub fn wake_at(&mut self, now: Micros) -> Option<Micros> {
        let deadline = self.room.next_deadline()?;
        if self.fleet.as_ref().is_some_and(Fleet::is_joined) {
            // A place comes from the store, not by itself.
            let paused = self.pressure.paused_until(now);
            return Some(paused.map_or(deadline, |until| until.min(deadline)));
        }
        let waiting = Priority::ALL.iter().filter(|p| self.room.has(**p));
        let waiting: Vec<Priority> = waiting.copied().collect();
        let free = waiting.into_iter().map(|p| self.free_at(1, p, now)).min();
        let change = self.fleet.as_ref().and_then(|fleet| fleet.change_at(now));
        let next = [free, change].into_iter().flatten();
        // Whatever is free by now was given just before: nobody asks again in the same moment.
        let next = next.min().map(|at| at.max(now.plus(BLINK)));
        Some(next.map_or(deadline, |next| next.min(deadline)))
    }

    /// How long a call of a priority would wait for a place if it came now, at most.
    pub fn wait_for(&mut self, priority: Priority, now: Micros) -> Duration {
        let ahead = u32::try_from(self.room.ahead_of(priority)).unwrap_or(u32::MAX);
        self.free_at(ahead.saturating_add(1), priority, now)
            .since(now)
    }

    /// How it stands.
    pub fn standing(&mut self, now: Micros) -> Standing {
        let next_at = self.free_at(1, Priority::Batch, now);
        let joined = self.fleet.as_ref().filter(|fleet| fleet.is_joined());
        let elsewhere = joined.map_or(0, Fleet::total);
        Standing {
            limit: self.window.limit(),
            allowed: self.allowed(Priority::Money, now),
            used: self.window.used(now).max(elsewhere),
            waiting: self.room.len(),
            next_at,
        }
    }

    /// What a priority may use of the window.
    fn allowed(&mut self, priority: Priority, now: Micros) -> u32 {
        let mut allowed = self.pressure.allowed(self.settings.span, now);
        if let Some(Means::Cap(cap)) = self.fleet.as_mut().map(|fleet| fleet.means(now)) {
            allowed = allowed.min(cap);
        }
        self.part_of(allowed, priority)
    }

    /// What a priority may use of so many places.
    fn part_of(&self, allowed: u32, priority: Priority) -> u32 {
        match priority {
            Priority::Money => allowed,
            _ if allowed == 0 => 0,
            _ => allowed.saturating_sub(self.settings.kept_for_money).max(1),
        }
    }

    fn may_go(&mut self, priority: Priority, now: Micros) -> bool {
        if self.pressure.paused_until(now).is_some() {
            return false;
        }
        if let Some(Means::Stock(stock)) = self.fleet.as_mut().map(|fleet| fleet.means(now)) {
            return stock > 0;
        }
        self.window.used(now) < self.allowed(priority, now)
            && (now >= self.paced_at || self.window.used(now) < self.unpaced(priority, now))
    }

    /// Places that a priority may take without a pause.
    fn unpaced(&mut self, priority: Priority, now: Micros) -> u32 {
        let percent = UNPACED.iter().find(|(of, _)| *of == priority);
        let percent = percent.map_or(0, |(_, percent)| *percent);
        self.allowed(priority, now).saturating_mul(percent) / 100
    }

    /// The pause after a call for those that are paced: the time in which the window gives one
    /// place back, on average; and where a burst has left few places, so long that they last until
    /// the first comes back.
    fn pace(&mut self, now: Micros) -> Duration {
        let allowed = self.allowed(Priority::Money, now);
        let average = self.settings.span / allowed.max(1);
        let used = self.window.used(now);
        let free = allowed.saturating_sub(used);
        let until_back = self.window.free_at(1, used, now).since(now);
        until_back
            .checked_div(free)
            .map_or(average, |spread| spread.max(average))
    }

    fn take(&mut self, now: Micros) {
        self.window.take();
        if let Some(fleet) = &mut self.fleet {
            fleet.take();
        }
        let pace = self.pace(now);
        // Who wakes a little late must not slow all that follow, so the pace goes on from when this
        // one could have gone, one pace ago at the earliest.
        self.paced_at = self.paced_at.plus(pace).max(now);
        // A burst of urgent calls must not hold the others up for longer than the window does.
        self.paced_at = self.paced_at.min(now.plus(pace));
    }

    /// When, at the latest, the `nth` place for a priority is free.
    fn free_at(&mut self, nth: u32, priority: Priority, now: Micros) -> Micros {
        let joined = self.fleet.as_ref().filter(|fleet| fleet.is_joined());
        if let Some(fleet) = joined {
            let free = fleet.place_at(nth, now);
            let paused = self.pressure.paused_until(now);
            return paused.map_or(free, |until| free.max(until));
        }
        let mut allowed = self.allowed(priority, now);
        let mut free = now;
        if let Some((from, cap)) = self.fleet.as_ref().and_then(|fleet| fleet.prospect(now)) {
            let all = self.pressure.allowed(self.settings.span, now).min(cap);
            allowed = self.part_of(all, priority);
            free = from;
        }
        free = free.max(self.window.free_at(nth, allowed, now));
        let used = self.window.used(now);
        if used.saturating_add(nth) > self.unpaced(priority, now) {
            let pauses = self.pace(now).saturating_mul(nth.saturating_sub(1));
            free = free.max(self.paced_at.max(now).plus(pauses));
        }
        self.pressure
            .paused_until(now)
            .map_or(free, |until| free.max(until))
    }
}
