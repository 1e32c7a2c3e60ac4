//! How fast a ledger takes in what waits in the journal, as after it was away: batches of the size
//! that the feed writes, one after another, each durable. Reading the journal is not counted.

use std::time::{Duration, Instant};

use egret::adapters::ledger::{PostgresStore, RecordStore, SqliteStore};
use egret::domain::config::PostgresPlace;
use egret::domain::journal::{Batch, Cursor, Finished, JournalId, Leaves};

use super::{Shared, postgres, setting};

/// Rows of a batch: what the feed writes at most.
const BATCH: u64 = 8_192;

/// Measures both databases, with tokens that come again and with a new one for each call.
pub fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let rows = setting("EGRET_BENCH_DRAIN_ROWS", 200_000).max(BATCH);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!("{rows} rows drained in batches of {BATCH}:");
    for (what, tokens) in [("64 tokens", 64), ("a token for each call", u64::MAX)] {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let path = directory.path().join("egret.db");
        let mut store = runtime.block_on(SqliteStore::open(&path))?;
        let took = runtime.block_on(drain(&mut store, rows, tokens))?;
        tell("SQLite", what, rows, took);
        let Some(url) = postgres::database() else {
            continue;
        };
        let place = PostgresPlace::parse(&url)?;
        let mut store = runtime.block_on(PostgresStore::open(&place))?;
        let took = runtime.block_on(drain(&mut store, rows, tokens))?;
        tell("Postgres (TCP)", what, rows, took);
        // Its connection belongs to this runtime.
        runtime.block_on(store.rest());
    }
    Ok(())
}

fn tell(database: &str, what: &str, rows: u64, took: Duration) {
    let rate = rows as f64 / took.as_secs_f64();
    println!("  {database:<16} {what:<22} {rate:8.0} rows/s");
}

async fn drain<S: RecordStore>(store: &mut S, rows: u64, tokens: u64) -> Result<Duration, String> {
    let mut shared = Shared::new();
    shared.tokens = tokens;
    let mut took = Duration::ZERO;
    let mut next = 0;
    while next < rows {
        let end = (next + BATCH).min(rows);
        let calls = (next..end).map(|n| Finished {
            record: Box::new(shared.record(n)),
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
        let start = Instant::now();
        let added = store
            .drain(&batch)
            .await
            .map_err(|error| error.to_string())?;
        took += start.elapsed();
        if added as u64 != end - next {
            return Err(format!("{added} of {} rows were new", end - next));
        }
        next = end;
    }
    Ok(took)
}
