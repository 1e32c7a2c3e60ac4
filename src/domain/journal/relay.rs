//! How a process that hands its journal over goes on recording: what is said between it and its
//! successor, who writes the journal from then on.
//!
//! ```text
//! batch   wait:u8 length:u32 frame frame …      to the successor; wait 255 and no frames: the end
//! answer  settled:u8 next:u64                   from the successor, one for each batch
//! ```
//!
//! Frames are as in a segment. The successor numbers them anew, in the order in which it takes them:
//! one journal has one writer and one order. All numbers are little-endian.

use super::frame::{FRAME_HEADER, FrameError, Kind, VERSION, frame_length, read_frame};
use crate::domain::record::Wait;

/// Most bytes of one batch: what a journal may keep in memory, and one event more.
pub const MAX_BATCH: usize = 48 << 20;

/// Bytes of the head of a batch.
pub const BATCH_HEAD: usize = 5;
/// Bytes of an answer.
pub const ANSWER: usize = 9;

/// Stands for the end in place of how far somebody waits.
const END: u8 = 255;

/// The format of payloads that this program writes; it reads this one and those before it.
pub const JOURNAL_FORMAT: u8 = VERSION;

/// What comes next from the process that hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchHead {
    /// So many bytes of frames, and how far somebody waits for them to come.
    Events(Option<Wait>, usize),
    /// Nothing more: it has recorded its last call.
    End,
}

impl BatchHead {
    /// As bytes.
    pub fn encode(self) -> [u8; BATCH_HEAD] {
        let (code, length) = match self {
            Self::Events(None, length) => (0, length),
            Self::Events(Some(Wait::Nothing), length) => (1, length),
            Self::Events(Some(Wait::Written), length) => (2, length),
            Self::Events(Some(Wait::Durable), length) => (3, length),
            Self::End => (END, 0),
        };
        // Batches are below MAX_BATCH.
        let [a, b, c, d] = (length as u32).to_le_bytes();
        [code, a, b, c, d]
    }

    /// From bytes; `None` if they are no head, or announce more than is allowed.
    pub fn decode([code, length @ ..]: [u8; BATCH_HEAD]) -> Option<Self> {
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_BATCH {
            return None;
        }
        let wait = match code {
            0 => None,
            1 => Some(Wait::Nothing),
            2 => Some(Wait::Written),
            3 => Some(Wait::Durable),
            END if length == 0 => return Some(Self::End),
            _ => return None,
        };
        Some(Self::Events(wait, length))
    }
}

/// What the successor says to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The events have come as far as somebody waits for; else that cannot be said for now.
    pub settled: bool,
    /// The first event of the successor's journal after those of the batch.
    pub next_seq: u64,
}

impl Answer {
    /// As bytes.
    pub fn encode(self) -> [u8; ANSWER] {
        let [a, b, c, d, e, f, g, h] = self.next_seq.to_le_bytes();
        [u8::from(self.settled), a, b, c, d, e, f, g, h]
    }

    /// From bytes; `None` if they are no answer.
    pub fn decode([settled, next_seq @ ..]: [u8; ANSWER]) -> Option<Self> {
        (settled <= 1).then(|| Self {
            settled: settled == 1,
            next_seq: u64::from_le_bytes(next_seq),
        })
    }
}

/// Why a batch cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// Its bytes are no whole frames.
    #[error("a damaged frame")]
    Damaged,
    /// An event that only who opens a journal writes, or one of an unknown kind or format.
    #[error("an event that is not for others to write")]
    Foreign,
}

/// Checks the frames of a batch; gives how many they are.
///
/// # Errors
/// [`BatchFault`].
pub fn check_batch(mut frames: &[u8]) -> Result<u64, BatchFault> {
    let mut count = 0;
    while !frames.is_empty() {
        let frame = read_frame(frames).map_err(|_: FrameError| BatchFault::Damaged)?;
        let [version, code, ..] = frame.payload else {
            return Err(BatchFault::Damaged);
        };
        let is_for_us = matches!(Kind::from_code(*code), Some(Kind::Call(_) | Kind::Gap));
        if !is_for_us || !(1..=VERSION).contains(version) {
            return Err(BatchFault::Foreign);
        }
        frames = frames.get(frame.len()..).unwrap_or_default();
        count += 1;
    }
    Ok(count)
}

