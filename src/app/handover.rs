//! One process of a gateway takes the place of another, without a call noticing:
//! `docs/design/upgrade.md` has the order of things and why it is this one.
//!
//! The predecessor is the parent. It lets go of one thing after the other and takes all of it back
//! when the successor does not get to its end, or dies while the predecessor still has calls.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::admin::listen;
use super::keepers::Keepers;
use super::ledger::FoundLedger;
use super::own_calls::{OwnCallError, OwnCalls, Tally};
use super::{Running, StartError, VERSION, runtime};
use crate::adapters::handover::{Line, LineError};
use crate::adapters::journal::{Intake, Journal, JournalError, JournalSettings, Released};
use crate::adapters::machine;
use crate::domain::config::Config;
use crate::domain::handover::{Hello, Listening, Message, Own, PROTOCOL, judge};
use crate::domain::journal::JOURNAL_FORMAT;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::edge::{Inherited, SharedSockets};
use crate::types::Outcome;

/// The argument that makes `egret serve` take over; its standard input is the line.
pub const TAKE_OVER: &str = "--take-over";

/// How long the successor may take for each step: reading a long journal, migrating a ledger.
const START_TIME: Duration = Duration::from_secs(120);

/// How long the predecessor may take for each step: its threads end within seconds.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// How long a successor that is of no use may take to end by itself.
const END_TIME: Duration = Duration::from_secs(15);

/// How often who waits looks.
const LOOK: Duration = Duration::from_millis(20);

/// What is started to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub binary: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// This program, as it was started; call it early, since the file may be replaced.
    ///
    /// # Errors
    /// The system does not say which file that is.
    pub fn of_this_process() -> io::Result<Self> {
        let arguments = std::env::args_os().skip(1);
        Ok(Self {
            binary: std::env::current_exe()?,
            arguments: arguments.filter(|one| one != TAKE_OVER).collect(),
        })
    }
}

/// Who has asked for an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// A signal: the system does not say whose.
    Signal,
    /// A user of the system, by its number.
    User(u32),
}

