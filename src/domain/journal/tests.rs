use proptest::prelude::*;

use super::*;
use crate::domain::record::{CallRecord, Step};
use crate::types::{CallId, Micros, Outcome};

fn payload(step: Step, seq: u64, whole: bool, record: &CallRecord) -> Vec<u8> {
    let mut fields = Vec::new();
    encode_call(&mut fields, whole, record);
    let mut frame = Vec::new();
    push_frame(&mut frame, Kind::Call(step), seq, &fields);
    frame.split_off(FRAME_HEADER)
}

fn sample() -> CallRecord {
    use crate::adapters::ledger::samples;
    samples::full(7)
}

proptest! {
    #[test]
    fn a_whole_step_comes_back_exactly(record in samples::record(), seq in any::<u64>()) {
        let payload = payload(Step::Intent, seq, true, &record);
        let (found, event) = Decoder::default().decode(&payload).unwrap();
        prop_assert_eq!(found, seq);
        let Event::Call(event) = event else { panic!("a call") };
        prop_assert!(event.whole);
        prop_assert_eq!(event.step, Step::Intent);
        prop_assert_eq!(event.record, record);
    }

    #[test]
    fn later_steps_complete_the_first(first in samples::record(), last in samples::record()) {
        // What does not change stays as the first step said; all else is as the last says.
        let mut expected = last.clone();
        expected.call_id = first.call_id;
        expected.gateway.clone_from(&first.gateway);
        expected.caller.clone_from(&first.caller);
        expected.target.clone_from(&first.target);
        expected.credential.clone_from(&first.credential);
        expected.credential.fingerprint = last.credential.fingerprint;
        expected.times.received_at = first.times.received_at;
        let mut assembler = Assembler::default();
        let mut decoder = Decoder::default();
        for (seq, step, whole, record) in [
            (5, Step::Intent, true, &first),
            (6, Step::Completion, false, &expected),
        ] {
            let (seq, event) = decoder.decode(&payload(step, seq, whole, record)).unwrap();
            prop_assert!(assembler.push(seq, event));
        }
        let (calls, _) = assembler.take();
        prop_assert_eq!(calls.len(), 1);
        prop_assert_eq!(&*calls[0].record, &expected);
        prop_assert_eq!((calls[0].leaves.intent, calls[0].leaves.completion), (Some(5), Some(6)));
    }

    /// The bytes are the leaves of a Merkle tree: two encodings of one event would be two leaves.
    #[test]
    fn what_decodes_is_canonical(
        record in samples::record(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = payload(Step::Outcome, 3, true, &record);
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at); } else { bytes[at] = byte; }
        if let Ok((seq, Event::Call(event))) = Decoder::default().decode(&bytes) {
            prop_assert_eq!(payload(event.step, seq, event.whole, &event.record), bytes);
        }
    }

    #[test]
    fn noise_is_no_event(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Decoder::default().decode(&bytes);
        let _ = read_frame(&bytes);
        let _ = scan_last(&bytes, |_| {});
    }
}

/// Bytes written by version 1 of the format. They must be readable for ever: never change this
/// text; add another fixture beside it when there is a version 2.
const FIXTURE: &str = include_str!("fixture_v1.hex");

#[test]
fn the_first_format_stays_readable() {
    let bytes: Vec<u8> = FIXTURE
        .split_whitespace()
        .collect::<String>()
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let (seq, event) = Decoder::default().decode(&bytes).unwrap();
    assert_eq!(seq, 42);
    let Event::Call(event) = event else {
        panic!("a call")
    };
    assert_eq!(event.record, sample());
    // And it is still what is written.
    assert_eq!(payload(Step::Completion, 42, true, &sample()), bytes);
}

#[test]
fn starts_and_gaps_come_back() {
    let start = Start {
        at: Micros(-5),
        node: "n".into(),
        version: "0.1.0".into(),
        config_hash: "00".into(),
        cut_bytes: 300,
    };
    let gap = Gap {
        from: Micros(1),
        to: Micros(2),
        refused: 3,
        shed: 0,
        dropped: 1,
    };
    let mut fields = Vec::new();
    encode_start(&mut fields, &start);
    let mut frames = Vec::new();
    push_frame(&mut frames, Kind::Start, 0, &fields);
    let split = frames.len();
    fields.clear();
    encode_gap(&mut fields, &gap);
    push_frame(&mut frames, Kind::Gap, 1, &fields);
    let mut decoder = Decoder::default();
    let first = decoder.decode(&frames[FRAME_HEADER..split]).unwrap();
    let second = decoder.decode(&frames[split + FRAME_HEADER..]).unwrap();
    assert_eq!(first, (0, Event::Start(start)));
    assert_eq!(second, (1, Event::Gap(gap)));
}

#[test]
fn a_newer_format_says_so() {
    let mut bytes = payload(Step::Intent, 1, true, &sample());
    bytes[0] = 9;
    let error = Decoder::default().decode(&bytes).unwrap_err();
    assert_eq!(error, DecodeError::Newer(9));
    assert!(error.to_string().contains("newer egret"));
}

fn step(id: i64, step: Step, whole: bool, outcome: Outcome) -> Event {
    let mut record = sample();
    record.call_id = CallId::floor(id);
    record.outcome = outcome;
    record.reason = None;
    Event::Call(Box::new(CallEvent {
        step,
        whole,
        record,
    }))
}

fn start() -> Event {
    Event::Start(Start {
        at: Micros(0),
        node: "n".into(),
        version: "1".into(),
        config_hash: "h".into(),
        cut_bytes: 0,
    })
}

