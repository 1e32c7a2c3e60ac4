use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use proptest::prelude::*;
use sqlx::{Connection, Executor};

use super::*;
use crate::adapters::ledger::schema::{open_reader, open_writer};
use crate::adapters::ledger::{SqliteStore, samples};
use crate::types::CallId;

const LONG: Duration = Duration::from_secs(30);

fn quick() -> RecorderSettings {
    RecorderSettings {
        capacity: 10_000,
        gather: Duration::from_millis(1),
        idle: Duration::from_millis(2),
    }
}

fn record(recorder: &LedgerRecorder, n: u64) {
    recorder.reserve().unwrap();
    recorder.submit(Box::new(samples::full(n)));
}

/// What the failing store does with the next write.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The write did not land.
    Lost,
    /// The write landed, but reported failure.
    LandedButFailed,
    Good,
}

/// A ledger in memory that fails as told, then works.
#[derive(Clone, Default)]
struct Memory {
    rows: Arc<Mutex<BTreeMap<CallId, usize>>>,
    fates: Arc<Mutex<VecDeque<Fate>>>,
}

impl RecordStore for Memory {
    type Error = &'static str;

    async fn write(&mut self, records: &[Box<CallRecord>]) -> Result<usize, Self::Error> {
        let fate = self.fates.lock().pop_front().unwrap_or(Fate::Good);
        if matches!(fate, Fate::Lost) {
            return Err("no");
        }
        let mut rows = self.rows.lock();
        let before = rows.len();
        for record in records {
            *rows.entry(record.call_id).or_default() += 1;
        }
        match fate {
            Fate::Good => Ok(rows.len() - before),
            _ => Err("perhaps"),
        }
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "{what} did not come about");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_bound_counts_open_and_unwritten_records() {
    let memory = Memory::default();
    let settings = RecorderSettings {
        capacity: 2,
        ..quick()
    };
    let recorder = LedgerRecorder::start(memory, settings).unwrap();
    recorder.reserve().unwrap();
    recorder.reserve().unwrap();
    assert_eq!(recorder.reserve(), Err(RecorderFull));
    assert_eq!(recorder.stats().unwritten, 2);
    recorder.submit(Box::new(samples::plain(1)));
    wait_until("a free place", || recorder.stats().unwritten == 1);
    recorder.reserve().unwrap();
    recorder.submit(Box::new(samples::plain(2)));
    recorder.submit(Box::new(samples::plain(3)));
    recorder.shutdown(LONG).unwrap();
    assert_eq!(recorder.stats().written, 3);
    assert_eq!(recorder.reserve(), Err(RecorderFull), "after the shutdown");
}

#[test]
fn shutdown_waits_for_calls_that_are_still_open() {
    let memory = Memory::default();
    let recorder = Arc::new(LedgerRecorder::start(memory.clone(), quick()).unwrap());
    recorder.reserve().unwrap();
    let late = Arc::clone(&recorder);
    let closing = thread::spawn(move || late.shutdown(LONG));
    wait_until("the stop", || recorder.shared.closed.load(Ordering::SeqCst));
    recorder.submit(Box::new(samples::plain(1)));
    closing.join().unwrap().unwrap();
    assert_eq!(memory.rows.lock().len(), 1);
}

#[test]
fn shutdown_says_what_could_not_be_written() {
    let memory = Memory::default();
    memory.fates.lock().extend([Fate::Lost; 10_000]);
    let recorder = LedgerRecorder::start(memory, quick()).unwrap();
    record(&recorder, 1);
    record(&recorder, 2);
    recorder.reserve().unwrap();
    wait_until("a failure", || recorder.stats().failing);
    let left = recorder.shutdown(Duration::from_millis(50)).unwrap_err();
    assert_eq!(left, Unwritten { queued: 2, open: 1 });
}

/// A store that breaks for good.
struct Broken;

impl RecordStore for Broken {
    type Error = &'static str;

