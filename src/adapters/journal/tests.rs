use std::collections::BTreeMap;
use std::sync::Barrier;
use std::time::Instant;

use proptest::prelude::*;

use super::memory::{Fate, Memory};
use super::*;
use crate::adapters::ledger::samples;
use crate::domain::evidence::{Opening, Salt};
use crate::domain::journal::{
    Cursor, Decoder, Event, FrameError, SEGMENT_HEADER, SegmentHeader, Source, push_opening,
    read_frame,
};
use crate::domain::record::{NotRecorded, Pseudonym, Recorder as _, Step, Wait};
use crate::types::Outcome;

pub(super) const LONG: Duration = Duration::from_secs(30);

pub(super) fn settings(directory: &Path) -> JournalSettings {
    JournalSettings {
        directory: directory.to_owned(),
        segment_size: 16 << 10,
        max_bytes: 1 << 30,
        sync_interval: Duration::from_millis(5),
        writer_priority: 0,
    }
}

pub(super) fn gateway() -> Gateway {
    Gateway {
        node: "node-1".into(),
        version: "0.1.0".into(),
        config_hash: "00".into(),
    }
}

pub(super) fn open(directory: &Path) -> Journal {
    Journal::open(settings(directory), &gateway(), |_| 0).unwrap()
}

pub(super) fn open_memory(files: &Memory) -> Journal {
    Journal::open_on(
        files.clone(),
        settings(Path::new("memory")),
        &gateway(),
        |_| 0,
    )
    .unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

pub(super) fn append(journal: &Journal, n: u64, wait: Wait) -> Result<Ticket, NotRecorded> {
    journal.append(Step::Completion, None, &samples::plain(n), wait)
}

/// Appends and waits, for at most as long as a test may take.
pub(super) fn record(journal: &Journal, n: u64, wait: Wait) -> Result<(), NotRecorded> {
    let ticket = append(journal, n, wait)?;
    let settled = async { tokio::time::timeout(LONG, journal.settled(ticket)).await };
    runtime().block_on(settled).expect("no answer")
}

pub(super) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "{what} did not come about");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Every event that a file system holds, by the rule that a segment ends where the next begins.
fn events(files: &impl Files) -> BTreeMap<u64, Vec<u8>> {
    let segments = files.list().unwrap();
    let mut found = BTreeMap::new();
    let mut expected = segments.first().copied().unwrap_or(0);
    for (index, first) in segments.iter().enumerate() {
        assert_eq!(*first, expected, "a hole between segments");
        let bytes = files.read(*first).unwrap();
        let end = segments.get(index + 1).copied().unwrap_or(u64::MAX);
        assert!(SegmentHeader::decode(&bytes).is_some());
        let mut rest = &bytes[SEGMENT_HEADER..];
        while expected < end {
            match read_frame(rest) {
                Ok(frame) if frame.seq == expected => {
                    found.insert(frame.seq, frame.payload.to_vec());
                    rest = &rest[frame.len()..];
                    expected += 1;
                }
                other => {
                    assert_eq!(end, u64::MAX, "segment {first} ends early: {other:?}");
                    assert!(matches!(other, Err(FrameError::End)), "{other:?}");
                    break;
                }
            }
        }
    }
    found
}

fn group(first_seq: u64, count: u64, size: usize) -> Group {
    let mut bytes = Vec::new();
    for seq in first_seq..first_seq + count {
        // Contents that tell events apart.
        let opening = Opening {
            salt: Salt::from_bytes([seq as u8; 16]),
            pseudonym: Pseudonym::from_bytes([9; 16]),
        };
        let mut openings = Vec::new();
        (0..seq % 3).for_each(|_| push_opening(&mut openings, &opening));
        let fields = vec![seq as u8 ^ 0x5a; size];
        push_frame(&mut bytes, Kind::Gap, seq, &fields, &openings);
    }
    Group {
        first_seq,
        count,
        bytes,
    }
}

fn is_event(seq: u64, payload: &[u8]) -> bool {
    payload[2..10] == seq.to_be_bytes()
        && payload[10..].iter().all(|byte| *byte == seq as u8 ^ 0x5a)
}