#[test]
fn a_start_ends_the_calls_that_the_last_process_left_open() {
    let mut assembler = Assembler::default();
    assembler.push(0, start());
    assembler.push(1, step(1, Step::Intent, true, Outcome::Unknown));
    assembler.push(2, step(2, Step::Intent, true, Outcome::Unknown));
    assembler.push(3, step(2, Step::Outcome, false, Outcome::Success));
    assert_eq!((assembler.ready(), assembler.resume_at(4)), (0, 1));
    assembler.push(4, start());
    assert_eq!(assembler.resume_at(5), 5);
    let (calls, _) = assembler.take();
    let ends: Vec<_> = calls
        .iter()
        .map(|call| (call.record.outcome, call.record.reason.as_deref()))
        .collect();
    assert_eq!(
        ends,
        [
            (Outcome::Unknown, Some("gateway_stopped")),
            (Outcome::Success, None)
        ]
    );
}

#[test]
fn reading_again_from_the_oldest_open_call_makes_no_row_twice() {
    let events = [
        step(1, Step::Intent, true, Outcome::Unknown),
        step(2, Step::Intent, true, Outcome::Unknown),
        step(2, Step::Completion, false, Outcome::Success),
        step(1, Step::Completion, false, Outcome::Success),
    ];
    let mut assembler = Assembler::default();
    for (seq, event) in (0..).zip(&events[..3]) {
        assembler.push(seq, event.clone());
    }
    let (calls, _) = assembler.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(assembler.resume_at(3), 0);
    // After a restart.
    let mut assembler = Assembler::new(3);
    for (seq, event) in (0..).zip(events) {
        assembler.push(seq, event);
    }
    let (calls, _) = assembler.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].record.call_id, CallId::floor(1));
}

#[test]
fn a_call_that_never_ends_is_cut_off_in_the_end() {
    let mut assembler = Assembler::default();
    assembler.push(0, step(1, Step::Intent, true, Outcome::Unknown));
    let Event::Call(mut late) = step(2, Step::Intent, true, Outcome::Unknown) else {
        panic!("a call")
    };
    late.record.times.received_at = late.record.times.received_at.plus(MAX_OPEN);
    assembler.push(1, Event::Call(late));
    let (calls, _) = assembler.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(assembler.resume_at(2), 1);
}

/// A segment with these frames; each is (number, events not yet on disk before it).
fn segment(first: u64, frames: &[(u64, u32)]) -> (Vec<u8>, Vec<usize>) {
    let header = SegmentHeader {
        journal: JournalId::from_bytes([7; 16]),
        first_seq: first,
        created_at: Micros(1),
    };
    let mut bytes = header.encode().to_vec();
    let mut offsets = Vec::new();
    for (seq, lag) in frames {
        offsets.push(bytes.len());
        let at = bytes.len();
        push_frame(&mut bytes, Kind::Gap, *seq, &[1, 2, 3]);
        seal_frame(&mut bytes[at..], *lag).unwrap();
    }
    offsets.push(bytes.len());
    (bytes, offsets)
}

#[test]
fn whole_segments_end_at_the_end_or_at_zeros() {
    let (mut bytes, offsets) = segment(10, &[(10, 0), (11, 1)]);
    for room in [0, 5, 100] {
        bytes.resize(offsets[2] + room, 0);
        let mut seen = Vec::new();
        let scan = scan_last(&bytes, |frame| seen.push(frame.seq))
            .unwrap()
            .unwrap();
        assert_eq!(seen, [10, 11]);
        assert_eq!(
            (scan.next_seq, scan.length, scan.cut),
            (12, offsets[2], None)
        );
    }
    assert_eq!(scan_last(&bytes[..40], |_| {}), Ok(None));
}

#[test]
fn a_torn_tail_is_cut_and_said() {
    // Three frames of one group: none was on disk when the last was written.
    let (bytes, offsets) = segment(0, &[(0, 0), (1, 0), (2, 1), (3, 2)]);
    for torn in offsets[1]..offsets[4] {
        // The rest did not land at all, or only one byte of it did not.
        let mut short = bytes.clone();
        short[torn..].fill(0);
        let mut hole = bytes.clone();
        hole[torn] ^= 0x55;
        for bytes in [short, hole] {
            let scan = scan_last(&bytes, |_| {}).unwrap().unwrap();
            let whole = offsets[1..].iter().filter(|end| **end <= torn).count() as u64;
            assert_eq!(scan.next_seq, whole, "torn at {torn}");
            let cut = scan.cut.map(|cut| cut.offset);
            if torn != offsets[whole as usize] || bytes[torn] != 0 {
                assert_eq!(cut, Some(scan.length), "torn at {torn}");
            }
        }
    }
}

#[test]
fn damage_before_the_tail_is_an_error_that_says_where() {
    let (bytes, offsets) = segment(0, &[(0, 0), (1, 0), (2, 1), (3, 0)]);
    // Frame 3 was written when 0 to 2 were on disk.
    for frame in 0..3 {
        for at in offsets[frame]..offsets[frame + 1] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            let corruption = scan_last(&bytes, |_| {}).unwrap_err();
            assert_eq!(
                corruption,
                Corruption {
                    seq: frame as u64,
                    offset: offsets[frame]
                }
            );
        }
    }
}

#[test]
fn a_hostile_file_is_not_searched_for_ever() {
    // A magic with a plausible length at every eighth byte, behind a hole.
    let (mut bytes, _) = segment(0, &[(0, 0)]);
    bytes[70] ^= 0xff;
    for _ in 0..64 * 1024 {
        bytes.extend_from_slice(&[0xe6, 0x7a, 0, 0, 0, 0, 6, 0]);
    }
    assert!(scan_last(&bytes, |_| {}).is_err());
}
