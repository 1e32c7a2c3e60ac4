//! Counts calls: each worker for itself, without a lock, and whoever wants to know adds it up.
//!
//! A worker has a [`Shard`]: a bounded table of counters that nobody else writes. What a series is told
//! apart by are indices into [`Names`], which come from the catalog and from enumerations; a call has no
//! way to make a new one. A table that is full counts what it cannot tell apart as unlisted.

mod histogram;
mod key;
mod names;
mod read;
mod slots;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

pub use histogram::{AtomicHistogram, AtomicLatency};
pub use names::Names;

use crate::domain::health::{CallVitals, Exemplar, HTTP_BOUNDS, RecordValue, bucket_of};
use crate::domain::record::{Attempt, AttemptEnd, CallRecord};
use crate::domain::telemetry::FinishedCall;
use crate::types::{Decision, Outcome};
use key::{Key, Tag};
use slots::Slots;

/// Series of durations that a worker tells apart: places by method and status, of which a gateway
/// meets some dozen. 136 bytes each.
const MAX_DURATIONS: usize = 512;

/// Series of counts that a worker tells apart; the most are operations by outcome. 16 bytes each.
const MAX_COUNTS: usize = 4_096;

/// Marks a server's series as one inside TLS; no index comes near it.
const HTTPS: u16 = 1 << 15;

/// A call that is over, to be counted.
#[derive(Clone, Copy)]
pub struct OverCall<'a> {
    /// Its record.
    pub record: &'a CallRecord,
    /// Its attempts, in order.
    pub attempts: &'a [Attempt],
    /// How long it took, from its header to its end.
    pub took: Duration,
    /// Whether the caller was spoken to inside TLS.
    pub is_https: bool,
}

/// The counts of all workers.
pub struct CallFigures {
    names: ArcSwap<Names>,
    shards: Mutex<Vec<Arc<Shard>>>,
    exemplars: Mutex<Exemplars>,
}

/// The last traced call of each bucket, by series: as many as there are series at most.
type Exemplars = HashMap<u64, BTreeMap<usize, Exemplar>>;

/// The counts of one worker.
pub struct Shard {
    names: Arc<Names>,
    places: Box<[PlaceCounts]>,
    durations: Slots<AtomicHistogram>,
    counts: Slots<AtomicU64>,
    unlisted: AtomicU64,
}

#[derive(Default)]
struct PlaceCounts {
    calls: AtomicU64,
    failed: AtomicU64,
    denied: AtomicU64,
    attempts: AtomicU64,
    mints: AtomicU64,
    latency: AtomicLatency,
    bank: AtomicLatency,
}

impl CallFigures {
    /// Nothing is counted yet.
    pub fn new(names: Names) -> Self {
        Self {
            names: ArcSwap::from_pointee(names),
            shards: Mutex::default(),
            exemplars: Mutex::default(),
        }
    }

    /// More can be told apart from here on, as after a reload. What was counted stays: indices are never
    /// given twice, and names that are not used any more stay, too. Each worker takes a further shard
    /// for it, so what this costs is bounded by how often operators add places and operations.
    pub fn extend(&self, names: Names) {
        if let Some(extended) = self.names.load().extended(&names) {
            self.names.store(Arc::new(extended));
        }
    }

    /// The counts of one more worker.
    pub fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::new(self.names.load_full()));
        self.shards.lock().push(Arc::clone(&shard));
        shard
    }

    /// The counts that a worker goes on with: its own, unless it can tell more apart by another one.
    pub fn shard_after(&self, shard: &Arc<Shard>) -> Arc<Shard> {
        if Arc::ptr_eq(&shard.names, &self.names.load()) {
            Arc::clone(shard)
        } else {
            self.shard()
        }
    }

    /// All of them together.
    pub fn vitals(&self) -> CallVitals {
        let shards = self.shards.lock().clone();
        let exemplars = self.exemplars.lock();
        read::vitals(&self.names.load(), &shards, &exemplars)
    }

    /// Takes a traced call as an example for what it was counted as. Not for the way of a call: it is
    /// looked up, and others may be looking.
    pub fn exemplify(&self, call: &FinishedCall) {
        let names = self.names.load();
        let record = &*call.record;
        let over = OverCall {
            record,
            attempts: &call.attempts,
            took: call.took,
            is_https: call.is_https,
        };
        let place = names.place_of(&record.target);
        let at = record.times.received_at.plus(call.took);
        let exemplar = |span_id, took: Duration| Exemplar {
            trace_id: call.trace.trace_id(),
            span_id,
            value: took.as_secs_f64(),
            at,
        };
        let server = (
            names.server_key(place, &over),
            exemplar(call.trace.span_id(), call.took),
        );
        let clients = call.attempts.iter().map(|attempt| {
            let span_id = call.trace.attempt(attempt.number).parent_id();
            let key = names.client_key(place, record, attempt);
            (key, exemplar(span_id, attempt.took))
        });
        let mut exemplars = self.exemplars.lock();
        for (key, exemplar) in clients.chain([server]) {
            if exemplars.len() < MAX_DURATIONS || exemplars.contains_key(&key.pack()) {
                let buckets = exemplars.entry(key.pack()).or_default();
                buckets.insert(bucket_of(HTTP_BOUNDS, exemplar.value), exemplar);
            }
        }
    }
}

