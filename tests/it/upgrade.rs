//! A new process takes the place of the gateway, and no call notices.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::{Bank, Client, Config, Gateway, H2, Line, eventually, reply, until};

const BANKS: &str = "/cybrid/bank/api/banks";
const TRADES: &str = "/cybrid/bank/api/trades";
const SLOW: &str = "/cybrid/bank/api/accounts";

/// A bank whose list of accounts takes some seconds; trades take until they may end.
fn bank(trades: &'static AtomicBool) -> Bank {
    Bank::start(move |line: &mut Line<'_>| {
        while let Some(request) = line.request() {
            if request.line().contains("/accounts") {
                std::thread::sleep(Duration::from_secs(3));
            }
            if request.line().contains("/trades") {
                until("the trade may end", || trades.load(Ordering::SeqCst));
                line.send(reply(201, "{}"));
            } else {
                line.send(reply(200, "{}"));
            }
        }
    })
}

/// Callers that call again and again, and the calls that were answered.
struct Load<'g> {
    gateway: &'g Gateway,
    over: AtomicBool,
    answered: Mutex<BTreeSet<String>>,
}

impl<'g> Load<'g> {
    fn on(gateway: &'g Gateway) -> Self {
        Self {
            gateway,
            over: AtomicBool::new(false),
            answered: Mutex::default(),
        }
    }

    fn note(&self, status: u16, wanted: u16, call: &str) {
        assert_eq!(status, wanted, "{call}");
        let is_new = self.answered.lock().unwrap().insert(call.to_owned());
        assert!(is_new, "{call} twice");
    }

