//! `[telemetry]`, and the variables of OpenTelemetry's specification.

use std::path::PathBuf;
use std::time::Duration;

use super::CYBRID;
use super::machine::Machine;
use crate::domain::config::{Config, Faults, OtlpProtocol};

fn read(text: &str, variables: &[(&'static str, &'static str)]) -> Result<Config, Faults> {
    let mut machine = Machine::with_tls_files();
    machine.variables = variables.iter().copied().collect();
    super::read(&format!("{CYBRID}{text}"), &machine)
}

#[test]
fn nothing_is_told_unless_a_collector_is_named() {
    let telemetry = read("", &[]).unwrap().telemetry;
    assert_eq!(telemetry.endpoint, None);
    assert_eq!(telemetry.protocol, OtlpProtocol::Grpc);
    assert!(telemetry.traces && telemetry.metrics && telemetry.logs);
}

#[test]
fn every_key_is_read() {
    let text = "[telemetry]\nendpoint = \"https://otlp.example/x\"\nprotocol = \"http\"\n\
                headers_file = \"headers\"\nca = \"ca.pem\"\ntraces = false\nmetrics = false\nlogs = false\n\
                sample_ratio = 0.25\ninterval = \"30s\"\ntimeout = \"2s\"\nservice_name = \"egress\"\n\
                attributes = { team = \"a\" }\n";
    let telemetry = read(text, &[]).unwrap().telemetry;
    assert_eq!(
        telemetry.endpoint.unwrap().to_string(),
        "https://otlp.example/x"
    );
    assert_eq!(telemetry.protocol, OtlpProtocol::Http);
    assert_eq!(
        telemetry.headers_file,
        Some(PathBuf::from("/etc/egret/headers"))
    );
    assert_eq!(telemetry.ca, Some(PathBuf::from("/etc/egret/ca.pem")));
    assert!(!telemetry.traces && !telemetry.metrics && !telemetry.logs);
    assert!((telemetry.sample_ratio - 0.25).abs() < 1e-9);
    assert_eq!(telemetry.interval, Duration::from_secs(30));
    assert_eq!(telemetry.timeout, Duration::from_secs(2));
    assert_eq!(telemetry.service_name, "egress");
    assert_eq!(telemetry.attributes, [("team".to_owned(), "a".to_owned())]);
}

#[test]
fn the_variables_of_the_standard_override_the_file_and_ours_override_them() {
    let text = "[telemetry]\nendpoint = \"http://127.0.0.1:4317\"\nservice_name = \"file\"\n";
    let standard = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ("OTEL_SERVICE_NAME", "standard"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b%20c, d=e"),
    ];
    let telemetry = read(text, &standard).unwrap().telemetry;
    assert_eq!(
        telemetry.endpoint.unwrap().to_string(),
        "http://collector:4318"
    );
    assert_eq!(telemetry.protocol, OtlpProtocol::Http);
    assert_eq!(telemetry.timeout, Duration::from_millis(2_500));
    assert_eq!(telemetry.interval, Duration::from_secs(60));
    assert!((telemetry.sample_ratio - 0.5).abs() < 1e-9);
    assert_eq!(telemetry.service_name, "standard");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(telemetry.attributes, [pair("a", "b c"), pair("d", "e")]);

    let both = [
        ("OTEL_SERVICE_NAME", "standard"),
        ("EGRET_TELEMETRY_SERVICE_NAME", "ours"),
        ("OTEL_SDK_DISABLED", "true"),
    ];
    let telemetry = read(text, &both).unwrap().telemetry;
    assert_eq!(telemetry.service_name, "ours");
    assert_eq!(telemetry.endpoint, None);
}

#[test]
fn faults_say_what_to_write() {
    let text = "[telemetry]\nendpoint = \"http://collector:4317\"\nsample_ratio = 2\nprotocol = \"grcp\"\n";
    let said = read(text, &[("OTEL_METRIC_EXPORT_INTERVAL", "soon")]).unwrap_err();
    let said = said.to_string();
    for part in [
        "insecure = true",
        "a number from 0 to 1",
        "did you mean \"grpc\"",
        "OTEL_METRIC_EXPORT_INTERVAL",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    let open = "[telemetry]\nendpoint = \"http://collector:4317\"\ninsecure = true\n";
    let variable = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary");
    assert!(read(open, &[]).is_ok());
    for said in [
        read(&format!("{open}headers_file = \"x\"\n"), &[]),
        read(open, &[variable]),
    ] {
        let said = said.unwrap_err().to_string();
        assert!(
            said.contains("in the clear") && !said.contains("canary"),
            "{said}"
        );
    }
    // The path of an address is no place for a password, but somebody may think so.
    let said = read("[telemetry]\nendpoint = \"https://x:canary@y\"\n", &[]).unwrap_err();
    assert!(!said.to_string().contains("canary"));
}
