//! What is measured.

use std::sync::Arc;
use std::time::Duration;

use super::calls::CallVitals;
use super::histogram::Histogram;
use super::redactions::RedactionSeries;
use crate::domain::resilience::BreakerState;
use crate::types::Micros;

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It opens the ledger and the journal.
    Starting,
    /// It takes calls.
    Serving,
    /// It was asked to stop: calls in flight end, new ones are not taken.
    Draining,
}

/// One look at the gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Vitals {
    /// When this was read.
    pub now: Micros,
    /// When the process began.
    pub started_at: Micros,
    /// Version of the program.
    pub version: &'static str,
    /// Where it is in its life.
    pub stage: Stage,
    /// How far the wall clock is behind what it has said before.
    pub clock_behind: Duration,
    /// The journal; `None` until it is open.
    pub journal: Option<JournalVitals>,
    /// The feed of the ledger; `None` until it runs.
    pub ledger: Option<LedgerVitals>,
    /// The signed log over the journal; `None` until it runs, or if there is none.
    pub evidence: Option<EvidenceVitals>,
    /// The listening sockets; `None` until they are bound.
    pub listening: Option<Listening>,
    /// The endpoint groups of the banks; empty until they are known.
    pub groups: Vec<GroupVitals>,
    /// The banks' rate limits.
    pub budgets: Vec<BudgetVitals>,
    /// Reads that share answers; `None` if none do.
    pub coalescer: Option<CoalescerVitals>,
    /// Reloads of the configuration; `None` if it cannot be reloaded.
    pub reloads: Option<ReloadVitals>,
    /// Whether the store answers that gateways share them by; `None` if they do not.
    pub budgets_shared: Option<bool>,
    /// The calls that are over.
    pub calls: CallVitals,
    /// Values that the redactor has masked in logs, captures and reasons.
    pub redactions: Vec<RedactionSeries>,
    /// Captures; `None` if none are made.
    pub captures: Option<CaptureVitals>,
    /// Lines that the log has dropped.
    pub log_dropped: u64,
    /// The certificates that the configuration names.
    pub certificates: Vec<CertificateVitals>,
    /// What became of what was to be told to a collector; `None` if nothing is told.
    pub telemetry: Option<TelemetryVitals>,
    /// How long the journal's commits took, in seconds; `None` until it is open.
    pub journal_commits: Option<Histogram>,
    /// For how long threads have not been heard of.
    pub silence: Silence,
    /// Calls in flight.
    pub calls_in_flight: u64,
    /// Open connections of callers.
    pub connections: u64,
    /// What is locked down: locks that hold.
    pub locks: u64,
    /// Detection; `None` if there is none.
    pub detection: Option<DetectionVitals>,
}

/// Detection by the running gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetectionVitals {
    /// Whether this node watches the ledger: in a fleet one does.
    pub leading: bool,
    /// The last look at the ledger failed, or what it brought could not be kept.
    pub failing: bool,
    /// Until when rows were judged; `None` before the first look.
    pub judged_to: Option<Micros>,
    /// Events that were judged since detection began to learn.
    pub events: u64,
    /// Alerts since the start, by severity.
    pub alerts: [(&'static str, u64); 5],
    /// Incidents that nobody has taken.
    pub open: u64,
    /// Incidents that somebody has taken.
    pub acknowledged: u64,
    /// Locks that were placed without being asked since the start.
    pub responses: u64,
}

/// What has become of reloads of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadVitals {
    /// How many took effect since the start.
    pub taken: u64,
    /// How many were refused.
    pub refused: u64,
    /// The last one was refused, so that the files say something else than what runs.
    pub is_stale: bool,
}

/// The journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalVitals {
    /// Since when nothing can be written; `None` while all is well.
    pub failing_since: Option<Micros>,
    /// The disk has not answered a write or a sync for too long.
    pub stalled: bool,
    /// Its thread has ended, so that nothing will be written any more.
    pub ended: bool,
    /// Number of the next event.
    pub next_seq: u64,
    /// The first event that is not known to be on disk.
    pub durable_seq: u64,
    /// Bytes that wait in memory.
    pub waiting_bytes: u64,
    /// Bytes on disk that no ledger has taken yet.
    pub undrained_bytes: u64,
    /// The most that those may be.
    pub max_bytes: u64,
    /// Calls refused for want of a record since the start.
    pub refused: u64,
    /// Calls that went on unrecorded since the start.
    pub shed: u64,
}

/// The ledger as its feed sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerVitals {
    /// The first event of the journal that the ledger has not taken.
    pub drained_seq: u64,
    /// When the oldest event came that the ledger has not taken; `None` if it has all.
    pub behind_since: Option<Micros>,
    /// Rows written since the start.
    pub written: u64,
    /// Attempts to write that failed since the start.
    pub failures: u64,
    /// The last attempt failed.
    pub failing: bool,
}

