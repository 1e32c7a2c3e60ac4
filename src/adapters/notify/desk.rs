//! The book of incidents in a file: the gateway adds to it, people answer through `egret alert`,
//! and neither waits for the other for longer than a write.
//!
//! Whoever changes the book holds the lock, reads the file if another changed it, queues what is
//! to be told, and only then writes the book: after a crash between the two something may be told
//! twice (receivers know it by its id), but nothing is forgotten.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::spool::Spool;
use crate::adapters::whole_file;
use crate::domain::detect::Mark;
use crate::domain::incident::{
    Act, ActFault, Book, LoadFault, Notice, NoticeKind, Settings, Severity, SharedBook, Sign, Taken,
};
use crate::types::Micros;

/// Largest book: 15,000 incidents of some KB.
const MAX_BOOK: u64 = 256 << 20;

/// Which notices a channel gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The channel's name.
    pub channel: String,
    /// From which severity on.
    pub tell_from: Severity,
    /// Whether it is told when somebody takes an incident.
    pub tells_acknowledged: bool,
}

impl Route {
    fn takes(&self, notice: &Notice) -> bool {
        notice.case.severity >= self.tell_from
            && (self.tells_acknowledged || notice.kind != NoticeKind::Acknowledged)
    }
}

/// What a configuration says of incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskRules {
    /// When incidents end, and when people are told again.
    pub settings: Settings,
    /// Who is told.
    pub routes: Vec<Route>,
}

/// Why the book cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The file system refused.
    #[error("cannot {doing} {path}: {cause}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is no book.
    #[error("{path}: {fault}; move it away to begin anew")]
    Book {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        fault: LoadFault,
    },
    /// The book that a fleet shares.
    #[error("{0}")]
    Shared(String),
    /// What was asked for cannot be done.
    #[error(transparent)]
    Act(#[from] ActFault),
}

/// Which state of the file was read.
type Stamp = (u64, i64, i64, u64);

/// The book, its file and its spool.
#[derive(Debug)]
pub struct Desk {
    directory: PathBuf,
    settings: Settings,
    routes: Vec<Route>,
    spool: Spool,
    book: Book,
    stamp: Option<Stamp>,
    /// Where the book is instead, if a fleet shares it, and which version was read.
    shared: Option<(Box<dyn SharedBook>, i64)>,
}

