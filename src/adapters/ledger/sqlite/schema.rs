//! Opens a ledger file: creates and migrates it for the writer, and refuses what is not a ledger
//! or is a newer one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::adapters::ledger::{LedgerError, LedgerPlace};

/// Marks the file as an Egret ledger (`PRAGMA application_id`): "EGRT".
pub const APPLICATION_ID: i64 = 0x4547_5254;

/// The schema that this program writes (`PRAGMA user_version`): the number of the last file in
/// `migrations/sqlite`.
pub const SCHEMA_VERSION: i64 = 7;

/// How long SQLite itself waits for a lock before it reports one. Short enough for the feed to
/// notice a stop meanwhile; the feed tries again anyway.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Applied to the writer's connection once the file is known to be a ledger.
/// - `synchronous=FULL`: a committed batch survives a power cut.
/// - `foreign_keys=OFF`: there are none; sqlx switches the checks on by default.
/// - `cache_size`: 16 MiB, so that the pages of the token and subject indexes stay in memory.
/// - `wal_autocheckpoint`: some 16 MiB instead of 4, so that a page that many batches change, as
///   those of the indexes, goes fewer times into the file.
/// - `journal_size_limit`: gives the space of the log back after a long read held it up.
/// - `secure_delete`: what is moved or erased leaves no copy in the room that it gives up.
const WRITER_PRAGMAS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
    PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4096; \
    PRAGMA journal_size_limit = 67108864; PRAGMA secure_delete = ON;";

/// So many steps of SQLite's machine pass between two looks whether anybody waits for an answer:
/// some hundred microseconds.
const STEPS: i32 = 10_000;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// Ends what a reader's connection is at when this is dropped. Its thread would otherwise go on to the end of a
/// question that nobody waits for, as it notices that only at the next row.
pub(in crate::adapters::ledger) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    pub(in crate::adapters::ledger) async fn watched_by(
        conn: &mut SqliteConnection,
    ) -> Result<Self, sqlx::Error> {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&flag);
        let mut handle = conn.lock_handle().await?;
        handle.set_progress_handler(STEPS, move || !seen.load(Ordering::Relaxed));
        Ok(Self(flag))
    }
}

#[cfg(test)]
impl Abandoned {
    /// Lives for as long as the connection or this does.
    pub(in crate::adapters::ledger) fn seen(&self) -> std::sync::Weak<AtomicBool> {
        Arc::downgrade(&self.0)
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the header and the schema of a file say it is.
enum Kind {
    Fresh,
    Ledger { version: i64 },
    Foreign,
}

/// Opens the ledger for writing. Creates the file (mode 0600) and its directory (0700) if they are
/// missing, and migrates an older schema.
///
/// # Errors
/// [`LedgerError`]. A file that is refused is left as it was.
pub async fn open_writer(path: &Path) -> Result<SqliteConnection, LedgerError> {
    create_file(path)?;
    let place = LedgerPlace::from(path);
    let failed = |doing| {
        let place = &place;
        move |source| LedgerError::database(place, doing, source)
    };
    let mut conn = connect(path, false).await?;
    match identify(&mut conn).await.map_err(failed("open"))? {
        Kind::Foreign => return Err(LedgerError::NotALedger { place }),
        Kind::Ledger { version } if version > SCHEMA_VERSION => {
            return Err(LedgerError::Newer {
                place,
                found: version,
                known: SCHEMA_VERSION,
            });
        }
        Kind::Fresh | Kind::Ledger { .. } => {}
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut conn)
        .await
        .map_err(failed("open"))?;
    if mode != "wal" {
        return Err(LedgerError::NoWal {
            path: path.into(),
            found: mode,
        });
    }
    conn.execute(WRITER_PRAGMAS).await.map_err(failed("open"))?;
    MIGRATIONS
        .run_direct(None, &mut conn, false)
        .await
        .map_err(|source| LedgerError::migration(&place, SCHEMA_VERSION, source))?;
    Ok(conn)
}

/// Opens the ledger for reading only.
///
/// # Errors
/// [`LedgerError`].
pub async fn open_reader(path: &Path) -> Result<SqliteConnection, LedgerError> {
    let place = LedgerPlace::from(path);
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(LedgerError::Missing { place });
        }
        Err(error) => return Err(LedgerError::io(path, "read", error)),
        Ok(_) => {}
    }
    let mut conn = connect(path, true).await?;
    let kind = identify(&mut conn)
        .await
        .map_err(|source| LedgerError::database(&place, "read", source))?;
    match kind {
        Kind::Ledger { version } if version > SCHEMA_VERSION => Err(LedgerError::Newer {
            place,
            found: version,
            known: SCHEMA_VERSION,
        }),
        Kind::Ledger { version } if version < SCHEMA_VERSION => Err(LedgerError::Older {
            place,
            found: version,
            known: SCHEMA_VERSION,
        }),
        Kind::Ledger { .. } => Ok(conn),
        // An empty file: the writer has created it and not come further.
        Kind::Fresh => Err(LedgerError::Missing { place }),
        Kind::Foreign => Err(LedgerError::NotALedger { place }),
    }
}

