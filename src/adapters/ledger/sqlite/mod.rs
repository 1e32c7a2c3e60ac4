//! The ledger in a SQLite file: the embedded default.

pub mod schema;
pub mod store;
pub mod traces;

pub use store::SqliteStore;
