//! The directory of captures: one file a call.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::domain::capture::envelope::{HEADER, Header, OpenError, read_header};
use crate::types::CallId;

/// How the files end.
const ENDING: &str = "capture";
/// How files end that are being written.
const UNFINISHED: &str = "unfinished";

/// Largest file that is read: two excerpts and two heads of 64 KiB, and what JSON adds to them.
const MAX_FILE: u64 = 4 << 20;

/// A capture in the directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The call that it is of.
    pub call_id: CallId,
    /// What its header says.
    pub header: Result<Header, OpenError>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The directory.
#[derive(Clone, Debug)]
pub struct Shelf {
    directory: PathBuf,
    #[cfg(test)]
    pub(super) is_full: bool,
}

impl Shelf {
    /// The directory at a path, which need not be there.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            #[cfg(test)]
            is_full: false,
        }
    }

    /// Makes the directory, for its owner alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        // It may have been there.
        fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o700))
    }

    /// Keeps the capture of a call. A reader sees all of it or nothing.
    ///
    /// # Errors
    /// What the system says, with nothing left behind.
    pub fn put(&self, call_id: CallId, file: &[u8]) -> io::Result<()> {
        let unfinished = self.path(call_id, UNFINISHED);
        let written = self
            .write(&unfinished, file)
            .and_then(|()| fs::rename(&unfinished, self.path(call_id, ENDING)));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        #[cfg(test)]
        if self.is_full {
            file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(bytes)
    }

    /// The file of a call; `None` if there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn get(&self, call_id: CallId) -> io::Result<Option<Vec<u8>>> {
        let file = match fs::File::open(self.path(call_id, ENDING)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Deletes the capture of a call.
    ///
    /// # Errors
    /// What the system says; that it is gone already is no error.
    pub fn remove(&self, call_id: CallId) -> io::Result<()> {
        match fs::remove_file(self.path(call_id, ENDING)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Every capture, the oldest first.
    ///
    /// # Errors
    /// What the system says; that there is no directory is no error.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for path in self.files(ENDING)? {
            let name = path.file_stem().and_then(|name| name.to_str());
            let Some(call_id) = name.and_then(|name| name.parse().ok()) else {
                continue;
            };
            let mut head = Vec::with_capacity(HEADER);
            let Ok(file) = fs::File::open(&path) else {
                // Deleted since: its time was over.
                continue;
            };
            let bytes = file.metadata()?.len();
            file.take(HEADER as u64).read_to_end(&mut head)?;
            entries.push(Entry {
                call_id,
                header: read_header(&head),
                bytes,
            });
        }
        entries.sort_by_key(|entry| entry.call_id);
        Ok(entries)
    }

    /// Deletes what a process that ended in the middle has left behind. Only the gateway that
    /// writes here may do it.
    ///
    /// # Errors
    /// What the system says.
    pub fn tidy(&self) -> io::Result<()> {
        for path in self.files(UNFINISHED)? {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn files(&self, ending: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == ending) {
                files.push(path);
            }
        }
        Ok(files)
    }

    fn path(&self, call_id: CallId, ending: &str) -> PathBuf {
        self.directory.join(format!("{call_id}.{ending}"))
    }
}
