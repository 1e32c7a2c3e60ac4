use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::domain::evidence::{Opening, Salt};
use crate::domain::record::{CallRecord, Pseudonym, Step};
use crate::types::{CallId, Micros, Outcome};

/// A payload and its openings; salts are counted up, so that each is another.
fn encode(step: Step, seq: u64, known: Option<usize>, record: &CallRecord) -> (Vec<u8>, Vec<u8>) {
    let mut encoded = Encoded::default();
    let mut salts = 0_u8;
    let Ok(()) = encode_call(&mut encoded, known, record, || {
        salts = salts.wrapping_add(1);
        Ok::<_, Infallible>(Salt::from_bytes([salts; 16]))
    });
    let mut frame = Vec::new();
    push_frame(&mut frame, Kind::Call(step), seq, &encoded.fields, &[]);
    (frame.split_off(FRAME_HEADER), encoded.openings)
}

fn decode(decoder: &mut Decoder, encoded: &(Vec<u8>, Vec<u8>)) -> (u64, Event) {
    decoder.decode(&encoded.0, &encoded.1).unwrap()
}

fn sample() -> CallRecord {
    use crate::adapters::ledger::samples;
    samples::full(7)
}

proptest! {
    #[test]
    fn a_whole_step_comes_back_exactly(record in samples::record(), seq in any::<u64>()) {
        let encoded = encode(Step::Intent, seq, None, &record);
        let (found, event) = decode(&mut Decoder::default(), &encoded);
        prop_assert_eq!(found, seq);
        let Event::Call(event) = event else { panic!("a call") };
        prop_assert!(event.whole);
        prop_assert_eq!(event.step, Step::Intent);
        prop_assert_eq!(*event.record, record);
    }

    /// A payload has commitments in place of pseudonyms, and stays as it is when one is erased.
    #[test]
    fn any_subject_can_be_erased(record in samples::record(), which in any::<prop::sample::Index>()) {
        prop_assume!(!record.subjects.is_empty());
        let (payload, mut openings) = encode(Step::Intent, 1, None, &record);
        let at = which.index(record.subjects.len());
        let pseudonym = record.subjects[at].pseudonym.unwrap();
        prop_assert!(memchr::memmem::find(&payload, pseudonym.as_bytes()).is_none());
        openings[at * OPENING..][..OPENING].copy_from_slice(&ERASED_OPENING);
        let (_, event) = decode(&mut Decoder::default(), &(payload, openings));
        let Event::Call(event) = event else { panic!("a call") };
        let mut expected = record;
        expected.subjects[at].pseudonym = None;
        prop_assert_eq!(*event.record, expected);
    }

    #[test]
    fn later_steps_complete_the_first(
        first in samples::record(),
        last in samples::record(),
        // As after a step that may not have been taken: the last says some subjects again.
        again in 0..3_usize,
    ) {
        // What does not change stays as the first step said; all else is as the last says.
        let mut expected = last.clone();
        expected.call_id = first.call_id;
        expected.gateway.clone_from(&first.gateway);
        expected.caller.clone_from(&first.caller);
        expected.target.clone_from(&first.target);
        expected.credential.clone_from(&first.credential);
        expected.credential.fingerprint = last.credential.fingerprint;
        expected.times.received_at = first.times.received_at;
        expected.subjects.clone_from(&first.subjects);
        expected.subjects.extend(last.subjects);
        let known = first.subjects.len().saturating_sub(again);
        let mut assembler = Assembler::default();
        let mut decoder = Decoder::default();
        for (seq, step, known, record) in [
            (5, Step::Intent, None, &first),
            (6, Step::Completion, Some(known), &expected),
        ] {
            let (seq, event) = decode(&mut decoder, &encode(step, seq, known, record));
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
        let (mut bytes, openings) = encode(Step::Outcome, 3, None, &record);
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at); } else { bytes[at] = byte; }
        if let Ok((seq, Event::Call(event))) = Decoder::default().decode(&bytes, &openings) {
            let known = (!event.whole).then_some(0);
            prop_assert_eq!(encode(event.step, seq, known, &event.record).0, bytes);
        }
    }

    #[test]
    fn noise_is_no_event(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Decoder::default().decode(&bytes, &[]);
        let _ = Decoder::default().decode(&bytes, &bytes);
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
    let frame = read_frame(&bytes).unwrap();
    let (seq, event) = Decoder::default()
        .decode(frame.payload, frame.openings)
        .unwrap();
    assert_eq!((seq, frame.lag, frame.len()), (42, 3, bytes.len()));
    let Event::Call(event) = event else {
        panic!("a call")
    };
    assert_eq!(*event.record, sample());
    // And it is still what is written.
    let (payload, openings) = encode(Step::Completion, 42, None, &sample());
    assert_eq!(payload, frame.payload);
    assert_eq!(openings, frame.openings);
}