/// One step of a writer's life.
#[derive(Clone, Debug)]
enum Act {
    Push(u64, usize),
    Write,
    Sync,
    /// The next operations but so many fail.
    Fail(u64, u64, Fate),
    Heal,
    /// The process dies; what it wrote stays.
    Kill,
    /// The power goes; what was not synced stays or goes piece by piece.
    CutPower(Vec<bool>),
}

fn act() -> impl Strategy<Value = Act> {
    let fate = prop_oneof![Just(Fate::NotLanded), Just(Fate::LandedButFailed)];
    prop_oneof![
        6 => (1..6_u64, 0..200_usize).prop_map(|(count, size)| Act::Push(count, size)),
        4 => Just(Act::Write),
        4 => Just(Act::Sync),
        2 => (0..4_u64, 1..5_u64, fate).prop_map(|(nth, count, fate)| Act::Fail(nth, count, fate)),
        1 => Just(Act::Heal),
        1 => Just(Act::Kill),
        2 => prop::collection::vec(any::<bool>(), 1..40).prop_map(Act::CutPower),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever fails and whenever it stops: what was reported durable is there, what was reported
    /// written survives the process, nothing is there twice or out of order, nothing is made up.
    #[test]
    fn a_journal_keeps_what_it_promised(acts in prop::collection::vec(act(), 1..60)) {
        let files = Memory::default();
        let id = JournalId::from_bytes([1; 16]);
        let mut log = Log::new(files.clone(), id, 0, 1_024);
        let mut next = 0;
        let (mut durable, mut written) = (0, 0);
        for act in acts {
            match act {
                Act::Push(count, size) => {
                    log.push(group(next, count, size));
                    next += count;
                }
                Act::Write => {
                    if log.write(Micros(1)).is_ok() {
                        prop_assert_eq!(log.written_seq(), next);
                    }
                }
                Act::Sync => {
                    let _ = log.sync();
                }
                Act::Fail(nth, count, fate) => files.fail(nth, count, fate),
                Act::Heal => files.heal(),
                Act::Kill | Act::CutPower(_) => {
                    files.heal();
                    let mut promised = written;
                    if let Act::CutPower(survives) = &act {
                        let mut survives = survives.iter().cycle();
                        files.cut_power(|| *survives.next().unwrap());
                        promised = durable;
                    }
                    let recovered = recover_all(&files);
                    prop_assert!(recovered.next_seq >= promised, "{:?} < {}", recovered, promised);
                    prop_assert!(recovered.next_seq <= next);
                    let found = events(&files);
                    prop_assert_eq!(found.len() as u64, recovered.next_seq);
                    for (seq, payload) in &found {
                        prop_assert!(is_event(*seq, payload), "event {}", seq);
                    }
                    next = recovered.next_seq;
                    durable = next;
                    log = Log::new(files.clone(), id, next, 1_024);
                }
            }
            prop_assert!(log.durable_seq() >= durable);
            durable = log.durable_seq();
            written = log.written_seq().max(durable);
        }
    }
}

fn recover_all(files: &Memory) -> Recovered {
    log::recover(&mut files.clone()).unwrap()
}

/// Fails the n-th operation for every n, both ways: the records come through in the end, once.
#[test]
fn any_single_failure_is_survived() {
    for fate in [Fate::NotLanded, Fate::LandedButFailed] {
        for nth in 0.. {
            let files = Memory::default();
            let mut log = Log::new(files.clone(), JournalId::from_bytes([1; 16]), 0, 1_024);
            files.fail(nth, 1, fate);
            let mut failures = 0;
            for first in (0..40).step_by(4) {
                log.push(group(first, 4, 50));
                for _ in 0..3 {
                    if log.write(Micros(1)).and_then(|()| log.sync()).is_ok() {
                        break;
                    }
                    failures += 1;
                }
                assert_eq!(log.durable_seq(), first + 4, "operation {nth}, {fate:?}");
            }
            log.close();
            let found = events(&files);
            assert!(found.keys().copied().eq(0..40), "operation {nth}, {fate:?}");
            assert!(failures <= 1);
            if !files.has_failed() {
                assert!(nth > 20, "there are that many operations");
                break;
            }
        }
    }
}

#[test]
fn a_durable_record_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for n in 0..200 {
        record(&journal, n, Wait::Durable).unwrap();
    }
    let mut reader = journal.reader();
    reader.seek(None).unwrap();
    let batch = reader.next(1_000).unwrap().unwrap();
    assert_eq!(batch.calls.len(), 200);
    assert_eq!(*batch.calls[7].record, samples::plain(7));
    assert_eq!(batch.cursor.done_to, 201);
    assert!(reader.next(1_000).unwrap().is_none());
    assert!(
        files::list(dir.path()).unwrap().len() > 2,
        "several segments"
    );
    // What comes later is found, also in later segments.
    for n in 200..300 {
        record(&journal, n, Wait::Durable).unwrap();
    }
    assert_eq!(reader.next(1_000).unwrap().unwrap().calls.len(), 100);
    journal.shutdown(LONG).unwrap();
}

