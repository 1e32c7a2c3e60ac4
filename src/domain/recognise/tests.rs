use std::sync::Arc;

use super::*;
use crate::domain::catalog::{self, Catalog, Provider};
use crate::domain::credential::RequestView;
use crate::domain::keyring::Keyring;
use crate::domain::record::{CallRecord, Gateway, SubjectRole};
use crate::types::{CallId, Effect, Environment, Micros, PiiClass, TokenType};

const GUID: &str = "3f1c6b0e8f554f0ea6a53e4f3a0f9c11";

fn catalog() -> Catalog {
    let providers = catalog::builtin()
        .into_iter()
        .map(|(name, text)| Provider::parse(name, text).unwrap())
        .collect();
    Catalog::new(providers).unwrap()
}

fn record() -> CallRecord {
    let gateway = Gateway {
        node: "n".into(),
        version: "0".into(),
        config_hash: "h".into(),
    };
    CallRecord::new(CallId::floor(1), Micros(1_000), Arc::new(gateway))
}

/// Recognises a request as the gateway's stages do.
fn recognise(method: &str, host: &str, raw: &str) -> Option<CallRecord> {
    let catalog = catalog();
    let keyring = Keyring::new(&[7; 32]);
    let target = target(method, raw.as_bytes()).unwrap();
    let place = locate(&catalog, host, target.path(), |_| {
        Some(Environment::Sandbox)
    })?;
    let entry = catalog.entry(place.provider)?;
    let service = entry.provider.service(place.service)?;
    let served = Served::at(entry, service, &place);
    let asked = Asked {
        method,
        path: place.rest,
        target: &target,
        accept_version: Some(b"2025-10-01"),
    };
    let mut record = record();
    operation(&served, &asked, &keyring, &mut record);
    let view = RequestView {
        method,
        path: place.rest,
        query: target.query(),
        headers: &vec![("Authorization", "Bearer nonsense")],
        client_certificate: false,
    };
    credential(&entry.provider, &view, &keyring, &mut record);
    Some(record)
}

#[test]
fn prefix_and_host_lead_to_the_same_operation() {
    let by_prefix = recognise(
        "GET",
        "127.0.0.1:8080",
        &format!("/cybrid/bank/api/customers/{GUID}"),
    )
    .unwrap();
    let by_host = recognise(
        "GET",
        "bank.production.cybrid.app",
        &format!("/api/customers/{GUID}"),
    )
    .unwrap();
    assert_eq!(
        by_prefix.target.operation.as_deref(),
        Some("bank.get_customer")
    );
    assert_eq!(by_prefix.target.operation, by_host.target.operation);
    assert_eq!(by_prefix.target.effect, Some(Effect::Read));
    assert_eq!(by_prefix.target.environment, Some(Environment::Sandbox));
    assert_eq!(by_host.target.environment, Some(Environment::Production));
    assert_eq!(by_prefix.subjects, by_host.subjects);
    assert_eq!(recognise("GET", "127.0.0.1", "/nowhere"), None);
}

#[test]
fn the_record_holds_no_raw_value() {
    let raw = format!("/cybrid/bank/api/customers/{GUID}?include_pii=true&jane@example.com=1");
    let record = recognise("GET", "localhost", &raw).unwrap();
    let keyring = Keyring::new(&[7; 32]);
    let subject = record.subjects.first().unwrap();
    assert_eq!(subject.role, SubjectRole::Request);
    assert_eq!(
        subject.pseudonym,
        Some(keyring.pseudonym("customer", GUID.as_bytes()))
    );
    assert_eq!(record.target.accept_version.as_deref(), Some("2025-10-01"));
    assert!(record.pii.iter().any(|class| class == PiiClass::PersonName));
    assert_eq!(record.credential.token_type, TokenType::Unknown);
    let shown = format!("{record:?}");
    assert!(!shown.contains(GUID) && !shown.contains("jane"), "{shown}");
    assert!(shown.contains("include_pii=true"), "{shown}");
}

#[test]
fn without_the_flag_no_personal_data_is_expected() {
    let raw = format!("/cybrid/bank/api/customers/{GUID}");
    let record = recognise("GET", "localhost", &raw).unwrap();
    assert!(!record.pii.iter().any(|class| class == PiiClass::PersonName));
}

#[test]
fn an_unmatched_path_is_not_recorded() {
    let raw = format!("/cybrid/bank/api/secrets/{GUID}?page=1");
    let record = recognise("GET", "localhost", &raw).unwrap();
    assert_eq!(record.target.provider.as_deref(), Some("cybrid"));
    assert_eq!(record.target.operation, None);
    assert_eq!(record.target.path_template, None);
    assert!(record.subjects.is_empty());
}

#[test]
fn tunnels_and_slashes_in_disguise_are_refused() {
    assert_eq!(
        target("CONNECT", b"/").unwrap_err(),
        crate::domain::http::Refusal::Connect
    );
    let catalog = catalog();
    let (_, entry) = catalog.provider("cybrid").unwrap();
    let disguised = target("GET", b"/api/customers/a%2Fb").unwrap();
    assert!(check_slashes(entry.provider.services.first(), &disguised).is_err());
    assert!(check_slashes(None, &disguised).is_err());
    let plain = target("GET", b"/api/customers/a%20b").unwrap();
    assert!(check_slashes(entry.provider.services.first(), &plain).is_ok());
}

#[test]
fn only_standard_methods_have_a_name() {
    assert_eq!(method("PATCH"), "PATCH");
    assert_eq!(method("sk_live_51H"), "other");
}
