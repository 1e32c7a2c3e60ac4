//! The figures of calls: those of OpenTelemetry's semantic conventions for HTTP, and those that only a
//! gateway to banks has.
//!
//! Histograms are told apart by place, method and status, and not by operation: a catalog has hundreds
//! of those, and each would have sixteen lines. Counts have the operation.

use std::borrow::Cow;

use super::calls::MaybePlace;
use super::metric::{Label, Metric, MetricKind, Sample, Value, each, of, one};
use super::vitals::{SignalVitals, Vitals};

use MetricKind::{Counter, Gauge, Histogram};

/// In microseconds.
const DAY: f64 = 86_400e6;

/// The figures of calls.
pub(super) const CALL_METRICS: &[Metric] = &[
    Metric {
        name: "http_server_request_duration_seconds",
        kind: Histogram,
        help: "How long calls took, from their header to their end; error_type is the problem that was answered, if one was.",
        read: |vitals, _| {
            each(&vitals.calls.server, |series| {
                let mut labels = of_place(&series.place);
                labels.push(method(series.method));
                let scheme = if series.is_https { "https" } else { "http" };
                labels.push(("url.scheme", scheme.into()));
                labels.extend(status(series.status));
                labels.extend(error(series.error, series.status, 500));
                Sample {
                    labels,
                    value: Value::Histogram(series.durations.clone()),
                }
            })
        },
    },
    Metric {
        name: "http_client_request_duration_seconds",
        kind: Histogram,
        help: "How long attempts at the banks took, to the header of the answer or to the failure.",
        read: |vitals, _| {
            each(&vitals.calls.client, |series| {
                let mut labels = of_place(&series.place);
                labels.push(method(series.method));
                if let Some(place) = &series.place {
                    labels.push(("server.address", place.host.to_string().into()));
                    labels.push(("server.port", place.port.to_string().into()));
                }
                labels.extend(status(series.status));
                labels.extend(error(series.error, series.status, 400));
                Sample {
                    labels,
                    value: Value::Histogram(series.durations.clone()),
                }
            })
        },
    },
    Metric {
        name: "egret_calls_total",
        kind: Counter,
        help: "Calls that are over, by operation of the catalog, by what the gateway did and by how they ended.",
        read: |vitals, _| {
            each(&vitals.calls.calls, |series| {
                let operation = match &series.operation {
                    Some(operation) => operation.to_string().into(),
                    None => "unknown".into(),
                };
                let labels = [
                    ("operation", operation),
                    ("decision", series.decision.as_str().into()),
                    ("outcome", series.outcome.as_str().into()),
                ];
                counted(&series.place, labels, series.count)
            })
        },
    },
    Metric {
        name: "egret_denials_total",
        kind: Counter,
        help: "Calls that were not passed on, by reason; the reasons are those of docs/problems.md.",
        read: |vitals, _| {
            each(&vitals.calls.denials, |series| {
                let labels = [
                    ("decision", series.decision.as_str().into()),
                    ("reason", series.reason.into()),
                ];
                counted(&series.place, labels, series.count)
            })
        },
    },
    Metric {
        name: "egret_credentials_total",
        kind: Counter,
        help: "Calls by the kind of credential that they carried.",
        read: |vitals, _| {
            each(&vitals.calls.credentials, |series| {
                let labels = [("token_type", series.token_type.as_str().into())];
                counted(&series.place, labels, series.count)
            })
        },
    },
    Metric {
        name: "egret_mints_total",
        kind: Counter,
        help: "Tokens and secrets that banks handed out, by what they are and by the credential that they were asked for with.",
        read: |vitals, _| {
            each(&vitals.calls.mints, |series| {
                let labels = [
                    ("kind", series.kind.to_string().into()),
                    ("token_type", series.token_type.as_str().into()),
                ];
                counted(&series.place, labels, series.count)
            })
        },
    },
    Metric {
        name: "egret_resends_total",
        kind: Counter,
        help: "Attempts that repeated another, also at another address of the bank, by how that one failed.",
        read: |vitals, _| {
            each(&vitals.calls.resends, |series| {
                counted(
                    &series.place,
                    [("cause", series.cause.into())],
                    series.count,
                )
            })
        },
    },
    Metric {
        name: "egret_series_unlisted_total",
        kind: Counter,
        help: "What was counted in none of the series of calls, since there were too many of those.",
        read: |vitals, _| one(vitals.calls.unlisted),
    },
    Metric {
        name: "egret_certificate_expiry_days",
        kind: Gauge,
        help: "Days until the first certificate of a file runs out that the configuration names; below 0 once it has.",
        read: |vitals, _| {
            each(&vitals.certificates, |one| Sample {
                labels: vec![
                    ("use", one.purpose.as_str().into()),
                    ("file", one.file.to_string().into()),
                ],
                value: Value::Real(one.expires_at.0.saturating_sub(vitals.now.0) as f64 / DAY),
            })
        },
    },
    Metric {
        name: "egret_telemetry_sent_total",
        kind: Counter,
        help: "Calls, looks at the figures and log lines that the collector has taken.",
        read: |vitals, _| of_telemetry(vitals, |signal| signal.sent),
    },
    Metric {
        name: "egret_telemetry_dropped_total",
        kind: Counter,
        help: "Those that it was not told of, for want of room or since it did not take them; their records are where they belong.",
        read: |vitals, _| of_telemetry(vitals, |signal| signal.dropped),
    },
    Metric {
        name: "egret_telemetry_failures_total",
        kind: Counter,
        help: "Requests to the collector that failed, also those that were sent again.",
        read: |vitals, _| of_telemetry(vitals, |signal| signal.failures),
    },
    Metric {
        name: "egret_journal_commit_duration_seconds",
        kind: Histogram,
        help: "How long the journal's commits took, most with a sync; calls wait for them.",
        read: |vitals, _| {
            of(vitals.journal_commits.as_ref(), |commits| {
                Value::Histogram(commits.clone())
            })
        },
    },
];

