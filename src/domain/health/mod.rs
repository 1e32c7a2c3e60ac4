//! How the gateway is: what is measured, what is made of it, and how it is told.
//!
//! - [`Vitals`] is one look at everything that is measured, as plain data.
//! - [`metrics`] is the one table of figures. Each row says how a figure is read from the vitals,
//!   so that whoever exports figures, in whatever format, reads the same ones.
//! - [`CHECKS`] is the one table of what readiness depends on, with what to do about each.
//! - [`Glance`] is what two looks at the figures from outside say, as `egret top` shows it.
//! - [`ClockWatch`] notices a wall clock that went back.
//!
//! A part that has something to tell adds a field to [`Vitals`] and a row to one of the tables; a
//! test then asks for its line in `docs/operations.md`.

mod call_metrics;
mod calls;
mod checks;
mod clock;
mod glance;
mod group_metrics;
mod histogram;
mod history;
mod metric;
mod metrics;
pub mod prometheus;
mod redactions;
mod report;
mod scrape;
mod side_metrics;
mod vitals;

#[cfg(test)]
mod tests;

pub use calls::{
    CallPlace, CallSeries, CallVitals, ClientSeries, CredentialSeries, DenialSeries, MaybePlace,
    MintSeries, PlaceVitals, ResendSeries, ServerSeries,
};
pub use checks::{Bounds, CHECKS, Check, Verdict, failing};
pub use clock::{ClockWatch, EARLIEST, MAX_BEHIND};
pub use glance::{BankGlance, BudgetGlance, Glance, GroupGlance, RecordGlance};
pub use histogram::{
    COMMIT_BOUNDS, Exemplar, HTTP_BOUNDS, Histogram, LATENCY_BUCKETS, Latency, bucket_of,
    latency_bucket,
};
pub use history::{History, Span, Traffic};
pub use metric::{Label, Metric, MetricKind, Sample, Value};
pub use metrics::metrics;
pub use redactions::{KeptFrom, RecordValue, RedactionSeries};
pub use report::{Probe, Report};
pub use scrape::{Figure, MAX_TEXT, Scrape, ScrapeFault};
pub use vitals::{
    BudgetVitals, CaptureVitals, CertificateUse, CertificateVitals, CoalescerVitals,
    DetectionVitals, EvidenceVitals, GroupVitals, JournalVitals, LedgerVitals, Listening,
    ReloadVitals, SignalVitals, Silence, Stage, TelemetryVitals, Vitals,
};
