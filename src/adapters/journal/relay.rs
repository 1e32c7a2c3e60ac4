//! The writer while another process has the journal: what is recorded here goes to that process,
//! which writes it, and comes back to this one if that process is gone.
//!
//! Invariants:
//! - One process writes. Between the last event that is written here and the first that is sent
//!   there is a sync, and nothing is written here again before the other process is known to be gone.
//! - What was sent is kept until the other process has said that it is on disk. Who takes the journal
//!   back writes what of it is not there, so that an event is neither lost nor there twice.
//! - Events keep the numbers of this process until the journal comes back; then those that are kept
//!   get new ones, behind everything that the other process has written. Nobody is told anything
//!   about them before that is on disk.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::files::Files;
use super::log::{Group, RecoverError, recover};
use super::shared::Shared;
use super::writer::Writer;
use crate::adapters::clock;
use crate::domain::journal::{
    ANSWER, Answer, BatchHead, SegmentHeader, renumber, scan_last, seal_frame, unnumbered,
};
use crate::domain::record::Wait;

/// How often a successor that cannot record is asked whether it can again.
const PROBE: Duration = Duration::from_millis(500);

/// The journal cannot be taken back: nothing is recorded until it can.
#[derive(Debug, thiserror::Error)]
pub enum TakeBackError {
    /// What the other process has left cannot be used.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// It cannot be read.
    #[error("cannot read the journal: {0}")]
    Read(#[from] io::Error),
    /// The thread that writes does not answer.
    #[error("the thread that writes the journal does not answer")]
    NoAnswer,
}

/// What the writer is told to do about the journal as a whole.
pub(super) enum Order {
    /// Bring everything to the disk and write nothing more. The answer: the number of the next
    /// event and the lock.
    Release(mpsc::Sender<io::Result<(u64, std::fs::File)>>),
    /// Send to the process behind this stream, which has the journal.
    Relay(UnixStream),
    /// That process is gone: write again.
    TakeBack(mpsc::Sender<Result<(), TakeBackError>>),
}

/// Where events go while the journal is not here.
pub(super) struct Away {
    /// `None` before there is anybody to send to, and after.
    stream: Option<UnixStream>,
    /// The first event in the journal that may be one of `kept`.
    since: u64,
    /// Sealed frames that were sent and are not known to be on disk.
    kept: Vec<u8>,
}

impl Shared {
    /// From here on the journal does not answer, until [`Shared::answers`].
    fn waits(&self) {
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.busy_since.store(now + 1, Ordering::Release);
    }

