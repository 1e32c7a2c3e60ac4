//! What is told of calls to whoever traces them: which calls, under which ids, and what of a call.
//!
//! - [`CallTrace`] is the place of a call in a trace. Its ids follow from the id of the call, so that a
//!   record and its spans are found from each other.
//! - [`Sampler`] decides which traces that begin here are told.
//! - [`spans`] turns a [`FinishedCall`] into spans, by OpenTelemetry's semantic conventions for HTTP. All
//!   that is in a span comes from fields of the record, which have no room for a credential or a personal
//!   value.
//! - [`Named`] is the name of a figure as OpenTelemetry writes it.

mod name;
mod span;
#[cfg(test)]
mod tests;
mod trace;

pub use name::Named;
pub use span::{Attribute, FinishedCall, Span, SpanKind, spans};
pub use trace::{CallTrace, Sampler};
