use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;
use sqlx::{Connection, Executor};

use super::*;
use crate::adapters::ledger::sqlite::schema::{open_reader, open_writer};
use crate::adapters::ledger::{SqliteStore, samples};
use crate::domain::journal::{Finished, Gap, JournalId, Leaves};
use crate::types::CallId;

const LONG: Duration = Duration::from_secs(30);
const JOURNAL: JournalId = JournalId::from_bytes([9; 16]);

/// A journal of calls in memory: call `n` ends with event `n`.
#[derive(Clone, Default)]
struct Calls {
    end: Arc<AtomicU64>,
    next: u64,
    drained: Arc<AtomicU64>,
}

impl Source for Calls {
    type Error = &'static str;

    fn journal(&self) -> JournalId {
        JOURNAL
    }

    fn seek(&mut self, cursor: Option<Cursor>) -> Result<(), Self::Error> {
        self.next = cursor.map_or(0, |cursor| cursor.resume_at);
        Ok(())
    }

    fn next(&mut self, limit: usize) -> Result<Option<Batch>, Self::Error> {
        let end = self
            .end
            .load(Ordering::SeqCst)
            .min(self.next + limit as u64);
        if end == self.next {
            return Ok(None);
        }
        let calls = (self.next..end).map(|n| Finished {
            record: Box::new(samples::full(n)),
            leaves: Leaves {
                completion: Some(n),
                ..Leaves::default()
            },
        });
        let batch = Batch {
            calls: calls.collect(),
            gaps: Vec::new(),
            cursor: Cursor {
                journal: JOURNAL,
                resume_at: end,
                done_to: end,
            },
            bytes: 1,
        };
        self.next = end;
        Ok(Some(batch))
    }

    fn drained(&self, batch: &Batch) {
        self.drained.fetch_add(batch.bytes, Ordering::SeqCst);
    }
}

/// What the failing store does with the next batch.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It did not land.
    Lost,
    /// It landed, but reported failure.
    LandedButFailed,
    Good,
}

/// A ledger in memory that fails as told, then works.
#[derive(Clone, Default)]
struct Memory {
    rows: Arc<Mutex<BTreeMap<CallId, usize>>>,
    cursor: Arc<Mutex<Option<Cursor>>>,
    fates: Arc<Mutex<VecDeque<Fate>>>,
    /// Why it cannot be asked.
    away: Arc<Mutex<Option<&'static str>>>,
}

impl RecordStore for Memory {
    type Error = &'static str;

    async fn write(&mut self, _: &[Box<CallRecord>]) -> Result<usize, Self::Error> {
        Err("only by draining")
    }

    async fn drain(&mut self, batch: &Batch) -> Result<usize, Self::Error> {
        let fate = self.fates.lock().pop_front().unwrap_or(Fate::Good);
        if matches!(fate, Fate::Lost) {
            return Err("no");
        }
        let mut rows = self.rows.lock();
        let before = rows.len();
        for call in &batch.calls {
            *rows.entry(call.record.call_id).or_default() += 1;
        }
        *self.cursor.lock() = Some(batch.cursor);
        match fate {
            Fate::Good => Ok(rows.len() - before),
            _ => Err("perhaps"),
        }
    }

