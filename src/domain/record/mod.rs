//! The audit record of one call, and the seam through which the proxy hands it over.
//!
//! The proxy fills a [`CallRecord`] and knows nothing of files or SQL; a [`Recorder`] takes it and
//! knows nothing of HTTP. Every value in a record has been allow-listed, shape-checked or keyed
//! before it gets here: the types have no place for a raw header, URL or body.

mod attempt;
mod facts;
mod loss;
mod outcome;
mod seam;

pub use attempt::{ATTEMPT, Attempt, AttemptEnd};
pub use facts::{
    CallRecord, Caller, CallerVia, Credential, Fact, Fingerprint, Gateway, Mint, PiiSet, Pseudonym,
    Subject, SubjectRole, Target, Times, Traffic,
};
pub use loss::{LossPolicies, LossPolicy, OperationClass, Wait};
pub use outcome::{Answer, judge};
pub use seam::{NotRecorded, OpenRecord, Recorder, Step, Ticket};
