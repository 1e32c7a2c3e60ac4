//! Overwrites the openings of subjects in the segments of a journal, also while a gateway writes it.
//!
//! Only events that are on disk are touched: the gateway may give up a segment and cut it behind
//! the last of those. Payloads are not written at all. See `domain::journal::erase` for the plan
//! that makes it safe to be cut off anywhere.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::files::{Directory, DirectoryError, list, segment_path};
use crate::adapters::whole_file;
use crate::domain::journal::{
    Damage, ERASED_OPENING, FRAME_HEADER, Found, JournalId, SegmentHeader, Spot, find_openings,
    frame_crc, read_plan, write_plan,
};
use crate::domain::record::Pseudonym;

/// File of the plan, in the journal's directory.
const PLAN: &str = "erase.plan";
/// File that is locked by whoever changes what is on disk: one at a time.
const LOCK: &str = "maintenance.lock";
/// Pause between two looks whether another command is done.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Why openings could not be erased. What was erased stays so, and the command can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// What was given up cannot be signed for.
    #[error("cannot sign that {path} is given up")]
    Unsigned {
        /// Which file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The journal's directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A segment cannot be read through.
    #[error(
        "{path}: event {seq} at offset {offset} is damaged; nothing was erased, for what cannot be \
         read could be of the subject. Restore the file from a copy"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The event that should be there.
        seq: u64,
        /// Where.
        offset: usize,
    },
    /// A file that is none of ours.
    #[error("{path} is not a segment of this journal: move it out of the directory")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// An unfinished plan is of another journal, or was changed.
    #[error(
        "{path} does not fit the journal beside it: if the journal was restored from a copy, remove \
         the plan and erase again"
    )]
    Plan {
        /// Which file.
        path: PathBuf,
    },
    /// The leaf hashes beside a segment are not those of its events.
    #[error(
        "{path} does not fit its segment: one of the two was changed. Nothing was removed; \
         `egret audit verify` says which"
    )]
    Leaves {
        /// Which file.
        path: PathBuf,
    },
    /// Another command is at work.
    #[error("another command erases or prunes in {path}: try again when it is done")]
    Busy {
        /// The directory.
        path: PathBuf,
    },
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// The journal; `None` if there is none.
    pub journal: Option<JournalId>,
    /// How many openings.
    pub openings: u64,
    /// The last event that had one.
    pub last_seq: Option<u64>,
    /// Openings that were left because their events were not known to be on disk yet.
    pub too_fresh: u64,
    /// Whether a gateway has the journal.
    pub in_use: bool,
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EraseError {
    move |source| EraseError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Keeps other commands from changing what is on disk, for as long as it lives.
#[derive(Debug)]
pub struct Maintenance {
    directory: PathBuf,
    _lock: File,
}

impl Maintenance {
    /// Where the journal is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits for other commands for at most `patience`, and finishes what one of them may have left
    /// unfinished.
    ///
    /// # Errors
    /// [`EraseError`].
    pub fn begin(directory: &Path, patience: Duration) -> Result<Self, EraseError> {
        let path = directory.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open", &path))?;
        let deadline = Instant::now() + patience;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(LOCK_POLL);
                }
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(EraseError::Busy {
                        path: directory.to_owned(),
                    });
                }
                Err(fs::TryLockError::Error(source)) => {
                    return Err(failed("lock", &path)(source));
                }
            }
        }
        finish(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            _lock: lock,
        })
    }

    /// Erases subjects from every segment. Whoever writes the journal is waited for for at most
    /// `patience`: commands let go of theirs soon, a gateway does not. `durable_to` gives, for the
    /// journal, the first event that is not known to be on disk (what a ledger has is). Can be
    /// repeated.
    ///
    /// # Errors
    /// [`EraseError`].
    pub fn erase(
        &self,
        wanted: &HashSet<Pseudonym>,
        patience: Duration,
        durable_to: impl FnOnce(JournalId) -> u64,
    ) -> Result<Erased, EraseError> {
        let directory = &self.directory;
        // Held to the end: who opens the journal cuts what is torn and writes behind it.
        let lock = lock_for(directory, patience)?;
        let in_use = lock.is_none();
        let segments = list(directory).map_err(failed("list", directory))?;
        let Some(first) = segments.first() else {
            return Ok(Erased::default());
        };
        let journal = header(&read(directory, *first)?, directory, *first)?.journal;
        if let (false, Some(last)) = (in_use, segments.last()) {
            // Nobody writes: what is there is whole or torn, and what is whole is on disk soon.
            let path = segment_path(directory, *last);
            let file = File::open(&path).map_err(failed("open", &path))?;
            file.sync_all().map_err(failed("sync", &path))?;
        }
        let durable_to = if in_use {
            durable_to(journal)
        } else {
            u64::MAX
        };
        let mut spots = Vec::new();
        let mut erased = Erased {
            journal: Some(journal),
            in_use,
            ..Erased::default()
        };
        for (index, segment) in segments.iter().enumerate() {
            let end = segments.get(index + 1).copied().unwrap_or(u64::MAX);
            let found = search(directory, *segment, journal, end, durable_to, wanted)?;
            erased.last_seq = erased.last_seq.max(found.last_seq);
            erased.too_fresh += found.too_fresh;
            spots.extend(found.spots);
        }
        erased.openings = spots.len() as u64;
        if !spots.is_empty() {
            save_plan(directory, &write_plan(journal, &spots))?;
            carry_out(directory, &spots)?;
            remove_plan(directory)?;
        }
        drop(lock);
        Ok(erased)
    }
}