    fn answers(&self) {
        self.busy_since.store(0, Ordering::Release);
    }
}

impl<F: Files> Writer<F> {
    /// Does what it was told about the journal as a whole.
    pub(super) fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Release(answer) => {
                    let _ = answer.send(self.release());
                }
                Order::Relay(stream) => {
                    if let Some(away) = &mut self.away {
                        away.stream = Some(stream);
                        // The successor counts what the ledger lacks.
                        self.shared.undrained.store(0, Ordering::Release);
                        self.shared.answers();
                    }
                }
                Order::TakeBack(answer) => {
                    let _ = answer.send(self.take_back());
                }
            }
        }
    }

    fn release(&mut self) -> io::Result<(u64, std::fs::File)> {
        if self.away.is_some() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let lock = self.log_mut().files_mut().share_lock()?;
        let (group, _) = self.take();
        self.keep(group);
        self.commit(true);
        if self.is_failing() {
            return Err(io::Error::other("the journal cannot be written"));
        }
        self.log_mut().close();
        self.shared.waits();
        let since = self.log_mut().durable_seq();
        self.away = Some(Away {
            stream: None,
            since,
            kept: Vec::new(),
        });
        Ok((since, lock))
    }

    /// Sends what has gathered to who has the journal. Gives false at the end.
    pub(super) fn forward(&mut self, stopping: bool) -> bool {
        let has_stream = self.away.as_ref().is_some_and(|away| away.stream.is_some());
        if !has_stream {
            if !stopping {
                std::thread::park();
            }
            return !stopping;
        }
        let (group, wait) = self.take();
        let is_empty = group.count == 0;
        let kept = self.away.as_ref().map_or(0, |away| away.kept.len());
        let due = match (kept, self.is_failing()) {
            (0, false) => None,
            (_, true) => Some(PROBE.saturating_sub(self.last_sent.elapsed())),
            (_, false) => {
                let interval = self.shared.settings.sync_interval;
                Some(interval.saturating_sub(self.last_sent.elapsed()))
            }
        };
        if is_empty && !stopping && due.is_none_or(|due| !due.is_zero()) {
            self.sleep(due);
            return true;
        }
        if is_empty && stopping && kept == 0 {
            self.say_end();
            return false;
        }
        // Nothing new: what was sent before shall be on disk.
        let wait = if is_empty || stopping {
            Some(Wait::Durable)
        } else {
            wait
        };
        let end = group.first_seq + group.count;
        let answer = self.send(group, wait);
        self.last_sent = Instant::now();
        self.take_answer(answer, wait, end);
        true
    }

    fn send(&mut self, mut group: Group, wait: Option<Wait>) -> io::Result<Answer> {
        let Some(away) = &mut self.away else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        seal(&mut group.bytes);
        away.kept.extend_from_slice(&group.bytes);
        let Some(stream) = &mut away.stream else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        self.shared.waits();
        stream.write_all(&BatchHead::Events(wait, group.bytes.len()).encode())?;
        stream.write_all(&group.bytes)?;
        let mut answer = [0; ANSWER];
        stream.read_exact(&mut answer)?;
        Answer::decode(answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn take_answer(&mut self, answer: io::Result<Answer>, wait: Option<Wait>, end: u64) {
        let shared = std::sync::Arc::clone(&self.shared);
        match answer {
            Ok(answer) => {
                shared.answers();
                if answer.settled {
                    self.mend();
                    let is_durable = wait == Some(Wait::Durable);
                    if let Some(away) = self.away.as_mut().filter(|_| is_durable) {
                        shared
                            .kept
                            .fetch_sub(away.kept.len() as u64, Ordering::Relaxed);
                        away.kept.clear();
                        away.since = answer.next_seq;
                    }
                    shared.marks.advance(end, if is_durable { end } else { 0 });
                } else {
                    self.fail_at(&"the process that has taken over cannot record");
                }
            }
            Err(error) => {
                // The stall goes on from when it was last heard of: calls wait, and are refused
                // when that takes too long.
                if let Some(away) = &mut self.away {
                    away.stream = None;
                }
                shared.relay_lost.store(true, Ordering::SeqCst);
                tracing::error!(
                    %error,
                    "the process that has taken over the journal does not answer any more"
                );
            }
        }
        self.wake();
    }

    fn say_end(&mut self) {
        let stream = self.away.as_mut().and_then(|away| away.stream.as_mut());
        if let Some(stream) = stream {
            // It sees the end of the stream otherwise, and takes that for a crash.
            let _ = stream.write_all(&BatchHead::End.encode());
        }
    }

    fn take_back(&mut self) -> Result<(), TakeBackError> {
        let Some(away) = &self.away else {
            return Ok(());
        };
        let (since, kept) = (away.since, away.kept.clone());
        let recovered = recover(self.log_mut().files_mut())?;
        let there = events_since(self.log_mut().files_mut(), since)?;
        let mut frames = without(&kept, &there);
        self.away = None;
        let count = {
            let mut queue = self.shared.queue.lock();
            frames.extend_from_slice(&queue.bytes);
            queue.bytes.clear();
            queue.count = 0;
            queue.next_seq = renumber(&mut frames, recovered.next_seq);
            queue.next_seq - recovered.next_seq
        };
        let bytes = frames.len() as u64;
        self.shared.kept.store(bytes, Ordering::Relaxed);
        self.log_mut().restart(recovered.next_seq);
        self.shared.answers();
        self.shared.relay_lost.store(false, Ordering::SeqCst);
        self.mend();
        if count == 0 {
            let next = recovered.next_seq;
            self.shared.marks.advance(next, next);
        } else {
            let mut trail = self.shared.trail.lock();
            trail.note(recovered.next_seq..recovered.next_seq + count, clock::now());
            drop(trail);
            // Numbers of before and after must not be told apart by who waits: first all of these.
            self.untold = true;
            self.keep(Group {
                first_seq: recovered.next_seq,
                count,
                bytes: frames,
            });
        }
        self.wake();
        Ok(())
    }
}

fn seal(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(length) = seal_frame(rest, 0) {
        rest = rest.get_mut(length..).unwrap_or_default();
    }
}

/// What the journal holds from an event on, without the numbers.
fn events_since<F: Files>(files: &mut F, since: u64) -> io::Result<HashSet<Vec<u8>>> {
    let mut found = HashSet::new();
    let segments = files.list()?;
    for (index, first) in segments.iter().enumerate() {
        let end = segments.get(index + 1).copied().unwrap_or(u64::MAX);
        if end <= since {
            continue;
        }
        let bytes = files.read(*first)?;
        if SegmentHeader::decode(&bytes).is_none() {
            continue;
        }
        // What is damaged behind these has been judged by who opened the journal.
        let _ = scan_last(&bytes, |frame| {
            if (since..end).contains(&frame.seq) {
                found.insert(unnumbered(frame.payload));
            }
        });
    }
    Ok(found)
}

/// The frames whose events are not there.
fn without(frames: &[u8], there: &HashSet<Vec<u8>>) -> Vec<u8> {
    let mut left = Vec::new();
    let mut rest = frames;
    while let Ok(frame) = crate::domain::journal::read_frame(rest) {
        let (bytes, after) = rest.split_at(frame.len().min(rest.len()));
        if !there.contains(&unnumbered(frame.payload)) {
            left.extend_from_slice(bytes);
        }
        rest = after;
    }
    left
}
