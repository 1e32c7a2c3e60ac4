//! The engine: what it remembers, and what it does with each event.

use std::collections::VecDeque;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::alert::{Alert, Baseline, Severity};
use super::counter::Moment;
use super::event::{Answer, Environment, Event, TokenKind};
use super::hash;
use super::incident::Incidents;
use super::operation::Operation;
use super::place::{self, NetworkList, NetworkMap, Place, Prefix};
use super::profile::{FORGET, Novelty, Profile};
use super::rows::{BUSY, MINTED, READ, REFUSED, SANDBOX, Subject, TROUBLED, Token, usual_life};
use super::rules::{Family, PerCaller};
use super::scene::{Call, Class, Judged, Scene, Sign};
use super::seen::Known;
use super::settings::Settings;
use super::table::Table;
use super::tenant::{Tenant, side};

/// Milliseconds after which a mint is looked at for the first time, and for good.
const EARLY: i64 = 40_000;
const LATE: i64 = 300_000;
/// Milliseconds after which all callers are looked at, even if nothing happens.
const STEP: i64 = 300_000;
/// Steps without any event after which there is nothing left to be seen: two days.
const MOST_STEPS: i64 = 576;
/// Operation names whose meaning is kept at hand.
const MAX_OPERATIONS: usize = 4096;

