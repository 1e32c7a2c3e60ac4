//! Calm when the bank is not: what is tried again, when the bank is left alone, how much is in
//! flight.
//!
//! Pure state machines: the time and random numbers are handed in, the edge asks and tells.
//!
//! - [`decide`] says whether a failed attempt may be repeated; nothing that could happen twice is.
//! - [`Backoff`] says after which pause, [`RetryBudget`] whether there is still room for retries.
//! - [`Symptoms`] say what an answer tells of the bank's health.
//! - [`Breaker`] stops asking an endpoint group that fails, and finds out when it is well again.
//! - [`Bulkhead`] bounds the calls in flight, of each caller and of each group.

mod adaptive;
mod backoff;
mod breaker;
mod bulkhead;
mod retry;
mod settings;
mod verdict;

pub use adaptive::AdaptiveLimit;
pub use backoff::{Backoff, RetryAllowance, RetryBudget};
pub use breaker::{Admission, Breaker, BreakerSettings, BreakerState, Change, Pass, Verdict};
pub use bulkhead::{Bulkhead, BulkheadSettings, Crowd, Entry, Ticket};
pub use retry::{
    Failure, MAX_REPLAY_BYTES, Refusal, Replay, RetrySettings, changes_nothing, decide,
};
pub use settings::Resilience;
pub use verdict::{Answered, Symptoms, judge_failure};
