//! The running gateway watches its own ledger: what happens becomes one incident, somebody is told
//! once, also over kills, and what an operator has asked for is done by itself.

use std::net::SocketAddr;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use serde_json::Value;

use crate::harness::postgres::{Server, execute};
use crate::harness::{Bank, Config, Gateway, PATIENCE, eventually, receiver, reply, until};

/// Asks for a token for a customer who does not exist.
const MINT: &str = "/cybrid/identity/api/customer_tokens";
/// No test may look up a bank's real host.
const NOBODY: &str = "http://127.0.0.1:1";
/// More than the rule `unknown-customers` lets pass in ten minutes.
const STORM: u32 = 40;
/// In every body, and nowhere else.
const CANARY: &str = "c0ffee00-dead-4bee-8bad-";

/// A bank that knows nobody, in production, and somebody who is told.
fn config(bank: &Bank, told: SocketAddr, sections: &str) -> Config {
    let url = bank.url();
    let services = ["identity", "bank", "organization"]
        .map(|service| format!("[providers.cybrid.services.{service}]\nproduction = \"{url}\"\nsandbox = \"{NOBODY}\"\n"));
    Config::new()
        .section(&format!(
            "[providers.cybrid]\nenvironment = \"production\"\n{}",
            services.concat()
        ))
        .section(&format!(
            "[[alerts.channel]]\nname = \"soc\"\nkind = \"webhook\"\nurl = \"http://{told}/hook\"\n"
        ))
        .section(sections)
}

fn bank() -> Bank {
    Bank::answering(reply(404, "{\"error_message\":\"no customer\"}"))
}

fn storm(gateway: &Gateway, from: u32, to: u32) {
    for number in from..to {
        let body =
            format!("{{\"customer_guid\":\"{CANARY}{number:012x}\",\"scopes\":[\"trades:read\"]}}");
        let headers = [("Content-Type", "application/json")];
        assert_eq!(gateway.post(MINT, &headers, &body).status, 404);
    }
}