    fn count(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    /// One connection for as long as the gateway keeps it.
    fn keep_alive(&self) {
        let mut client = Client::tcp(self.gateway.address());
        while self.goes_on() {
            let answer = client.call("GET", BANKS, &[], b"");
            self.note(answer.status, 200, answer.call_id());
            if answer.header("Connection") == Some("close") {
                client = Client::tcp(self.gateway.address());
            }
        }
    }

    /// A connection for each call.
    fn fresh(&self) {
        while self.goes_on() {
            let answer = Client::tcp(self.gateway.address()).call("GET", BANKS, &[], b"");
            self.note(answer.status, 200, answer.call_id());
        }
    }

    fn h2(&self) {
        let mut client = H2::plain(self.gateway.address());
        while self.goes_on() {
            match client.try_call("GET", BANKS) {
                Some(answer) => self.note(answer.status, 200, answer.call_id()),
                None => client = H2::plain(self.gateway.address()),
            }
        }
    }

    /// A call that is in flight whenever something happens.
    fn slow(&self) {
        while self.goes_on() {
            let answer = Client::tcp(self.gateway.address()).call("GET", SLOW, &[], b"");
            self.note(answer.status, 200, answer.call_id());
        }
    }

    /// Writes that somebody waits for.
    fn trade(&self) {
        let answer = Client::tcp(self.gateway.address()).call("POST", TRADES, &[], b"{}");
        self.note(answer.status, 201, answer.call_id());
    }

    /// Waits until calls are answered that came after this.
    fn goes_well(&self, calls: usize) {
        let before = self.count();
        until("calls are answered", || self.count() >= before + calls);
    }
}

fn config(bank: &Bank) -> Config {
    Config::new()
        .cybrid(&bank.url())
        .section("[timeouts]\nidle = \"2s\"\ndrain = \"20s\"")
}

#[test]
fn two_upgrades_under_load_fail_no_call_and_leave_a_ledger_that_verifies() {
    static TRADES_MAY_END: AtomicBool = AtomicBool::new(false);
    let bank = bank(&TRADES_MAY_END);
    let mut gateway = config(&bank).start();
    let answered = {
        let load = Load::on(&gateway);
        std::thread::scope(|scope| {
            // What a panic of the load must not leave running.
            let end = EndOnDrop(&load.over);
            for _ in 0..3 {
                scope.spawn(|| load.keep_alive());
            }
            scope.spawn(|| load.fresh());
            scope.spawn(|| load.fresh());
            scope.spawn(|| load.h2());
            scope.spawn(|| load.h2());
            scope.spawn(|| load.slow());
            scope.spawn(|| load.trade());
            until("the trade is at the bank", || {
                bank.received()
                    .iter()
                    .any(|request| request.line().contains("/trades"))
            });
            load.goes_well(100);
            let said = gateway.egret(&["upgrade"]).ok();
            assert!(said.contains("has taken over"), "{said}");
            load.goes_well(100);
            TRADES_MAY_END.store(true, Ordering::SeqCst);
            // The first process ends when its connections have; only then another may follow.
            gateway.wait_for_log("stopped; the process that has taken over has every record");
            load.goes_well(100);
            gateway.signal("USR2");
            until("the second upgrade", || {
                gateway.logs("another process has taken over").len() == 2
            });
            load.goes_well(100);
            drop(end);
        });
        load.answered.into_inner().unwrap()
    };
    assert!(gateway.first_has_ended());
    until("the second process ends", || {
        gateway
            .logs("stopped; the process that has taken over has every record")
            .len()
            == 2
    });
    let rows = gateway.rows(answered.len(), &[]);
    let recorded: BTreeSet<String> = rows
        .iter()
        .map(|row| row.text("call_id").to_owned())
        .collect();
    assert_eq!(recorded, answered);
    assert!(rows.iter().all(|row| row.text("outcome") == "success"));
    let upgrades = gateway.query(&["--provider", "egret", "--operation", "gateway.upgrade"]);
    assert_eq!(upgrades.len(), 2);
    gateway.terminate();
    let ran = gateway.wait();
    assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
    for bad in ["\"level\":\"ERROR\"", "cut off"] {
        assert!(!ran.stderr.contains(bad), "{}", ran.stderr);
    }
    let verified = gateway.egret(&["audit", "verify"]).ok();
    let wanted = "nothing was changed, removed, inserted or moved";
    assert!(verified.contains(wanted), "{verified}");
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn what_does_not_start_leaves_the_gateway_as_it_was() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = config(&bank).start();
    let directory = gateway.directory().to_owned();
    let mut kept = Client::tcp(gateway.address());
    assert_eq!(kept.call("GET", BANKS, &[], b"").status, 200);
    let program = |name: &str, script: &str| {
        let path = directory.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let crashes = program("crashes", "exit 7");
    let babbles = program("babbles", "printf 'hello, this is another protocol' >&0");
    let error = gateway.egret(&["upgrade", "--binary", &crashes]).failed();
    assert!(error.contains("the other process has gone"), "{error}");
    let error = gateway.egret(&["upgrade", "--binary", &babbles]).failed();
    assert!(error.contains("no upgrade"), "{error}");
    let error = gateway
        .egret(&["upgrade", "--binary", "/bin/there-is-none"])
        .failed();
    assert!(error.contains("cannot find"), "{error}");

    // One that gets as far as its journal and fails then: the signing key is not its own.
    let key = directory.join("data/evidence.key");
    let key = if key.exists() {
        key
    } else {
        eventually("a signing key", || {
            std::fs::read_dir(directory.join("data"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.to_string_lossy().contains("sign"))
        })
    };
    let original = std::fs::read(&key).unwrap();
    std::fs::write(&key, b"not a key").unwrap();
    let error = gateway.egret(&["upgrade"]).failed();
    assert!(error.contains("no upgrade"), "{error}");
    std::fs::write(&key, original).unwrap();

    // Nothing was lost by all that, not even a connection.
    let answer = kept.call("GET", BANKS, &[], b"");
    assert_eq!(answer.status, 200);
    gateway.row_of(&answer);
    assert_eq!(gateway.admin_get("/readyz").status, 200);
    let (ran, config) = gateway.stop();
    assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
    config.egret(&["audit", "verify"]).ok();
}

#[test]
fn a_new_process_that_dies_gives_everything_back() {
    static NEVER: AtomicBool = AtomicBool::new(true);
    let bank = bank(&NEVER);
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section("[timeouts]\nidle = \"1m\"")
        .start();
    let mut kept = Client::tcp(gateway.address());
    assert_eq!(kept.call("GET", BANKS, &[], b"").status, 200);
    let old = gateway.pid();
    gateway.egret(&["upgrade"]).ok();
    let new = gateway.pid();
    assert_ne!(old, new);
    let by_new = gateway.get(BANKS, &[]);
    assert_eq!(by_new.status, 200);
    gateway.row_of(&by_new);
    gateway.signal("KILL");
    gateway.wait_for_log("the process that had taken over is gone: this one serves again");
    let by_old = gateway.get(BANKS, &[]);
    assert_eq!(by_old.status, 200);
    let kept = kept.call("GET", BANKS, &[], b"");
    assert_eq!(kept.status, 200);
    for answer in [&by_old, &kept] {
        gateway.row_of(answer);
    }
    assert_eq!(gateway.admin_get("/readyz").status, 200);
    let stopped = std::process::Command::new("kill")
        .args(["-TERM", &old.to_string()])
        .status();
    assert!(stopped.unwrap().success());
    let mut gateway = gateway;
    let ran = gateway.wait();
    assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
    gateway.egret(&["audit", "verify"]).ok();
}

#[test]
fn without_a_gateway_there_is_nothing_to_upgrade() {
    let config = Config::new().cybrid("http://127.0.0.1:1");
    let error = config.egret(&["upgrade"]).failed();
    assert!(error.contains("is it running"), "{error}");
}