#[test]
fn an_opening_that_was_changed_is_located() {
    let (payload, openings) = encode(Step::Intent, 1, None, &sample());
    let mut decoder = Decoder::default();
    // Of another record, with a check sum that holds.
    let mut other = openings.clone();
    let stranger = Opening {
        salt: Salt::from_bytes([9; 16]),
        pseudonym: Pseudonym::from_bytes([9; 16]),
    };
    let mut bytes = Vec::new();
    push_opening(&mut bytes, &stranger);
    other[OPENING..].copy_from_slice(&bytes);
    let error = decoder.decode(&payload, &other).unwrap_err();
    assert_eq!(error, DecodeError::Opening(1));
    // Zeros without their check sum are not an erasure.
    let mut zeros = openings.clone();
    zeros[..OPENING].fill(0);
    let error = decoder.decode(&payload, &zeros).unwrap_err();
    assert_eq!(error, DecodeError::Opening(0));
    let error = decoder.decode(&payload, &openings[OPENING..]).unwrap_err();
    let (subjects, openings) = (2, 1);
    assert_eq!(error, DecodeError::OpeningCount { subjects, openings });
}

#[test]
fn an_erased_opening_has_a_check_sum() {
    assert_eq!(read_opening(&ERASED_OPENING), Some(None));
    assert_eq!(read_opening(&[0; OPENING]), None);
    let nothing = Opening::from_bytes(&Opening::ERASED);
    assert_eq!(nothing, None);
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
    push_frame(&mut frames, Kind::Start, 0, &fields, &[]);
    let split = frames.len();
    fields.clear();
    encode_gap(&mut fields, &gap);
    push_frame(&mut frames, Kind::Gap, 1, &fields, &[]);
    let mut decoder = Decoder::default();
    let first = decoder.decode(&frames[FRAME_HEADER..split], &[]).unwrap();
    let second = &frames[split + FRAME_HEADER..];
    let second = decoder.decode(second, &[]).unwrap();
    assert_eq!(first, (0, Event::Start(start)));
    assert_eq!(second, (1, Event::Gap(gap)));
}

#[test]
fn a_newer_format_says_so() {
    let (mut bytes, openings) = encode(Step::Intent, 1, None, &sample());
    bytes[0] = 9;
    let error = Decoder::default().decode(&bytes, &openings).unwrap_err();
    assert_eq!(error, DecodeError::Newer(9));
    assert!(error.to_string().contains("newer egret"));
}

fn step(id: i64, step: Step, whole: bool, outcome: Outcome) -> Event {
    let mut record = sample();
    record.call_id = CallId::floor(id);
    record.outcome = outcome;
    record.reason = None;
    Event::Call(CallEvent {
        step,
        whole,
        told: 0,
        record: Box::new(record),
    })
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
        // One, two or no subjects.
        let opening = Opening {
            salt: Salt::from_bytes([3; 16]),
            pseudonym: Pseudonym::from_bytes([4; 16]),
        };
        let mut openings = Vec::new();
        (0..(seq + 1) % 3).for_each(|_| push_opening(&mut openings, &opening));
        push_frame(&mut bytes, Kind::Gap, *seq, &[1, 2, 3], &openings);
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
