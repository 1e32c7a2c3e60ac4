//! Lockdown: calls that an operator, or a detector on the operator's behalf, has forbidden for a
//! time.
//!
//! A lock names what is locked: a caller, a token, an operation, a provider, or everything. It
//! holds until its time is over or somebody lifts it. Lifting removes it from the book; who placed
//! and who lifted it stays on record in the ledger.

mod book;
mod file;
mod in_force;
mod target;
mod throttle;

pub use book::{Attempt, Lock, LockBook, LockError, MAX_LOCKS};
pub use file::{parse_locks, write_locks};
pub use in_force::{Forbidden, InForce};
pub use target::{LockTarget, MAX_PER_MINUTE, TargetError};
pub use throttle::Throttles;
