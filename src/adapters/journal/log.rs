//! Segments: what goes to the disk, in which order, and what is known to be there. No threads and
//! no clock, so that tests can stop it anywhere.
//!
//! Invariants:
//! - An event is *durable* when it was written and a sync after that reported success. It stays
//!   where it is.
//! - Until then its bytes are kept in memory. After any failure the open segment is given up, cut
//!   to what is durable, and a new one begins with the first event that is not: an error of a sync
//!   says nothing about which pages are on disk, so nothing written since is trusted or synced
//!   again.
//! - A segment ends where the next one begins: what lies in it beyond that is void.

use std::collections::VecDeque;
use std::io;

use super::files::Files;
use crate::domain::journal::{
    Corruption, JournalId, SEGMENT_HEADER, SegmentHeader, scan_last, seal_frame,
};
use crate::types::Micros;

/// Frames that belong together, not sealed yet.
#[derive(Debug, Default)]
pub struct Group {
    /// Number of the first.
    pub first_seq: u64,
    /// How many.
    pub count: u64,
    /// The frames.
    pub bytes: Vec<u8>,
}

impl Group {
    fn end(&self) -> u64 {
        self.first_seq + self.count
    }
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The system refused.
    #[error("cannot read the journal's segment {segment}: {source}")]
    Io {
        /// First event of the segment.
        segment: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Events that were on disk are gone.
    #[error(
        "the journal's segment {segment:020}.journal: {corruption}. Restore it from a copy; or, to \
         go on without what it held, move it out of the directory"
    )]
    Corrupt {
        /// First event of the segment.
        segment: u64,
        /// Which.
        corruption: Corruption,
    },
    /// A file that is none of ours.
    #[error(
        "the journal's segment {segment:020}.journal has no readable header: it was damaged, or \
         made by a newer egret. Restore it from a copy, or use the newer egret"
    )]
    Header {
        /// First event of the segment.
        segment: u64,
    },
}

/// What was found when a journal was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The journal; `None` for a new one.
    pub journal: Option<JournalId>,
    /// Number of the next event.
    pub next_seq: u64,
    /// Bytes that a crash had torn and that were cut.
    pub cut_bytes: u64,
    /// The last segment and its length, if the next event can be written behind its last.
    pub open_end: Option<(u64, u64)>,
    /// When the newest segment was made; `None` for a new journal.
    pub created_at: Option<Micros>,
}

/// Finds the end of a journal and cuts what a crash has torn.
///
/// # Errors
/// [`RecoverError`]; nothing was changed.
pub fn recover(files: &mut impl Files) -> Result<Recovered, RecoverError> {
    let failed = |segment| move |source| RecoverError::Io { segment, source };
    let mut segments = files.list().map_err(failed(0))?;
    // Segments without events. Each was made when all before it was durable, and what lies behind
    // that in the segment before it is void: that must be cut before they go.
    let mut empty = Vec::new();
    let mut recovered = Recovered {
        journal: None,
        next_seq: 0,
        cut_bytes: 0,
        open_end: None,
        created_at: None,
    };
    while let Some(segment) = segments.pop() {
        let bytes = files.read(segment).map_err(failed(segment))?;
        let end = empty.last().copied().unwrap_or(u64::MAX);
        let Some(found) = find_end(&bytes, segment, end)? else {
            empty.push(segment);
            continue;
        };
        if found.next_seq == segment && found.cut_bytes == 0 && !segments.is_empty() {
            empty.push(segment);
            continue;
        }
        files.cut(segment, found.length).map_err(failed(segment))?;
        let next_seq = empty.last().copied().unwrap_or(found.next_seq);
        recovered = Recovered {
            journal: Some(found.journal),
            next_seq,
            cut_bytes: found.cut_bytes,
            open_end: (next_seq == found.next_seq).then_some((segment, found.length)),
            created_at: SegmentHeader::decode(&bytes).map(|header| header.created_at),
        };
        break;
    }
    for segment in empty {
        files.remove(segment).map_err(failed(segment))?;
    }
    Ok(recovered)
}

