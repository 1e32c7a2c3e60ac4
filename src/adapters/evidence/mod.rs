//! Evidence over the journal: what is signed, where it is kept, and who is told.
//!
//! - [`sealer`] is a thread that hashes what is durable in the journal into a Merkle tree and signs
//!   its root as a checkpoint, at least once a second while there are new records. The log that it
//!   works on is [`sealed_log`]; [`commands`] does the same for the journal of commands, without a
//!   thread.
//! - [`leaves`] keeps the leaf hashes, [`checkpoints`] the checkpoints and [`keys`] the public keys,
//!   all as files beside the segments. Each is kept when a segment is pruned.
//! - [`deliver`] brings checkpoints from these files to the ledger and to witnesses. Neither can
//!   hold up the sealer, nor the sealer a call.
//! - [`verify`] checks a journal's directory end to end; [`prove`] makes proof bundles from it.
//! - [`witness`] is the other side: the state of a witness of other logs.

pub mod checkpoints;
pub mod commands;
pub mod deliver;
pub mod keys;
pub mod leaves;
pub mod prove;
pub mod sealed_log;
pub mod sealer;
pub mod verify;
pub mod witness;

use std::io;
use std::path::{Path, PathBuf};

/// A file of the evidence cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
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
    /// It does not hold what it should.
    #[error("{path}, byte {offset}: {what}; it was damaged or changed: restore it from a copy")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Leaf hashes that are asked for are not there.
    #[error("{path} has no leaf hash of record {leaf}: restore the file from a copy")]
    NoLeaf {
        /// The directory.
        path: PathBuf,
        /// The record.
        leaf: u64,
    },
}

impl FileError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }
}

/// Digits of a segment's first event in the names of its files.
const DIGITS: usize = 20;

/// The file that belongs to a segment.
fn beside(directory: &Path, first_seq: u64, suffix: &str) -> PathBuf {
    directory.join(format!("{first_seq:0DIGITS$}{suffix}"))
}

/// First events of the segments that have a file of this kind, ascending. The segments themselves
/// may be gone.
fn list(directory: &Path, suffix: &str) -> Result<Vec<u64>, FileError> {
    let failed = |source| FileError::io("list", directory)(source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(suffix))
            .filter(|digits| digits.len() == DIGITS)
            .and_then(|digits| digits.parse::<u64>().ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

/// Brings the names in a directory to the disk.
fn sync_directory(directory: &Path) -> Result<(), FileError> {
    std::fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(FileError::io("sync", directory))
}
