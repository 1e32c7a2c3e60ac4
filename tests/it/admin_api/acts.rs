//! Changes, and figures.

use egret::adapters::ledger::{LedgerPlace, SharedIncidents};
use egret::adapters::notify::Desk;
use egret::domain::config::PostgresPlace;
use egret::domain::incident::{Category, Settings, Severity, Sign};
use egret::types::Micros;
use serde_json::Value;

use super::{BANKS, Ledger, Someone, call, on_record};
use crate::harness::{Gateway, until};

over_both!(
    an_incident_is_taken_and_closed,
    a_caller_is_locked_down_and_let_go,
    figures_of_now_and_of_the_setup,
);

fn incident(gateway: &Gateway, ledger: &Ledger) -> String {
    let directory = gateway.directory().join("data").join("alerts");
    let mut desk = Desk::open(&directory, Settings::default(), Vec::new()).unwrap();
    if let Ledger::Postgres(url) = ledger {
        let place = LedgerPlace::Postgres(PostgresPlace::parse(url).unwrap());
        desk = desk.sharing(Box::new(SharedIncidents::beside(&place).unwrap()));
    }
    let now = Micros(1_795_348_800_000_000);
    let sign = Sign {
        at: now,
        since: now,
        rule: "mint_rate".to_owned(),
        category: Category::MintUnused,
        severity: Severity::High,
        cause: None,
        environment: "sandbox".to_owned(),
        caller: "app".to_owned(),
        ip: String::new(),
        subject: String::new(),
        token: String::new(),
        target: String::new(),
        baseline: None,
        calls: Vec::new(),
        sentence: "a drill".to_owned(),
    };
    desk.take(&sign, now).unwrap();
    desk.book().unwrap().cases().next().unwrap().id.clone()
}

fn an_incident_is_taken_and_closed(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
    let ann = Someone::new(&gateway, "ann", "operator");
    let id = incident(&gateway, ledger);
    let list = ann.json("/incidents");
    assert_eq!(list["incidents"][0]["id"], id.as_str());
    let now = ann.json("/now");
    assert_eq!(now["incidents"]["open"], 1);
    assert_eq!(now["incidents"]["worst"], "high");
    let taken = ann.post(&format!("/incidents/{id}/ack"), "{}");
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(taken.json()["state"], "acknowledged");
    let key = &ann.key;
    let closed = ann.post(
        &format!("/incidents/{id}/close"),
        &format!("{{\"reason\":\"a drill, not {key}\"}}"),
    );
    assert_eq!(closed.json()["state"], "closed");
    assert!(!closed.text().contains(key.as_str()), "a key was kept");
    let again = ann.post(&format!("/incidents/{id}/close"), "{\"reason\":\"x\"}");
    assert_eq!(again.status, 409);
    assert_eq!(ann.get("/incidents/inc-20200101-0001").status, 404);
    let shown = gateway.egret(&["alert", "show", &id]).ok();
    assert!(shown.contains("ann"), "{shown}");
    let rows = || on_record(&gateway, &["--operation", "alert.close", "--caller", "ann"]);
    until("it is on record", || rows().len() == 2);

    let silence = ann.post(
        "/silences",
        "{\"caller\":\"app\",\"for\":\"2h\",\"reason\":\"drill\"}",
    );
    assert_eq!(silence.status, 201, "{}", silence.text());
    let number = silence.json()["silences"][0]["number"].as_u64().unwrap();
    assert_eq!(ann.json("/silences")["silences"][0]["who"], "ann");
    assert_eq!(
        ann.call("DELETE", &format!("/silences/{number}"), None)
            .status,
        204
    );
    assert_eq!(
        ann.call("DELETE", &format!("/silences/{number}"), None)
            .status,
        404
    );
    let all = ann.post("/silences", "{\"for\":\"2h\",\"reason\":\"drill\"}");
    assert_eq!(all.status, 409);
}

fn a_caller_is_locked_down_and_let_go(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
    let ann = Someone::new(&gateway, "ann", "operator");
    let body = "{\"target\":\"caller:app\",\"reason\":\"drill\",\"for\":\"1h\"}";
    let lock = ann.post("/lockdown", body);
    assert_eq!(lock.status, 201, "{}", lock.text());
    let id = lock.json()["id"].as_str().unwrap().to_owned();
    until("calls are refused", || {
        gateway.get(BANKS, &[]).status == 403
    });
    assert_eq!(ann.json("/lockdown")["locks"][0]["by"], "ann");
    let lifted = ann.call(
        "DELETE",
        &format!("/lockdown/{id}"),
        Some("{\"reason\":\"over\"}"),
    );
    assert_eq!(lifted.status, 200, "{}", lifted.text());
    until("calls go on", || gateway.get(BANKS, &[]).status == 401);
    let again = ann.call(
        "DELETE",
        &format!("/lockdown/{id}"),
        Some("{\"reason\":\"over\"}"),
    );
    assert_eq!(again.status, 404);
    let unknown = ann.post(
        "/lockdown",
        "{\"target\":\"provider:nobody\",\"reason\":\"x\"}",
    );
    assert_eq!(unknown.status, 404);
    let record = on_record(&gateway, &["--call-id", &id]).remove(0);
    assert_eq!(record["operation"], "lockdown.place");
    assert_eq!(record["caller"], "ann");
}

fn figures_of_now_and_of_the_setup(ledger: &Ledger) {
    let (gateway, _sim) = ledger.gateway();
    let ann = Someone::new(&gateway, "ann", "operator");
    call(&gateway, 4);
    until("the calls are counted", || {
        ann.json("/now")["providers"][0]["calls"].as_u64() >= Some(4)
    });
    let now = ann.json("/now?history=true");
    assert_eq!(now["stage"], "serving");
    assert!(now["providers"][0]["p95_us"].as_u64() > Some(0));
    let history = &now["history"];
    let length = history["at"].as_array().unwrap().len();
    for name in ["calls", "failed", "p95_us", "in_flight", "ledger_lag_us"] {
        assert_eq!(history[name].as_array().unwrap().len(), length, "{name}");
    }
    assert_eq!(ann.json("/breakers")["breakers"][0]["state"], "closed");
    let name = ann.json("/breakers")["breakers"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let reset = ann.post(&format!("/breakers/{name}/reset"), "{}");
    assert_eq!(reset.json()["state"], "closed", "{}", reset.text());
    assert_eq!(ann.post("/breakers/nobody/reset", "{}").status, 404);
    assert_eq!(ann.json("/providers")["providers"][0]["id"], "cybrid");
    assert_eq!(ann.json("/version")["node"], "node-1");
    assert_eq!(ann.json("/health")["ok"], true);
    let config = ann.json("/config");
    let value = |key: &str| {
        let values = config["values"].as_array().unwrap();
        values.iter().find(|value| value["key"] == key).cloned()
    };
    assert_eq!(value("node").unwrap()["line"], 1);
    let callers = ann.json("/callers");
    assert_eq!(callers["callers"][0]["local"], Value::Bool(true));
    assert!(ann.json("/policy")["loss"]["money"].is_string());
    assert!(ann.json("/log")["filter"].is_string());
}
