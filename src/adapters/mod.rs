//! Talks: everything that touches the clock, randomness, files, databases and the log.

pub mod capture;
pub mod clock;
pub mod coalesce;
pub mod control;
pub mod entropy;
pub mod evidence;
pub mod handover;
pub mod hardening;
pub mod http_client;
pub mod journal;
pub mod kept_file;
pub mod key_file;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod machine;
pub mod network_map;
pub mod notify;
pub mod priority;
pub mod pulse;
pub mod reach;
pub mod service_manager;
pub mod signing_key;
