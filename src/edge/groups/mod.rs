//! Endpoint groups: what fails, recovers and fills up together at a bank, and so shares a breaker
//! and a bulkhead.
//!
//! A group is a service of a provider in one environment, less the operations that the provider
//! counts apart (`[[rate_limit]]` with `operations`, as for minting tokens): those have groups of
//! their own, named after the limit. All threads share them; a lock is held for some hundred
//! nanoseconds and never while something is waited for.

mod place;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::adapters::entropy;
use crate::domain::catalog::{Operation, Provider, ServiceIndex};
use crate::domain::health::GroupVitals;
use crate::domain::resilience::{
    Breaker, BreakerState, Bulkhead, Change, Resilience, RetryBudget, Ticket,
};
use crate::types::{Environment, Micros};

pub use place::{Place, Refused};

/// One group.
pub struct Group {
    /// As callers and figures name it: `cybrid.sandbox.bank`.
    pub name: Arc<str>,
    /// The provider.
    pub provider: Arc<str>,
    /// Which installation.
    pub environment: Environment,
    /// Name within the provider: a service or a rate limit.
    pub group: Arc<str>,
    /// What is set for the provider.
    pub settings: Arc<Resilience>,
    /// Repetitions of all calls to the provider in this environment.
    retries: Arc<Mutex<RetryBudget>>,
    /// Shared with the same group of the configuration before.
    state: Arc<Mutex<State>>,
    counts: Arc<Counts>,
}

struct State {
    breaker: Option<Breaker>,
    bulkhead: Bulkhead,
    /// Who waits for a place.
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

impl State {
    /// Calls somebody whose turn it is. Who has gone meanwhile gives the place back when dropped.
    fn call(&mut self, ticket: Ticket) {
        if let Some(call) = self.waiting.remove(&ticket) {
            let _ = call.send(());
        }
    }
}

#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    stopped: AtomicU64,
    shed: AtomicU64,
    repeated: AtomicU64,
    not_repeated: AtomicU64,
}

/// A breaker has changed, and in which group.
#[derive(Clone)]
pub struct Changed {
    /// The group.
    pub group: Arc<Group>,
    /// What has changed.
    pub change: Change,
}

impl Group {
    fn new(
        provider: &Provider,
        environment: Environment,
        group: Arc<str>,
        settings: &Arc<Resilience>,
        retries: &Arc<Mutex<RetryBudget>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: format!("{}.{environment}.{group}", provider.id).into(),
            provider: Arc::clone(&provider.id),
            environment,
            group,
            settings: Arc::clone(settings),
            retries: Arc::clone(retries),
            state: Arc::new(Mutex::new(State {
                breaker: settings.breaker.map(Breaker::new),
                bulkhead: Bulkhead::new(settings.bulkheads),
                waiting: HashMap::new(),
            })),
            counts: Arc::default(),
        })
    }

    /// The same group for calls that begin under other settings: breaker, places and counts are shared
    /// with those that have begun before. The settings hold from [`Group::take_over`] on.
    fn renewed(self: &Arc<Self>, settings: &Arc<Resilience>) -> Arc<Self> {
        if *self.settings == **settings {
            return Arc::clone(self);
        }
        Arc::new(Self {
            name: Arc::clone(&self.name),
            provider: Arc::clone(&self.provider),
            environment: self.environment,
            group: Arc::clone(&self.group),
            settings: Arc::clone(settings),
            retries: Arc::clone(&self.retries),
            state: Arc::clone(&self.state),
            counts: Arc::clone(&self.counts),
        })
    }

    /// Makes what is shared follow these settings.
    pub fn take_over(&self) {
        self.retries.lock().retune(self.settings.retries.allowance);
        let mut state = self.state.lock();
        state.breaker = match (state.breaker.take(), self.settings.breaker) {
            (Some(mut breaker), Some(settings)) => {
                breaker.retune(settings);
                Some(breaker)
            }
            (_, settings) => settings.map(Breaker::new),
        };
        for ticket in state.bulkhead.retune(self.settings.bulkheads) {
            state.call(ticket);
        }
    }

    /// A call begins.
    pub fn call_begins(&self) {
        self.retries.lock().deposit();
    }

    /// Takes a repetition out of the retry budget; false if there is none.
    pub fn may_repeat(&self) -> bool {
        let may = self.retries.lock().withdraw(now());
        let count = if may {
            &self.counts.repeated
        } else {
            &self.counts.not_repeated
        };
        count.fetch_add(1, Ordering::Relaxed);
        may
    }

    /// Whether the next attempt would be stopped by the breaker.
    pub fn is_open(&self) -> bool {
        let state = self.state.lock();
        let breaker = state.breaker.as_ref();
        breaker.is_some_and(|breaker| breaker.state() == BreakerState::Open)
    }

    /// Closes the breaker: somebody knows that the bank is well.
    pub fn reset(&self) {
        if let Some(breaker) = &mut self.state.lock().breaker {
            breaker.reset();
        }
    }

    /// How it is.
    pub fn vitals(&self) -> GroupVitals {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let state = self.state.lock();
        let breaker = state.breaker.as_ref().map(Breaker::state);
        GroupVitals {
            name: Arc::clone(&self.name),
            breaker: breaker.unwrap_or(BreakerState::Closed),
            in_flight: state.bulkhead.in_flight() as u64,
            limit: state.bulkhead.limit() as u64,
            waiting: state.bulkhead.waiting() as u64,
            opened: count(&self.counts.opened),
            stopped: count(&self.counts.stopped),
            shed: count(&self.counts.shed),
            repeated: count(&self.counts.repeated),
            not_repeated: count(&self.counts.not_repeated),
        }
    }
}

