//! A ledger in Postgres behind real gateways: what becomes of it when the server goes away, is
//! restarted in the middle of a batch, or is not there yet.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use egret::sim::Vendor;
use serde_json::Value;

use crate::harness::postgres::{Server, execute, number, try_execute};
use crate::harness::{Client, Config, Gateway, Sim, until};

/// Callers at the same time.
const CLIENTS: usize = 4;

const CALL: &str = "/cybrid/bank/api/trades";

fn gateway(sim: &Sim, url: &str, node: &str) -> Gateway {
    Config::new()
        .cybrid(&sim.url())
        .section(&format!("[ledger]\nurl = \"{url}\""))
        .variable("EGRET_NODE", node)
        .start()
}

/// An empty database on a server of one's own.
fn database(server: &Server) -> String {
    execute(&server.url("postgres"), "CREATE DATABASE ledger");
    server.url("ledger")
}

/// Makes calls from several clients while `during` happens; gives the ids of all answers. Every
/// call must be answered by the bank.
fn under_load(gateway: &Gateway, during: impl FnOnce(&AtomicU64)) -> BTreeSet<String> {
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let ids = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::tcp(gateway.address());
                while !stop.load(Ordering::SeqCst) {
                    let headers = [("Content-Type", "application/json")];
                    let answer = client.call("POST", CALL, &headers, b"{}");
                    assert!(answer.status < 500, "{}", answer.status);
                    ids.lock().unwrap().insert(answer.call_id().to_owned());
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // Also when it panics: the clients would go on for ever.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| during(&answered)));
        stop.store(true, Ordering::SeqCst);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    ids.into_inner().unwrap()
}

/// Waits for so many more answers.
fn answers(answered: &AtomicU64, more: u64) {
    let from = answered.load(Ordering::SeqCst);
    until("more answers", || {
        answered.load(Ordering::SeqCst) >= from + more
    });
}

/// How many calls went to the bank; what commands have put on record is not among them.
const BANK_CALLS: &str = "SELECT count(*) FROM egret.calls WHERE provider IS DISTINCT FROM 'egret'";

/// Each answer has its row, each row its answer.
fn compare(gateway: &Gateway, url: &str, answered: &BTreeSet<String>) {
    let wanted = answered.len() as i64;
    let is_made = "SELECT count(to_regclass('egret.calls'))";
    until("every row is in the ledger", || {
        number(url, is_made) == 1 && number(url, BANK_CALLS) >= wanted
    });
    let rows = gateway.query(&[]);
    let ids: BTreeSet<String> = rows.iter().map(|row| row.text("call_id").into()).collect();
    assert_eq!(ids.len(), rows.len(), "a call has two rows");
    assert_eq!(&ids, answered);
}

#[test]
fn postgres_stopped_for_a_while_delays_and_loses_nothing() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let url = database(&server);
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = gateway(&sim, &url, "node-1");
    let answered = under_load(&gateway, |answered| {
        answers(answered, 50);
        server.stop("INT");
        // Calls go on as if nothing had happened.
        answers(answered, 300);
        until("the feed says so", || {
            gateway.stderr().contains("the ledger cannot be fed")
        });
        server.resume();
        answers(answered, 50);
    });
    compare(&gateway, &url, &answered);
    gateway.wait_for_log("the ledger is being fed again");
    let (ran, _config) = gateway.stop();
    assert!(ran.stderr.contains("every record is in the ledger"));
}