/// A mint whose use is waited for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pending {
    at: i64,
    token: u64,
    subject: u64,
    id: u128,
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
        let at = self
            .state
            .clock
            .map_or(event.at, |clock| clock.max(event.at));
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
        known.profile.last = now.second;
        let mut scene = Scene {
            now,
            profile: &mut known.profile,
            tenant: &mut state.tenant,
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

    /// The number of the event's caller; one is made for a new one.
    fn caller(&mut self, event: &Event<'_>, now: Moment) -> u16 {
        let name = hash::pair(hash::text(event.caller), side(event.environment) as u64);
        let callers = &self.state.callers;
        let is = |at: &u16| {
            callers
                .get(usize::from(*at))
                .is_some_and(|caller| caller.hash == name)
        };
        if let Some(at) = self.index.find(name, is) {
            return *at;
        }
        let most = self.settings.bounds.callers.min(usize::from(u16::MAX));
        let at = callers.len();
        if at >= most {
            // Those beyond the bound share the last profile.
            return (most - 1) as u16;
        }
        let is_last = at + 1 == most;
        let shown = if is_last {
            "(other callers)"
        } else {
            event.caller
        };
        self.state.callers.push(Caller {
            hash: name,
            profile: Profile::new(shown, event.environment, now.second),
            detectors: Box::default(),
        });
        let callers = &self.state.callers;
        let hash_at = |at: &u16| {
            callers
                .get(usize::from(*at))
                .map_or(0, |caller| caller.hash)
        };
        self.index.insert_unique(name, at as u16, hash_at);
        at as u16
    }

    fn operation(&mut self, hash: u64, name: &str) -> Operation {
        if let Some((_, operation)) = self.operations.find(hash, |(known, _)| *known == hash) {
            return *operation;
        }
        let operation = Operation::of(name);
        if self.operations.len() < MAX_OPERATIONS {
            self.operations
                .insert_unique(hash, (hash, operation), |(known, _)| *known);
        }
        operation
    }

    /// Everything that is known of an event, before it changes anything.
    fn look<'a>(
        &mut self,
        event: &'a Event<'a>,
        map: &dyn NetworkMap,
        caller: u16,
        now: Moment,
    ) -> Call<'a> {
        let operation_hash = hash::text(event.operation);
        let operation = self.operation(operation_hash, event.operation);
        let place = self.place(event, map);
        let answer = event.answer();
        let key = |text: &str| if text.is_empty() { 0 } else { hash::text(text) };
        let subject_key = key(event.subject);
        let state = &self.state;
        let minted = event
            .mint
            .filter(|_| answer == Answer::Success)
            .map(|mint| match mint.kind {
                TokenKind::Bank | TokenKind::Organization => Class::Service,
                _ if subject_key != 0 => Class::Customer,
                _ => Class::Service,
            });
        let network = event.ip.map_or(0, place::network);
        let profile = state
            .callers
            .get(usize::from(caller))
            .map(|caller| &caller.profile);
        let novelty = profile.map_or(
            Novelty {
                country: Known::New,
                asn: Known::New,
                network: Known::New,
            },
            |profile| {
                let country = u64::from(u16::from_be_bytes(place.country));
                Novelty {
                    country: profile.countries.known(country, now.second, FORGET),
                    asn: profile.asns.known(u64::from(place.asn), now.second, FORGET),
                    network: profile.networks.known(network, now.second, FORGET),
                }
            },
        );
        Call {
            event,
            operation,
            operation_hash,
            answer,
            place,
            network,
            novelty,
            subject_key,
            subject: state.subjects.get(subject_key).copied(),
            token: state.tokens.get(key(event.token)).copied(),
            minted,
            provider: hash::pair(hash::text(event.provider), side(event.environment) as u64),
            caller,
            strayed: self.has_strayed(event, profile),
        }
    }

    /// Whether a caller that is new here is known in the other environment.
    fn has_strayed(&self, event: &Event<'_>, profile: Option<&Profile>) -> bool {
        if profile.is_none_or(|profile| profile.calls > 0) {
            return false;
        }
        let other = match event.environment {
            Environment::Production => Environment::Sandbox,
            Environment::Sandbox => Environment::Production,
        };
        let name = hash::pair(hash::text(event.caller), side(other) as u64);
        let callers = &self.state.callers;
        let is = |at: &u16| {
            callers
                .get(usize::from(*at))
                .is_some_and(|caller| caller.hash == name)
        };
        !event.caller.is_empty() && self.index.find(name, is).is_some()
    }

    fn place(&self, event: &Event<'_>, map: &dyn NetworkMap) -> Place {
        let mut place = Place {
            country: place::country(event.country),
            asn: event.asn,
            own: false,
        };
        if let Some(ip) = event.ip {
            if let Some(found) = map.look_up(ip) {
                place.own = found.own;
                if place.country == [0; 2] {
                    place.country = found.country;
                }
                if place.asn == 0 {
                    place.asn = found.asn;
                }
            }
            place.own |= self.own.look_up(ip).is_some();
        }
        place
    }

    /// Keeps what later events will be judged by.
    fn remember(&mut self, call: &Call<'_>, now: Moment) {
        self.remember_subject(call, now);
        self.remember_token(call, now);
        if let (Some(class), Some(mint)) = (call.minted, call.event.mint) {
            self.wait(call, class, mint.token, now);
        }
    }

    fn remember_subject(&mut self, call: &Call<'_>, now: Moment) {
        let key = call.subject_key;
        if key == 0 {
            return;
        }
        let subjects = &mut self.state.subjects;
        if call.answer == Answer::Trouble {
            if let Some(row) = subjects.get_mut(key) {
                row.flags |= TROUBLED;
            }
            return;
        }
        if !call.succeeded() {
            return;
        }
        if call.subject.is_none() {
            subjects.insert(Subject::new(key, now.second), now.second);
        }
        let Some(row) = subjects.get_mut(key) else {
            return;
        };
        let hour = now.hour as u16;
        if call.minted == Some(Class::Customer) {
            row.minted = now.second;
            row.uses = 0;
            row.flags &= !TROUBLED;
        } else if !call.operation.mints && !call.event.token_kind.is_broad() {
            row.called = now.second;
            row.uses = row.uses.saturating_add(1);
        }
        if row.hour != hour {
            row.hour = hour;
            row.calls = 0;
            row.mints = 0;
        }
        if call.minted.is_some() {
            row.mints = row.mints.saturating_add(1);
        } else if !call.operation.mints {
            row.calls = row.calls.saturating_add(1);
        }
        if call.event.pii {
            row.flags |= READ;
            row.pii_hour = hour;
        }
    }

    fn remember_token(&mut self, call: &Call<'_>, now: Moment) {
        let event = call.event;
        let sandbox = if event.environment == Environment::Sandbox {
            SANDBOX
        } else {
            0
        };
        let country = u16::from_be_bytes(call.place.country);
        let tokens = &mut self.state.tokens;
        let row = |key: u64, life: u32, flags: u8| Token {
            network: call.network,
            asn: call.place.asn,
            country,
            caller: call.caller,
            flags: flags | sandbox,
            ..Token::new(key, now.second, life)
        };
        if !event.token.is_empty() {
            let key = hash::text(event.token);
            if let Some(token) = tokens.get_mut(key) {
                match call.answer {
                    Answer::Trouble => token.flags |= BUSY,
                    Answer::Unauthenticated => token.flags |= REFUSED,
                    _ => token.uses = token.uses.saturating_add(1),
                }
                if token.country == country {
                    token.used = now.second;
                }
            } else if call.succeeded() {
                let life = usual_life(event.token_kind, event.environment);
                let mut token = row(key, life, 0);
                token.uses = 1;
                tokens.insert(token, now.second);
            }
        }
        if let (Some(mint), Some(_)) = (event.mint, call.minted)
            && !mint.token.is_empty()
        {
            let key = hash::text(mint.token);
            if tokens.get(key).is_none() {
                let life = if mint.ttl > 0 {
                    mint.ttl
                } else {
                    usual_life(mint.kind, event.environment)
                };
                tokens.insert(row(key, life, MINTED), now.second);
            }
        }
    }

    /// Waits for the use of a token that was minted for somebody who was not active.
    fn wait(&mut self, call: &Call<'_>, class: Class, token: &str, now: Moment) {
        let unknown = call.subject.is_none();
        if class == Class::Customer
            && let Some(row) = call.subject
        {
            let waited_for = now.second.saturating_sub(row.minted) < (LATE / 1000) as u32;
            if !row.is_cold(now.second) || (row.minted > 0 && waited_for) {
                return;
            }
        }
        let state = &mut self.state;
        if state.pending.len() >= self.settings.bounds.pending {
            state.pending.pop_front();
            state.looked = state.looked.saturating_sub(1);
            state.overflow += 1;
        }
        state.pending.push_back(Pending {
            at: now.at,
            token: if token.is_empty() {
                0
            } else {
                hash::text(token)
            },
            subject: call.subject_key,
            id: call.event.id,
            caller: call.caller,
            service: class == Class::Service,
            dormant: call.subject.is_some_and(|row| row.is_dormant(now.second)),
            unknown: unknown && class == Class::Customer,
        });
    }

    /// Judges the mints whose time has come, in the order of their times.
    fn judge(&mut self, until: i64, told: &mut Vec<Alert>) {
        loop {
            let first = self.state.pending.front().map(|mint| mint.at + LATE);
            let next = self
                .state
                .pending
                .get(self.state.looked)
                .map(|mint| mint.at + EARLY);
            let early = match (first, next) {
                (_, Some(next)) if next <= until && first.is_none_or(|first| next <= first) => true,
                (Some(first), _) if first <= until => false,
                _ => return,
            };
            let (mint, due) = if early {
                let Some(mint) = self.state.pending.get(self.state.looked).copied() else {
                    return;
                };
                self.state.looked += 1;
                (mint, mint.at + EARLY)
            } else {
                let Some(mint) = self.state.pending.pop_front() else {
                    return;
                };
                self.state.looked = self.state.looked.saturating_sub(1);
                (mint, mint.at + LATE)
            };
            self.judge_one(mint, early, Moment::new(due), told);
        }
    }

    fn judge_one(&mut self, mint: Pending, early: bool, now: Moment, told: &mut Vec<Alert>) {
        let state = &mut self.state;
        let (uses, troubled) = if mint.service {
            match state.tokens.get(mint.token) {
                Some(token) => (token.uses, token.has(BUSY)),
                None => return,
            }
        } else {
            match state.subjects.get(mint.subject) {
                Some(row) => (row.uses, row.flags & TROUBLED != 0),
                None => return,
            }
        };
        if troubled {
            return;
        }
        let judged = Judged {
            class: if mint.service {
                Class::Service
            } else {
                Class::Customer
            },
            early,
            uses,
            dormant: mint.dormant,
            unknown: mint.unknown,
            id: mint.id,
        };
        let slack = if state.tenant.is_anything_unsettled(now.second) {
            2.0
        } else {
            1.0
        };
        let Some(caller) = state.callers.get_mut(usize::from(mint.caller)) else {
            return;
        };
        let mut scene = Scene {
            now,
            profile: &mut caller.profile,
            tenant: &mut state.tenant,
            settings: &self.settings,
            signs: &mut self.signs,
            slack,
        };
        caller.detectors.judge(&mut scene, &judged);
        self.tell(mint.caller, None, now, told);
    }

    /// Lets every caller's detectors look at the time that is over.
    fn each(&mut self, now: Moment, told: &mut Vec<Alert>) {
        for at in 0..self.state.callers.len() {
            let state = &mut self.state;
            let slack = if state.tenant.is_anything_unsettled(now.second) {
                2.0
            } else {
                1.0
            };
            if let Some(caller) = state.callers.get_mut(at) {
                let mut scene = Scene {
                    now,
                    profile: &mut caller.profile,
                    tenant: &mut state.tenant,
                    settings: &self.settings,
                    signs: &mut self.signs,
                    slack,
                };
                caller.detectors.pause(&mut scene);
            }
            self.tell(at as u16, None, now, told);
        }
    }

    /// Files the signs that were found and appends what is to be told.
    fn tell(&mut self, caller: u16, event: Option<&Event<'_>>, now: Moment, told: &mut Vec<Alert>) {
        if self.signs.is_empty() {
            return;
        }
        let state = &mut self.state;
        let Some(profile) = state
            .callers
            .get(usize::from(caller))
            .map(|known| &known.profile)
        else {
            self.signs.clear();
            return;
        };
        let learning = !state
            .tenant
            .has_watched(self.settings.learning_days, now.second);
        for sign in self.signs.drain(..) {
            let own = self.settings.of(sign.rule);
            if own.enabled == Some(false) {
                continue;
            }
            let mut severity = sign
                .severity
                .min(own.max_severity.unwrap_or(Severity::Critical));
            if learning && !sign.rule.from_start && sign.excess.is_none() {
                severity = severity.min(Severity::Low);
            }
            let at = event.map_or(now.at, |event| event.at);
            let Some(done) = state
                .incidents
                .file(&sign, severity, caller, at, now.second)
            else {
                continue;
            };
            let of_event = event.filter(|_| sign.of_event);
            let text = |of: fn(&Event<'_>) -> String| of_event.map_or_else(String::new, of);
            let ip = match (of_event, sign.rule.family) {
                (Some(event), _) => event.ip,
                (None, Family::Mint) => profile.mint_ip,
                _ => None,
            };
            told.push(Alert {
                at,
                rule: sign.rule.name,
                category: sign.rule.category,
                severity: done.severity,
                incident: done.incident,
                environment: match profile.environment {
                    Environment::Production => "production",
                    Environment::Sandbox => "sandbox",
                },
                caller: event
                    .map_or(&*profile.name, |event| event.caller)
                    .to_owned(),
                ip: ip.map_or_else(String::new, |ip| ip.to_string()),
                subject: text(|event| event.subject.to_owned()),
                token: text(|event| event.token.to_owned()),
                target: text(|event| event.target.to_owned()),
                since: done.since,
                signs: done.signs,
                baseline: sign.excess.map(|(excess, nats)| Baseline {
                    count: excess.count,
                    expected: excess.expected,
                    score: excess.score,
                    threshold: nats,
                    window: excess.window.seconds(),
                }),
                calls: sign.calls,
                text: sign.text,
            });
        }
    }
}
