//! The ledger in a SQLite file: the embedded default.

pub mod schema;
pub mod store;

pub use store::SqliteStore;
