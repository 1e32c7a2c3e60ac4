//! What is locked down: followed while the gateway runs, changed by `egret lockdown`.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::own_calls::OwnCalls;
use crate::adapters::clock;
use crate::adapters::kept_file::{self, KeptFile, KeptFileError, Poll, UpdateError};
use crate::adapters::ledger::{LedgerError, SharedLocks};
use crate::domain::config::{self, Config};
use crate::domain::lockdown::{InForce, Lock, LockBook, LockError};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::types::{CallId, Micros, Outcome};

/// How often the files are looked at; a look is two `stat`s.
const LOCAL_POLL: Duration = Duration::from_millis(250);

/// How often the ledger is asked: with the answer, a lock holds in the whole fleet within a second.
const SHARED_POLL: Duration = Duration::from_millis(500);

/// Why a lock could not be placed or lifted.
#[derive(Debug, thiserror::Error)]
pub enum LockdownError {
    /// The file.
    #[error(transparent)]
    File(#[from] KeptFileError),
    /// The book.
    #[error(transparent)]
    Book(#[from] LockError),
    /// The ledger that the fleet shares.
    #[error(
        "the locks of the fleet cannot be reached: {0}; in an emergency lock each node by itself \
         with --here, or put its sentinel file there"
    )]
    Shared(#[from] LedgerError),
}

impl From<UpdateError<LockError>> for LockdownError {
    fn from(error: UpdateError<LockError>) -> Self {
        match error {
            UpdateError::File(error) => Self::File(error),
            UpdateError::Refused(error) => Self::Book(error),
        }
    }
}

/// For whom a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This node.
    Node,
    /// Every node that writes the ledger.
    Fleet,
}

impl Reach {
    /// The word for people and programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Fleet => "fleet",
        }
    }
}

/// What is locked, as commands see and change it.
pub struct Locks<'c> {
    places: &'c config::Lockdown,
    shared: Option<SharedLocks>,
}

impl<'c> Locks<'c> {
    /// The locks of a configuration.
    pub fn of(config: &'c Config) -> Self {
        Self {
            places: &config.lockdown,
            shared: SharedLocks::beside(&config.ledger.place),
        }
    }

    /// What is in force; the fleet's as far as they can be asked, else as this node saw them last,
    /// with the reason.
    ///
    /// # Errors
    /// [`LockdownError::File`].
    pub async fn read(
        &mut self,
        now: Micros,
    ) -> Result<(InForce, Option<LedgerError>), LockdownError> {
        let local = kept_file::load(&self.places.file)?;
        let (shared, why) = match &mut self.shared {
            None => (LockBook::default(), None),
            Some(shared) => match shared.read(now).await {
                Ok(book) => (book, None),
                Err(error) => (kept_file::load(&self.places.shared_copy)?, Some(error)),
            },
        };
        let in_force = InForce {
            sentinel: self.places.sentinel.exists(),
            local: Arc::new(local),
            shared: Arc::new(shared),
        };
        Ok((in_force, why))
    }

    /// Where a lock goes unless somebody says otherwise.
    pub const fn reach(&self) -> Reach {
        match self.shared {
            Some(_) => Reach::Fleet,
            None => Reach::Node,
        }
    }

    /// Places a lock.
    ///
    /// # Errors
    /// [`LockdownError`]; nothing was locked.
    pub async fn place(
        &mut self,
        lock: Lock,
        reach: Reach,
        now: Micros,
    ) -> Result<(), LockdownError> {
        match (&mut self.shared, reach) {
            (Some(shared), Reach::Fleet) => {
                // Whether there is room for it.
                shared.read(now).await?.add(lock.clone(), now)?;
                Ok(shared.place(&lock).await?)
            }
            _ => Ok(kept_file::update(&self.places.file, |book: &LockBook| {
                Ok((book.add(lock, now)?, ()))
            })?),
        }
    }

    /// Lifts a lock of this node or of the fleet; gives it as it was.
    ///
    /// # Errors
    /// [`LockdownError`]; it still holds.
    pub async fn lift(
        &mut self,
        id: CallId,
        reason: &str,
        by: &str,
        now: Micros,
    ) -> Result<Lock, LockdownError> {
        let lifted = kept_file::update(&self.places.file, |book: &LockBook| book.lift(id, now));
        match (lifted, &mut self.shared) {
            (Err(UpdateError::Refused(LockError::Unknown(_))), Some(shared)) => {
                let (_, lock) = shared.read(now).await?.lift(id, now)?;
                if shared.lift(id, reason, by, now).await? {
                    Ok(lock)
                } else {
                    // Somebody else was faster.
                    Err(LockError::Unknown(id).into())
                }
            }
            (lifted, _) => Ok(lifted?),
        }
    }
}

