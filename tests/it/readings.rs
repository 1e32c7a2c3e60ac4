//! Who reads the ledger through Egret is on record in it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use egret::sim::Vendor;
use serde_json::Value;
use sqlx::{Connection, Executor};

use crate::harness::{Config, Gateway, Row, Sim, runtime, until};

/// A customer of the simulated bank, as it is told to callers.
const CUSTOMER: &str = "5e1f0c3a9b7d42e68f10a2b3c4d5e6f7";

fn gateway() -> (Gateway, Sim) {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    gateway.get(&format!("/cybrid/bank/api/customers/{CUSTOMER}"), &[]);
    gateway.get("/cybrid/bank/api/banks", &[]);
    gateway.rows(2, &[]);
    (gateway, sim)
}

/// What commands have put on record, oldest first.
fn readings(gateway: &Gateway, filters: &[&str]) -> Vec<Row> {
    gateway.query(&[&["--provider", "egret"], filters].concat())
}

fn fact<'a>(row: &'a Row, name: &str) -> &'a Value {
    &row.field("facts")[name]
}

#[test]
fn each_reading_is_on_record_and_nobody_sees_their_own() {
    let (gateway, _sim) = gateway();
    let id = gateway.query(&[])[0].text("call_id").to_owned();
    let before = readings(&gateway, &["--operation", "audit.query"]).len();
    let all = gateway
        .egret(&["audit", "query", "--limit", "0", "--format", "json"])
        .ok();
    let own = all.lines().filter(|line| line.contains("\"audit.query\""));
    assert_eq!(own.count(), before + 1, "those before it, not its own");
    gateway.egret(&["audit", "show", &id]).ok();
    gateway
        .egret(&["audit", "tail", "--banks-only", "--limit", "1"])
        .ok();
    gateway.egret(&["audit", "stats", "--from", "1h"]).ok();
    gateway.egret(&["audit", "show", "00000000"]).failed();

    let queries = readings(&gateway, &["--operation", "audit.query"]);
    let last = queries.last().unwrap();
    last.expect(&[
        ("caller_via", "user"),
        ("effect", "read"),
        ("outcome", "success"),
        ("node", "node-1/cli"),
        ("token_type", "anonymous"),
        ("pii", ""),
    ]);
    assert!(!last.text("caller").is_empty());
    assert_eq!(fact(last, "rows"), &all.lines().count().to_string());

    let shown = readings(&gateway, &["--operation", "audit.show"]);
    assert_eq!(shown.len(), 2);
    assert_eq!(fact(&shown[0], "shown_call"), &id);
    shown[1].expect(&[("outcome", "failure"), ("facts", "")]);
    let tail = &readings(&gateway, &["--operation", "audit.tail"])[0];
    assert_eq!(fact(tail, "filter"), "banks-only");
    assert_eq!(fact(tail, "rows"), "1");
    let stats = &readings(&gateway, &["--operation", "audit.stats"])[0];
    assert!(
        fact(stats, "from").as_str().unwrap().ends_with('Z'),
        "{stats:?}"
    );
}

#[test]
fn who_looked_at_a_customer_finds_readers_and_no_raw_value_is_kept() {
    let (gateway, _sim) = gateway();
    let found = gateway.query(&["--customer", CUSTOMER]);
    assert_eq!(found.len(), 1);
    // The kind and the value the wrong way round.
    gateway.query(&["--subject", &format!("{CUSTOMER}:customer")]);
    gateway
        .egret(&["audit", "show", found[0].text("call_id")])
        .ok();
    let readers = gateway.query(&["--customer", CUSTOMER, "--provider", "egret"]);
    let operations: Vec<_> = readers.iter().map(|row| row.text("operation")).collect();
    assert_eq!(operations, ["audit.query", "audit.show"]);
    let filters = fact(&readers[0], "filter").as_array().unwrap();
    assert!(filters.contains(&"customer".into()), "{filters:?}");
    assert_eq!(readers[0].field("pii")[0], "other");
    assert_eq!(
        readers[0].field("subjects")[0]["subject"],
        found[0].field("subjects")[0]["subject"]
    );

    for name in ["journal-cli", "journal", "ledger.db", "ledger.db-wal"] {
        scan(&gateway.directory().join("data").join(name));
    }
}

fn scan(path: &Path) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            scan(&entry.unwrap().path());
        }
    } else if let Ok(bytes) = std::fs::read(path) {
        let raw = CUSTOMER.as_bytes();
        let found = bytes.windows(raw.len()).any(|window| window == raw);
        assert!(!found, "a raw customer in {}", path.display());
    }
}

