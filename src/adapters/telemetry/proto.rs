//! From spans, figures and log lines to the messages of OTLP.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric as OtlpMetric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, metric::Data,
    number_data_point::Value as Number,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as OtlpSpan, SpanFlags, Status, span, status::StatusCode,
};

use crate::adapters::log::LogLine;
use crate::domain::health::{Bounds, Label, Metric, MetricKind, Value, Vitals, metrics};
use crate::domain::telemetry::{Attribute, Named, Span, SpanKind};
use crate::types::{CallId, Micros};

/// The version of the semantic conventions that names are from.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";

/// The figure that repeats another one under a name without its unit, for those who read it so.
const REPEATED: &str = "egret_ledger_lag";

/// The sampled flag of a trace (W3C Trace Context).
const SAMPLED: u32 = 1;

/// What all that is told comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Origin {
    /// From the attributes of the resource, and the version of the program.
    pub fn new(attributes: impl IntoIterator<Item = (String, String)>, version: &str) -> Self {
        let attributes = attributes.into_iter();
        Self {
            resource: Resource {
                attributes: attributes.map(|(name, value)| text(&name, value)).collect(),
                ..Resource::default()
            },
            scope: InstrumentationScope {
                name: "egret".to_owned(),
                version: version.to_owned(),
                ..InstrumentationScope::default()
            },
        }
    }

    /// Spans as a request.
    pub fn traces(&self, spans: impl IntoIterator<Item = Span>) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(self.scope.clone()),
                    spans: spans.into_iter().map(span_of).collect(),
                    schema_url: SCHEMA.to_owned(),
                }],
                schema_url: SCHEMA.to_owned(),
            }],
        }
    }

    /// Log lines as a request.
    pub fn logs(&self, lines: impl IntoIterator<Item = LogLine>) -> ExportLogsServiceRequest {
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![ScopeLogs {
                    scope: Some(self.scope.clone()),
                    log_records: lines.into_iter().map(line_of).collect(),
                    schema_url: SCHEMA.to_owned(),
                }],
                schema_url: SCHEMA.to_owned(),
            }],
        }
    }

    /// Every figure that there is at the moment, as a request.
    pub fn metrics(&self, vitals: &Vitals, bounds: &Bounds) -> ExportMetricsServiceRequest {
        let told = metrics().filter(|metric| metric.name != REPEATED);
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(self.scope.clone()),
                    metrics: told
                        .filter_map(|metric| metric_of(metric, vitals, bounds))
                        .collect(),
                    schema_url: SCHEMA.to_owned(),
                }],
                schema_url: SCHEMA.to_owned(),
            }],
        }
    }
}

fn text(name: &str, value: impl Into<String>) -> KeyValue {
    any(name, Any::StringValue(value.into()))
}

fn any(name: &str, value: Any) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn nanos(at: Micros) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000)
}

fn span_of(span: Span) -> OtlpSpan {
    let attributes = span
        .attributes
        .into_iter()
        .map(|(name, value)| match value {
            Attribute::Text(value) => text(name, value),
            Attribute::Number(number) => any(name, Any::IntValue(number)),
        });
    let remote = if span.has_remote_parent {
        SpanFlags::ContextIsRemoteMask as u32
    } else {
        0
    };
    let kind = match span.kind {
        SpanKind::Server => span::SpanKind::Server,
        SpanKind::Client => span::SpanKind::Client,
    };
    OtlpSpan {
        trace_id: span.trace_id.as_bytes().to_vec(),
        span_id: span.span_id.to_vec(),
        parent_span_id: span.parent_id.map(|id| id.to_vec()).unwrap_or_default(),
        flags: SAMPLED | SpanFlags::ContextHasIsRemoteMask as u32 | remote,
        name: span.name,
        kind: kind.into(),
        start_time_unix_nano: nanos(span.began),
        end_time_unix_nano: nanos(span.ended),
        attributes: attributes.collect(),
        status: span.is_error.then(|| Status {
            code: StatusCode::Error.into(),
            ..Status::default()
        }),
        ..OtlpSpan::default()
    }
}

/// OpenTelemetry's numbers for the levels.
fn severity(level: &str) -> i32 {
    match level {
        "ERROR" => 17,
        "WARN" => 13,
        "INFO" => 9,
        "DEBUG" => 5,
        _ => 1,
    }
}

