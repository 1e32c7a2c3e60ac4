//! Talks: everything that touches a file, a database, the network, the clock or randomness.

pub mod ledger;
