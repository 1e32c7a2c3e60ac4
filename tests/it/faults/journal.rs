//! The disk of the journal fails under a running gateway.

use std::io::Write;
use std::path::Path;

use egret::sim::{Faults, Vendor};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::{MONEY, PERSONAL_READ, READ, Tmpfs, each_policy, gaps, is_ready, is_red};
use crate::harness::{Client, Config, Gateway, Sim, eventually, until};

/// How many calls of each kind meet the failure.
const CALLS: usize = 10;

/// Lets no file of the gateway grow, or lets them grow again. Each write then fails, as on a full
/// disk, and nobody has to be root for it.
fn allow_growth(gateway: &Gateway, allowed: bool) {
    let hard = getrlimit(Resource::Fsize).maximum;
    let limit = Rlimit {
        current: if allowed { hard } else { Some(0) },
        maximum: hard,
    };
    let pid = Pid::from_raw(i32::try_from(gateway.pid()).unwrap());
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

/// What each policy does while the journal cannot be written, that readiness tells of it, and that
/// all is well again once it can be written: `fail` and `heal` are given the journal's directory.
fn outage(
    config: Config,
    sim: &Sim,
    fail: impl FnOnce(&Gateway, &Path),
    heal: impl FnOnce(&Gateway, &Path),
) {
    let gateway = config.start();
    let journal = gateway.directory().join("data/journal");
    let ledger = gateway.directory().join("data/ledger.db");
    assert_eq!(gateway.post(MONEY, &[], "{}").status, 401);
    assert!(is_ready(&gateway));
    let before = sim.count();
    fail(&gateway, &journal);
    // One call is in the middle of it; it is refused like those after it.
    for _ in 0..CALLS {
        for answer in [
            gateway.post(MONEY, &[], "{}"),
            gateway.get(PERSONAL_READ, &[]),
        ] {
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert_eq!(answer.problem(), "record_unavailable");
        }
    }
    assert_eq!(sim.count(), before, "nothing goes to the bank unrecorded");
    assert!(
        is_red(&gateway, "journal"),
        "{}",
        gateway.admin_get("/readyz").text()
    );
    assert_eq!(
        gateway.admin_get("/livez").status,
        200,
        "a restart does not help"
    );
    assert_eq!(gateway.figure("egret_journal_failing"), 1.0);
    // The first may have been taken before the failure showed.
    let refused = gateway.figure("egret_journal_refused_total");
    assert!(refused >= 2.0 * CALLS as f64 - 1.0, "{refused}");
    // What may be shed goes on.
    for _ in 0..CALLS {
        assert_eq!(gateway.get(READ, &[]).status, 401);
    }
    assert_eq!(sim.count(), before + CALLS as u64);
    until("what was shed is counted", || {
        gateway.figure("egret_journal_shed_total") == CALLS as f64
    });
    let told =
        "the journal cannot be written; calls are refused as their policy says, until it can";
    assert_eq!(gateway.logs(told).len(), 1, "said once");
    gateway.wait_for_log("not ready: a check is red");
    heal(&gateway, &journal);
    gateway.wait_for_log("the journal can be written again");
    until("it is ready", || is_ready(&gateway));
    gateway.wait_for_log("ready: every check is green");
    assert_eq!(gateway.post(MONEY, &[], "{}").status, 401);
    // And it says so in a row, which detection tells of.
    let own = [
        "audit",
        "query",
        "--operation",
        "audit.gap",
        "--format",
        "json",
    ];
    let row = eventually("the gap is a row", || {
        let rows = gateway.egret(&own).ok();
        rows.lines().next().map(str::to_owned)
    });
    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    assert_eq!(row["facts"]["refused"], refused.to_string());
    assert_eq!(row["facts"]["shed"], CALLS.to_string());
    let (ran, config) = gateway.stop();
    assert!(
        ran.stderr.contains("every record is in the ledger"),
        "{}",
        ran.stderr
    );
    let forwarded = config.egret(&[
        "audit",
        "query",
        "--operation",
        "bank.create_trade",
        "--status",
        "401",
        "--format",
        "json",
    ]);
    assert_eq!(forwarded.ok().lines().count(), 2);
    // The journal says what is missing in it.
    let missing = gaps(&ledger);
    let sum = |of: fn(&(i64, i64, i64)) -> i64| missing.iter().map(of).sum::<i64>();
    assert_eq!(sum(|gap| gap.0), refused as i64, "{missing:?}");
    assert_eq!(sum(|gap| gap.1), CALLS as i64, "{missing:?}");
}

#[test]
fn writes_that_fail_are_decided_by_policy() {
    let sim = Sim::start(Vendor::Cybrid);
    outage(
        each_policy(&sim),
        &sim,
        |gateway, _| allow_growth(gateway, false),
        |gateway, _| allow_growth(gateway, true),
    );
}

#[test]
fn a_journal_that_was_removed_is_noticed_and_decided_by_policy() {
    let sim = Sim::start(Vendor::Cybrid);
    outage(
        each_policy(&sim),
        &sim,
        |_, journal| std::fs::remove_dir_all(journal).unwrap(),
        |_, journal| std::fs::create_dir(journal).unwrap(),
    );
}

#[test]
fn a_journal_that_was_moved_away_and_back_goes_on_where_it_was() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = each_policy(&sim);
    let away = config.directory().join("away");
    let back = away.clone();
    outage(
        config,
        &sim,
        move |_, journal| std::fs::rename(journal, away).unwrap(),
        move |_, journal| std::fs::rename(back, journal).unwrap(),
    );
}