async fn connect(path: &Path, read_only: bool) -> Result<SqliteConnection, LedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(read_only)
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .thread_name(|n| format!("egret-sqlite-{n}"))
        .disable_statement_logging();
    SqliteConnection::connect_with(&options)
        .await
        .map_err(|source| LedgerError::database(&path.into(), "open", source))
}

async fn identify(conn: &mut SqliteConnection) -> Result<Kind, sqlx::Error> {
    // The migrator makes its own table first, in a transaction of its own.
    let (application, version, tables): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), \
                (SELECT user_version FROM pragma_user_version), \
                (SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations')",
    )
    .fetch_one(conn)
    .await?;
    Ok(match (application, tables) {
        (APPLICATION_ID, _) => Kind::Ledger { version },
        (0, 0) => Kind::Fresh,
        _ => Kind::Foreign,
    })
}

/// SQLite would create the file with the process's umask; an audit ledger is for its owner only.
/// Its companions (`-wal`, `-shm`) take the mode of the file.
fn create_file(path: &Path) -> Result<(), LedgerError> {
    if let Some(directory) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| LedgerError::io(directory, "create the directory", error))?;
    }
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(LedgerError::io(path, "create the ledger", error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_new_ledger_is_private_durable_and_reopens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/egret.db");
        let mut conn = open_writer(&path).await.unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let wal = path.with_extension("db-wal");
        assert_eq!(mode(&wal), 0o600);
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(synchronous, 2, "FULL");
        conn.close().await.unwrap();
        open_writer(&path).await.unwrap();
        open_reader(&path).await.unwrap();
    }

    #[tokio::test]
    async fn the_last_migration_sets_the_version_that_this_program_knows() {
        let last = MIGRATIONS.iter().last().map(|migration| migration.version);
        assert_eq!(last, Some(SCHEMA_VERSION));
        let dir = tempfile::tempdir().unwrap();
        let mut conn = open_writer(&dir.path().join("egret.db")).await.unwrap();
        let Kind::Ledger { version } = identify(&mut conn).await.unwrap() else {
            panic!("a new ledger is a ledger");
        };
        assert_eq!(version, SCHEMA_VERSION);
    }

    #[tokio::test]
    async fn files_that_are_no_ledger_are_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("notes.txt");
        fs::write(&text, "dear diary, ".repeat(200)).unwrap();
        let error = open_writer(&text).await.unwrap_err().to_string();
        assert!(error.contains("is not an Egret ledger"), "{error}");
        assert!(fs::read_to_string(&text).unwrap().starts_with("dear diary"));

        let other = dir.path().join("other.db");
        let options = SqliteConnectOptions::new()
            .filename(&other)
            .create_if_missing(true);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        conn.execute("CREATE TABLE t (a)").await.unwrap();
        conn.close().await.unwrap();
        let before = fs::read(&other).unwrap();
        assert!(matches!(
            open_writer(&other).await,
            Err(LedgerError::NotALedger { .. })
        ));
        assert!(matches!(
            open_reader(&other).await,
            Err(LedgerError::NotALedger { .. })
        ));
        assert_eq!(fs::read(&other).unwrap(), before);
    }

    #[tokio::test]
    async fn a_newer_or_older_schema_is_refused_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("egret.db");
        let mut conn = open_writer(&path).await.unwrap();
        conn.execute("PRAGMA user_version = 99").await.unwrap();
        for error in [open_writer(&path).await, open_reader(&path).await] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("has schema 99"), "{error}");
        }
        conn.execute("PRAGMA user_version = 0").await.unwrap();
        let error = open_reader(&path).await.unwrap_err().to_string();
        assert!(error.contains("egret serve"), "{error}");
    }

    #[tokio::test]
    async fn reading_before_the_first_start_says_so_and_creates_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("egret.db");
        let error = open_reader(&path).await.unwrap_err().to_string();
        assert!(error.contains("no ledger at"), "{error}");
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_creation_that_was_cut_off_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("egret.db");
        fs::write(&path, "").unwrap();
        let mut conn = connect(&path, false).await.unwrap();
        conn.execute("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)")
            .await
            .unwrap();
        conn.close().await.unwrap();
        open_writer(&path).await.unwrap();
        open_reader(&path).await.unwrap();
    }
}
