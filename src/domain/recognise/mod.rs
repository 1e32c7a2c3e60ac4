//! Says what a request is: whose, which service, which operation, which credential, and what of all that
//! a record may keep.
//!
//! The proxy's stages and `egret classify` call the same functions, so that the command tells
//! what the gateway does. Nothing here knows of connections; bodies are `domain::observe`'s.

mod caller;
mod credential;
mod known;
mod operation;
mod place;
#[cfg(test)]
mod tests;

pub use caller::{Callers, caller};
pub use credential::credential;
pub use known::KnownTokens;
pub use operation::{Asked, Served, operation};
pub use place::{Place, locate};

use crate::domain::catalog::{self, Service};
use crate::domain::http::{EncodedSlash, Refusal, Target, TraceParent};
use crate::types::TraceId;

/// The standard methods.
pub const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT",
];

/// The standard methods by name; anything else is recorded as `other`, since a method is text of
/// the caller's.
pub fn method(name: &str) -> &'static str {
    METHODS
        .iter()
        .find(|known| **known == name)
        .copied()
        .unwrap_or("other")
}

/// The trace that the caller's request belongs to, from the value of its `traceparent`.
pub fn trace(traceparent: &[u8]) -> Option<TraceId> {
    Some(TraceParent::parse(traceparent)?.trace_id())
}

/// Checks the request target, as far as that can be done before the service is known.
///
/// # Errors
/// Why the request is not passed on.
pub fn target<'a>(method: &str, raw: &'a [u8]) -> Result<Target<'a>, Refusal> {
    if method == "CONNECT" {
        return Err(Refusal::Connect);
    }
    Target::parse(raw, EncodedSlash::Allow)
}

/// Checks what only the service can tell: whether its paths may hold encoded slashes.
///
/// # Errors
/// Why the request is not passed on.
pub fn check_slashes(service: Option<&Service>, target: &Target<'_>) -> Result<(), Refusal> {
    let allowed =
        service.is_some_and(|service| service.encoded_slash == catalog::EncodedSlash::Allow);
    if !allowed && target.path().contains('%') {
        Target::parse(target.as_str().as_bytes(), EncodedSlash::Refuse)?;
    }
    Ok(())
}
