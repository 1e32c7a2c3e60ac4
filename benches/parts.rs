//! What the gateway's own work costs per call, part by part: head and target checks, matching with
//! every operation loaded, classification, fingerprints, taps, the redacted query and the
//! assembly of a record, and the place of an attempt in its endpoint group.
//!
//! `cargo bench --bench parts`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a bench may stop, and nobody uses its items"
)]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine as _;
use divan::{Bencher, black_box};
use egret::adapters::ledger::detail::write_detail;
use egret::domain::catalog::{self, Catalog, Provider, ServiceIndex};
use egret::domain::credential::{self, RequestView, Scheme};
use egret::domain::http::{
    EncodedSlash, HeadLimits, HeadScanner, ParameterRule, Progress, Target, redact_query,
};
use egret::domain::keyring::Keyring;
use egret::domain::observe::{Observer, ProviderPlans};
use egret::domain::recognise::{self, KnownTokens};
use egret::domain::record::{CallRecord, Fact, Gateway, Subject, SubjectRole};
use egret::domain::resilience::Verdict;
use egret::edge::groups::GroupMaker;
use egret::types::{CallId, Decision, Effect, Environment, Micros, Outcome, TokenType};

fn main() {
    divan::main();
}

/// Every built-in operation at once.
fn catalog() -> Catalog {
    let providers = catalog::builtin()
        .into_iter()
        .map(|(name, text)| Provider::parse(name, text).unwrap())
        .collect();
    Catalog::new(providers).unwrap()
}

