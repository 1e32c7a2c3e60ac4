//! What the gateway does when its surroundings fail: disk, directories, ledger, keys. Every request
//! gets an answer within the patience of a client, whatever is broken.

mod journal;
mod ledger;
mod start;

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::Connection;

use crate::harness::{Config, Gateway, Sim, runtime};

/// A read that shows no personal data.
const READ: &str = "/cybrid/bank/api/banks";
/// A read of personal data.
const PERSONAL_READ: &str = "/cybrid/bank/api/customers";
/// A call that commits to a movement of money.
const MONEY: &str = "/cybrid/bank/api/trades";

/// One policy of each kind.
fn each_policy(sim: &Sim) -> Config {
    Config::new().cybrid(&sim.url()).section(
        "[journal]\nsegment_size = \"1MiB\"\n\
         [journal.policy]\nread = \"shed\"\npersonal-read = \"process_safe\"",
    )
}

/// Whether readiness is red for exactly this check.
fn is_red(gateway: &Gateway, check: &str) -> bool {
    let answer = gateway.admin_get("/readyz");
    let told = answer.json();
    let red: Vec<_> = told["checks"]
        .as_object()
        .expect("checks")
        .iter()
        .filter(|(_, found)| found["ok"] == false)
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(answer.status == 503, !red.is_empty(), "{told:#}");
    red == [check]
}

fn is_ready(gateway: &Gateway) -> bool {
    gateway.admin_get("/readyz").status == 200
}

/// What the ledger says is missing: refused, shed and dropped, of each gap.
fn gaps(ledger: &Path) -> Vec<(i64, i64, i64)> {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(ledger)
        .read_only(true);
    runtime().block_on(async {
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .expect("the ledger");
        sqlx::query_as("SELECT refused, shed, dropped FROM journal_gaps ORDER BY seq")
            .fetch_all(&mut connection)
            .await
            .expect("gaps")
    })
}

/// The segments of a journal, oldest first.
fn segments(journal: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(journal)
        .expect("the journal")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "journal"))
        .collect();
    found.sort();
    found
}

/// A small file system in memory, unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// `None` where that is not allowed.
    fn mount(path: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "egret-test"])
            .arg(path)
            .output();
        mounted
            .is_ok_and(|ran| ran.status.success())
            .then(|| Self(path.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