#[test]
fn records_that_nobody_waits_for_are_synced_within_the_interval() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, 1, Wait::Nothing).unwrap();
    wait_until("a sync", || journal.state().durable_seq == 2);
    record(&journal, 2, Wait::Written).unwrap();
    wait_until("a sync", || journal.state().durable_seq == 3);
}

#[test]
fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let error = Journal::open(settings(dir.path()), &gateway(), |_| 0)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("in use by another process"), "{error}");
    journal.shutdown(LONG).unwrap();
    drop(journal);
    open(dir.path());
}

#[test]
fn numbers_go_on_after_a_restart_and_never_repeat() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = journal.id();
    record(&journal, 1, Wait::Durable).unwrap();
    journal.shutdown(LONG).unwrap();
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.id(), id);
    assert_eq!(journal.state().next_seq, 3, "a start, a record, a start");
    journal.shutdown(LONG).unwrap();
    drop(journal);
    // Its segments are lost, but a ledger knows more.
    for first in files::list(dir.path()).unwrap().into_iter().skip(1) {
        std::fs::remove_file(files::segment_path(dir.path(), first)).unwrap();
    }
    let journal = Journal::open(settings(dir.path()), &gateway(), |of| {
        assert_eq!(of, id);
        100
    })
    .unwrap();
    assert_eq!(journal.state().next_seq, 101);
    let mut reader = journal.reader();
    let cursor = Cursor {
        journal: id,
        resume_at: 100,
        done_to: 100,
    };
    reader.seek(Some(cursor)).unwrap();
    record(&journal, 2, Wait::Durable).unwrap();
    assert_eq!(reader.next(10).unwrap().unwrap().calls.len(), 1);
}

#[test]
fn a_full_disk_is_noticed_decided_by_policy_and_recovered_from() {
    let files = Memory::default();
    let journal = open_memory(&files);
    record(&journal, 1, Wait::Durable).unwrap();
    files.fail(0, u64::MAX, Fate::NotLanded);
    assert_eq!(record(&journal, 2, Wait::Durable), Err(NotRecorded));
    assert!(!journal.state().is_healthy());
    // At once from now on, and counted.
    assert!(append(&journal, 3, Wait::Written).is_err());
    assert!(append(&journal, 4, Wait::Nothing).is_err());
    // A later step of a call that is recorded is kept for when that is over.
    let late = samples::plain(2);
    assert!(
        journal
            .append(Step::Completion, Some(0), &late, Wait::Durable)
            .is_err()
    );
    assert!(
        journal
            .append(Step::Completion, Some(0), &late, Wait::Nothing)
            .is_ok()
    );
    files.heal();
    wait_until("recovery", || journal.state().is_healthy());
    record(&journal, 5, Wait::Durable).unwrap();
    let state = journal.state();
    assert_eq!((state.refused, state.shed), (1, 1));
    journal.shutdown(LONG).unwrap();
    let mut decoder = Decoder::default();
    let mut gaps = Vec::new();
    let mut calls = Vec::new();
    for (seq, payload) in events(&files) {
        match decoder.decode(&payload, &[]).unwrap() {
            (found, Event::Gap(gap)) if found == seq => {
                gaps.push((gap.refused, gap.shed, gap.dropped))
            }
            (_, Event::Call(event)) => calls.push(event.record.call_id),
            _ => {}
        }
    }
    assert_eq!(gaps, [(1, 1, 0)]);
    let expected = [1, 2, 2, 2, 5].map(samples::id);
    assert_eq!(calls, expected);
}

