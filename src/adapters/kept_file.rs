//! Files that a command changes and the running gateway follows: the callers, the locks.
//!
//! Such a file is replaced as a whole (a new file is written, synced and renamed over the old one), so a
//! reader sees the old or the new content and never half of one. Commands that change it take turns
//! by a lock on a file beside it, for a lock on the file itself would be lost with the rename.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::access::{AdminBook, parse_admins, write_admins};
use crate::domain::config::reader::MAX_TEXT;
use crate::domain::config::{Fault, Faults, Protections};
use crate::domain::identity::{CallerBook, parse_callers, write_callers};
use crate::domain::lockdown::{LockBook, parse_locks, write_locks};

/// What such a file holds. A file that is not there holds the default.
pub trait Kept: Default {
    /// Reads a text; `file` is its name in faults.
    ///
    /// # Errors
    /// Every fault of the text.
    fn parse(file: &str, text: &str) -> Result<Self, Faults>;

    /// Writes what [`Kept::parse`] reads.
    fn write(&self) -> String;
}

impl Kept for CallerBook {
    fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        parse_callers(file, text)
    }

    fn write(&self) -> String {
        write_callers(self)
    }
}

impl Kept for AdminBook {
    fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        parse_admins(file, text)
    }

    fn write(&self) -> String {
        write_admins(self)
    }
}

impl Kept for LockBook {
    fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        parse_locks(file, text)
    }

    fn write(&self) -> String {
        write_locks(self)
    }
}

impl Kept for Protections {
    fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text).map_err(|error| {
            Faults::from(Fault {
                file: file.to_owned(),
                line: error.line(),
                column: error.column(),
                key: String::new(),
                found: None,
                message: "not what a gateway has written there".to_owned(),
                hint: "remove the file: what changes from then on is told again".to_owned(),
            })
        })
    }

    fn write(&self) -> String {
        // Maps of texts and numbers: this cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// Why a kept file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptFileError {
    /// The file system refused.
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Anybody on the machine could change who may do what.
    #[error("{path}: everybody may write to it; run `chmod o-w {path}`", path = .0.display())]
    WritableByAll(PathBuf),
    /// It was there and is gone.
    #[error("{path}: the file is gone; what was read before stays in force", path = .0.display())]
    Gone(PathBuf),
    /// The text has faults.
    #[error("{0}")]
    Faults(Faults),
}

/// Why the content of a kept file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError<E> {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] KeptFileError),
    /// The change was refused; the file is as it was.
    #[error(transparent)]
    Refused(E),
}

/// What tells one version of the file from the next. The time is that of the last change of
/// content or permissions (`st_ctime`), so that `chmod` is seen as well. A rename changes the
/// inode, so two changes within one tick of the file system's clock are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    seconds: i64,
    nanoseconds: i64,
    size: u64,
    inode: u64,
}

/// A file that is read again when it changes.
#[derive(Debug)]
pub struct KeptFile<T> {
    path: PathBuf,
    stamp: Option<Stamp>,
    unreachable: bool,
    content: Arc<T>,
}

/// What a look at the file found.
#[derive(Debug)]
pub enum Poll<T> {
    /// Nothing new.
    Unchanged,
    /// New content.
    Changed(Arc<T>),
    /// A new file that cannot be used; the old content stays. Said once for each broken version.
    Broken(KeptFileError),
}

impl<T: Kept> KeptFile<T> {
    /// Reads the file; without one it holds the default.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeptFileError> {
        let path = path.into();
        let (stamp, content) = read(&path)?;
        Ok(Self {
            path,
            stamp,
            unreachable: false,
            content: Arc::new(content),
        })
    }

    /// The content as it was read last.
    pub fn content(&self) -> &Arc<T> {
        &self.content
    }

    /// Looks whether the file changed and reads it again. Blocks on the file system; cheap (one
    /// `stat`) when nothing changed.
    pub fn poll(&mut self) -> Poll<T> {
        let stamp = match std::fs::metadata(&self.path) {
            Ok(metadata) => Some(Stamp::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) if self.unreachable => return Poll::Unchanged,
            Err(error) => {
                self.unreachable = true;
                return Poll::Broken(failed(&self.path, "look at it")(error));
            }
        };
        self.unreachable = false;
        if stamp == self.stamp {
            return Poll::Unchanged;
        }
        if stamp.is_none() {
            self.stamp = None;
            return Poll::Broken(KeptFileError::Gone(self.path.clone()));
        }
        match read(&self.path) {
            Ok((stamp, content)) => {
                self.stamp = stamp;
                self.content = Arc::new(content);
                Poll::Changed(Arc::clone(&self.content))
            }
            Err(error) => {
                self.stamp = stamp;
                Poll::Broken(error)
            }
        }
    }
}

impl Stamp {
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            seconds: metadata.ctime(),
            nanoseconds: metadata.ctime_nsec(),
            size: metadata.size(),
            inode: metadata.ino(),
        }
    }
}

/// Reads the content; without a file it is the default.
///
/// # Errors
/// The file is there and cannot be used.
pub fn load<T: Kept>(path: &Path) -> Result<T, KeptFileError> {
    read(path).map(|(_, content)| content)
}

