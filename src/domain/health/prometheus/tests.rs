use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::health::HTTP_BOUNDS;
use crate::types::{Micros, TraceId};

/// Names and values.
type Labels = Vec<(String, String)>;

/// A line of OpenMetrics that is no comment, taken apart by the grammar of the specification.
#[derive(Debug, PartialEq)]
struct Read {
    name: String,
    labels: Labels,
    value: f64,
    /// Its labels, value and time.
    exemplar: Option<(Labels, f64, f64)>,
}

/// Reads a line with nothing left over.
fn read(line: &str) -> Read {
    let at = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(at);
    let labels = labels(&mut rest);
    let rest = rest.strip_prefix(' ').unwrap();
    let (value, exemplar) = match rest.split_once(" # ") {
        Some((value, mut rest)) => {
            let labels = super::tests::labels(&mut rest);
            let (number, at) = rest.strip_prefix(' ').unwrap().split_once(' ').unwrap();
            let exemplar = (labels, number.parse().unwrap(), at.parse().unwrap());
            (value, Some(exemplar))
        }
        None => (rest, None),
    };
    Read {
        name: name.to_owned(),
        labels,
        value: value.parse().unwrap(),
        exemplar,
    }
}

fn labels(rest: &mut &str) -> Labels {
    let Some(mut inside) = rest.strip_prefix('{') else {
        return Vec::new();
    };
    let mut found = Vec::new();
    while !inside.starts_with('}') {
        let (name, after) = inside.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, '\n') => panic!("a line ends inside a label"),
                (_, other) => value.push(other),
            }
        };
        found.push((name.to_owned(), value));
        inside = after[end + 1..].trim_start_matches(',');
    }
    *rest = &inside[1..];
    found
}

fn exemplar(value: f64) -> Exemplar {
    Exemplar {
        trace_id: TraceId::from_bytes([0xab; 16]).unwrap(),
        span_id: [1, 2, 3, 4, 5, 6, 7, 8],
        value,
        at: Micros(1_795_305_338_000_250),
    }
}

fn render_one(format: Format, metric: &Metric, samples: &[Sample]) -> String {
    let mut text = String::new();
    push_family(&mut text, format, metric, samples);
    text
}

fn metric(name: &'static str, kind: MetricKind, help: &'static str) -> Metric {
    Metric {
        name,
        kind,
        help,
        read: |_, _| Vec::new(),
    }
}

#[test]
fn families_have_the_names_units_and_types_of_openmetrics() {
    let one = [Sample {
        labels: Vec::new(),
        value: Value::Count(1),
    }];
    for (name, kind, head) in [
        (
            "a_seconds_total",
            MetricKind::Counter,
            "# HELP a_seconds H.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n",
        ),
        (
            "a_total",
            MetricKind::Counter,
            "# HELP a H.\n# TYPE a counter\na_total 1\n",
        ),
        (
            "a_bytes",
            MetricKind::Gauge,
            "# HELP a_bytes H.\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\na_bytes 1\n",
        ),
        (
            "a_build_info",
            MetricKind::Gauge,
            "# HELP a_build H.\n# TYPE a_build info\na_build_info 1\n",
        ),
    ] {
        let metric = metric(name, kind, "H.");
        assert_eq!(render_one(Format::OpenMetrics, &metric, &one), head);
        let kind = kind.as_str();
        let text = format!("# HELP {name} H.\n# TYPE {name} {kind}\n{name} 1\n");
        assert_eq!(render_one(Format::Text, &metric, &one), text);
    }
}

