//! One budget that all threads share, and the places that it gives.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::fleet::Fleet;
use super::timer::Timer;
use super::{Counts, Family, Limits};
use crate::adapters::clock::Steady;
use crate::domain::quota::{
    Answer, Ask, Budget, FleetSettings, Part, Plan, Refused, Standing, Throttle, Ticket, Told,
};
use crate::types::{Environment, Micros, Priority};

/// One budget that all threads share.
pub struct Gate {
    plan: ArcSwap<Plan>,
    name: Arc<str>,
    pub(super) clock: Steady,
    counts: Arc<Counts>,
    timer: Arc<Timer>,
    fleet: Option<Arc<Fleet>>,
    environment: Environment,
    part: Part,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) budget: Budget,
    waiting: HashMap<Ticket, oneshot::Sender<Place>>,
    /// The timer knows it.
    is_timed: bool,
    /// The task that speaks to the shared store knows it.
    is_synced: bool,
}

/// A call cannot go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub why: Throttle,
    /// It makes no sense to ask again before.
    pub retry_after: Duration,
    /// How the budget stands.
    pub standing: Standing,
    /// In how long there is more.
    pub reset: Duration,
}

impl Gate {
    pub(super) fn new(
        limits: &Limits,
        family: &Family,
        environment: Environment,
        part: &Part,
    ) -> Self {
        let plan = family.plan.load_full();
        let settings = plan.settings;
        let fleet = limits.fleet.as_ref().filter(|_| !settings.shadow);
        let budget = match fleet {
            None => Budget::new(settings),
            Some(fleet) => {
                let shared = FleetSettings {
                    replicas: fleet.replicas(),
                    longest_call: plan.longest_call,
                    is_lasting: *part == Part::All,
                };
                Budget::shared(settings, shared, limits.clock.now())
            }
        };
        Self {
            fleet: fleet.cloned(),
            environment,
            part: part.clone(),
            clock: limits.clock,
            counts: Arc::clone(&family.counts),
            timer: Arc::clone(&limits.timer),
            state: Mutex::new(State {
                budget,
                waiting: HashMap::new(),
                is_timed: false,
                is_synced: false,
            }),
            name: Arc::clone(&plan.name),
            plan: ArcSwap::new(plan),
        }
    }

    /// What was planned.
    pub fn plan(&self) -> Guard<Arc<Plan>> {
        self.plan.load()
    }

    /// Goes on with another plan: what is used stays used, and who waits waits on.
    pub(super) fn retune(&self, plan: &Arc<Plan>) {
        let mut state = self.state.lock();
        state.budget.retune(plan.settings, self.clock.now());
        self.plan.store(Arc::clone(plan));
    }