/// Locks everything down by making the sentinel file. Gives false if it was there.
///
/// # Errors
/// It cannot be made.
pub fn raise_sentinel(path: &Path) -> io::Result<bool> {
    match std::fs::File::create_new(path) {
        Ok(file) => file.sync_all().map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Follows what is locked down, for a running gateway.
pub struct Follower {
    places: config::Lockdown,
    file: KeptFile<LockBook>,
    shared: Option<SharedLocks>,
    in_force: Arc<ArcSwap<InForce>>,
    own_calls: Arc<OwnCalls>,
}

impl Follower {
    /// Whether the files of a configuration can be used.
    ///
    /// # Errors
    /// As [`Follower::open`].
    pub fn look(config: &Config) -> Result<(), KeptFileError> {
        KeptFile::<LockBook>::open(&config.lockdown.file)?;
        kept_file::load::<LockBook>(&config.lockdown.shared_copy)?;
        Ok(())
    }

    /// Reads what is locked before the first call comes. The ledger is not waited for: until it
    /// answers, what the fleet had locked when this node saw it last stays locked.
    ///
    /// # Errors
    /// A file is there and cannot be used: nobody can say then what should be locked.
    pub fn open(config: &Config) -> Result<Self, KeptFileError> {
        let places = config.lockdown.clone();
        let file = KeptFile::open(&places.file)?;
        let shared = SharedLocks::beside(&config.ledger.place);
        let seen: LockBook = match shared {
            Some(_) => kept_file::load(&places.shared_copy)?,
            None => LockBook::default(),
        };
        let in_force = InForce {
            sentinel: places.sentinel.exists(),
            local: Arc::clone(file.content()),
            shared: Arc::new(seen),
        };
        let locks = in_force.count(clock::now());
        if locks > 0 {
            tracing::warn!(
                locks,
                sentinel = in_force.sentinel,
                "something is locked down: see `egret lockdown list`"
            );
        }
        Ok(Self {
            places,
            file,
            shared,
            in_force: Arc::new(ArcSwap::from_pointee(in_force)),
            own_calls: Arc::new(OwnCalls::new(config)),
        })
    }

    /// What calls look at.
    pub fn in_force(&self) -> Arc<ArcSwap<InForce>> {
        Arc::clone(&self.in_force)
    }

    /// Goes on for as long as the gateway runs.
    pub async fn follow(self) {
        let Self {
            places,
            file,
            shared,
            in_force,
            own_calls,
        } = self;
        let local = follow_files(file, &places.sentinel, &in_force, &own_calls);
        match shared {
            Some(shared) => {
                let fleet = follow_ledger(shared, &places.shared_copy, &in_force);
                tokio::join!(local, fleet);
            }
            None => local.await,
        }
    }
}

async fn follow_files(
    mut file: KeptFile<LockBook>,
    sentinel: &Path,
    in_force: &ArcSwap<InForce>,
    own_calls: &Arc<OwnCalls>,
) {
    loop {
        tokio::time::sleep(LOCAL_POLL).await;
        match file.poll() {
            Poll::Unchanged => {}
            Poll::Changed(book) => {
                tracing::warn!(
                    locks = book.locks().len(),
                    "what this node has locked down has changed: see `egret lockdown list`"
                );
                in_force.rcu(|old| InForce {
                    local: Arc::clone(&book),
                    ..InForce::clone(old)
                });
            }
            Poll::Broken(error) => tracing::error!(
                %error,
                "the lockdown file has changed and cannot be used; what was locked stays locked"
            ),
        }
        let is_there = sentinel.exists();
        if is_there == in_force.load().sentinel {
            continue;
        }
        in_force.rcu(|old| InForce {
            sentinel: is_there,
            ..InForce::clone(old)
        });
        let path = sentinel.display();
        if is_there {
            tracing::error!(sentinel = %path, "everything is locked down: the sentinel file is there");
        } else {
            tracing::warn!(sentinel = %path, "the sentinel file is gone: calls go on");
        }
        put_on_record(own_calls, is_there);
    }
}

/// Somebody without `egret` at hand has locked or lifted everything: nobody else puts it on record.
fn put_on_record(own_calls: &Arc<OwnCalls>, is_locked: bool) {
    let operation = if is_locked {
        OwnOperation::LockdownPlace
    } else {
        OwnOperation::LockdownLift
    };
    let call = OwnCall::new(operation)
        .fact("target", "all")
        .fact("by", "sentinel");
    let own_calls = Arc::clone(own_calls);
    // Apart, since it waits for disks and the ledger while locks have to be followed.
    let work = move || {
        let done = super::runtime().map_err(|error| error.to_string());
        let done = done.and_then(|runtime| {
            runtime.block_on(async {
                let open = own_calls
                    .begin(call)
                    .await
                    .map_err(|error| error.to_string())?;
                let ended = open.finish(Outcome::Success, Default::default()).await;
                ended.map(drop).map_err(|error| error.to_string())
            })
        });
        if let Err(error) = done {
            tracing::error!(%error, "the lockdown by the sentinel file is not on record");
        }
    };
    let thread = std::thread::Builder::new().name("egret-lockdown".to_owned());
    if let Err(error) = thread.spawn(work) {
        tracing::error!(%error, "the lockdown by the sentinel file is not on record");
    }
}

async fn follow_ledger(mut shared: SharedLocks, copy: &Path, in_force: &ArcSwap<InForce>) {
    let mut is_away = false;
    loop {
        match shared.read(clock::now()).await {
            Ok(book) => {
                if std::mem::replace(&mut is_away, false) {
                    tracing::info!("the locks of the fleet are followed again");
                }
                if *in_force.load().shared != book {
                    take_over(book, copy, in_force);
                }
            }
            Err(error) if !std::mem::replace(&mut is_away, true) => tracing::warn!(
                %error,
                "the locks of the fleet cannot be read; those that were seen last stay in force"
            ),
            Err(_) => {}
        }
        tokio::time::sleep(SHARED_POLL).await;
    }
}

fn take_over(book: LockBook, copy: &Path, in_force: &ArcSwap<InForce>) {
    tracing::warn!(
        locks = book.locks().len(),
        "what the fleet has locked down has changed: see `egret lockdown list`"
    );
    let book = Arc::new(book);
    in_force.rcu(|old| InForce {
        shared: Arc::clone(&book),
        ..InForce::clone(old)
    });
    let saved = kept_file::update(copy, |_: &LockBook| {
        Ok::<_, Infallible>((LockBook::clone(&book), ()))
    });
    if let Err(UpdateError::File(error)) = saved {
        tracing::error!(
            %error,
            "the locks of the fleet cannot be kept for a start without the ledger"
        );
    }
}
