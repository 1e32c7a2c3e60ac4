//! Which credential the request carries.

use pingora_http::RequestHeader;
use smallvec::SmallVec;

use super::super::Generation;
use super::super::fields::Fields;
use super::super::routes::Destination;
use crate::domain::credential::RequestView;
use crate::domain::http::Target;
use crate::domain::record::CallRecord;
use crate::types::TokenType;

/// The request at its provider.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its head.
    pub request: &'a RequestHeader,
    /// The path without the gateway's prefix.
    pub path: &'a str,
    /// The whole target.
    pub target: &'a Target<'a>,
}

/// Classifies the credential and notes it in the record; gives every kind that is present.
pub fn credential(
    parts: &Generation,
    destination: &Destination,
    asked: Asked<'_>,
    record: &mut CallRecord,
) -> SmallVec<[TokenType; 2]> {
    let view = RequestView {
        method: asked.request.method.as_str(),
        path: asked.path,
        query: asked.target.query(),
        headers: &Fields(asked.request),
        client_certificate: false,
    };
    let provider = &destination.provider.catalog;
    let now = record.times.received_at;
    parts
        .known_tokens
        .lock()
        .credential(provider, &view, &parts.keyring, now, record)
}
