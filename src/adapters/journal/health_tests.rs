//! What the journal says of itself.

use super::memory::Memory;
use super::tests::{LONG, append, open, open_memory, record, wait_until};
use crate::domain::journal::{Cursor, Source};
use crate::domain::record::Wait;

#[test]
fn the_age_of_what_the_ledger_lacks_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let began = journal.state().behind_since.unwrap();
    let mut reader = journal.reader();
    reader.seek(None).unwrap();
    for n in 0..3 {
        record(&journal, n, Wait::Durable).unwrap();
    }
    let state = journal.state();
    assert_eq!((state.drained_seq, state.next_seq), (0, 4));
    assert_eq!(
        state.behind_since,
        Some(began),
        "since the start was recorded"
    );
    let batch = reader.next(100).unwrap().unwrap();
    assert_eq!(journal.state().drained_seq, 0, "read is not drained");
    reader.drained(&batch);
    let state = journal.state();
    assert_eq!((state.drained_seq, state.behind_since), (4, None));
    record(&journal, 3, Wait::Durable).unwrap();
    assert!(journal.state().behind_since.unwrap() >= began);
}

#[test]
fn what_an_earlier_process_left_undrained_has_its_age() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = journal.id();
    for n in 0..5 {
        record(&journal, n, Wait::Durable).unwrap();
    }
    journal.shutdown(LONG).unwrap();
    drop(journal);
    let journal = open(dir.path());
    let mut reader = journal.reader();
    let cursor = Cursor {
        journal: id,
        resume_at: 3,
        done_to: 3,
    };
    reader.seek(Some(cursor)).unwrap();
    // Event 3 is the third call: its record says when it ended.
    let call = crate::adapters::ledger::samples::plain(2);
    let state = journal.state();
    assert_eq!(state.drained_seq, 3);
    assert_eq!(state.behind_since, call.times.completed_at);
    assert!(journal.latest_before().is_some());
}

#[test]
fn a_disk_that_does_not_answer_is_noticed_and_refuses_new_calls() {
    let files = Memory::default();
    let journal = open_memory(&files);
    record(&journal, 0, Wait::Durable).unwrap();
    assert!(!journal.state().stalled);
    files.hang(true);
    // It was taken before anybody could know; whoever waits for it has a limit of its own.
    let ticket = append(&journal, 1, Wait::Durable).unwrap();
    wait_until("a stall", || journal.state().stalled);
    assert!(append(&journal, 2, Wait::Durable).is_err());
    assert_eq!(journal.state().refused, 1);
    files.hang(false);
    wait_until("an end of the stall", || !journal.state().stalled);
    wait_until("the record", || journal.state().durable_seq > ticket.seq);
    record(&journal, 3, Wait::Durable).unwrap();
    assert!(!journal.state().ended);
    journal.shutdown(LONG).unwrap();
    assert!(!journal.state().ended, "it was told to");
}