    async fn cursors(&mut self) -> Result<Vec<Cursor>, Self::Error> {
        if let Some(why) = *self.away.lock() {
            return Err(why);
        }
        Ok(self.cursor.lock().iter().copied().collect())
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "{what} did not come about");
        thread::sleep(Duration::from_millis(1));
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The ids in the ledger, in order.
fn ids(path: &Path) -> Vec<CallId> {
    block_on(async {
        let mut conn = open_reader(path).await.unwrap();
        let ids: Vec<Vec<u8>> = sqlx::query_scalar("SELECT call_id FROM calls ORDER BY call_id")
            .fetch_all(&mut conn)
            .await
            .unwrap();
        ids.into_iter()
            .map(|id| CallId::from_bytes(id.try_into().unwrap()))
            .collect()
    })
}

fn samples_to(end: u64) -> Vec<CallId> {
    (0..end).map(samples::id).collect()
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Lost),
        Just(Fate::LandedButFailed),
        Just(Fate::Good)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_fails_every_call_is_there_in_the_end(
        fates in proptest::collection::vec(fate(), 0..4),
        calls in 0_u64..10_000,
    ) {
        let memory = Memory::default();
        memory.fates.lock().extend(fates);
        let source = Calls::default();
        source.end.store(calls, Ordering::SeqCst);
        let feed = LedgerFeed::start(source, memory.clone()).unwrap();
        feed.shutdown(LONG).unwrap();
        prop_assert_eq!(memory.rows.lock().len() as u64, calls);
        prop_assert!(memory.rows.lock().values().all(|times| *times == 1), "written once");
        prop_assert_eq!(feed.stats().next_seq, calls);
    }
}

#[test]
fn a_shutdown_that_cannot_finish_says_where_the_ledger_stands() {
    let memory = Memory::default();
    memory.fates.lock().extend([Fate::Lost; 10_000]);
    let source = Calls::default();
    source.end.store(3, Ordering::SeqCst);
    let feed = LedgerFeed::start(source, memory).unwrap();
    wait_until("a failure", || feed.stats().failing);
    assert_eq!(feed.shutdown(Duration::from_millis(50)), Err(Undrained(0)));
}

fn at(event: u64) -> Cursor {
    Cursor {
        journal: JOURNAL,
        resume_at: event,
        done_to: event,
    }
}

#[test]
fn a_ledger_that_was_away_is_asked_where_it_stands() {
    let memory = Memory::default();
    *memory.away.lock() = Some("away");
    let source = Calls::default();
    source.end.store(10, Ordering::SeqCst);
    let feed = LedgerFeed::start_away(source, memory.clone(), 8).unwrap();
    wait_until("a failure", || feed.stats().failing);
    *memory.cursor.lock() = Some(at(4));
    *memory.away.lock() = None;
    feed.shutdown(LONG).unwrap();
    let rows: Vec<_> = memory.rows.lock().keys().copied().collect();
    assert_eq!(rows, (4..10).map(samples::id).collect::<Vec<_>>());
}

#[test]
fn a_ledger_that_knows_events_which_were_lost_is_not_fed_others_of_their_numbers() {
    let memory = Memory::default();
    *memory.cursor.lock() = Some(at(9));
    let source = Calls::default();
    source.end.store(10, Ordering::SeqCst);
    let feed = LedgerFeed::start_away(source, memory.clone(), 8).unwrap();
    wait_until("a failure", || feed.stats().failing);
    assert!(feed.shutdown(Duration::from_millis(50)).is_err());
    assert!(memory.rows.lock().is_empty());
}

fn start(path: &Path) -> (Calls, LedgerFeed) {
    let store = block_on(SqliteStore::open(path)).unwrap();
    let source = Calls::default();
    let feed = LedgerFeed::start(source.clone(), store).unwrap();
    (source, feed)
}

#[test]
fn a_locked_database_delays_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let (source, feed) = start(&path);
    let mut other = block_on(open_writer(&path)).unwrap();
    block_on(other.execute("BEGIN IMMEDIATE")).unwrap();
    source.end.store(1, Ordering::SeqCst);
    // SQLite's own patience ends first.
    wait_until("a failure", || feed.stats().failures > 0);
    source.end.store(2, Ordering::SeqCst);
    assert_eq!(source.drained.load(Ordering::SeqCst), 0);
    block_on(other.execute("ROLLBACK")).unwrap();
    block_on(other.close()).unwrap();
    feed.shutdown(LONG).unwrap();
    assert_eq!(ids(&path), samples_to(2));
    assert!(!feed.stats().failing);
}

