use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use super::{BANKS, CANARY, TRACE, hex, traceparent};
use crate::harness::{
    Authority, Bank, Collector, Config, Relay, attribute, eventually, reply, server_tls, until,
};

#[test]
fn figures_are_told_under_the_names_of_the_conventions_with_a_trace_as_example() {
    let collector = Collector::start();
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(&collector.section(""))
        .start();
    gateway.get(BANKS, &[("traceparent", &traceparent("01"))]);
    gateway.get(BANKS, &[("traceparent", &traceparent("00"))]);
    let told = eventually("the calls are told", || {
        let metric = collector.metric("http.server.request.duration")?;
        let Some(Data::Histogram(histogram)) = &metric.data else {
            panic!("{metric:?}");
        };
        let [point] = histogram.data_points.as_slice() else {
            panic!("{metric:?}");
        };
        (point.count == 2 && !point.exemplars.is_empty()).then(|| metric.clone())
    });
    assert_eq!(told.unit, "s");
    let Some(Data::Histogram(histogram)) = told.data else {
        panic!("no histogram");
    };
    assert_eq!(histogram.aggregation_temporality, 2, "cumulative");
    let point = &histogram.data_points[0];
    assert_eq!(point.explicit_bounds[..3], [0.005, 0.01, 0.025]);
    assert_eq!(point.bucket_counts.len(), 15);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("provider", "cybrid"),
    ] {
        let found = attribute(&point.attributes, name);
        assert_eq!(found.as_deref(), Some(value), "{name}");
    }
    // Only the one whose trace is told can be an example.
    assert_eq!(hex(&point.exemplars[0].trace_id), TRACE);
    let client = collector.metric("http.client.request.duration").unwrap();
    let Some(Data::Histogram(histogram)) = client.data else {
        panic!("no histogram");
    };
    let host = attribute(&histogram.data_points[0].attributes, "server.address");
    assert_eq!(host.as_deref(), Some("127.0.0.1"));
    for name in [
        "egret.calls",
        "egret.credentials",
        "egret.ready",
        "egret.budget.remaining",
        "egret.breaker.open",
        "egret.journal.commit_duration",
        "egret.ledger.lag",
    ] {
        assert!(collector.metric(name).is_some(), "{name}");
    }
    // The same as Prometheus is shown.
    let series = "egret_calls_total{provider=\"cybrid\",environment=\"sandbox\",service=\"bank\",\
                  operation=\"bank.list_banks\",decision=\"forwarded\",outcome=\"success\"}";
    assert_eq!(gateway.figure(series), 2.0);
}

#[test]
fn a_line_about_a_call_is_told_with_its_trace() {
    let collector = Collector::start();
    let gateway = Config::new()
        .cybrid("http://127.0.0.1:1")
        .section(&collector.section(""))
        .start();
    let headers = [("traceparent", traceparent("01"))];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let answer = gateway.get(&format!("{BANKS}?x={CANARY}"), &headers);
    assert_eq!(answer.status, 502);
    let line = eventually("the line is told", || {
        let lines = collector.lines();
        lines.into_iter().find(|line| !line.trace_id.is_empty())
    });
    assert_eq!(hex(&line.trace_id), TRACE);
    assert_eq!(
        (line.severity_number, line.severity_text.as_str()),
        (13, "WARN")
    );
    let call = attribute(&line.attributes, "egret.call_id");
    assert_eq!(call.as_deref(), Some(answer.call_id()));
    let problem = attribute(&line.attributes, "egret.problem");
    assert_eq!(problem.as_deref(), Some("upstream_unreachable"));
    until("the span of the line is told", || {
        let spans = collector.spans();
        spans.iter().any(|span| span.span_id == line.span_id)
    });
    // The same line on standard error.
    let written = gateway.log("a call was not completed").unwrap();
    assert_eq!(written["trace"], TRACE);
    assert_eq!(written["call"], answer.call_id());
    assert!(memchr::memmem::find(&collector.everything(), CANARY.as_bytes()).is_none());
}

#[test]
fn over_http_with_header_fields_from_a_file() {
    let collector = Bank::answering(reply(200, ""));
    let bank = Bank::answering(reply(200, "{}"));
    let config = Config::new();
    let headers = config.file("headers", &format!("Authorization: Bearer {CANARY}\n"));
    let section = format!(
        "[telemetry]\nendpoint = \"{}/otlp\"\nprotocol = \"http\"\nheaders_file = \"headers\"\n",
        collector.url()
    );
    let config = config.cybrid(&bank.url()).section(&section);
    // Others could read it.
    set_mode(&headers, 0o644);
    let said = config.egret(&["serve", "--config", "egret.toml"]).failed();
    assert!(
        said.contains("chmod 600") && !said.contains(CANARY),
        "{said}"
    );
    set_mode(&headers, 0o600);
    let gateway = config.start();
    let answer = gateway.get(BANKS, &[]);
    let request = eventually("the trace is told", || {
        let requests = collector.received();
        requests
            .into_iter()
            .find(|request| request.line().starts_with("POST /otlp/v1/traces "))
    });
    assert_eq!(
        request.header("Content-Type"),
        Some("application/x-protobuf")
    );
    let bearer = format!("Bearer {CANARY}");
    assert_eq!(request.header("Authorization"), Some(bearer.as_str()));
    let told = ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap();
    let spans = &told.resource_spans[0].scope_spans[0].spans;
    assert_eq!(hex(&spans[0].trace_id), answer.call_id().replace('-', ""));
    for path in ["POST /otlp/v1/metrics ", "POST /otlp/v1/logs "] {
        until(path, || {
            let mut requests = collector.received().into_iter();
            requests.any(|request| request.line().starts_with(path))
        });
    }
    let (ran, _) = gateway.stop();
    assert!(!ran.stderr.contains(CANARY));
}

fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).unwrap();
}

#[test]
fn over_grpc_inside_tls_and_by_the_variables_of_the_standard() {
    let collector = Collector::start();
    let authority = Authority::new("telemetry");
    let identity = authority.issue("collector", &["localhost", "127.0.0.1"]);
    let relay = Relay::start(collector.address(), server_tls(&identity, &["h2"]));
    let bank = Bank::answering(reply(200, "{}"));
    let config = Config::new();
    config.file("ca.pem", &authority.pem());
    let gateway = config
        .cybrid(&bank.url())
        .section("[telemetry]\nca = \"ca.pem\"\n")
        .variable(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            &format!("https://localhost:{}", relay.port),
        )
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a%20b")
        .variable("OTEL_SERVICE_NAME", "egress")
        .variable("OTEL_RESOURCE_ATTRIBUTES", "team=a,service.name=ignored")
        .start();
    gateway.get(BANKS, &[]);
    collector.wait_for_spans(2);
    let resource = collector.resource();
    let name = attribute(&resource, "service.name");
    assert_eq!(name.as_deref(), Some("egress"));
    assert_eq!(attribute(&resource, "team").as_deref(), Some("a"));
    assert!(
        collector
            .teams()
            .iter()
            .all(|team| team.as_deref() == Some("a b"))
    );
}
