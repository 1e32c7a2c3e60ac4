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
    state: Mutex<State>,
    counts: Counts,
}

struct State {
    breaker: Option<Breaker>,
    bulkhead: Bulkhead,
    /// Who waits for a place.
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
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
            state: Mutex::new(State {
                breaker: settings.breaker.map(Breaker::new),
                bulkhead: Bulkhead::new(settings.bulkheads),
                waiting: HashMap::new(),
            }),
            counts: Counts::default(),
        })
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
    made: HashMap<Arc<str>, Arc<Group>>,
}

impl GroupMaker {
    /// For one provider in one environment.
    pub fn new(environment: Environment, settings: &Arc<Resilience>) -> Self {
        let budget = RetryBudget::new(settings.retries.allowance);
        Self {
            environment,
            settings: Arc::clone(settings),
            retries: Arc::new(Mutex::new(budget)),
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
        let made = self.made.entry(Arc::clone(name)).or_insert_with(|| {
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