    async fn write(&mut self, _: &[Box<CallRecord>]) -> Result<usize, Self::Error> {
        panic!("the writer is gone (this message belongs to the test)");
    }
}

#[test]
fn a_dead_writer_gives_no_more_places() {
    let recorder = LedgerRecorder::start(Broken, quick()).unwrap();
    record(&recorder, 1);
    wait_until("the refusal", || {
        let given = recorder.reserve().is_ok();
        if given {
            recorder.shared.unwritten.fetch_sub(1, Ordering::AcqRel);
        }
        !given
    });
    assert_eq!(recorder.shutdown(LONG).unwrap_err().queued, 1);
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
    fn whatever_fails_every_record_is_there_in_the_end(
        fates in proptest::collection::vec(fate(), 0..4),
        threads in 1_u64..5,
        each in 0_u64..60,
    ) {
        let memory = Memory::default();
        memory.fates.lock().extend(fates);
        let recorder = LedgerRecorder::start(memory.clone(), quick()).unwrap();
        thread::scope(|scope| {
            for thread in 0..threads {
                let recorder = &recorder;
                scope.spawn(move || (0..each).for_each(|n| record(recorder, thread * 1_000 + n)));
            }
        });
        recorder.shutdown(LONG).unwrap();
        let rows = memory.rows.lock();
        prop_assert_eq!(rows.len() as u64, threads * each);
        prop_assert_eq!(recorder.stats().written, threads * each);
        prop_assert_eq!(recorder.stats().unwritten, 0);
    }

    #[test]
    fn what_several_threads_submit_is_in_the_table_exactly_once(
        threads in 1_u64..5,
        each in 1_u64..150,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("egret.db");
        let recorder = start(&path, quick());
        thread::scope(|scope| {
            for thread in 0..threads {
                let recorder = &recorder;
                scope.spawn(move || (0..each).for_each(|n| record(recorder, thread * 1_000 + n)));
            }
        });
        recorder.shutdown(LONG).unwrap();
        let mut expected: Vec<_> = (0..threads)
            .flat_map(|thread| (0..each).map(move |n| samples::id(thread * 1_000 + n)))
            .collect();
        expected.sort();
        prop_assert_eq!(ids(&path), expected);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn start(path: &Path, settings: RecorderSettings) -> LedgerRecorder {
    let store = block_on(SqliteStore::open(path)).unwrap();
    LedgerRecorder::start(store, settings).unwrap()
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

#[test]
fn a_locked_database_delays_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let recorder = start(&path, quick());
    let mut other = block_on(open_writer(&path)).unwrap();
    block_on(other.execute("BEGIN IMMEDIATE")).unwrap();
    record(&recorder, 1);
    // SQLite's own patience ends first.
    wait_until("a failure", || recorder.stats().failures > 0);
    record(&recorder, 2);
    assert_eq!(recorder.stats().queued, 2);
    block_on(other.execute("ROLLBACK")).unwrap();
    block_on(other.close()).unwrap();
    recorder.shutdown(LONG).unwrap();
    assert_eq!(ids(&path), [samples::id(1), samples::id(2)]);
    assert!(!recorder.stats().failing);
}

#[test]
fn a_full_disk_delays_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let mut store = block_on(SqliteStore::open(&path)).unwrap();
    let limit = Arc::new(AtomicUsize::new(16));
    block_on(store.limit_pages(Arc::clone(&limit)));
    let recorder = LedgerRecorder::start(store, quick()).unwrap();
    (0..500).for_each(|n| record(&recorder, n));
    wait_until("a failure", || recorder.stats().failures > 0);
    assert!(recorder.stats().queued > 0);
    limit.store(100_000, Ordering::SeqCst);
    recorder.shutdown(LONG).unwrap();
    let expected: Vec<_> = (0..500).map(samples::id).collect();
    assert_eq!(ids(&path), expected);
}

#[test]
fn a_directory_that_became_unusable_delays_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let path = state.join("egret.db");
    let recorder = start(&path, quick());
    record(&recorder, 1);
    wait_until("the first row", || recorder.stats().written == 1);
    // Permissions do not hold for root, so the directory is moved away and a file put in its
    // place: neither opening nor creating the ledger can work.
    let away = dir.path().join("away");
    std::fs::rename(&state, &away).unwrap();
    std::fs::write(&state, "").unwrap();
    record(&recorder, 2);
    wait_until("a failure", || recorder.stats().failures > 0);
    assert_eq!(recorder.stats().queued, 1);
    std::fs::remove_file(&state).unwrap();
    std::fs::rename(&away, &state).unwrap();
    recorder.shutdown(LONG).unwrap();
    assert_eq!(ids(&path), [samples::id(1), samples::id(2)]);
}