    /// A place for a call, at once or within its patience.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn admit(
        self: &Arc<Self>,
        caller: Arc<str>,
        priority: Priority,
        patience: Duration,
    ) -> Result<Place, Denied> {
        let asked_at = self.clock.now();
        let ask = Ask {
            caller,
            priority,
            deadline: asked_at.plus(patience),
        };
        let (ticket, place) = match self.ask(ask, asked_at) {
            Asked::Go(place) => return Ok(place),
            Asked::Wait(ticket, place) => (ticket, place),
            Asked::Refused(refused) => return Err(self.deny(refused)),
        };
        let leave = Leave { gate: self, ticket };
        let place = place.await;
        drop(leave);
        let waited = self.clock.now().since(asked_at);
        Counts::add(&self.counts.waited, 1);
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        Counts::add(&self.counts.waited_us, micros);
        place.map_err(|_| {
            let now = self.clock.now();
            let retry_after = self.state.lock().budget.wait_for(priority, now);
            let why = Throttle::TooLate;
            self.deny(Refused { why, retry_after })
        })
    }

    fn ask(self: &Arc<Self>, ask: Ask, now: Micros) -> Asked {
        let mut state = self.state.lock();
        // Who was not watched was not told either.
        if !state.is_synced
            && let Some(since) = self.fleet.as_ref().and_then(|fleet| fleet.lost_at())
        {
            state.budget.lost(since, now);
        }
        let answer = state.budget.ask(ask, now);
        self.sync(&mut state, now);
        match answer {
            Answer::Go { over } => {
                if over {
                    Counts::add(&self.counts.over, 1);
                }
                Asked::Go(self.place())
            }
            Answer::Refused(refused) => Asked::Refused(refused),
            Answer::Wait(ticket) => {
                let (sender, place) = oneshot::channel();
                state.waiting.insert(ticket, sender);
                let is_known = std::mem::replace(&mut state.is_timed, true);
                drop(state);
                self.timer.watch((!is_known).then(|| Arc::clone(self)));
                Asked::Wait(ticket, place)
            }
        }
    }

    /// Has the shared store spoken to, if it is time.
    fn sync(self: &Arc<Self>, state: &mut State, now: Micros) {
        let Some(fleet) = &self.fleet else {
            return;
        };
        let is_due = state.budget.sync_at(now).is_some_and(|at| at <= now);
        let is_known = std::mem::replace(&mut state.is_synced, true);
        if is_due || !is_known {
            fleet.watch((!is_known).then(|| Arc::clone(self)));
        }
    }

    /// Name in the shared store.
    pub(super) fn key(&self) -> String {
        let (name, environment) = (&self.name, self.environment);
        match &self.part {
            Part::All => format!("{name}/{environment}"),
            Part::Of(hash) => {
                let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{name}/{environment}/{hash}")
            }
            Part::Caller(caller) => format!("{name}/{environment}/{caller}"),
        }
    }

    /// When the shared store is to be spoken to; `None` if the task that does may forget the gate.
    pub(super) fn sync_at(&self, now: Micros) -> Option<Micros> {
        let mut state = self.state.lock();
        let at = state.budget.sync_at(now);
        state.is_synced = at.is_some();
        at
    }

    /// Does something with the budget and the time.
    pub(super) fn with_budget<T>(&self, work: impl FnOnce(&mut Budget, Micros) -> T) -> T {
        let mut state = self.state.lock();
        work(&mut state.budget, self.clock.now())
    }

    /// Lets the timer look again.
    pub(super) fn wake(&self) {
        self.timer.watch(None);
    }

    fn place(self: &Arc<Self>) -> Place {
        Counts::add(&self.counts.admitted, 1);
        Place {
            gate: Arc::clone(self),
            stage: Stage::Unsent,
        }
    }

    fn deny(&self, refused: Refused) -> Denied {
        Counts::add(&self.counts.refused, 1);
        let now = self.clock.now();
        let standing = self.standing(now);
        Denied {
            why: refused.why,
            retry_after: refused.retry_after,
            standing,
            reset: standing.next_at.since(now),
        }
    }

    /// How it stands.
    pub fn standing(&self, now: Micros) -> Standing {
        self.state.lock().budget.standing(now)
    }

    /// Whether nothing is known of it that matters: no call counts, none waits.
    pub(super) fn is_idle(&self) -> bool {
        let standing = self.standing(self.clock.now());
        standing.used == 0 && standing.waiting == 0 && standing.allowed == standing.limit
    }

    /// Lets those go whose turn it is and sends those away whose time is over. Gives the time of the
    /// next turn; `None` if nobody waits.
    pub(super) fn turn(self: &Arc<Self>) -> Option<Micros> {
        let now = self.clock.now();
        let mut granted = Vec::new();
        let next = {
            let mut state = self.state.lock();
            for ticket in state.budget.expire(now) {
                state.waiting.remove(&ticket);
            }
            while let Some(grant) = state.budget.grant(now) {
                granted.push(state.waiting.remove(&grant.ticket));
            }
            state.budget.wake_at(now)
        };
        for sender in granted {
            // Without the lock: a place that nobody takes any more gives itself back.
            if let Some(sender) = sender {
                let _ = sender.send(self.place());
            } else {
                drop(self.place());
            }
        }
        next
    }

    /// As [`Gate::turn`], for the timer: where nobody waits it may forget the gate.
    pub(super) fn timed_turn(self: &Arc<Self>) -> Option<Micros> {
        self.turn();
        let mut state = self.state.lock();
        // Somebody may have come since.
        let next = state.budget.wake_at(self.clock.now());
        state.is_timed = next.is_some();
        next
    }

    fn leave(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        state.budget.leave(ticket);
        state.waiting.remove(&ticket);
    }
}

enum Asked {
    Go(Place),
    Wait(Ticket, oneshot::Receiver<Place>),
    Refused(Refused),
}

/// A call that no longer waits, whatever the reason, leaves the queue.
struct Leave<'g> {
    gate: &'g Gate,
    ticket: Ticket,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.gate.leave(self.ticket);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The bank cannot know of the call.
    Unsent,
    /// It may, since then.
    Sent(Micros),
    /// It has counted it; it was sent then.
    Settled(Micros),
}

/// The right to send one call. It gives itself back if the call was never sent, and counts as sent
/// until it is dropped otherwise.
pub struct Place {
    gate: Arc<Gate>,
    stage: Stage,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "place of {} ({:?})", self.gate.name, self.stage)
    }
}

impl Place {
    /// The budget.
    pub fn plan(&self) -> Guard<Arc<Plan>> {
        self.gate.plan()
    }

    /// From here on the bank may have seen the call.
    pub fn sent(&mut self) {
        if self.stage == Stage::Unsent {
            self.stage = Stage::Sent(self.gate.clock.now());
        }
    }

    /// The bank has answered, and its header said this. `refused` if it did so for want of
    /// allowance.
    pub fn answered(&mut self, told: &Told, refused: bool) {
        self.settle();
        if refused {
            self.refused(told);
            return;
        }
        if let (Some(remaining), Some(reset)) = (told.remaining, told.reset)
            && told.is_about(self.gate.plan().settings.limit)
        {
            let now = self.gate.clock.now();
            let mut state = self.gate.state.lock();
            state.budget.observe(remaining, reset, now);
        }
    }

    /// The bank has refused the call for want of allowance.
    pub fn refused(&mut self, told: &Told) {
        self.settle();
        let now = self.gate.clock.now();
        let Stage::Settled(sent_at) = self.stage else {
            return;
        };
        Counts::add(&self.gate.counts.throttled, 1);
        let mut state = self.gate.state.lock();
        state.budget.throttled(told.pause(), sent_at, now);
    }

    fn settle(&mut self) {
        let now = self.gate.clock.now();
        let sent_at = match self.stage {
            Stage::Unsent => now,
            Stage::Sent(at) => at,
            Stage::Settled(_) => return,
        };
        self.gate.state.lock().budget.settle(now);
        self.stage = Stage::Settled(sent_at);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.stage != Stage::Unsent {
            self.settle();
            return;
        }
        let somebody_waits = {
            let mut state = self.gate.state.lock();
            state.budget.give_back();
            state.is_timed
        };
        if somebody_waits {
            self.gate.timer.watch(None);
        }
    }
}
