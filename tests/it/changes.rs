//! What the gateway puts on record of its own changes, and what detection says of them.

use serde_json::Value;

use crate::harness::{Bank, Config, Gateway, egret_command, reply, until};

fn config() -> (Config, Bank) {
    let bank = Bank::answering(reply(200, "{}"));
    (Config::new().cybrid(&bank.url()), bank)
}

/// Rows of Egret's own of one operation.
fn own_rows(gateway: &Gateway, operation: &str) -> Vec<Value> {
    let text = gateway
        .egret(&[
            "audit",
            "query",
            "--provider",
            "egret",
            "--operation",
            operation,
            "--format",
            "json",
        ])
        .ok();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Alerts of the rule `configuration` that a replay of an export tells.
fn told(gateway: &Gateway) -> Vec<Value> {
    let export = gateway
        .egret(&["audit", "export", "--format", "jsonl", "-o", "-"])
        .ok();
    let file = gateway.directory().join("export.jsonl");
    std::fs::write(&file, export).unwrap();
    let file = file.to_str().unwrap();
    let output = egret_command(gateway.directory(), &["detect", "replay", "--events", file])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let alerts = String::from_utf8(output.stdout).unwrap();
    let alerts = alerts
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    alerts
        .filter(|alert| alert["rule"] == "configuration")
        .collect()
}

#[test]
fn a_configuration_that_lets_more_through_is_on_record_and_told() {
    let (config, _bank) = config();
    let gateway = config.start();
    assert!(
        own_rows(&gateway, "config.policy_loosened").is_empty(),
        "nothing was before"
    );
    let (_, config) = gateway.stop();
    let gateway = config.section("[evidence]\nenabled = false").start();
    until("the change is in the ledger", || {
        own_rows(&gateway, "config.policy_loosened").len() == 1
    });
    let row = &own_rows(&gateway, "config.policy_loosened")[0];
    assert_eq!(row["facts"]["key"], "evidence.enabled");
    assert_eq!(row["facts"]["how"], "on to off");
    assert_eq!(row["facts"]["seen"], "start");
    assert_eq!(row["effect"], "access-change");
    let who = row["caller"].as_str().unwrap();
    assert!(!who.is_empty());

    let told = told(&gateway);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["severity"], "medium");
    let text = told[0]["text"].as_str().unwrap();
    assert_eq!(
        text,
        format!(
            "The gateway's policy lets more pass than before, by {who}: evidence.enabled: on to off."
        )
    );
    assert_eq!(told[0]["calls"][0], row["call_id"]);

    // The same once more is nothing new.
    let (_, config) = gateway.stop();
    let gateway = config.start();
    gateway.get("/cybrid/bank/api/banks", &[]);
    until("the call is in the ledger", || {
        !gateway
            .egret(&["audit", "query", "--banks-only", "--format", "json"])
            .ok()
            .is_empty()
    });
    assert_eq!(own_rows(&gateway, "config.policy_loosened").len(), 1);
}

#[test]
fn a_caller_that_is_added_is_on_record_and_told_and_its_key_is_not() {
    let (config, _bank) = config();
    // Before the first start: there is no ledger yet, and nothing to complain about.
    let first = config.egret(&["caller", "add", "payments", "--key-only"]);
    assert_eq!(first.stderr, "");
    let key = first.ok().trim().to_owned();
    let gateway = config.start();
    gateway.egret(&["caller", "add", "payroll"]).ok();
    gateway.egret(&["caller", "rotate", "payroll"]).ok();
    gateway.egret(&["caller", "revoke", "payroll"]).ok();
    // Whoever pastes a key instead of a name has not put it on record.
    gateway.egret(&["caller", "revoke", &key]).failed();
    until("both are in the ledger", || {
        own_rows(&gateway, "caller.add").len() == 2
    });
    let names: Vec<Value> = own_rows(&gateway, "caller.add")
        .iter()
        .map(|row| row["facts"]["of_caller"].clone())
        .collect();
    assert_eq!(names, ["payroll", "payments"], "newest first");
    assert_eq!(own_rows(&gateway, "caller.rotate").len(), 1);
    let revoked = own_rows(&gateway, "caller.revoke");
    assert_eq!(revoked.len(), 2);
    assert!(!format!("{revoked:?}").contains(&key));

    // Two callers added by one person within minutes are one thing.
    let told = told(&gateway);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["severity"], "low");
    let text = told[0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("A caller was added to the gateway, by ") && text.ends_with(": payments."),
        "{text}"
    );
}

#[test]
fn a_lockdown_that_is_lifted_is_told() {
    let (config, _bank) = config();
    let gateway = config.start();
    gateway
        .egret(&["lockdown", "all", "--reason", "drill"])
        .ok();
    let listed = gateway
        .egret(&["lockdown", "list", "--format", "json"])
        .ok();
    let lock: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let id = lock["id"].as_str().unwrap();
    assert!(told(&gateway).is_empty(), "locking loosens nothing");
    gateway
        .egret(&["lockdown", "lift", id, "--reason", "the drill is over"])
        .ok();
    let told = told(&gateway);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]["text"]
            .as_str()
            .unwrap()
            .starts_with("A lockdown was lifted, by ")
    );
}
