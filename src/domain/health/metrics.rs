//! The figures, in one table.

use std::borrow::Cow;
use std::time::Duration;

use super::call_metrics::CALL_METRICS;
use super::checks::{Bounds, CHECKS, Check, Verdict, failing};
use super::group_metrics::GROUP_METRICS;
use super::histogram::Histogram;
use super::redactions::REDACTION_METRICS;
use super::side_metrics::SIDE_METRICS;
use super::vitals::{
    BudgetVitals, DetectionVitals, EvidenceVitals, JournalVitals, LedgerVitals, Listening, Stage,
    Vitals,
};
use crate::types::Micros;

/// What a figure does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by bucket, and only grows.
    Histogram,
}

impl MetricKind {
    /// As in Prometheus' `# TYPE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The value of a figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A count, exact.
    Count(u64),
    /// Anything else.
    Real(f64),
    /// Values by bucket.
    Histogram(Histogram),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Count(u64::from(yes))
    }
}

impl From<Duration> for Value {
    /// In seconds.
    fn from(span: Duration) -> Self {
        Self::Real(span.as_secs_f64())
    }
}

impl From<Micros> for Value {
    /// In seconds since 1970.
    fn from(at: Micros) -> Self {
        Self::Real(at.0 as f64 / 1e6)
    }
}

/// Name and value of a label. Names are those of OpenTelemetry's attributes, with dots; values come
/// from this program, from the catalog and from the names of the configuration, never from a call.
pub type Label = (&'static str, Cow<'static, str>);

/// One value of a figure, with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, each name once.
    pub labels: Vec<Label>,
    /// The value.
    pub value: Value,
}

/// A figure.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name; ends in its unit, and in `_total` for counters.
    pub name: &'static str,
    /// What it does over time.
    pub kind: MetricKind,
    /// What it means, in a sentence.
    pub help: &'static str,
    pub(super) read: fn(&Vitals, &Bounds) -> Vec<Sample>,
}

impl Metric {
    /// Reads it; empty while there is nothing to tell.
    pub fn read(&self, vitals: &Vitals, bounds: &Bounds) -> Vec<Sample> {
        (self.read)(vitals, bounds)
    }
}

impl Sample {
    pub(super) fn labelled(
        name: &'static str,
        label: impl Into<Cow<'static, str>>,
        value: Value,
    ) -> Self {
        Self {
            labels: vec![(name, label.into())],
            value,
        }
    }
}

pub(super) fn one(value: impl Into<Value>) -> Vec<Sample> {
    vec![Sample {
        labels: Vec::new(),
        value: value.into(),
    }]
}

fn of_journal<T: Into<Value>>(vitals: &Vitals, read: fn(&JournalVitals) -> T) -> Vec<Sample> {
    vitals
        .journal
        .as_ref()
        .map_or_else(Vec::new, |journal| one(read(journal)))
}

fn of_ledger<T: Into<Value>>(vitals: &Vitals, read: fn(&LedgerVitals) -> T) -> Vec<Sample> {
    vitals
        .ledger
        .as_ref()
        .map_or_else(Vec::new, |ledger| one(read(ledger)))
}

fn of_evidence<T: Into<Value>>(vitals: &Vitals, read: fn(&EvidenceVitals) -> T) -> Vec<Sample> {
    vitals
        .evidence
        .as_ref()
        .map_or_else(Vec::new, |evidence| one(read(evidence)))
}

fn of_detection<T: Into<Value>>(vitals: &Vitals, read: fn(&DetectionVitals) -> T) -> Vec<Sample> {
    vitals
        .detection
        .as_ref()
        .map_or_else(Vec::new, |detection| one(read(detection)))
}

fn of_budgets(vitals: &Vitals, read: fn(&BudgetVitals) -> Value) -> Vec<Sample> {
    let samples = vitals
        .budgets
        .iter()
        .map(|budget| Sample::labelled("budget", budget.name.to_string(), read(budget)));
    samples.collect()
}

fn of_listening(vitals: &Vitals, read: fn(&Listening) -> u64) -> Vec<Sample> {
    vitals
        .listening
        .as_ref()
        .map_or_else(Vec::new, |all| one(read(all)))
}

use MetricKind::{Counter, Gauge};

