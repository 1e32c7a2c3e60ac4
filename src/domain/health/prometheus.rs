//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;

use super::checks::Bounds;
use super::histogram::Histogram;
use super::metric::{Label, Value};
use super::metrics::metrics;
use super::vitals::Vitals;

/// Media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every figure that there is at the moment.
pub fn render(vitals: &Vitals, bounds: &Bounds) -> String {
    // Some 150 bytes a line.
    let mut text = String::with_capacity(32 << 10);
    for metric in metrics() {
        let samples = metric.read(vitals, bounds);
        if samples.is_empty() {
            continue;
        }
        let (name, kind) = (metric.name, metric.kind.as_str());
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {}", escape_help(metric.help));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for sample in samples {
            let labels = labels_of(&sample.labels);
            let _ = match &sample.value {
                Value::Count(count) => writeln!(text, "{name}{} {count}", braced(&labels)),
                Value::Real(real) => writeln!(text, "{name}{} {real}", braced(&labels)),
                Value::Histogram(histogram) => {
                    push_histogram(&mut text, name, &labels, histogram);
                    Ok(())
                }
            };
        }
    }
    text
}

/// Buckets count all values up to their bound, not only those since the one before.
fn push_histogram(text: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut count = 0;
    let bounds = histogram.bounds.iter().map(ToString::to_string);
    for (bound, bucket) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.counts) {
        count += bucket;
        let _ = writeln!(
            text,
            "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
        );
    }
    let labels = braced(labels);
    let _ = writeln!(text, "{name}_sum{labels} {}", histogram.sum);
    let _ = writeln!(text, "{name}_count{labels} {count}");
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

fn escape_help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn escape_label(text: &str) -> String {
    escape_help(text).replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_help_are_escaped() {
        assert_eq!(escape_label("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
        assert_eq!(escape_help("a\"b\\c\nd"), "a\"b\\\\c\\nd");
    }
}