/// Where a segment ends.
struct End {
    journal: JournalId,
    next_seq: u64,
    length: u64,
    cut_bytes: u64,
}

/// Finds where a segment ends, `end` being the first event of the segment after it. `None` if it
/// has no header: then it has no event either.
fn find_end(bytes: &[u8], segment: u64, end: u64) -> Result<Option<End>, RecoverError> {
    let mut length = SEGMENT_HEADER as u64;
    let mut next_seq = segment;
    let mut journal = None;
    let scanned = scan_last(bytes, |frame| {
        if frame.seq < end {
            length += frame.len() as u64;
            next_seq = frame.seq + 1;
        }
    });
    let cut_bytes = match scanned {
        Ok(Some(scan)) if scan.header.first_seq == segment => {
            journal = Some(scan.header.journal);
            // Behind the end it is void, torn or not.
            let torn = scan.cut.filter(|_| scan.next_seq < end);
            torn.map_or(0, |cut| cut.bytes as u64)
        }
        // The header is synced before the first event is written. Without it there is none, and
        // the file is what a crash has left of making it; unless there is something.
        Ok(_) if bytes.iter().skip(SEGMENT_HEADER).any(|byte| *byte != 0) => {
            return Err(RecoverError::Header { segment });
        }
        Ok(_) => return Ok(None),
        Err(corruption) if corruption.seq < end => {
            return Err(RecoverError::Corrupt {
                segment,
                corruption,
            });
        }
        Err(_) => 0,
    };
    let header = SegmentHeader::decode(bytes).map(|header| header.journal);
    Ok(journal.or(header).map(|journal| End {
        journal,
        next_seq,
        length,
        cut_bytes,
    }))
}

struct Open<S> {
    segment: S,
    /// Bytes written.
    length: u64,
    /// Bytes that are durable.
    durable: u64,
}

/// The writing end of a journal.
pub struct Log<F: Files> {
    files: F,
    journal: JournalId,
    segment_size: u64,
    open: Option<Open<F::Segment>>,
    /// Events that are not durable, oldest first.
    kept: VecDeque<Group>,
    /// How many groups at the front of `kept` are written to the open segment.
    written: usize,
    durable_seq: u64,
    /// A used buffer, to be used again.
    spare: Vec<u8>,
}

impl<F: Files> Log<F> {
    /// Goes on after `next_seq`; the first write makes a segment.
    pub fn new(files: F, journal: JournalId, next_seq: u64, segment_size: u64) -> Self {
        Self {
            files,
            journal,
            segment_size,
            open: None,
            kept: VecDeque::new(),
            written: 0,
            durable_seq: next_seq,
            spare: Vec::new(),
        }
    }

    /// Goes on in the segment that holds the last event instead of making one: for who writes a
    /// few events at a time. `open_end` is what [`recover`] has found.
    ///
    /// # Errors
    /// What the system said.
    pub fn resume(&mut self, (segment, length): (u64, u64)) -> io::Result<()> {
        if length < self.segment_size {
            let segment = self.files.reopen(segment)?;
            self.open = Some(Open {
                segment,
                length,
                durable: length,
            });
        }
        Ok(())
    }

    /// The files, for who takes the journal from or to another process.
    pub fn files_mut(&mut self) -> &mut F {
        &mut self.files
    }

    /// Goes on after `next_seq`, and forgets what was before: another has written meanwhile.
    pub fn restart(&mut self, next_seq: u64) {
        self.open = None;
        self.kept.clear();
        self.written = 0;
        self.durable_seq = next_seq;
    }

    /// The first event that is not durable.
    pub fn durable_seq(&self) -> u64 {
        self.durable_seq
    }

    /// The first event that is not written.
    pub fn written_seq(&self) -> u64 {
        self.kept
            .iter()
            .take(self.written)
            .next_back()
            .map_or(self.durable_seq, Group::end)
    }

