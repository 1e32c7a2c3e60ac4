//! Calm when the bank is not: what is tried again, when the bank is left alone, how much is in
//! flight.
//!
//! Pure state machines: the time and random numbers are handed in, the edge asks and tells.
//!
//! - [`decide`] says whether a failed attempt may be repeated; nothing that could happen twice is.
//! - [`Backoff`] says after which pause, [`RetryBudget`] whether there is still room for retries.
//! - [`Breaker`] stops asking an endpoint group that fails, and finds out when it is well again.
//! - [`Bulkhead`] bounds the calls in flight, of each caller and of each group.

mod backoff;
mod breaker;
mod bulkhead;
mod retry;

pub use backoff::{Backoff, RetryBudget};
pub use breaker::{Admission, Breaker, BreakerSettings, BreakerState, Change, Pass, Verdict};
pub use bulkhead::{Bulkhead, BulkheadSettings, Crowded};
pub use retry::{Failure, Refusal, Replay, decide};
