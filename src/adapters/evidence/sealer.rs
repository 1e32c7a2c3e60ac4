//! The thread that seals: it follows the journal, keeps the tree, and signs checkpoints.
//!
//! A checkpoint is made when there are new records and the interval is over, at the end of each
//! segment, before a key rotation and at the end. It only covers what is durable, so that no crash
//! can take back what was signed. Where the stored evidence does not fit what was signed, nothing is
//! ever signed again: the gateway goes on serving, since its records are safe in the journal, and
//! says loudly that the evidence was changed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::FileError;
use super::checkpoints::{self, Signed};
use super::keys::{KeyPlaces, LogKeys};
use super::sealed_log::{SealedLog, Unsealed};
use crate::adapters::journal::Journal;
use crate::adapters::priority;
use crate::adapters::signing_key::SigningKeyError;
use crate::domain::evidence::{KeyHistory, KeyRotation, Note, SignerKey};

/// How often the journal is looked at. Short enough for the smallest interval to matter.
const LOOK: Duration = Duration::from_millis(50);

/// Most records that are hashed before what they gave is written.
const TURN: usize = 8_192;

/// How often a failure that goes on is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often a log that cannot be sealed any more says so.
const REMINDER: Duration = Duration::from_secs(600);

/// How the log is sealed.
#[derive(Debug)]
pub struct SealerSettings {
    /// Directory of the journal.
    pub directory: PathBuf,
    /// Name of the log, if one is configured.
    pub origin: Option<String>,
    /// Name of a log that begins.
    pub default_origin: String,
    /// Where its private keys are.
    pub keys: KeyPlaces,
    /// Longest time between two checkpoints while there are new records.
    pub interval: Duration,
}

/// Why a gateway does not start: what an operator has configured does not fit.
#[derive(Debug, thiserror::Error)]
pub enum SealerError {
    /// The signing key.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// The log has another name.
    #[error(
        "the log in {directory} is called {found}, but [evidence] origin says {wanted}: a log \
         keeps its name; correct the configuration"
    )]
    OtherOrigin {
        /// The journal's directory.
        directory: PathBuf,
        /// Its name.
        found: String,
        /// The configured one.
        wanted: String,
    },
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The thread.
    #[error("cannot start the thread that seals the log: {0}")]
    Thread(io::Error),
}

/// How the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealerState {
    /// Name of the log.
    pub origin: String,
    /// Records under the last checkpoint.
    pub sealed: u64,
    /// Checkpoints made since the start.
    pub checkpoints: u64,
    /// Why no checkpoint is made, if so.
    pub failing: Option<String>,
}

struct Shared {
    origin: String,
    sealed: AtomicU64,
    checkpoints: AtomicU64,
    failing: Mutex<Option<String>>,
    stop: AtomicBool,
}

/// The running sealer.
pub struct Sealer {
    shared: Arc<Shared>,
    thread: Thread,
    ended: Mutex<Option<mpsc::Receiver<()>>>,
    newest: watch::Receiver<Option<Signed>>,
    cosigned: mpsc::Sender<Signed>,
}

impl Sealer {
    /// Starts to seal what is in a journal.
    ///
    /// # Errors
    /// [`SealerError`]. Evidence that was changed is no error here: see the head of this file.
    pub fn start(settings: SealerSettings, journal: Arc<Journal>) -> Result<Self, SealerError> {
        let directory = &settings.directory;
        let known = LogKeys::read(directory)?;
        let origin = match (&known, &settings.origin) {
            (Some(keys), Some(wanted)) if keys.first.name() != wanted => {
                return Err(SealerError::OtherOrigin {
                    directory: directory.clone(),
                    found: keys.first.name().to_owned(),
                    wanted: wanted.clone(),
                });
            }
            (Some(keys), _) => keys.first.name().to_owned(),
            (None, Some(wanted)) => wanted.clone(),
            (None, None) => settings.default_origin.clone(),
        };
        let mut broken = None;
        let history = match known.as_ref().map(LogKeys::history) {
            Some(Ok(history)) => Some(history),
            Some(Err((index, fault))) => {
                broken = Some(Unsealed::Rotation { index, fault });
                None
            }
            None if !checkpoints::segments(directory)?.is_empty() => {
                broken = Some(Unsealed::NoKeys {
                    directory: directory.clone(),
                    file: "log.keys",
                });
                None
            }
            None => None,
        };
        let work = match &broken {
            Some(_) => None,
            None => {
                let key = settings.keys.in_force(&origin, history.as_ref())?;
                let keys = LogKeys::known_or_first(known, &key, directory)?;
                let history = history.unwrap_or_else(|| KeyHistory::new(key.verifier().clone()));
                Some((keys, history, key))
            }
        };
        let shared = Arc::new(Shared {
            origin,
            sealed: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            failing: Mutex::new(None),
            stop: AtomicBool::new(false),
        });
        let (publish, newest) = watch::channel(None);
        let (cosigned, cosignatures) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let worker = Worker {
            shared: Arc::clone(&shared),
            settings,
            journal,
            publish,
            cosignatures,
        };
        let thread = thread::Builder::new()
            .name("egret-sealer".to_owned())
            .spawn(move || {
                // Dropped last, also when the worker panics.
                let _end: mpsc::Sender<()> = end;
                priority::go_behind();
                worker.run(broken, work);
            })
            .map_err(SealerError::Thread)?;
        Ok(Self {
            shared,
            thread: thread.thread().clone(),
            ended: Mutex::new(Some(ended)),
            newest,
            cosigned,
        })
    }

