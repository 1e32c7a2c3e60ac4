//! Exports of what a real gateway has recorded.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use egret::sim::Vendor;
use serde_json::Value;

use crate::clients::{drive, python_with_clients, skip};
use crate::harness::{Config, Gateway, Sim, until};

const CALLS: usize = 40;

/// A gateway after a mint and calls of several kinds with what was minted.
fn used() -> (Gateway, Sim) {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let body = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                \"client_secret\":\"sim-bank-secret\"}";
    let minted = gateway.post("/cybrid/identity/oauth/token", &[], body);
    let bearer = format!("Bearer {}", minted.json()["access_token"].as_str().unwrap());
    let headers = [("Authorization", &*bearer)];
    for number in 1..CALLS {
        match number % 4 {
            0 => gateway.get("/cybrid/bank/api/customers", &headers),
            1 => gateway.get("/cybrid/bank/api/trades?page=0", &headers),
            2 => gateway.post("/cybrid/bank/api/trades", &headers, "{}"),
            _ => gateway.get("/nowhere", &[]),
        };
    }
    gateway.rows(CALLS, &[]);
    (gateway, sim)
}

fn export(gateway: &Gateway, arguments: &[&str]) -> String {
    let all = [&["audit", "export", "--banks-only"], arguments].concat();
    gateway.egret(&all).ok()
}

