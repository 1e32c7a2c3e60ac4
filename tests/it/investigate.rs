//! Everything about a token, a caller or a customer, in one document.

use egret::sim::Vendor;
use serde_json::Value;

use crate::harness::{Config, Gateway, Sim};

/// A customer of the simulated bank, as it is told to callers.
const CUSTOMER: &str = "5e1f0c3a9b7d42e68f10a2b3c4d5e6f7";

fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let said = gateway
        .egret(&[&["investigate"], arguments, &["--format", "json"]].concat())
        .ok();
    serde_json::from_str(&said).expect(&said)
}

/// Cells of a column of a table.
fn column<'a>(document: &'a Value, table: &str, name: &str) -> Vec<&'a Value> {
    let rows = document["tables"][table]["rows"].as_array().expect(table);
    rows.iter().map(|row| &row[name]).collect()
}

const MINT: &str = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                    \"client_secret\":\"sim-bank-secret\"}";

/// The token that a client credential obtains.
fn token(gateway: &Gateway) -> String {
    let answer = gateway.post("/cybrid/identity/oauth/token", &[], MINT);
    let token = answer.json()["access_token"].as_str().map(str::to_owned);
    token.expect("a token")
}

#[test]
fn a_token_is_followed_from_its_mint_to_each_use() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let bearer = format!("Bearer {}", token(&gateway));
    let headers = [("Authorization", bearer.as_str())];
    gateway.get("/cybrid/bank/api/banks", &headers);
    gateway.get(&format!("/cybrid/bank/api/customers/{CUSTOMER}"), &headers);
    let rows = gateway.rows(3, &[]);
    let mint = rows
        .iter()
        .find(|row| row.text("effect") == "mint")
        .unwrap();
    let fingerprint = mint.text("minted_fingerprint");
    assert_eq!(fingerprint.len(), 32, "{mint:?}");

    let found = json(&gateway, &["token", fingerprint]);
    assert_eq!(found["report"], "investigation");
    assert_eq!(found["totals"]["calls"], 2);
    let tokens = column(&found, "tokens", "fingerprint");
    assert!(tokens.contains(&&Value::from(fingerprint)), "{tokens:?}");
    assert!(column(&found, "tokens", "obtained_in").contains(&&Value::from(mint.text("call_id"))));
    let caller = mint.text("caller").to_owned();
    let of_caller = json(&gateway, &["caller", &caller]);
    assert_eq!(of_caller["totals"]["calls"], 3);
    let of_customer = json(&gateway, &["customer", CUSTOMER]);
    assert_eq!(
        column(&of_customer, "operations", "calls"),
        [&Value::from(1)]
    );
    // Where the token came from is found, too, and is no call about the customer.
    let origins = column(&of_customer, "tokens", "obtained_in");
    assert!(
        origins.contains(&&Value::from(mint.text("call_id"))),
        "{origins:?}"
    );

    // For people, and as a page; nobody sees the raw identifier or the token.
    let text = gateway.egret(&["investigate", "customer", CUSTOMER]).ok();
    let page = gateway
        .egret(&["investigate", "caller", &caller, "--format", "html"])
        .ok();
    assert!(text.contains("Whom it touched") && page.starts_with("<!DOCTYPE html>"));
    for shown in [&text, &page] {
        assert!(
            !shown.contains(CUSTOMER) && !shown.contains(&bearer[7..]),
            "{shown}"
        );
    }
    let readings = gateway.query(&["--provider", "egret", "--operation", "audit.investigate"]);
    let about: Vec<&str> = readings
        .iter()
        .map(|row| row.field("facts")["about"].as_str().unwrap())
        .collect();
    assert_eq!(about, ["token", "caller", "customer", "customer", "caller"]);
    assert_eq!(
        readings[2].field("pii")[0],
        "other",
        "somebody was asked about"
    );
}

#[test]
fn what_was_never_seen_is_said_plainly() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let found = json(&gateway, &["token", &"ab".repeat(16)]);
    assert_eq!(found["totals"]["calls"], 0);
    let error = gateway
        .egret(&["investigate", "token", "eyJhbGciOi"])
        .failed();
    assert!(error.contains("token_fingerprint"), "{error}");
    let error = gateway
        .egret(&["investigate", "caller", "x", "--from", "1h", "--to", "2h"])
        .failed();
    assert!(error.contains("period is empty"), "{error}");
}
