//! Where the year is: a file of SQLite's, or a database of Postgres's.
//!
//! Both are filled by the stores that fill them in production, in batches as the feed writes them,
//! into the schema of the migrations with its partitions, indexes and triggers. Both are kept for
//! the next run, but in a throw-away server. An unfinished one has another name.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use egret::adapters::ledger::postgres::schema::SCHEMA_VERSION as POSTGRES_SCHEMA;
use egret::adapters::ledger::sqlite::schema::SCHEMA_VERSION as SQLITE_SCHEMA;
use egret::adapters::ledger::{LedgerPlace, PostgresStore, RecordStore, SqliteStore};
use egret::domain::config::PostgresPlace;
use egret::domain::journal::{Batch, Cursor, Finished, JournalId, Leaves};

use super::postgres::{Server, execute, number, try_execute};
use super::year::Year;

/// Rows of a batch: about what a ledger that catches up writes at once.
const BATCH: u64 = 16_384;

/// How many batches are written between two words about it.
const TOLD: u64 = 32;

/// The ledger of the year in SQLite, made if it is not there.
pub async fn in_sqlite(
    year: &Year,
    rows: u64,
    directory: &Path,
) -> Result<LedgerPlace, Box<dyn Error>> {
    let path = directory.join(format!("schema-{SQLITE_SCHEMA}-rows-{rows}.db"));
    make_file(year, rows, &path).await?;
    Ok(LedgerPlace::from(path.as_path()))
}

/// Makes a ledger in SQLite, if it is not there.
pub async fn make_file(year: &Year, rows: u64, path: &Path) -> Result<(), Box<dyn Error>> {
    if !path.exists() {
        let unfinished = path.with_extension("unfinished");
        for suffix in ["", "-wal", "-shm"] {
            let mut name = unfinished.clone().into_os_string();
            name.push(suffix);
            let _ = fs::remove_file(name);
        }
        let mut store = SqliteStore::open(&unfinished).await?;
        let begun = Instant::now();
        fill(&mut store, year, rows).await?;
        store.close().await?;
        fs::rename(&unfinished, path)?;
        tell("SQLite", rows, fs::metadata(path)?.len(), begun);
    }
    Ok(())
}

/// A server that lives as long as this, and the ledger of the year in it.
pub struct InPostgres {
    pub place: LedgerPlace,
    _server: Option<Server>,
}

/// The ledger of the year in Postgres, made if it is not there: on the server of an address, or on
/// one of its own. `None` if there is no server.
pub async fn in_postgres(
    year: &Year,
    rows: u64,
    address: Option<String>,
) -> Result<Option<InPostgres>, Box<dyn Error>> {
    let made = named_in_postgres("questions", year, rows, address).await?;
    Ok(made.map(|(made, _)| made))
}

/// As [`in_postgres`], under a name of its own; also gives the address, with who may come in.
pub async fn named_in_postgres(
    name: &str,
    year: &Year,
    rows: u64,
    address: Option<String>,
) -> Result<Option<(InPostgres, String)>, Box<dyn Error>> {
    let (server, address) = match address {
        Some(address) => (None, address),
        None => {
            let Some(server) = Server::start() else {
                return Ok(None);
            };
            let address = server.url("postgres");
            (Some(server), address)
        }
    };
    let name = format!("egret_{name}_{POSTGRES_SCHEMA}_{rows}");
    let url = database(&address, &name)?;
    if try_execute(&url, "SELECT").is_err() {
        let unfinished = format!("{name}_unfinished");
        execute(&address, &format!("DROP DATABASE IF EXISTS {unfinished}"));
        execute(&address, &format!("CREATE DATABASE {unfinished}"));
        let filled = database(&address, &unfinished)?;
        let mut store = PostgresStore::open(&PostgresPlace::parse(&filled)?).await?;
        let begun = Instant::now();
        fill(&mut store, year, rows).await?;
        store.rest().await;
        // What the server does by itself within minutes of such a load.
        execute(&filled, "VACUUM (ANALYZE)");
        let bytes = number(&filled, "SELECT pg_database_size(current_database())");
        execute(
            &address,
            &format!("ALTER DATABASE {unfinished} RENAME TO {name}"),
        );
        tell("Postgres", rows, u64::try_from(bytes)?, begun);
    }
    if server.is_none() {
        println!("the ledger stays in the database {name}; DROP DATABASE {name} removes it");
    }
    let made = InPostgres {
        place: LedgerPlace::Postgres(PostgresPlace::parse(&url)?),
        _server: server,
    };
    Ok(Some((made, url)))
}

/// The address of another database on the same server.
fn database(address: &str, name: &str) -> Result<String, &'static str> {
    let (before, options) = address.split_once('?').unwrap_or((address, ""));
    let (before, _) = before
        .rsplit_once('/')
        .ok_or("an address ends with a database")?;
    Ok(format!("{before}/{name}?{options}"))
}

/// Writes the year, as the feed would: each call names the events of the journal it was made of.
async fn fill<S: RecordStore>(store: &mut S, year: &Year, rows: u64) -> Result<(), Box<dyn Error>>
where
    S::Error: Error + 'static,
{
    let begun = Instant::now();
    for first in (0..rows).step_by(BATCH as usize) {
        let end = rows.min(first + BATCH);
        let calls = (first..end).map(|n| Finished {
            record: Box::new(year.record(n)),
            leaves: Leaves {
                intent: Some(n * 3),
                outcome: Some(n * 3 + 1),
                completion: Some(n * 3 + 2),
            },
        });
        let batch = Batch {
            calls: calls.collect(),
            gaps: Vec::new(),
            cursor: Cursor {
                journal: JournalId::from_bytes([7; 16]),
                resume_at: end * 3,
                done_to: end * 3,
            },
            bytes: 0,
        };
        store.drain(&batch).await?;
        if (first / BATCH).is_multiple_of(TOLD) {
            eprintln!("{first} of {rows} rows after {:.0?}", begun.elapsed());
        }
    }
    Ok(())
}

fn tell(database: &str, rows: u64, bytes: u64, begun: Instant) {
    println!(
        "{rows} rows written into {database} in {:.0?}, {} bytes each",
        begun.elapsed(),
        bytes / rows
    );
}

/// Where files go.
pub fn directory() -> PathBuf {
    std::env::var_os("EGRET_BENCH_DIR").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("questions"),
        PathBuf::from,
    )
}
