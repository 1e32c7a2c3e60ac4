//! The last hour in samples, for whoever begins to look now.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::calls::PlaceVitals;
use super::vitals::Vitals;
use crate::types::Micros;

/// Samples that are kept: an hour of one every five seconds.
const MAX_SAMPLES: usize = 720;

/// Looks that are kept for the last minute, and one before it.
const RECENT: usize = 13;

/// Calls to a provider, or to all, in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Calls that ended.
    pub calls: u64,
    /// Those that failed at the bank.
    pub failed: u64,
    /// Those that the gateway denied.
    pub denied: u64,
    /// Tokens and secrets handed out.
    pub mints: u64,
    /// Half of them took no longer; `None` without calls.
    pub p50: Option<Duration>,
    /// 95 % of them took no longer.
    pub p95: Option<Duration>,
    /// 99 % of them took no longer.
    pub p99: Option<Duration>,
}

impl From<&PlaceVitals> for Traffic {
    fn from(calls: &PlaceVitals) -> Self {
        Self {
            calls: calls.calls,
            failed: calls.failed,
            denied: calls.denied,
            mints: calls.mints,
            p50: calls.latency.quantile(0.5),
            p95: calls.latency.quantile(0.95),
            p99: calls.latency.quantile(0.99),
        }
    }
}

/// What came in a span of time, and how it was at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its end.
    pub at: Micros,
    /// All calls.
    pub all: Traffic,
    /// By provider; those without calls are left out.
    pub providers: BTreeMap<Arc<str>, Traffic>,
    /// Calls in flight.
    pub in_flight: u64,
    /// How long the oldest event waited for the ledger.
    pub ledger_lag: Duration,
    /// Calls left, by budget.
    pub budgets: Vec<(Arc<str>, u32)>,
}

/// Counts since the start, by provider; `None` for requests that led to none.
type Counts = BTreeMap<Option<Arc<str>>, PlaceVitals>;

/// The samples, oldest first.
#[derive(Debug, Default)]
pub struct History {
    samples: VecDeque<Span>,
    looks: VecDeque<Counts>,
}

fn counts(vitals: &Vitals) -> Counts {
    let mut counts = Counts::new();
    for calls in &vitals.calls.places {
        let provider = calls
            .place
            .as_ref()
            .map(|place| Arc::clone(&place.provider));
        counts
            .entry(provider)
            .or_insert_with(|| PlaceVitals::new(None))
            .add(calls);
    }
    counts
}

fn between(earlier: Option<&Counts>, later: &Counts) -> Counts {
    let nothing = PlaceVitals::new(None);
    later
        .iter()
        .map(|(provider, calls)| {
            let before = earlier.and_then(|counts| counts.get(provider));
            (provider.clone(), calls.since(before.unwrap_or(&nothing)))
        })
        .filter(|(_, calls)| calls.calls > 0)
        .collect()
}

fn all_of(counts: &Counts) -> Traffic {
    let mut all = PlaceVitals::new(None);
    for calls in counts.values() {
        all.add(calls);
    }
    Traffic::from(&all)
}

fn by_provider(counts: &Counts) -> BTreeMap<Arc<str>, Traffic> {
    let named = counts
        .iter()
        .filter_map(|(provider, calls)| Some((provider.clone()?, Traffic::from(calls))));
    named.collect()
}

impl History {
    /// Adds a look. The first one has nothing before it and makes no sample.
    pub fn add(&mut self, vitals: &Vitals) {
        let now = counts(vitals);
        if let Some(before) = self.looks.back() {
            let came = between(Some(before), &now);
            self.samples.push_back(Span {
                at: vitals.now,
                all: all_of(&came),
                providers: by_provider(&came),
                in_flight: vitals.calls_in_flight,
                ledger_lag: vitals.ledger_lag(),
                budgets: vitals
                    .budgets
                    .iter()
                    .map(|budget| (Arc::clone(&budget.name), budget.remaining))
                    .collect(),
            });
        }
        self.looks.push_back(now);
        while self.samples.len() > MAX_SAMPLES {
            self.samples.pop_front();
        }
        while self.looks.len() > RECENT {
            self.looks.pop_front();
        }
    }

    /// The samples after a moment, oldest first.
    pub fn since(&self, at: Option<Micros>) -> impl Iterator<Item = &Span> {
        let samples = self.samples.iter();
        samples.filter(move |sample| at.is_none_or(|at| sample.at > at))
    }

    /// Calls of about the last minute, by provider.
    pub fn last_minute(&self, vitals: &Vitals) -> BTreeMap<Arc<str>, Traffic> {
        by_provider(&between(self.looks.front(), &counts(vitals)))
    }
}
