//! Gives up the oldest segments of a journal, keeping the hash of every leaf.
//!
//! In this order, so that it can be cut off anywhere and repeated: the hashes and a mark that says
//! what went are on disk, then the segment goes. Only whole segments from the beginning go; `domain::retention` says which.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::erase::{EraseError, Maintenance};
use super::files::{list, segment_path};
use crate::adapters::whole_file;
use crate::domain::evidence::merkle::leaf_hash;
use crate::domain::evidence::{Note, SignerKey};
use crate::domain::journal::{
    Decoder, Event, JournalId, PruneMark, SEGMENT_HEADER, SegmentHeader, read_frame,
};
use crate::types::Micros;

/// What was, or would be, given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many segments.
    pub segments: u64,
    /// How many events.
    pub events: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Where the leaf hashes of a segment are: 32 bytes for each event, in order.
pub fn leaves_path(directory: &Path, segment: u64) -> PathBuf {
    segment_path(directory, segment).with_extension("leaves")
}

/// Where the mark of a segment that was given up is.
pub fn mark_path(directory: &Path, segment: u64) -> PathBuf {
    segment_path(directory, segment).with_extension("pruned")
}

/// What a journal says of a segment that it does not have any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It was given up, as the mark says; the hashes of its leaves are there.
    Pruned {
        /// The mark.
        mark: PruneMark,
        /// The mark as it was signed, in a journal that has a log; the signature is not checked.
        signed: Option<Note>,
    },
    /// Something is missing or does not fit: it was removed otherwise.
    Removed,
}

/// Why a segment that begins with event `segment` is not there.
///
/// # Errors
/// What the system says.
pub fn absence(directory: &Path, journal: JournalId, segment: u64) -> io::Result<Absence> {
    let mark = match fs::read(mark_path(directory, segment)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Absence::Removed),
        Err(error) => return Err(error),
    };
    let signed = Note::parse(&mark).ok();
    let text = match &signed {
        Some(note) => note.text(),
        None => std::str::from_utf8(&mark).unwrap_or_default(),
    };
    let Some(mark) = PruneMark::read(text, journal).filter(|mark| mark.first == segment) else {
        return Ok(Absence::Removed);
    };
    let events = mark.last - mark.first + 1;
    match fs::metadata(leaves_path(directory, segment)) {
        Ok(leaves) if Some(leaves.len()) == events.checked_mul(LEAF) => {
            Ok(Absence::Pruned { mark, signed })
        }
        Ok(_) => Ok(Absence::Removed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Absence::Removed),
        Err(error) => Err(error),
    }
}

/// Bytes of the hash of a leaf.
const LEAF: u64 = 32;

/// Who gives up a segment, why and when.
#[derive(Clone, Copy, Debug)]
pub struct GivingUp<'a> {
    /// The journal.
    pub journal: JournalId,
    /// When.
    pub at: Micros,
    /// Who.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Signs the mark: the key of the journal's log, if it has one.
    pub signer: Option<&'a SignerKey>,
}

impl Maintenance {
    /// The journal and the first events of its segments; `None` if there is none.
    ///
    /// # Errors
    /// [`EraseError`].
    pub fn segments(&self) -> Result<Option<(JournalId, Vec<u64>)>, EraseError> {
        let directory = self.directory();
        let firsts = list(directory).map_err(failed("list", directory))?;
        let Some(first) = firsts.first() else {
            return Ok(None);
        };
        let bytes = read(directory, *first)?;
        let header = SegmentHeader::decode(&bytes).ok_or_else(|| EraseError::Foreign {
            path: segment_path(directory, *first),
        })?;
        Ok(Some((header.journal, firsts)))
    }

    /// Gives up a segment that ends before event `end`, unless `is_over` denies it for one of its
    /// events; `None` if it does. Without `who` only says what would go.
    ///
    /// # Errors
    /// [`EraseError`].
    pub fn give_up(
        &self,
        segment: u64,
        end: u64,
        who: Option<&GivingUp<'_>>,
        is_over: impl Fn(&Event) -> bool,
    ) -> Result<Option<Pruned>, EraseError> {
        let directory = self.directory();
        let path = segment_path(directory, segment);
        let bytes = read(directory, segment)?;
        let mut decoder = Decoder::default();
        let mut hashes: Vec<u8> = Vec::new();
        let mut offset = SEGMENT_HEADER;
        for seq in segment..end {
            let damaged = || EraseError::Damaged {
                path: path.clone(),
                seq,
                offset,
            };
            let rest = bytes.get(offset..).unwrap_or_default();
            let frame = read_frame(rest)
                .ok()
                .filter(|frame| frame.seq == seq)
                .ok_or_else(damaged)?;
            let (_, event) = decoder
                .decode(frame.payload, frame.openings)
                .map_err(|_| damaged())?;
            if !is_over(&event) {
                return Ok(None);
            }
            hashes.extend_from_slice(leaf_hash(frame.payload).as_bytes());
            offset += frame.len();
        }
        if let Some(who) = who {
            keep_hashes(directory, segment, &hashes)?;
            let mark = PruneMark {
                journal: who.journal,
                first: segment,
                last: end.saturating_sub(1),
                at: who.at,
                by: who.by.to_owned(),
                reason: who.reason.to_owned(),
            };
            let mark = sign(mark.write(), who.signer);
            let mark = mark.ok_or_else(|| EraseError::Unsigned { path: path.clone() })?;
            write(&mark_path(directory, segment), mark.as_bytes())?;
            sync(directory)?;
            fs::remove_file(&path).map_err(failed("remove", &path))?;
            sync(directory)?;
        }
        Ok(Some(Pruned {
            segments: 1,
            events: end - segment,
            bytes: bytes.len() as u64,
        }))
    }
}

/// The text with a signature, if there is somebody to sign it; `None` if that cannot be done.
fn sign(text: String, signer: Option<&SignerKey>) -> Option<String> {
    let Some(signer) = signer else {
        return Some(text);
    };
    let mut note = Note::new(text).ok()?;
    note.add(signer.sign(note.text()).ok()?);
    Some(note.to_string())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EraseError {
    move |source| EraseError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn read(directory: &Path, segment: u64) -> Result<Vec<u8>, EraseError> {
    let path = segment_path(directory, segment);
    fs::read(&path).map_err(failed("read", &path))
}

fn sync(directory: &Path) -> Result<(), EraseError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync", directory))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), EraseError> {
    whole_file::write(path, bytes).map_err(failed("write", path))
}

/// Sees to it that the hashes are on disk. Those that are there already must be the same: they were
/// made when the segment was new, perhaps not of its last events.
fn keep_hashes(directory: &Path, segment: u64, hashes: &[u8]) -> Result<(), EraseError> {
    let path = leaves_path(directory, segment);
    match fs::read(&path) {
        Ok(known) if known == hashes => {
            let file = File::open(&path).map_err(failed("open", &path))?;
            file.sync_all().map_err(failed("sync", &path))?;
            return sync(directory);
        }
        Ok(known) if hashes.starts_with(&known) => {}
        Ok(_) => return Err(EraseError::Leaves { path }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("read", &path)(error));
        }
        Err(_) => {}
    }
    write(&path, hashes)
}
