//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;

use super::checks::Bounds;
use super::metrics::{METRICS, Value};
use super::vitals::Vitals;

/// Media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every figure that there is at the moment.
pub fn render(vitals: &Vitals, bounds: &Bounds) -> String {
    // Some 150 bytes a line.
    let mut text = String::with_capacity(METRICS.len() * 256);
    for metric in METRICS {
        let samples = metric.read(vitals, bounds);
        if samples.is_empty() {
            continue;
        }
        let (name, kind) = (metric.name, metric.kind.as_str());
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {}", escape_help(metric.help));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for sample in samples {
            let _ = match &sample.label {
                Some((label, value)) => {
                    write!(text, "{name}{{{label}=\"{}\"}} ", escape_label(value))
                }
                None => write!(text, "{name} "),
            };
            let _ = match sample.value {
                Value::Count(count) => writeln!(text, "{count}"),
                Value::Real(real) => writeln!(text, "{real}"),
            };
        }
    }
    text
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
