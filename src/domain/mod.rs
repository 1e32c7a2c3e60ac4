//! Decides: pure logic without I/O, clock, randomness, async or logging.

pub mod config;
pub mod identity;
pub mod record;
