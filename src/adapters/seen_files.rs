//! The files that something was read from, and whether they have changed since.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use super::kept_file::Stamp;

/// A file as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// `None` if it was not there.
    stamp: Option<Stamp>,
    /// Of its content; `None` for a directory, and if it could not be read.
    digest: Option<[u8; 32]>,
}

/// Files and directories as they were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenFiles {
    all: BTreeMap<PathBuf, Seen>,
}

fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().map(|of| Stamp::of(&of))
}

impl SeenFiles {
    /// Reads a file and remembers what was seen. A change while it was being read is noticed later.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let stamp = stamp(path);
        let read = std::fs::read(path);
        let digest = read.as_ref().ok().and_then(|bytes| {
            let digest = digest(&SHA256, bytes);
            digest.as_ref().first_chunk().copied()
        });
        self.all.insert(path.to_owned(), Seen { stamp, digest });
        read
    }

    /// Remembers a directory, in which files may come and go.
    pub fn look_at(&mut self, path: &Path) {
        let seen = Seen {
            stamp: stamp(path),
            digest: None,
        };
        self.all.insert(path.to_owned(), seen);
    }

    /// The same files as they look now; `None` while they look the same. One `stat` for each.
    pub fn changed(&self) -> Option<Look> {
        let now: Vec<_> = self.all.keys().map(|path| stamp(path)).collect();
        let before = self.all.values().map(|seen| seen.stamp);
        (!before.eq(now.iter().copied())).then_some(Look(now))
    }

    /// The files that hold something else than in `before`, those included that only one of the two
    /// knows.
    pub fn differing<'f>(&'f self, before: &'f Self) -> Vec<&'f Path> {
        let digest = |of: &Self, path: &Path| of.all.get(path).and_then(|seen| seen.digest);
        let paths = self.all.keys().chain(before.all.keys());
        let mut differing: Vec<&Path> = paths
            .map(PathBuf::as_path)
            .filter(|path| digest(self, path) != digest(before, path))
            .collect();
        differing.sort_unstable();
        differing.dedup();
        differing
    }
}

/// How files look at one moment. Two that are equal say that nobody is writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look(Vec<Option<Stamp>>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_comes_or_goes_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, other) = (directory.path().join("a"), directory.path().join("b"));
        std::fs::write(&file, "1").unwrap();
        let mut before = SeenFiles::default();
        before.read(&file).unwrap();
        before.read(&other).unwrap_err();
        assert_eq!(before.changed(), None);

        std::fs::write(&file, "22").unwrap();
        let look = before.changed().unwrap();
        assert_eq!(before.changed(), Some(look.clone()));
        std::fs::write(&other, "1").unwrap();
        assert_ne!(before.changed(), Some(look));

        let mut after = SeenFiles::default();
        after.read(&file).unwrap();
        after.read(&other).unwrap();
        assert_eq!(after.differing(&before), [&*file, &*other]);
        assert_eq!(after.changed(), None);

        // The same content in another file is no difference.
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "22").unwrap();
        let mut again = after.clone();
        again.read(&file).unwrap();
        assert!(again.differing(&after).is_empty());
    }

    #[test]
    fn a_directory_is_noticed_to_hold_more() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("conf.d");
        std::fs::create_dir(&inside).unwrap();
        let mut seen = SeenFiles::default();
        seen.look_at(&inside);
        std::fs::write(inside.join("a.toml"), "").unwrap();
        assert!(seen.changed().is_some());
    }
}
