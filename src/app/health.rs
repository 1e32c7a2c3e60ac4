//! Looks at the parts of the running gateway.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;

use super::VERSION;
use super::detection::Watched;
use super::evidence::Evidence;
use super::reload::ReloadCounts;
use crate::adapters::capture::Captures;
use crate::adapters::certificates::Certificates;
use crate::adapters::clock;
use crate::adapters::coalesce::Coalescer;
use crate::adapters::figures::CallFigures;
use crate::adapters::journal::Journal;
use crate::adapters::ledger::LedgerFeed;
use crate::adapters::limits::Limits;
use crate::adapters::log;
use crate::adapters::pulse::Pulse;
use crate::adapters::redactions;
use crate::adapters::telemetry::Telemetry;
use crate::domain::config::Config;
use crate::domain::health::{
    Bounds, ClockWatch, EvidenceVitals, JournalVitals, LedgerVitals, Listening, Silence, Stage,
    Vitals, failing,
};
use crate::domain::lockdown::InForce;
use crate::edge::ServerWatch;
use crate::edge::groups::Group;
use crate::types::Micros;

/// How often somebody looks, so that the log tells of a change also where no probe asks.
const LOOK: Duration = Duration::from_secs(1);

/// What there is to look at. Parts are added as they come up.
pub struct Health {
    bounds: Bounds,
    started_at: Micros,
    clock: Mutex<ClockWatch>,
    serving: AtomicBool,
    draining: AtomicBool,
    journal: OnceLock<Arc<Journal>>,
    feed: ArcSwapOption<LedgerFeed>,
    evidence: ArcSwapOption<Evidence>,
    server: OnceLock<ServerWatch>,
    locks: OnceLock<Arc<ArcSwap<InForce>>>,
    groups: ArcSwap<Vec<Arc<Group>>>,
    budgets: OnceLock<Arc<Limits>>,
    coalescer: ArcSwapOption<Coalescer>,
    captures: ArcSwapOption<Captures>,
    reloads: OnceLock<Arc<ReloadCounts>>,
    calls: OnceLock<Arc<CallFigures>>,
    detection: ArcSwapOption<Watched>,
    telemetry: OnceLock<Arc<Telemetry>>,
    certificates: Certificates,
    in_flight: Arc<AtomicUsize>,
    /// Of the thread beside the calls.
    pulse: Pulse,
}

impl Health {
    /// Begins to watch; nothing has come up yet.
    pub fn new(config: &Config) -> Self {
        let now = clock::now();
        Self {
            bounds: Bounds {
                max_ledger_lag: config.admin.max_ledger_lag,
            },
            started_at: now,
            clock: Mutex::new(ClockWatch::new(now)),
            serving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            journal: OnceLock::new(),
            feed: ArcSwapOption::empty(),
            evidence: ArcSwapOption::empty(),
            server: OnceLock::new(),
            locks: OnceLock::new(),
            groups: ArcSwap::default(),
            budgets: OnceLock::new(),
            coalescer: ArcSwapOption::empty(),
            captures: ArcSwapOption::empty(),
            reloads: OnceLock::new(),
            calls: OnceLock::new(),
            detection: ArcSwapOption::empty(),
            telemetry: OnceLock::new(),
            certificates: Certificates::new(config),
            in_flight: Arc::default(),
            pulse: Pulse::of(1),
        }
    }

