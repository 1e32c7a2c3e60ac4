//! A budget that several gateways share: what this one has of it in hand, and what it must tell
//! the store that all of them ask.
//!
//! The store leases places. A leased place counts against the limit from the moment it is leased,
//! for as long as a call with it may take plus one window; when the call is answered the store is
//! told, and the place counts for one window from then. So the store never believes that less is
//! used than the bank does, and no gateway needs the store's clock: what it tells are spans.
//!
//! While the store is away, each goes on with its part of the limit, and until a window has passed
//! with no more than it had in hand when the store went: what the others have is not known.

use std::collections::VecDeque;
use std::time::Duration;

use super::window::Window;
use crate::types::Micros;

/// A leased place that no call has taken is given back after so many rounds.
const LEASE_ROUNDS: u32 = 10;
/// Bounds of the time between two rounds while nothing is urgent: a hundredth of the window.
const ROUND: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Calls may overrun their time a little, by the time of a timer and of a busy machine.
const OVERRUN: Duration = Duration::from_secs(5);
/// The store takes a gateway for silent after so many rounds (`share.lua` knows it, too), and counts
/// its part of the limit as taken; so long a gateway that hears nothing takes nothing.
const SILENT_ROUNDS: u32 = 4;
/// Calls are taken to come on for so many rounds after the last one, and stock is kept for them.
const BUSY_ROUNDS: u32 = 60;
/// A slice is the limit divided by this, and at most [`MAX_SLICE`]: small enough to leave the others
/// theirs, large enough that hardly a call waits for the store.
const SLICE: u32 = 20;
const MAX_SLICE: u32 = 64;

/// How a budget is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetSettings {
    /// How many gateways share it at least.
    pub replicas: u32,
    /// The longest that a call may take.
    pub longest_call: Duration,
    /// Whether to stay in touch with the store also while no call comes.
    pub is_lasting: bool,
}

/// What to tell the store, and to ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// All that this gateway has taken: the store does not know, or has forgotten.
    Adopt {
        /// Number of the first place.
        from: u64,
        /// Calls that are under way.
        open: u32,
        /// In how long each of the others no longer counts.
        counted: Vec<Duration>,
    },
    /// What has changed.
    Round {
        /// The store that the gateway believes to speak to.
        epoch: u64,
        /// Number of the first place that is leased.
        from: u64,
        /// Places whose call was answered, and how long ago.
        settled: Vec<(u64, Duration)>,
        /// Places that were not used.
        returned: Vec<u64>,
        /// What this gateway may take where the store does not know all: after it has forgotten.
        ceiling: u32,
        /// Calls that wait, by priority.
        waiting: [u32; 4],
        /// Nothing is taken and nothing will be without asking: there is no need to count with this
        /// gateway.
        leaves: bool,
        /// Places to have in stock.
        wanted: u32,
    },
}

/// What the store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Which store it is: another after it has lost its memory.
    pub epoch: u64,
    /// Whether it knows this gateway. If not it has leased nothing.
    pub knows: bool,
    /// Places leased, numbered from what was asked.
    pub granted: u32,
    /// Places that all have taken, those included.
    pub total: u32,
    /// Ask again then if calls wait.
    pub next_in: Duration,
    /// Gateways that have asked lately.
    pub live: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The store has not been asked yet.
    New,
    /// The store is away, or has forgotten what was taken.
    Away,
    /// The store knows what was taken.
    Joined,
}

/// What this gateway has of a shared budget.
#[derive(Debug)]
pub struct Fleet {
    settings: FleetSettings,
    limit: u32,
    span: Duration,
    state: State,
    /// When the store was lost.
    lost_at: Micros,
    /// What was taken or in stock then; a new gateway had nothing and takes its part.
    held_then: u32,
    epoch: u64,
    /// Leased and not taken, with the time until which they may be.
    stock: VecDeque<(u64, Micros)>,
    /// Taken by calls under way.
    open: VecDeque<u64>,
    settled: Vec<(u64, Micros)>,
    returned: Vec<u64>,
    next: u64,
    /// A message is under way since then, and it was an adoption.
    pending: Option<(Micros, bool)>,
    /// Calls that were answered, or never sent, while an adoption was under way.
    ended_meanwhile: Vec<Option<Micros>>,
    told_at: Micros,
    ask_at: Micros,
    /// Somebody has begun to wait since the store was asked.
    urgent: bool,
    asked_since: bool,
    /// When calls came last.
    busy_at: Micros,
    /// The store was told not to count with this gateway.
    has_left: bool,
    total: u32,
    live: u32,
}

/// What may be taken at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Places in hand.
    Stock(u32),
    /// Places in all, counted here.
    Cap(u32),
}