/// All incidents, as the command shows them.
fn incidents(gateway: &Gateway) -> Vec<Value> {
    let said = gateway
        .egret(&["alert", "list", "--all", "--format", "json"])
        .ok();
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// The one incident, without what differs from run to run.
fn essence(incidents: &[Value]) -> Value {
    let [one] = incidents else {
        panic!("one incident was expected: {incidents:#?}");
    };
    serde_json::json!({
        "severity": one["severity"], "category": one["category"], "rules": one["rules"],
        "signs": one["signs"], "callers": one["callers"], "told": one["told"],
    })
}

fn judged(gateway: &Gateway, events: f64) {
    until("every call was judged", || {
        gateway.figure("egret_detection_events") >= events
    });
}

#[test]
fn a_storm_becomes_one_incident_and_one_notice() {
    let (bank, (address, told)) = (bank(), receiver());
    let gateway = config(&bank, address, "").start();
    until("it watches", || {
        gateway.figure("egret_detection_leading") == 1.0
    });
    storm(&gateway, 0, STORM);
    let notice = told.recv_timeout(PATIENCE).unwrap().body;
    assert_eq!(notice["type"], "incident.opened");
    assert_eq!(notice["data"]["callers"]["first"][0], "app");
    assert_eq!(notice["data"]["category"], "enumeration");
    assert!(!notice.to_string().contains(CANARY), "{notice}");
    judged(&gateway, f64::from(STORM));
    let found = incidents(&gateway);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(!format!("{found:?}").contains(CANARY));
    // Each call behind it is in the ledger.
    let call = found[0]["calls"][0].as_str().unwrap();
    let shown = gateway.egret(&["audit", "show", call]).ok();
    assert!(shown.contains("identity.create_customer_token"), "{shown}");
    // A replay of the same ledger says the same.
    let replayed = gateway.egret(&["detect", "replay"]).ok();
    let alerts: Vec<Value> = replayed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(alerts.len(), 1, "{replayed}");
    assert_eq!(alerts[0]["text"], found[0]["sentence"]);
    assert_eq!(alerts[0]["calls"], found[0]["calls"]);
    until("the figures say so", || {
        gateway.figure("egret_incidents_open") == 1.0
    });
    assert_eq!(
        gateway.figure("egret_detection_alerts_total{severity=\"medium\"}"),
        1.0
    );
    assert_eq!(gateway.admin_get("/readyz").status, 200);
    assert_eq!(told.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
}

#[test]
fn a_killed_gateway_says_what_an_unbroken_one_says() {
    let whole = {
        let (bank, (address, _told)) = (bank(), receiver());
        let gateway = config(&bank, address, "").start();
        storm(&gateway, 0, 3 * STORM);
        judged(&gateway, f64::from(3 * STORM));
        essence(&incidents(&gateway))
    };
    let (bank, (address, told)) = (bank(), receiver());
    let mut gateway = config(&bank, address, "").start();
    for part in 0..3 {
        storm(&gateway, part * STORM, (part + 1) * STORM);
        if part == 0 {
            // In the book, and not in the state that the next process begins with.
            told.recv_timeout(PATIENCE).unwrap();
            // Else it would be told again, under the same id: the receiver's answer was not heard.
            gateway.wait_for_log("told");
        }
        gateway = gateway.kill().start();
    }
    judged(&gateway, f64::from(3 * STORM));
    assert_eq!(essence(&incidents(&gateway)), whole);
    // A stop keeps what was learned; the next start has nothing to judge again.
    let (_, config) = gateway.stop();
    let gateway = config.start();
    judged(&gateway, f64::from(3 * STORM));
    assert_eq!(essence(&incidents(&gateway)), whole);
    assert_eq!(
        told.recv_timeout(Duration::from_millis(1_500)),
        Err(RecvTimeoutError::Timeout),
        "somebody was told twice"
    );
}

#[test]
fn what_happened_before_detection_was_switched_on_is_found() {
    let (bank, (address, told)) = (bank(), receiver());
    let gateway = config(&bank, address, "")
        .variable("EGRET_DETECT_ENABLED", "false")
        .start();
    storm(&gateway, 0, STORM);
    let (_, config) = gateway.stop();
    let gateway = config.variable("EGRET_DETECT_ENABLED", "true").start();
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap().body["type"],
        "incident.opened"
    );
    judged(&gateway, f64::from(STORM));
}

#[test]
fn a_rule_may_lock_a_caller_down_for_a_time() {
    let (bank, (address, told)) = (bank(), receiver());
    let respond = "[detect.rules.unknown-customers.respond]\naction = \"lock-caller\"\nfor = \"2m\"\n\
        from = \"medium\"\n";
    let gateway = config(&bank, address, respond).start();
    storm(&gateway, 0, 20);
    let refused = eventually("the caller is locked down", || {
        let answer = gateway.post(MINT, &[("Content-Type", "application/json")], "{}");
        (answer.status == 403).then_some(answer)
    });
    let notice = told.recv_timeout(PATIENCE).unwrap().body;
    let incident = notice["data"]["id"].as_str().unwrap().to_owned();
    // Who is called is told what was done.
    let first = notice["data"]["steps"][0].as_str().unwrap();
    assert!(first.starts_with("Egret locked caller:app by "), "{first}");
    let listed = gateway
        .egret(&["lockdown", "list", "--format", "json"])
        .ok();
    let lock: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(lock["target"], "caller:app");
    assert!(
        lock["reason"].as_str().unwrap().starts_with(&incident),
        "{lock}"
    );
    assert!(lock["until"].is_string(), "{lock}");
    let id = lock["id"].as_str().unwrap();
    assert_eq!(gateway.row_of(&refused).field("facts")["lock"], id);
    let placed = gateway.egret(&["audit", "show", id]).ok();
    for word in ["lockdown.place", &incident, "egret-detection", "caller:app"] {
        assert!(placed.contains(word), "{word} in {placed}");
    }
    let shown = gateway.egret(&["alert", "show", &incident]).ok();
    assert!(
        shown.contains(&format!("locked caller:app by {id}")),
        "{shown}"
    );
    assert_eq!(gateway.figure("egret_detection_responses_total"), 1.0);
    gateway
        .egret(&["lockdown", "lift", id, "--reason", "a false alarm"])
        .ok();
    until("calls go on", || {
        gateway
            .post(MINT, &[("Content-Type", "application/json")], "{}")
            .status
            == 404
    });
}

#[test]
fn a_rule_may_throttle_a_caller() {
    let (bank, (address, _told)) = (bank(), receiver());
    let respond = "[detect.rules.unknown-customers.respond]\naction = \"throttle\"\nfrom = \"medium\"\n\
        calls_per_minute = 2\n";
    let gateway = config(&bank, address, respond).start();
    storm(&gateway, 0, 20);
    let headers = [("Content-Type", "application/json")];
    let refused = eventually("the caller is throttled", || {
        let answer = gateway.post(MINT, &headers, "{}");
        (answer.status == 429).then_some(answer)
    });
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(body["type"], "urn:egret:problem:throttled");
    gateway
        .row_of(&refused)
        .expect(&[("decision", "limited"), ("reason", "throttled")]);
}

#[test]
fn a_dry_run_only_says_what_it_would_do() {
    let (bank, (address, told)) = (bank(), receiver());
    let respond = "[detect.rules.unknown-customers.respond]\naction = \"lock-caller\"\nfrom = \"medium\"\n\
        [detect.responses]\ndry_run = true\n";
    let gateway = config(&bank, address, respond).start();
    storm(&gateway, 0, STORM);
    told.recv_timeout(PATIENCE).unwrap();
    gateway.wait_for_log("a dry run: this would be locked down");
    let listed = gateway.egret(&["lockdown", "list"]).ok();
    assert!(listed.contains("nothing is locked down"), "{listed}");
}

#[test]
fn one_node_of_a_fleet_detects_and_another_goes_on() {
    let Some(server) = Server::start() else {
        return;
    };
    execute(&server.url("postgres"), "CREATE DATABASE ledger");
    let ledger = format!("[ledger]\nurl = \"{}\"\n", server.url("ledger"));
    let (bank, (address, told)) = (bank(), receiver());
    let start = |node: &str| {
        config(&bank, address, &ledger)
            .variable("EGRET_NODE", node)
            .start()
    };
    let leads = |gateway: &Gateway| gateway.figure("egret_detection_leading") == 1.0;
    let one = start("node-1");
    until("the first leads", || leads(&one));
    let two = start("node-2");
    storm(&one, 0, STORM / 2);
    storm(&two, STORM / 2, STORM);
    let notice = told.recv_timeout(PATIENCE).unwrap().body;
    assert_eq!(notice["type"], "incident.opened");
    assert!(!leads(&two));
    judged(&one, f64::from(STORM));
    assert_eq!(essence(&incidents(&two)), essence(&incidents(&one)));
    drop(one.kill());
    until("the second leads", || leads(&two));
    storm(&two, STORM, 2 * STORM);
    judged(&two, f64::from(2 * STORM));
    let found = incidents(&two);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["id"], notice["data"]["id"]);
    assert_eq!(
        told.recv_timeout(Duration::from_millis(1_500)),
        Err(RecvTimeoutError::Timeout),
        "somebody was told twice"
    );
}
