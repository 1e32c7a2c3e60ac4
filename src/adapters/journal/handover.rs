//! A journal that goes from one process to the next without a call noticing: `docs/design/upgrade.md`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::append::MAX_WAITING;
use super::files::Directory;
use super::log::{self, Log};
use super::relay::{Order, TakeBackError};
use super::{Journal, JournalError, JournalSettings};
use crate::domain::journal::{Answer, BATCH_HEAD, BatchHead, Trail, check_batch, renumber};
use crate::domain::record::{NotRecorded, Ticket, Wait};

/// How long everything may take to be on disk before the journal is let go of. As long as a call
/// waits for its record.
const RELEASE_TIME: Duration = Duration::from_secs(5);

/// How long taking the journal back may take: its last segment is read.
const TAKE_BACK_TIME: Duration = Duration::from_secs(30);

/// A journal that nobody writes at the moment.
#[derive(Debug)]
pub struct Released {
    /// Number of the next event.
    pub next_seq: u64,
    /// Its lock.
    pub lock: File,
}

/// How a process that has handed over its journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predecessor {
    /// It still has calls.
    Active,
    /// It has recorded its last call.
    Ended,
    /// It has gone without saying so.
    Lost,
}

/// Takes what a predecessor records.
#[derive(Clone, Debug)]
pub struct Intake {
    state: Arc<AtomicU8>,
}

impl Intake {
    /// How the predecessor is.
    pub fn predecessor(&self) -> Predecessor {
        match self.state.load(Ordering::Acquire) {
            0 => Predecessor::Active,
            1 => Predecessor::Ended,
            _ => Predecessor::Lost,
        }
    }

    /// Waits for its end, for at most `patience`.
    pub fn wait(&self, patience: Duration) -> Predecessor {
        let deadline = Instant::now() + patience;
        while self.predecessor() == Predecessor::Active && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.predecessor()
    }
}

impl Journal {
    /// Opens a journal that another process has let go of with [`Journal::release`]. Its calls go on:
    /// there is no start event, which would end them.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was written.
    pub fn adopt(settings: JournalSettings, released: Released) -> Result<Self, JournalError> {
        let Released { next_seq, lock } = released;
        let mut files = Directory::adopt(&settings.directory, lock);
        let recovered = log::recover(&mut files)?;
        let Some(id) = recovered.journal.filter(|_| recovered.next_seq == next_seq) else {
            return Err(JournalError::Elsewhere {
                path: settings.directory,
                wanted: next_seq,
                found: recovered.next_seq,
            });
        };
        let log = Log::new(files, id, next_seq, settings.segment_size);
        Self::run(
            settings,
            id,
            log,
            next_seq,
            Trail::default(),
            recovered.created_at,
        )
    }

