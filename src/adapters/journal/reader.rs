//! Reads the journal back, in order, for ledgers.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::files::{list, read_at, segment_path};
use super::shared::Shared;
use crate::domain::journal::{
    Assembler, Batch, Cursor, DecodeError, Decoder, FrameError, FrameRef, JournalId,
    SEGMENT_HEADER, SegmentHeader, Source, frame_length, read_frame,
};
use crate::domain::record::CallRecord;
use crate::types::Micros;

/// Read at a time: some hundred events, so that they are still in the core's cache when they are
/// looked at.
const PIECE: usize = 64 << 10;

/// The journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error(
        "there is no journal in {path}: name its directory in the configuration ([journal] dir)"
    )]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot read the journal's {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The segment with an event is not there.
    #[error("the journal {path} lacks event {seq}: a segment is missing; restore it from a copy")]
    Gone {
        /// The directory.
        path: PathBuf,
        /// The first event that is missing.
        seq: u64,
    },
    /// A segment of another journal, or none at all.
    #[error("{path} is not a segment of this journal: move it out of the directory")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A damaged event.
    #[error("{path}: event {seq} at offset {offset} is damaged; restore the file from a copy")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The event that should be there.
        seq: u64,
        /// Where.
        offset: u64,
    },
    /// A whole event that cannot be understood.
    #[error("{path}: event {seq} at offset {offset}: {source}")]
    Event {
        /// Which file.
        path: PathBuf,
        /// Which event.
        seq: u64,
        /// Where.
        offset: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

struct Segment {
    first_seq: u64,
    file: File,
    path: PathBuf,
    /// Where `buffer` begins in it.
    at: u64,
    buffer: Vec<u8>,
    /// The buffer before that, for the next piece: fresh memory would have to be cleared.
    spare: Vec<u8>,
    /// Bytes of the buffer that were read.
    used: usize,
}

/// Reads events one after another.
pub struct Reader {
    directory: PathBuf,
    journal: JournalId,
    /// Tells how far the journal has come; `None` to read whatever is there.
    following: Option<Arc<Shared>>,
    segment: Option<Segment>,
    next_seq: u64,
    assembler: Assembler,
    decoder: Decoder,
}

impl Reader {
    pub(super) fn following(journal: JournalId, shared: Arc<Shared>) -> Self {
        let directory = shared.settings.directory.clone();
        Self::new(directory, journal, Some(shared))
    }

    fn new(directory: PathBuf, journal: JournalId, following: Option<Arc<Shared>>) -> Self {
        Self {
            directory,
            journal,
            following,
            segment: None,
            next_seq: 0,
            assembler: Assembler::default(),
            decoder: Decoder::default(),
        }
    }

    /// Reads a journal that no process writes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(directory: &Path) -> Result<Self, ReadError> {
        let missing = || ReadError::Missing {
            path: directory.to_owned(),
        };
        let first = list(directory)
            .map_err(|_| missing())?
            .first()
            .copied()
            .ok_or_else(missing)?;
        let path = segment_path(directory, first);
        let header = read_header(&path)?;
        Ok(Self::new(directory.to_owned(), header.journal, None))
    }

    /// The next event that will be read.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Calls whose end was not read yet.
    pub fn open_calls(&self) -> usize {
        self.assembler.open_calls()
    }

    /// What was read of the calls whose end was not read yet.
    pub fn open_records(&self) -> impl Iterator<Item = &CallRecord> {
        self.assembler.open_records()
    }

    /// The first event after those that can be read now.
    fn end(&self) -> u64 {
        self.following
            .as_ref()
            .map_or(u64::MAX, |shared| shared.marks.durable())
    }

    /// Opens the segment that holds an event, if that is not the open one.
    fn locate(&mut self, seq: u64) -> Result<bool, ReadError> {
        let directory = self.directory.clone();
        let segments = list(&directory).map_err(|source| ReadError::Io {
            path: directory.clone(),
            source,
        })?;
        let Some(first) = segments.iter().copied().rfind(|first| *first <= seq) else {
            return Err(ReadError::Gone {
                path: directory,
                seq,
            });
        };
        if self
            .segment
            .as_ref()
            .is_some_and(|open| open.first_seq == first)
        {
            return Ok(false);
        }
        let path = segment_path(&self.directory, first);
        let header = read_header(&path)?;
        if header.journal != self.journal || header.first_seq != first {
            return Err(ReadError::Foreign { path });
        }
        let file = File::open(&path).map_err(|source| ReadError::Io {
            path: path.clone(),
            source,
        })?;
        self.segment = Some(Segment {
            first_seq: first,
            file,
            path,
            at: SEGMENT_HEADER as u64,
            buffer: Vec::new(),
            spare: Vec::new(),
            used: 0,
        });
        self.next_seq = first;
        Ok(true)
    }

    /// Calls `each` with the next event; false when there is none yet.
    fn step(
        &mut self,
        mut each: impl FnMut(&mut Assembler, &mut Decoder, FrameRef<'_>) -> Result<(), DecodeError>,
        bytes: &mut u64,
    ) -> Result<bool, ReadError> {
        loop {
            if self.next_seq >= self.end() {
                return Ok(false);
            }
            if self.segment.is_none() {
                let seq = self.next_seq;
                match self.locate(seq) {
                    Err(ReadError::Gone { .. }) => self.skip_missing(seq)?,
                    located => {
                        located?;
                        self.skip_to(seq)?;
                    }
                }
                continue;
            }
            let Some(segment) = &mut self.segment else {
                return Ok(false);
            };
            let rest = segment.buffer.get(segment.used..).unwrap_or_default();
            let found = read_frame(rest);
            let is_end = found == Err(FrameError::End);
            match found {
                Ok(frame) if frame.seq == self.next_seq => {
                    let length = frame.len();
                    let offset = segment.at + segment.used as u64;
                    each(&mut self.assembler, &mut self.decoder, frame).map_err(|source| {
                        ReadError::Event {
                            path: segment.path.clone(),
                            seq: self.next_seq,
                            offset,
                            source,
                        }
                    })?;
                    segment.used += length;
                    *bytes += length as u64;
                    self.next_seq += 1;
                    return Ok(true);
                }
                _ => {
                    // The bytes at hand may be older than the event.
                    if segment.refill()? {
                        continue;
                    }
                    let seq = self.next_seq;
                    // What lies beyond the next segment's first event is void.
                    if self.locate(seq)? {
                        if self.next_seq != seq {
                            self.skip_missing(seq)?;
                        }
                        continue;
                    }
                    if is_end {
                        if self.following.is_none() && !self.has_more(seq) {
                            return Ok(false);
                        }
                        self.skip_missing(seq)?;
                        continue;
                    }
                    let Some(segment) = &self.segment else {
                        return Ok(false);
                    };
                    return Err(ReadError::Damaged {
                        path: segment.path.clone(),
                        seq,
                        offset: segment.at + segment.used as u64,
                    });
                }
            }
        }
    }

    /// Reads on without looking at the events.
    fn skip_to(&mut self, seq: u64) -> Result<(), ReadError> {
        let mut bytes = 0;
        while self.next_seq < seq {
            if !self.step(|_, _, _| Ok(()), &mut bytes)? {
                return Err(self.gone(self.next_seq));
            }
        }
        Ok(())
    }

    fn gone(&self, seq: u64) -> ReadError {
        ReadError::Gone {
            path: self.directory.clone(),
            seq,
        }
    }

    fn has_more(&self, seq: u64) -> bool {
        list(&self.directory).is_ok_and(|all| all.iter().any(|first| *first > seq))
    }

    /// Goes on with what is there after events that are not. A running gateway must not stop
    /// feeding its ledger for what nobody can bring back; a rebuild must not pretend.
    fn skip_missing(&mut self, seq: u64) -> Result<(), ReadError> {
        let gone = self.gone(seq);
        if self.following.is_none() {
            return Err(gone);
        }
        let next = list(&self.directory)
            .ok()
            .and_then(|all| all.into_iter().find(|first| *first > seq))
            .ok_or(gone)?;
        tracing::error!(
            from = seq,
            to = next - 1,
            "events are gone from the journal and will not be in the ledger: were segments removed?"
        );
        self.segment = None;
        self.next_seq = next;
        Ok(())
    }

    /// When an event was recorded, as far as it tells; `None` also if it is not there.
    fn recorded_at(&self, seq: u64) -> Option<Micros> {
        let mut reader = Self::new(self.directory.clone(), self.journal, self.following.clone());
        if seq >= reader.end() {
            return None;
        }
        reader.locate(seq).ok()?;
        reader.skip_to(seq).ok()?;
        let mut at = None;
        let read = reader.step(
            |_, decoder, frame| {
                at = decoder.decode(frame.payload, frame.openings)?.1.at();
                Ok(())
            },
            &mut 0,
        );
        read.ok().and(at)
    }

    /// Bytes of events from here to the end, as far as file sizes tell.
    fn bytes_ahead(&self) -> u64 {
        let Ok(segments) = list(&self.directory) else {
            return 0;
        };
        let here = self.segment.as_ref().map_or(0, |open| open.first_seq);
        let sizes = segments
            .iter()
            .filter(|first| **first >= here)
            .map(|first| {
                std::fs::metadata(segment_path(&self.directory, *first))
                    .map_or(0, |meta| meta.len())
            });
        let read = self
            .segment
            .as_ref()
            .map_or(0, |open| open.at + open.used as u64);
        // The last one has room for what is to come.
        let room = self
            .following
            .as_ref()
            .map_or(0, |shared| shared.settings.segment_size);
        sizes.sum::<u64>().saturating_sub(read).saturating_sub(room)
    }
}

fn read_header(path: &Path) -> Result<SegmentHeader, ReadError> {
    let failed = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    let mut header = [0; SEGMENT_HEADER];
    let file = File::open(path).map_err(failed)?;
    let foreign = || ReadError::Foreign {
        path: path.to_owned(),
    };
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(foreign()),
        read => read.map_err(failed)?,
    }
    SegmentHeader::decode(&header).ok_or_else(foreign)
}