#[test]
fn postgres_restarted_in_the_middle_of_batches_loses_and_doubles_nothing() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let url = database(&server);
    let sim = Sim::start(Vendor::Cybrid);
    let (one, other) = (gateway(&sim, &url, "node-1"), gateway(&sim, &url, "node-2"));
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE application_name = 'egret' AND state <> 'idle'";
    let mut answered = BTreeSet::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            under_load(&other, |_| {
                until("the end of the first load", || stop.load(Ordering::SeqCst));
            })
        });
        answered = under_load(&one, |answered| {
            for round in 0..6 {
                // Whenever a batch is being written it is cut off, for some hundred calls.
                let from = answered.load(Ordering::SeqCst);
                until("more answers", || {
                    let _ = try_execute(&server.url("ledger"), cut);
                    answered.load(Ordering::SeqCst) >= from + 60
                });
                if round % 3 == 2 {
                    // A crash of the server.
                    server.stop("QUIT");
                    answers(answered, 60);
                    server.resume();
                }
            }
        });
        stop.store(true, Ordering::SeqCst);
        answered.extend(second.join().unwrap());
    });
    compare(&one, &url, &answered);
    let nodes = "SELECT count(DISTINCT node) FROM egret.calls \
        WHERE provider IS DISTINCT FROM 'egret'";
    assert_eq!(number(&url, nodes), 2);
    let twice = "SELECT count(*) FROM (SELECT 1 FROM egret.records \
        GROUP BY journal_id, completion_seq HAVING count(*) > 1) AS t";
    assert_eq!(number(&url, twice), 0);
}

#[test]
fn a_gateway_starts_without_its_database_and_catches_up() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let url = database(&server);
    server.stop("INT");
    let sim = Sim::start(Vendor::Cybrid);
    let first = gateway(&sim, &url, "node-1");
    let message = "the gateway starts without its ledger; the journal keeps the records, and the \
                   ledger is tried again";
    let said = first.log(message).unwrap().to_string();
    assert!(said.contains("cannot reach the ledger"), "{said}");
    assert!(said.contains("127.0.0.1"), "{said}");
    let answered: BTreeSet<String> = (0..20)
        .map(|_| first.post(CALL, &[], "{}").call_id().to_owned())
        .collect();
    // A question cannot be answered, and says why.
    let asked = first.egret(&["audit", "query"]);
    assert!(!asked.status.success());
    assert!(asked.stderr.contains("cannot reach"), "{}", asked.stderr);
    server.resume();
    compare(&first, &url, &answered);
    // The next start goes on where this one ended.
    let config = first.kill();
    let second = config.variable("EGRET_NODE", "node-1").start();
    let id = second.post(CALL, &[], "{}").call_id().to_owned();
    let mut answered = answered;
    answered.insert(id);
    compare(&second, &url, &answered);
}

#[test]
fn a_wrong_password_is_said_and_never_shown() {
    let Some(server) = Server::start() else {
        return;
    };
    let url = database(&server);
    execute(
        &url,
        "CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'right-0ne'",
    );
    let with = |password: &str| url.replace("postgres@", &format!("locked{password}@"));
    let sim = Sim::start(Vendor::Cybrid);
    let first = Config::new()
        .cybrid(&sim.url())
        .variable("EGRET_LEDGER_URL", &with(":wr0ng-one"))
        .start();
    let log = first.stderr();
    assert!(log.contains("password authentication failed"), "{log}");
    let id = first.post(CALL, &[], "{}").call_id().to_owned();
    let (ran, config) = first.stop();
    assert!(!ran.stderr.contains("wr0ng"), "{}", ran.stderr);

    // The same journal, with the right password in a file of its own.
    config.file("password", "right-0ne\n");
    let second = config
        .variable("EGRET_LEDGER_URL", &with(""))
        .section("[ledger]\npassword_file = \"password\"")
        .start();
    until("the row is in the ledger", || {
        number(&url, "SELECT count(*) FROM egret.records") == 1
    });
    let uuid = "SELECT count(*) FROM egret.calls WHERE call_uuid = ";
    assert_eq!(number(&url, &format!("{uuid}'{id}'")), 1);
    let (ran, _config) = second.stop();
    assert!(!ran.stderr.contains("right-0ne"), "{}", ran.stderr);
}

