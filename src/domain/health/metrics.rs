//! The figures, in one table.

use std::time::Duration;

use super::call_metrics::CALL_METRICS;
use super::checks::{CHECKS, Check, Verdict, failing};
use super::group_metrics::GROUP_METRICS;
use super::metric::{Metric, MetricKind, Sample, Value, each, of, one};
use super::redactions::REDACTION_METRICS;
use super::side_metrics::SIDE_METRICS;
use super::vitals::{BudgetVitals, Stage, Vitals};

use MetricKind::{Counter, Gauge};

fn of_budgets(vitals: &Vitals, read: fn(&BudgetVitals) -> Value) -> Vec<Sample> {
    each(&vitals.budgets, |budget| {
        Sample::labelled("budget", budget.name.to_string(), read(budget))
    })
}

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
            each(CHECKS, |check| {
                Sample::labelled("check", check.name, is_good(check).into())
            })
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
        read: |vitals, _| of(vitals.listening.as_ref(), |all| all.accepting),
    },
    Metric {
        name: "egret_listener_sockets_wanted",
        kind: Gauge,
        help: "Sockets that should accept connections.",
        read: |vitals, _| of(vitals.listening.as_ref(), |all| all.wanted),
    },
    Metric {
        name: "egret_journal_failing",
        kind: Gauge,
        help: "1 while the journal cannot be written, also while the disk does not answer.",
        read: |vitals, _| {
            of(vitals.journal.as_ref(), |journal| {
                journal.failing_since.is_some() || journal.stalled || journal.ended
            })
        },
    },
    Metric {
        name: "egret_journal_next_seq",
        kind: Gauge,
        help: "Number of the next event of the journal; goes on over restarts.",
        read: |vitals, _| of(vitals.journal.as_ref(), |journal| journal.next_seq),
    },
    Metric {
        name: "egret_journal_durable_seq",
        kind: Gauge,
        help: "The first event of the journal that is not known to be on disk.",
        read: |vitals, _| of(vitals.journal.as_ref(), |journal| journal.durable_seq),
    },
    Metric {
        name: "egret_journal_waiting_bytes",
        kind: Gauge,
        help: "Bytes of events that wait in memory to be on disk.",
        read: |vitals, _| of(vitals.journal.as_ref(), |journal| journal.waiting_bytes),
    },
    Metric {
        name: "egret_journal_undrained_bytes",
        kind: Gauge,
        help: "Bytes of the journal that the ledger has not taken.",
        read: |vitals, _| of(vitals.journal.as_ref(), |journal| journal.undrained_bytes),
    },
    Metric {
        name: "egret_journal_max_bytes",
        kind: Gauge,
        help: "The most that egret_journal_undrained_bytes may be before calls are refused.",
        read: |vitals, _| of(vitals.journal.as_ref(), |journal| journal.max_bytes),
    },
    Metric {
        name: "egret_journal_refused_total",
        kind: Counter,
        help: "Calls refused because they could not be recorded.",
        read: |vitals, _| of(vitals.journal.as_ref(), |journal| journal.refused),
    },
    Metric {
        name: "egret_journal_shed_total",
        kind: Counter,
        help: "Calls that went on unrecorded, as the policy shed allows.",
        read: |vitals, _| of(vitals.journal.as_ref(), |journal| journal.shed),
    },
    Metric {
        name: "egret_ledger_drained_seq",
        kind: Gauge,
        help: "The first event of the journal that the ledger has not taken.",
        read: |vitals, _| of(vitals.ledger.as_ref(), |ledger| ledger.drained_seq),
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
        read: |vitals, _| of(vitals.ledger.as_ref(), |ledger| ledger.written),
    },
    Metric {
        name: "egret_ledger_failures_total",
        kind: Counter,
        help: "Attempts to write to the ledger that failed.",
        read: |vitals, _| of(vitals.ledger.as_ref(), |ledger| ledger.failures),
    },
    Metric {
        name: "egret_ledger_failing",
        kind: Gauge,
        help: "1 if the last attempt to write to the ledger failed.",
        read: |vitals, _| of(vitals.ledger.as_ref(), |ledger| ledger.failing),
    },
    Metric {
        name: "egret_coalesced_waiting",
        kind: Gauge,
        help: "Calls that wait for the answer to an identical one.",
        read: |vitals, _| of(vitals.coalescer.as_ref(), |all| all.waiting),
    },
    Metric {
        name: "egret_coalesced_total",
        kind: Counter,
        help: "Calls answered with what an identical one got, without asking the bank.",
        read: |vitals, _| of(vitals.coalescer.as_ref(), |all| all.shared),
    },
    Metric {
        name: "egret_config_reloads_total",
        kind: Counter,
        help: "Reloads of the configuration that took effect.",
        read: |vitals, _| of(vitals.reloads.as_ref(), |all| all.taken),
    },
    Metric {
        name: "egret_config_reloads_refused_total",
        kind: Counter,
        help: "Reloads of the configuration that were refused because of a fault.",
        read: |vitals, _| of(vitals.reloads.as_ref(), |all| all.refused),
    },
    Metric {
        name: "egret_config_stale",
        kind: Gauge,
        help: "1 if the last reload was refused: the files say something else than what runs.",
        read: |vitals, _| of(vitals.reloads.as_ref(), |all| all.is_stale),
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
        read: |vitals, _| of(vitals.evidence.as_ref(), |evidence| evidence.sealed_seq),
    },
    Metric {
        name: "egret_evidence_checkpoints_total",
        kind: Counter,
        help: "Checkpoints signed.",
        read: |vitals, _| of(vitals.evidence.as_ref(), |evidence| evidence.checkpoints),
    },
    Metric {
        name: "egret_evidence_failing",
        kind: Gauge,
        help: "1 while no checkpoint is signed: the log says why, also when records were changed. Calls go on.",
        read: |vitals, _| of(vitals.evidence.as_ref(), |evidence| evidence.failing),
    },
    Metric {
        name: "egret_detection_leading",
        kind: Gauge,
        help: "1 on the node that watches the ledger; in a fleet there is one, and none for longer than seconds is a fault.",
        read: |vitals, _| of(vitals.detection.as_ref(), |detection| detection.leading),
    },
    Metric {
        name: "egret_detection_failing",
        kind: Gauge,
        help: "1 while the ledger cannot be watched: the log says why. Calls go on, and are judged later.",
        read: |vitals, _| of(vitals.detection.as_ref(), |detection| detection.failing),
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
        read: |vitals, _| of(vitals.detection.as_ref(), |detection| detection.events),
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
        read: |vitals, _| of(vitals.detection.as_ref(), |detection| detection.responses),
    },
    Metric {
        name: "egret_incidents_open",
        kind: Gauge,
        help: "Incidents that nobody has taken.",
        read: |vitals, _| of(vitals.detection.as_ref(), |detection| detection.open),
    },
    Metric {
        name: "egret_incidents_acknowledged",
        kind: Gauge,
        help: "Incidents that somebody has taken and that are not over.",
        read: |vitals, _| {
            of(vitals.detection.as_ref(), |detection| {
                detection.acknowledged
            })
        },
    },
];
