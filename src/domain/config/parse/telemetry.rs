//! `[telemetry]`: what is told to a collector of OpenTelemetry.
//!
//! The standard's environment variables are taken too, where they say something that a key says: they
//! override the file, and `EGRET_TELEMETRY_...` overrides them.

use std::time::Duration;

use toml::de::DeValue;

use super::Surroundings;
use super::files::{Files, Pem};
use crate::domain::catalog::BaseUrl;
use crate::domain::config::reader::{
    DurationIn, FilePath, Flag, Found, Kind, OneOf, Problem, Raw, Shape, Table, Text,
};
use crate::domain::config::telemetry::{OtlpProtocol, Telemetry};

/// Most attributes of the resource: each goes along with every request.
const MAX_ATTRIBUTES: usize = 64;

/// Longest name or value of one of them, in bytes.
const MAX_ATTRIBUTE: usize = 256;

const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(3_600);

const MIN_TIMEOUT: Duration = Duration::from_millis(100);
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// Where collectors listen by the specification of OTLP.
const DEFAULT_NAME: &str = "egret";

/// A part of a whole.
struct Ratio;

impl Kind for Ratio {
    type Value = f64;

    fn read(&self, raw: Raw<'_>) -> Result<f64, Problem> {
        let number: Option<f64> = match raw {
            Raw::File(DeValue::Float(float)) => float.as_str().parse().ok(),
            Raw::File(DeValue::Integer(integer)) => integer.as_str().parse().ok(),
            Raw::File(_) => None,
            Raw::Variable(text) => text.parse().ok(),
        };
        number
            .filter(|number| (0.0..=1.0).contains(number))
            .ok_or_else(|| {
                Problem::new(
                    "not a part of a whole",
                    "use a number from 0 to 1, such as 0.1",
                )
            })
    }

    fn describe(&self) -> String {
        "number, 0 to 1".to_owned()
    }

    fn show(&self, value: &f64) -> String {
        value.to_string()
    }

    fn shape(&self) -> Shape {
        Shape::Ratio
    }
}

const PROTOCOLS: OneOf<OtlpProtocol> =
    OneOf(&[("grpc", OtlpProtocol::Grpc), ("http", OtlpProtocol::Http)]);

/// Reads `[telemetry]`.
pub(super) fn read(
    top: &Table<'_>,
    files: &Files<'_>,
    surroundings: &dyn Surroundings,
) -> Telemetry {
    let table = top.table("telemetry");
    let standard = Standard {
        table: &table,
        surroundings,
    };
    let endpoint = table.optional(
        "endpoint",
        &Text {
            max: 2_048,
            what: "base URL, such as `\"http://127.0.0.1:4317\"`",
        },
        "none: nothing is told",
        "Collector of OpenTelemetry that traces, figures and log lines are sent to over OTLP; 4317 is \
         the usual port for `grpc` and 4318 for `http`. Or `OTEL_EXPORTER_OTLP_ENDPOINT`.",
    );
    let insecure = table.value(
        "insecure",
        &Flag,
        false,
        "Whether plain HTTP may go to other machines than this one. No secret is in what is sent, \
         `headers_file` aside, but who listens sees who calls what. Or `OTEL_EXPORTER_OTLP_INSECURE`.",
    );
    let protocol = table.value(
        "protocol",
        &PROTOCOLS,
        OtlpProtocol::Grpc,
        "`grpc`, or `http` with protobuf. Or `OTEL_EXPORTER_OTLP_PROTOCOL`.",
    );
    let headers_file = table.optional(
        "headers_file",
        &FilePath,
        "none",
        "File with header fields for the collector, one `name: value` a line, such as credentials; \
         readable by its owner only. Or `OTEL_EXPORTER_OTLP_HEADERS`.",
    );
    let ca = table.optional(
        "ca",
        &FilePath,
        "the system's",
        "Authorities to trust for the collector, PEM.",
    );
    let flag = |key, meaning| table.value(key, &Flag, true, meaning).value;
    let traces = flag(
        "traces",
        "Whether calls are told as traces: a span for each call and one for each attempt at the bank.",
    );
    let metrics = flag("metrics", "Whether the figures of `/metrics` are told.");
    let logs = flag("logs", "Whether log lines are told.");
    let sample_ratio = table.value(
        "sample_ratio",
        &Ratio,
        1.0,
        "Part of the traces that begin here that is told. Where a caller sends `traceparent`, the \
         caller has decided. Or `OTEL_TRACES_SAMPLER_ARG`.",
    );
    let interval = table.value(
        "interval",
        &DurationIn(MIN_INTERVAL..=MAX_INTERVAL),
        Duration::from_secs(15),
        "How often figures are told. Or `OTEL_METRIC_EXPORT_INTERVAL`, in milliseconds.",
    );
    let timeout = table.value(
        "timeout",
        &DurationIn(MIN_TIMEOUT..=MAX_TIMEOUT),
        Duration::from_secs(10),
        "How long the collector may take. Or `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds.",
    );
    let service_name = table.value(
        "service_name",
        &Text {
            max: MAX_ATTRIBUTE,
            what: "name",
        },
        DEFAULT_NAME.to_owned(),
        "`service.name` of all that is told; `service.instance.id` is the node. Or `OTEL_SERVICE_NAME`.",
    );
    let mut attributes = read_attributes(&table);
    standard.attributes(&mut attributes);

    let insecure = standard.or("OTEL_EXPORTER_OTLP_INSECURE", insecure, |text| {
        text.parse().ok()
    });
    let endpoint = standard.endpoint(endpoint, insecure);
    let has_headers =
        headers_file.is_some() || standard.variable("OTEL_EXPORTER_OTLP_HEADERS").is_some();
    let is_open = |url: &BaseUrl| !url.tls() && !url.is_loopback();
    if has_headers && endpoint.as_ref().is_some_and(is_open) {
        let problem = Problem::new(
            "header fields for the collector would go to another machine in the clear",
            "use an https endpoint, or a collector on this machine",
        );
        table.fault(&table.place_of("headers_file"), problem);
    }
    Telemetry {
        endpoint,
        protocol: standard.or("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, |text| match text {
            "grpc" => Some(OtlpProtocol::Grpc),
            "http/protobuf" => Some(OtlpProtocol::Http),
            _ => None,
        }),
        headers_file: headers_file.map(|path| files.resolve(&path.value)),
        ca: ca.map(|path| files.pem(&table, path, Pem::Certificate)),
        traces,
        metrics,
        logs,
        sample_ratio: standard.or("OTEL_TRACES_SAMPLER_ARG", sample_ratio, |text| {
            Ratio.read(Raw::Variable(text)).ok()
        }),
        interval: standard.or("OTEL_METRIC_EXPORT_INTERVAL", interval, |text| {
            millis(text).filter(|span| (MIN_INTERVAL..=MAX_INTERVAL).contains(span))
        }),
        timeout: standard.or("OTEL_EXPORTER_OTLP_TIMEOUT", timeout, |text| {
            millis(text).filter(|span| (MIN_TIMEOUT..=MAX_TIMEOUT).contains(span))
        }),
        service_name: standard.or("OTEL_SERVICE_NAME", service_name, |text| {
            is_attribute(text).then(|| text.to_owned())
        }),
        attributes,
    }
}

fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

fn is_attribute(text: &str) -> bool {
    (1..=MAX_ATTRIBUTE).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn read_attributes(table: &Table<'_>) -> Vec<(String, String)> {
    let entries = table.table("attributes").entries();
    if entries.len() > MAX_ATTRIBUTES {
        let hint = format!("use at most {MAX_ATTRIBUTES}");
        table.fault(table.place(), Problem::new("too many attributes", hint));
    }
    let mut attributes = Vec::new();
    for entry in entries.iter().take(MAX_ATTRIBUTES) {
        let value = entry.value(
            "<name>",
            &Text {
                max: MAX_ATTRIBUTE,
                what: "text",
            },
            "Further attribute of the resource that all that is told comes from, such as \
             `\"deployment.environment.name\" = \"production\"`. Or `OTEL_RESOURCE_ATTRIBUTES`.",
        );
        if !is_attribute(entry.name) {
            let problem = Problem::new(
                "not the name of an attribute",
                format!("use 1 to {MAX_ATTRIBUTE} printable bytes"),
            );
            table.fault(&entry.place, problem);
        }
        if let Some(value) = value {
            attributes.push((entry.name.to_owned(), value.value));
        }
    }
    attributes
}

/// The variables that the specification of OpenTelemetry names.
struct Standard<'a, 'd> {
    table: &'a Table<'d>,
    surroundings: &'a dyn Surroundings,
}

impl Standard<'_, '_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.surroundings
            .variable(name)
            .filter(|text| !text.is_empty())
    }

    fn fault(&self, name: &str) {
        let problem = Problem::new(
            format!("the environment variable {name} is not understood"),
            "unset it, or write what OpenTelemetry's specification and the reference allow",
        );
        self.table.fault(self.table.place(), problem);
    }

    /// What a variable says, else what was found; our own variables go before.
    fn or<T>(&self, name: &str, found: Found<T>, read: impl Fn(&str) -> Option<T>) -> T {
        let Some(text) = self.variable(name).filter(|_| !found.place.is_variable()) else {
            return found.value;
        };
        read(&text).unwrap_or_else(|| {
            self.fault(name);
            found.value
        })
    }

    fn endpoint(&self, found: Option<Found<String>>, insecure: bool) -> Option<BaseUrl> {
        let is_off = |text: String| text.eq_ignore_ascii_case("true");
        if self.variable("OTEL_SDK_DISABLED").is_some_and(is_off) {
            return None;
        }
        let is_own = found
            .as_ref()
            .is_some_and(|found| found.place.is_variable());
        let standard = self.variable("OTEL_EXPORTER_OTLP_ENDPOINT");
        let (text, place) = match (standard.filter(|_| !is_own), found) {
            (Some(text), _) => (text, self.table.place().clone()),
            (None, Some(found)) => (found.value, found.place),
            (None, None) => return None,
        };
        let read = if insecure {
            BaseUrl::parse_any(&text)
        } else {
            BaseUrl::parse(&text)
        };
        match read {
            Ok(url) => Some(url),
            Err(hint) => {
                let hint = format!("{hint}; or set insecure = true");
                let problem = Problem::new("not a URL for a collector", hint);
                self.table.fault(&place, problem);
                None
            }
        }
    }

    /// `name=value` with commas between, in percent form.
    fn attributes(&self, attributes: &mut Vec<(String, String)>) {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let Some(text) = self.variable(NAME) else {
            return;
        };
        for pair in text.split(',') {
            let decoded = pair.split_once('=').and_then(|(name, value)| {
                let value = percent_encoding::percent_decode_str(value.trim());
                let value = value.decode_utf8().ok()?.into_owned();
                let name = name.trim().to_owned();
                (is_attribute(&name) && is_attribute(&value)).then_some((name, value))
            });
            match decoded {
                Some((name, value)) if attributes.len() < MAX_ATTRIBUTES => {
                    attributes.retain(|(known, _)| *known != name);
                    attributes.push((name, value));
                }
                _ => {
                    self.fault(NAME);
                    return;
                }
            }
        }
    }
}