/// A Cybrid customer token of the usual size: 1.3 KB.
fn token() -> String {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let claims = r#"{"iss":"https://id.sandbox.cybrid.app","aud":["https://bank.sandbox.cybrid.app"],"sub":"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c","sub_type":"customer","scope":["customers:read","customers:pii:read"],"iat":1795305338,"exp":1795307138,"jti":"3b0e8c1e-5a0b-4d3f-9d56-2f6f3b1c9a10","token_type":"access","properties":{"bank_guid":"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b","bank_type":"sandbox"}}"#;
    format!(
        "{}.{}.{}",
        encode(br#"{"kid":"0123456789012345678901234567890123456789012","alg":"RS512"}"#),
        encode(claims.as_bytes()),
        encode(&[7; 512])
    )
}

fn headers() -> Vec<(String, String)> {
    [
        ("Host", "127.0.0.1:8080".to_owned()),
        (
            "User-Agent",
            "OpenAPI-Generator/0.129.1425/python".to_owned(),
        ),
        ("Accept", "application/json".to_owned()),
        ("Accept-Encoding", "gzip, deflate".to_owned()),
        ("Accept-Version", "2025-10-01".to_owned()),
        ("Connection", "keep-alive".to_owned()),
        ("Authorization", format!("Bearer {}", token())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

const TARGET: &str = "/cybrid/bank/api/customers/0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e?include_pii=true";

#[divan::bench]
fn head_scan(bencher: Bencher) {
    let mut head = format!("GET {TARGET} HTTP/1.1\r\n");
    for (name, value) in headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    bencher.bench(|| {
        let progress = HeadScanner::new(HeadLimits::default()).scan(black_box(head.as_bytes()));
        assert!(matches!(progress, Progress::Complete { .. }));
    });
}

#[divan::bench]
fn target_parse(bencher: Bencher) {
    bencher.bench(|| Target::parse(black_box(TARGET.as_bytes()), EncodedSlash::Allow).is_ok());
}

#[divan::bench(args = [
    ("cybrid", "GET", "/api/customers/0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e"),
    ("cybrid", "POST", "/api/trades"),
    ("obp", "POST", "/obp/v5.1.0/banks/demo.bank/accounts/a-1/views/owner/account-access/grant"),
    ("obp", "GET", "/obp/v4.0.0/banks/demo.bank/accounts/a-1/owner/transactions"),
    ("wyre", "POST", "/v3/transfers/TF_ABCDEFGHIJK/confirm"),
    ("obp", "GET", "/obp/v4.0.0/no/such/path/at/all"),
])]
fn find_operation(bencher: Bencher, (provider, method, path): (&str, &str, &str)) {
    let catalog = catalog();
    let (_, entry) = catalog.provider(provider).unwrap();
    let service = (0..)
        .map(catalog::ServiceIndex)
        .zip(&entry.provider.services)
        .find(|(_, service)| provider != "cybrid" || &*service.id == "bank")
        .map(|(index, _)| index)
        .unwrap();
    bencher.bench(|| {
        entry
            .matcher
            .find(service, black_box(method), black_box(path))
            .is_some()
    });
}

#[divan::bench]
fn find_provider_by_prefix(bencher: Bencher) {
    let catalog = catalog();
    bencher.bench(|| {
        catalog
            .by_prefix(black_box("/cybrid/bank/api/prices"))
            .is_some()
    });
}

#[divan::bench]
fn classify_customer_token(bencher: Bencher) {
    let headers = headers();
    bencher.bench(|| {
        let request = RequestView {
            method: "GET",
            path: "/api/customers/0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e",
            query: Some("include_pii=true"),
            headers: black_box(&headers),
            client_certificate: false,
        };
        credential::classify(Scheme::Cybrid, &request).token_type
    });
}

/// All that is recorded of a credential: for a token that comes for the first time, and for one
/// that is known.
#[divan::bench(args = [false, true])]
fn note_customer_token(bencher: Bencher, known: bool) {
    let catalog = catalog();
    let (_, entry) = catalog.provider("cybrid").unwrap();
    let keyring = Keyring::new(&[7; 32]);
    let headers = headers();
    let now = Micros(1_795_305_339_000_000);
    let mut tokens = KnownTokens::default();
    bencher.bench_local(|| {
        let request = RequestView {
            method: "GET",
            path: "/api/customers/0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e",
            query: Some("include_pii=true"),
            headers: black_box(&headers),
            client_certificate: false,
        };
        let mut record = record();
        let provider = &entry.provider;
        if known {
            tokens.credential(provider, &request, &keyring, now, &mut record);
        } else {
            recognise::credential(provider, &request, &keyring, &mut record);
        }
        record.subjects.len()
    });
}

#[divan::bench]
fn fingerprint(bencher: Bencher) {
    let keyring = Keyring::new(&[7; 32]);
    let token = token();
    bencher.bench(|| keyring.fingerprint(black_box(token.as_bytes())));
}

#[divan::bench]
fn pseudonym(bencher: Bencher) {
    let keyring = Keyring::new(&[7; 32]);
    bencher.bench(|| keyring.pseudonym("customer", black_box(b"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e")));
}

#[divan::bench]
fn redacted_query(bencher: Bencher) {
    bencher.bench(|| {
        redact_query(
            black_box("page=0&per_page=100&include_pii=true&guid=0e0e0e0e"),
            |name| match name {
                "guid" => ParameterRule::Masked,
                _ => ParameterRule::Safe(|value: &str| value.len() < 7),
            },
        )
    });
}

#[divan::bench]
fn tap_a_trade_answer(bencher: Bencher) {
    let catalog = catalog();
    let (_, entry) = catalog.provider("cybrid").unwrap();
    let plans = ProviderPlans::new(&entry.provider, &entry.matcher).unwrap();
    let bank = (0..)
        .map(catalog::ServiceIndex)
        .zip(&entry.provider.services)
        .find(|(_, service)| &*service.id == "bank")
        .map(|(index, _)| index)
        .unwrap();
    let found = entry.matcher.find(bank, "POST", "/api/trades").unwrap();
    let plan = plans
        .operation(found.route.index)
        .unwrap()
        .response
        .clone()
        .unwrap();
    let keyring = Arc::new(Keyring::new(&[7; 32]));
    let body = br#"{"guid":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","trade_type":"platform","customer_guid":"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e","quote_guid":"0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d","symbol":"BTC-USD","side":"buy","state":"storing","receive_amount":5000000000,"deliver_amount":124000,"fee":0,"created_at":"2026-01-02T03:04:05.678Z","labels":null}"#;
    bencher.bench(|| {
        let mut observer = Observer::new(&plan, &keyring);
        observer.feed(black_box(body));
        let mut record = record();
        observer.finish(true, SubjectRole::Response, &mut record);
        record.facts.len()
    });
}

fn record() -> CallRecord {
    let gateway = Gateway {
        node: "edge-1".into(),
        version: "0.1.0".into(),
        config_hash: "0123456789abcdef".into(),
    };
    CallRecord::new(
        CallId::floor(1),
        Micros(1_795_305_338_000_000),
        Arc::new(gateway),
    )
}

#[divan::bench]
fn assemble_record(bencher: Bencher) {
    let keyring = Keyring::new(&[7; 32]);
    let customer: Arc<str> = "customer".into();
    let operation: Arc<str> = "bank.get_customer".into();
    let name: Arc<str> = "state".into();
    let mut detail = String::new();
    bencher.bench_local(|| {
        let mut record = record();
        record.target.operation = Some(Arc::clone(&operation));
        record.target.effect = Some(Effect::Read);
        record.target.query = Some("include_pii=true".into());
        record.credential.token_type = TokenType::Customer;
        record.decision = Decision::Forwarded;
        record.outcome = Outcome::Success;
        record.status = Some(200);
        record.add_subject(Subject {
            kind: Arc::clone(&customer),
            role: SubjectRole::Request,
            pseudonym: Some(keyring.pseudonym("customer", b"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e")),
        });
        record.add_fact(Fact {
            name: Arc::clone(&name),
            value: "verified".into(),
        });
        detail.clear();
        write_detail(&mut detail, &record);
        detail.len()
    });
}

/// A place in the bulkhead, leave of the breaker, the verdict and the way out, with all threads in
/// one endpoint group.
#[divan::bench(threads = [1, 2])]
fn place_of_an_attempt(bencher: Bencher) {
    let (name, text) = catalog::builtin().into_iter().next().unwrap();
    let provider = Provider::parse(name, text).unwrap();
    let mut maker = GroupMaker::new(Environment::Sandbox, &Arc::default(), []);
    let groups = maker.service(&provider, ServiceIndex(0));
    let group = Arc::clone(groups.of(None));
    let caller: Arc<str> = "app".into();
    bencher.bench(|| {
        let entering = pin!(group.enter(&caller, Duration::from_secs(1)));
        let entered = entering.poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready((Ok(mut place), _)) = entered else {
            panic!("no place");
        };
        place.tell(Verdict::Well, black_box(Duration::from_millis(20)))
    });
}
