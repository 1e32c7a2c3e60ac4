//! The thread that seals: it follows the journal, keeps the tree, and signs checkpoints.
//!
//! A checkpoint is made when there are new records and the interval is over, at the end of each
//! segment, before a key rotation and at the end. It only covers what is durable, so that no crash
//! can take back what was signed.
//!
//! Where it goes on after a start: at the last checkpoint. The tree over the stored leaf hashes must
//! lead to its root; leaves behind it are hashed again from the journal. If it does not, nothing is
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
use super::checkpoints::{self, CheckpointWriter, Signed};
use super::keys::{KeyPlaces, LogKeys};
use super::leaves::{LeafStore, LeafWriter};
use crate::adapters::journal::{Journal, ReadError, Reader};
use crate::adapters::signing_key::SigningKeyError;
use crate::adapters::{clock, priority};
use crate::domain::evidence::merkle::{NodeHash, Tree, leaf_hash, root_at, tree_at};
use crate::domain::evidence::{
    Checkpoint, CheckpointError, KeyHistory, KeyRotation, Note, RotationError, SignerKey,
};

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

/// Why a log is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum Unsealed {
    /// A file; it is tried again.
    #[error(transparent)]
    File(#[from] FileError),
    /// The journal; it is tried again.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The key file cannot be put into place; it is tried again.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// The stored leaf hashes are not those that were signed.
    #[error(
        "the stored leaf hashes do not lead to the root that was signed for {size} records: the \
         evidence was changed; `egret audit verify` says where. Restore it from a copy"
    )]
    Changed {
        /// Size of the checkpoint.
        size: u64,
    },
    /// The last checkpoint is not what it was.
    #[error(
        "the last checkpoint is not signed by this log's key ({fault}): the evidence was changed; \
         `egret audit verify` says where. Restore it from a copy"
    )]
    Checkpoint {
        /// What is wrong.
        fault: CheckpointError,
    },
    /// Checkpoints without keys.
    #[error("there are checkpoints in {directory}, but no {file}: restore it from a copy")]
    NoKeys {
        /// The journal's directory.
        directory: PathBuf,
        /// The file of the keys.
        file: &'static str,
    },
    /// Records are gone that the tree needs.
    #[error(
        "record {wanted} is gone from the journal, which goes on with record {found}: the log cannot \
         be continued. Restore the journal from a copy, or begin a new log: move the journal's \
         directory away and give the log another name ([evidence] origin)"
    )]
    Gone {
        /// The record that comes next in the tree.
        wanted: u64,
        /// The record that the journal has.
        found: u64,
    },
    /// A key change in the journal that is not valid.
    #[error("the key rotation at record {index} is not valid: {fault}")]
    Rotation {
        /// The record.
        index: u64,
        /// What is wrong.
        fault: RotationError,
    },
    /// The key changed to one that is not here.
    #[error("the log's key has changed to {wanted}, and no file or variable holds that key")]
    NoNextKey {
        /// The key in force.
        wanted: String,
    },
    /// The key cannot sign.
    #[error("a checkpoint cannot be signed: {0}")]
    Sign(CheckpointError),
}

