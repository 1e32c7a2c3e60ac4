//! `egret detect` over files, and over what a real gateway has recorded.

use std::fs;
use std::path::Path;

use egret::sim::Vendor;
use serde_json::{Value, json};

use crate::harness::{Config, Gateway, Sim, egret, egret_in, eventually};

/// A Monday, 2026-01-05.
const START: i64 = 1_767_571_200_000;
const HOUR: i64 = 3_600_000;

/// Sixteen days of a service that reads prices, then a token of it from the other side of the world.
fn feed() -> String {
    let mut text = String::new();
    let mut id = 0;
    let mut line = |at: i64, ip: &str, country: &str, op: &str, more: Value| {
        id += 1;
        let mut line = json!({"id": id, "ts": at, "env": "production", "provider": "cybrid", "op": op,
            "caller": "ticker", "ip": ip, "country": country, "asn": 64500, "token_type": "bank",
            "status": 200, "by": "upstream", "something_new": [1, {}]});
        for (key, value) in more.as_object().unwrap() {
            line[key] = value.clone();
        }
        text += &format!("{line}\n");
    };
    for hour in 0..16 * 24 {
        let at = START + hour * HOUR;
        let token = format!("{:016x}", hour + 1);
        let mint =
            json!({"token_type": "none", "mint": {"type": "bank", "token": token, "ttl": 3600}});
        line(at, "192.0.2.7", "CA", "token.bank", mint);
        for n in 1..6 {
            line(
                at + n * 60_000,
                "192.0.2.7",
                "CA",
                "prices.list",
                json!({"token": token}),
            );
        }
    }
    let at = START + 16 * 24 * HOUR - 50 * 60_000;
    let token = format!("{:016x}", 16 * 24);
    let taken = json!({"token": token, "asn": 64_999});
    line(at, "2001:db8:7::1", "BR", "customers.list", taken);
    text
}

fn replay(directory: &Path, arguments: &[&str]) -> String {
    let mut all = vec!["detect", "replay"];
    all.extend(arguments);
    egret_in(directory, &all).ok()
}

#[test]
fn a_stolen_token_is_found_and_every_run_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let feed = feed();
    fs::write(path("events"), &feed).unwrap();
    replay(
        directory.path(),
        &["--events", &path("events"), "--alerts", &path("alerts")],
    );
    let alerts = fs::read_to_string(path("alerts")).unwrap();
    let found: Vec<Value> = alerts
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let moved = found
        .iter()
        .find(|alert| alert["rule"] == "token-moved")
        .unwrap();
    assert_eq!(moved["severity"], "high");
    assert_eq!(moved["category"], "token_replay");
    assert_eq!(moved["caller"], "ticker");
    assert_eq!(moved["ip"], "2001:db8:7::1");
    assert_eq!(moved["calls"], json!([feed.lines().count()]));
    assert_eq!(
        replay(directory.path(), &["--events", &path("events")]),
        alerts
    );

    // In two runs, with what was learned in between.
    let lines: Vec<&str> = feed.lines().collect();
    let (first, second) = lines.split_at(1000);
    fs::write(path("first"), first.join("\n")).unwrap();
    fs::write(path("second"), second.join("\n")).unwrap();
    let before = replay(
        directory.path(),
        &["--events", &path("first"), "--save", &path("learned")],
    );
    let after = replay(
        directory.path(),
        &["--events", &path("second"), "--resume", &path("learned")],
    );
    assert_eq!(before + &after, alerts);

    // The map can call the strange network one's own.
    fs::write(path("map"), r#"[{"cidr": "2001:db8::/32", "own": true}]"#).unwrap();
    let quiet = replay(
        directory.path(),
        &["--events", &path("events"), "--netmap", &path("map")],
    );
    assert!(
        !quiet.contains("token-moved") && !quiet.contains("new-origin"),
        "{quiet}"
    );
}

