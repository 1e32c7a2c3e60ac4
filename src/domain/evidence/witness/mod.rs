//! A witness: somebody else who cosigns a log's checkpoints after checking that each continues
//! the last one (<https://c2sp.org/tlog-witness>). With a cosignature, the log can no longer show
//! different histories to different people.
//!
//! [`decide`] is the whole judgement. It keeps nothing: the caller stores [`Accepted::seen`]
//! durably, and only then answers. Checking and storing must be one step per log (a lock or a
//! compare-and-set on the size), else a slow request could roll the state back.

mod answer;
mod decide;
mod request;

pub use answer::{AnswerError, MAX_ANSWER_BYTES, add_cosignature, conflict_size};
pub use decide::{Accepted, Refusal, Seen, WitnessedLog, decide};
pub use request::{AddCheckpoint, MAX_REQUEST_BYTES, RequestError};
