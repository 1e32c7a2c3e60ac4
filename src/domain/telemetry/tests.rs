use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use smallvec::smallvec;

use super::*;
use crate::domain::http::TraceParent;
use crate::domain::record::{Attempt, AttemptEnd, CallRecord, Gateway};
use crate::domain::resilience::Failure;
use crate::types::{CallId, Decision, Micros, Outcome};

const CALL: &str = "01a38f2d-c310-7d52-8f3a-5b8e2f1c9a04";

fn call_id() -> CallId {
    CALL.parse().unwrap()
}

fn parent(flags: &str) -> TraceParent {
    let text = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
    TraceParent::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_trace_that_begins_here_has_the_id_of_its_call() {
    let trace = CallTrace::begin(call_id(), None, Sampler::ratio(1.0));
    assert_eq!(trace.trace_id().to_string(), CALL.replace('-', ""));
    assert_eq!(trace.parent_id(), None);
    assert!(trace.is_sampled());
    let sent = trace.attempt(2).to_string();
    assert_eq!(
        sent,
        "00-01a38f2dc3107d528f3a5b8e2f1c9a04-8f3a5b8e2f1c9a06-03"
    );
    let silent = CallTrace::begin(call_id(), None, Sampler::never());
    assert!(!silent.is_sampled());
    assert!(silent.attempt(1).to_string().ends_with("-02"));
}

#[test]
fn the_caller_decides_about_its_own_trace() {
    for (flags, sampler) in [("01", Sampler::never()), ("00", Sampler::ratio(1.0))] {
        let trace = CallTrace::begin(call_id(), Some(parent(flags)), sampler);
        assert_eq!(trace.is_sampled(), flags == "01");
        assert_eq!(trace.parent_id(), Some(parent(flags).parent_id()));
        assert_eq!(trace.trace_id(), parent(flags).trace_id());
        let sent = trace.attempt(1).to_string();
        assert_eq!(
            sent,
            format!("00-0af7651916cd43dd8448eb211c80319c-8f3a5b8e2f1c9a05-{flags}")
        );
    }
}

#[test]
fn a_ratio_tells_about_its_part() {
    for (ratio, low, high) in [(0.0, 0, 0), (0.1, 700, 1_300), (1.0, 10_000, 10_000)] {
        let sampler = Sampler::ratio(ratio);
        let told = (0..10_000_u64).filter(|n| {
            let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            let mut random = [0; 10];
            random[2..].copy_from_slice(&hash);
            let call = CallId::from_parts(1_795_305_338_000, random);
            CallTrace::begin(call, None, sampler).is_sampled()
        });
        let told = told.count();
        assert!((low..=high).contains(&told), "{ratio}: {told}");
    }
}

fn finished() -> FinishedCall {
    let gateway = Gateway {
        node: "n".into(),
        version: "0".into(),
        config_hash: "h".into(),
    };
    let mut record = CallRecord::new(call_id(), Micros(1_000_000), Arc::new(gateway));
    record.target.method = "POST";
    record.target.provider = Some("cybrid".into());
    record.target.path_template = Some("/api/trades".into());
    record.target.operation = Some("bank.create_trade".into());
    record.caller.name = Some("app".into());
    record.decision = Decision::Forwarded;
    record.outcome = Outcome::Success;
    record.status = Some(201);
    record.traffic.upstream = Some("127.0.0.1:9".parse().unwrap());
    FinishedCall {
        record: Box::new(record),
        trace: CallTrace::begin(call_id(), Some(parent("01")), Sampler::never()),
        attempts: smallvec![
            Attempt {
                number: 1,
                end: AttemptEnd::Failed(Failure::ServerError(503)),
                began: Duration::from_millis(1),
                took: Duration::from_millis(20),
            },
            Attempt {
                number: 2,
                end: AttemptEnd::Answered(201),
                began: Duration::from_millis(50),
                took: Duration::from_millis(30),
            }
        ],
        took: Duration::from_millis(90),
        is_https: true,
        protocol: Some("1.1"),
        bank: Some(("bank.test".into(), 443)),
    }
}

fn get(span: &Span, name: &str) -> Option<String> {
    let mut found = span.attributes.iter().filter(|(known, _)| *known == name);
    let first = found.next();
    assert!(found.next().is_none(), "{name} twice");
    first.map(|(_, value)| match value {
        Attribute::Text(text) => text.to_string(),
        Attribute::Number(number) => number.to_string(),
    })
}

#[test]
fn a_call_is_a_server_span_with_a_client_span_for_each_attempt() {
    let spans = spans(&finished());
    let [server, first, second] = spans.as_slice() else {
        panic!("{spans:?}");
    };
    assert_eq!(server.kind, SpanKind::Server);
    assert_eq!(server.name, "POST /api/trades");
    assert_eq!(server.parent_id, Some(parent("01").parent_id()));
    assert_eq!(
        (server.began, server.ended),
        (Micros(1_000_000), Micros(1_090_000))
    );
    assert!(!server.is_error);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/trades"),
        ("url.scheme", "https"),
        ("http.response.status_code", "201"),
        ("egret.call_id", CALL),
        ("egret.caller", "app"),
        ("egret.operation", "bank.create_trade"),
        ("egret.outcome", "success"),
    ] {
        assert_eq!(get(server, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(get(server, "error.type"), None);
    for (number, span) in [(1, first), (2, second)] {
        assert_eq!(span.kind, SpanKind::Client);
        assert_eq!(span.parent_id, Some(server.span_id));
        assert_eq!(span.span_id, finished().trace.attempt(number).parent_id());
        assert_eq!(get(span, "server.address").as_deref(), Some("bank.test"));
        assert_eq!(get(span, "url.template").as_deref(), Some("/api/trades"));
    }
    assert!(first.is_error);
    assert_eq!(get(first, "error.type").as_deref(), Some("503"));
    assert_eq!(get(first, "http.request.resend_count"), None);
    assert_eq!(
        (first.began, first.ended),
        (Micros(1_001_000), Micros(1_021_000))
    );
    assert_eq!(
        get(second, "http.request.resend_count").as_deref(),
        Some("1")
    );
    assert_eq!(
        get(second, "network.peer.address").as_deref(),
        Some("127.0.0.1")
    );
    assert_eq!(
        (second.began, second.ended),
        (Micros(1_050_000), Micros(1_090_000))
    );
}

#[test]
fn a_denial_is_the_callers_fault_and_a_failure_the_servers() {
    let mut call = finished();
    call.attempts.clear();
    call.record.decision = Decision::Denied;
    call.record.outcome = Outcome::Failure;
    call.record.reason = Some("locked_down".into());
    call.record.status = Some(403);
    let [denied] = spans(&call).try_into().unwrap();
    assert_eq!(get(&denied, "error.type").as_deref(), Some("locked_down"));
    assert!(!denied.is_error);
    call.record.decision = Decision::Unavailable;
    call.record.reason = Some("breaker_open".into());
    call.record.status = Some(503);
    let [failed] = spans(&call).try_into().unwrap();
    assert!(failed.is_error);
}

proptest! {
    #[test]
    fn spans_of_one_call_have_ids_of_their_own(random: [u8; 10]) {
        let call = CallId::from_parts(1_795_305_338_000, random);
        let trace = CallTrace::begin(call, None, Sampler::ratio(1.0));
        let mut ids: Vec<_> = (1..=16).map(|n| trace.attempt(n).parent_id()).collect();
        ids.push(trace.span_id());
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), 17);
        prop_assert!(!ids.contains(&[0; 8]));
    }
}
