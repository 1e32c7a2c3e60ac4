//! Captures calls for debugging: gathers what passes, and has a thread redact, encrypt and keep it.
//!
//! A call never waits for its capture. While it lasts, its bytes are copied into buffers of its own
//! and nothing else; when it is over they are handed to the thread. At most [`MAX_ALIVE`] captures
//! are gathered or waiting at a time; a call that would be one more is not captured, and counted.

mod shelf;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::adapters::clock;
use crate::domain::capture::envelope::CaptureKey;
use crate::domain::capture::{About, RawExchange, RawHead, choose};
use crate::domain::config::{CaptureBodies, CaptureRule};
use crate::domain::health::CaptureVitals;
use crate::domain::redact::Redactor;
use crate::types::CallId;

pub use shelf::{Entry, Shelf};
use writer::Writer;

/// Captures that may be gathered or wait at a time: with two bodies of 256 KiB each at most 32 MiB.
pub const MAX_ALIVE: usize = 64;

/// Most bytes of all captures together. What would be more is not kept, and counted.
pub const MAX_TOTAL: u64 = 256 << 20;

/// What the captures work with.
pub struct Settings {
    /// Which calls are captured; with none, only expired captures are deleted.
    pub rules: Vec<CaptureRule>,
    /// Redacts, with the field rules of the operations that are captured.
    pub redactor: Redactor,
    /// Encrypts; needed if there are rules.
    pub key: Option<CaptureKey>,
    /// Where captures are kept.
    pub directory: PathBuf,
    /// Most bytes of all captures together.
    pub max_total: u64,
}

#[derive(Default)]
struct Counters {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    expired: AtomicU64,
    alive: AtomicUsize,
}

/// A call that is over, or the end of the work.
enum Job {
    Call(Box<Call>),
    /// What is handed over from here on is kept after other settings.
    Retune(Box<Settings>),
    Stop,
}

/// What was gathered of a call.
struct Call {
    about: About,
    rule: Arc<CaptureRule>,
    raw: RawExchange,
    _place: Place,
}

/// One of the [`MAX_ALIVE`] places.
struct Place(Arc<Counters>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The captures of a gateway.
pub struct Captures {
    rules: ArcSwap<Vec<CaptureRule>>,
    jobs: SyncSender<Job>,
    counters: Arc<Counters>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Captures {
    /// Starts the thread.
    ///
    /// # Errors
    /// The directory cannot be made, or the thread not started.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let rules = settings.rules.clone();
        let writer = Writer::new(settings, Arc::clone(&counters))?;
        // Every capture has its place before it is sent, so there is always room for the stop.
        let (jobs, queue) = sync_channel(MAX_ALIVE + 1);
        let thread = std::thread::Builder::new()
            .name("egret-capture".to_owned())
            .spawn(move || writer.run(&queue))?;
        Ok(Self {
            rules: ArcSwap::from_pointee(rules),
            jobs,
            counters,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Begins to capture a call, if a rule says so and there is room.
    pub fn begin(
        &self,
        call_id: CallId,
        provider: &Arc<str>,
        operation: Option<&Arc<str>>,
    ) -> Option<Capturing> {
        let rules = self.rules.load();
        let rule = choose(&rules, provider, operation.map(|id| &**id), call_id)?;
        let counters = &self.counters;
        // The place is given back by its drop, also when there are too many.
        let place = Place(Arc::clone(counters));
        if counters.alive.fetch_add(1, Ordering::AcqRel) >= MAX_ALIVE {
            counters.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Capturing {
            jobs: self.jobs.clone(),
            call: Box::new(Call {
                about: About {
                    call_id,
                    provider: Arc::clone(provider),
                    operation: operation.cloned(),
                    captured_at: clock::now(),
                },
                rule: Arc::new(rule.clone()),
                raw: RawExchange::default(),
                _place: place,
            }),
        })
    }

    /// Goes on with other rules, redactor and key; the directory stays. Waits for the thread if much is
    /// to be kept.
    pub fn retune(&self, settings: Settings) {
        let rules = Arc::new(settings.rules.clone());
        // After the stop nobody takes it, and no call comes.
        let _ = self.jobs.send(Job::Retune(Box::new(settings)));
        self.rules.store(rules);
    }

    /// What became of them so far.
    pub fn vitals(&self) -> CaptureVitals {
        let counters = &self.counters;
        CaptureVitals {
            kept: counters.written.load(Ordering::Relaxed),
            dropped: counters.dropped.load(Ordering::Relaxed),
            failed: counters.failed.load(Ordering::Relaxed),
            expired: counters.expired.load(Ordering::Relaxed),
        }
    }

    /// Keeps what was handed over and ends the thread.
    pub fn stop(&self) {
        let _ = self.jobs.try_send(Job::Stop);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// A call that is being captured. Dropped without [`Capturing::finish`], nothing is kept of it.
pub struct Capturing {
    jobs: SyncSender<Job>,
    call: Box<Call>,
}

impl Capturing {
    /// The request's head.
    pub fn request_head(&mut self, head: RawHead) {
        self.call.raw.request_head = Some(head);
    }

    /// The next piece of the request's body.
    pub fn request_body(&mut self, piece: &[u8], end: bool) {
        let body = &mut self.call.raw.request;
        match self.call.rule.bodies {
            CaptureBodies::Excerpt => body.push(piece, end),
            CaptureBodies::None => body.count(piece, end),
        }
    }

    /// The head of the bank's answer.
    pub fn response_head(&mut self, head: RawHead) {
        self.call.raw.response_head = Some(head);
    }

    /// The next piece of the bank's body.
    pub fn response_body(&mut self, piece: &[u8], end: bool) {
        let body = &mut self.call.raw.response;
        match self.call.rule.bodies {
            CaptureBodies::Excerpt => body.push(piece, end),
            CaptureBodies::None => body.count(piece, end),
        }
    }

    /// The call is over: hands over what was gathered.
    pub fn finish(mut self) {
        self.call.about.captured_at = clock::now();
        // After the stop nobody takes it; then it is lost like the process's memory.
        let _ = self.jobs.try_send(Job::Call(self.call));
    }
}

#[cfg(test)]
mod tests;