#[test]
fn faults_are_named_and_can_be_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        path("events"),
        "{\"ts\":1}\n\n{\"ts\":\"secret\"}\n{\"ts\":2}\n",
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        egret_in(
            directory.path(),
            &[&["detect", "replay"], arguments].concat(),
        )
    };
    let message = run(&["--events", &path("events")]).failed();
    assert!(message.contains("line 3: it is no event"), "{message}");
    assert!(!message.contains("secret"), "{message}");
    let lenient = run(&["--events", &path("events"), "--lenient"]);
    assert!(lenient.stderr.contains("1 no events"), "{}", lenient.stderr);
    assert!(lenient.status.success());
    fs::write(
        path("settings"),
        "learning_days = 3\n[rules.nonsense]\nenabled = false\n",
    )
    .unwrap();
    let message = run(&["--events", &path("events"), "--settings", &path("settings")]).failed();
    assert!(
        message.contains("rules.nonsense: there is no such rule"),
        "{message}"
    );
    fs::write(path("settings"), "learning_dayz = 3\n").unwrap();
    let message = run(&["--events", &path("events"), "--settings", &path("settings")]).failed();
    assert!(message.contains("learning_dayz"), "{message}");
    let message = run(&["--events", &path("missing")]).failed();
    assert!(message.contains("cannot read"), "{message}");
    let message = run(&["--events", &path("events"), "--resume", &path("events")]).failed();
    assert!(message.contains("no snapshot"), "{message}");
}

#[test]
fn an_export_of_the_ledger_can_be_replayed() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let secret = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\"client_secret\":\"sim-bank-secret\"}";
    let minted = gateway.post("/cybrid/identity/oauth/token", &[], secret);
    let token = minted.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    for _ in 0..3 {
        gateway.get("/cybrid/bank/api/banks", &[("Authorization", &bearer)]);
    }
    gateway.rows(4, &[]);
    let export = gateway.directory().join("calls.jsonl");
    let export = export.to_str().unwrap();
    gateway
        .egret(&["audit", "export", "--format", "jsonl", "-o", export])
        .ok();
    let ran = egret(&["detect", "replay", "--events", export, "--stats"]);
    assert!(ran.status.success(), "{}", ran.stderr);
    assert!(ran.stderr.contains(" 0 no events"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 callers"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 tokens"), "{}", ran.stderr);
}

/// A gateway that was asked for customers who do not exist, and whose lockdown was lifted.
fn searched() -> Gateway {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let secret = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\"client_secret\":\"sim-bank-secret\"}";
    let minted = gateway.post("/cybrid/identity/oauth/token", &[], secret);
    let token = minted.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", &*bearer),
        ("Content-Type", "application/json"),
    ];
    for n in 0..20 {
        let body = json!({ "customer_guid": format!("{n:032x}"), "scopes": ["customers:read"] });
        let answer = gateway.post(
            "/cybrid/identity/api/customer_tokens",
            &headers,
            &body.to_string(),
        );
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
    gateway.rows(21, &[]);
    gateway
        .egret(&["lockdown", "all", "--reason", "drill"])
        .ok();
    let listed = gateway
        .egret(&["lockdown", "list", "--format", "json"])
        .ok();
    let lock: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let id = lock["id"].as_str().unwrap();
    gateway
        .egret(&["lockdown", "lift", id, "--reason", "it is over"])
        .ok();
    gateway
}

