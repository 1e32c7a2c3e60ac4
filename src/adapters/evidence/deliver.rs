//! Brings checkpoints to the ledger and to witnesses, in a thread of its own.
//!
//! The ledger gets what stands in the files, by cursor: how far it has come is what it holds. While
//! it is away the files wait. A witness gets the newest checkpoint only, with the proof that it
//! continues the last one that the witness has seen; what it cosigns goes back to the sealer, which
//! keeps it beside the checkpoint.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::FileError;
use super::checkpoints::{self, Signed};
use super::leaves::LeafStore;
use super::sealer::{Sealer, with_note};
use crate::adapters::http_client::{Client, HttpPost};
use crate::domain::config::WatchedBy;
use crate::domain::evidence::merkle::prove_consistency;
use crate::domain::evidence::witness::{
    AddCheckpoint, MAX_ANSWER_BYTES, add_cosignature, conflict_size,
};
use crate::domain::evidence::{CheckpointStore, Note, StoredCheckpoint};
use crate::domain::journal::JournalId;

/// Most checkpoints in one transaction of the ledger.
const BATCH: usize = 1_000;

/// The shortest pause between two posts to one witness.
const PAUSE: Duration = Duration::from_secs(1);

/// The first pause after a failure, doubled each time up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Checkpoints whose cosignatures are gathered: witnesses may be slow.
const GATHERED: usize = 64;

/// Where checkpoints are, and whose.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Directory of the journal.
    pub directory: PathBuf,
    /// The journal.
    pub journal: JournalId,
}

