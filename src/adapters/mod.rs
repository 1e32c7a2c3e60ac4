//! Talks: everything that touches the clock, randomness, files, databases and the log.

pub mod callers_file;
pub mod capture;
pub mod clock;
pub mod entropy;
pub mod evidence;
pub mod http_client;
pub mod journal;
pub mod key_file;
pub mod ledger;
pub mod log;
pub mod machine;
pub mod notify;
pub mod signing_key;
