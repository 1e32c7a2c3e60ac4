//! Talks: everything that touches the clock, randomness, files, databases and the log.

pub mod capture;
pub mod certificates;
pub mod clock;
pub mod coalesce;
pub mod detection_file;
pub mod entropy;
pub mod evidence;
pub mod figures;
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
pub mod oidc;
pub mod priority;
pub mod private_file;
pub mod seen_files;
pub mod signing_key;
pub mod telemetry;