/// The groups of one service in one environment.
pub struct ServiceGroups {
    /// Of operations that are not counted apart, and of requests that match none.
    common: Arc<Group>,
    /// By operation id.
    apart: HashMap<Arc<str>, Arc<Group>>,
}

impl ServiceGroups {
    /// The group of an operation.
    pub fn of(&self, operation: Option<&Operation>) -> &Arc<Group> {
        operation
            .and_then(|operation| self.apart.get(&operation.id))
            .unwrap_or(&self.common)
    }

    /// Every group, each once.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Group>> {
        std::iter::once(&self.common).chain(self.apart.values())
    }
}

/// Makes the groups of one provider in one environment.
pub struct GroupMaker {
    environment: Environment,
    settings: Arc<Resilience>,
    retries: Arc<Mutex<RetryBudget>>,
    /// The groups of the configuration before, by their group's name.
    former: HashMap<Arc<str>, Arc<Group>>,
    made: HashMap<Arc<str>, Arc<Group>>,
}

impl GroupMaker {
    /// For one provider in one environment. What `former` groups of theirs have come to know goes on.
    pub fn new<'g>(
        environment: Environment,
        settings: &Arc<Resilience>,
        former: impl IntoIterator<Item = &'g Arc<Group>>,
    ) -> Self {
        let former: HashMap<_, _> = former
            .into_iter()
            .map(|group| (Arc::clone(&group.group), Arc::clone(group)))
            .collect();
        let known = former.values().next();
        let retries = known.map(|group| Arc::clone(&group.retries));
        let fresh = || Arc::new(Mutex::new(RetryBudget::new(settings.retries.allowance)));
        Self {
            environment,
            settings: Arc::clone(settings),
            retries: retries.unwrap_or_else(fresh),
            former,
            made: HashMap::new(),
        }
    }

    /// The groups of a service.
    pub fn service(&mut self, provider: &Provider, service: ServiceIndex) -> ServiceGroups {
        let name = provider.service(service).map(|service| &service.id);
        let common = self.group(provider, name.unwrap_or(&provider.id));
        let mut apart = HashMap::new();
        for limit in &provider.rate_limits {
            for id in &limit.operations {
                let operation = provider.operation(id);
                if operation.is_some_and(|operation| operation.service == service) {
                    apart.insert(Arc::clone(id), self.group(provider, &limit.id));
                }
            }
        }
        ServiceGroups { common, apart }
    }

    /// One limit can count operations of several services: they share its group.
    fn group(&mut self, provider: &Provider, name: &Arc<str>) -> Arc<Group> {
        let former = self.former.get(name);
        let made = self.made.entry(Arc::clone(name)).or_insert_with(|| {
            if let Some(former) = former {
                return former.renewed(&self.settings);
            }
            Group::new(
                provider,
                self.environment,
                Arc::clone(name),
                &self.settings,
                &self.retries,
            )
        });
        Arc::clone(made)
    }
}

/// The time by a clock that is never set: a wall clock that jumps must not hold a breaker open.
fn now() -> Micros {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let passed = START.get_or_init(Instant::now).elapsed();
    // Not near zero, where windows and budgets begin.
    Micros::from_secs(1_000_000).plus(passed)
}

/// A random number, uniform over all its values. Without the system's randomness pauses have no
/// jitter.
pub fn random() -> u32 {
    entropy::id_bytes().map_or(u32::MAX / 2, u32::from_ne_bytes)
}
