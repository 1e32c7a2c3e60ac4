//! Hands what passes to the capture, where the configuration asks for one.
//!
//! Here raw bytes are copied into a bounded buffer and nothing else: redaction and encryption are
//! the work of a thread of its own.

use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::super::exchange::Route;
use super::super::{Exchange, Parts};
use crate::adapters::capture::Capturing;
use crate::domain::capture::RawHead;

/// Begins to capture the call, if a rule says so.
pub fn begin(
    parts: &Parts,
    session: &Session,
    exchange: &Exchange,
    route: &Route,
) -> Option<Capturing> {
    let provider = &route.destination.provider.catalog.id;
    let operation = route.operation.as_ref().map(|operation| &operation.id);
    let mut capturing = parts
        .captures
        .as_ref()?
        .begin(exchange.call_id(), provider, operation)?;
    let request = session.req_header();
    let mut head = RawHead::request(request.method.as_str(), request.raw_path());
    for (name, value) in &request.headers {
        head.field(name.as_str(), value.as_bytes());
    }
    capturing.request_head(head);
    Some(capturing)
}

/// The next piece of the request's body.
pub fn request_body(exchange: &mut Exchange, piece: Option<&[u8]>, end: bool) {
    if let Some(capturing) = &mut exchange.capture {
        capturing.request_body(piece.unwrap_or_default(), end);
    }
}

/// The bank's header, as it came.
pub fn response_head(exchange: &mut Exchange, response: &ResponseHeader) {
    let status = response.status.as_u16();
    if let Some(capturing) = exchange.capture.as_mut().filter(|_| status >= 200) {
        let mut head = RawHead::response(status);
        for (name, value) in &response.headers {
            head.field(name.as_str(), value.as_bytes());
        }
        capturing.response_head(head);
    }
}

/// The next piece of the bank's body.
pub fn response_body(exchange: &mut Exchange, piece: Option<&[u8]>, end: bool) {
    if let Some(capturing) = &mut exchange.capture {
        capturing.response_body(piece.unwrap_or_default(), end);
    }
}

/// The call is over.
pub fn end(exchange: &mut Exchange) {
    if let Some(capturing) = exchange.capture.take() {
        capturing.finish();
    }
}