/// No other process has taken over; this one goes on as before.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The process before this one is not done.
    #[error(
        "the process that this one has taken over from still ends its calls; try again when it is \
         gone"
    )]
    Unfinished,
    /// It would be the end of the container.
    #[error(
        "this process is the first of its container, which ends with it: start a container with the \
         new version instead"
    )]
    FirstProcess,
    /// It cannot be put on record.
    #[error(transparent)]
    Record(#[from] OwnCallError),
    /// The program cannot be started.
    #[error("cannot start {binary}: {cause}")]
    Start {
        /// The program.
        binary: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It has said that it cannot, or may not.
    #[error("{0}")]
    Refused(String),
    /// It does not do its part.
    #[error("the new process does not take over: {0}")]
    Line(#[from] LineError),
    /// It said something else than what comes next.
    #[error("the new process does not keep to the order of a hand-over")]
    OutOfOrder,
    /// The journal cannot be let go of.
    #[error("the journal cannot be handed over now: {0}")]
    Journal(io::Error),
    /// The system refused.
    #[error("cannot hand over: {0}")]
    Io(#[from] io::Error),
}

/// The process that has taken over.
#[derive(Debug)]
pub struct Successor {
    child: Child,
    /// The admin listener's socket, in case it comes back.
    admin: Vec<SharedSockets>,
}

impl Successor {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn has_ended(&mut self) -> bool {
        // Who cannot be asked is not ours any more.
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sees to its end: nothing that it has may be used before.
    fn end(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.has_ended() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the time after a hand-over ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// No caller has a connection to this process any more, or it was asked to stop.
    Ended,
    /// The successor is gone, and this process serves again.
    TakenBack,
}

impl Running {
    /// Starts a program and hands everything over to it. When this returns well, the other process
    /// accepts connections; this one has those that are open: see [`Running::serve_out`].
    ///
    /// # Errors
    /// [`HandOverError`]; this process serves as before.
    pub fn hand_over(
        &mut self,
        program: &Program,
        by: &AskedBy,
        abort: &AtomicBool,
    ) -> Result<Successor, HandOverError> {
        if self.has_predecessor() {
            return Err(HandOverError::Unfinished);
        }
        if std::process::id() == 1 {
            return Err(HandOverError::FirstProcess);
        }
        let own_calls = OwnCalls::new(&self.config());
        let runtime = runtime().map_err(|error| io::Error::other(error.to_string()))?;
        let call = OwnCall::new(OwnOperation::GatewayUpgrade).fact("from_version", VERSION);
        let call = match by {
            AskedBy::Signal => call.fact("by", "signal"),
            AskedBy::User(uid) => call.fact("by", machine::name_of(*uid)),
        };
        let open = runtime.block_on(own_calls.begin(call))?;
        let done = self.start_and_hand_over(program, abort);
        let outcome = match done {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure,
        };
        match runtime.block_on(open.finish(outcome, Tally::default())) {
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "how the upgrade went is not on record"),
        }
        done
    }

    fn start_and_hand_over(
        &mut self,
        program: &Program,
        abort: &AtomicBool,
    ) -> Result<Successor, HandOverError> {
        let (mut line, theirs) = Line::pair()?;
        let child = Command::new(&program.binary)
            .args(&program.arguments)
            .arg(TAKE_OVER)
            .stdin(Stdio::from(theirs))
            .spawn()
            .map_err(|cause| HandOverError::Start {
                binary: program.binary.clone(),
                cause,
            })?;
        tracing::info!(
            pid = child.id(),
            binary = %program.binary.display(),
            "a new process is to take over"
        );
        let mut successor = Successor {
            child,
            admin: Vec::new(),
        };
        match self.converse(&mut line, &mut successor, abort) {
            Ok(()) => Ok(successor),
            Err(error) => {
                drop(line);
                successor.end(match error {
                    // It ends by itself, and says more in its log.
                    HandOverError::Refused(_) => END_TIME,
                    _ => Duration::ZERO,
                });
                self.take_back(&mut successor);
                Err(error)
            }
        }
    }

    fn converse(
        &mut self,
        line: &mut Line,
        successor: &mut Successor,
        abort: &AtomicBool,
    ) -> Result<(), HandOverError> {
        let abort = || abort.load(Ordering::Relaxed);
        let Message::Hello(hello) = hear(line, &abort)? else {
            return Err(HandOverError::OutOfOrder);
        };
        let config = self.config();
        let own = Own {
            journal_format: JOURNAL_FORMAT,
            journal: &config.journal.directory,
        };
        if let Err(why) = judge(&hello, &own) {
            line.send(&Message::Refused { why: why.clone() })?;
            return Err(HandOverError::Refused(why));
        }
        // From here on the ledger lags: the successor goes on where this process has stopped.
        if let Some(reload) = &self.reload {
            reload.pause();
        }
        if let Some(keepers) = self.keepers.take() {
            keepers.let_go(&self.around);
        }
        let listeners = self.server.share_sockets()?;
        let admin = self.admin.as_ref().map(|admin| admin.share_socket());
        let admin = admin.transpose()?;
        let announce = |shared: &SharedSockets| Listening {
            wanted: shared.wanted.clone(),
            sockets: shared.sockets.len(),
        };
        line.send(&Message::Sockets {
            listeners: listeners.iter().map(announce).collect(),
            admin: admin.as_ref().map(announce),
        })?;
        for shared in listeners.iter().chain(&admin) {
            let sockets: Vec<BorrowedFd<'_>> = shared.sockets.iter().map(AsFd::as_fd).collect();
            line.send_descriptors(&sockets)?;
        }
        successor.admin.extend(admin);
        let Message::WantJournal = hear(line, &abort)? else {
            return Err(HandOverError::OutOfOrder);
        };
        let (ours, theirs) = UnixStream::pair()?;
        // Calls wait for their records from here until the successor has the journal.
        let released = self.journal.release().map_err(HandOverError::Journal)?;
        line.send(&Message::Journal {
            next_seq: released.next_seq,
        })?;
        line.send_descriptors(&[released.lock.as_fd(), theirs.as_fd()])?;
        drop(theirs);
        self.journal.relay(ours)?;
        let Message::Serving { pid } = hear(line, &abort)? else {
            return Err(HandOverError::OutOfOrder);
        };
        self.server.pause();
        self.health.draining();
        if let Some(mut admin) = self.admin.take() {
            admin.leave_socket();
        }
        tracing::info!(
            pid,
            version = hello.version,
            "another process has taken over"
        );
        Ok(())
    }

    /// Serves the connections that are open until the last has ended: each is told to end with its
    /// next answer, and an idle one ends when its idle time is over, as it would anyway. So no
    /// request meets a connection that closes.
    pub fn serve_out(&mut self, successor: &mut Successor, stop: &AtomicBool) -> Afterwards {
        // An idle connection is closed after that, and one with a call is the drain's affair.
        let deadline = Instant::now() + self.config().timeouts.idle + Duration::from_secs(1);
        loop {
            if self.journal.relay_is_lost() || successor.has_ended() {
                // It may be on its way out, as this process is when both are asked to stop.
                successor.end(END_TIME);
                self.take_back(successor);
                return Afterwards::TakenBack;
            }
            let is_over = self.server.connections() == 0 || Instant::now() >= deadline;
            if is_over || stop.load(Ordering::Relaxed) {
                self.handed_over = true;
                return Afterwards::Ended;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether something is missing since another process was to take over; see [`Running::mend`].
    pub fn is_incomplete(&self) -> bool {
        self.keepers.is_none()
    }

    /// Tries again to begin what an upgrade that came to nothing has ended.
    pub fn mend(&mut self) {
        if let Err(error) = self.journal.take_back() {
            tracing::error!(
                %error,
                "the journal cannot be taken back from the process that was to take over; calls are \
                 refused as their policy says, and it is tried again"
            );
            return;
        }
        match self.restart_keepers() {
            Ok(keepers) => {
                self.keepers = Some(keepers);
                tracing::info!("the ledger is fed and the log is sealed as before");
            }
            Err(error) => tracing::error!(
                %error,
                "calls are recorded in the journal, but the ledger is not fed and the log is not \
                 sealed; it is tried again"
            ),
        }
    }

    /// Serves again. The successor has ended.
    fn take_back(&mut self, successor: &mut Successor) {
        if self.is_incomplete() {
            self.mend();
        }
        if self.admin.is_none() {
            let mut inherited = Inherited(std::mem::take(&mut successor.admin));
            let config = self.config();
            let started = listen::start(
                &config,
                &self.health,
                &self.desk,
                &self.admins,
                &mut inherited,
            );
            match started {
                Ok(admin) => self.admin = admin,
                Err(error) => tracing::error!(%error, "probes and metrics are not answered"),
            }
        }
        self.server.resume();
        self.health.serving_again();
        if let Some(reload) = &self.reload {
            reload.go_on();
        }
    }

    fn restart_keepers(&self) -> Result<Keepers, StartError> {
        let config = self.config();
        let ledger = FoundLedger::open(&config)?;
        let first_new = self.journal.state().next_seq;
        let (journal, health) = (&self.journal, &self.health);
        Keepers::start(&config, journal, ledger, first_new, health, &self.around)
    }
}

/// What the successor says next; that it cannot go on is an error.
fn hear(line: &mut Line, abort: &dyn Fn() -> bool) -> Result<Message, HandOverError> {
    match line.receive(START_TIME, abort)? {
        Message::Refused { why } => Err(HandOverError::Refused(why)),
        message => Ok(message),
    }
}

/// This process cannot take over.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// It was not started by a gateway.
    #[error("{TAKE_OVER} is for a gateway that starts its successor; use `egret upgrade`: {0}")]
    NoLine(io::Error),
    /// The process before does not do its part.
    #[error(transparent)]
    Line(#[from] LineError),
    /// It says no.
    #[error("{0}")]
    Refused(String),
    /// It said something else than what comes next.
    #[error("the process before does not keep to the order of a hand-over")]
    OutOfOrder,
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The thread that takes in what the process before records cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What comes from the process before.
#[derive(Debug, Default)]
pub struct Sockets {
    /// The sockets of callers.
    pub listeners: Inherited,
    /// That of probes and metrics.
    pub admin: Inherited,
}

/// Takes over from the process that has started this one.
#[derive(Debug)]
pub struct TakeOver {
    line: Line,
}

impl TakeOver {
    /// Finds the line on standard input.
    ///
    /// # Errors
    /// [`TakeOverError::NoLine`].
    pub fn from_stdin() -> Result<Self, TakeOverError> {
        let line = Line::from_stdin().map_err(TakeOverError::NoLine)?;
        Ok(Self { line })
    }

    /// Says who this is and takes the sockets.
    pub(super) fn begin(&mut self, config: &Config) -> Result<Sockets, TakeOverError> {
        self.line.send(&Message::Hello(Hello {
            protocol: PROTOCOL,
            version: VERSION.to_owned(),
            journal_format: JOURNAL_FORMAT,
            journal: config.journal.directory.clone(),
        }))?;
        let Message::Sockets { listeners, admin } = self.hear()? else {
            return Err(TakeOverError::OutOfOrder);
        };
        let mut sockets = Sockets::default();
        for listening in listeners {
            sockets.listeners.0.push(self.receive(listening)?);
        }
        if let Some(listening) = admin {
            sockets.admin.0.push(self.receive(listening)?);
        }
        Ok(sockets)
    }

    fn receive(&mut self, listening: Listening) -> Result<SharedSockets, TakeOverError> {
        Ok(SharedSockets {
            sockets: self.line.receive_descriptors(listening.sockets)?,
            wanted: listening.wanted,
        })
    }

    /// Takes the journal, and from here on what the process before still records.
    pub(super) fn journal(
        &mut self,
        settings: JournalSettings,
    ) -> Result<(Arc<Journal>, Intake), TakeOverError> {
        self.line.send(&Message::WantJournal)?;
        let Message::Journal { next_seq } = self.hear()? else {
            return Err(TakeOverError::OutOfOrder);
        };
        let both = self.line.receive_descriptors(2)?;
        let [lock, stream] = <[_; 2]>::try_from(both).map_err(|_| TakeOverError::OutOfOrder)?;
        let released = Released {
            next_seq,
            lock: lock.into(),
        };
        let journal = Arc::new(Journal::adopt(settings, released)?);
        let stream = UnixStream::from(stream);
        let predecessor = journal.take_in(stream).map_err(TakeOverError::Thread)?;
        Ok((journal, predecessor))
    }

    /// Says that connections are accepted here.
    pub(super) fn serving(&mut self) -> Result<(), TakeOverError> {
        let pid = std::process::id();
        Ok(self.line.send(&Message::Serving { pid })?)
    }

    /// Says why this process does not take over.
    pub fn give_up(&mut self, why: &str) {
        // Who is gone need not be told.
        let _ = self.line.send(&Message::Refused {
            why: why.to_owned(),
        });
    }

    fn hear(&mut self) -> Result<Message, TakeOverError> {
        match self.line.receive(ANSWER_TIME, &|| false)? {
            Message::Refused { why } => Err(TakeOverError::Refused(why)),
            message => Ok(message),
        }
    }
}