fn line_of(line: LogLine) -> LogRecord {
    let field = |name: &str| line.fields.iter().find(|(known, _)| *known == name);
    let trace_id = field("trace").and_then(|(_, trace)| unhex(trace));
    let call = field("call").and_then(|(_, call)| call.parse::<CallId>().ok());
    // The span of a call has the end of its id: `domain::telemetry`.
    let span_id = call.and_then(|call| call.as_bytes().get(8..).map(<[u8]>::to_vec));
    let mut attributes = vec![text("code.namespace", line.target.as_str())];
    for (name, value) in &line.fields {
        match *name {
            "trace" => {}
            "call" => attributes.push(text("egret.call_id", value.as_str())),
            name => attributes.push(text(&format!("egret.{name}"), value.as_str())),
        }
    }
    let at = nanos(line.at);
    LogRecord {
        time_unix_nano: at,
        observed_time_unix_nano: at,
        severity_number: severity(line.level),
        severity_text: line.level.to_owned(),
        span_id: span_id.filter(|_| trace_id.is_some()).unwrap_or_default(),
        trace_id: trace_id.unwrap_or_default(),
        attributes,
        body: Some(AnyValue {
            value: Some(Any::StringValue(line.message)),
        }),
        ..LogRecord::default()
    }
}

/// The 16 bytes of a trace id.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks_exact(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    (bytes.len() == 16).then_some(bytes)
}

fn labels(labels: Vec<Label>) -> Vec<KeyValue> {
    let number = |name: &str| matches!(name, "http.response.status_code" | "server.port");
    let labels = labels.into_iter().map(|(name, value)| {
        match value.parse().ok().filter(|_: &i64| number(name)) {
            Some(value) => any(name, Any::IntValue(value)),
            None => text(name, value),
        }
    });
    labels.collect()
}

fn metric_of(metric: &Metric, vitals: &Vitals, bounds: &Bounds) -> Option<OtlpMetric> {
    let samples = metric.read(vitals, bounds);
    if samples.is_empty() {
        return None;
    }
    let since = nanos(vitals.started_at);
    let now = nanos(vitals.now);
    let mut numbers = Vec::new();
    let mut histograms = Vec::new();
    for sample in samples {
        let attributes = labels(sample.labels);
        let value = match sample.value {
            Value::Count(count) => Number::AsInt(i64::try_from(count).unwrap_or(i64::MAX)),
            Value::Real(real) => Number::AsDouble(real),
            Value::Histogram(histogram) => {
                let exemplars = histogram.exemplars.iter().map(|(_, one)| Exemplar {
                    time_unix_nano: nanos(one.at),
                    span_id: one.span_id.to_vec(),
                    trace_id: one.trace_id.as_bytes().to_vec(),
                    value: Some(exemplar::Value::AsDouble(one.value)),
                    ..Exemplar::default()
                });
                histograms.push(HistogramDataPoint {
                    attributes,
                    start_time_unix_nano: since,
                    time_unix_nano: now,
                    count: histogram.count(),
                    sum: Some(histogram.sum),
                    exemplars: exemplars.collect(),
                    explicit_bounds: histogram.bounds.to_vec(),
                    bucket_counts: histogram.counts,
                    ..HistogramDataPoint::default()
                });
                continue;
            }
        };
        numbers.push(NumberDataPoint {
            attributes,
            start_time_unix_nano: since,
            time_unix_nano: now,
            value: Some(value),
            ..NumberDataPoint::default()
        });
    }
    let cumulative = AggregationTemporality::Cumulative.into();
    let data = match metric.kind {
        MetricKind::Counter => Data::Sum(Sum {
            data_points: numbers,
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        MetricKind::Gauge => Data::Gauge(Gauge {
            data_points: numbers,
        }),
        MetricKind::Histogram => Data::Histogram(Histogram {
            data_points: histograms,
            aggregation_temporality: cumulative,
        }),
    };
    let named = Named::of(metric.name);
    Some(OtlpMetric {
        name: named.name,
        description: metric.help.to_owned(),
        unit: named.unit.to_owned(),
        data: Some(data),
        ..OtlpMetric::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_call_is_part_of_its_span() {
        let call = "01a38f2d-c310-7d52-8f3a-5b8e2f1c9a04";
        let line = |trace: &str| LogLine {
            at: Micros(1_000),
            level: "WARN",
            target: "egret::edge".to_owned(),
            message: "a call was not completed".to_owned(),
            fields: vec![
                ("call", call.to_owned()),
                ("trace", trace.to_owned()),
                ("problem", "upstream_tls".to_owned()),
            ],
        };
        let record = line_of(line("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(record.trace_id.len(), 16);
        assert_eq!(
            record.span_id,
            [0x8f, 0x3a, 0x5b, 0x8e, 0x2f, 0x1c, 0x9a, 0x04]
        );
        assert_eq!(
            (record.severity_number, record.time_unix_nano),
            (13, 1_000_000)
        );
        let names: Vec<_> = record
            .attributes
            .iter()
            .map(|one| one.key.as_str())
            .collect();
        assert_eq!(names, ["code.namespace", "egret.call_id", "egret.problem"]);
        let broken = line_of(line("x"));
        assert!(broken.trace_id.is_empty() && broken.span_id.is_empty());
    }
}