#[test]
fn the_ledger_is_asked_and_rebuilt_in_postgres() {
    let Some(server) = Server::start() else {
        return;
    };
    let url = database(&server);
    let sim = Sim::start(Vendor::Cybrid);
    let first = gateway(&sim, &url, "node-1");
    let ids: Vec<String> = (0..5)
        .map(|_| first.post(CALL, &[], "{}").call_id().to_owned())
        .collect();
    let rows = first.rows(5, &["--effect", "money"]);
    assert!(
        first
            .egret(&["audit", "show", &ids[0]])
            .ok()
            .contains("bank.create_trade")
    );
    assert!(first.egret(&["audit", "stats"]).ok().contains('5'));
    assert_eq!(
        first
            .egret(&["audit", "tail", "--banks-only", "--format", "json"])
            .ok()
            .lines()
            .count(),
        5
    );
    let (ran, config) = first.stop();
    assert!(ran.stderr.contains("every record is in the ledger"));

    let refused = config.egret(&["audit", "rebuild"]);
    assert!(refused.stderr.contains("append-only"), "{}", refused.stderr);
    execute(&server.url("postgres"), "CREATE DATABASE other");
    let text = std::fs::read_to_string(config.path()).unwrap();
    std::fs::write(config.path(), text.replace("/ledger\"", "/other\"")).unwrap();
    let run = |arguments: &[&str]| crate::harness::egret_in(config.directory(), arguments).ok();
    assert!(run(&["audit", "rebuild"]).contains("5 calls"));
    let again = run(&[
        "audit",
        "query",
        "--banks-only",
        "--format",
        "json",
        "--oldest-first",
    ]);
    let without = |row: &serde_json::Value| {
        let mut row = row.clone();
        row.as_object_mut().unwrap().remove("seq");
        row
    };
    let again: Vec<_> = again
        .lines()
        .map(|line| without(&serde_json::from_str(line).unwrap()))
        .collect();
    assert_eq!(
        again,
        rows.iter().map(|row| without(&row.0)).collect::<Vec<_>>()
    );
}

/// What a report says but for who made it, when and from what.
fn numbers(report: &str) -> Value {
    let report: Value = serde_json::from_str(report).unwrap();
    serde_json::json!([report["totals"], report["days"], report["tables"]])
}

#[test]
fn reports_and_exports_of_postgres_are_those_of_a_file() {
    let Some(server) = Server::start() else {
        return;
    };
    let url = database(&server);
    let sim = Sim::start(Vendor::Cybrid);
    let first = gateway(&sim, &url, "node-1");
    let body = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                \"client_secret\":\"sim-bank-secret\"}";
    let minted = first.post("/cybrid/identity/oauth/token", &[], body);
    let bearer = format!("Bearer {}", minted.json()["access_token"].as_str().unwrap());
    let headers = [("Authorization", &*bearer)];
    let individual = "{\"type\":\"individual\"}";
    first.post("/cybrid/bank/api/customers", &headers, individual);
    first.get("/cybrid/bank/api/trades?page=0", &headers);
    first.post(CALL, &headers, "{}");
    first.post(CALL, &[], "{}");
    first.get("/nowhere", &[]);
    first.rows(6, &[]);
    let health = first.egret(&["audit", "stats", "--banks-only"]).ok();
    assert!(health.contains("bank.create_trade"), "{health}");
    let (_, config) = first.stop();
    let ask = |what: &[&str]| {
        let common = ["--banks-only", "--from", "1h", "--format"];
        let arguments = [&["audit"], what, &common].concat();
        let of = |format| [&arguments[..], &[format]].concat();
        let egret = |format| crate::harness::egret_in(config.directory(), &of(format)).ok();
        egret(if what[0] == "report" { "json" } else { "jsonl" })
    };
    let everything = || -> Vec<Value> {
        let kinds = ["pii-access", "token-use", "failed-auth", "money"];
        let reports = kinds.map(|kind| numbers(&ask(&["report", kind])));
        let exported = ask(&["export"]);
        let exported = exported.lines().map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row.as_object_mut().unwrap().remove("seq");
            row
        });
        reports.into_iter().chain(exported).collect()
    };
    let of_postgres = everything();
    assert_eq!(of_postgres.len(), 4 + 6);
    let text = std::fs::read_to_string(config.path()).unwrap();
    let other = text.replace(&format!("url = \"{url}\""), "path = \"data/other.db\"");
    assert_ne!(text, other);
    std::fs::write(config.path(), other).unwrap();
    crate::harness::egret_in(config.directory(), &["audit", "rebuild"]).ok();
    assert_eq!(everything(), of_postgres);
}