fn of_telemetry(vitals: &Vitals, read: fn(&SignalVitals) -> u64) -> Vec<Sample> {
    let Some(telemetry) = &vitals.telemetry else {
        return Vec::new();
    };
    let signals = [
        ("traces", &telemetry.traces),
        ("metrics", &telemetry.metrics),
        ("logs", &telemetry.logs),
    ];
    let samples = signals.map(|(name, signal)| Sample {
        labels: vec![("signal", name.into())],
        value: read(signal).into(),
    });
    samples.into()
}

fn counted<const N: usize>(place: &MaybePlace, labels: [Label; N], count: u64) -> Sample {
    let mut all = of_place(place);
    all.extend(labels);
    Sample {
        labels: all,
        value: Value::Count(count),
    }
}

pub(super) fn of_place(place: &MaybePlace) -> Vec<Label> {
    let Some(place) = place else {
        return Vec::new();
    };
    vec![
        ("provider", place.provider.to_string().into()),
        ("environment", place.environment.as_str().into()),
        ("service", place.service.to_string().into()),
    ]
}

/// The convention's word for a method that is none of the standard ones is `_OTHER`.
fn method(method: &'static str) -> Label {
    let word = if method == "other" { "_OTHER" } else { method };
    ("http.request.method", word.into())
}

fn status(status: Option<u16>) -> Option<Label> {
    status.map(|status| ("http.response.status_code", status.to_string().into()))
}

/// Why something went wrong: our word for it, else the status from which on it says so.
fn error(word: Option<&'static str>, status: Option<u16>, from: u16) -> Option<Label> {
    let status = status.filter(|status| *status >= from);
    let word = word.map(Cow::Borrowed);
    let word = word.or_else(|| status.map(|status| status.to_string().into()));
    word.map(|word| ("error.type", word))
}
