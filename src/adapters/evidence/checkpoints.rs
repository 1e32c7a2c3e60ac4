//! The checkpoints, in a file beside the segment whose records they end with:
//! `<segment>.checkpoints`.
//!
//! An entry is a line `# ` with the time, the signed note, and an empty line; anybody can read it,
//! and a note that is cut out of it is what public tools take. A checkpoint that a witness has
//! cosigned is a further entry of the same size. Files are only appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{FileError, beside, list, sync_directory};
use crate::domain::evidence::{Checkpoint, Note};
use crate::types::Micros;

/// Suffix of the files.
const SUFFIX: &str = ".checkpoints";

/// Longest file that is read: one checkpoint for every record of the largest segment is less.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// A checkpoint as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// When, by the clock of the node.
    pub made_at: Micros,
    /// What it states.
    pub checkpoint: Checkpoint,
    /// With its signatures; none of them is checked.
    pub note: Note,
}

impl Signed {
    /// Signatures besides the log's own.
    pub fn cosignatures(&self) -> u64 {
        let own = |signature: &&crate::domain::evidence::Signature| {
            signature.name() == self.checkpoint.origin
        };
        (self.note.signatures().len() - self.note.signatures().iter().filter(own).count()) as u64
    }

    /// The entry in a file.
    fn entry(&self) -> String {
        format!("# {}\n{}\n", self.made_at, self.note)
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Checkpoints, with the byte at which each begins.
    pub found: Vec<(u64, Signed)>,
    /// Where the last whole entry ends.
    pub length: u64,
    /// Bytes behind it: an entry that was not written to its end.
    pub torn: u64,
}

/// First events of the segments that have checkpoints.
///
/// # Errors
/// [`FileError::Io`].
pub fn segments(directory: &Path) -> Result<Vec<u64>, FileError> {
    list(directory, SUFFIX)
}

/// Where the checkpoints of a segment are.
pub fn path(directory: &Path, segment: u64) -> PathBuf {
    beside(directory, segment, SUFFIX)
}

/// Reads the checkpoints of a segment from a byte on. A file that is not there has none.
///
/// # Errors
/// [`FileError`]; also when an entry is not a signed checkpoint.
pub fn read(directory: &Path, segment: u64, from: u64) -> Result<Entries, FileError> {
    let path = path(directory, segment);
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(mut file) => io::Seek::seek(&mut file, io::SeekFrom::Start(from))
            .and_then(|_| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
    .map_err(FileError::io("read", &path))?;
    parse(&bytes, from).map_err(|(offset, what)| FileError::Malformed { path, offset, what })
}

fn parse(bytes: &[u8], base: u64) -> Result<Entries, (u64, String)> {
    let mut entries = Entries::default();
    let mut rest = bytes;
    let mut offset = 0;
    while let Some((entry, note)) = split(rest) {
        let at = base + offset as u64;
        let signed = parse_entry(entry, note).map_err(|what| (at, what))?;
        entries.found.push((at, signed));
        offset += entry.len();
        rest = bytes.get(offset..).unwrap_or_default();
    }
    entries.length = base + offset as u64;
    entries.torn = rest.len() as u64;
    Ok(entries)
}

/// The first entry, up to the empty line after its signatures, and the note in it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = memchr::memchr(b'\n', bytes)? + 1;
    let text = memchr::memmem::find(bytes.get(line..)?, b"\n\n")? + line + 2;
    let end = memchr::memmem::find(bytes.get(text..)?, b"\n\n")? + text + 2;
    Some((bytes.get(..end)?, bytes.get(line..end - 1)?))
}

fn parse_entry(entry: &[u8], note: &[u8]) -> Result<Signed, String> {
    let line = entry.split(|byte| *byte == b'\n').next();
    let made_at = line
        .and_then(|line| std::str::from_utf8(line).ok())
        .and_then(|line| line.strip_prefix("# "))
        .and_then(|at| at.parse::<jiff::Timestamp>().ok())
        .ok_or("a checkpoint begins with `# ` and its time")?;
    let note = Note::parse(note).map_err(|fault| fault.to_string())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|fault| fault.to_string())?;
    Ok(Signed {
        made_at: Micros(made_at.as_microsecond()),
        checkpoint,
        note,
    })
}

/// The newest checkpoint of a directory and the segment in whose file it stands.
///
/// # Errors
/// [`FileError`].
pub fn last(directory: &Path) -> Result<Option<(u64, Signed)>, FileError> {
    for segment in segments(directory)?.into_iter().rev() {
        let newest = read(directory, segment, 0)?
            .found
            .into_iter()
            .map(|(_, signed)| signed)
            .max_by_key(|signed| signed.checkpoint.size);
        if let Some(newest) = newest {
            return Ok(Some((segment, newest)));
        }
    }
    Ok(None)
}

