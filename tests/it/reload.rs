//! Another configuration while calls go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::{
    Authority, Bank, Client, Config, Gateway, Row, client_tls, keep, reply, until,
};

const TRADES: &str = "/cybrid/bank/api/trades";
const RELOADED: &str = "the configuration was reloaded";
const REFUSED: &str = "the configuration was not reloaded; the gateway goes on with the one before";

/// Files are not followed, so that each reload is one that the test asks for.
const BY_HAND: &str = "[reload]\non_change = false";

fn bank() -> Bank {
    Bank::start(|line| keep(line, &reply(200, "{}")))
}

/// Changes the text of the configuration.
fn edit(gateway: &Gateway, from: &str, to: &str) {
    let path = gateway.directory().join("egret.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "no {from} in\n{text}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

fn hang_up(gateway: &Gateway) {
    let sent = std::process::Command::new("kill")
        .args(["-HUP", &gateway.pid().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// The records of reloads, oldest first.
fn records(gateway: &Gateway, count: usize) -> Vec<Row> {
    gateway.rows(
        count,
        &["--provider", "egret", "--operation", "config.reload"],
    )
}

fn facts(row: &Row) -> String {
    row.field("facts").to_string()
}

#[test]
fn no_call_fails_while_the_configuration_is_reloaded() {
    let (first, second) = (bank(), bank());
    let gateway = Config::new().cybrid(&first.url()).section(BY_HAND).start();
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            let address = gateway.address().to_owned();
            std::thread::spawn(move || {
                // One connection for all calls: each takes the configuration of its own time.
                let mut client = Client::tcp(&address);
                while !stop.load(Ordering::SeqCst) {
                    let answer = client.call("GET", TRADES, &[], b"");
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    done.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let (mut here, mut there) = (first.url(), second.url());
    for round in 1..=10 {
        let before = done.load(Ordering::SeqCst);
        until("calls go on", || done.load(Ordering::SeqCst) > before + 50);
        let path = gateway.directory().join("egret.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(&here, &there)).unwrap();
        let said = gateway.egret(&["config", "reload"]).ok();
        assert!(
            said.contains("providers.cybrid.services.bank.sandbox.url"),
            "{said}"
        );
        std::mem::swap(&mut here, &mut there);
        until("the log says so", || gateway.logs(RELOADED).len() == round);
    }
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.join().unwrap();
    }
    assert!(!first.received().is_empty() && !second.received().is_empty());
    assert_eq!(gateway.figure("egret_config_reloads_total"), 10.0);
    for row in records(&gateway, 10) {
        row.expect(&[("outcome", "success"), ("provider", "egret")]);
    }
    let verified = gateway.egret(&["audit", "verify"]).ok();
    assert!(!verified.is_empty());
}

#[test]
fn a_signal_reloads_and_what_needs_a_start_is_said() {
    let bank = bank();
    let gateway = Config::new().cybrid(&bank.url()).section(BY_HAND).start();
    assert_eq!(gateway.get("/cybrid/bank/nowhere", &[]).status, 200);
    edit(&gateway, "workers = 2", "workers = 3");
    edit(
        &gateway,
        "[providers.cybrid]\n",
        "[providers.cybrid]\nunknown_operations = \"deny\"\n",
    );
    hang_up(&gateway);
    gateway.wait_for_log(RELOADED);
    assert_eq!(gateway.get("/cybrid/bank/nowhere", &[]).status, 403);
    let said = gateway
        .log("this cannot be reloaded and is as it was; start the gateway anew for it")
        .unwrap();
    assert_eq!(said["key"], "workers");
    let row = records(&gateway, 1).remove(0);
    row.expect(&[("effect", "access-change"), ("outcome", "success")]);
    let facts = facts(&row);
    for part in [
        "providers.cybrid.unknown_operations: \\\"forward\\\" -> \\\"deny\\\"",
        "workers: 2 -> 3",
        "needs_start",
        "signal",
        "hash_before",
    ] {
        assert!(facts.contains(part), "{part} in {facts}");
    }

    // Asked, it says the same of what is still not taken, and its exit code does.
    let ran = gateway.egret(&["config", "reload"]);
    assert_eq!(ran.status.code(), Some(3), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout, "needs a start: workers: 2 -> 3\n");
    edit(&gateway, "workers = 3", "workers = 2");
    let said = gateway.egret(&["config", "reload"]).ok();
    assert!(!said.contains("needs a start"), "{said}");
    assert_eq!(
        gateway.egret(&["config", "reload"]).ok(),
        "nothing has changed\n"
    );
}

#[test]
fn a_configuration_with_faults_changes_nothing() {
    let bank = bank();
    let gateway = Config::new().cybrid(&bank.url()).section(BY_HAND).start();
    edit(&gateway, "[log]", "[lgo]\nfilter = \"info\"\n[log]");
    edit(&gateway, "node = ", "nod = ");
    let said = gateway.egret(&["config", "reload"]).failed();
    assert!(said.contains("unknown key"), "{said}");
    hang_up(&gateway);
    gateway.wait_for_log(REFUSED);
    let faults = gateway.logs("a fault of the configuration");
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults[0]["fault"]
            .as_str()
            .unwrap()
            .contains("egret.toml:1:1")
    );
    assert_eq!(gateway.get(TRADES, &[]).status, 200);
    assert_eq!(gateway.figure("egret_config_reloads_refused_total"), 1.0);
    assert_eq!(gateway.figure("egret_config_stale"), 1.0);
    edit(&gateway, "nod = ", "node = ");
    edit(&gateway, "[lgo]\nfilter = \"info\"\n[log]", "[log]");
    let row = records(&gateway, 1).remove(0);
    row.expect(&[("outcome", "failure"), ("reason", "config_faults")]);
    assert_eq!(
        gateway.egret(&["config", "reload"]).ok(),
        "nothing has changed\n"
    );
    assert_eq!(gateway.figure("egret_config_stale"), 0.0);
}

#[test]
fn files_are_followed_and_a_removed_provider_is_a_clean_problem() {
    let bank = bank();
    let config = Config::new()
        .section("")
        .provider("cybrid", "", &[("bank", &bank.url())]);
    std::fs::create_dir(config.directory().join("conf.d")).unwrap();
    let obp = format!(
        "[providers.obp.services.api]\nsandbox = \"{}\"\n",
        bank.url()
    );
    config.file("conf.d/obp.toml", &obp);
    let gateway = config.section("").start();
    edit(
        &gateway,
        "node = ",
        "include = [\"conf.d/*.toml\"]\nnode = ",
    );
    until("the file is taken in", || gateway.logs(RELOADED).len() == 1);
    assert_eq!(gateway.get("/obp/api/obp/v5.1.0/banks", &[]).status, 200);

    // Not whole yet: not taken, and said once.
    let included = gateway.directory().join("conf.d/obp.toml");
    std::fs::write(&included, "[providers.obp.services").unwrap();
    gateway.wait_for_log(REFUSED);
    let fault = gateway.log("a fault of the configuration").unwrap();
    assert!(
        fault["fault"]
            .as_str()
            .unwrap()
            .contains("conf.d/obp.toml:1"),
        "{fault}"
    );
    assert_eq!(gateway.get("/obp/api/obp/v5.1.0/banks", &[]).status, 200);

    std::fs::remove_file(&included).unwrap();
    until("the file is gone", || gateway.logs(RELOADED).len() == 2);
    let answer = gateway.get("/obp/api/obp/v5.1.0/banks", &[]);
    assert_eq!(
        (answer.status, &*answer.problem()),
        (404, "no_such_provider")
    );
    assert_eq!(gateway.logs(REFUSED).len(), 1);
    let rows = records(&gateway, 3);
    assert!(
        facts(&rows[2]).contains("providers.obp: present -> (absent)"),
        "{}",
        facts(&rows[2])
    );
}

#[test]
fn certificates_are_changed_under_open_connections() {
    let bank = bank();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let config = Config::new()
        .listener(
            "address = \"127.0.0.1:0\"\ntls = { certificate = \"egret.pem\", key = \"egret.key\" }",
        )
        .cybrid(&bank.url());
    old.issue("egret", &["localhost"])
        .write(config.directory(), "egret");
    let gateway = config.start();
    let mut before = Client::tls(gateway.address(), "localhost", client_tls(&old, None, &[]));
    assert_eq!(before.call("GET", TRADES, &[], b"").status, 200);

    new.issue("egret", &["localhost"])
        .write(gateway.directory(), "egret");
    until("the certificate is taken", || {
        gateway.logs(RELOADED).len() == 1
    });
    assert_eq!(before.call("GET", TRADES, &[], b"").status, 200);
    let mut after = Client::tls(gateway.address(), "localhost", client_tls(&new, None, &[]));
    assert_eq!(after.call("GET", TRADES, &[], b"").status, 200);
    assert!(facts(&records(&gateway, 1)[0]).contains("egret.pem"));

    // A key that does not belong to the certificate is refused, and the listener goes on.
    old.issue("egret", &["localhost"])
        .write(gateway.directory(), "other");
    std::fs::copy(
        gateway.directory().join("other.key"),
        gateway.directory().join("egret.key"),
    )
    .unwrap();
    gateway.wait_for_log(REFUSED);
    let mut still = Client::tls(gateway.address(), "localhost", client_tls(&new, None, &[]));
    assert_eq!(still.call("GET", TRADES, &[], b"").status, 200);
}

#[test]
fn a_call_ends_under_the_configuration_that_it_began_under() {
    let go = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&go);
    let slow = Bank::start(move |line| {
        line.request();
        until("the bank may answer", || gate.load(Ordering::SeqCst));
        line.send(reply(404, "{\"error_code\":\"x\"}"));
    });
    let gateway = Config::new().cybrid(&slow.url()).section(BY_HAND).start();
    let refused = gateway.row_of(&gateway.get("/nowhere", &[]));
    let mut client = Client::tcp(gateway.address());
    client.request("GET", TRADES, &[], b"").unwrap();
    until("the bank has the request", || !slow.received().is_empty());
    edit(
        &gateway,
        "[providers.cybrid]\n",
        "[providers.cybrid]\nerror_bodies = \"map\"\n",
    );
    gateway.egret(&["config", "reload"]).ok();
    go.store(true, Ordering::SeqCst);
    let answer = client.answer("GET").unwrap();
    assert_eq!(answer.text(), "{\"error_code\":\"x\"}");
    gateway
        .row_of(&answer)
        .expect(&[("config_hash", refused.text("config_hash"))]);
    let answer = gateway.get(TRADES, &[]);
    assert!(answer.text().contains("\"type\""), "{}", answer.text());
}

#[test]
fn an_open_breaker_stays_open() {
    let bank = Bank::start(|line| keep(line, &reply(500, "{}")));
    let breaker = "[breaker]\nconsecutive = 2\npause = \"30s\"\n[retries]\nattempts = 1";
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(BY_HAND)
        .section(breaker)
        .start();
    for _ in 0..2 {
        assert_eq!(gateway.get(TRADES, &[]).status, 500);
    }
    assert_eq!(gateway.get(TRADES, &[]).problem(), "breaker_open");
    edit(&gateway, "consecutive = 2", "consecutive = 50");
    gateway.egret(&["config", "reload"]).ok();
    assert_eq!(gateway.get(TRADES, &[]).problem(), "breaker_open");
    assert_eq!(bank.received().len(), 2);
}

#[test]
fn what_is_used_of_a_limit_stays_used() {
    let bank = Bank::start(|line| keep(line, &reply(200, "{}")));
    let budget = "[providers.cybrid.budgets.general]\nlimit = 10\nwindow = \"1h\"\n\
                  [limits.patience]\nread = \"0s\"";
    let gateway = Config::new()
        .within_limits()
        .cybrid(&bank.url())
        .section(BY_HAND)
        .section(budget)
        .start();
    for _ in 0..2 {
        assert_eq!(gateway.get(TRADES, &[]).status, 200);
    }
    edit(&gateway, "limit = 10", "limit = 8");
    gateway.egret(&["config", "reload"]).ok();
    assert_eq!(
        gateway.figure("egret_budget_remaining{budget=\"cybrid.general\"}"),
        6.0
    );
    edit(&gateway, "limit = 8", "limit = 2");
    gateway.egret(&["config", "reload"]).ok();
    let answer = gateway.get(TRADES, &[]);
    assert_eq!(answer.status, 429, "{}", answer.text());
}

#[test]
fn no_secret_is_in_a_diff_a_record_or_a_log_line() {
    const CANARY: &str = "hunter2canary";
    let bank = bank();
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(BY_HAND)
        .section("[[alerts.channel]]\nname = \"soc\"\nkind = \"webhook\"\nurl = \"https://soc.example/first\"\nsecret_file = \"soc.key\"")
        .private_file("soc.key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
        .start();
    edit(
        &gateway,
        "soc.example/first",
        &format!("soc.example/{CANARY}"),
    );
    let said = gateway.egret(&["config", "reload"]).ok();
    assert!(said.contains("alerts.channel[soc].url"), "{said}");
    let shown = gateway.egret(&["config", "show"]).ok();
    let json = gateway.egret(&["config", "show", "--format", "json"]).ok();
    let row = records(&gateway, 1).remove(0);
    for text in [&said, &shown, &json, &format!("{row:?}"), &gateway.stderr()] {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(shown.contains("https://soc.example/(not shown)"), "{shown}");
}

#[test]
fn the_log_and_its_rules_follow() {
    let bank = bank();
    let gateway = Config::new().cybrid(&bank.url()).section(BY_HAND).start();
    edit(&gateway, "filter = \"info\"", "filter = \"warn\"");
    gateway.egret(&["config", "reload"]).ok();
    let said = gateway.logs(RELOADED).len();
    edit(&gateway, "workers = 2", "workers = 3");
    assert_eq!(gateway.egret(&["config", "reload"]).status.code(), Some(3));
    let still = "this cannot be reloaded and is as it was; start the gateway anew for it";
    gateway.wait_for_log(still);
    assert_eq!(gateway.logs(RELOADED).len(), said);
    edit(&gateway, "filter = \"warn\"", "filter = \"info\"");
    gateway.egret(&["config", "reload"]);
    until("the log says more", || gateway.logs(RELOADED).len() > said);
}