    /// How the log is.
    pub fn state(&self) -> SealerState {
        SealerState {
            origin: self.shared.origin.clone(),
            sealed: self.shared.sealed.load(Ordering::Acquire),
            checkpoints: self.shared.checkpoints.load(Ordering::Acquire),
            failing: self.shared.failing.lock().clone(),
        }
    }

    /// The newest checkpoint, as it is made.
    pub fn newest(&self) -> watch::Receiver<Option<Signed>> {
        self.newest.clone()
    }

    /// Takes checkpoints that witnesses have cosigned.
    pub fn cosigned(&self) -> mpsc::Sender<Signed> {
        self.cosigned.clone()
    }

    /// Seals what is durable in the journal and ends, for at most `deadline`. Stop the journal
    /// first. Gives whether the end was reached.
    pub fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(ended) = self.ended.lock().take() {
            let _ = ended.recv_timeout(deadline);
        }
        self.shared.failing.lock().is_none()
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// The thread before it knows where the log stands.
struct Worker {
    shared: Arc<Shared>,
    settings: SealerSettings,
    journal: Arc<Journal>,
    publish: watch::Sender<Option<Signed>>,
    cosignatures: mpsc::Receiver<Signed>,
}

impl Worker {
    fn run(self, broken: Option<Unsealed>, work: Option<(LogKeys, KeyHistory, SignerKey)>) {
        let Some((keys, history, key)) = work else {
            if let Some(why) = broken {
                self.stay_broken(&why);
            }
            return;
        };
        let mut log = match SealedLog::open(
            &self.settings.directory,
            self.journal.reader(),
            keys,
            history,
            key,
        ) {
            Ok(log) => log,
            Err(why) => return self.stay_broken(&why),
        };
        if let Some(last) = &log.last {
            self.shared
                .sealed
                .store(last.checkpoint.size, Ordering::Release);
            self.publish.send_replace(Some(last.clone()));
        }
        let mut due = Instant::now() + self.settings.interval;
        loop {
            let stopping = self.shared.stop.load(Ordering::SeqCst);
            match self.turn(&mut log, &mut due, stopping) {
                Ok(more) => {
                    self.recovered();
                    if stopping && !more {
                        return;
                    }
                    if !more {
                        thread::park_timeout(LOOK.min(self.settings.interval));
                    }
                }
                Err(why) if why.is_passing() => {
                    self.failed(&why);
                    if stopping {
                        return;
                    }
                    thread::park_timeout(RETRY);
                }
                Err(why) => return self.stay_broken(&why),
            }
        }
    }

    /// Seals what has come. Gives whether there is more to do at once.
    fn turn(
        &self,
        log: &mut SealedLog,
        due: &mut Instant,
        stopping: bool,
    ) -> Result<bool, Unsealed> {
        let taken = log.take(TURN, &self.settings.keys, |signed| self.made(signed))?;
        while let Ok(cosigned) = self.cosignatures.try_recv() {
            log.keep_cosigned(&cosigned)?;
        }
        let more = taken == TURN;
        let now = Instant::now();
        if now >= *due || (stopping && !more) {
            *due = now + self.settings.interval;
            log.checkpoint(|signed| self.made(signed))?;
            if !stopping {
                log.announce_next(&self.settings.keys, |old, next| {
                    self.journal
                        .announce_key(|seq| KeyRotation::sign(seq, old, next).ok())
                        .is_ok()
                });
            }
        }
        Ok(more)
    }

    fn made(&self, signed: &Signed) {
        self.shared
            .sealed
            .store(signed.checkpoint.size, Ordering::Release);
        self.shared.checkpoints.fetch_add(1, Ordering::AcqRel);
        self.publish.send_replace(Some(signed.clone()));
    }

    fn recovered(&self) {
        if self.shared.failing.lock().take().is_some() {
            tracing::info!(target: "egret::evidence", "the log is being sealed again");
        }
    }

    fn failed(&self, why: &Unsealed) {
        let why = why.to_string();
        let mut failing = self.shared.failing.lock();
        if failing.as_ref() != Some(&why) {
            tracing::error!(
                target: "egret::evidence",
                error = %why,
                "no checkpoints can be made; calls go on and are in the journal, and it is tried again"
            );
            *failing = Some(why);
        }
    }

    /// Nothing is signed any more until an operator has seen to it and started again.
    fn stay_broken(&self, why: &Unsealed) {
        *self.shared.failing.lock() = Some(why.to_string());
        loop {
            tracing::error!(
                target: "egret::evidence",
                error = %why,
                "the log is not sealed any more; calls go on and are in the journal"
            );
            let began = Instant::now();
            while began.elapsed() < REMINDER {
                if self.shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                thread::park_timeout(REMINDER);
            }
        }
    }
}

/// The checkpoint with further signatures.
pub(super) fn with_note(signed: &Signed, note: Note) -> Signed {
    Signed {
        note,
        ..signed.clone()
    }
}