/// The signed log over the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceVitals {
    /// The first event of the journal that is under no checkpoint.
    pub sealed_seq: u64,
    /// Checkpoints made since the start.
    pub checkpoints: u64,
    /// No checkpoint is made: what is in the log says why. Calls go on.
    pub failing: bool,
}

/// An endpoint group of a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupVitals {
    /// Its name, made of names of the configuration and of provider files.
    pub name: Arc<str>,
    /// What its breaker does.
    pub breaker: BreakerState,
    /// Calls in flight.
    pub in_flight: u64,
    /// Calls that may be in flight.
    pub limit: u64,
    /// Calls that wait for a place.
    pub waiting: u64,
    /// Times that the breaker has opened since the start.
    pub opened: u64,
    /// Calls that it has stopped.
    pub stopped: u64,
    /// Calls for which there was no place in time.
    pub shed: u64,
    /// Repetitions.
    pub repeated: u64,
    /// Repetitions that the retry budget had no room for.
    pub not_repeated: u64,
}

/// A rate limit of a bank. Where the bank counts per consumer or token, all of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetVitals {
    /// Its name, such as `cybrid.general`.
    pub name: Arc<str>,
    /// Calls in a window.
    pub limit: u32,
    /// Calls that are left; of the part that has the least.
    pub remaining: u32,
    /// Calls that wait.
    pub waiting: u64,
    /// Places given since the start.
    pub admitted: u64,
    /// Calls that had to wait.
    pub waited: u64,
    /// How long they waited, in microseconds.
    pub waited_us: u64,
    /// Calls refused here.
    pub refused: u64,
    /// Calls that a shadow let pass.
    pub over: u64,
    /// Calls that the bank refused.
    pub throttled: u64,
}

/// Reads that share answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoalescerVitals {
    /// Calls that wait for the answer to another.
    pub waiting: u64,
    /// Calls that were answered so since the start.
    pub shared: u64,
}

/// What became of captures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureVitals {
    /// Those that were kept.
    pub kept: u64,
    /// Calls that were not captured because too many were at a time.
    pub dropped: u64,
    /// Those that could not be kept: the disk or the space for captures is full.
    pub failed: u64,
    /// Those that were deleted when their time was over.
    pub expired: u64,
}

/// What a certificate is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertificateUse {
    /// A listener shows it.
    Listener,
    /// It signs callers' certificates.
    ClientCa,
    /// A bank's certificate must be signed by it, or be it.
    UpstreamCa,
    /// The same for the collector.
    CollectorCa,
}

impl CertificateUse {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::ClientCa => "client_ca",
            Self::UpstreamCa => "upstream_ca",
            Self::CollectorCa => "collector_ca",
        }
    }
}

/// A file of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateVitals {
    /// What it is there for.
    pub purpose: CertificateUse,
    /// The file, as configured.
    pub file: Arc<str>,
    /// When the first of them runs out.
    pub expires_at: Micros,
}

/// What is told to a collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelemetryVitals {
    /// Calls, as traces.
    pub traces: SignalVitals,
    /// Looks at the figures.
    pub metrics: SignalVitals,
    /// Log lines.
    pub logs: SignalVitals,
}

/// What became of one kind of what is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalVitals {
    /// How many the collector has taken.
    pub sent: u64,
    /// How many were not told: there was no room for them, or the collector did not take them.
    pub dropped: u64,
    /// Requests that failed, also those that were sent again.
    pub failures: u64,
}

/// Sockets that connections are accepted on; each worker has one for each listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// How many there should be.
    pub wanted: u64,
    /// How many there are.
    pub accepting: u64,
}

/// For how long threads have not been heard of that say each second that they go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// The most silent of those that serve calls.
    pub workers: Duration,
    /// The one that resolves names and follows callers, locks and limits.
    pub background: Duration,
}

impl Vitals {
    /// How far detection is behind; `None` while another node detects, or nobody.
    pub fn detection_lag(&self) -> Option<Duration> {
        let detection = self.detection.as_ref().filter(|all| all.leading)?;
        detection.judged_to.map(|at| self.now.since(at))
    }

    /// How long the oldest event has waited for the ledger; zero if none waits.
    pub fn ledger_lag(&self) -> Duration {
        let since = self.ledger.as_ref().and_then(|ledger| ledger.behind_since);
        since.map_or(Duration::ZERO, |since| self.now.since(since))
    }

    /// Events that the ledger has not taken.
    pub fn ledger_lag_events(&self) -> u64 {
        match (&self.journal, &self.ledger) {
            (Some(journal), Some(ledger)) => journal.next_seq.saturating_sub(ledger.drained_seq),
            _ => 0,
        }
    }
}