/// The writing end: the sealer's alone.
#[derive(Debug)]
pub struct CheckpointWriter {
    directory: PathBuf,
    open: Option<(u64, File)>,
}

impl CheckpointWriter {
    /// Cuts what a crash has left of an entry from the newest file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(directory: &Path) -> Result<Self, FileError> {
        if let Some(segment) = segments(directory)?.last().copied() {
            let entries = read(directory, segment, 0)?;
            if entries.torn > 0 {
                let path = path(directory, segment);
                OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .and_then(|file| file.set_len(entries.length).and_then(|()| file.sync_all()))
                    .map_err(FileError::io("cut", &path))?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            open: None,
        })
    }

    /// Appends a checkpoint to the file of a segment and brings it to the disk.
    ///
    /// # Errors
    /// [`FileError::Io`]; a part of it may then be in the file, and is cut off at the next try.
    pub fn append(&mut self, segment: u64, signed: &Signed) -> Result<(), FileError> {
        let path = path(&self.directory, segment);
        let file = match self.open.take() {
            Some((open, file)) if open == segment && path.exists() => file,
            _ => {
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(FileError::io("open", &path))?;
                sync_directory(&self.directory)?;
                file
            }
        };
        let length = file
            .metadata()
            .map_err(FileError::io("look at", &path))?
            .len();
        let (_, file) = self.open.insert((segment, file));
        let mut appended = &*file;
        if let Err(error) = appended
            .write_all(signed.entry().as_bytes())
            .and_then(|()| file.sync_data())
        {
            // Nothing may stand behind half an entry.
            let _ = file.set_len(length);
            return Err(FileError::io("write", &path)(error));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::evidence::merkle::{Tree, leaf_hash};
    use crate::domain::evidence::{SignatureType, SignerKey};

    pub(in super::super) fn signed(size: u64, key: &SignerKey) -> Signed {
        let mut tree = Tree::new();
        (0..size).for_each(|n| tree.append(leaf_hash(&n.to_be_bytes())));
        let checkpoint = Checkpoint::of(key.verifier().name(), &tree);
        Signed {
            made_at: Micros(1_795_305_338_000_001 + i64::try_from(size).unwrap()),
            note: checkpoint.sign(key).unwrap(),
            checkpoint,
        }
    }

    fn key() -> SignerKey {
        SignerKey::from_seed("egret/node-1", SignatureType::Ed25519, &[1; 32]).unwrap()
    }

    #[test]
    fn checkpoints_are_read_back_and_the_newest_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CheckpointWriter::open(dir.path()).unwrap();
        for (segment, size) in [(0, 3), (0, 5), (5, 9), (0, 4), (5, 12)] {
            writer.append(segment, &signed(size, &key())).unwrap();
        }
        assert_eq!(segments(dir.path()).unwrap(), [0, 5]);
        let entries = read(dir.path(), 0, 0).unwrap();
        let sizes = entries.found.iter().map(|(_, s)| s.checkpoint.size);
        assert_eq!(sizes.collect::<Vec<_>>(), [3, 5, 4]);
        assert_eq!(entries.found[1].1, signed(5, &key()));
        assert_eq!(entries.torn, 0);
        let (at, third) = &entries.found[2];
        assert_eq!(read(dir.path(), 0, *at).unwrap().found[0].1, *third);
        assert_eq!(last(dir.path()).unwrap(), Some((5, signed(12, &key()))));
        assert_eq!(read(dir.path(), 77, 0).unwrap(), Entries::default());
    }

    #[test]
    fn half_an_entry_is_cut_and_a_changed_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        CheckpointWriter::open(dir.path())
            .unwrap()
            .append(0, &signed(3, &key()))
            .unwrap();
        let file = path(dir.path(), 0);
        let whole = std::fs::read(&file).unwrap();
        let half = [&whole[..], &whole[..40]].concat();
        std::fs::write(&file, &half).unwrap();
        assert_eq!(read(dir.path(), 0, 0).unwrap().torn, 40);
        CheckpointWriter::open(dir.path()).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), whole);

        let changed = [&whole[..], b"# now\n\nxx\n\n\nyy\n\n"].concat();
        std::fs::write(&file, changed).unwrap();
        let error = last(dir.path()).unwrap_err().to_string();
        let place = format!("byte {}", whole.len());
        assert!(error.contains(&place), "{error}");
    }
}
