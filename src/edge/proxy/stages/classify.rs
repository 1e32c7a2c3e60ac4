//! Which credential the request carries.

use pingora_http::RequestHeader;
use smallvec::SmallVec;

use super::super::Parts;
use super::super::fields::Fields;
use super::super::routes::Destination;
use crate::domain::credential::RequestView;
use crate::domain::http::Target;
use crate::domain::recognise;
use crate::domain::record::CallRecord;
use crate::types::TokenType;

/// Classifies the credential and notes it in the record; gives every kind that is present.
pub fn credential(
    parts: &Parts,
    destination: &Destination,
    request: &RequestHeader,
    path: &str,
    target: &Target<'_>,
    record: &mut CallRecord,
) -> SmallVec<[TokenType; 2]> {
    let view = RequestView {
        method: request.method.as_str(),
        path,
        query: target.query(),
        headers: &Fields(request),
        client_certificate: false,
    };
    recognise::credential(&destination.provider.catalog, &view, &parts.keyring, record)
}
