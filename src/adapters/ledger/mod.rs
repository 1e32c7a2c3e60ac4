//! The audit ledger: one row per call, written in batches by one thread, read through separate
//! read-only connections.
//!
//! - [`place`] says where a ledger is, [`store`] and [`query::Reader`] write and read it whichever
//!   database it is in; [`sqlite`] and [`postgres`] are what each does in its own way.
//! - [`feed`] takes records from the journal and sees to it that each is written exactly once.
//! - `entries` writes what calls have in common once, into dictionaries; [`detail`] makes JSON of
//!   a record.
//! - [`compare`] reads rows as digests, for audits.
//! - [`filter`] says which calls are meant, [`question`] how people say that, [`query`], [`stats`] and
//!   [`tally`] read them, [`row`] names the fields of a row; [`events`] reads them for detection, in the order of writing.
//!
//! - [`retention`] takes a subject out, and what is too old and not under legal hold ([`hold`]).
//!
//! Nothing else here updates or deletes a row of a call; triggers of the schema see to it.

pub mod book;
pub mod compare;
pub mod detail;
mod entries;
mod error;
pub mod events;
pub mod feed;
pub mod filter;
mod gather;
pub mod hold;
mod json;
pub mod locks;
pub mod mints;
pub mod place;
pub mod postgres;
pub mod query;
pub mod question;
pub mod retention;
pub mod row;
mod sql;
pub mod sqlite;
pub mod stats;
pub mod store;
pub mod tally;
pub mod watch;

#[cfg(test)]
pub(crate) mod samples;

pub use book::SharedIncidents;
pub use error::LedgerError;
pub use events::EventRow;
pub use feed::{FeedStats, LedgerFeed, RecordStore, Undrained, drain_all};
pub use filter::{Filter, IdPrefix, StatusFilter};
pub use locks::SharedLocks;
pub use mints::{Minted, Steps};
pub use place::LedgerPlace;
pub use postgres::{PostgresStore, ReadingsStore};
pub use query::{Found, Lineage, Number, Order, Page, Reader, Shown, Written};
pub use question::{CUSTOMER, Question, QuestionFault, RawSubject};
pub use row::{CallRow, Value};
pub use sqlite::SqliteStore;
pub use stats::Stats;
pub use store::Store;
pub use watch::SharedWatch;
