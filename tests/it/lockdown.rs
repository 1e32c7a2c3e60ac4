//! What an operator locks down is refused within a second, on every node, over restarts, until it
//! is lifted, and all of that is on record.

use std::process::Command;

use egret::sim::Vendor;
use serde_json::Value;

use crate::harness::postgres::{Server, execute, try_execute};
use crate::harness::{Answer, Bank, Config, Gateway, Sim, reply, until};

const TRADES: &str = "/cybrid/bank/api/trades";
const BANKS: &str = "/cybrid/bank/api/banks";

fn start() -> (Gateway, Bank) {
    let bank = Bank::answering(reply(200, "{}"));
    (Config::new().cybrid(&bank.url()).start(), bank)
}

/// The filter for what commands have put on record.
fn own(operation: &str) -> [&str; 4] {
    ["--provider", "egret", "--operation", operation]
}

fn bearer(gateway: &Gateway, target: &str, token: &str) -> Answer {
    let token = format!("Bearer {token}");
    gateway.get(target, &[("Authorization", &token)])
}

/// The id of a lock, from what the command said.
fn lock(gateway: &Gateway, arguments: &[&str]) -> String {
    let reason = ["--reason", "drill"];
    let said = gateway
        .egret(&[&["lockdown"], arguments, &reason].concat())
        .ok();
    let id = said.split("egret lockdown lift ").nth(1);
    id.and_then(|rest| rest.split(' ').next())
        .expect(&said)
        .to_owned()
}

fn lift(gateway: &Gateway, id: &str) {
    gateway
        .egret(&["lockdown", "lift", id, "--reason", "over"])
        .ok();
}

fn until_status(gateway: &Gateway, target: &str, status: u16) -> Answer {
    let mut last = None;
    until(&format!("{target} answers {status}"), || {
        let answer = gateway.get(target, &[]);
        let is_it = answer.status == status;
        last = Some(answer);
        is_it
    });
    last.unwrap()
}

#[test]
fn a_locked_operation_is_refused_and_recorded_until_it_is_lifted() {
    let (gateway, bank) = start();
    assert_eq!(gateway.get(TRADES, &[]).status, 200);
    let id = lock(&gateway, &["operation", "bank.list_trades"]);
    let refused = until_status(&gateway, TRADES, 403);
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(body["type"], "urn:egret:problem:locked_down");
    let row = gateway.row_of(&refused);
    row.expect(&[
        ("decision", "denied"),
        ("reason", "locked_down"),
        ("outcome", "failure"),
    ]);
    assert_eq!(row.field("facts")["lock"], id);
    let sent = bank.received().len();
    assert_eq!(gateway.get(TRADES, &[]).status, 403);
    assert_eq!(bank.received().len(), sent, "the bank saw a locked call");
    assert_eq!(gateway.get(BANKS, &[]).status, 200, "another operation");
    assert_eq!(gateway.figure("egret_locks"), 1.0);

    let listed = gateway.egret(&["lockdown", "list"]).ok();
    assert!(
        listed.contains(&id) && listed.contains("operation:cybrid/bank.list_trades"),
        "{listed}"
    );
    lift(&gateway, &id);
    until_status(&gateway, TRADES, 200);
    let listed = gateway.egret(&["lockdown", "list"]).ok();
    assert_eq!(listed, "nothing is locked down\n");
    let error = gateway
        .egret(&["lockdown", "lift", &id, "--reason", "over"])
        .failed();
    assert!(error.contains("egret lockdown list"), "{error}");

    let placed = gateway.row(&own("lockdown.place"));
    placed.expect(&[
        ("call_id", &id),
        ("provider", "egret"),
        ("effect", "access-change"),
        ("outcome", "success"),
    ]);
    let facts = placed.field("facts");
    assert_eq!(facts["target"], "operation:cybrid/bank.list_trades");
    assert_eq!(facts["reason"], "drill");
    let lifts = gateway.query(&own("lockdown.lift"));
    let outcomes: Vec<&str> = lifts.iter().map(|row| row.text("outcome")).collect();
    assert_eq!(outcomes, ["success", "failure"]);
}