impl Segment {
    /// Reads on in the file, keeping what was not used. False if that brings nothing new.
    fn refill(&mut self) -> Result<bool, ReadError> {
        let kept = self.buffer.len() - self.used;
        // A frame that does not fit into the buffer, by what its header says.
        let rest = self.buffer.get(self.used..).unwrap_or_default();
        let wanted = frame_length(rest).unwrap_or(0);
        let mut fresh = std::mem::take(&mut self.spare);
        fresh.resize(PIECE.max(wanted), 0);
        let from = self.at + self.used as u64;
        let read = read_at(&self.file, &mut fresh, from).map_err(|source| ReadError::Io {
            path: self.path.clone(),
            source,
        })?;
        fresh.truncate(read);
        let old = self.buffer.get(self.used..).unwrap_or_default();
        let is_new = read > kept || fresh.get(..kept) != Some(old);
        self.spare = std::mem::replace(&mut self.buffer, fresh);
        if self.spare.capacity() > 2 * PIECE {
            // It was for an event of unusual size.
            self.spare = Vec::new();
        }
        self.at = from;
        self.used = 0;
        Ok(is_new)
    }
}

impl Reader {
    /// Goes on with this event; for [`Reader::next_leaf`].
    pub fn go_to(&mut self, seq: u64) {
        self.segment = None;
        self.next_seq = seq;
    }

