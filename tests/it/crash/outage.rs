//! What befalls the ledger during a soak.

use std::path::Path;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use super::Dice;
use crate::harness::runtime;

/// Troubles so far.
#[derive(Debug, Default)]
pub struct Trouble {
    locked: u64,
    away: u64,
    copied: u64,
    restored: u64,
    /// There is a copy to restore.
    has_copy: bool,
    number: u64,
}

fn connect(ledger: &Path) -> Option<SqliteConnection> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(ledger);
    runtime()
        .block_on(SqliteConnection::connect_with(&options))
        .ok()
}

impl Trouble {
    /// Makes some trouble beside the load, or none, for up to `pause`.
    pub fn make(&mut self, directory: &Path, pause: Duration, dice: &mut Dice) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(0);
        let some_time = Duration::from_micros(dice.roll(micros.max(1)));
        let data = directory.join("data");
        let ledger = data.join("ledger");
        match dice.roll(5) {
            0 => self.lock(&ledger.join("ledger.db"), some_time),
            1 => {
                // Away as a whole; a new one may be made in its place until it is back.
                let away = data.join("away");
                if std::fs::rename(&ledger, &away).is_ok() {
                    self.away += 1;
                    std::thread::sleep(some_time);
                    self.put_in_place(&data, &away);
                }
            }
            2 => self.copy(&data),
            3 if self.has_copy => {
                self.restored += 1;
                self.has_copy = false;
                self.put_in_place(&data, &data.join("copy"));
            }
            _ => {}
        }
    }

    /// Brings back what a kill has met away. The gateway does not run.
    pub fn mend(&mut self, directory: &Path) {
        let data = directory.join("data");
        let away = data.join("away");
        if away.exists() {
            self.put_in_place(&data, &away);
        }
    }

    fn lock(&mut self, ledger: &Path, time: Duration) {
        let Some(mut other) = connect(ledger) else {
            return;
        };
        if runtime().block_on(other.execute("BEGIN IMMEDIATE")).is_ok() {
            self.locked += 1;
            std::thread::sleep(time);
            let _ = runtime().block_on(other.execute("ROLLBACK"));
        }
        let _ = runtime().block_on(other.close());
    }

    fn copy(&mut self, data: &Path) {
        let copy = data.join("copy");
        let _ = std::fs::remove_dir_all(&copy);
        std::fs::create_dir(&copy).expect("a directory");
        let Some(mut ledger) = connect(&data.join("ledger/ledger.db")) else {
            return;
        };
        let statement = format!("VACUUM INTO '{}'", copy.join("ledger.db").display());
        self.has_copy = runtime()
            .block_on(ledger.execute(AssertSqlSafe(statement)))
            .is_ok();
        self.copied += u64::from(self.has_copy);
        let _ = runtime().block_on(ledger.close());
    }

    /// Puts a directory in the place of the ledger's, whatever is there by then.
    fn put_in_place(&mut self, data: &Path, directory: &Path) {
        for _ in 0..1_000 {
            self.number += 1;
            let old = data.join(format!("old-{}", self.number));
            if std::fs::rename(data.join("ledger"), &old).is_ok() {
                let _ = std::fs::remove_dir_all(old);
            }
            if std::fs::rename(directory, data.join("ledger")).is_ok() {
                return;
            }
        }
        panic!("the ledger's directory cannot be replaced");
    }
}
