//! The few things that the journal asks of a file system, so that tests can fail each of them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

/// Suffix of segments.
const SUFFIX: &str = ".journal";
/// Digits of a segment's first event in its name: those of the largest number.
const DIGITS: usize = 20;
/// File that is locked for as long as a process has the journal.
const LOCK: &str = "lock";

/// A directory of segments, named by their first event.
pub trait Files: Send + 'static {
    /// An open segment.
    type Segment: Send;

    /// First events of the segments that there are, ascending.
    fn list(&self) -> io::Result<Vec<u64>>;

    /// All bytes of a segment.
    fn read(&self, first_seq: u64) -> io::Result<Vec<u8>>;

    /// Makes a segment with room for `size` bytes. One that is there already holds nothing that
    /// was ever synced and is replaced.
    fn create(&mut self, first_seq: u64, size: u64) -> io::Result<Self::Segment>;

    /// Opens the end of a segment that [`Files::cut`] has brought to the disk.
    fn reopen(&mut self, first_seq: u64) -> io::Result<Self::Segment>;

    /// Cuts a segment that is not open to a length, and brings all of it to the disk: a process
    /// that was killed may have left some of it in the system's memory only.
    fn cut(&mut self, first_seq: u64, length: u64) -> io::Result<()>;

    /// Removes a segment that holds nothing.
    fn remove(&mut self, first_seq: u64) -> io::Result<()>;

    /// Writes all of `bytes`.
    fn write(&mut self, segment: &mut Self::Segment, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Brings what was written to the disk.
    fn sync(&mut self, segment: &mut Self::Segment) -> io::Result<()>;

    /// Gives back the room behind `length`.
    fn truncate(&mut self, segment: &mut Self::Segment, length: u64) -> io::Result<()>;

    /// Fails unless the segment is still the file at its place: what is written to a file that was
    /// removed is lost without any error.
    fn check(&self, segment: &Self::Segment) -> io::Result<()>;

    /// The lock once more, for the process that is to write next: it is free when nobody has it
    /// any more.
    fn share_lock(&self) -> io::Result<File>;
}

/// Why a journal's directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it.
    #[error(
        "the journal {path} is in use by another process: stop it, or give this gateway a \
         directory of its own ([journal] dir)"
    )]
    Locked {
        /// The directory.
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
}

/// The real thing.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    lock: File,
}

/// A segment of a [`Directory`].
#[derive(Debug)]
pub struct SegmentFile {
    file: File,
    path: PathBuf,
    identity: (u64, u64),
}

impl Directory {
    /// Makes the directory (mode 0700) if it is missing, and locks it.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let failed = |doing| {
            move |source| DirectoryError::Io {
                doing,
                path: path.to_owned(),
                source,
            }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("create the journal's directory"))?;
        let lock = match lock(path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(DirectoryError::Locked {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(failed("lock the journal in")(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            lock,
        })
    }

    /// A directory whose lock another process has handed over.
    pub fn adopt(path: &Path, lock: File) -> Self {
        Self {
            path: path.to_owned(),
            lock,
        }
    }

    fn segment(&self, first_seq: u64) -> PathBuf {
        segment_path(&self.path, first_seq)
    }

    /// Takes the lock again if its file was removed, as with the whole directory.
    fn keep_lock(&mut self) -> io::Result<()> {
        let held = identity(&self.lock.metadata()?);
        match fs::metadata(self.path.join(LOCK)) {
            Ok(there) if identity(&there) == held => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                self.lock = lock(&self.path)?;
                Ok(())
            }
        }
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn lock(directory: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Reads from a place on until the buffer is full or the file ends; gives how much was read.
pub(super) fn read_at(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(space) = buffer.get_mut(read..).filter(|space| !space.is_empty()) {
        match file.read_at(space, from + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Where a segment lies.
pub fn segment_path(directory: &Path, first_seq: u64) -> PathBuf {
    directory.join(format!("{first_seq:0DIGITS$}{SUFFIX}"))
}

/// First events of the segments in a directory, ascending.
pub fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(SUFFIX))
            .filter(|digits| digits.len() == DIGITS)
            .and_then(|digits| digits.parse::<u64>().ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Files for Directory {
    type Segment = SegmentFile;

    fn list(&self) -> io::Result<Vec<u64>> {
        list(&self.path)
    }

    fn read(&self, first_seq: u64) -> io::Result<Vec<u8>> {
        fs::read(self.segment(first_seq))
    }

    fn create(&mut self, first_seq: u64, size: u64) -> io::Result<SegmentFile> {
        self.keep_lock()?;
        let path = self.segment(first_seq);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let identity = identity(&file.metadata()?);
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
            // A file system that cannot: the file grows as it is written.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(error) => {
                // Leaves no file behind that takes what room there is.
                let _ = fs::remove_file(&path);
                return Err(error.into());
            }
        }
        file.sync_all()?;
        self.sync_directory()?;
        Ok(SegmentFile {
            file,
            path,
            identity,
        })
    }

    fn reopen(&mut self, first_seq: u64) -> io::Result<SegmentFile> {
        let path = self.segment(first_seq);
        let file = OpenOptions::new().write(true).open(&path)?;
        let identity = identity(&file.metadata()?);
        Ok(SegmentFile {
            file,
            path,
            identity,
        })
    }

    fn cut(&mut self, first_seq: u64, length: u64) -> io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .open(self.segment(first_seq))?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn remove(&mut self, first_seq: u64) -> io::Result<()> {
        fs::remove_file(self.segment(first_seq))?;
        self.sync_directory()
    }

    fn write(&mut self, segment: &mut SegmentFile, bytes: &[u8], offset: u64) -> io::Result<()> {
        segment.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self, segment: &mut SegmentFile) -> io::Result<()> {
        segment.file.sync_data()
    }

    fn truncate(&mut self, segment: &mut SegmentFile, length: u64) -> io::Result<()> {
        segment.file.set_len(length)
    }

    fn check(&self, segment: &SegmentFile) -> io::Result<()> {
        if identity(&fs::metadata(&segment.path)?) == segment.identity {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the segment was replaced while it was in use",
            ))
        }
    }

    fn share_lock(&self) -> io::Result<File> {
        self.lock.try_clone()
    }
}