    /// Bytes that are kept in memory.
    pub fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|group| group.bytes.len()).sum()
    }

    /// Takes events, to be written next.
    pub fn push(&mut self, group: Group) {
        if group.count > 0 {
            self.kept.push_back(group);
        }
    }

    /// A buffer for the next group.
    pub fn spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Writes everything that was pushed.
    ///
    /// # Errors
    /// What the system said; the events are kept, and the next try writes them elsewhere.
    pub fn write(&mut self, now: Micros) -> io::Result<()> {
        self.try_write(now).inspect_err(|_| self.give_up())
    }

    fn try_write(&mut self, now: Micros) -> io::Result<()> {
        if self.written == self.kept.len() {
            return Ok(());
        }
        if let Some(open) = &self.open {
            self.files.check(&open.segment)?;
        }
        while self.written < self.kept.len() {
            let size = self
                .kept
                .get(self.written)
                .map_or(0, |group| group.bytes.len() as u64);
            let fits = self.open.as_ref().is_some_and(|open| {
                open.length + size <= self.segment_size || open.length == SEGMENT_HEADER as u64
            });
            if !fits {
                self.roll(now)?;
            }
            let (Some(open), Some(group)) = (&mut self.open, self.kept.get_mut(self.written))
            else {
                return Ok(());
            };
            seal(group, self.durable_seq);
            self.files
                .write(&mut open.segment, &group.bytes, open.length)?;
            open.length += size;
            self.written += 1;
        }
        Ok(())
    }

    /// Brings everything written to the disk.
    ///
    /// # Errors
    /// What the system said; the events are kept, and the next try writes them elsewhere.
    pub fn sync(&mut self) -> io::Result<()> {
        self.try_sync().inspect_err(|_| self.give_up())
    }

    fn try_sync(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        self.files.sync(&mut open.segment)?;
        open.durable = open.length;
        for group in self.kept.drain(..self.written) {
            self.durable_seq = group.end();
            self.spare = group.bytes;
        }
        self.spare.clear();
        self.written = 0;
        Ok(())
    }

    /// Ends the open segment, if any, and begins the next.
    fn roll(&mut self, now: Micros) -> io::Result<()> {
        if self.open.is_some() {
            self.try_sync()?;
            self.close();
        }
        let header = SegmentHeader {
            journal: self.journal,
            first_seq: self.durable_seq,
            created_at: now,
        };
        let mut segment = self.files.create(self.durable_seq, self.segment_size)?;
        let bytes = header.encode();
        self.files.write(&mut segment, &bytes, 0)?;
        self.files.sync(&mut segment)?;
        let length = bytes.len() as u64;
        self.open = Some(Open {
            segment,
            length,
            durable: length,
        });
        Ok(())
    }

    /// Gives back the room that the open segment does not need.
    pub fn close(&mut self) {
        if let Some(mut open) = self.open.take() {
            // Only room is lost if it fails: the next segment says where this one ends.
            let _ = self.files.truncate(&mut open.segment, open.durable);
            let _ = self.files.sync(&mut open.segment);
        }
    }

    fn give_up(&mut self) {
        self.written = 0;
        if let Some(mut open) = self.open.take() {
            // As above. What cannot be cut is void by the name of the next segment.
            let _ = self.files.truncate(&mut open.segment, open.durable);
        }
    }
}

/// Seals every frame of a group that is about to be written.
fn seal(group: &mut Group, durable_seq: u64) {
    let mut seq = group.first_seq;
    let mut rest = group.bytes.as_mut_slice();
    while !rest.is_empty() {
        let lag = u32::try_from(seq - durable_seq).unwrap_or(u32::MAX);
        let Some(length) = seal_frame(rest, lag) else {
            return;
        };
        rest = rest.get_mut(length..).unwrap_or_default();
        seq += 1;
    }
}
