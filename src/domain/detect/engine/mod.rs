//! The engine: what it remembers, and what it does with each event.

mod judge;
mod ledger;
mod look;
mod remember;
mod tell;

pub use ledger::Position;

use std::collections::VecDeque;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::counter::Moment;
use super::event::{Answer, Event};
use super::incident::Incidents;
use super::operation::Operation;
use super::place::{NetworkList, NetworkMap, Place, Prefix};
use super::profile::Profile;
use super::rows::{Subject, Token, WAIT};
use super::rules::PerCaller;
use super::scene::{Scene, Sign};
use super::settings::Settings;
use super::table::Table;
use super::tenant::{Tenant, side};

/// Milliseconds after which a mint is looked at for the first time, and for good.
const EARLY: i64 = 40_000;
const LATE: i64 = WAIT as i64 * 1000;
/// Milliseconds after which all callers are looked at, even if nothing happens.
const STEP: i64 = 300_000;
/// Steps without any event after which there is nothing left to be seen: two days.
const MOST_STEPS: i64 = 576;
/// An event that is farther ahead of the newest one, in milliseconds, has a wrong time: 400 days.
const LONGEST_GAP: i64 = 400 * 86_400_000;
/// Operation names whose meaning is kept at hand.
const MAX_OPERATIONS: usize = 4096;

/// A mint whose use is waited for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pending {
    at: i64,
    id: u128,
    /// The token of a service; the customer for whom it was minted otherwise.
    key: u64,
    /// Where its row was, since it is looked for twice.
    #[serde(skip)]
    hint: u32,
    caller: u16,
    service: bool,
    dormant: bool,
    unknown: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Caller {
    hash: u64,
    profile: Profile,
    detectors: Box<PerCaller>,
}

/// Everything that is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// The newest moment, in milliseconds; `None` before the first event.
    clock: Option<i64>,
    tenant: Tenant,
    callers: Vec<Caller>,
    subjects: Table<Subject>,
    tokens: Table<Token>,
    pending: VecDeque<Pending>,
    /// How many of them, from the front, had their first look.
    looked: usize,
    /// Mints that were not waited for, since too many were.
    overflow: u64,
    incidents: Incidents,
    events: u64,
}

/// Figures about the engine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Events that were judged.
    pub events: u64,
    /// Callers with a profile.
    pub callers: usize,
    /// Subjects that are remembered, and how many had to be given up.
    pub subjects: usize,
    /// Subjects that had to be given up.
    pub subjects_evicted: u64,
    /// Tokens that are remembered.
    pub tokens: usize,
    /// Tokens that had to be given up.
    pub tokens_evicted: u64,
    /// Mints that were not waited for.
    pub mints_overflowed: u64,
}

/// The detectors over a stream of events, in event time.
pub struct Detection {
    settings: Settings,
    own: NetworkList,
    state: State,
    index: HashTable<u16>,
    operations: HashTable<(u64, Operation)>,
    signs: Vec<Sign>,
}

