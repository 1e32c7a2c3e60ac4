//! What is left of the last segment after a crash.
//!
//! A crash may leave any part of what was written and not yet synced: the first bytes, none, or
//! pages from the middle. Nobody was told that those events are kept, so they are cut. What was
//! synced cannot be gone: if it is, that is damage, and cutting would hide it. Each frame tells
//! the two apart: it says which events were on disk when it was written.

use memchr::memmem;

use super::frame::{
    FRAME_MAGIC, FrameError, FrameRef, SEGMENT_HEADER, SegmentHeader, frame_length, read_frame,
};

/// Most bytes that are check-summed in search of frames behind a hole. A hostile file could hold a
/// frame's magic at every other byte; behind an honest hole each byte is summed once.
const MAX_SEARCH: usize = 256 << 20;

/// A segment, read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Its header.
    pub header: SegmentHeader,
    /// Number of the event after its last.
    pub next_seq: u64,
    /// Bytes up to the end of its last whole frame.
    pub length: usize,
    /// What a crash has torn, if anything.
    pub cut: Option<Cut>,
}

/// What a crash has torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins.
    pub offset: usize,
    /// How many bytes are not zero from there on, up to the last of them.
    pub bytes: usize,
}

/// Events that had been synced are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "event {seq} at offset {offset} is damaged, though it was on disk: events after it are there"
)]
pub struct Corruption {
    /// The first event that is gone.
    pub seq: u64,
    /// Where it should be.
    pub offset: usize,
}

/// Reads the last segment of a journal. `None` if it has no whole header: then nothing in it was
/// ever synced.
///
/// # Errors
/// [`Corruption`] when the hole is not one that a crash can leave.
pub fn scan_last<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(FrameRef<'a>),
) -> Result<Option<Scan>, Corruption> {
    let Some(header) = SegmentHeader::decode(bytes) else {
        return Ok(None);
    };
    let mut seq = header.first_seq;
    let mut offset = SEGMENT_HEADER;
    let cut = loop {
        let rest = bytes.get(offset..).unwrap_or_default();
        match read_frame(rest) {
            Ok(frame) if frame.seq == seq => {
                each(frame);
                seq += 1;
                offset += frame.len();
            }
            Err(FrameError::End) if rest.iter().all(|byte| *byte == 0) => break None,
            Ok(_) | Err(_) => {
                if was_synced(rest, seq) {
                    return Err(Corruption { seq, offset });
                }
                let last = rest.iter().rposition(|byte| *byte != 0);
                break Some(Cut {
                    offset,
                    bytes: last.map_or(0, |last| last + 1),
                });
            }
        }
    };
    Ok(Some(Scan {
        header,
        next_seq: seq,
        length: offset,
        cut,
    }))
}

/// Whether some frame in `bytes` was written when event `seq` was on disk already.
fn was_synced(bytes: &[u8], seq: u64) -> bool {
    let mut budget = MAX_SEARCH;
    let mut rest = bytes;
    while let Some(at) = memmem::find(rest, &FRAME_MAGIC) {
        let candidate = rest.get(at..).unwrap_or_default();
        let step = match read_frame(candidate) {
            Ok(frame) => {
                if frame.seq.saturating_sub(u64::from(frame.lag)) > seq {
                    return true;
                }
                frame.len()
            }
            Err(_) => {
                let summed = frame_length(candidate).map_or(0, |all| all.min(candidate.len()));
                budget = budget.saturating_sub(summed);
                if budget == 0 {
                    // Rather refuse to cut than search for ever.
                    return true;
                }
                FRAME_MAGIC.len()
            }
        };
        rest = candidate.get(step..).unwrap_or_default();
    }
    false
}
