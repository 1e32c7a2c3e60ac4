//! The audit ledger in SQLite: one row per call, written in batches by one thread, read through
//! separate read-only connections.
//!
//! - [`schema`] opens a ledger, brings it to the current schema, and refuses files that are not one.
//! - [`recorder`] takes records from the proxy and sees to it that each is written exactly once.
//! - [`store`] writes a batch; [`detail`] makes the JSON part of a row.
//!
//! Nothing here updates or deletes a row.

pub mod detail;
pub mod recorder;
pub mod schema;
pub mod store;

#[cfg(test)]
pub(crate) mod samples;

pub use recorder::{LedgerRecorder, RecordStore, RecorderSettings, RecorderStats, Unwritten};
pub use schema::LedgerError;
pub use store::SqliteStore;
