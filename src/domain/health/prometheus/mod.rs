//! What Prometheus reads: its text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), and OpenMetrics 1.0
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>) for those who
//! ask for it.
//!
//! OpenMetrics says units, and has a traced call as example for each bucket. Names, labels and values
//! are the same in both, so that it does not matter to a dashboard which one was read.

mod format;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use format::Format;

use super::checks::Bounds;
use super::histogram::{Exemplar, Histogram};
use super::metric::{Label, Metric, MetricKind, Sample, Value};
use super::metrics::metrics;
use super::vitals::Vitals;

/// What names of counters end in.
const TOTAL: &str = "_total";

/// What the name of a figure ends in that only has labels to tell.
const INFO: &str = "_info";

/// Units that names end in; OpenMetrics wants them to be told, too.
const UNITS: [&str; 3] = ["seconds", "bytes", "days"];

/// Every figure that there is at the moment.
pub fn render(format: Format, vitals: &Vitals, bounds: &Bounds) -> String {
    // Some 150 bytes a line.
    let mut text = String::with_capacity(32 << 10);
    for metric in metrics() {
        let samples = metric.read(vitals, bounds);
        if !samples.is_empty() {
            push_family(&mut text, format, metric, &samples);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn push_family(text: &mut String, format: Format, metric: &Metric, samples: &[Sample]) {
    let name = metric.name;
    let (family, kind) = match format {
        Format::Text => (name, metric.kind.as_str()),
        Format::OpenMetrics => family(name, metric.kind),
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP {family} {}", escape_help(format, metric.help));
    let _ = writeln!(text, "# TYPE {family} {kind}");
    let unit = UNITS.iter().find(|unit| {
        let rest = family.strip_suffix(*unit);
        rest.is_some_and(|rest| rest.ends_with('_'))
    });
    if let Some(unit) = unit.filter(|_| format == Format::OpenMetrics) {
        let _ = writeln!(text, "# UNIT {family} {unit}");
    }
    for sample in samples {
        let labels = labels_of(&sample.labels);
        let _ = match &sample.value {
            Value::Count(count) => writeln!(text, "{name}{} {count}", braced(&labels)),
            Value::Real(real) => writeln!(text, "{name}{} {}", braced(&labels), number(*real)),
            Value::Histogram(histogram) => {
                push_histogram(text, format, name, &labels, histogram);
                Ok(())
            }
        };
    }
}

/// The name of a family of OpenMetrics, from which its samples have theirs by an ending, and its type.
fn family(name: &str, kind: MetricKind) -> (&str, &'static str) {
    match (name.strip_suffix(TOTAL), name.strip_suffix(INFO)) {
        (Some(family), _) if kind == MetricKind::Counter => (family, kind.as_str()),
        (_, Some(family)) if kind == MetricKind::Gauge => (family, "info"),
        _ => (name, kind.as_str()),
    }
}

/// Buckets count all values up to their bound, not only those since the one before.
fn push_histogram(
    text: &mut String,
    format: Format,
    name: &str,
    labels: &str,
    histogram: &Histogram,
) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut count = 0;
    // With a point always, as OpenMetrics wants it: `le="1"` and `le="1.0"` would be two series.
    let bounds = histogram.bounds.iter().map(|bound| format!("{bound:?}"));
    let bounds = bounds.chain(["+Inf".to_owned()]);
    for (at, (bound, bucket)) in bounds.zip(&histogram.counts).enumerate() {
        count += bucket;
        let _ = write!(
            text,
            "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
        );
        let mut exemplars = histogram.exemplars.iter();
        let exemplar = exemplars.find(|(bucket, _)| *bucket == at);
        if let Some((_, exemplar)) = exemplar.filter(|_| format == Format::OpenMetrics) {
            push_exemplar(text, exemplar);
        }
        text.push('\n');
    }
    let labels = braced(labels);
    let _ = writeln!(text, "{name}_sum{labels} {}", number(histogram.sum));
    let _ = writeln!(text, "{name}_count{labels} {count}");
}

/// A traced call. Its labels have 63 of the 128 characters that they may have.
fn push_exemplar(text: &mut String, exemplar: &Exemplar) {
    let _ = write!(text, " # {{trace_id=\"");
    for byte in exemplar.trace_id.as_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    let _ = write!(text, "\",span_id=\"");
    for byte in exemplar.span_id {
        let _ = write!(text, "{byte:02x}");
    }
    let (seconds, micros) = (
        exemplar.at.0.div_euclid(1_000_000),
        exemplar.at.0.rem_euclid(1_000_000),
    );
    let _ = write!(
        text,
        "\"}} {} {seconds}.{micros:06}",
        number(exemplar.value)
    );
}

/// A number as both formats write it, also one that is none.
fn number(real: f64) -> Cow<'static, str> {
    match real {
        _ if real.is_nan() => "NaN".into(),
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        _ => real.to_string().into(),
    }
}

/// Labels as they stand between braces. Prometheus has underscores where OpenTelemetry has dots.
fn labels_of(labels: &[Label]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let comma = if text.is_empty() { "" } else { "," };
        let (name, value) = (name.replace('.', "_"), escape_label(value));
        let _ = write!(text, "{comma}{name}=\"{value}\"");
    }
    text
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

/// A quotation mark is escaped in OpenMetrics, and stands for itself in the text format.
fn escape_help(format: Format, text: &str) -> String {
    match format {
        Format::Text => text.replace('\\', "\\\\").replace('\n', "\\n"),
        Format::OpenMetrics => escape_label(text),
    }
}

fn escape_label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}

#[cfg(test)]
mod tests;
