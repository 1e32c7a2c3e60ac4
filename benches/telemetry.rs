//! What telemetry costs a call, and what it costs the thread that tells.
//!
//! `cargo bench --bench telemetry`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a bench may stop, and nobody uses its items"
)]

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use egret::adapters::figures::{CallFigures, Names, OverCall};
use egret::adapters::telemetry::Inbox;
use egret::domain::health::CallPlace;
use egret::domain::record::{Attempt, AttemptEnd, CallRecord, Gateway};
use egret::domain::telemetry::{CallTrace, FinishedCall, Sampler, spans};
use egret::types::{CallId, Decision, Effect, Environment, Micros, Outcome, TokenType};
use smallvec::{SmallVec, smallvec};

fn main() {
    divan::main();
}

fn figures() -> CallFigures {
    let place = |service: &str| CallPlace {
        provider: "cybrid".into(),
        environment: Environment::Sandbox,
        service: service.into(),
        host: "bank.sandbox.cybrid.app".into(),
        port: 443,
    };
    let operations = (0..1_300).map(|n| format!("bank.operation_{n}").into());
    CallFigures::new(Names::new(
        ["identity", "organization", "bank"].map(place),
        operations,
        ["customer_access_token".into()],
    ))
}

fn record() -> CallRecord {
    let gateway = Gateway {
        node: "node-1".into(),
        version: "0.1.0".into(),
        config_hash: "0123456789abcdef".into(),
    };
    let at = Micros(1_795_305_338_000_000);
    let call = CallId::from_parts(at.as_millis(), [7; 10]);
    let mut record = CallRecord::new(call, at, Arc::new(gateway));
    record.target.provider = Some("cybrid".into());
    record.target.service = Some("bank".into());
    record.target.environment = Some(Environment::Sandbox);
    record.target.operation = Some("bank.operation_700".into());
    record.target.path_template = Some("/api/trades/{trade_guid}".into());
    record.target.effect = Some(Effect::Read);
    record.target.method = "GET";
    record.caller.name = Some("payments".into());
    record.credential.token_type = TokenType::Customer;
    record.decision = Decision::Forwarded;
    record.outcome = Outcome::Success;
    record.status = Some(200);
    record.traffic.upstream = Some("192.0.2.1:443".parse().unwrap());
    record
}

fn attempts() -> SmallVec<[Attempt; 1]> {
    smallvec![Attempt {
        number: 1,
        end: AttemptEnd::Answered(200),
        began: Duration::from_micros(90),
        took: Duration::from_millis(21),
    }]
}

fn finished(record: Box<CallRecord>) -> FinishedCall {
    FinishedCall {
        trace: CallTrace::begin(record.call_id, None, Sampler::ratio(1.0)),
        attempts: attempts(),
        took: Duration::from_millis(22),
        is_https: true,
        protocol: Some("1.1"),
        bank: Some(("bank.sandbox.cybrid.app".into(), 443)),
        record,
    }
}

/// On the way of every call.
#[divan::bench]
fn count_a_call(bencher: Bencher) {
    let figures = figures();
    let shard = figures.shard();
    let record = record();
    let attempts = attempts();
    bencher.bench_local(|| {
        shard.note(black_box(&OverCall {
            record: &record,
            attempts: &attempts,
            took: Duration::from_millis(22),
            is_https: true,
        }));
    });
}

/// On the way of every call.
#[divan::bench]
fn place_in_a_trace(bencher: Bencher) {
    let call = record().call_id;
    let sampler = Sampler::ratio(0.1);
    bencher.bench_local(|| {
        CallTrace::begin(black_box(call), None, sampler)
            .attempt(1)
            .encode()
    });
}

/// On the way of every call whose trace is told; the record is there anyway and moves.
#[divan::bench]
fn leave_a_call_to_be_told(bencher: Bencher) {
    let inbox = Inbox::new(usize::MAX);
    bencher
        .with_inputs(|| Box::new(record()))
        .bench_local_values(|record| inbox.put(finished(record)));
}

/// The same while nobody takes what waits.
#[divan::bench]
fn drop_a_call_for_want_of_room(bencher: Bencher) {
    let inbox = Inbox::new(0);
    bencher
        .with_inputs(|| Box::new(record()))
        .bench_local_values(|record| inbox.put(finished(record)));
}

/// Beside the calls.
#[divan::bench]
fn make_spans(bencher: Bencher) {
    let call = finished(Box::new(record()));
    bencher.bench_local(|| spans(black_box(&call)));
}

/// Beside the calls: what a look at `/metrics` adds up, of four workers.
#[divan::bench]
fn add_up(bencher: Bencher) {
    let figures = figures();
    for shard in (0..4).map(|_| figures.shard()).collect::<Vec<_>>() {
        let mut record = record();
        for operation in 0..100 {
            record.target.operation = Some(format!("bank.operation_{operation}").into());
            shard.note(&OverCall {
                record: &record,
                attempts: &attempts(),
                took: Duration::from_millis(22),
                is_https: true,
            });
        }
    }
    bencher.bench_local(|| figures.vitals());
}
