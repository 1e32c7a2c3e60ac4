//! Replaces the bank's error bodies where the configuration says `error_bodies = "map"`.
//!
//! The caller gets the bank's status and a problem with the bank's listed code; what else the body
//! says (it quotes account numbers, names, tokens) stays here. The header goes out first, so its
//! framing is changed before the body is known; the new body is sent once the bank's has been read
//! to its end, or as far as [`MAX_READ`].

use bytes::Bytes;
use pingora_error::Result;
use pingora_http::ResponseHeader;

use super::super::Exchange;
use crate::domain::config::ErrorBodies;
use crate::domain::problem::{self, MEDIA_TYPE};
use crate::domain::record::SubjectRole;

/// Most bytes of an error body that are read for its code, in bytes as they come. Error bodies of
/// the vendors are below 2 KB; pages of infrastructure have no code.
const MAX_READ: usize = 64 * 1024;

/// Fields that describe the bank's body and not ours.
const OF_THE_BODY: &[&str] = &[
    "content-length",
    "content-encoding",
    "content-language",
    "content-location",
    "content-disposition",
    "content-range",
    "content-md5",
    "content-digest",
    "repr-digest",
    "digest",
    "etag",
    "last-modified",
    "trailer",
];

/// An error body that is being replaced.
pub struct MappedError {
    status: u16,
    read: usize,
    answered: bool,
}

/// The header of an answer has come: changes it if its body is to be replaced.
pub fn head(response: &mut ResponseHeader, exchange: &mut Exchange) -> Result<()> {
    let status = response.status.as_u16();
    let is_mapped = exchange
        .route
        .as_ref()
        .is_some_and(|route| route.destination.error_bodies == ErrorBodies::Map);
    let is_empty = response
        .headers
        .get(http::header::CONTENT_LENGTH)
        .is_some_and(|length| length.as_bytes() == b"0");
    if !is_mapped || status < 400 || is_empty {
        return Ok(());
    }
    for name in OF_THE_BODY {
        response.remove_header(*name);
    }
    response.insert_header(http::header::CONTENT_TYPE, MEDIA_TYPE)?;
    exchange.mapped = Some(MappedError {
        status,
        read: 0,
        answered: false,
    });
    Ok(())
}

/// The next piece of the bank's body, which the tap has seen: nothing of it goes on. Gives way to
/// our body when enough was read.
pub fn body(exchange: &mut Exchange, body: &mut Option<Bytes>, end: bool) {
    let Some(mapped) = &mut exchange.mapped else {
        return;
    };
    mapped.read = mapped
        .read
        .saturating_add(body.as_ref().map_or(0, Bytes::len));
    let is_enough = end || mapped.read >= MAX_READ;
    *body = if is_enough { answer(exchange) } else { None };
}

/// Our body, if it has not been sent yet: for a body that ends with trailers.
pub fn answer(exchange: &mut Exchange) -> Option<Bytes> {
    let mapped = exchange.mapped.as_mut()?;
    if std::mem::replace(&mut mapped.answered, true) {
        return None;
    }
    let status = mapped.status;
    let call_id = exchange.call_id();
    if let Some(tap) = exchange.response.take() {
        exchange.note(|record| {
            tap.observer.finish(true, SubjectRole::Response, record);
        });
    }
    let record = exchange.record.as_ref().and_then(|open| open.get());
    let code = record.and_then(|record| record.error_code.as_deref());
    Some(problem::upstream_error(status, code, call_id).into())
}
