//! What can go wrong with a ledger.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use super::place::LedgerPlace;

/// Why a ledger cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is nothing yet.
    #[error(
        "there is no ledger at {place} yet: `egret serve` makes it with the first start; if it lies \
         elsewhere, correct the configuration"
    )]
    Missing {
        /// Where it was looked for.
        place: LedgerPlace,
    },
    /// There is something else.
    #[error(
        "{place} is not an Egret ledger: name another one; this one was left as it is. If it was the \
         ledger, `egret audit rebuild` makes it anew from the journal and keeps this one beside it"
    )]
    NotALedger {
        /// Where.
        place: LedgerPlace,
    },
    /// It was made by a newer Egret.
    #[error(
        "the ledger {place} has schema {found}, this egret knows only up to {known}: use the newer \
         egret that made it"
    )]
    Newer {
        /// Which ledger.
        place: LedgerPlace,
        /// Its schema.
        found: i64,
        /// The last schema that this program knows.
        known: i64,
    },
    /// It was made by an older Egret and not yet migrated; only the writer migrates.
    #[error(
        "the ledger {place} has schema {found}, this egret reads {known}: start `egret serve` of \
         this version once, or say `egret audit migrate`"
    )]
    Older {
        /// Which ledger.
        place: LedgerPlace,
        /// Its schema.
        found: i64,
        /// The schema that this program reads.
        known: i64,
    },
    /// SQLite's write-ahead log does not work where the file lies.
    #[error(
        "the ledger {path} cannot use a write-ahead log (journal mode {found:?}): put it on a \
         local file system"
    )]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The mode that SQLite fell back to.
        found: String,
    },
    /// The open file is no longer the one at its path.
    #[error("the ledger {path} was moved, replaced or deleted while it was in use")]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database refused.
    #[error("cannot {doing} the ledger {place}: {}", Said(.source))]
    Database {
        /// What was being done.
        doing: &'static str,
        /// To which ledger.
        place: LedgerPlace,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A database that others may reach does not answer, or does not let this user in.
    #[error("cannot reach the ledger {place}: {}", Said(.source))]
    Unreachable {
        /// Which ledger.
        place: LedgerPlace,
        /// What was said.
        source: sqlx::Error,
    },
    /// The ledger has to be made or changed first, by somebody who may.
    #[error(
        "the ledger {place} is not at schema {known}, and this user may not bring it there: {}. Let \
         `egret audit migrate` do it with the address of the database's owner in EGRET_LEDGER_URL",
        Said(.source)
    )]
    NotTheOwner {
        /// Which ledger.
        place: LedgerPlace,
        /// The schema of this program.
        known: i64,
        /// What the database said.
        source: sqlx::Error,
    },
    /// What is recorded is changed by the owner of the database only.
    #[error(
        "this user may not change what is recorded in the ledger {place}: {}. Run the command with \
         the address of the database's owner in EGRET_LEDGER_URL",
        Said(.source)
    )]
    MayNotChange {
        /// Which ledger.
        place: LedgerPlace,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the ledger {place} to schema {known}: {source}")]
    Migration {
        /// Which ledger.
        place: LedgerPlace,
        /// The schema of this program.
        known: i64,
        /// What went wrong.
        source: MigrateError,
    },
}

/// SQLite's code for a file that is no database.
const SQLITE_NOTADB: &str = "26";

/// Postgres's code for a right that is lacking.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

fn has_code(error: &sqlx::Error, wanted: &str) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some(wanted)
}

impl LedgerError {
    /// Wraps an error of a database; a file that is no database at all gets its own answer.
    pub(super) fn database(place: &LedgerPlace, doing: &'static str, source: sqlx::Error) -> Self {
        let place = place.clone();
        if place.file().is_some() && has_code(&source, SQLITE_NOTADB) {
            return Self::NotALedger { place };
        }
        Self::Database {
            doing,
            place,
            source,
        }
    }

    /// Wraps an error of what only the owner of a shared database may do.
    pub(super) fn keeping(place: &LedgerPlace, doing: &'static str, source: sqlx::Error) -> Self {
        if has_code(&source, INSUFFICIENT_PRIVILEGE) {
            let place = place.clone();
            return Self::MayNotChange { place, source };
        }
        Self::database(place, doing, source)
    }

    /// Wraps an error of a migration.
    pub(super) fn migration(place: &LedgerPlace, known: i64, source: MigrateError) -> Self {
        let place = place.clone();
        match source {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
                if has_code(&source, INSUFFICIENT_PRIVILEGE) =>
            {
                Self::NotTheOwner {
                    place,
                    known,
                    source,
                }
            }
            source => Self::Migration {
                place,
                known,
                source,
            },
        }
    }

    pub(super) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.into(),
            source,
        }
    }
}

/// What a database said. Its message alone: what it adds in other fields may quote a row.
struct Said<'a>(&'a sqlx::Error);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Such an error may quote the address with its password.
            sqlx::Error::Configuration(_) => f.write_str("its address cannot be understood"),
            sqlx::Error::Database(said) => match said.try_downcast_ref::<PgDatabaseError>() {
                // Its own text adds the line of Postgres' source code, which reads as one of a file here.
                Some(postgres) => {
                    write!(f, "error returned from database: {}", postgres.message())
                }
                None => self.0.fmt(f),
            },
            other => other.fmt(f),
        }
    }
}
