//! The thread that redacts, encrypts and keeps captures, and deletes them when their time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Call, Counters, Job, Settings, Shelf};
use crate::adapters::{clock, entropy, redactions};
use crate::domain::capture::Document;
use crate::domain::capture::envelope::NONCE;
use crate::domain::health::KeptFrom;
use crate::types::{CallId, Micros};

/// How often is looked for captures whose time is over: a capture outlives it by at most this.
const SWEEP: Duration = Duration::from_secs(1);

/// How often the log may say that something was not captured.
const COMPLAIN: Duration = Duration::from_secs(60);

/// The thread's own.
pub(super) struct Writer {
    settings: Settings,
    shelf: Shelf,
    counters: Arc<Counters>,
    /// What is on the shelf, the first to go first.
    kept: BTreeSet<(Micros, CallId)>,
    sizes: BTreeMap<CallId, u64>,
    total: u64,
    complained: Option<Instant>,
    /// Calls that were not captured when the log last said so.
    known_losses: u64,
}

impl Writer {
    /// Looks at what is there.
    pub(super) fn new(settings: Settings, counters: Arc<Counters>) -> io::Result<Self> {
        let shelf = Shelf::new(&settings.directory);
        shelf.make()?;
        shelf.tidy()?;
        let mut writer = Self {
            settings,
            shelf,
            counters,
            kept: BTreeSet::new(),
            sizes: BTreeMap::new(),
            total: 0,
            complained: None,
            known_losses: 0,
        };
        for entry in writer.shelf.list()? {
            // What has no readable header has no time to live either.
            let expires_at = entry.header.map_or(Micros(0), |header| header.expires_at);
            writer.remember(entry.call_id, expires_at, entry.bytes);
        }
        writer.sweep(clock::now());
        Ok(writer)
    }

    #[cfg(test)]
    pub(super) fn fill_the_disk(&mut self) {
        self.shelf.is_full = true;
    }

    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        let mut swept = Instant::now();
        loop {
            match queue.recv_timeout(SWEEP) {
                Ok(Job::Call(call)) => self.keep(&call),
                Ok(Job::Retune(settings)) => self.settings = *settings,
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep(clock::now());
                self.complain();
            }
        }
    }

    pub(super) fn keep(&mut self, call: &Call) {
        if let Err(error) = self.try_keep(call) {
            self.counters.failed.fetch_add(1, Ordering::Relaxed);
            if self.may_complain() {
                // The kind alone: it says enough and quotes nothing.
                tracing::warn!(reason = %error.kind(), "a capture could not be kept");
            }
        }
    }

    fn try_keep(&mut self, call: &Call) -> io::Result<()> {
        let Some(key) = &self.settings.key else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let about = &call.about;
        let document = Document::make(&self.settings.redactor, &call.rule, about, &call.raw);
        redactions::note(KeptFrom::Capture, document.masked());
        let expires_at = about.captured_at.plus(call.rule.retention);
        let nonce = entropy::key_bytes::<NONCE>().map_err(io::Error::other)?;
        let file = key
            .seal(about.call_id, expires_at, nonce, &document.to_json())
            .map_err(io::Error::other)?;
        let bytes = file.len() as u64;
        if self.total.saturating_add(bytes) > self.settings.max_total {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.shelf.put(about.call_id, &file)?;
        self.remember(about.call_id, expires_at, bytes);
        self.counters.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn remember(&mut self, call_id: CallId, expires_at: Micros, bytes: u64) {
        self.kept.insert((expires_at, call_id));
        self.sizes.insert(call_id, bytes);
        self.total = self.total.saturating_add(bytes);
    }

    /// Deletes every capture whose time is over.
    pub(super) fn sweep(&mut self, now: Micros) {
        while let Some((expires_at, call_id)) = self.kept.first().copied() {
            if expires_at > now {
                return;
            }
            if let Err(error) = self.shelf.remove(call_id) {
                if self.may_complain() {
                    tracing::error!(
                        call = %call_id,
                        reason = %error.kind(),
                        "a capture whose time is over cannot be deleted; trying again"
                    );
                }
                return;
            }
            self.kept.pop_first();
            let bytes = self.sizes.remove(&call_id).unwrap_or(0);
            self.total = self.total.saturating_sub(bytes);
            self.counters.expired.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says that calls were not captured.
    fn complain(&mut self) {
        let dropped = self.counters.dropped.load(Ordering::Relaxed);
        if dropped > self.known_losses && self.may_complain() {
            self.known_losses = dropped;
            tracing::warn!(
                calls = dropped,
                "calls were not captured: too many at a time; raise sample"
            );
        }
    }

    fn may_complain(&mut self) -> bool {
        let may = self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN);
        if may {
            self.complained = Some(Instant::now());
        }
        may
    }
}
