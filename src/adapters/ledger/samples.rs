//! Records for the tests of the ledger.

use std::sync::Arc;

use crate::domain::record::{
    CallRecord, CallerVia, Fact, Fingerprint, Gateway, Mint, Pseudonym, Subject, SubjectRole,
};
use crate::types::{
    CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType, TraceId,
};

/// Where the samples' clock starts: 2026-01-02T03:04:05Z.
pub const START: Micros = Micros(1_767_323_045_000_000);

fn gateway() -> Arc<Gateway> {
    Arc::new(Gateway {
        node: "node-1".into(),
        version: "0.1.0".into(),
        config_hash: "00112233aabbccdd".into(),
    })
}

/// When sample `n` was received: one a second.
pub fn received(n: u64) -> Micros {
    Micros(START.0 + i64::try_from(n).unwrap() * 1_000_000)
}

/// The id of sample `n`.
pub fn id(n: u64) -> CallId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    CallId::from_parts(received(n).as_millis(), random)
}

/// Sixteen bytes that stand for `n`.
pub fn bytes(n: u8) -> [u8; 16] {
    [n; 16]
}

/// A record that knows only its identity.
pub fn empty(n: u64) -> CallRecord {
    CallRecord::new(id(n), received(n), gateway())
}

/// A plain call: a customer token lists trades.
pub fn plain(n: u64) -> CallRecord {
    let mut record = empty(n);
    record.times.forwarded_at = Some(Micros(record.times.received_at.0 + 200));
    record.times.first_byte_at = Some(Micros(record.times.received_at.0 + 5_200));
    record.times.completed_at = Some(Micros(record.times.received_at.0 + 6_000));
    record.caller.name = Some("billing".into());
    record.caller.via = CallerVia::Key;
    record.target.provider = Some("cybrid".into());
    record.target.service = Some("bank".into());
    record.target.environment = Some(Environment::Sandbox);
    record.target.operation = Some("listTrades".into());
    record.target.effect = Some(Effect::Read);
    record.target.method = "GET";
    record.target.path_template = Some("/api/trades".into());
    record.credential.token_type = TokenType::Customer;
    record.credential.present.push(TokenType::Customer);
    record.credential.fingerprint = Some(Fingerprint::from_bytes(bytes(0xaa)));
    record.decision = Decision::Forwarded;
    record.outcome = Outcome::Success;
    record.status = Some(200);
    record.traffic.attempts = 1;
    record
}

/// A record with every field set.
pub fn full(n: u64) -> CallRecord {
    let mut record = plain(n);
    record.caller.key_id = Some("k1".into());
    record.caller.address = Some("127.0.0.1:40001".parse().unwrap());
    record.target.operation = Some("createTrade".into());
    record.target.effect = Some(Effect::Money);
    record.target.method = "POST";
    record.target.query = Some("page=1".into());
    record.target.accept_version = Some("2025-10-01".into());
    record.credential.scopes = vec!["trades:read".into(), "trades:execute".into()];
    record.credential.unlisted_scopes = 1;
    record.credential.jti = Some("0b4b8d7c-2f0e-4f0e-9d5b-0a0a0a0a0a0a".into());
    record.credential.expires_at = Some(Micros(START.0 + 3_600_000_000));
    record.credential.issuer = Some("https://id.sandbox.cybrid.app".into());
    record.credential.fault = Some("no_signature".into());
    record.add_subject(Subject {
        kind: "customer".into(),
        role: SubjectRole::Token,
        pseudonym: Some(Pseudonym::from_bytes(bytes(0xcc))),
    });
    record.add_subject(Subject {
        kind: "bank_account".into(),
        role: SubjectRole::OnBehalfOf,
        pseudonym: Some(Pseudonym::from_bytes(bytes(0xbb))),
    });
    record.facts.push(Fact {
        name: "quote_guid".into(),
        value: "9f3c".into(),
    });
    record.pii = [PiiClass::PersonName, PiiClass::Email]
        .into_iter()
        .collect();
    record.mint = Some(Mint {
        kind: "customer_access_token".into(),
        fingerprint: Some(Fingerprint::from_bytes(bytes(0xdd))),
        expires_at: Some(Micros(START.0 + 1_800_000_000)),
    });
    record.reason = Some("report_only".into());
    record.outcome = Outcome::Failure;
    record.status = Some(422);
    record.error_code = Some("invalid_parameter".into());
    record.traffic.request_bytes = 120;
    record.traffic.response_bytes = 340;
    record.traffic.upstream = Some("203.0.113.7:443".parse().unwrap());
    record.traffic.tls_version = Some("TLSv1.3".into());
    record.trace_id = TraceId::from_bytes(bytes(0xee));
    record
}