    /// Shows the next event's frame, whose payload is the leaf of evidence. Gives the first event of
    /// the segment that it lies in; `None` when there is no further event yet.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn next_leaf(
        &mut self,
        each: impl FnOnce(&FrameRef<'_>),
    ) -> Result<Option<u64>, ReadError> {
        let mut each = Some(each);
        let found = self.step(
            |_, _, frame| {
                if let Some(each) = each.take() {
                    each(&frame);
                }
                Ok(())
            },
            &mut 0,
        )?;
        let segment = self.segment.as_ref().map(|open| open.first_seq);
        Ok(segment.filter(|_| found))
    }
}

impl Source for Reader {
    type Error = ReadError;

    fn journal(&self) -> JournalId {
        self.journal
    }

    fn seek(&mut self, cursor: Option<Cursor>) -> Result<(), ReadError> {
        self.segment = None;
        match cursor {
            Some(cursor) => {
                self.assembler = Assembler::new(cursor.done_to);
                self.next_seq = cursor.resume_at;
            }
            None => {
                self.assembler = Assembler::default();
                // What was pruned is not to be had.
                let first = list(&self.directory)
                    .ok()
                    .and_then(|all| all.first().copied());
                self.next_seq = first.unwrap_or(0);
            }
        }
        if let Some(shared) = self.following.clone() {
            let seq = self.next_seq;
            if seq < self.end() {
                self.locate(seq)?;
                self.skip_to(seq)?;
            }
            let ahead = self.bytes_ahead();
            shared.undrained.store(ahead, Ordering::Release);
            let drained = cursor.map_or(seq, |cursor| cursor.done_to);
            shared.drained.store(drained, Ordering::Release);
            if let Some(at) = self.recorded_at(drained) {
                shared.trail.lock().note_first(drained, at);
            }
        }
        Ok(())
    }

    fn next(&mut self, limit: usize) -> Result<Option<Batch>, ReadError> {
        let before = self.next_seq;
        let mut bytes = 0;
        let mut headless = 0_u64;
        let mut failed = None;
        while self.assembler.ready() < limit {
            let more = match self.step(
                |assembler, decoder, frame| {
                    let (_, event) = decoder.decode(frame.payload, frame.openings)?;
                    headless += u64::from(!assembler.push(frame.seq, event));
                    Ok(())
                },
                &mut bytes,
            ) {
                Ok(more) => more,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            };
            // A bound on events too, for they may be of calls that do not end.
            if !more || self.next_seq - before >= 8 * limit as u64 {
                break;
            }
        }
        if headless > 0 {
            tracing::warn!(
                events = headless,
                "the journal has steps of calls whose first step it does not have"
            );
        }
        if self.next_seq == before {
            return failed.map_or(Ok(None), Err);
        }
        let (calls, gaps) = self.assembler.take();
        Ok(Some(Batch {
            calls,
            gaps,
            cursor: Cursor {
                journal: self.journal,
                resume_at: self.assembler.resume_at(self.next_seq),
                done_to: self.next_seq,
            },
            bytes,
        }))
    }

    fn drained(&self, batch: &Batch) {
        if let Some(shared) = &self.following {
            let _ = shared
                .undrained
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |bytes| {
                    Some(bytes.saturating_sub(batch.bytes))
                });
            let drained = batch.cursor.done_to;
            shared.drained.store(drained, Ordering::Release);
            shared.trail.lock().forget_before(drained);
        }
    }
}
