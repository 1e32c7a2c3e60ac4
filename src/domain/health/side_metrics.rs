//! The figures of what is written beside the record: log and captures.

use super::metric::{Metric, MetricKind, Sample, one};

use MetricKind::Counter;

/// The figures of log and captures.
pub(super) const SIDE_METRICS: &[Metric] = &[
    Metric {
        name: "egret_log_dropped_total",
        kind: Counter,
        help: "Lines of the log that were not written, since standard error did not take them in time.",
        read: |vitals, _| one(vitals.log_dropped),
    },
    Metric {
        name: "egret_captures_total",
        kind: Counter,
        help: "Captures by what became of them: kept, dropped (too many at a time), failed (no room) or expired (their time was over).",
        read: |vitals, _| {
            let Some(captures) = vitals.captures else {
                return Vec::new();
            };
            let results = [
                ("kept", captures.kept),
                ("dropped", captures.dropped),
                ("failed", captures.failed),
                ("expired", captures.expired),
            ];
            let samples =
                results.map(|(result, count)| Sample::labelled("result", result, count.into()));
            samples.into()
        },
    },
];