/// The lock of a journal; `None` if another holds it for longer than `patience`.
fn lock_for(directory: &Path, patience: Duration) -> Result<Option<Directory>, EraseError> {
    let deadline = Instant::now() + patience;
    loop {
        match Directory::open(directory) {
            Ok(lock) => return Ok(Some(lock)),
            Err(DirectoryError::Locked { .. }) if Instant::now() < deadline => {
                thread::sleep(LOCK_POLL);
            }
            Err(DirectoryError::Locked { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn read(directory: &Path, segment: u64) -> Result<Vec<u8>, EraseError> {
    let path = segment_path(directory, segment);
    fs::read(&path).map_err(failed("read", &path))
}

fn header(bytes: &[u8], directory: &Path, segment: u64) -> Result<SegmentHeader, EraseError> {
    SegmentHeader::decode(bytes)
        .filter(|header| header.first_seq == segment)
        .ok_or_else(|| EraseError::Foreign {
            path: segment_path(directory, segment),
        })
}

fn search(
    directory: &Path,
    segment: u64,
    journal: JournalId,
    end: u64,
    durable_to: u64,
    wanted: &HashSet<Pseudonym>,
) -> Result<Found, EraseError> {
    let mut again = false;
    loop {
        let bytes = read(directory, segment)?;
        let header = header(&bytes, directory, segment)?;
        if header.journal != journal {
            return Err(EraseError::Foreign {
                path: segment_path(directory, segment),
            });
        }
        match find_openings(&bytes, &header, end, durable_to, wanted) {
            Ok(found) => return Ok(found),
            // It may have been read while it was written.
            Err(_) if !again => again = true,
            Err(Damage { seq, offset }) => {
                return Err(EraseError::Damaged {
                    path: segment_path(directory, segment),
                    seq,
                    offset,
                });
            }
        }
    }
}

fn save_plan(directory: &Path, plan: &str) -> Result<(), EraseError> {
    let path = directory.join(PLAN);
    whole_file::write(&path, plan.as_bytes()).map_err(failed("write", &path))
}

fn remove_plan(directory: &Path) -> Result<(), EraseError> {
    let path = directory.join(PLAN);
    match fs::remove_file(&path) {
        // A gateway that has started meanwhile has finished it, too.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", &path)(error));
        }
        _ => {}
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync", directory))
}

fn carry_out(directory: &Path, spots: &[Spot]) -> Result<(), EraseError> {
    for of_segment in spots.chunk_by(|one, other| one.segment == other.segment) {
        let Some(Spot { segment, .. }) = of_segment.first() else {
            continue;
        };
        let path = segment_path(directory, *segment);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            // Pruned since the plan was made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("open", &path)(error)),
        };
        for spot in of_segment {
            let mut frame = [0; FRAME_HEADER];
            file.read_exact_at(&mut frame, spot.frame)
                .map_err(failed("read", &path))?;
            if frame_crc(&frame) != Some(spot.frame_crc) {
                return Err(EraseError::Plan {
                    path: directory.join(PLAN),
                });
            }
            file.write_all_at(&ERASED_OPENING, spot.opening)
                .map_err(failed("write", &path))?;
        }
        file.sync_data().map_err(failed("sync", &path))?;
    }
    Ok(())
}

/// Finishes an erasure that was cut off, if there is one. To be called before a journal is read
/// after a crash: half an opening would count as damage.
///
/// # Errors
/// [`EraseError`].
pub fn finish(directory: &Path) -> Result<(), EraseError> {
    let path = directory.join(PLAN);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let segments = list(directory).map_err(failed("list", directory))?;
    if let Some(first) = segments.first() {
        let journal = header(&read(directory, *first)?, directory, *first)?.journal;
        let spots = read_plan(&text, journal).ok_or(EraseError::Plan { path })?;
        carry_out(directory, &spots)?;
    }
    remove_plan(directory)
}
