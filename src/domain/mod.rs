//! Decides: pure logic without I/O, clock, randomness, async or logging.

pub mod capture;
pub mod catalog;
pub mod config;
pub mod credential;
pub mod detect;
pub mod evidence;
pub mod field_rules;
pub mod health;
pub mod http;
pub mod identity;
pub mod journal;
pub mod keyring;
pub mod observe;
pub mod ocsf;
pub mod own;
pub mod policy;
pub mod problem;
pub mod quota;
pub mod recognise;
pub mod record;
pub mod redact;
pub mod report;
pub mod resilience;
pub mod retention;
pub mod tap;
