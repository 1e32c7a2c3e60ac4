//! What detection has learned, in a file.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::whole_file;

/// Largest state that is read: ten times what the default bounds can come to.
const MAX_STATE: u64 = 2 << 30;
/// Name of the file.
const NAME: &str = "state.bin";

/// The file, replaced as a whole: a reader sees the former state or the later one.
#[derive(Clone, Debug)]
pub struct DetectionFile {
    directory: PathBuf,
}

impl DetectionFile {
    /// The file in a directory, which is made when it is first needed, for its owner alone.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// What is kept; `None` if nothing is.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_STATE).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Keeps a state; it is on disk afterwards.
    ///
    /// # Errors
    /// What the system says; the former state is still there.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        whole_file::write(&self.path(), bytes)
    }

    /// Puts a state that cannot be used aside, for whoever wants to know why.
    ///
    /// # Errors
    /// What the system says.
    pub fn put_aside(&self) -> io::Result<PathBuf> {
        let aside = self.directory.join("state.unusable");
        fs::rename(self.path(), &aside)?;
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = DetectionFile::new(&dir.path().join("detect"));
        assert_eq!(file.read().unwrap(), None);
        for state in [&b"one"[..], b"two and more"] {
            file.write(state).unwrap();
            assert_eq!(file.read().unwrap().as_deref(), Some(state));
        }
        let aside = file.put_aside().unwrap();
        assert_eq!(fs::read(aside).unwrap(), b"two and more");
        assert_eq!(file.read().unwrap(), None);
    }
}