impl Detection {
    /// Begins with nothing known.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let bounds = settings.bounds;
        Self::with(
            settings,
            State {
                clock: None,
                tenant: Tenant::default(),
                callers: Vec::new(),
                subjects: Table::new(bounds.subjects),
                tokens: Table::new(bounds.tokens),
                pending: VecDeque::new(),
                looked: 0,
                overflow: 0,
                incidents: Incidents::default(),
                events: 0,
            },
        )
    }

    pub(super) fn with(settings: Settings, state: State) -> Self {
        let own = settings.own_networks.iter().filter_map(|text| {
            let own = Place {
                own: true,
                ..Place::default()
            };
            Prefix::parse(text).map(|prefix| (prefix, own))
        });
        let mut index = HashTable::with_capacity(state.callers.len());
        for (at, caller) in state.callers.iter().enumerate() {
            index.insert_unique(caller.hash, at as u16, |_| 0);
        }
        let mut detection = Self {
            own: NetworkList::new(own),
            settings,
            state,
            index: HashTable::new(),
            operations: HashTable::new(),
            signs: Vec::new(),
        };
        detection.reindex();
        detection
    }

    fn reindex(&mut self) {
        let callers = &self.state.callers;
        let hash_at = |at: &u16| {
            callers
                .get(usize::from(*at))
                .map_or(0, |caller| caller.hash)
        };
        self.index.clear();
        for (at, caller) in callers.iter().enumerate() {
            self.index.insert_unique(caller.hash, at as u16, hash_at);
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Figures about the engine itself.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let state = &self.state;
        Figures {
            events: state.events,
            callers: state.callers.len(),
            subjects: state.subjects.len(),
            subjects_evicted: state.subjects.evicted(),
            tokens: state.tokens.len(),
            tokens_evicted: state.tokens.evicted(),
            mints_overflowed: state.overflow,
        }
    }

    /// Takes an event in and appends what is to be told.
    pub fn observe(&mut self, event: &Event<'_>, map: &dyn NetworkMap, told: &mut Vec<Alert>) {
        let at = match self.state.clock {
            None => event.at,
            // A slip of the pen must not stop the clock for all that follow.
            Some(clock) if event.at.saturating_sub(clock) > LONGEST_GAP => clock,
            Some(clock) => clock.max(event.at),
        };
        self.advance(at, told);
        let now = Moment::new(at);
        if self.state.events == 0 {
            self.state.tenant.first = now.second;
        }
        self.state.events += 1;
        if event.load_test || self.is_load_test(event) {
            return;
        }
        let caller = self.caller(event, now);
        let call = self.look(event, map, caller, now);
        let state = &mut self.state;
        let troubled = call.answer == Answer::Trouble;
        state.tenant.weather(event, troubled, now);
        let slack = if state.tenant.is_unsettled(call.provider, now.second) {
            2.0
        } else {
            1.0
        };
        let Some(known) = state.callers.get_mut(usize::from(caller)) else {
            return;
        };
        known.profile.calls += 1;
        known.profile.own_calls += u64::from(call.place.own);
        known.profile.last = now.second;
        let mut scene = Scene {
            now,
            profile: &mut known.profile,
            tenant: &mut state.tenant,
            tokens: &state.tokens,
            settings: &self.settings,
            signs: &mut self.signs,
            slack,
        };
        known.detectors.observe(&mut scene, &call);
        if call.minted.is_some() {
            scene.profile.mint_ip = event.ip;
        }
        let side = side(event.environment);
        if let Some(counter) = scene.tenant.calls.get_mut(side) {
            counter.add(now, event.id);
        }
        if let Some(total) = scene.tenant.total.get_mut(side) {
            *total = total.saturating_add(1);
        }
        if call.minted.is_some()
            && let Some(counter) = scene.tenant.mints.get_mut(side)
        {
            counter.add(now, event.id);
        }
        self.remember(&call, now);
        self.tell(caller, Some(event), now, told);
    }

    /// Lets time pass: what was waited for until `at` (milliseconds since 1970) is judged. A live
    /// feed calls it with the time up to which it has seen every event, so that live and replayed
    /// detection agree.
    pub fn advance(&mut self, at: i64, told: &mut Vec<Alert>) {
        let clock = match self.state.clock {
            None => at,
            Some(clock) if clock >= at => return,
            Some(clock) => clock,
        };
        // Step by step, so that it does not matter in how many calls the time has passed.
        let mut step = clock.div_euclid(STEP);
        let last = at.div_euclid(STEP);
        while step < last {
            step += 1;
            if step > clock.div_euclid(STEP) + MOST_STEPS {
                // Nothing waits longer than that.
                step = last;
            }
            let now = step * STEP;
            self.judge(now, told);
            self.each(Moment::new(now), told);
        }
        self.judge(at, told);
        self.state.clock = Some(at);
    }

    fn is_load_test(&self, event: &Event<'_>) -> bool {
        let tests = &self.settings.load_tests;
        tests
            .iter()
            .any(|test| (test.from..test.to).contains(&event.at) && test.caller == event.caller)
    }
}