fn values(lines: &str) -> Vec<Value> {
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_format_tells_the_same_calls() {
    let (gateway, _sim) = used();
    let jsonl = values(&export(&gateway, &[]));
    assert_eq!(jsonl.len(), CALLS);
    let rows = gateway.query(&[]);
    let ids = |rows: &[Value]| -> BTreeSet<String> {
        let ids = rows.iter().map(|row| row["call_id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    let wanted: Vec<Value> = rows.into_iter().map(|row| row.0).collect();
    assert_eq!(ids(&jsonl), ids(&wanted));

    let csv = export(&gateway, &["--format", "csv"]);
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    let header = csv.headers().unwrap().clone();
    let at = header.iter().position(|name| name == "call_id").unwrap();
    for (row, record) in jsonl.iter().zip(csv.records()) {
        assert_eq!(record.unwrap()[at], *row["call_id"].as_str().unwrap());
    }
    let ocsf = values(&export(&gateway, &["--format", "ocsf"]));
    assert_eq!(ocsf.len(), CALLS);
    for (row, event) in jsonl.iter().zip(&ocsf) {
        assert_eq!(event["metadata"]["uid"], row["call_id"]);
        assert_eq!(event["api"]["operation"], row["operation"]);
        assert_eq!(event["class_uid"], 6003);
    }

    // Each is on record.
    let rows = gateway.query(&["--provider", "egret", "--operation", "audit.export"]);
    assert_eq!(rows.len(), 3);
    let facts = rows[1].field("facts");
    assert_eq!(facts["format"], "csv");
    assert_eq!(facts["rows"], CALLS.to_string());
    assert_eq!(facts["filter"], "banks-only");
}

#[test]
fn parquet_is_read_by_others() {
    let python = match python_with_clients() {
        Ok(python) => python,
        Err(why) => return skip(&why),
    };
    let (gateway, _sim) = used();
    export(&gateway, &["--format", "parquet", "-o", "calls.parquet"]);
    gateway.get("/cybrid/bank/api/banks", &[]);
    gateway.rows(CALLS + 1, &[]);
    let again = ["--format", "parquet", "-o", "calls.parquet", "--resume"];
    export(&gateway, &again);
    let calls = gateway.directory().join("calls.parquet");
    assert_eq!(std::fs::read_dir(&calls).unwrap().count(), 2, "two parts");
    let said = drive(
        &python,
        "read_parquet.py",
        &[("CALLS", calls.to_str().unwrap())],
    );
    let types = said["types"].as_object().unwrap();
    assert_eq!(types["received_at"], "timestamp[us, tz=UTC]");
    assert_eq!(types["status"], "int64");
    assert_eq!(types["subjects"], "string");
    let jsonl = values(&export(&gateway, &[]));
    let rows = said["rows"].as_array().unwrap();
    assert_eq!(rows.len(), jsonl.len());
    for (row, wanted) in rows.iter().zip(&jsonl) {
        for (name, value) in row.as_object().unwrap() {
            match &wanted[name] {
                json @ (Value::Array(_) | Value::Object(_)) => {
                    let text = value.as_str().unwrap();
                    let value: Value = serde_json::from_str(text).unwrap();
                    assert_eq!(value, *json, "{name}");
                }
                wanted => assert_eq!(value, wanted, "{name}"),
            }
        }
    }
}

/// The gateway's ledger with so many rows that an export of them takes a while.
fn large(rows: usize) -> Config {
    let (gateway, _sim) = used();
    let (_, config) = gateway.stop();
    let ledger = config.directory().join("data/ledger.db");
    // Copies of what was recorded, under other ids.
    let copy = "INSERT INTO records (call_id, received_at, forwarded_after, first_byte_after, \
        completed_after, profile_id, credential_id, minted_fingerprint, outcome, status, \
        error_code, attempts, request_bytes, response_bytes, trace_high, trace_low, detail, \
        activity_id) \
        SELECT randomblob(16), received_at, forwarded_after, first_byte_after, completed_after, \
        profile_id, credential_id, minted_fingerprint, outcome, status, error_code, attempts, \
        request_bytes, response_bytes, trace_high, trace_low, detail, activity_id FROM records";
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&ledger);
    crate::harness::runtime().block_on(async {
        use sqlx::Connection;
        let mut conn = sqlx::sqlite::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        loop {
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM records")
                .fetch_one(&mut conn)
                .await
                .unwrap();
            let count = usize::try_from(count).unwrap();
            if count >= rows {
                conn.close().await.unwrap();
                break;
            }
            sqlx::query(copy).execute(&mut conn).await.unwrap();
        }
    });
    config
}

fn start(config: &Config, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_egret"))
        .args(["audit", "export", "--provider", "cybrid"])
        .args(arguments)
        .arg("--config")
        .arg(config.path())
        .current_dir(config.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn killed_and_interrupted_in_the_middle_nothing_is_lost_and_nothing_twice() {
    let config = large(30_000);
    let begin = |name: &str| {
        let file = config.directory().join(name);
        let export = start(&config, &["-o", name, "--resume"]);
        until("the export has begun", || {
            std::fs::metadata(&file).is_ok_and(|file| file.len() > 0)
        });
        export
    };
    let mut killed = begin("killed.jsonl");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let interrupted = begin("interrupted.jsonl");
    signal(&interrupted, "-INT");
    let ended = interrupted.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("--resume goes on"), "{said}");
    assert!(!ended.status.success());

    let whole = start(&config, &[]).wait_with_output().unwrap();
    let whole = String::from_utf8(whole.stdout).unwrap();
    assert!(whole.lines().count() > 20_000);
    for name in ["killed.jsonl", "interrupted.jsonl"] {
        let begun = lines(&config.directory().join(name)).len();
        assert!(begun < whole.lines().count(), "{name} was done before");
        let rest = start(&config, &["-o", name, "--resume"]);
        let done = rest.wait_with_output().unwrap();
        assert!(done.status.success(), "{done:?}");
        let exported = lines(&config.directory().join(name));
        assert!(
            exported.iter().map(String::as_str).eq(whole.lines()),
            "{name}"
        );
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let config = large(30_000);
    let mut child = start(&config, &[]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let rows = config
        .egret(&[
            "audit",
            "query",
            "--operation",
            "audit.export",
            "--format",
            "json",
        ])
        .ok();
    let row: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(row["outcome"], "cancelled");
}

#[test]
fn the_place_of_one_ledger_is_none_in_another() {
    let (one, _sim) = used();
    let (other, _sim) = used();
    export(&one, &["-o", "calls.csv", "--format", "csv"]);
    for name in ["calls.csv", "calls.csv.cursor"] {
        std::fs::copy(one.directory().join(name), other.directory().join(name)).unwrap();
    }
    let again = [
        "audit",
        "export",
        "--banks-only",
        "-o",
        "calls.csv",
        "--format",
        "csv",
        "--resume",
    ];
    one.egret(&again).ok();
    let error = other.egret(&again).failed();
    assert!(error.contains("rebuilt or replaced"), "{error}");
}
