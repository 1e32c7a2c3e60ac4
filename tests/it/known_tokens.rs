//! Tokens that come again: what is remembered of them changes no record.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::harness::{Bank, Config, Gateway, Row, eventually, reply};

const BANKS: &str = "/cybrid/bank/api/banks";

const CUSTOMER: &str = "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e";

fn token() -> String {
    let claims = format!(
        r#"{{"iss":"https://id.sandbox.cybrid.app","sub":"{CUSTOMER}","sub_type":"customer",
        "scope":["customers:read"],"exp":4000000000}}"#
    );
    let parts = [r#"{"alg":"RS512"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("Bearer {}.c2lnbmVk", parts.join("."))
}

fn call(gateway: &Gateway, headers: &[(&str, &str)]) -> Row {
    let token = token();
    let all = [headers, &[("Authorization", token.as_str())]].concat();
    let answer = gateway.get(BANKS, &all);
    assert_eq!(answer.status, 200, "{answer:?}");
    let row = gateway.row_of(&answer);
    row.expect(&[("token_type", "customer")]);
    row
}

#[test]
fn callers_that_share_a_token_stay_apart() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let added = gateway.egret(&["caller", "add", "payments", "--key-only"]);
    let key = format!("Bearer {}", added.ok().trim());
    // The callers file is looked at every second.
    eventually("the callers file was read again", || {
        let answer = gateway.get(BANKS, &[("Proxy-Authorization", &key)]);
        (answer.status == 200).then_some(())
    });
    let mut fingerprints = Vec::new();
    for _ in 0..3 {
        let local = call(&gateway, &[]);
        local.expect(&[("caller", "app"), ("caller_via", "address")]);
        let keyed = call(&gateway, &[("Proxy-Authorization", &key)]);
        keyed.expect(&[("caller", "payments"), ("caller_via", "key")]);
        fingerprints.extend([local, keyed].map(|row| row.text("token_fingerprint").to_owned()));
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1);
}

#[test]
fn another_key_makes_other_fingerprints_of_the_same_token() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let before = call(&gateway, &[]);
    assert_eq!(
        call(&gateway, &[]).text("token_fingerprint"),
        before.text("token_fingerprint")
    );
    // A directory of its own, so a key of its own: beside these records another is refused.
    let gateway = Config::new().cybrid(&bank.url()).start();
    for _ in 0..2 {
        let after = call(&gateway, &[]);
        assert_ne!(
            after.text("token_fingerprint"),
            before.text("token_fingerprint")
        );
    }
}