impl Desk {
    /// Opens the directory of incidents; makes it if it is not there.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn open(
        directory: &Path,
        settings: Settings,
        routes: Vec<Route>,
    ) -> Result<Self, DeskError> {
        let io = |doing, cause| DeskError::Io {
            doing,
            path: directory.to_owned(),
            cause,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|cause| io("make", cause))?;
        let spool = Spool::open(&directory.join("outbox")).map_err(|cause| io("make", cause))?;
        let mut desk = Self {
            directory: directory.to_owned(),
            settings,
            routes,
            spool,
            book: Book::new(settings),
            stamp: None,
            shared: None,
        };
        let _lock = desk.lock()?;
        desk.refresh()?;
        Ok(desk)
    }

    /// Goes on by other rules.
    pub fn retune(&mut self, rules: &DeskRules) {
        self.settings = rules.settings;
        self.routes.clone_from(&rules.routes);
        // It is read again, to be kept by them.
        self.book = Book::new(rules.settings);
        self.stamp = None;
        if let Some((_, known)) = &mut self.shared {
            *known = 0;
        }
    }

    /// Uses a book that a fleet shares. What waits to be told stays with the node that has put it
    /// there. The place is not asked yet; the first who finds it empty brings in the incidents of its
    /// own directory.
    #[must_use]
    pub fn sharing(mut self, book: Box<dyn SharedBook>) -> Self {
        self.shared = Some((book, 0));
        self
    }

    /// The queue of notices.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// The book as it is now.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn book(&mut self) -> Result<&Book, DeskError> {
        let _lock = self.lock()?;
        self.refresh()?;
        self.end();
        Ok(&self.book)
    }

    /// Takes in a sign.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn take(&mut self, sign: &Sign, now: Micros) -> Result<(), DeskError> {
        self.change(now, |book| Ok((book.take(sign), true)))
    }

    /// Takes in a sign of detection, unless it was taken in before; says what became of it. Notices
    /// are due at `due`: later than now if something is yet to be noted that they should say.
    ///
    /// # Errors
    /// [`DeskError`]; then it was not taken in.
    pub fn hear(
        &mut self,
        sign: &Sign,
        mark: Mark,
        due: Micros,
    ) -> Result<Option<Taken>, DeskError> {
        let mut taken = None;
        self.change(due, |book| {
            let heard = book.hear(sign, mark);
            let is_changed = heard.is_some();
            let (found, notices) = heard.unzip();
            taken = found;
            Ok((notices.unwrap_or_default(), is_changed))
        })?;
        Ok(taken)
    }

    /// Notes what was done about an incident without being asked, also in notices that are due later.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn note(&mut self, incident: &str, note: String, now: Micros) -> Result<(), DeskError> {
        self.change(now, |book| {
            book.note(incident, note, now);
            Ok((Vec::new(), true))
        })?;
        let Some(case) = self.book.case(incident) else {
            return Ok(());
        };
        let amended = self.spool.amend(case, now);
        amended.map_err(|cause| self.io("amend a notice in", cause))
    }

    /// Closes what has been quiet.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn tick(&mut self, now: Micros) -> Result<(), DeskError> {
        self.change(now, |book| {
            let before = (book.figures(), book.silences().len());
            let notices = book.tick(now);
            let is_changed =
                before != (book.figures(), book.silences().len()) || !notices.is_empty();
            Ok((notices, is_changed))
        })
    }

    /// Does what somebody asks for.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn act(&mut self, act: Act, who: &str, now: Micros) -> Result<(), DeskError> {
        self.change(now, |book| Ok((book.act(act, who, now)?, true)))
    }

    fn change(
        &mut self,
        due: Micros,
        with: impl FnOnce(&mut Book) -> Result<(Vec<Notice>, bool), DeskError>,
    ) -> Result<(), DeskError> {
        let _lock = self.lock()?;
        self.refresh()?;
        let done = self.change_it(due, with);
        if !matches!(done, Ok(true)) {
            self.end();
        }
        done.map(drop)
    }

    /// Changes the book that was just read; whether it was changed.
    fn change_it(
        &mut self,
        due: Micros,
        with: impl FnOnce(&mut Book) -> Result<(Vec<Notice>, bool), DeskError>,
    ) -> Result<bool, DeskError> {
        // On a copy: what cannot be kept has not happened.
        let mut book = self.book.clone();
        let (notices, is_changed) = with(&mut book)?;
        if !is_changed {
            return Ok(false);
        }
        for notice in &notices {
            for route in self.routes.iter().filter(|route| route.takes(notice)) {
                self.spool
                    .put(&route.channel, notice, due)
                    .map_err(|cause| self.io("queue a notice in", cause))?;
            }
        }
        match &mut self.shared {
            Some((shared, version)) => {
                *version = shared.write(book.save()).map_err(DeskError::Shared)?;
            }
            None => {
                whole_file::write(&self.path(), book.save().as_bytes())
                    .map_err(|cause| self.io("write", cause))?;
                self.stamp = self.stamp_now();
            }
        }
        self.book = book;
        Ok(true)
    }

    /// Lets others change a shared book.
    fn end(&mut self) {
        if let Some((shared, _)) = &mut self.shared {
            shared.end();
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("incidents.json")
    }

    fn io(&self, doing: &'static str, cause: io::Error) -> DeskError {
        DeskError::Io {
            doing,
            path: self.path(),
            cause,
        }
    }

    /// Held until it is dropped.
    fn lock(&self) -> Result<File, DeskError> {
        let path = self.directory.join("lock");
        let io = |cause| DeskError::Io {
            doing: "lock",
            path: path.clone(),
            cause,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|errno| io(errno.into()))?;
        Ok(file)
    }

    fn stamp_now(&self) -> Option<Stamp> {
        let meta = fs::metadata(self.path()).ok()?;
        // Every change is another file.
        Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
    }

    /// Reads the file if it is not the one that was read or written last.
    fn refresh(&mut self) -> Result<(), DeskError> {
        if let Some((shared, known)) = &mut self.shared {
            let (version, text) = shared.begin(*known).map_err(DeskError::Shared)?;
            if let Some(text) = text {
                self.book = match Book::load(&text, self.settings) {
                    Ok(book) => book,
                    Err(fault) => {
                        shared.end();
                        return Err(DeskError::Shared(fault.to_string()));
                    }
                };
            }
            *known = version;
            return Ok(());
        }
        let stamp = self.stamp_now();
        if stamp == self.stamp {
            return Ok(());
        }
        let path = self.path();
        let mut text = String::new();
        match File::open(&path) {
            Ok(file) => {
                file.take(MAX_BOOK)
                    .read_to_string(&mut text)
                    .map_err(|cause| self.io("read", cause))?;
                self.book = Book::load(&text, self.settings)
                    .map_err(|fault| DeskError::Book { path, fault })?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.book = Book::new(self.settings)
            }
            Err(cause) => return Err(self.io("read", cause)),
        }
        self.stamp = stamp;
        Ok(())
    }
}