    /// Brings everything to the disk and lets go of the journal: events that come wait in memory
    /// until [`Journal::relay`] or [`Journal::take_back`], which must follow within seconds.
    ///
    /// # Errors
    /// It goes on as before.
    pub fn release(&self) -> io::Result<Released> {
        let (answer, answered) = mpsc::channel();
        self.order(Order::Release(answer))?;
        match answered.recv_timeout(RELEASE_TIME) {
            Ok(released) => released.map(|(next_seq, lock)| Released { next_seq, lock }),
            Err(_) => {
                // It may come to it yet: then it shall go on.
                let (answer, _) = mpsc::channel();
                self.order(Order::TakeBack(answer))?;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    /// Sends what is recorded from here on to the process that has the journal.
    ///
    /// # Errors
    /// The thread that writes has ended.
    pub fn relay(&self, stream: UnixStream) -> io::Result<()> {
        self.order(Order::Relay(stream))
    }

    /// Whether the process that has the journal does not answer any more.
    pub fn relay_is_lost(&self) -> bool {
        self.shared.relay_lost.load(Ordering::SeqCst)
    }

    /// Writes the journal again. The process that had it must be gone.
    ///
    /// # Errors
    /// [`TakeBackError`].
    pub fn take_back(&self) -> Result<(), TakeBackError> {
        let (answer, answered) = mpsc::channel();
        self.order(Order::TakeBack(answer))
            .map_err(|_| TakeBackError::NoAnswer)?;
        answered
            .recv_timeout(TAKE_BACK_TIME)
            .unwrap_or(Err(TakeBackError::NoAnswer))
    }

    fn order(&self, order: Order) -> io::Result<()> {
        self.orders
            .send(order)
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.writer.unpark();
        Ok(())
    }

    /// Takes what a predecessor records, in a thread of its own.
    ///
    /// # Errors
    /// The operating system could not start a thread or a runtime in it.
    pub fn take_in(self: &Arc<Self>, stream: UnixStream) -> io::Result<Intake> {
        let state = Arc::new(AtomicU8::new(0));
        let intake = Intake {
            state: Arc::clone(&state),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let journal = Arc::clone(self);
        thread::Builder::new()
            .name("egret-intake".to_owned())
            .spawn(move || {
                let ended = journal.serve_predecessor(stream, &runtime);
                if let Err(error) = &ended {
                    tracing::error!(
                        %error,
                        "the process before this one has gone without an end; calls that it had \
                         open stay open in the journal until the next start"
                    );
                }
                state.store(if ended.is_ok() { 1 } else { 2 }, Ordering::Release);
            })?;
        Ok(intake)
    }

    fn serve_predecessor(
        &self,
        mut stream: UnixStream,
        runtime: &tokio::runtime::Runtime,
    ) -> io::Result<()> {
        let mut frames = Vec::new();
        loop {
            let mut head = [0; BATCH_HEAD];
            stream.read_exact(&mut head)?;
            let head = BatchHead::decode(head).ok_or(io::ErrorKind::InvalidData)?;
            let BatchHead::Events(wait, length) = head else {
                return Ok(());
            };
            frames.clear();
            frames.resize(length, 0);
            stream.read_exact(&mut frames)?;
            let taken = self.take_batch(&frames, wait)?;
            let (next_seq, settled) = match taken {
                Ok(ticket) => {
                    let settled = match wait {
                        None | Some(Wait::Nothing) => Ok(()),
                        Some(_) => runtime.block_on(self.settled(ticket)),
                    };
                    (ticket.seq + 1, settled.is_ok())
                }
                Err(NotRecorded) => (self.state().next_seq, false),
            };
            stream.write_all(&Answer { settled, next_seq }.encode())?;
        }
    }

    /// Takes events that another process has encoded. A batch of none waits for those before.
    pub(super) fn take_batch(
        &self,
        frames: &[u8],
        wait: Option<Wait>,
    ) -> io::Result<Result<Ticket, NotRecorded>> {
        let count = check_batch(frames).map_err(io::Error::other)?;
        let shared = &*self.shared;
        if shared.closed.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let kept = usize::try_from(shared.kept.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let mut queue = shared.queue.lock();
        if count > 0 && queue.bytes.len().saturating_add(kept) >= MAX_WAITING {
            for _ in 0..count {
                shared.note_lost(&mut queue, false, Wait::Nothing);
            }
            return Ok(Err(NotRecorded));
        }
        let from = queue.bytes.len();
        queue.bytes.extend_from_slice(frames);
        let first = queue.next_seq;
        if let Some(taken) = queue.bytes.get_mut(from..) {
            queue.next_seq = renumber(taken, first);
        }
        queue.count += count;
        queue.awaited += u32::from(wait.is_some_and(|wait| wait != Wait::Nothing));
        queue.wait = queue.wait.max(wait);
        let ticket = Ticket {
            seq: queue.next_seq.saturating_sub(1),
            wait: wait.unwrap_or(Wait::Nothing),
        };
        drop(queue);
        self.writer.unpark();
        if shared.failing_since.load(Ordering::SeqCst) != 0 {
            return Ok(Err(NotRecorded));
        }
        Ok(Ok(ticket))
    }
}