#[test]
fn a_full_disk_delays_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let mut store = block_on(SqliteStore::open(&path)).unwrap();
    let limit = Arc::new(AtomicUsize::new(16));
    block_on(store.limit_pages(Arc::clone(&limit)));
    let source = Calls::default();
    source.end.store(500, Ordering::SeqCst);
    let feed = LedgerFeed::start(source, store).unwrap();
    wait_until("a failure", || feed.stats().failures > 0);
    limit.store(100_000, Ordering::SeqCst);
    feed.shutdown(LONG).unwrap();
    assert_eq!(ids(&path), samples_to(500));
}

#[test]
fn a_directory_that_became_unusable_delays_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let path = state.join("egret.db");
    let (source, feed) = start(&path);
    source.end.store(1, Ordering::SeqCst);
    wait_until("the first row", || feed.stats().written == 1);
    // Permissions do not hold for root, so the directory is moved away and a file put in its
    // place: neither opening nor creating the ledger can work.
    let away = dir.path().join("away");
    std::fs::rename(&state, &away).unwrap();
    std::fs::write(&state, "").unwrap();
    source.end.store(2, Ordering::SeqCst);
    wait_until("a failure", || feed.stats().failures > 0);
    std::fs::remove_file(&state).unwrap();
    std::fs::rename(&away, &state).unwrap();
    feed.shutdown(LONG).unwrap();
    assert_eq!(ids(&path), samples_to(2));
}

/// The ledger of yesterday is put back in place of today's, as after a restore.
#[test]
fn a_ledger_that_was_restored_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let old = dir.path().join("old.db");
    let (source, feed) = start(&path);
    source.end.store(10, Ordering::SeqCst);
    wait_until("ten rows", || feed.stats().written == 10);
    block_on(async {
        let mut conn = open_reader(&path).await.unwrap();
        let copy = format!("VACUUM INTO '{}'", old.display());
        conn.execute(sqlx::AssertSqlSafe(copy)).await.unwrap();
    });
    source.end.store(20, Ordering::SeqCst);
    wait_until("twenty rows", || feed.stats().written == 20);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("egret.db{suffix}")));
    }
    std::fs::rename(&old, &path).unwrap();
    source.end.store(30, Ordering::SeqCst);
    feed.shutdown(LONG).unwrap();
    assert_eq!(ids(&path), samples_to(30));
}

/// A ledger that was removed is made anew from the journal.
#[test]
fn a_ledger_that_was_removed_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let (source, feed) = start(&path);
    source.end.store(10, Ordering::SeqCst);
    wait_until("ten rows", || feed.stats().written == 10);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("egret.db{suffix}")));
    }
    source.end.store(11, Ordering::SeqCst);
    feed.shutdown(LONG).unwrap();
    assert_eq!(ids(&path), samples_to(11));
}

#[test]
fn rows_cursor_and_gaps_are_one_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    block_on(async {
        let mut store = SqliteStore::open(&path).await.unwrap();
        let mut source = Calls::default();
        source.end.store(5, Ordering::SeqCst);
        let mut batch = source.next(10).unwrap().unwrap();
        let gap = Gap {
            refused: 3,
            ..Gap::default()
        };
        batch.gaps.push((4, gap));
        assert_eq!(store.drain(&batch).await.unwrap(), 5);
        // After a doubtful commit.
        assert_eq!(store.drain(&batch).await.unwrap(), 0);
        assert_eq!(store.cursors().await.unwrap(), [batch.cursor]);
        store.close().await.unwrap();
        let mut conn = open_reader(&path).await.unwrap();
        let gaps: Vec<(i64, i64)> = sqlx::query_as("SELECT seq, refused FROM journal_gaps")
            .fetch_all(&mut conn)
            .await
            .unwrap();
        assert_eq!(gaps, [(4, 3)]);
        let leaves: Vec<(Vec<u8>, Option<i64>, Option<i64>)> = sqlx::query_as(
            "SELECT journal, intent_seq, completion_seq FROM records JOIN journals ON journals.id = journal_id ORDER BY seq LIMIT 1",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert_eq!(leaves, [(vec![9; 16], None, Some(0))]);
    });
}