/// Every figure, in the order in which they are told.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    METRICS
        .iter()
        .chain(GROUP_METRICS)
        .chain(CALL_METRICS)
        .chain(REDACTION_METRICS)
        .chain(SIDE_METRICS)
}

/// The figures of the gateway's parts.
const METRICS: &[Metric] = &[
    Metric {
        name: "egret_build_info",
        kind: Gauge,
        help: "Always 1; the label says which version runs.",
        read: |vitals, _| vec![Sample::labelled("version", vitals.version, Value::Count(1))],
    },
    Metric {
        name: "egret_start_time_seconds",
        kind: Gauge,
        help: "When the process began, in seconds since 1970.",
        read: |vitals, _| one(vitals.started_at),
    },
    Metric {
        name: "egret_ready",
        kind: Gauge,
        help: "1 if the gateway is ready for calls, as /readyz says.",
        read: |vitals, bounds| one(failing(vitals, bounds).is_empty()),
    },
    Metric {
        name: "egret_check_ok",
        kind: Gauge,
        help: "1 for each check of /readyz that is green, 0 if it is red.",
        read: |vitals, bounds| {
            let is_good = |check: &Check| check.judge(vitals, bounds) == Verdict::Good;
            let checks = CHECKS
                .iter()
                .map(|check| Sample::labelled("check", check.name, is_good(check).into()));
            checks.collect()
        },
    },
    Metric {
        name: "egret_draining",
        kind: Gauge,
        help: "1 once the gateway was asked to stop.",
        read: |vitals, _| one(vitals.stage == Stage::Draining),
    },
    Metric {
        name: "egret_clock_behind_seconds",
        kind: Gauge,
        help: "How far the wall clock is behind what it has said before.",
        read: |vitals, _| one(vitals.clock_behind),
    },
    Metric {
        name: "egret_calls_in_flight",
        kind: Gauge,
        help: "Calls that have begun and are not over.",
        read: |vitals, _| one(vitals.calls_in_flight),
    },
    Metric {
        name: "egret_connections_open",
        kind: Gauge,
        help: "Open connections of callers, over all listeners.",
        read: |vitals, _| one(vitals.connections),
    },
    Metric {
        name: "egret_locks",
        kind: Gauge,
        help: "Locks in force, as `egret lockdown list` shows them; the sentinel file is one.",
        read: |vitals, _| one(vitals.locks),
    },
    Metric {
        name: "egret_listener_sockets",
        kind: Gauge,
        help: "Sockets that accept connections: one for each worker and listener.",
        read: |vitals, _| of_listening(vitals, |all| all.accepting),
    },
    Metric {
        name: "egret_listener_sockets_wanted",
        kind: Gauge,
        help: "Sockets that should accept connections.",
        read: |vitals, _| of_listening(vitals, |all| all.wanted),
    },
    Metric {
        name: "egret_journal_failing",
        kind: Gauge,
        help: "1 while the journal cannot be written, also while the disk does not answer.",
        read: |vitals, _| {
            of_journal(vitals, |journal| {
                journal.failing_since.is_some() || journal.stalled || journal.ended
            })
        },
    },
    Metric {
        name: "egret_journal_next_seq",
        kind: Gauge,
        help: "Number of the next event of the journal; goes on over restarts.",
        read: |vitals, _| of_journal(vitals, |journal| journal.next_seq),
    },
    Metric {
        name: "egret_journal_durable_seq",
        kind: Gauge,
        help: "The first event of the journal that is not known to be on disk.",
        read: |vitals, _| of_journal(vitals, |journal| journal.durable_seq),
    },
    Metric {
        name: "egret_journal_waiting_bytes",
        kind: Gauge,
        help: "Bytes of events that wait in memory to be on disk.",
        read: |vitals, _| of_journal(vitals, |journal| journal.waiting_bytes),
    },
    Metric {
        name: "egret_journal_undrained_bytes",
        kind: Gauge,
        help: "Bytes of the journal that the ledger has not taken.",
        read: |vitals, _| of_journal(vitals, |journal| journal.undrained_bytes),
    },
    Metric {
        name: "egret_journal_max_bytes",
        kind: Gauge,
        help: "The most that egret_journal_undrained_bytes may be before calls are refused.",
        read: |vitals, _| of_journal(vitals, |journal| journal.max_bytes),
    },
    Metric {
        name: "egret_journal_refused_total",
        kind: Counter,
        help: "Calls refused because they could not be recorded.",
        read: |vitals, _| of_journal(vitals, |journal| journal.refused),
    },
    Metric {
        name: "egret_journal_shed_total",
        kind: Counter,
        help: "Calls that went on unrecorded, as the policy shed allows.",
        read: |vitals, _| of_journal(vitals, |journal| journal.shed),
    },
    Metric {
        name: "egret_ledger_drained_seq",
        kind: Gauge,
        help: "The first event of the journal that the ledger has not taken.",
        read: |vitals, _| of_ledger(vitals, |ledger| ledger.drained_seq),
    },
    Metric {
        name: "egret_ledger_lag",
        kind: Gauge,
        help: "Seconds since the oldest event came that is not in the ledger; 0 if it has all.",
        read: |vitals, _| one(vitals.ledger_lag()),
    },
    Metric {
        name: "egret_ledger_lag_seconds",
        kind: Gauge,
        help: "The same as egret_ledger_lag, with its unit in its name.",
        read: |vitals, _| one(vitals.ledger_lag()),
    },
    Metric {
        name: "egret_ledger_lag_events",
        kind: Gauge,
        help: "Events of the journal that are not in the ledger.",
        read: |vitals, _| one(vitals.ledger_lag_events()),
    },
    Metric {
        name: "egret_ledger_lag_limit_seconds",
        kind: Gauge,
        help: "The lag beyond which /readyz is red: admin.max_ledger_lag.",
        read: |_, bounds| one(bounds.max_ledger_lag),
    },
    Metric {
        name: "egret_ledger_rows_written_total",
        kind: Counter,
        help: "Rows written to the ledger.",
        read: |vitals, _| of_ledger(vitals, |ledger| ledger.written),
    },
    Metric {
        name: "egret_ledger_failures_total",
        kind: Counter,
        help: "Attempts to write to the ledger that failed.",
        read: |vitals, _| of_ledger(vitals, |ledger| ledger.failures),
    },
    Metric {
        name: "egret_ledger_failing",
        kind: Gauge,
        help: "1 if the last attempt to write to the ledger failed.",
        read: |vitals, _| of_ledger(vitals, |ledger| ledger.failing),
    },
    Metric {
        name: "egret_coalesced_waiting",
        kind: Gauge,
        help: "Calls that wait for the answer to an identical one.",
        read: |vitals, _| {
            let coalescer = vitals.coalescer;
            coalescer.map_or_else(Vec::new, |all| one(all.waiting))
        },
    },
    Metric {
        name: "egret_coalesced_total",
        kind: Counter,
        help: "Calls answered with what an identical one got, without asking the bank.",
        read: |vitals, _| {
            let coalescer = vitals.coalescer;
            coalescer.map_or_else(Vec::new, |all| one(all.shared))
        },
    },
    Metric {
        name: "egret_config_reloads_total",
        kind: Counter,
        help: "Reloads of the configuration that took effect.",
        read: |vitals, _| vitals.reloads.map_or_else(Vec::new, |all| one(all.taken)),
    },
    Metric {
        name: "egret_config_reloads_refused_total",
        kind: Counter,
        help: "Reloads of the configuration that were refused because of a fault.",
        read: |vitals, _| vitals.reloads.map_or_else(Vec::new, |all| one(all.refused)),
    },
    Metric {
        name: "egret_config_stale",
        kind: Gauge,
        help: "1 if the last reload was refused: the files say something else than what runs.",
        read: |vitals, _| {
            vitals
                .reloads
                .map_or_else(Vec::new, |all| one(all.is_stale))
        },
    },
    Metric {
        name: "egret_limits_shared",
        kind: Gauge,
        help: "1 while the store answers that gateways share the banks' limits by, 0 while each uses its part.",
        read: |vitals, _| vitals.budgets_shared.map_or_else(Vec::new, one),
    },
    Metric {
        name: "egret_budget_limit",
        kind: Gauge,
        help: "Calls that the bank allows in a window.",
        read: |vitals, _| of_budgets(vitals, |budget| u64::from(budget.limit).into()),
    },
    Metric {
        name: "egret_budget_remaining",
        kind: Gauge,
        help: "Calls that are left of it; of a budget that is counted per consumer or token, of the one with the least.",
        read: |vitals, _| of_budgets(vitals, |budget| u64::from(budget.remaining).into()),
    },
    Metric {
        name: "egret_budget_waiting",
        kind: Gauge,
        help: "Calls that wait for a place.",
        read: |vitals, _| of_budgets(vitals, |budget| budget.waiting.into()),
    },
    Metric {
        name: "egret_budget_admitted_total",
        kind: Counter,
        help: "Places given to attempts.",
        read: |vitals, _| of_budgets(vitals, |budget| budget.admitted.into()),
    },
    Metric {
        name: "egret_budget_waited_total",
        kind: Counter,
        help: "Attempts that had to wait.",
        read: |vitals, _| of_budgets(vitals, |budget| budget.waited.into()),
    },
    Metric {
        name: "egret_budget_waited_seconds_total",
        kind: Counter,
        help: "How long they waited.",
        read: |vitals, _| {
            of_budgets(vitals, |budget| {
                Duration::from_micros(budget.waited_us).into()
            })
        },
    },
    Metric {
        name: "egret_budget_refused_total",
        kind: Counter,
        help: "Calls answered 429 here, since there would be no place in time.",
        read: |vitals, _| of_budgets(vitals, |budget| budget.refused.into()),
    },
    Metric {
        name: "egret_budget_over_total",
        kind: Counter,
        help: "Calls that went although there was no place, as a shadow lets them.",
        read: |vitals, _| of_budgets(vitals, |budget| budget.over.into()),
    },
    Metric {
        name: "egret_budget_throttled_total",
        kind: Counter,
        help: "Calls that the bank refused for want of allowance.",
        read: |vitals, _| of_budgets(vitals, |budget| budget.throttled.into()),
    },
    Metric {
        name: "egret_evidence_sealed_seq",
        kind: Gauge,
        help: "The first event of the journal that is under no signed checkpoint.",
        read: |vitals, _| of_evidence(vitals, |evidence| evidence.sealed_seq),
    },
    Metric {
        name: "egret_evidence_checkpoints_total",
        kind: Counter,
        help: "Checkpoints signed.",
        read: |vitals, _| of_evidence(vitals, |evidence| evidence.checkpoints),
    },
    Metric {
        name: "egret_evidence_failing",
        kind: Gauge,
        help: "1 while no checkpoint is signed: the log says why, also when records were changed. Calls go on.",
        read: |vitals, _| of_evidence(vitals, |evidence| evidence.failing),
    },
    Metric {
        name: "egret_detection_leading",
        kind: Gauge,
        help: "1 on the node that watches the ledger; in a fleet there is one, and none for longer than seconds is a fault.",
        read: |vitals, _| of_detection(vitals, |detection| detection.leading),
    },
    Metric {
        name: "egret_detection_failing",
        kind: Gauge,
        help: "1 while the ledger cannot be watched: the log says why. Calls go on, and are judged later.",
        read: |vitals, _| of_detection(vitals, |detection| detection.failing),
    },
    Metric {
        name: "egret_detection_lag_seconds",
        kind: Gauge,
        help: "How far detection is behind the calls; not told by a node that does not detect.",
        read: |vitals, _| vitals.detection_lag().map_or_else(Vec::new, one),
    },
    Metric {
        name: "egret_detection_events",
        kind: Gauge,
        help: "Events that were judged since detection began to learn, before this start too.",
        read: |vitals, _| of_detection(vitals, |detection| detection.events),
    },
    Metric {
        name: "egret_detection_alerts_total",
        kind: Counter,
        help: "Alerts, by severity.",
        read: |vitals, _| {
            let alerts = vitals.detection.iter().flat_map(|all| all.alerts);
            let samples = alerts
                .map(|(severity, count)| Sample::labelled("severity", severity, count.into()));
            samples.collect()
        },
    },
    Metric {
        name: "egret_detection_responses_total",
        kind: Counter,
        help: "Locks that incidents have placed without a person.",
        read: |vitals, _| of_detection(vitals, |detection| detection.responses),
    },
    Metric {
        name: "egret_incidents_open",
        kind: Gauge,
        help: "Incidents that nobody has taken.",
        read: |vitals, _| of_detection(vitals, |detection| detection.open),
    },
    Metric {
        name: "egret_incidents_acknowledged",
        kind: Gauge,
        help: "Incidents that somebody has taken and that are not over.",
        read: |vitals, _| of_detection(vitals, |detection| detection.acknowledged),
    },
];