    /// Counts the calls in flight.
    pub fn in_flight(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.in_flight)
    }

    /// The bounds that an operator has set.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The journal and the ledger are there.
    pub fn recording(&self, journal: &Arc<Journal>, feed: &Arc<LedgerFeed>) {
        // An earlier process may have written later than the clock says now.
        if let Some(latest) = journal.latest_before() {
            self.clock.lock().look(latest);
        }
        let _ = self.journal.set(Arc::clone(journal));
        self.feed.store(Some(Arc::clone(feed)));
    }

    /// The journal is sealed.
    pub fn sealing(&self, evidence: &Arc<Evidence>) {
        self.evidence.store(Some(Arc::clone(evidence)));
    }

    /// The signed log, if there is one.
    pub fn evidence(&self) -> Option<Arc<Evidence>> {
        self.evidence.load_full()
    }

    /// What is locked down is known.
    pub fn locking(&self, locks: Arc<ArcSwap<InForce>>) {
        let _ = self.locks.set(locks);
    }

    /// The endpoint groups of the banks are known.
    pub fn calling(&self, groups: Vec<Arc<Group>>) {
        self.groups.store(Arc::new(groups));
    }

    /// The endpoint groups of the banks.
    pub fn groups(&self) -> Arc<Vec<Arc<Group>>> {
        self.groups.load_full()
    }

    /// Calls are counted.
    pub fn counting(&self, calls: &Arc<CallFigures>) {
        let _ = self.calls.set(Arc::clone(calls));
    }

    /// A collector is told.
    pub fn telling(&self, telemetry: &Arc<Telemetry>) {
        let _ = self.telemetry.set(Arc::clone(telemetry));
    }

    /// The banks' limits are kept.
    pub fn limiting(&self, budgets: &Arc<Limits>) {
        let _ = self.budgets.set(Arc::clone(budgets));
    }

    /// Reads share answers.
    pub fn coalescing(&self, coalescer: Option<&Arc<Coalescer>>) {
        self.coalescer.store(coalescer.cloned());
    }

    /// Calls are captured.
    pub fn capturing(&self, captures: Option<&Arc<Captures>>) {
        self.captures.store(captures.cloned());
    }

    /// The configuration can be reloaded.
    pub fn reloading(&self, counts: &Arc<ReloadCounts>) {
        let _ = self.reloads.set(Arc::clone(counts));
    }

    /// The ledger is watched.
    pub fn detecting(&self, watched: Arc<Watched>) {
        self.detection.store(Some(watched));
    }

    /// Calls are taken from here on.
    pub fn serving(&self, server: ServerWatch) {
        let _ = self.server.set(server);
        // A start may take long.
        self.pulse.beat(0);
        self.serving.store(true, Ordering::Release);
    }

    /// A stop was asked for.
    pub fn draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// It goes on after all: the process that was to take over is gone.
    pub fn serving_again(&self) {
        self.draining.store(false, Ordering::Release);
    }

    /// Looks at everything.
    pub fn vitals(&self) -> Vitals {
        let now = clock::now();
        let journal = self.journal.get().map(|journal| (journal, journal.state()));
        let feed = self.feed.load().as_ref().map(|feed| feed.stats());
        let server = self.server.get();
        Vitals {
            now,
            started_at: self.started_at,
            version: VERSION,
            stage: if self.draining.load(Ordering::Acquire) {
                Stage::Draining
            } else if self.serving.load(Ordering::Acquire) {
                Stage::Serving
            } else {
                Stage::Starting
            },
            clock_behind: self.clock.lock().look(now),
            journal: journal.map(|(journal, state)| JournalVitals {
                failing_since: state.failing_since,
                stalled: state.stalled,
                ended: state.ended,
                next_seq: state.next_seq,
                durable_seq: state.durable_seq,
                waiting_bytes: state.waiting_bytes as u64,
                undrained_bytes: state.undrained_bytes,
                max_bytes: journal.max_bytes(),
                refused: state.refused,
                shed: state.shed,
            }),
            ledger: journal.zip(feed).map(|((_, state), feed)| LedgerVitals {
                drained_seq: state.drained_seq,
                behind_since: state.behind_since,
                written: feed.written,
                failures: feed.failures,
                failing: feed.failing,
            }),
            evidence: self.evidence.load().as_ref().map(|evidence| {
                let state = evidence.state();
                EvidenceVitals {
                    sealed_seq: state.sealed,
                    checkpoints: state.checkpoints,
                    failing: state.failing.is_some(),
                }
            }),
            listening: server.map(|server| Listening {
                wanted: server.wanted() as u64,
                accepting: server.accepting() as u64,
            }),
            groups: self
                .groups
                .load()
                .iter()
                .map(|group| group.vitals())
                .collect(),
            budgets: self
                .budgets
                .get()
                .map(|budgets| budgets.vitals())
                .unwrap_or_default(),
            coalescer: self
                .coalescer
                .load()
                .as_ref()
                .map(|coalescer| coalescer.vitals()),
            reloads: self.reloads.get().map(|counts| counts.vitals()),
            budgets_shared: self.budgets.get().and_then(|budgets| budgets.is_shared()),
            calls: self
                .calls
                .get()
                .map(|calls| calls.vitals())
                .unwrap_or_default(),
            redactions: redactions::vitals(),
            captures: self.captures.load().as_ref().map(|all| all.vitals()),
            log_dropped: log::dropped_lines() as u64,
            certificates: self.certificates.look(now),
            telemetry: self.telemetry.get().map(|telemetry| telemetry.vitals()),
            journal_commits: self.journal.get().map(|journal| journal.commits()),
            silence: Silence {
                workers: server.map_or(Duration::ZERO, ServerWatch::silence),
                background: self.pulse.silence(),
            },
            calls_in_flight: self.in_flight.load(Ordering::Acquire) as u64,
            connections: server.map_or(0, |server| server.connections() as u64),
            locks: self
                .locks
                .get()
                .map_or(0, |locks| locks.load().count(now) as u64),
            detection: self
                .detection
                .load()
                .as_ref()
                .map(|watched| watched.vitals()),
        }
    }

    /// Looks again and again, and logs when a check turns red or all are green again.
    pub async fn follow(self: Arc<Self>) {
        let mut before: Vec<&'static str> = Vec::new();
        loop {
            tokio::time::sleep(LOOK).await;
            self.pulse.beat(0);
            if self.draining.load(Ordering::Acquire) {
                // Asked for, and said by whoever was asked.
                continue;
            }
            let red = failing(&self.vitals(), &self.bounds);
            let names: Vec<_> = red.iter().map(|(check, _)| check.name).collect();
            if names == before {
                continue;
            }
            for (check, why) in red
                .iter()
                .filter(|(check, _)| !before.contains(&check.name))
            {
                tracing::warn!(
                    target: "egret::health",
                    check = check.name,
                    why,
                    advice = check.advice,
                    "not ready: a check is red"
                );
            }
            if names.is_empty() {
                tracing::info!(target: "egret::health", "ready: every check is green");
            }
            before = names;
        }
    }
}