#[test]
fn callers_and_tokens_are_locked_by_themselves() {
    let (gateway, _bank) = start();
    let one = bearer(&gateway, BANKS, "one-opaque-token");
    let fingerprint = gateway.row_of(&one).text("token_fingerprint").to_owned();
    let id = lock(&gateway, &["token", &fingerprint]);
    until("the token is refused", || {
        bearer(&gateway, BANKS, "one-opaque-token").status == 403
    });
    assert_eq!(bearer(&gateway, BANKS, "other-opaque-token").status, 200);
    lift(&gateway, &id);
    until("the token is good again", || {
        bearer(&gateway, BANKS, "one-opaque-token").status == 200
    });
    lock(&gateway, &["caller", "somebody-else"]);
    let name = gateway.row_of(&one).text("caller").to_owned();
    lock(&gateway, &["caller", &name]);
    until_status(&gateway, BANKS, 403);
}

#[test]
fn a_lock_ends_by_itself_and_a_restart_does_not_end_it() {
    let (gateway, _bank) = start();
    lock(&gateway, &["provider", "cybrid", "--for", "1s"]);
    until_status(&gateway, BANKS, 200);
    let id = lock(&gateway, &["all"]);
    until_status(&gateway, BANKS, 403);
    let (_, config) = gateway.stop();
    let gateway = config.start();
    assert_eq!(
        gateway.get(BANKS, &[]).status,
        403,
        "from the first call on"
    );
    lift(&gateway, &id);
    until_status(&gateway, BANKS, 200);
}

