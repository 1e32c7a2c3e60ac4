use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::health::CallPlace;
use crate::domain::record::{Gateway, Mint};
use crate::domain::resilience::Failure;
use crate::types::{CallId, Environment, Micros, TokenType};

fn figures() -> CallFigures {
    let place = |provider: &str, service: &str| CallPlace {
        provider: provider.into(),
        environment: Environment::Sandbox,
        service: service.into(),
        host: "bank.test".into(),
        port: 443,
    };
    CallFigures::new(Names::new(
        [place("cybrid", "bank"), place("cybrid", "id")],
        ["create_trade".into(), "list_banks".into()],
        ["customer_access_token".into()],
    ))
}

fn record(service: &str) -> CallRecord {
    let gateway = Gateway {
        node: "n".into(),
        version: "0".into(),
        config_hash: "h".into(),
    };
    let mut record = CallRecord::new(CallId::floor(1), Micros(1), Arc::new(gateway));
    record.target.provider = Some("cybrid".into());
    record.target.service = Some(service.into());
    record.target.environment = Some(Environment::Sandbox);
    record.target.operation = Some("create_trade".into());
    record.target.method = "POST";
    record.credential.token_type = TokenType::Customer;
    record.decision = Decision::Forwarded;
    record.outcome = Outcome::Success;
    record.status = Some(201);
    record
}

fn attempt(number: u32, end: AttemptEnd) -> Attempt {
    Attempt {
        number,
        end,
        began: Duration::ZERO,
        took: Duration::from_millis(20),
    }
}

fn note(shard: &Shard, record: &CallRecord, attempts: &[Attempt]) {
    shard.note(&OverCall {
        record,
        attempts,
        took: Duration::from_millis(40),
        is_https: true,
    });
}

#[test]
fn what_workers_count_is_added_up_by_what_it_is() {
    let figures = figures();
    let attempts = [
        attempt(1, AttemptEnd::Failed(Failure::ServerError(503))),
        attempt(2, AttemptEnd::Answered(201)),
    ];
    for shard in [figures.shard(), figures.shard()] {
        let mut call = record("bank");
        call.mint = Some(Mint {
            kind: "customer_access_token".into(),
            fingerprint: None,
            expires_at: None,
        });
        note(&shard, &call, &attempts);
        let mut denied = record("bank");
        denied.decision = Decision::Denied;
        denied.reason = Some("locked_down".into());
        denied.outcome = Outcome::Failure;
        denied.status = Some(403);
        note(&shard, &denied, &[]);
    }
    let vitals = figures.vitals();
    let [place] = vitals.places.as_slice() else {
        panic!("{:?}", vitals.places);
    };
    assert_eq!((place.calls, place.denied, place.failed), (4, 2, 0));
    assert_eq!((place.attempts, place.mints), (4, 2));
    assert_eq!((place.latency.count(), place.bank.count()), (4, 2));
    let ended: Vec<_> = vitals
        .calls
        .iter()
        .map(|calls| (calls.operation.as_deref(), calls.decision, calls.count))
        .collect();
    assert_eq!(
        ended,
        [
            (Some("create_trade"), Decision::Forwarded, 2),
            (Some("create_trade"), Decision::Denied, 2)
        ]
    );
    let [denials] = vitals.denials.as_slice() else {
        panic!("{:?}", vitals.denials);
    };
    assert_eq!((denials.reason, denials.count), ("locked_down", 2));
    let [mints] = vitals.mints.as_slice() else {
        panic!("{:?}", vitals.mints);
    };
    assert_eq!((&*mints.kind, mints.count), ("customer_access_token", 2));
    let [resends] = vitals.resends.as_slice() else {
        panic!("{:?}", vitals.resends);
    };
    assert_eq!((resends.cause, resends.count), ("server_error", 2));
    let statuses: Vec<_> = vitals.client.iter().map(|series| series.status).collect();
    assert_eq!(statuses, [Some(201), Some(503)]);
    let errors: Vec<_> = vitals
        .server
        .iter()
        .map(|series| (series.status, series.error, series.is_https))
        .collect();
    assert_eq!(
        errors,
        [
            (Some(201), None, true),
            (Some(403), Some("locked_down"), true)
        ]
    );
    assert_eq!(vitals.server[0].durations.count(), 2);
    assert_eq!(vitals.unlisted, 0);
}

/// Whatever a record says: what is not in the catalog makes no series of its own.
#[test]
fn words_that_are_not_known_make_no_series() {
    let figures = figures();
    let shard = figures.shard();
    for n in 0..10_000 {
        let mut call = record(&format!("service-{n}"));
        call.target.operation = Some(format!("operation-{n}").into());
        call.reason = Some(format!("reason-{n}").into());
        call.outcome = Outcome::Failure;
        call.decision = Decision::Refused;
        note(&shard, &call, &[]);
    }
    let vitals = figures.vitals();
    assert_eq!(vitals.places.len(), 1);
    assert_eq!(vitals.places[0].place, None);
    assert_eq!((vitals.calls.len(), vitals.denials.len()), (1, 1));
    assert_eq!(vitals.denials[0].reason, "other");
    assert_eq!(vitals.unlisted, 0);
}

#[test]
fn more_series_than_there_is_room_for_are_counted_together() {
    let figures = figures();
    let shard = figures.shard();
    for status in 100..1_000 {
        let mut call = record("bank");
        call.status = Some(status);
        note(&shard, &call, &[]);
    }
    let vitals = figures.vitals();
    assert_eq!(vitals.places[0].calls, 900);
    let listed = vitals.server.len() as u64;
    assert!(listed < 900);
    assert_eq!(listed + vitals.unlisted, 900);
}