#[test]
fn many_at_once_while_the_gateway_works() {
    const COMMANDS: usize = 6;
    let (gateway, _sim) = gateway();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    gateway.get("/cybrid/bank/api/trades", &[]);
                }
            });
        }
        let readers: Vec<_> = (0..COMMANDS)
            .map(|_| scope.spawn(|| gateway.egret(&["audit", "stats"]).ok()))
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
    // One that is late with the ledger is brought in by the next.
    until("every reading is in the ledger", || {
        readings(&gateway, &["--operation", "audit.stats"]).len() == COMMANDS
    });
    for row in readings(&gateway, &["--operation", "audit.stats"]) {
        row.expect(&[("outcome", "success")]);
    }
}

fn follow(gateway: &Gateway) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_egret"))
        .args(["audit", "tail", "--follow", "--format", "json", "--config"])
        .arg(gateway.directory().join("egret.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    // Something was shown, so it is on record.
    lines.read_line(&mut String::new()).unwrap();
    (child, lines)
}

#[test]
fn a_command_that_was_killed_is_on_record_and_one_that_runs_is_left_alone() {
    let (gateway, _sim) = gateway();
    let (mut killed, _lines) = follow(&gateway);
    let (mut running, _rest) = follow(&gateway);
    let tails = |filters: &[&str]| {
        readings(
            &gateway,
            &[&["--operation", "audit.tail"][..], filters].concat(),
        )
    };
    gateway.egret(&["audit", "stats"]).ok();
    assert!(tails(&[]).is_empty(), "both are running");
    killed.kill().unwrap();
    killed.wait().unwrap();
    gateway.egret(&["audit", "stats"]).ok();
    let rows = tails(&[]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].expect(&[("outcome", "unknown"), ("reason", "command_stopped")]);

    let interrupt = Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    assert!(running.wait().unwrap().success());
    let rows = tails(&["--outcome", "success"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(fact(&rows[0], "follow"), "true");
    assert!(fact(&rows[0], "rows").as_str().is_some(), "{rows:?}");
    let left = std::fs::read_dir(gateway.directory().join("data/journal-cli/running"));
    assert_eq!(left.unwrap().count(), 0, "locks of commands that ended");
}

#[test]
fn what_the_ledger_cannot_take_comes_in_later() {
    let (gateway, _sim) = gateway();
    let ledger = gateway.directory().join("data/ledger.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&ledger);
    let mut other = runtime()
        .block_on(sqlx::sqlite::SqliteConnection::connect_with(&options))
        .unwrap();
    let mut sql = |text: &'static str| {
        runtime().block_on(other.execute(text)).unwrap();
    };
    sql("BEGIN IMMEDIATE");
    let ran = gateway.egret(&["audit", "stats", "--format", "json"]);
    assert!(ran.stderr.contains("not yet in the ledger"), "{ran:?}");
    ran.ok();
    sql("ROLLBACK");
    until(
        "the next command, or the gateway, has brought it in",
        || readings(&gateway, &["--operation", "audit.stats"]).len() == 1,
    );
}

#[test]
fn the_gateway_brings_in_what_commands_have_left() {
    let (gateway, _sim) = gateway();
    let (mut tail, _lines) = follow(&gateway);
    tail.kill().unwrap();
    tail.wait().unwrap();
    let (_, config) = gateway.stop();
    let gateway = config.start();
    let rows = readings(&gateway, &["--operation", "audit.tail"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
}

#[test]
fn what_cannot_be_put_on_record_is_not_shown() {
    let (gateway, _sim) = gateway();
    let journal = gateway.directory().join("data/journal-cli");
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::write(&journal, "in the way").unwrap();
    for command in [
        &["audit", "query"][..],
        &["audit", "tail"],
        &["audit", "stats"],
        &["audit", "show", "0"],
        &["capture", "list"],
    ] {
        let ran = gateway.egret(command);
        assert_eq!(ran.stdout, "", "{command:?}");
        let error = ran.failed();
        assert!(
            error.contains("cannot be put on record") && error.contains("journal-cli"),
            "{error}"
        );
    }
}

#[test]
fn a_rebuild_brings_readings_back() {
    let (gateway, _sim) = gateway();
    gateway.egret(&["audit", "stats"]).ok();
    let (_, config) = gateway.stop();
    let rows = |config: &Config| -> Vec<Value> {
        let shown = config.egret(&[
            "audit",
            "query",
            "--format",
            "json",
            "--limit",
            "0",
            "--oldest-first",
        ]);
        let lines = shown.ok();
        let rows = lines.lines().map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row.as_object_mut().unwrap().remove("seq");
            row
        });
        rows.collect()
    };
    let before = rows(&config);
    let said = config.egret(&["audit", "rebuild"]).ok();
    assert!(
        said.starts_with("2 calls and ") && said.contains("Egret's own commands"),
        "{said}"
    );
    let after = rows(&config);
    assert_eq!(after[..before.len()], before[..]);
    let operations: Vec<_> = after[before.len()..]
        .iter()
        .map(|row| row["operation"].as_str().unwrap())
        .collect();
    assert_eq!(operations, ["audit.query", "audit.rebuild"]);
}
