//! The audit ledger: one row per call, written in batches by one thread, read through separate
//! read-only connections.
//!
//! - [`place`] says where a ledger is, [`store`] and [`query::Reader`] write and read it whichever
//!   database it is in; [`sqlite`] is what each of them does in its own way.
//! - [`feed`] takes records from the journal and sees to it that each is written exactly once.
//! - [`detail`] makes JSON of a record.
//! - [`filter`] says which calls are meant, [`query`] and [`stats`] read them, [`row`] names the
//!   fields of a row.
//!
//! Nothing here updates or deletes a row of a call.

pub mod detail;
mod error;
pub mod feed;
pub mod filter;
mod json;
pub mod place;
pub mod query;
pub mod row;
mod sql;
pub mod sqlite;
pub mod stats;
pub mod store;

#[cfg(test)]
pub(crate) mod samples;

pub use error::LedgerError;
pub use feed::{FeedStats, LedgerFeed, RecordStore, Undrained, drain_all};
pub use filter::{Filter, IdPrefix, StatusFilter};
pub use place::LedgerPlace;
pub use query::{Found, Lineage, Order, Page, Reader, Shown};
pub use row::{CallRow, Value};
pub use sqlite::SqliteStore;
pub use stats::Stats;
pub use store::Store;