/// Changes the content under the lock. `change` gets what is in the file now and gives what shall
/// be in it and whatever its caller wants to know.
///
/// # Errors
/// The file cannot be read or written, or `change` refused; then the file is as it was.
pub fn update<T: Kept, A, E>(
    path: &Path,
    change: impl FnOnce(&T) -> Result<(T, A), E>,
) -> Result<A, UpdateError<E>> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed(directory, "make the directory"))?;
    }
    let lock_path = beside(path, ".lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(failed(&lock_path, "open the lock"))?;
    // Held until `lock` is dropped; the system gives it back if the process dies.
    lock.lock().map_err(failed(&lock_path, "take the lock"))?;
    let (content, answer) = change(&load(path)?).map_err(UpdateError::Refused)?;
    save(path, &content.write())?;
    Ok(answer)
}

fn read<T: Kept>(path: &Path) -> Result<(Option<Stamp>, T), KeptFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((None, T::default()));
        }
        Err(error) => return Err(failed(path, "read it")(error)),
    };
    // The stamp is of the open file: of the one that is read, not of one renamed over it since.
    let metadata = file.metadata().map_err(failed(path, "look at it"))?;
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(KeptFileError::WritableByAll(path.to_owned()));
    }
    let mut text = String::new();
    file.take(MAX_TEXT as u64 + 1)
        .read_to_string(&mut text)
        .map_err(failed(path, "read it"))?;
    let content = T::parse(&path.display().to_string(), &text).map_err(KeptFileError::Faults)?;
    Ok((Some(Stamp::of(&metadata)), content))
}

fn save(path: &Path, text: &str) -> Result<(), KeptFileError> {
    let new_path = beside(path, ".new");
    let write = || {
        // A file that a killed command left behind; nobody else writes it while we hold the lock.
        match std::fs::remove_file(&new_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new_path)?;
        // The owner of the old file decided who may read it; a new file is for its owner only.
        if let Ok(old) = std::fs::metadata(path) {
            let mode = old.permissions().mode() & 0o640;
            file.set_permissions(Permissions::from_mode(0o600 | mode))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new_path, path)?;
        // The rename itself is durable once the directory is.
        let directory = path
            .parent()
            .filter(|directory| *directory != Path::new(""));
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(failed(path, "write it"))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> KeptFileError {
    let path = path.to_owned();
    move |source| KeptFileError::Io {
        path,
        action,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::{BookError, RANDOM_BYTES};
    use crate::types::Micros;

    fn add(path: &Path, name: &str, seed: u8) {
        update(path, |book: &CallerBook| {
            book.add(name, None, Micros(0), &[seed; RANDOM_BYTES])
        })
        .unwrap();
    }

    fn names(book: &CallerBook) -> Vec<&str> {
        book.callers().iter().map(|caller| &*caller.name).collect()
    }

    #[test]
    fn a_running_reader_sees_changes_and_survives_broken_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/callers.toml");
        let mut file = KeptFile::<CallerBook>::open(&path).unwrap();
        assert!(matches!(file.poll(), Poll::Unchanged));

        add(&path, "a", 1);
        let Poll::Changed(book) = file.poll() else {
            panic!("the new file was not seen");
        };
        assert_eq!(names(&book), ["a"]);
        assert!(matches!(file.poll(), Poll::Unchanged));

        std::fs::write(&path, "[[caller]]\nnam = \"x\"\n").unwrap();
        let Poll::Broken(error) = file.poll() else {
            panic!("the broken file was not reported");
        };
        assert!(
            error
                .to_string()
                .contains("callers.toml:2:1: caller.nam: unknown key"),
            "{error}"
        );
        assert!(matches!(file.poll(), Poll::Unchanged));
        assert_eq!(names(file.content()), ["a"]);

        std::fs::set_permissions(&path, Permissions::from_mode(0o606)).unwrap();
        assert!(matches!(
            file.poll(),
            Poll::Broken(KeptFileError::WritableByAll(_))
        ));

        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file.poll(), Poll::Broken(KeptFileError::Gone(_))));
        assert!(matches!(file.poll(), Poll::Unchanged));
        assert_eq!(names(file.content()), ["a"]);

        add(&path, "b", 2);
        assert!(matches!(file.poll(), Poll::Changed(book) if names(&book) == ["b"]));
    }

    #[test]
    fn the_file_is_private_and_no_key_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callers.toml");
        let new = update(&path, |book: &CallerBook| {
            book.add("a", None, Micros(0), &[1; RANDOM_BYTES])
        })
        .unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let secret = new.key.expose().rsplit_once('_').unwrap().1.to_owned();
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(!text.contains(&secret));
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(
            load::<CallerBook>(&path),
            Err(KeptFileError::WritableByAll(_))
        ));
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        add(&path, "b", 2);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn a_refused_change_and_a_leftover_of_a_killed_command_do_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callers.toml");
        add(&path, "a", 1);
        let before = std::fs::read(&path).unwrap();
        let refused = update(&path, |book: &CallerBook| {
            book.add("a", None, Micros(0), &[2; RANDOM_BYTES])
        });
        assert!(matches!(
            refused,
            Err(UpdateError::Refused(BookError::HasKey(_)))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        std::fs::write(beside(&path, ".new"), "half a fi").unwrap();
        add(&path, "b", 2);
        assert_eq!(names(&load::<CallerBook>(&path).unwrap()), ["a", "b"]);
    }

    #[test]
    fn concurrent_changes_are_all_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callers.toml");
        std::thread::scope(|scope| {
            for seed in 0..8 {
                let path = &path;
                scope.spawn(move || add(path, &format!("caller-{seed}"), seed));
            }
        });
        assert_eq!(load::<CallerBook>(&path).unwrap().callers().len(), 8);
    }
}