impl Unsealed {
    /// Whether trying again may help.
    fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::File(FileError::Io { .. }) | Self::Read(_) | Self::Key(_)
        )
    }
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
                let keys = match known {
                    Some(keys) => keys,
                    None => {
                        let keys = LogKeys::new(key.verifier().clone());
                        keys.write(directory)?;
                        keys
                    }
                };
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
        let mut log = match SealedLog::open(&self.settings, &self.journal, keys, history, key) {
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
                log.announce_next(&self.journal, &self.settings.keys);
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

/// The log up to where it is hashed.
struct SealedLog {
    reader: Reader,
    tree: Tree,
    leaves: LeafWriter,
    written: CheckpointWriter,
    keys: LogKeys,
    history: KeyHistory,
    key: SignerKey,
    /// The last checkpoint.
    last: Option<Signed>,
    /// A checkpoint that the tree has not reached again yet: leaf hashes were lost in a crash.
    owed: Option<(u64, NodeHash)>,
    /// The segment of the last leaf.
    segment: u64,
    /// A key to come that was announced, or that cannot be used: said once.
    announced: bool,
    refused: Option<String>,
}

impl SealedLog {
    fn open(
        settings: &SealerSettings,
        journal: &Arc<Journal>,
        keys: LogKeys,
        history: KeyHistory,
        key: SignerKey,
    ) -> Result<Self, Unsealed> {
        let directory = &settings.directory;
        let written = CheckpointWriter::open(directory)?;
        let last = checkpoints::last(directory)?.map(|(_, signed)| signed);
        if let Some(last) = &last {
            Checkpoint::open(&last.note, &history)
                .map_err(|fault| Unsealed::Checkpoint { fault })?;
        }
        let (size, root) = last.as_ref().map_or((0, NodeHash::EMPTY_ROOT), |last| {
            (last.checkpoint.size, last.checkpoint.root)
        });
        let store = LeafStore::open(directory)?;
        let have = store.size().min(size);
        let mut leaves = LeafWriter::new(directory, have);
        let read = |fault| match fault {
            crate::domain::evidence::merkle::ProofError::Store(fault) => Unsealed::File(fault),
            _ => Unsealed::Changed { size },
        };
        let mut tree = tree_at(&store, have).map_err(read)?;
        if have == size && tree.root() != root {
            // The nodes are derived from the leaves: those are what counts.
            let plain = LeafStore::open_without_nodes(directory)?;
            if root_at(&plain, size).map_err(read)? != root {
                return Err(Unsealed::Changed { size });
            }
            tracing::warn!(
                target: "egret::evidence",
                "tree.nodes did not fit the leaf hashes, which are as they were signed; it was made anew"
            );
            leaves.replace_nodes(&plain, size)?;
            tree = tree_at(&plain, size).map_err(read)?;
        }
        let mut reader = journal.reader();
        reader.go_to(have);
        Ok(Self {
            reader,
            tree,
            leaves,
            written,
            keys,
            history,
            key,
            last,
            owed: (have < size).then_some((size, root)),
            segment: 0,
            announced: false,
            refused: None,
        })
    }

    /// Hashes what is durable in the journal, at most `limit` records. Gives how many.
    fn take(
        &mut self,
        limit: usize,
        places: &KeyPlaces,
        mut made: impl FnMut(&Signed),
    ) -> Result<usize, Unsealed> {
        // What an earlier turn could not write.
        self.leaves.flush()?;
        for taken in 0..limit {
            let mut event = None;
            let segment = self.reader.next_leaf(|frame| {
                let payload = frame.payload;
                let rotation = KeyRotation::is_in(payload).then(|| payload.to_vec());
                event = Some((frame.seq, leaf_hash(payload), rotation));
            })?;
            let (Some(segment), Some((seq, leaf, rotation))) = (segment, event) else {
                self.leaves.flush()?;
                return Ok(taken);
            };
            if let Err(why) = self.add(segment, seq, leaf, rotation, places, &mut made) {
                // Read again at the next try.
                self.reader.go_to(self.tree.size());
                return Err(why);
            }
        }
        self.leaves.flush()?;
        Ok(limit)
    }

    fn add(
        &mut self,
        segment: u64,
        seq: u64,
        leaf: NodeHash,
        rotation: Option<Vec<u8>>,
        places: &KeyPlaces,
        made: &mut impl FnMut(&Signed),
    ) -> Result<(), Unsealed> {
        let wanted = self.tree.size();
        if seq != wanted {
            return Err(Unsealed::Gone { wanted, found: seq });
        }
        if self.leaves.segment() != Some(segment) {
            self.leaves.flush()?;
            if self.leaves.segment().is_some() {
                self.checkpoint(&mut *made)?;
            }
            self.leaves.turn_to(segment)?;
            self.segment = segment;
        }
        let rotation = match rotation {
            // What a crash made us read again is known already.
            Some(leaf) if !self.keys.rotations.iter().any(|(known, _)| *known == seq) => Some(leaf),
            _ => None,
        };
        if let Some(announcement) = rotation {
            self.leaves.flush()?;
            // The last word of the old key.
            self.checkpoint(&mut *made)?;
            self.rotate(seq, announcement, places)?;
        }
        self.leaves.push(&mut self.tree, leaf);
        if let Some((size, root)) = self.owed
            && self.tree.size() == size
        {
            if self.tree.root() != root {
                return Err(Unsealed::Changed { size });
            }
            self.owed = None;
        }
        Ok(())
    }

    fn rotate(&mut self, seq: u64, leaf: Vec<u8>, places: &KeyPlaces) -> Result<(), Unsealed> {
        let mut history = self.history.clone();
        let wanted = history
            .accept(seq, &leaf)
            .map_err(|fault| Unsealed::Rotation { index: seq, fault })?
            .clone();
        let next = places
            .next(wanted.name())?
            .filter(|next| *next.verifier() == wanted)
            .ok_or_else(|| Unsealed::NoNextKey {
                wanted: wanted.to_string(),
            })?;
        let mut keys = self.keys.clone();
        keys.rotations.push((seq, leaf));
        keys.write(self.leaves.directory())?;
        places.install_next()?;
        tracing::info!(
            target: "egret::evidence",
            record = seq,
            key = %wanted,
            "the log is signed by a new key from this record on"
        );
        (self.keys, self.history, self.key) = (keys, history, next);
        self.announced = false;
        Ok(())
    }

    /// Signs what is hashed, if there is anything new.
    fn checkpoint(&mut self, mut made: impl FnMut(&Signed)) -> Result<(), Unsealed> {
        let size = self.tree.size();
        let before = self.last.as_ref().map_or(0, |last| last.checkpoint.size);
        if size <= before {
            return Ok(());
        }
        self.leaves.flush()?;
        self.leaves.sync()?;
        let checkpoint = Checkpoint::of(self.keys.first.name(), &self.tree);
        let note = checkpoint.sign(&self.key).map_err(Unsealed::Sign)?;
        let signed = Signed {
            made_at: clock::now(),
            checkpoint,
            note,
        };
        self.written.append(self.segment, &signed)?;
        made(&signed);
        self.last = Some(signed);
        Ok(())
    }

    /// Keeps what a witness has cosigned beside the checkpoint itself.
    fn keep_cosigned(&mut self, cosigned: &Signed) -> Result<(), Unsealed> {
        let segments = checkpoints::segments(self.leaves.directory())?;
        let size = cosigned.checkpoint.size;
        // A segment's own checkpoints are larger than its first number.
        let segment = segments.into_iter().rfind(|first| *first < size);
        Ok(self.written.append(segment.unwrap_or(0), cosigned)?)
    }

    /// Announces the key to come, if there is one.
    fn announce_next(&mut self, journal: &Journal, places: &KeyPlaces) {
        if self.announced || self.owed.is_some() {
            return;
        }
        let next = match places.next(self.keys.first.name()) {
            Ok(None) => return,
            Ok(Some(next)) => next,
            Err(why) => {
                let why = why.to_string();
                if self.refused.as_ref() != Some(&why) {
                    tracing::error!(
                        target: "egret::evidence",
                        error = %why,
                        "the key to come cannot be used; the log goes on with the present one"
                    );
                    self.refused = Some(why);
                }
                return;
            }
        };
        if self.history.keys().any(|key| key == next.verifier()) {
            // The variable still holds a key that was announced.
            return;
        }
        let key = &self.key;
        self.announced = journal
            .announce_key(|seq| KeyRotation::sign(seq, key, &next).ok())
            .is_ok();
    }
}

/// The checkpoint with further signatures.
pub(super) fn with_note(signed: &Signed, note: Note) -> Signed {
    Signed {
        note,
        ..signed.clone()
    }
}
