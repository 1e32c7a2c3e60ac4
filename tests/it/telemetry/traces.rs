use std::sync::atomic::{AtomicUsize, Ordering};

use super::{BANKS, CANARY, PARENT, TRACE, hex, traceparent};
use crate::harness::{Bank, Collector, Config, attribute, reply};

/// An identifier in a path.
const GUID: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

/// As OTLP numbers the kinds of spans.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

#[test]
fn a_call_is_one_trace_from_its_caller_to_the_bank() {
    let collector = Collector::start();
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(
            &collector
                .section("[telemetry.attributes]\n\"deployment.environment.name\" = \"test\""),
        )
        .start();
    let given = traceparent("01");
    let bearer = format!("Bearer {CANARY}");
    let headers = [
        ("traceparent", given.as_str()),
        ("Authorization", bearer.as_str()),
        ("User-Agent", CANARY),
        ("baggage", CANARY),
    ];
    let target = format!("{BANKS}/{GUID}?owner={CANARY}");
    let answer = gateway.call("GET", &target, &headers, b"");
    assert_eq!(answer.status, 200);
    let sent = bank.last().header("traceparent").unwrap().to_owned();

    let spans = collector.wait_for_spans(2);
    let server = spans.iter().find(|span| span.kind == SERVER).unwrap();
    let client = spans.iter().find(|span| span.kind == CLIENT).unwrap();
    assert_eq!(hex(&server.trace_id), TRACE);
    assert_eq!(hex(&server.parent_span_id), PARENT);
    assert_eq!(client.trace_id, server.trace_id);
    assert_eq!(client.parent_span_id, server.span_id);
    // The bank was told of the span that the collector was told of.
    assert_eq!(sent, format!("00-{TRACE}-{}-01", hex(&client.span_id)));
    let row = gateway.row_of(&answer);
    row.expect(&[("trace_id", TRACE)]);

    let call = answer.call_id().to_owned();
    assert_eq!(
        attribute(&server.attributes, "egret.call_id"),
        Some(call.clone())
    );
    // The span is found from the record: its id is the end of the call's.
    assert_eq!(call.replace('-', "")[16..], hex(&server.span_id));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("egret.provider", "cybrid"),
        ("egret.caller", "app"),
        ("egret.decision", "forwarded"),
        ("egret.outcome", "success"),
    ] {
        let found = attribute(&server.attributes, name);
        assert_eq!(found.as_deref(), Some(value), "{name}");
    }
    let template = attribute(&server.attributes, "http.route").unwrap();
    assert_eq!(template, "/api/banks/{bank_guid}");
    assert_eq!(server.name, format!("GET {template}"));
    assert_eq!(
        attribute(&client.attributes, "url.template"),
        Some(template)
    );
    let address = attribute(&client.attributes, "server.address");
    assert_eq!(address.as_deref(), Some("127.0.0.1"));
    assert!(server.start_time_unix_nano <= client.start_time_unix_nano);
    assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
    for name in ["url.path", "url.full", "url.query", "user_agent.original"] {
        assert_eq!(attribute(&server.attributes, name), None);
        assert_eq!(attribute(&client.attributes, name), None);
    }
    let resource = collector.resource();
    for (name, value) in [
        ("service.name", "egret"),
        ("service.instance.id", "node-1"),
        ("deployment.environment.name", "test"),
    ] {
        assert_eq!(attribute(&resource, name).as_deref(), Some(value), "{name}");
    }
    let (ran, _) = gateway.stop();
    assert!(ran.status.success());
    let all = collector.everything();
    assert!(memchr::memmem::find(&all, b"egret.call_id").is_some());
    assert!(memchr::memmem::find(&all, CANARY.as_bytes()).is_none());
    for secret in ["Zq7fake9", GUID] {
        assert!(
            memchr::memmem::find(&all, secret.as_bytes()).is_none(),
            "{secret}"
        );
    }
}

#[test]
fn a_trace_that_begins_here_has_the_id_of_its_call_and_a_repetition_a_span_of_its_own() {
    let collector = Collector::start();
    let answers = AtomicUsize::new(0);
    let bank = Bank::start(move |line| {
        while line.request().is_some() {
            let is_first = answers.fetch_add(1, Ordering::SeqCst) == 0;
            line.send(if is_first {
                reply(503, "")
            } else {
                reply(200, "{}")
            });
        }
    });
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(&collector.section(""))
        .start();
    let answer = gateway.get(BANKS, &[]);
    assert_eq!(answer.status, 200);
    let spans = collector.wait_for_spans(3);
    let trace = answer.call_id().replace('-', "");
    assert!(spans.iter().all(|span| hex(&span.trace_id) == trace));
    let clients: Vec<_> = spans.iter().filter(|span| span.kind == CLIENT).collect();
    let [first, second] = clients.as_slice() else {
        panic!("{spans:#?}");
    };
    let resend = |attributes| attribute(attributes, "http.request.resend_count");
    assert_eq!(resend(&first.attributes), None);
    assert_eq!(
        attribute(&first.attributes, "error.type").as_deref(),
        Some("503")
    );
    assert_eq!(resend(&second.attributes).as_deref(), Some("1"));
    assert_eq!(attribute(&second.attributes, "error.type"), None);
    let sent = bank.received().into_iter().map(|request| {
        let sent = request.header("traceparent").unwrap().to_owned();
        sent.split('-').nth(2).unwrap().to_owned()
    });
    let sent: Vec<_> = sent.collect();
    assert_eq!(sent, [hex(&first.span_id), hex(&second.span_id)]);
    gateway.row_of(&answer).expect(&[("trace_id", &trace)]);
}

#[test]
fn the_caller_decides_whether_its_trace_is_told_and_refusals_are_told_too() {
    let collector = Collector::start();
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(&collector.section("sample_ratio = 0.0"))
        .start();
    gateway.get(BANKS, &[("traceparent", &traceparent("00"))]);
    assert!(bank.last().header("traceparent").unwrap().ends_with("-00"));
    gateway.get(BANKS, &[]);
    assert!(bank.last().header("traceparent").unwrap().ends_with("-02"));
    // Nothing of those two comes before what comes after them.
    let refused = gateway.get("/nobody", &[("traceparent", &traceparent("01"))]);
    assert_eq!(refused.status, 404);
    let [span] = collector.wait_for_spans(1).try_into().unwrap();
    let error = attribute(&span.attributes, "error.type");
    assert_eq!(error.as_deref(), Some("no_such_provider"));
    assert_eq!(
        attribute(&span.attributes, "egret.decision").as_deref(),
        Some("refused")
    );
    assert!(span.status.is_none(), "the caller's fault: {span:#?}");
}
