//! Connects to a ledger in Postgres: brings it to the current schema for the writer, and refuses
//! what is no ledger or a newer one.

use std::fs;
use std::future::Future;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::adapters::ledger::{LedgerError, LedgerPlace};
use crate::domain::config::PostgresPlace;

/// The schema that this program writes: the number of the last file in `migrations/postgres`.
pub const SCHEMA_VERSION: i64 = 6;

/// The schema of the database that everything is in.
const SCHEMA: &str = "egret";

/// How long a connection may take, TLS and login included. A server that does not answer must not
/// hold up a start or a stop.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Applied to the writer's connection.
/// - `synchronous_commit`: a committed batch survives a power cut, whatever the server's default.
/// - `lock_timeout`, `statement_timeout`: a batch that is held up is given up and tried again, so
///   that a stop is noticed and a server that hangs does not hang the feed.
/// - `idle_in_transaction_session_timeout`: a gateway that froze in the middle of a batch does not
///   hold back the others, nor those who follow the ledger.
/// - `plan_cache_mode`: a plan of its own for each batch of arrays costs more than the insert.
const WRITER_SETTINGS: &str = "SET search_path = egret, pg_catalog; SET synchronous_commit = on; \
    SET lock_timeout = '10s'; SET statement_timeout = '30s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET plan_cache_mode = force_generic_plan;";

/// Applied to a reader's connection: it writes nothing, whatever its role may do.
/// - `plan_cache_mode`: a plan made without the period and the names reads all partitions, and
///   serves rare and frequent ones alike.
/// - `jit`: what the server takes for a long question is compiled first, which takes longer than
///   nearly every answer.
/// - `client_connection_check_interval` (from Postgres 14 on): a question that nobody waits for any
///   longer is ended.
const READER_SETTINGS: &str = "SET search_path = egret, pg_catalog; \
    SET default_transaction_read_only = on; SET plan_cache_mode = force_custom_plan; \
    SET jit = off; SELECT set_config(name, '1s', false) FROM pg_settings \
    WHERE name = 'client_connection_check_interval';";

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("migrations/postgres");
    migrations.dangerous_set_table_name("egret._sqlx_migrations");
    migrations.create_schema(SCHEMA);
    migrations
});

/// Opens the ledger for writing, and makes it or brings it up to date if that is needed and
/// allowed to the user of the address.
///
/// # Errors
/// [`LedgerError`].
pub async fn open_writer(place: &PostgresPlace) -> Result<PgConnection, LedgerError> {
    let shown = LedgerPlace::Postgres(place.clone());
    let failed = |doing| {
        let shown = &shown;
        move |source| LedgerError::database(shown, doing, source)
    };
    let mut conn = connect(place).await?;
    let found = version(&mut conn).await.map_err(failed("open"))?;
    match found {
        Some(SCHEMA_VERSION) => {}
        Some(found) if found > SCHEMA_VERSION => return Err(newer(shown, found)),
        _ => {
            // Two gateways that start at once take turns: the migrator takes an advisory lock.
            MIGRATIONS
                .run_direct(None, &mut conn, false)
                .await
                .map_err(|source| LedgerError::migration(&shown, SCHEMA_VERSION, source))?;
        }
    }
    conn.execute(WRITER_SETTINGS)
        .await
        .map_err(failed("open"))?;
    Ok(conn)
}

/// Opens the ledger for reading only.
///
/// # Errors
/// [`LedgerError`].
pub async fn open_reader(place: &PostgresPlace) -> Result<PgConnection, LedgerError> {
    let shown = LedgerPlace::Postgres(place.clone());
    let mut conn = connect(place).await?;
    let found = version(&mut conn)
        .await
        .map_err(|source| LedgerError::database(&shown, "read", source))?;
    match found {
        None => return Err(LedgerError::Missing { place: shown }),
        Some(found) if found > SCHEMA_VERSION => return Err(newer(shown, found)),
        Some(found) if found < SCHEMA_VERSION => {
            return Err(LedgerError::Older {
                place: shown,
                found,
                known: SCHEMA_VERSION,
            });
        }
        Some(_) => {}
    }
    conn.execute(READER_SETTINGS)
        .await
        .map_err(|source| LedgerError::database(&shown, "read", source))?;
    Ok(conn)
}

/// Whether the user of the address may change or remove rows, or put the guards away: gateways and
/// auditors should not.
///
/// # Errors
/// [`LedgerError`].
pub async fn may_change(place: &PostgresPlace) -> Result<bool, LedgerError> {
    let mut conn = open_reader(place).await?;
    let sql = "SELECT has_table_privilege('egret.records', 'UPDATE, DELETE, TRUNCATE') \
        OR pg_has_role((SELECT relowner FROM pg_class WHERE oid = 'egret.records'::regclass), \
            'USAGE')";
    sqlx::query_scalar(sql)
        .fetch_one(&mut conn)
        .await
        .map_err(|source| {
            LedgerError::database(&LedgerPlace::Postgres(place.clone()), "read", source)
        })
}

fn newer(place: LedgerPlace, found: i64) -> LedgerError {
    LedgerError::Newer {
        place,
        found,
        known: SCHEMA_VERSION,
    }
}

/// The schema of the ledger; `None` when there is none yet.
async fn version(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('egret._sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *conn)
            .await?;
    if !there {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM egret._sqlx_migrations WHERE success")
        .fetch_one(conn)
        .await
}

async fn connect(place: &PostgresPlace) -> Result<PgConnection, LedgerError> {
    let shown = || LedgerPlace::Postgres(place.clone());
    let mut options = PgConnectOptions::from_str(place.url().expose())
        .map_err(|source| LedgerError::database(&shown(), "connect to", source))?
        .application_name("egret")
        .disable_statement_logging();
    if let Some(file) = place.password_file() {
        let password = fs::read_to_string(file)
            .map_err(|source| LedgerError::io(file, "read the password in", source))?;
        options = options.password(password.trim_end_matches(['\r', '\n']));
    }
    let unreachable = |source| LedgerError::Unreachable {
        place: shown(),
        source,
    };
    within(CONNECT_TIMEOUT, PgConnection::connect_with(&options))
        .await
        .map_err(unreachable)
}

/// Ends what takes too long: as a server that accepts connections and does not answer.
pub(in crate::adapters::ledger) async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(time, work).await.unwrap_or_else(|_| {
        let error = std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("no answer within {} seconds", time.as_secs()),
        );
        Err(sqlx::Error::Io(error))
    })
}