impl Fleet {
    pub(super) fn new(settings: FleetSettings, limit: u32, span: Duration, now: Micros) -> Self {
        Self {
            settings,
            limit,
            span,
            state: State::New,
            lost_at: now,
            held_then: u32::MAX,
            epoch: 0,
            stock: VecDeque::new(),
            open: VecDeque::new(),
            settled: Vec::new(),
            returned: Vec::new(),
            next: 1,
            pending: None,
            ended_meanwhile: Vec::new(),
            told_at: Micros(i64::MIN),
            ask_at: now,
            urgent: false,
            asked_since: false,
            busy_at: Micros(i64::MIN),
            has_left: false,
            total: 0,
            live: 1,
        }
    }

    /// The time between two rounds while nothing is urgent.
    pub fn round(&self) -> Duration {
        (self.span / 100).clamp(ROUND.0, ROUND.1)
    }

    /// For how long a leased place may be kept for a call.
    fn lease(&self) -> Duration {
        self.round() * LEASE_ROUNDS
    }

    /// For how long the store counts a place of which it hears nothing more.
    pub fn bound(&self) -> Duration {
        self.lease() + self.settings.longest_call + OVERRUN + self.span
    }

    /// What this gateway may use while the store is away.
    pub fn share(&self) -> u32 {
        (self.limit / self.settings.replicas.max(self.live).max(1)).max(1)
    }

    /// What each live gateway always can have, so that none is without anything when the store goes
    /// away.
    pub fn floor(&self) -> u32 {
        self.limit / 100
    }

    /// Whether the store knows what was taken.
    pub fn is_joined(&self) -> bool {
        self.state == State::Joined
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }

    pub(super) fn means(&mut self, now: Micros) -> Means {
        match self.state {
            State::Joined => {
                while self.stock.front().is_some_and(|(_, until)| *until <= now) {
                    self.returned
                        .extend(self.stock.pop_front().map(|(id, _)| id));
                }
                Means::Stock(u32::try_from(self.stock.len()).unwrap_or(u32::MAX))
            }
            // While the store is told what was taken, nothing more is.
            State::New => Means::Cap(0),
            State::Away if self.pending.is_some() || now < self.silent_at() => Means::Cap(0),
            State::Away => Means::Cap(self.ceiling(now)),
        }
    }

    /// What this gateway may take where not all is known that the others have: its part, and until
    /// nothing counts any more of what was taken when the store was lost, no more than it had then.
    pub(super) fn ceiling(&self, now: Micros) -> u32 {
        if now < self.lost_at.plus(self.bound()) {
            self.held_then.min(self.share())
        } else {
            self.share()
        }
    }

    /// From then on the store counts this gateway's part as taken, if it hears nothing of it.
    fn silent_at(&self) -> Micros {
        self.told_at.plus(self.round() * SILENT_ROUNDS)
    }

    /// When this gateway may take more by itself than now, if ever.
    pub(super) fn change_at(&self, now: Micros) -> Option<Micros> {
        if self.state != State::Away {
            return None;
        }
        let changes = [self.silent_at(), self.lost_at.plus(self.bound())];
        changes.into_iter().filter(|at| *at > now).min()
    }

    /// What may be taken soon while the store is away, and from when on; `None` while it is not.
    pub(super) fn prospect(&self, now: Micros) -> Option<(Micros, u32)> {
        let over = self.lost_at.plus(self.bound());
        match (self.state, self.ceiling(now)) {
            (State::Joined, _) => None,
            (State::New, _) => Some((now, self.share())),
            (State::Away, 0) => Some((over.max(now), self.share())),
            (State::Away, ceiling) => Some((self.silent_at().max(now), ceiling)),
        }
    }

    /// When the `nth` place may come, roughly.
    pub(super) fn place_at(&self, nth: u32, now: Micros) -> Micros {
        let stock = u32::try_from(self.stock.len()).unwrap_or(u32::MAX);
        let Some(beyond) = nth.checked_sub(stock).filter(|beyond| *beyond > 0) else {
            return now;
        };
        let pace = self.span / self.limit.max(1) * self.live.max(1);
        let pauses = pace.saturating_mul(beyond - 1);
        // Where something is free the store gives it at once; else it has said when.
        let next = if self.total < self.limit {
            now
        } else {
            self.ask_at.max(now)
        };
        next.plus(pauses)
    }

    /// A call takes a place.
    pub(super) fn take(&mut self) {
        self.asked_since = true;
        self.has_left = false;
        if self.is_joined()
            && let Some((id, _)) = self.stock.pop_front()
        {
            self.open.push_back(id);
        }
    }

    /// A call begins to wait.
    pub(super) fn wait(&mut self) {
        self.asked_since = true;
        self.has_left = false;
        self.urgent = true;
    }

    /// A call is over, since `at` if the bank may have counted it.
    pub(super) fn end(&mut self, at: Option<Micros>) {
        if self.pending.is_some_and(|(_, adopts)| adopts) {
            self.ended_meanwhile.push(at);
            return;
        }
        self.close(at);
    }

    fn close(&mut self, at: Option<Micros>) {
        // Places are alike: any that is open will do.
        if let Some(id) = self.open.pop_front() {
            match at {
                Some(at) => self.settled.push((id, at)),
                None => self.returned.push(id),
            }
        }
    }