/// The running thread.
pub struct Delivery {
    stop: watch::Sender<bool>,
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Delivery {
    /// Starts to bring checkpoints to a ledger and to witnesses.
    ///
    /// # Errors
    /// The operating system could not start a thread or a runtime in it.
    pub fn start(
        origin: Origin,
        sealer: &Sealer,
        store: impl CheckpointStore,
        witnesses: Vec<WatchedBy>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = mpsc::channel();
        let newest = sealer.newest();
        let back = sealer.cosigned();
        thread::Builder::new()
            .name("egret-evidence".to_owned())
            .spawn(move || {
                // Dropped last, also when a task panics.
                let _end: mpsc::Sender<()> = end;
                let wants_tls = witnesses.iter().any(|witness| witness.url.tls());
                let client = Rc::new(Client::new(wants_tls));
                let gathered = Rc::new(Mutex::new(BTreeMap::new()));
                let tasks = tokio::task::LocalSet::new();
                for witness in witnesses {
                    tasks.spawn_local(
                        Post {
                            origin: origin.clone(),
                            witness,
                            client: Rc::clone(&client),
                            gathered: Rc::clone(&gathered),
                            back: back.clone(),
                            seen: 0,
                        }
                        .run(newest.clone(), stopped.clone()),
                    );
                }
                let ship = Ship {
                    origin,
                    store,
                    read_to: BTreeMap::new(),
                    failing: false,
                };
                tasks.spawn_local(ship.run(newest, stopped));
                runtime.block_on(tasks);
            })?;
        Ok(Self {
            stop,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Delivers what there is and ends, for at most `deadline`. Stop the sealer first. What is left
    /// stays in the files, and the next start goes on.
    pub fn shutdown(&self, deadline: Duration) {
        self.stop.send_replace(true);
        if let Some(ended) = self.ended.lock().take() {
            let _ = ended.recv_timeout(deadline);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Waits for something new or for the end; gives whether the end has come.
async fn news(
    newest: &mut watch::Receiver<Option<Signed>>,
    stopped: &mut watch::Receiver<bool>,
) -> bool {
    let changed = tokio::select! {
        changed = newest.changed() => changed.is_ok(),
        _ = stopped.wait_for(|stopped| *stopped) => return true,
    };
    if !changed {
        // The sealer has gone: nothing new will come before the end.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
    !changed
}

/// Sleeps, but not beyond the end.
async fn pause(duration: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(duration, stopped.wait_for(|stopped| *stopped))
        .await
        .is_ok()
}

/// Brings checkpoints to the ledger.
struct Ship<S> {
    origin: Origin,
    store: S,
    /// How much of the files was shipped, by segment: the last two, since cosignatures may come
    /// when the next segment has begun.
    read_to: BTreeMap<u64, u64>,
    failing: bool,
}

impl<S: CheckpointStore> Ship<S> {
    async fn run(
        mut self,
        mut newest: watch::Receiver<Option<Signed>>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut retry = FIRST_RETRY;
        let mut begun = false;
        loop {
            let ending = *stopped.borrow();
            let done = if begun {
                self.ship().await
            } else {
                self.begin().await
            };
            match done {
                Ok(()) => {
                    if std::mem::take(&mut self.failing) {
                        tracing::info!(target: "egret::evidence", "checkpoints reach the ledger again");
                    }
                    retry = FIRST_RETRY;
                    if !std::mem::replace(&mut begun, true) {
                        continue;
                    }
                    if ending {
                        return;
                    }
                    news(&mut newest, &mut stopped).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::error!(
                            target: "egret::evidence",
                            %error,
                            "checkpoints do not reach the ledger; they wait in their files"
                        );
                    }
                    if ending {
                        return;
                    }
                    pause(retry, &mut stopped).await;
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
    }

    /// Finds out where the ledger stands.
    async fn begin(&mut self) -> Result<(), String> {
        let known = self
            .store
            .newest_size(self.origin.journal)
            .await
            .map_err(|error| error.to_string())?
            .unwrap_or(0);
        let directory = &self.origin.directory;
        let newest = checkpoints::last(directory).map_err(|error| error.to_string())?;
        let newest = newest.map_or(0, |(_, signed)| signed.checkpoint.size);
        if known > newest {
            tracing::error!(
                target: "egret::evidence",
                ledger = known,
                journal = newest,
                "the ledger holds a checkpoint of more records than the journal's files do: the \
                 journal was cut or restored from an old copy; `egret audit verify` says where"
            );
        }
        let segments = checkpoints::segments(directory).map_err(|error| error.to_string())?;
        // The file with the last one, and the one before it.
        let at = segments.partition_point(|first| *first < known);
        let from = at.saturating_sub(2);
        self.read_to = segments
            .iter()
            .skip(from)
            .map(|first| (*first, 0))
            .collect();
        Ok(())
    }

    async fn ship(&mut self) -> Result<(), String> {
        let directory = self.origin.directory.clone();
        let begin = self
            .read_to
            .first_key_value()
            .map_or(0, |(first, _)| *first);
        let segments = checkpoints::segments(&directory).map_err(|error| error.to_string())?;
        for segment in segments.into_iter().filter(|first| *first >= begin) {
            let from = self.read_to.get(&segment).copied().unwrap_or(0);
            let entries =
                checkpoints::read(&directory, segment, from).map_err(|error| error.to_string())?;
            let rows: Vec<StoredCheckpoint> = entries
                .found
                .iter()
                .map(|(_, signed)| row(signed))
                .collect();
            for rows in rows.chunks(BATCH) {
                self.store
                    .add(self.origin.journal, rows)
                    .await
                    .map_err(|error| error.to_string())?;
            }
            self.read_to.insert(segment, entries.length);
        }
        while self.read_to.len() > 2 {
            self.read_to.pop_first();
        }
        Ok(())
    }
}

/// Brings checkpoints from a directory into a ledger once, and gives the ledger back.
///
/// # Errors
/// Why not; what is left comes the next time.
pub async fn catch_up<S: CheckpointStore>(origin: Origin, store: S) -> (S, Result<(), String>) {
    let mut ship = Ship {
        origin,
        store,
        read_to: BTreeMap::new(),
        failing: false,
    };
    let done = match ship.begin().await {
        Ok(()) => ship.ship().await,
        Err(why) => Err(why),
    };
    (ship.store, done)
}

/// A checkpoint as the ledger keeps it.
pub fn row(signed: &Signed) -> StoredCheckpoint {
    StoredCheckpoint {
        size: signed.checkpoint.size,
        cosignatures: signed.cosignatures(),
        origin: signed.checkpoint.origin.clone(),
        root: signed.checkpoint.root,
        made_at: signed.made_at,
        note: signed.note.to_string(),
    }
}

/// Posts to one witness.
struct Post {
    origin: Origin,
    witness: WatchedBy,
    client: Rc<Client>,
    /// Notes with the cosignatures so far, by size.
    gathered: Rc<Mutex<BTreeMap<u64, Note>>>,
    back: mpsc::Sender<Signed>,
    /// What the witness has cosigned last, as far as we know.
    seen: u64,
}

/// Why a witness has not cosigned.
enum NotCosigned {
    /// It cannot be reached or is at fault; later perhaps.
    Later(String),
    /// It has seen this much, ask again.
    Seen(u64),
    /// It does not accept the log.
    Refused(u16),
    /// It has seen more than there is.
    Ahead(u64),
}

impl Post {
    async fn run(
        mut self,
        mut newest: watch::Receiver<Option<Signed>>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut retry = FIRST_RETRY;
        let mut said: Option<String> = None;
        loop {
            let ending = *stopped.borrow();
            let signed = newest.borrow_and_update().clone();
            let fault = match signed {
                Some(signed) if signed.checkpoint.size > self.seen => {
                    match self.post(&signed).await {
                        Ok(()) => None,
                        Err(NotCosigned::Seen(seen)) => {
                            self.seen = seen;
                            match self.post(&signed).await {
                                Ok(()) => None,
                                Err(fault) => Some(fault.describe()),
                            }
                        }
                        Err(fault) => Some(fault.describe()),
                    }
                }
                _ => None,
            };
            if ending {
                return;
            }
            let name = self.witness.key.name();
            let ended = match fault {
                None => {
                    if said.take().is_some() {
                        tracing::info!(
                            target: "egret::evidence",
                            witness = name,
                            "the witness cosigns again"
                        );
                    }
                    retry = FIRST_RETRY;
                    pause(PAUSE, &mut stopped).await || news(&mut newest, &mut stopped).await
                }
                Some(fault) => {
                    if said.as_ref() != Some(&fault) {
                        tracing::error!(
                            target: "egret::evidence",
                            witness = name,
                            error = %fault,
                            "a witness does not cosign; it is asked again"
                        );
                        said = Some(fault);
                    }
                    let ended = pause(retry, &mut stopped).await;
                    retry = (retry * 2).min(LAST_RETRY);
                    ended
                }
            };
            // One more look at the end: the last checkpoint may have come meanwhile.
            if ended && said.is_some() {
                return;
            }
        }
    }

    async fn post(&mut self, signed: &Signed) -> Result<(), NotCosigned> {
        let size = signed.checkpoint.size;
        if self.seen > size {
            return Err(NotCosigned::Ahead(self.seen));
        }
        let later = |error: FileError| NotCosigned::Later(error.to_string());
        let leaves = LeafStore::open(&self.origin.directory).map_err(later)?;
        let proof = prove_consistency(&leaves, self.seen, size)
            .map_err(|error| NotCosigned::Later(error.to_string()))?;
        let request = AddCheckpoint {
            old_size: self.seen,
            proof,
            checkpoint: signed.note.clone(),
        };
        let answer = self
            .client
            .post(HttpPost {
                url: &self.witness.url,
                path: "/add-checkpoint",
                headers: &[("content-type", "text/plain; charset=utf-8".to_owned())],
                body: request.to_string().into_bytes(),
                max_answer: MAX_ANSWER_BYTES,
            })
            .await
            .map_err(NotCosigned::Later)?;
        match answer.status {
            200 => {
                let mut gathered = self.gathered.lock();
                let note = gathered.entry(size).or_insert_with(|| signed.note.clone());
                add_cosignature(note, &answer.body, &self.witness.key)
                    .map_err(|error| NotCosigned::Later(error.to_string()))?;
                let _ = self.back.send(with_note(signed, note.clone()));
                while gathered.len() > GATHERED {
                    gathered.pop_first();
                }
                self.seen = size;
                Ok(())
            }
            409 => match conflict_size(&answer.body) {
                Some(seen) if seen > size => Err(NotCosigned::Ahead(seen)),
                Some(seen) if seen != self.seen => Err(NotCosigned::Seen(seen)),
                _ => Err(NotCosigned::Refused(409)),
            },
            status @ (400 | 403 | 404 | 422) => Err(NotCosigned::Refused(status)),
            status => Err(NotCosigned::Later(format!("it answered {status}"))),
        }
    }
}

impl NotCosigned {
    fn describe(&self) -> String {
        match self {
            Self::Later(error) => error.clone(),
            Self::Seen(seen) => format!("it says that it has cosigned {seen} records"),
            Self::Ahead(seen) => format!(
                "it has cosigned {seen} records, more than this log has: the journal was cut or \
                 restored from an old copy"
            ),
            Self::Refused(403) => {
                "it does not know the key of this log: give it the key that `egret audit key` prints"
                    .to_owned()
            }
            Self::Refused(404) => "it does not know this log: add it there".to_owned(),
            Self::Refused(422) => "it says that this log does not continue what it has cosigned: \
                                   the log was forked or rewritten"
                .to_owned(),
            Self::Refused(status) => format!("it refuses the checkpoint ({status})"),
        }
    }
}
