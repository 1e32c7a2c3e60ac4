//! Decides: pure logic without I/O, clock, randomness, async or logging.

pub mod http;
pub mod tap;
