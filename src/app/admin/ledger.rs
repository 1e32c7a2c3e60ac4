//! Read-only connections to the ledger for those who ask through the admin API: a few of their own,
//! so that neither calls nor the feed wait for a question.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::adapters::ledger::{LedgerError, LedgerPlace, Reader};
use crate::edge::admin::desk::Fault;

/// Questions at a time. A ledger in SQLite has one disk, one in Postgres other users.
const AT_A_TIME: usize = 4;

/// Those among what reads a whole period, as reports and exports do, beside the others: whoever
/// looks at a page does not wait for them.
const LONG_AT_A_TIME: usize = 2;

/// Questions that wait; more are told to come again.
const MAX_WAITING: usize = 16;

/// How long a question waits for its turn, and how long it may take.
const TURN: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest time for what reads a whole period: reports, investigations.
pub(super) const LONG: Duration = Duration::from_secs(300);

/// The connections.
pub(super) struct Readers {
    place: LedgerPlace,
    short: Turns,
    long: Turns,
    idle: Arc<Mutex<Vec<Reader>>>,
}

/// Who may ask at a time, and who waits for that.
struct Turns {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Turns {
    fn new(at_a_time: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(at_a_time)),
            waiting: AtomicUsize::new(0),
        }
    }

    async fn take(&self) -> Result<OwnedSemaphorePermit, Fault> {
        match Arc::clone(&self.free).try_acquire_owned() {
            Ok(turn) => Ok(turn),
            Err(_) => self.wait().await,
        }
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Fault> {
        /// Counts down whatever ends the waiting.
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        if before >= MAX_WAITING {
            return Err(Fault::Busy);
        }
        match tokio::time::timeout(TURN, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Fault::Busy),
        }
    }
}

/// A connection for one question. It is used again only if it is [given back](Held::give_back): one
/// whose question was broken off may still be at it.
pub(super) struct Held {
    pub(super) reader: Reader,
    idle: Arc<Mutex<Vec<Reader>>>,
    pub(super) _turn: OwnedSemaphorePermit,
}

impl Held {
    pub(super) fn give_back(self) {
        let mut idle = self.idle.lock();
        if idle.len() < AT_A_TIME {
            idle.push(self.reader);
        }
    }
}

/// What a question to the ledger that failed is told as.
pub(super) fn away(error: &LedgerError) -> Fault {
    Fault::LedgerAway(error.to_string())
}

impl Readers {
    pub(super) fn new(place: LedgerPlace) -> Self {
        Self {
            place,
            short: Turns::new(AT_A_TIME),
            long: Turns::new(LONG_AT_A_TIME),
            idle: Arc::default(),
        }
    }

    pub(super) const fn place(&self) -> &LedgerPlace {
        &self.place
    }

    /// Waits for a turn and gives a connection.
    ///
    /// # Errors
    /// [`Fault::Busy`], [`Fault::LedgerAway`].
    async fn hold(&self) -> Result<Held, Fault> {
        let turn = self.short.take().await?;
        self.connect(turn).await
    }

    /// As `hold`, for what reads a whole period.
    ///
    /// # Errors
    /// [`Fault::Busy`], [`Fault::LedgerAway`].
    pub(super) async fn hold_long(&self) -> Result<Held, Fault> {
        let turn = self.long.take().await?;
        self.connect(turn).await
    }

    async fn connect(&self, turn: OwnedSemaphorePermit) -> Result<Held, Fault> {
        let idle = self.idle.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.place).await.map_err(|e| away(&e))?,
        };
        Ok(Held {
            reader,
            idle: Arc::clone(&self.idle),
            _turn: turn,
        })
    }

    /// Asks something: `question` gives the connection back with the answer. A connection that failed once, as after a restart of the database, is given
    /// up and the question put again with another.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) async fn ask<T, A>(&self, question: impl Fn(Reader) -> A) -> Result<T, Fault>
    where
        A: Future<Output = (Reader, Result<T, LedgerError>)> + Send,
    {
        let mut is_first = true;
        loop {
            let Held {
                reader,
                idle,
                _turn,
            } = self.hold().await?;
            let asked = tokio::time::timeout(PATIENCE, question(reader)).await;
            match asked {
                Err(_) => return Err(Fault::Timeout),
                Ok((reader, Ok(answer))) => {
                    let held = Held {
                        reader,
                        idle,
                        _turn,
                    };
                    held.give_back();
                    return Ok(answer);
                }
                Ok((_, Err(_))) if is_first => {
                    // The others of its time are no better.
                    self.idle.lock().clear();
                    is_first = false;
                }
                Ok((_, Err(error))) => return Err(away(&error)),
            }
        }
    }
}
