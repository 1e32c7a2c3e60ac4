//! Tells a collector of OpenTelemetry of calls, figures and log lines, over OTLP.
//!
//! Nobody waits for it. A call leaves what its spans are made of in an [`Inbox`] of its worker and goes
//! on; a thread of its own, behind those of calls, looks into the inboxes now and then, makes spans of what it
//! finds and sends them. While the collector is slow or away the inboxes fill up, and what finds no room
//! is dropped and counted: what there is of memory is bounded, and the audit knows nothing of it.

mod export;
pub mod headers;
mod inbox;
mod proto;
mod worker;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::sync::watch;

pub use headers::HeadersError;
pub use inbox::{Inbox, Inboxes};

use crate::adapters::figures::CallFigures;
use crate::adapters::log::{self, LogLine};
use crate::domain::config;
use crate::domain::health::{Bounds, SignalVitals, TelemetryVitals, Vitals};
use crate::domain::telemetry::FinishedCall;
use export::Exporter;
use proto::Origin;
use worker::Worker;

/// Calls that may wait for the telemetry thread, of each worker. Two kilobytes each, with all that a record
/// holds: some seconds of the most that a worker can do.
const MAX_CALLS: usize = 8_192;

/// Log lines that may wait.
const MAX_LINES: usize = 4_096;

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The header fields for the collector.
    #[error(transparent)]
    Headers(#[from] HeadersError),
    /// The authorities for the collector.
    #[error("cannot use {path} ([telemetry] ca): {cause}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The thread or its runtime.
    #[error("cannot start the telemetry thread: {0}")]
    Thread(io::Error),
}

/// Looks at the gateway; `None` once it is gone.
pub type Observe = Arc<dyn Fn() -> Option<Vitals> + Send + Sync>;

/// What became of one kind of things.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    fn read(&self, dropped: u64) -> SignalVitals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SignalVitals {
            sent: read(&self.sent),
            dropped: dropped + read(&self.lost),
            failures: read(&self.failures),
        }
    }
}

/// What waits to be told, and what became of what was told.
struct Shared {
    calls: Arc<Inboxes<FinishedCall>>,
    lines: Inboxes<LogLine>,
    traces: Counts,
    metrics: Counts,
    logs: Counts,
}

/// The running telemetry.
pub struct Telemetry {
    shared: Arc<Shared>,
    settings: config::Telemetry,
    origin: Origin,
    stop: watch::Sender<bool>,
    exporter: parking_lot::Mutex<Option<(tokio::runtime::Runtime, Exporter)>>,
    thread: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

impl Telemetry {
    /// Prepares to tell a collector; `None` if the configuration names none. Nothing runs before
    /// [`Telemetry::start`], but calls and lines wait from here on.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn prepare(
        settings: &config::Telemetry,
        node: &str,
        version: &str,
    ) -> Result<Option<Self>, TelemetryError> {
        let Some(endpoint) = &settings.endpoint else {
            return Ok(None);
        };
        let variable = std::env::var(headers::VARIABLE).ok();
        let fields = headers::read(settings.headers_file.as_deref(), variable)?;
        let ca = settings.ca.as_ref();
        let wrong = |cause: String| TelemetryError::Ca {
            path: ca.cloned().unwrap_or_default(),
            cause,
        };
        let pem = ca.map(std::fs::read).transpose();
        let pem = pem.map_err(|error| wrong(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(TelemetryError::Thread)?;
        let exporter = {
            let _inside = runtime.enter();
            Exporter::new(endpoint, settings.protocol, fields, pem, settings.timeout)
        };
        let exporter = exporter.map_err(wrong)?;
        let named = [
            ("service.name", settings.service_name.as_str()),
            ("service.version", version),
            ("service.instance.id", node),
            ("telemetry.sdk.name", "egret"),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", version),
        ];
        let further = settings.attributes.iter().filter(|(name, _)| {
            // What the file says of these it says with keys of their own.
            !named.iter().any(|(known, _)| known == name)
        });
        let attributes = named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let shared = Shared {
            calls: Arc::new(Inboxes::new(MAX_CALLS)),
            lines: Inboxes::new(MAX_LINES),
            traces: Counts::default(),
            metrics: Counts::default(),
            logs: Counts::default(),
        };
        if settings.logs {
            log::forward_to(Some(shared.lines.add()));
        }
        Ok(Some(Self {
            origin: Origin::new(attributes.chain(further.cloned()), version),
            shared: Arc::new(shared),
            settings: settings.clone(),
            stop: watch::channel(false).0,
            exporter: parking_lot::Mutex::new(Some((runtime, exporter))),
            thread: parking_lot::Mutex::default(),
        }))
    }

    /// Takes calls that are over; `None` if traces are not told.
    pub fn calls(&self) -> Option<Arc<Inboxes<FinishedCall>>> {
        self.settings.traces.then(|| Arc::clone(&self.shared.calls))
    }

    /// Begins to tell.
    ///
    /// # Errors
    /// [`TelemetryError::Thread`].
    pub fn start(
        &self,
        observe: Observe,
        bounds: Bounds,
        figures: Arc<CallFigures>,
    ) -> Result<(), TelemetryError> {
        let Some((runtime, exporter)) = self.exporter.lock().take() else {
            return Ok(());
        };
        let worker = Worker {
            shared: Arc::clone(&self.shared),
            settings: self.settings.clone(),
            origin: self.origin.clone(),
            exporter,
            observe,
            bounds,
            figures,
            stop: self.stop.subscribe(),
        };
        let thread = std::thread::Builder::new()
            .name(log::TELEMETRY_THREAD.to_owned())
            .spawn(move || {
                crate::adapters::priority::go_behind();
                runtime.block_on(worker.run());
            })
            .map_err(TelemetryError::Thread)?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// What became of what was to be told.
    pub fn vitals(&self) -> TelemetryVitals {
        let shared = &self.shared;
        TelemetryVitals {
            traces: shared.traces.read(shared.calls.dropped()),
            metrics: shared.metrics.read(0),
            logs: shared.logs.read(shared.lines.dropped()),
        }
    }

    /// Tells what waits, once and for no longer than a collector may take, and ends.
    pub fn stop(&self) {
        log::forward_to(None);
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}