#[test]
fn the_ledger_gives_the_alerts_that_its_export_gives() {
    let gateway = searched();
    let told = gateway.egret(&["detect", "replay"]).ok();
    for rule in ["unknown-customers", "configuration"] {
        assert!(told.contains(rule), "{rule} is missing in\n{told}");
    }
    assert_eq!(
        gateway.egret(&["detect", "replay"]).ok(),
        told,
        "byte for byte"
    );
    let export = gateway.directory().join("calls.jsonl");
    let export = export.to_str().unwrap();
    gateway.egret(&["audit", "export", "-o", export]).ok();
    let of_export = gateway
        .egret(&["detect", "replay", "--events", export])
        .ok();
    assert_eq!(of_export, told);

    // A period, and other settings than those of the gateway.
    let none = gateway
        .egret(&["detect", "replay", "--to", "2020-01-01"])
        .ok();
    assert_eq!(none, "");
    let recent = gateway.egret(&["detect", "replay", "--from", "1h"]).ok();
    assert_eq!(recent, told);
    let settings = gateway.directory().join("quiet.toml");
    std::fs::write(&settings, "[rules.unknown-customers]\nenabled = false\n").unwrap();
    let settings = settings.to_str().unwrap();
    let quiet = gateway
        .egret(&["detect", "replay", "--settings", settings])
        .ok();
    assert!(
        !quiet.contains("unknown-customers") && quiet.contains("configuration"),
        "{quiet}"
    );

    // Whoever reads the ledger is on record.
    let readings = [
        "audit",
        "query",
        "--operation",
        "detect.replay",
        "--oldest-first",
        "--format",
        "json",
    ];
    let readings = gateway.egret(&readings).ok();
    let rows: Vec<Value> = readings
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 5);
    assert!(
        rows[0]["facts"]["rows"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 21
    );
    assert!(
        rows[2]["facts"]["to"]
            .as_str()
            .unwrap()
            .starts_with("2020-01-01")
    );
}

#[test]
fn the_rules_are_listed() {
    let table = egret(&["detect", "rules"]).ok();
    assert!(table.contains("thin-mints"), "{table}");
    let lines = egret(&["detect", "rules", "--json"]).ok();
    let rules: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(rules.len() > 30);
    assert!(rules.iter().all(|rule| {
        rule["about"]
            .as_str()
            .is_some_and(|about| about.ends_with('.'))
    }));
}

#[test]
fn the_running_gateway_tells_what_a_replay_tells() {
    let gateway = searched();
    let told = gateway.egret(&["detect", "replay"]).ok();
    let mut replayed: Vec<String> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|alert| alert["incident"] != 0)
        .map(|alert| alert["text"].as_str().unwrap().to_owned())
        .collect();
    replayed.sort();
    assert!(replayed.len() >= 2, "{told}");
    let live = || {
        let list = gateway
            .egret(&["alert", "list", "--all", "--format", "json"])
            .ok();
        let cases = list
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut live: Vec<String> = cases
            .map(|case| case["sentence"].as_str().unwrap().to_owned())
            .collect();
        live.sort();
        live
    };
    let cases = eventually("both are incidents", || {
        Some(live()).filter(|live| live.len() >= 2)
    });
    assert_eq!(cases, replayed);

    // And each is explained, with its calls.
    let list = gateway
        .egret(&["alert", "list", "--all", "--format", "json"])
        .ok();
    for line in list.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let id = case["id"].as_str().unwrap();
        let json = gateway
            .egret(&["detect", "explain", id, "--format", "json"])
            .ok();
        let explained: Value = serde_json::from_str(&json).unwrap();
        let why = &explained["explanation"]["why"][0];
        assert!(
            case["rules"].get(why["rule"].as_str().unwrap()).is_some(),
            "{json}"
        );
        assert_eq!(why["sentence"], case["sentence"]);
        assert_eq!(explained["calls"][0]["call_id"], case["calls"][0]);
        if why["rule"] == "unknown-customers" {
            let measured = &why["measured"];
            assert!(
                measured["score"].as_f64() >= measured["threshold"].as_f64(),
                "{json}"
            );
            assert!(
                measured["formula"]
                    .as_str()
                    .unwrap()
                    .starts_with("n ln(n/L) - n + L = ")
            );
            assert!(
                why["quiet"][0].as_str().unwrap().contains(" or fewer in "),
                "{json}"
            );
            assert_eq!(explained["calls"][0]["status"], 422);
        }
        let text = gateway.egret(&["detect", "explain", id]).ok();
        for part in [id, "looks for", "settings", "Calls behind it"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        // The customers of the calls are in the record of who looked.
    }
    let error = gateway
        .egret(&["detect", "explain", "inc-20200101-0001"])
        .failed();
    assert!(
        error.contains("there is no incident inc-20200101-0001"),
        "{error}"
    );
    let readings = gateway
        .egret(&[
            "audit",
            "query",
            "--operation",
            "detect.explain",
            "--format",
            "json",
        ])
        .ok();
    assert_eq!(readings.lines().count(), 4);
}
