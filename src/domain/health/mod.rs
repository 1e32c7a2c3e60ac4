//! How the gateway is: what is measured, what is made of it, and how it is told.
//!
//! - [`Vitals`] is one look at everything that is measured, as plain data.
//! - [`METRICS`] is the one table of figures. Each row says how a figure is read from the vitals,
//!   so that whoever exports figures, in whatever format, reads the same ones.
//! - [`CHECKS`] is the one table of what readiness depends on, with what to do about each.
//! - [`ClockWatch`] notices a wall clock that went back.
//!
//! A part that has something to tell adds a field to [`Vitals`] and a row to one of the tables; a
//! test then asks for its line in `docs/operations.md`.

mod checks;
mod clock;
mod metrics;
pub mod prometheus;
mod report;
mod vitals;

#[cfg(test)]
mod tests;

pub use checks::{Bounds, CHECKS, Check, Verdict, failing};
pub use clock::{ClockWatch, EARLIEST, MAX_BEHIND};
pub use metrics::{METRICS, Metric, MetricKind, Sample, Value};
pub use report::{Probe, Report};
pub use vitals::{
    BudgetVitals, CoalescerVitals, EvidenceVitals, GroupVitals, JournalVitals, LedgerVitals,
    Listening, Silence, Stage, Vitals,
};
