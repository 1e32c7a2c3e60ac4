//! The banks' limits while the gateway runs: the budgets of all calls, and where calls wait.
//!
//! The decisions are `domain::quota`'s. Here its state machines are shared by all threads: each
//! budget behind a lock that is held for as long as one decision takes, never across a wait. A call
//! that has to wait is woken by the [`Timer`], which one task turns for all budgets.

mod fleet;
mod gate;
mod parts;
mod timer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

pub use gate::{Denied, Gate, Place};
pub use parts::MAX_PARTS;

use super::clock::Steady;
use crate::domain::config::Budgets;
use crate::domain::health::BudgetVitals;
use crate::domain::quota::{Part, Plan};
use crate::types::Environment;
use fleet::Fleet;
use parts::Parts;
use timer::Timer;

/// What has happened to the calls of one budget, over all its parts.
#[derive(Debug, Default)]
pub struct Counts {
    admitted: AtomicU64,
    waited: AtomicU64,
    waited_us: AtomicU64,
    refused: AtomicU64,
    over: AtomicU64,
    throttled: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}

/// One planned budget in both environments, and what it has of parts.
struct Family {
    plan: ArcSwap<Plan>,
    counts: Arc<Counts>,
    /// The budgets that are not told apart, by environment.
    whole: [OnceLock<Arc<Gate>>; 2],
}

type Families = HashMap<Arc<str>, Arc<Family>>;

impl Family {
    fn new(plan: Arc<Plan>) -> Arc<Self> {
        Arc::new(Self {
            counts: Arc::default(),
            whole: Default::default(),
            plan: ArcSwap::new(plan),
        })
    }
}

/// The budgets of all providers.
pub struct Limits {
    clock: Steady,
    families: ArcSwap<Families>,
    parts: Mutex<Parts>,
    timer: Arc<Timer>,
    fleet: Option<Arc<Fleet>>,
}

impl Limits {
    /// Budgets of which nothing is used. `node` is the name of this process among those that share
    /// them: no other ever has it.
    pub fn new(
        budgets: &Budgets,
        plans: impl IntoIterator<Item = Arc<Plan>>,
        node: String,
    ) -> Self {
        let families = plans
            .into_iter()
            .map(|plan| (Arc::clone(&plan.name), Family::new(plan)));
        let clock = Steady::default();
        Self {
            fleet: Fleet::new(budgets, node, clock),
            clock,
            families: ArcSwap::from_pointee(families.collect()),
            parts: Mutex::default(),
            timer: Arc::new(Timer::new(clock)),
        }
    }

    /// Goes on with other plans. Of those that are there under both what is used stays used, and who
    /// waits waits on. Nothing changes of budgets that are shared with other processes.
    pub fn retune(&self, plans: impl IntoIterator<Item = Arc<Plan>>) {
        let before = self.families.load();
        let families = plans.into_iter().map(|plan| {
            let name = Arc::clone(&plan.name);
            let Some(family) = before.get(&name) else {
                return (name, Family::new(plan));
            };
            self.retune_family(family, plan);
            (name, Arc::clone(family))
        });
        self.families.store(Arc::new(families.collect()));
        // Somebody who waits may go earlier than the timer thinks.
        self.timer.watch(None);
    }

    fn retune_family(&self, family: &Family, plan: Arc<Plan>) {
        let before = family.plan.load_full();
        if *before == *plan || self.fleet.is_some() {
            return;
        }
        let whole = family.whole.iter().filter_map(OnceLock::get).cloned();
        let mut parts = self.parts.lock();
        if before.per != plan.per {
            parts.forget(&plan.name);
        }
        // First, so that whatever is made from here on is made after the new plan.
        family.plan.store(Arc::clone(&plan));
        for gate in whole.chain(parts.of(&plan.name)) {
            gate.retune(&plan);
        }
    }

    /// The budget that a part of a plan's calls spends; `None` for a plan that is not known.
    pub fn gate(&self, plan: &Plan, environment: Environment, part: Part) -> Option<Arc<Gate>> {
        let families = self.families.load();
        let family = families.get(&plan.name)?;
        let make = |part: &Part| Arc::new(Gate::new(self, family, environment, part));
        if part == Part::All {
            let at = family.whole.get(index(environment))?;
            return Some(Arc::clone(at.get_or_init(|| make(&part))));
        }
        let mut parts = self.parts.lock();
        Some(parts.find((Arc::clone(&plan.name), environment, part), make))
    }

    /// Wakes calls that wait, for as long as it is polled.
    pub async fn keep(self: Arc<Self>) {
        let shared = async {
            match &self.fleet {
                Some(fleet) => fleet.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(self.timer.run(), shared);
    }

    /// Whether the store answers that the budgets are shared by; `None` if they are not shared.
    pub fn is_shared(&self) -> Option<bool> {
        self.fleet.as_ref().map(|fleet| fleet.is_reachable())
    }

    /// How every budget stands, those that are told apart taken together.
    pub fn vitals(&self) -> Vec<BudgetVitals> {
        let now = self.clock.now();
        let mut all = Vec::new();
        for family in self.families.load().values() {
            let plan = family.plan.load();
            let counts = &family.counts;
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let whole = family.whole.iter().filter_map(OnceLock::get);
            let parts = self.parts.lock().of(&plan.name);
            let mut vitals = BudgetVitals {
                name: Arc::clone(&plan.name),
                limit: plan.settings.limit,
                remaining: plan.settings.limit,
                waiting: 0,
                admitted: read(&counts.admitted),
                waited: read(&counts.waited),
                waited_us: read(&counts.waited_us),
                refused: read(&counts.refused),
                over: read(&counts.over),
                throttled: read(&counts.throttled),
            };
            for gate in whole.cloned().chain(parts) {
                let standing = gate.standing(now);
                vitals.remaining = vitals.remaining.min(standing.remaining());
                vitals.waiting += standing.waiting as u64;
            }
            all.push(vitals);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

const fn index(environment: Environment) -> usize {
    match environment {
        Environment::Sandbox => 0,
        Environment::Production => 1,
    }
}