/// Numbers frames from `first` on. They have to be sealed after that. Gives the number after the
/// last.
pub fn renumber(mut frames: &mut [u8], first: u64) -> u64 {
    let mut seq = first;
    while let Some(length) = frame_length(frames) {
        let Some((frame, rest)) = frames.split_at_mut_checked(length) else {
            break;
        };
        if let Some(number) = frame.get_mut(FRAME_HEADER + 2..FRAME_HEADER + 10) {
            number.copy_from_slice(&seq.to_be_bytes());
        }
        frames = rest;
        seq += 1;
    }
    seq
}

/// What two copies of one event have in common, whatever numbers they were given.
pub fn unnumbered(payload: &[u8]) -> Vec<u8> {
    let (kind, rest) = payload.split_at(payload.len().min(2));
    [kind, rest.get(8..).unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::journal::{push_frame, seal_frame};
    use crate::domain::record::Step;

    fn frames(kinds: &[Kind], first: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (seq, kind) in (first..).zip(kinds) {
            let from = bytes.len();
            push_frame(&mut bytes, *kind, seq, b"fields", &[]);
            seal_frame(&mut bytes[from..], 0).unwrap();
        }
        bytes
    }

    const STEP: Kind = Kind::Call(Step::Intent);

    #[test]
    fn heads_and_answers_come_back_as_they_were() {
        for wait in [
            None,
            Some(Wait::Nothing),
            Some(Wait::Written),
            Some(Wait::Durable),
        ] {
            let head = BatchHead::Events(wait, MAX_BATCH);
            assert_eq!(BatchHead::decode(head.encode()), Some(head));
        }
        assert_eq!(
            BatchHead::decode(BatchHead::End.encode()),
            Some(BatchHead::End)
        );
        let answer = Answer {
            settled: true,
            next_seq: u64::MAX - 3,
        };
        assert_eq!(Answer::decode(answer.encode()), Some(answer));
        assert_eq!(BatchHead::decode([3, 255, 255, 255, 255]), None);
        assert_eq!(BatchHead::decode([9, 0, 0, 0, 0]), None);
        assert_eq!(Answer::decode([2; ANSWER]), None);
    }

    #[test]
    fn steps_of_calls_and_gaps_are_taken_and_nothing_else() {
        assert_eq!(check_batch(&[]), Ok(0));
        assert_eq!(check_batch(&frames(&[STEP, Kind::Gap, STEP], 9)), Ok(3));
        for kind in [Kind::Start, Kind::Rotation] {
            assert_eq!(
                check_batch(&frames(&[STEP, kind], 9)),
                Err(BatchFault::Foreign)
            );
        }
        let mut damaged = frames(&[STEP, STEP], 9);
        damaged[30] ^= 1;
        assert_eq!(check_batch(&damaged), Err(BatchFault::Damaged));
        let whole = frames(&[STEP], 9);
        assert_eq!(
            check_batch(&whole[..whole.len() - 1]),
            Err(BatchFault::Damaged)
        );
    }

    #[test]
    fn frames_get_new_numbers_and_stay_the_same_event() {
        let before = frames(&[STEP, Kind::Gap], 9);
        let mut after = before.clone();
        assert_eq!(renumber(&mut after, 1000), 1002);
        let length = seal_frame(&mut after, 5).unwrap();
        seal_frame(&mut after[length..], 5).unwrap();
        let (one, two) = (read_frame(&before).unwrap(), read_frame(&after).unwrap());
        assert_eq!((one.seq, two.seq), (9, 1000));
        assert_eq!(unnumbered(one.payload), unnumbered(two.payload));
        assert_eq!(read_frame(&after[length..]).unwrap().seq, 1001);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>, head: [u8; BATCH_HEAD]) {
            let _ = check_batch(&bytes);
            let _ = BatchHead::decode(head);
            renumber(&mut bytes, u64::MAX / 2);
            let _ = unnumbered(&bytes);
        }
    }
}
