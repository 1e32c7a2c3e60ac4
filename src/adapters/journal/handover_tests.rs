//! One journal, two writers one after the other, in one process: what crosses over is what matters.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use super::tests::{LONG, append, open, record, settings, wait_until};
use super::*;
use crate::domain::journal::{BATCH_HEAD, BatchHead, Source, unnumbered};
use crate::domain::record::Wait;

/// Everything in the journal, by number.
fn leaves(directory: &Path) -> BTreeMap<u64, Vec<u8>> {
    let mut reader = Reader::open(directory).unwrap();
    let mut found = BTreeMap::new();
    reader.seek(None).unwrap();
    while reader
        .next_leaf(|frame| {
            found.insert(frame.seq, unnumbered(frame.payload));
        })
        .unwrap()
        .is_some()
    {}
    found
}

fn assert_whole_and_once(directory: &Path, events: usize) {
    let leaves = leaves(directory);
    assert_eq!(leaves.len(), events);
    assert_eq!(
        leaves.keys().copied().max(),
        Some(events as u64 - 1),
        "a hole"
    );
    let once: std::collections::BTreeSet<_> = leaves.values().collect();
    assert_eq!(once.len(), events, "an event is there twice");
}

/// Hands a journal over; gives the successor's and how the predecessor is.
fn hand_over(old: &Journal, directory: &Path) -> (Arc<Journal>, Intake) {
    let released = old.release().unwrap();
    let new = Arc::new(Journal::adopt(settings(directory), released).unwrap());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let intake = new.take_in(theirs).unwrap();
    old.relay(ours).unwrap();
    (new, intake)
}

#[test]
fn both_processes_record_and_every_event_is_there_once() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    record(&old, 1, Wait::Durable).unwrap();
    let (new, intake) = hand_over(&old, place.path());
    std::thread::scope(|scope| {
        scope.spawn(|| (10..60).for_each(|n| record(&old, n, Wait::Durable).unwrap()));
        scope.spawn(|| (100..150).for_each(|n| record(&new, n, Wait::Durable).unwrap()));
    });
    record(&old, 60, Wait::Written).unwrap();
    append(&old, 61, Wait::Nothing).unwrap();
    assert_eq!(intake.predecessor(), Predecessor::Active);
    old.shutdown(LONG).unwrap();
    assert_eq!(intake.wait(LONG), Predecessor::Ended);
    new.shutdown(LONG).unwrap();
    drop((old, new));
    // The start, 1, 50, 50, 60, 61.
    assert_whole_and_once(place.path(), 104);
}

#[test]
fn what_comes_between_waits_and_is_recorded_then() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    let released = old.release().unwrap();
    let early = append(&old, 1, Wait::Durable).unwrap();
    let new = Arc::new(Journal::adopt(settings(place.path()), released).unwrap());
    record(&new, 2, Wait::Durable).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _intake = new.take_in(theirs).unwrap();
    old.relay(ours).unwrap();
    wait_until("the event", || old.state().durable_seq > early.seq);
    old.shutdown(LONG).unwrap();
    new.shutdown(LONG).unwrap();
    assert_whole_and_once(place.path(), 3);
}

#[test]
fn a_successor_that_cannot_begin_gives_the_journal_back() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    drop(old.release().unwrap());
    let early = append(&old, 1, Wait::Durable).unwrap();
    old.take_back().unwrap();
    wait_until("the event", || old.state().durable_seq > early.seq);
    record(&old, 2, Wait::Durable).unwrap();
    let mut reader = old.reader();
    reader.seek(None).unwrap();
    assert_eq!(reader.next(100).unwrap().unwrap().calls.len(), 2);
    old.shutdown(LONG).unwrap();
    drop(old);
    assert_whole_and_once(place.path(), 3);
    // And the lock was never let go of: nobody else could have had it.
    drop(open(place.path()));
}

/// The next batch that a predecessor sends.
fn next_batch(stream: &mut UnixStream) -> (Vec<u8>, Option<Wait>) {
    let mut head = [0; BATCH_HEAD];
    stream.read_exact(&mut head).unwrap();
    let Some(BatchHead::Events(wait, length)) = BatchHead::decode(head) else {
        panic!("no batch");
    };
    let mut frames = vec![0; length];
    stream.read_exact(&mut frames).unwrap();
    (frames, wait)
}

#[test]
fn the_journal_comes_back_when_the_successor_dies_before_it_answers() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    let released = old.release().unwrap();
    let new = Journal::adopt(settings(place.path()), released).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    old.relay(ours).unwrap();
    let on_the_way = append(&old, 1, Wait::Durable).unwrap();
    let (frames, wait) = next_batch(&mut theirs);
    record(&new, 2, Wait::Durable).unwrap();
    new.take_batch(&frames, wait).unwrap().unwrap();
    record(&new, 3, Wait::Durable).unwrap();
    let later = append(&old, 4, Wait::Durable).unwrap();
    new.shutdown(LONG).unwrap();
    drop((new, theirs));
    wait_until("the loss", || old.relay_is_lost());
    // Nobody is told that it is on disk before this process has seen it there.
    assert!(old.state().durable_seq <= on_the_way.seq);
    old.take_back().unwrap();
    wait_until("the events", || old.state().durable_seq > later.seq);
    assert!(!old.relay_is_lost());
    record(&old, 5, Wait::Durable).unwrap();
    old.shutdown(LONG).unwrap();
    drop(old);
    // The start and 1 to 5.
    assert_whole_and_once(place.path(), 6);
}

#[test]
fn a_successor_that_ends_leaves_the_journal_to_who_still_has_calls() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    let (new, intake) = hand_over(&old, place.path());
    record(&old, 1, Wait::Durable).unwrap();
    append(&old, 2, Wait::Nothing).unwrap();
    new.shutdown(LONG).unwrap();
    drop(new);
    append(&old, 3, Wait::Durable).unwrap();
    assert_eq!(intake.wait(LONG), Predecessor::Lost);
    wait_until("the loss", || old.relay_is_lost());
    old.take_back().unwrap();
    record(&old, 4, Wait::Durable).unwrap();
    // And again, to another.
    let (new, intake) = hand_over(&old, place.path());
    record(&old, 5, Wait::Durable).unwrap();
    record(&new, 6, Wait::Durable).unwrap();
    old.shutdown(LONG).unwrap();
    assert_eq!(intake.wait(LONG), Predecessor::Ended);
    new.shutdown(LONG).unwrap();
    drop((old, new));
    assert_whole_and_once(place.path(), 7);
}

#[test]
fn a_journal_that_ends_elsewhere_is_not_adopted() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    let mut released = old.release().unwrap();
    released.next_seq += 1;
    let adopted = Journal::adopt(settings(place.path()), released);
    assert!(matches!(
        adopted.err(),
        Some(JournalError::Elsewhere { .. })
    ));
    old.take_back().unwrap();
    record(&old, 1, Wait::Durable).unwrap();
}
