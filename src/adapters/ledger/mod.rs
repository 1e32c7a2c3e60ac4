//! The audit ledger in SQLite: one row per call, written in batches by one thread, read through
//! separate read-only connections.
//!
//! - [`schema`] opens a ledger, brings it to the current schema, and refuses files that are not one.
//! - [`feed`] takes records from the journal and sees to it that each is written exactly once.
//! - [`store`] writes a batch, what calls have in common into dictionaries; [`detail`] makes JSON of
//!   a record.
//! - [`compare`] reads rows as digests, for audits.
//! - [`filter`] says which calls are meant, [`query`] and [`stats`] read them, [`row`] names the
//!   fields of a row.
//!
//! Nothing here updates or deletes a row of a call.

pub mod compare;
pub mod detail;
pub mod feed;
pub mod filter;
mod json;
pub mod query;
pub mod row;
pub mod schema;
pub mod stats;
pub mod store;

#[cfg(test)]
pub(crate) mod samples;

pub use feed::{FeedStats, LedgerFeed, RecordStore, Undrained, drain_all};
pub use filter::{Filter, IdPrefix, StatusFilter};
pub use query::{Found, Lineage, Order, Page, Reader, Shown};
pub use row::{CallRow, Value};
pub use schema::LedgerError;
pub use stats::Stats;
pub use store::SqliteStore;