#[test]
fn a_signal_and_a_file_lock_everything_where_no_command_can_be_run() {
    let (gateway, _bank) = start();
    assert_eq!(gateway.get(BANKS, &[]).status, 200);
    let sent = Command::new("kill")
        .args(["-USR1", &gateway.pid().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let refused = until_status(&gateway, BANKS, 403);
    assert_eq!(gateway.row_of(&refused).field("facts")["lock"], "sentinel");
    let sentinel = gateway.directory().join("data/LOCKDOWN");
    assert!(sentinel.exists());
    let listed = gateway.egret(&["lockdown", "list"]).ok();
    assert!(listed.contains("LOCKDOWN"), "{listed}");
    let by_sentinel = |operation: &'static str| {
        let gateway = &gateway;
        move || {
            let rows = gateway.query(&own(operation));
            rows.iter()
                .any(|row| row.field("facts")["by"] == "sentinel")
        }
    };
    until("the lock is on record", by_sentinel("lockdown.place"));
    std::fs::remove_file(&sentinel).unwrap();
    until_status(&gateway, BANKS, 200);
    until("its end is on record", by_sentinel("lockdown.lift"));
    std::fs::write(&sentinel, "").unwrap();
    until_status(&gateway, BANKS, 403);
}

#[test]
fn mistakes_get_an_answer_that_helps_and_lock_nothing() {
    let (gateway, _bank) = start();
    for (arguments, part) in [
        (
            ["operation", "bank.list_trade"],
            "did you mean \"bank.list_trades\"?",
        ),
        (["provider", "cybird"], "these are: cybrid"),
        (["token", "eyJhbGciOiJSUzI1NiJ9"], "token_fingerprint"),
        (["caller", "a b"], "name of a caller"),
    ] {
        let error = gateway
            .egret(&[&["lockdown"], &arguments[..], &["--reason", "drill"]].concat())
            .failed();
        assert!(error.contains(part), "{error}");
    }
    let error = gateway.egret(&["lockdown", "all"]).failed();
    assert!(error.contains("--reason"), "{error}");
    assert_eq!(gateway.get(BANKS, &[]).status, 200);
    // A file that cannot be read must not unlock anything, nor start a gateway that knows no locks.
    let id = lock(&gateway, &["all"]);
    until_status(&gateway, BANKS, 403);
    let file = gateway.directory().join("data/lockdown.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    assert!(good.contains(&id), "{good}");
    std::fs::write(&file, "lock = 3").unwrap();
    gateway.wait_for_log(
        "the lockdown file has changed and cannot be used; what was locked stays locked",
    );
    assert_eq!(gateway.get(BANKS, &[]).status, 403);
    let (_, config) = gateway.stop();
    let Err(ran) = config.try_start() else {
        panic!("it started without knowing what is locked");
    };
    assert!(ran.stderr.contains("lockdown.toml:1:"), "{}", ran.stderr);
}

#[test]
fn what_a_person_writes_as_the_reason_is_kept_without_secrets() {
    let (gateway, _bank) = start();
    let secret = "4111111111111111";
    let reason = format!("card {secret} was seen in a log");
    gateway
        .egret(&["lockdown", "caller", "x", "--reason", &reason])
        .ok();
    let file = std::fs::read_to_string(gateway.directory().join("data/lockdown.toml")).unwrap();
    assert!(
        file.contains("was seen in a log") && !file.contains(secret),
        "{file}"
    );
    let row = gateway.row(&own("lockdown.place"));
    let said = row.field("facts")["reason"].as_str().unwrap();
    assert!(
        said.contains("[redacted:") && !said.contains(secret),
        "{said}"
    );
}

#[test]
fn a_reason_that_grows_by_its_masks_still_locks() {
    let (gateway, _bank) = start();
    // As long as may be typed; masked it is longer.
    let reason = "a1@b.io ".repeat(25);
    gateway
        .egret(&["lockdown", "all", "--reason", reason.trim()])
        .ok();
    until_status(&gateway, BANKS, 403);
    let (_, config) = gateway.stop();
    assert_eq!(config.start().get(BANKS, &[]).status, 403);
}

#[test]
fn a_fleet_is_locked_through_its_ledger_also_when_that_is_away() {
    let Some(mut server) = Server::start() else {
        return;
    };
    execute(&server.url("postgres"), "CREATE DATABASE ledger");
    let url = server.url("ledger");
    let sim = Sim::start(Vendor::Cybrid);
    let node = |name: &str| {
        Config::new()
            .cybrid(&sim.url())
            .section(&format!("[ledger]\nurl = \"{url}\""))
            .variable("EGRET_NODE", name)
            .start()
    };
    let (one, other) = (node("node-1"), node("node-2"));
    let is_locked = |gateway: &Gateway| gateway.get(BANKS, &[]).status == 403;
    assert!(!is_locked(&one) && !is_locked(&other));
    let id = lock(&one, &["all"]);
    until("both are locked", || is_locked(&one) && is_locked(&other));
    let listed = other.egret(&["lockdown", "list"]).ok();
    assert!(
        listed.contains(&id) && listed.contains("on this fleet"),
        "{listed}"
    );

    // Nobody unlocks by taking the database away, nor by a restart without it.
    server.stop("INT");
    other.wait_for_log(
        "the locks of the fleet cannot be read; those that were seen last stay in force",
    );
    assert!(is_locked(&other));
    let (_, config) = other.stop();
    let other = config.start();
    assert!(is_locked(&other), "a start without the ledger");
    let error = one
        .egret(&["lockdown", "lift", &id, "--reason", "over"])
        .failed();
    assert!(error.contains("cannot be reached"), "{error}");
    let here = lock(&other, &["caller", "x", "--here"]);
    server.resume();
    until("the lock is lifted", || {
        one.egret(&["lockdown", "lift", &id, "--reason", "over"])
            .status
            .success()
    });
    until("both go on", || !is_locked(&one) && !is_locked(&other));
    lift(&other, &here);
    // A lock is only ever added to.
    assert!(try_execute(&url, "DELETE FROM egret.lifts").is_err());
    assert!(try_execute(&url, "UPDATE egret.locks SET until = 0").is_err());
}
