//! The ledger is locked, away, or another than before, under load.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use egret::sim::Vendor;
use sqlx::{Connection, Executor};

use super::{MONEY, PERSONAL_READ, is_ready, is_red};
use crate::harness::{Client, Config, Gateway, Sim, runtime, until};

/// Callers at the same time.
const CLIENTS: usize = 4;

/// The ledger in a directory of its own, that can be moved away as a whole.
fn config(sim: &Sim) -> Config {
    Config::new()
        .cybrid(&sim.url())
        .admin("address = \"127.0.0.1:0\"\nmax_ledger_lag = \"1s\"")
        .section("[ledger]\npath = \"data/ledger/ledger.db\"")
}

/// Calls without a pause until `stop`; gives the ids of all answers. Every call must be answered,
/// and by the bank.
fn load(gateway: &Gateway, stop: &AtomicBool) -> Vec<String> {
    let mut client = Client::tcp(gateway.address());
    let mut ids = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        for (method, path) in [("POST", MONEY), ("GET", PERSONAL_READ)] {
            let answer = client.call(method, path, &[], b"");
            assert!([400, 401].contains(&answer.status), "{}", answer.text());
            ids.push(answer.call_id().to_owned());
        }
    }
    ids
}

/// Loads the gateway while `trouble` comes and goes, and checks that each call is in the ledger
/// once, by the time that the figures say so.
fn under_load(trouble: impl FnOnce(&Gateway, &Path)) {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = config(&sim).start();
    let directory = gateway.directory().join("data/ledger");
    let stop = AtomicBool::new(false);
    let mut ids = Vec::new();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| load(&gateway, &stop)))
            .collect();
        until("rows", || {
            gateway.figure("egret_ledger_rows_written_total") > 0.0
        });
        trouble(&gateway, &directory);
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            ids.extend(client.join().expect("a client"));
        }
    });
    until("the ledger has everything", || {
        gateway.figure("egret_ledger_lag_events") == 0.0
            && gateway.figure("egret_ledger_lag") == 0.0
    });
    assert_eq!(gateway.figure("egret_journal_undrained_bytes"), 0.0);
    assert_eq!(gateway.figure("egret_journal_refused_total"), 0.0);
    assert!(is_ready(&gateway));
    let rows = gateway.query(&[]);
    let there: BTreeSet<_> = rows
        .iter()
        .map(|row| row.text("call_id").to_owned())
        .collect();
    assert_eq!(there.len(), rows.len(), "no call is there twice");
    let answered: BTreeSet<_> = ids.into_iter().collect();
    assert_eq!(there, answered);
}

/// Waits until the figures and readiness tell of a ledger that lags, while calls go on.
fn wait_for_lag(gateway: &Gateway) {
    until("the lag shows", || gateway.figure("egret_ledger_lag") > 1.0);
    until("readiness is red", || is_red(gateway, "ledger"));
    assert!(gateway.figure("egret_ledger_lag_events") > 0.0);
    assert!(gateway.figure("egret_journal_undrained_bytes") > 0.0);
    let before = gateway.figure("egret_journal_next_seq");
    until("calls go on", || {
        gateway.figure("egret_journal_next_seq") > before + 100.0
    });
    assert_eq!(gateway.admin_get("/livez").status, 200);
}

#[test]
fn a_locked_ledger_slows_no_call_and_loses_nothing() {
    under_load(|gateway, directory| {
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(directory.join("ledger.db"));
        let mut other = runtime()
            .block_on(sqlx::SqliteConnection::connect_with(&options))
            .unwrap();
        runtime()
            .block_on(other.execute("BEGIN IMMEDIATE"))
            .unwrap();
        wait_for_lag(gateway);
        until("the failure shows", || {
            gateway.figure("egret_ledger_failing") == 1.0
        });
        runtime().block_on(other.execute("ROLLBACK")).unwrap();
        until("it is ready", || is_ready(gateway));
    });
}

#[test]
fn a_ledger_that_was_away_is_brought_up_to_date() {
    under_load(|gateway, directory| {
        let away = directory.with_file_name("away");
        std::fs::rename(directory, &away).unwrap();
        // So that none can be made in its place.
        std::fs::write(directory, "").unwrap();
        wait_for_lag(gateway);
        assert!(gateway.figure("egret_ledger_failures_total") > 0.0);
        std::fs::remove_file(directory).unwrap();
        // Meanwhile the gateway may have made a new one. The one that was away replaces it.
        let anew = directory.with_file_name("anew");
        until("the old one is back", || {
            let _ = std::fs::remove_dir_all(&anew);
            let _ = std::fs::rename(directory, &anew);
            std::fs::rename(&away, directory).is_ok()
        });
        until("it is ready", || is_ready(gateway));
    });
}

#[test]
fn a_ledger_that_was_removed_is_made_anew_from_the_journal() {
    under_load(|gateway, directory| {
        let away = directory.with_file_name("away");
        std::fs::rename(directory, away).unwrap();
        gateway.wait_for_log(
            "the ledger stands elsewhere than before: it was replaced or restored; what it lacks \
             is brought in from the journal",
        );
    });
}
