//! Where a ledger is.

pub use crate::domain::config::LedgerPlace;