#[test]
fn a_removed_directory_is_noticed_and_a_new_one_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = open(&path);
    let mut reader = journal.reader();
    reader.seek(None).unwrap();
    record(&journal, 1, Wait::Durable).unwrap();
    assert_eq!(reader.next(10).unwrap().unwrap().calls.len(), 1);
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!(record(&journal, 2, Wait::Durable), Err(NotRecorded));
    std::fs::create_dir(&path).unwrap();
    wait_until("recovery", || journal.state().is_healthy());
    record(&journal, 3, Wait::Durable).unwrap();
    assert_eq!(
        reader.next(10).unwrap().unwrap().calls.len(),
        2,
        "2 was kept"
    );
    assert!(
        Journal::open(settings(&path), &gateway(), |_| 0).is_err(),
        "locked again"
    );
}

#[test]
fn a_read_only_directory_is_refused_with_its_name() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    std::fs::write(&path, "a file").unwrap();
    let error = Journal::open(settings(&path), &gateway(), |_| 0)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write everywhere.
    if std::fs::write(path.join("probe"), "").is_err() {
        let error = Journal::open(settings(&path), &gateway(), |_| 0)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn damage_in_the_middle_is_refused_and_a_torn_tail_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for n in 0..5 {
        record(&journal, n, Wait::Durable).unwrap();
    }
    journal.shutdown(LONG).unwrap();
    drop(journal);
    let path = files::segment_path(dir.path(), 0);
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[300] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let error = Journal::open(settings(dir.path()), &gateway(), |_| 0)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("offset") && error.contains(".journal"),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), damaged, "left as it was");
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let journal = open(dir.path());
    assert_eq!(
        journal.state().next_seq,
        6,
        "the last of six is torn, then a start"
    );
}

#[test]
fn the_stated_bound_refuses_calls_until_the_ledger_has_caught_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut few = settings(dir.path());
    few.max_bytes = 2_000;
    let journal = Journal::open(few, &gateway(), |_| 0).unwrap();
    let mut reader = journal.reader();
    reader.seek(None).unwrap();
    let mut n = 0;
    while record(&journal, n, Wait::Durable).is_ok() {
        n += 1;
        assert!(n < 100);
    }
    assert!(n > 3);
    assert!(journal.state().is_healthy(), "the disk is fine");
    let batch = reader.next(1_000).unwrap().unwrap();
    reader.drained(&batch);
    record(&journal, n, Wait::Durable).unwrap();
}

#[test]
fn many_tasks_on_many_threads_all_hear_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(dir.path()));
    let threads = 4;
    let barrier = Arc::new(Barrier::new(threads));
    let handles: Vec<_> = (0..threads as u64)
        .map(|thread| {
            let journal = Arc::clone(&journal);
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || {
                barrier.wait();
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime(), async {
                    let tasks: Vec<_> = (0..50)
                        .map(|task| {
                            let journal = Arc::clone(&journal);
                            tokio::task::spawn_local(async move {
                                for n in 0..10 {
                                    let number = thread * 10_000 + task * 100 + n;
                                    let wait = if n % 3 == 0 {
                                        Wait::Written
                                    } else {
                                        Wait::Durable
                                    };
                                    let ticket = append(&journal, number, wait).unwrap();
                                    if n == 5 {
                                        // Gone before it is over.
                                        let settled = journal.settled(ticket);
                                        let soon = Duration::from_micros(task);
                                        let _ = tokio::time::timeout(soon, settled).await;
                                    } else {
                                        journal.settled(ticket).await.unwrap();
                                    }
                                }
                            })
                        })
                        .collect();
                    for task in tasks {
                        tokio::time::timeout(LONG, task).await.unwrap().unwrap();
                    }
                });
            })
        })
        .collect();
    for handle in handles {
        handle.join().unwrap();
    }
    journal.shutdown(LONG).unwrap();
    let mut reader = journal.reader();
    reader.seek(None).unwrap();
    let mut calls = 0;
    while let Some(batch) = reader.next(500).unwrap() {
        calls += batch.calls.len();
        assert!(
            batch
                .calls
                .iter()
                .all(|call| call.record.outcome == Outcome::Success)
        );
    }
    assert_eq!(calls, threads * 500);
}