#[test]
fn an_answer_that_cannot_be_recorded_is_withheld() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = each_policy(&sim).start();
    sim.set_faults(Faults {
        latency_ms: Some((1_500, 1_500)),
        ..Faults::default()
    });
    let mut client = Client::tcp(gateway.address());
    let json = [("Content-Type", "application/json")];
    client.request("POST", MONEY, &json, b"{}").unwrap();
    // Behind the start: then nothing but the bank is between the call and its outcome.
    until("the intent is on disk", || {
        gateway.figure("egret_journal_durable_seq") == 2.0
    });
    allow_growth(&gateway, false);
    let answer = client.answer("POST").unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.problem(), "answer_unrecorded");
    allow_growth(&gateway, true);
    // What the caller was told is kept in memory meanwhile.
    gateway.row_of(&answer).expect(&[
        ("status", "503"),
        ("reason", "answer_unrecorded"),
        ("operation", "bank.create_trade"),
    ]);
}

#[test]
fn a_full_disk_is_decided_by_policy() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = each_policy(&sim);
    let journal = config.directory().join("data/journal");
    let Some(disk) = Tmpfs::mount(&journal, "size=3m,mode=0700") else {
        eprintln!("skipped: mounting a tmpfs needs root");
        return;
    };
    let gateway = config.start();
    assert_eq!(gateway.post(MONEY, &[], "{}").status, 401);
    let filler = disk.0.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    // A segment of 1 MiB was made with all its room; the next finds none.
    let mut client = Client::tcp(gateway.address());
    let json = [("Content-Type", "application/json")];
    let refused = (0..20_000).find_map(|_| {
        let answer = client.call("POST", MONEY, &json, b"{}");
        (answer.status != 401).then_some(answer)
    });
    let refused = refused.expect("the disk is full in the end");
    assert_eq!(refused.status, 503, "{}", refused.text());
    until("the failure shows", || is_red(&gateway, "journal"));
    let before = sim.count();
    assert_eq!(
        gateway.post(MONEY, &[], "{}").problem(),
        "record_unavailable"
    );
    assert_eq!(sim.count(), before);
    assert_eq!(
        gateway.get(READ, &[]).status,
        401,
        "what may be shed goes on"
    );
    std::fs::remove_file(filler).unwrap();
    until("it is ready", || is_ready(&gateway));
    assert_eq!(gateway.post(MONEY, &[], "{}").status, 401);
    let (ran, config) = gateway.stop();
    assert!(
        ran.stderr.contains("every record is in the ledger"),
        "{}",
        ran.stderr
    );
    assert!(!gaps(&config.directory().join("data/ledger.db")).is_empty());
    // Before its mount point.
    drop(disk);
}
