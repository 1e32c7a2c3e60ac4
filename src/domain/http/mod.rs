//! What the gateway demands of a request before anyone else reads it, and the parts of HTTP that
//! a proxy has to understand itself: framing, the target, hop-by-hop fields, trace context and
//! the query.
//!
//! Everything here is stricter than it has to be to read a request: the gateway and the bank must
//! never disagree about where a request ends or which path it names, because the record describes
//! what the gateway understood.

pub mod head;
pub mod headers;
pub mod query;
pub mod refusal;
pub mod retry_after;
pub mod target;
pub mod traceparent;

pub use head::{
    BodyFraming, HeadLimits, HeadScanner, HeadSummary, HttpVersion, Progress, is_token_byte,
};
pub use headers::{FieldRole, nominated, role as field_role};
pub use query::{ParameterRule, count_masked, parameters, redact_query};
pub use refusal::Refusal;
pub use retry_after::retry_after;
pub use target::{EncodedSlash, Target};
pub use traceparent::TraceParent;