#[test]
fn no_sample_can_be_taken_for_one_of_another_family() {
    let mut names = BTreeSet::new();
    for metric in metrics() {
        let (family, kind) = family(metric.name, metric.kind);
        let endings: &[&str] = match kind {
            "counter" => &["_total", "_created"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count", "_created"],
            _ => &[""],
        };
        for ending in endings {
            let name = format!("{family}{ending}");
            assert!(names.insert(name.clone()), "{name} twice");
        }
        if kind == "gauge" {
            for ending in ["_total", "_created", "_bucket", "_sum", "_count", "_info"] {
                assert!(!family.ends_with(ending), "{family}");
            }
        }
    }
}

#[test]
fn buckets_have_their_exemplars_and_the_text_format_has_none() {
    let mut histogram = Histogram::new(HTTP_BOUNDS);
    histogram.counts[9] = 2;
    histogram.counts[14] = 1;
    histogram.sum = 13.5;
    histogram.exemplars = vec![(9, exemplar(0.75)), (14, exemplar(12.0))];
    let sample = [Sample {
        labels: vec![("provider", "cybrid".into())],
        value: Value::Histogram(histogram),
    }];
    let metric = metric("h_seconds", MetricKind::Histogram, "H.");
    let text = render_one(Format::OpenMetrics, &metric, &sample);
    let line = "h_seconds_bucket{provider=\"cybrid\",le=\"1.0\"} 2 # {trace_id=\"abababababababababababababababab\",\
                span_id=\"0102030405060708\"} 0.75 1795305338.000250";
    assert!(text.lines().any(|found| found == line), "{text}");
    let lines: Vec<Read> = text.lines().skip(3).map(read).collect();
    assert_eq!(lines.len(), 17);
    let exemplars = lines.iter().filter(|line| line.exemplar.is_some());
    assert_eq!(exemplars.count(), 2);
    assert_eq!(lines[14].labels[1].1, "+Inf");
    assert_eq!(
        (lines[14].value, lines[15].value, lines[16].value),
        (3.0, 13.5, 3.0)
    );
    let plain = render_one(Format::Text, &metric, &sample);
    assert!(!plain.contains("trace_id"));
    // What is before the exemplars is the same, so that a series is the same however it is read.
    let series = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split(" # ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(series(&plain), series(&text));
}

#[test]
fn what_is_no_number_is_written_as_both_formats_know_it() {
    for (real, text) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (1.5, "1.5"),
    ] {
        assert_eq!(number(real), text);
    }
}

proptest! {
    #[test]
    fn labels_come_back_as_they_were(
        values in prop::collection::vec("[a-c\"\\\\\n{}=, #é\r\t\u{2028}]{0,12}", 0..4),
        count: u64,
    ) {
        const NAMES: [&str; 4] = ["a", "b.c", "d", "e.f"];
        let labels: Vec<Label> = NAMES.into_iter().zip(values.iter().map(|value| value.clone().into())).collect();
        let sample = [Sample { labels, value: Value::Count(count) }];
        let metric = metric("x_total", MetricKind::Counter, "H.");
        for format in [Format::Text, Format::OpenMetrics] {
            let text = render_one(format, &metric, &sample);
            // One line feed ends each line, and no value can make another.
            let lines: Vec<&str> = text.split_terminator('\n').collect();
            prop_assert_eq!(lines.len(), 3);
            let found = read(lines[2]);
            prop_assert_eq!(&found.name, "x_total");
            let wanted: Vec<_> = NAMES.into_iter().zip(&values).map(|(name, value)| (name.replace('.', "_"), value.clone())).collect();
            prop_assert_eq!(found.labels, wanted);
            prop_assert_eq!(found.value, count as f64);
        }
    }

    #[test]
    fn help_is_one_line_and_comes_back(help in "[a-c\"\\\\\n #]{0,20}") {
        for format in [Format::Text, Format::OpenMetrics] {
            let escaped = escape_help(format, &help);
            prop_assert!(!escaped.contains('\n'));
            let mut read = String::new();
            let mut chars = escaped.chars();
            while let Some(char) = chars.next() {
                read.push(match char {
                    '\\' => match chars.next().unwrap() {
                        'n' => '\n',
                        other => other,
                    },
                    '"' => {
                        prop_assert_eq!(format, Format::Text, "OpenMetrics has no bare quotation mark");
                        '"'
                    }
                    other => other,
                });
            }
            prop_assert_eq!(&read, &help);
        }
    }

    #[test]
    fn an_exemplar_is_read_with_its_value(value in 0.0_f64..1e6, at in 0_i64..4_000_000_000_000_000) {
        let mut histogram = Histogram::new(HTTP_BOUNDS);
        histogram.exemplars = vec![(0, Exemplar { at: Micros(at), ..exemplar(value) })];
        let sample = [Sample { labels: Vec::new(), value: Value::Histogram(histogram) }];
        let metric = metric("h_seconds", MetricKind::Histogram, "H.");
        let text = render_one(Format::OpenMetrics, &metric, &sample);
        let (labels, read_value, read_at) = read(text.lines().nth(3).unwrap()).exemplar.unwrap();
        prop_assert_eq!(read_value, value);
        prop_assert!((read_at - at as f64 / 1e6).abs() < 1e-3);
        let length: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        prop_assert!(length <= 128);
    }
}
