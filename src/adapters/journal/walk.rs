//! Walks over the segments as they lie there, for audits: unlike [`super::Reader`] it does not stop
//! at what should not be.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::ReadError;
use super::files::{list, read_at, segment_path};
use crate::domain::journal::{
    FRAME_MAGIC, FrameError, JournalId, SEGMENT_HEADER, SegmentHeader, read_frame,
};

/// Read at a time.
const PIECE: usize = 256 << 10;

/// Most bytes that are check-summed in search of the next frame behind a damaged one.
const MAX_SEARCH: usize = 64 << 20;

/// A place in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First event of the segment, which is its name.
    pub segment: u64,
    /// Byte in it.
    pub offset: u64,
}

/// What is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// A whole frame with this number; [`Walk::payload`] gives its content.
    Frame(u64),
    /// Bytes that are no frame.
    Damaged,
    /// A segment begins that has no header of this journal.
    Foreign,
}

/// Walks over the frames of all segments, in the order in which they are stored.
#[derive(Debug)]
pub struct Walk {
    directory: PathBuf,
    journal: Option<JournalId>,
    segments: Vec<u64>,
    next: usize,
    open: Option<Open>,
    payload: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    first: u64,
    /// First event of the segment after it: what is numbered from there on is void.
    end: u64,
    path: PathBuf,
    file: File,
    /// Where `buffer` begins in the file.
    at: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Walk {
    /// Begins with the first segment whose successor comes after event `from`.
    ///
    /// # Errors
    /// [`ReadError`]; also when there is no segment.
    pub fn open(directory: &Path, from: u64) -> Result<Self, ReadError> {
        let segments = list(directory).map_err(|_| ReadError::Missing {
            path: directory.to_owned(),
        })?;
        let next = segments
            .partition_point(|first| *first <= from)
            .saturating_sub(1);
        Ok(Self {
            directory: directory.to_owned(),
            journal: None,
            segments,
            next,
            open: None,
            payload: Vec::new(),
        })
    }

    /// The journal, as the first segment says.
    pub const fn journal(&self) -> Option<JournalId> {
        self.journal
    }

    /// First events of the segments.
    pub fn segments(&self) -> &[u64] {
        &self.segments
    }

    /// Content of the frame that was met last.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Goes on; `None` at the end.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn advance(&mut self) -> Result<Option<(Place, Met)>, ReadError> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(met) = open.step(&mut self.payload)? {
                    return Ok(Some(met));
                }
                self.open = None;
            }
            let Some(first) = self.segments.get(self.next).copied() else {
                return Ok(None);
            };
            self.next += 1;
            let end = self.segments.get(self.next).copied().unwrap_or(u64::MAX);
            let path = segment_path(&self.directory, first);
            let mut open = Open {
                first,
                end,
                file: File::open(&path).map_err(|source| ReadError::Io {
                    path: path.clone(),
                    source,
                })?,
                path,
                at: 0,
                buffer: Vec::new(),
                used: 0,
            };
            open.refill()?;
            let header = SegmentHeader::decode(&open.buffer);
            let is_ours = header.is_some_and(|header| {
                header.first_seq == first
                    && *self.journal.get_or_insert(header.journal) == header.journal
            });
            open.used = SEGMENT_HEADER.min(open.buffer.len());
            let is_empty = open.buffer.iter().all(|byte| *byte == 0);
            self.open = Some(open);
            // A crash may leave a segment that was not begun.
            if !is_ours && !is_empty {
                let place = Place {
                    segment: first,
                    offset: 0,
                };
                return Ok(Some((place, Met::Foreign)));
            }
        }
    }
}

impl Open {
    fn step(&mut self, payload: &mut Vec<u8>) -> Result<Option<(Place, Met)>, ReadError> {
        loop {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            let place = Place {
                segment: self.first,
                offset: self.at + self.used as u64,
            };
            match read_frame(rest) {
                Ok(frame) if frame.seq >= self.end => return Ok(None),
                Ok(frame) => {
                    let (seq, length) = (frame.seq, frame.len());
                    payload.clear();
                    payload.extend_from_slice(frame.payload);
                    self.used += length;
                    return Ok(Some((place, Met::Frame(seq))));
                }
                // At the end of the bytes at hand anything looks torn.
                Err(fault) => {
                    if self.refill()? {
                        continue;
                    }
                    if fault == FrameError::End {
                        return Ok(None);
                    }
                    return Ok(self.skip().then_some((place, Met::Damaged)));
                }
            }
        }
    }

    /// Goes to the next frame behind a damaged place. False if there is none: then this may be all
    /// that a crash has left.
    fn skip(&mut self) -> bool {
        let mut budget = MAX_SEARCH;
        loop {
            let from = self.used + 1;
            let rest = self.buffer.get(from..).unwrap_or_default();
            let Some(at) = memchr::memmem::find(rest, &FRAME_MAGIC) else {
                return false;
            };
            self.used = from + at;
            loop {
                let rest = self.buffer.get(self.used..).unwrap_or_default();
                match read_frame(rest) {
                    Ok(frame) if frame.seq < self.end => return true,
                    Err(FrameError::Short) => {
                        if !self.refill().unwrap_or(false) {
                            break;
                        }
                    }
                    _ => {
                        let summed = rest
                            .get(4..8)
                            .and_then(|length| Some(u32::from_le_bytes(length.try_into().ok()?)))
                            .map_or(0, |length| length as usize)
                            .min(rest.len());
                        budget = budget.saturating_sub(summed);
                        break;
                    }
                }
            }
            if budget == 0 {
                return false;
            }
            if self.buffer.len() - self.used < PIECE / 2 && self.refill().is_err() {
                return false;
            }
        }
    }

    /// Reads on, keeping what was not used. False if that brings nothing more.
    fn refill(&mut self) -> Result<bool, ReadError> {
        let kept = self.buffer.len() - self.used;
        let mut fresh = vec![0; kept + PIECE];
        let from = self.at + self.used as u64;
        let read = read_at(&self.file, &mut fresh, from).map_err(|source| ReadError::Io {
            path: self.path.clone(),
            source,
        })?;
        fresh.truncate(read);
        self.buffer = fresh;
        self.at = from;
        self.used = 0;
        Ok(read > kept)
    }
}