    /// When to speak to the store; `None` while it need not be spoken to.
    pub(super) fn sync_at(&self, waiting: usize, now: Micros) -> Option<Micros> {
        if self.pending.is_some() {
            return None;
        }
        let State::Joined = self.state else {
            return Some(now);
        };
        let has_news = !self.settled.is_empty() || !self.returned.is_empty();
        if self.has_left && waiting == 0 && !has_news && !self.asked_since {
            return None;
        }
        let mut at = self.told_at.plus(self.round());
        if waiting > 0 && self.stock.is_empty() {
            at = at.min(if self.urgent { now } else { self.ask_at });
        }
        if self.asked_since && self.wanted(now) > 0 {
            at = now;
        }
        Some(at.max(now))
    }

    /// Places to have in stock: a slice, if half of one is gone and calls come.
    fn wanted(&self, now: Micros) -> u32 {
        let slice = (self.limit / SLICE).clamp(1, MAX_SLICE);
        let stock = u32::try_from(self.stock.len()).unwrap_or(u32::MAX);
        if self.is_busy(now) && stock <= slice / 2 && self.is_roomy() {
            slice - stock.min(slice)
        } else {
            0
        }
    }

    /// Whether calls come.
    fn is_busy(&self, now: Micros) -> bool {
        self.asked_since || now < self.busy_at.plus(self.round() * BUSY_ROUNDS)
    }

    /// Whether so little is used that places may be kept in stock.
    fn is_roomy(&self) -> bool {
        self.total < self.limit / 2
    }

    /// What to tell the store.
    pub(super) fn message(
        &mut self,
        waiting: [u32; 4],
        window: &mut Window,
        now: Micros,
    ) -> Message {
        let State::Joined = self.state else {
            self.pending = Some((now, true));
            let open = window.open();
            let counted = window.counted(now).map(|until| until.since(now));
            return Message::Adopt {
                from: self.next,
                open,
                counted: counted.collect(),
            };
        };
        self.pending = Some((now, false));
        self.urgent = false;
        if std::mem::take(&mut self.asked_since) {
            self.busy_at = now;
        }
        let wanted = self.wanted(now);
        if !self.is_busy(now) || !self.is_roomy() {
            // Nobody has come for it for long, or others need it.
            let stock = std::mem::take(&mut self.stock);
            self.returned.extend(stock.into_iter().map(|(id, _)| id));
        }
        self.has_left = !self.settings.is_lasting
            && waiting == [0; 4]
            && wanted == 0
            && self.stock.is_empty()
            && self.open.is_empty()
            && window.used(now) == 0;
        let settled = std::mem::take(&mut self.settled).into_iter();
        Message::Round {
            epoch: self.epoch,
            from: self.next,
            settled: settled.map(|(id, at)| (id, now.since(at))).collect(),
            returned: std::mem::take(&mut self.returned),
            ceiling: self.ceiling(now),
            waiting,
            leaves: self.has_left,
            wanted,
        }
    }

    /// What the store has said to the last message. `used` is what is taken here.
    pub(super) fn heard(&mut self, reply: Reply, used: u32, now: Micros) {
        let Some((asked_at, adopts)) = self.pending.take() else {
            return;
        };
        self.told_at = now;
        self.live = reply.live.max(1);
        self.total = reply.total;
        self.ask_at = now.plus(reply.next_in);
        if !reply.knows {
            self.forget(now, used);
            return;
        }
        self.epoch = reply.epoch;
        if adopts {
            // The first of the numbers are those of the calls under way.
            self.state = State::Joined;
            self.open = (self.next..).take(reply.granted as usize).collect();
            self.next += u64::from(reply.granted);
            for at in std::mem::take(&mut self.ended_meanwhile) {
                self.close(at);
            }
            self.ask_at = now;
            self.urgent = true;
            return;
        }
        let until = asked_at.plus(self.lease());
        let ids = (self.next..).take(reply.granted as usize);
        self.stock.extend(ids.map(|id| (id, until)));
        self.next += u64::from(reply.granted);
    }

    /// The store cannot be reached since then. `used` is what is taken here.
    pub(super) fn lost(&mut self, used: u32, since: Micros) {
        self.pending = None;
        match self.state {
            State::New => {
                self.state = State::Away;
                self.lost_at = since;
            }
            State::Away => {}
            State::Joined => {
                let stock = u32::try_from(self.stock.len()).unwrap_or(u32::MAX);
                let floor = if self.has_left { 0 } else { self.floor() };
                self.forget(since, used.saturating_add(stock).max(floor));
            }
        }
        self.ended_meanwhile.clear();
    }

    fn forget(&mut self, now: Micros, cap: u32) {
        self.state = State::Away;
        self.lost_at = now;
        self.held_then = cap;
        self.stock.clear();
        self.open.clear();
        self.settled.clear();
        self.returned.clear();
    }
}
