//! Decides: pure logic without I/O, clock, randomness, async or logging.

pub mod redact;
