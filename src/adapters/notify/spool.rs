//! What is to be told, on disk until it has been: one file per notice and channel.
//!
//! A file's name says when it is due, how often it was tried, to whom it goes and what it is
//! about, so that a look at the directory is the queue, and a rename is a postponement. Files
//! appear whole or not at all. What was given up on is moved to `dead`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::adapters::whole_file;
use crate::domain::incident::{Case, Notice};
use crate::types::Micros;

/// Notices that wait at a time. Beyond it new ones are refused: nobody reads ten thousand.
const MAX_WAITING: usize = 10_000;
/// Largest notice: a thousand calls of 36 bytes and what is around them.
const MAX_FILE: u64 = 1 << 20;
/// How files end.
const ENDING: &str = "notice";
/// Between the parts of a name; in no channel's name and in no incident's id.
const BETWEEN: char = '~';

/// A notice that waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// When it is due.
    pub due: Micros,
    /// How often it was tried.
    pub tries: u32,
    /// To whom it goes.
    pub channel: String,
    /// Which incident.
    pub incident: String,
    /// Which notice of the incident.
    pub number: u8,
}

impl Waiting {
    fn file_name(&self) -> String {
        format!(
            "{:017}{BETWEEN}{:03}{BETWEEN}{}{BETWEEN}{}{BETWEEN}{:03}.{ENDING}",
            self.due.0.max(0),
            self.tries,
            self.channel,
            self.incident,
            self.number
        )
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(ENDING)?.strip_suffix('.')?.split(BETWEEN);
        let waiting = Self {
            due: Micros(parts.next()?.parse().ok()?),
            tries: parts.next()?.parse().ok()?,
            channel: parts.next()?.to_owned(),
            incident: parts.next()?.to_owned(),
            number: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(waiting)
    }
}

/// The directory.
#[derive(Clone, Debug)]
pub struct Spool {
    directory: PathBuf,
}

impl Spool {
    /// The directory at a path; made if it is not there, for its owner alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let spool = Self {
            directory: directory.to_owned(),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(spool.dead())?;
        Ok(spool)
    }

    fn dead(&self) -> PathBuf {
        self.directory.join("dead")
    }

    /// Held by whoever sends: two processes would tell everything twice. `None` while another
    /// sends.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.directory.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Queues a notice for a channel; it is on disk afterwards. A notice that waits already stays
    /// as it is.
    ///
    /// # Errors
    /// What the system says, or that too many wait.
    pub fn put(&self, channel: &str, notice: &Notice, due: Micros) -> io::Result<()> {
        let waiting = Waiting {
            due,
            tries: 0,
            channel: channel.to_owned(),
            incident: notice.case.id.clone(),
            number: notice.number,
        };
        let all = self.list()?;
        let is_same = |other: &Waiting| {
            other.channel == waiting.channel
                && other.incident == waiting.incident
                && other.number == waiting.number
        };
        if all.iter().any(is_same) {
            return Ok(());
        }
        if all.len() >= MAX_WAITING {
            return Err(io::Error::other(format!(
                "{MAX_WAITING} notices wait already"
            )));
        }
        let path = self.directory.join(waiting.file_name());
        whole_file::write(&path, &serde_json::to_vec(notice)?)
    }

    /// What waits, the earliest first.
    ///
    /// # Errors
    /// What the system says.
    pub fn list(&self) -> io::Result<Vec<Waiting>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            if let Some(waiting) = entry?.file_name().to_str().and_then(Waiting::parse) {
                all.push(waiting);
            }
        }
        all.sort();
        Ok(all)
    }

    /// A notice that waits; `None` if it is gone or damaged.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, waiting: &Waiting) -> io::Result<Option<Notice>> {
        let file = match File::open(self.directory.join(waiting.file_name())) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes).ok())
    }

    /// Puts an incident as it is now into the notices about it that are not due yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn amend(&self, case: &Case, now: Micros) -> io::Result<()> {
        for waiting in self.list()? {
            if waiting.incident == case.id
                && waiting.due > now
                && waiting.tries == 0
                && let Some(mut notice) = self.read(&waiting)?
            {
                notice.case = case.clone();
                let path = self.directory.join(waiting.file_name());
                whole_file::write(&path, &serde_json::to_vec(&notice)?)?;
            }
        }
        Ok(())
    }

    /// It has been told.
    ///
    /// # Errors
    /// What the system says.
    pub fn done(&self, waiting: &Waiting) -> io::Result<()> {
        match fs::remove_file(self.directory.join(waiting.file_name())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// It is tried again at another time.
    ///
    /// # Errors
    /// What the system says.
    pub fn postpone(&self, waiting: &Waiting, due: Micros) -> io::Result<()> {
        let later = Waiting {
            due,
            tries: waiting.tries + 1,
            ..waiting.clone()
        };
        fs::rename(
            self.directory.join(waiting.file_name()),
            self.directory.join(later.file_name()),
        )
    }

    /// It is given up on, and kept aside.
    ///
    /// # Errors
    /// What the system says.
    pub fn bury(&self, waiting: &Waiting) -> io::Result<()> {
        fs::rename(
            self.directory.join(waiting.file_name()),
            self.dead().join(waiting.file_name()),
        )
    }

    /// How many were given up on.
    ///
    /// # Errors
    /// What the system says.
    pub fn buried(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.dead())?.count())
    }
}
