//! Arbitrary records for the tests of the journal.

use std::net::SocketAddr;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::record::{
    CallRecord, Caller, CallerVia, Credential, Fact, Fingerprint, Gateway, Mint, Pseudonym,
    Subject, SubjectRole, Target, Times, Traffic,
};
use crate::types::{
    CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType, TraceId,
};

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[a-z_/{}.]{0,24}",
        1 => any::<String>(),
        // Needs two bytes of length.
        1 => "[a-z]{128,300}",
    ]
    .boxed()
}

fn at() -> BoxedStrategy<Micros> {
    any::<i64>().prop_map(Micros).boxed()
}

fn shared() -> BoxedStrategy<Option<Arc<str>>> {
    of(text().prop_map(Arc::from)).boxed()
}

fn owned() -> BoxedStrategy<Option<Box<str>>> {
    of(text().prop_map(Box::from)).boxed()
}

fn address() -> BoxedStrategy<Option<SocketAddr>> {
    let v6 = any::<(u128, u16, bool, u32, u32)>().prop_map(|(ip, port, plain, flow, scope)| {
        let (flow, scope) = if plain { (0, 0) } else { (flow, scope) };
        std::net::SocketAddrV6::new(ip.into(), port, flow, scope).into()
    });
    let v4 = any::<(u32, u16)>()
        .prop_map(|(ip, port)| SocketAddr::from((std::net::Ipv4Addr::from(ip), port)));
    of(prop_oneof![v4, v6]).boxed()
}

fn caller() -> BoxedStrategy<Caller> {
    let vias = [
        CallerVia::Mtls,
        CallerVia::Key,
        CallerVia::Address,
        CallerVia::None,
    ];
    (shared(), select(vias.to_vec()), shared(), address())
        .prop_map(|(name, via, key_id, address)| Caller {
            name,
            via,
            key_id,
            address,
        })
        .boxed()
}

fn target() -> BoxedStrategy<Target> {
    let what = (shared(), shared(), of(select(Environment::ALL)), shared());
    let how = (
        of(select(Effect::ALL)),
        select(vec!["GET", "POST", "DELETE", "other"]),
        shared(),
        owned(),
        owned(),
    );
    (what, how)
        .prop_map(
            |(
                (provider, service, environment, operation),
                (effect, method, path_template, query, accept_version),
            )| Target {
                provider,
                service,
                environment,
                operation,
                effect,
                method,
                path_template,
                query,
                accept_version,
            },
        )
        .boxed()
}

fn credential() -> BoxedStrategy<Credential> {
    let kinds = (select(TokenType::ALL), vec(select(TokenType::ALL), 0..3));
    let rest = (
        of(any::<[u8; 16]>()),
        vec(text().prop_map(Arc::from), 0..3),
        any::<u32>(),
        owned(),
        of(at()),
        shared(),
        of(text()),
    );
    (kinds, rest)
        .prop_map(
            |(
                (token_type, present),
                (fingerprint, scopes, unlisted_scopes, jti, expires_at, issuer, fault),
            )| Credential {
                token_type,
                present: present.into_iter().collect(),
                fingerprint: fingerprint.map(Fingerprint::from_bytes),
                scopes,
                unlisted_scopes,
                jti,
                expires_at,
                issuer,
                fault: fault.map(Into::into),
            },
        )
        .boxed()
}

fn subject() -> BoxedStrategy<Subject> {
    let roles = [
        SubjectRole::Token,
        SubjectRole::Request,
        SubjectRole::Response,
        SubjectRole::OnBehalfOf,
    ];
    (text(), select(roles.to_vec()), any::<[u8; 16]>())
        .prop_map(|(kind, role, pseudonym)| Subject {
            kind: kind.into(),
            role,
            pseudonym: Some(Pseudonym::from_bytes(pseudonym)),
        })
        .boxed()
}

fn mint() -> BoxedStrategy<Option<Mint>> {
    of(
        (text(), of(any::<[u8; 16]>()), of(at())).prop_map(|(kind, fingerprint, expires_at)| {
            Mint {
                kind: kind.into(),
                fingerprint: fingerprint.map(Fingerprint::from_bytes),
                expires_at,
            }
        }),
    )
    .boxed()
}

fn traffic() -> BoxedStrategy<Traffic> {
    let counts = any::<(u32, u64, u64)>();
    (counts, address(), of(text()))
        .prop_map(
            |((attempts, request_bytes, response_bytes), upstream, tls)| Traffic {
                attempts,
                request_bytes,
                response_bytes,
                upstream,
                tls_version: tls.map(Into::into),
            },
        )
        .boxed()
}

/// Any record at all.
pub fn record() -> BoxedStrategy<CallRecord> {
    let head = (any::<[u8; 16]>(), text(), text(), text());
    let times = (at(), of(at()), of(at()), of(at()));
    let found = (
        vec(subject(), 0..4),
        vec((text(), text()), 0..4),
        vec(select(PiiClass::ALL), 0..5),
        mint(),
    );
    let end = (
        select(Decision::ALL),
        of(text()),
        select(Outcome::ALL),
        of(any::<u16>()),
        owned(),
        of(any::<[u8; 16]>()),
    );
    let who = (caller(), target(), credential());
    (head, times, who, found, traffic(), end)
        .prop_map(|(head, times, who, found, traffic, end)| {
            let gateway = Arc::new(Gateway {
                node: head.1.into(),
                version: head.2.into(),
                config_hash: head.3.into(),
            });
            let mut record = CallRecord::new(CallId::from_bytes(head.0), times.0, gateway);
            record.times = Times {
                received_at: times.0,
                forwarded_at: times.1,
                first_byte_at: times.2,
                completed_at: times.3,
            };
            (record.caller, record.target, record.credential) = who;
            record.subjects = found.0.into_iter().collect();
            let facts = found.1.into_iter().map(|(name, value)| Fact {
                name: name.into(),
                value: value.into(),
            });
            record.facts = facts.collect();
            record.pii = found.2.into_iter().collect();
            record.mint = found.3;
            record.traffic = traffic;
            record.decision = end.0;
            record.reason = end.1.map(Into::into);
            record.outcome = end.2;
            record.status = end.3;
            record.error_code = end.4;
            record.trace_id = end.5.and_then(TraceId::from_bytes);
            record
        })
        .boxed()
}