impl Shard {
    fn new(names: Arc<Names>) -> Self {
        Self {
            places: (0..=names.places().len())
                .map(|_| PlaceCounts::default())
                .collect(),
            durations: Slots::new(MAX_DURATIONS),
            counts: Slots::new(MAX_COUNTS),
            unlisted: AtomicU64::new(0),
            names,
        }
    }

    /// Counts a call that is over.
    pub fn note(&self, call: &OverCall<'_>) {
        let OverCall {
            record,
            attempts,
            took,
            ..
        } = *call;
        let names = &*self.names;
        let place = names.place_of(&record.target);
        self.note_place(place, record, attempts, took);
        self.time(names.server_key(place, call), took);
        self.count(Key {
            tag: Tag::Calls,
            place,
            a: names.operation(record.target.operation.as_deref()),
            b: record.decision as u16,
            c: record.outcome as u16,
        });
        self.count(Key {
            tag: Tag::Credentials,
            place,
            a: record.credential.token_type as u16,
            b: 0,
            c: 0,
        });
        if record.decision != Decision::Forwarded {
            self.count(Key {
                tag: Tag::Denials,
                place,
                a: record.decision as u16,
                b: names.reason(record.reason.as_deref()),
                c: 0,
            });
        }
        if let Some(mint) = &record.mint {
            self.count(Key {
                tag: Tag::Mints,
                place,
                a: names.kind(&mint.kind),
                b: record.credential.token_type as u16,
                c: 0,
            });
        }
        for value in RecordValue::ALL {
            let key = Key {
                tag: Tag::Redactions,
                place,
                a: *value as u16,
                b: 0,
                c: 0,
            };
            match value.count(record) {
                0 => {}
                count => self.count_all(key, count),
            }
        }
        let mut before: Option<&Attempt> = None;
        for attempt in attempts {
            self.time(names.client_key(place, record, attempt), attempt.took);
            if let Some(before) = before {
                self.count(Key {
                    tag: Tag::Resends,
                    place,
                    a: names.cause(before.end),
                    b: 0,
                    c: 0,
                });
            }
            before = Some(attempt);
        }
    }

    fn note_place(&self, place: usize, record: &CallRecord, attempts: &[Attempt], took: Duration) {
        let Some(counts) = self.places.get(place) else {
            return;
        };
        let add = |counter: &AtomicU64, amount: usize| {
            counter.fetch_add(amount as u64, Ordering::Relaxed);
        };
        add(&counts.calls, 1);
        match (record.decision, record.outcome) {
            (Decision::Denied | Decision::Limited | Decision::Refused, _) => {
                add(&counts.denied, 1);
            }
            (_, Outcome::Failure | Outcome::Unknown) => add(&counts.failed, 1),
            (_, Outcome::Success | Outcome::Cancelled) => {}
        }
        counts.latency.add(took);
        if !attempts.is_empty() {
            add(&counts.attempts, attempts.len());
        }
        for attempt in attempts {
            if let AttemptEnd::Answered(_) = attempt.end {
                counts.bank.add(attempt.took);
            }
        }
        if record.mint.is_some() {
            add(&counts.mints, 1);
        }
    }

    fn count(&self, key: Key) {
        self.count_all(key, 1);
    }

    fn count_all(&self, key: Key, count: u64) {
        let counter = self.counts.at(key.pack()).unwrap_or(&self.unlisted);
        counter.fetch_add(count, Ordering::Relaxed);
    }

    fn time(&self, key: Key, took: Duration) {
        match self.durations.at(key.pack()) {
            Some(histogram) => histogram.add(HTTP_BOUNDS, took),
            None => {
                self.unlisted.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests;
