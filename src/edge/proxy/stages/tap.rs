//! Watches bodies as they pass.

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::super::exchange::Route;
use super::super::{Exchange, Parts};
use crate::adapters::clock;
use crate::domain::observe::{Observer, Plan};

/// Most bytes that a compressed body may unfold to before the tap stops looking: far more than
/// any error body or token answer, far less than a decompression bomb.
const MAX_UNFOLDED: u64 = 4 * 1024 * 1024;

/// Unfolded at a time.
const UNFOLD_PIECE: usize = 4096;

/// Watches an answer's body, through gzip if need be.
pub struct ResponseTap {
    pub(in super::super) observer: Observer,
    unfold: Option<Box<Decompress>>,
}

/// Prepares to watch the request's body, if the operation has something to look for there.
pub fn expect_request_body(
    parts: &Parts,
    session: &Session,
    exchange: &mut Exchange,
    route: &Route,
) {
    let Some(plans) = &route.plans else {
        return;
    };
    let headers = &session.req_header().headers;
    if headers.contains_key(http::header::CONTENT_ENCODING) {
        return;
    }
    let content_type = headers
        .get(http::header::CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes);
    let plan = plans.for_request(content_type);
    exchange.request = plan.map(|plan| Observer::new(plan, &parts.keyring));
}

/// The next piece of the request's body.
pub fn request_body(exchange: &mut Exchange, piece: Option<&[u8]>) {
    if let (Some(observer), Some(piece)) = (&mut exchange.request, piece) {
        observer.feed(piece);
    }
}

/// The answer's header has come: notes it and prepares to watch the body.
pub fn response_head(parts: &Parts, response: &ResponseHeader, exchange: &mut Exchange) {
    let status = response.status.as_u16();
    if status < 200 {
        return;
    }
    exchange.bank_status = Some(status);
    let now = clock::now();
    exchange.note(|record| record.times.first_byte_at = Some(now));
    let Some(plan) = plan_for(exchange, status) else {
        return;
    };
    let content_type = response
        .headers
        .get(http::header::CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes);
    if !plan.reads(content_type) {
        return;
    }
    let unfold = match response.headers.get(http::header::CONTENT_ENCODING) {
        None => None,
        Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"identity") => None,
        Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"gzip") => {
            // 15 bits of window: the largest that gzip allows (RFC 1952 with RFC 1951).
            Some(Box::new(Decompress::new_gzip(15)))
        }
        // An encoding that was not asked for.
        Some(_) => return,
    };
    exchange.response = Some(ResponseTap {
        observer: Observer::new(&plan, &parts.keyring),
        unfold,
    });
}

fn plan_for(exchange: &Exchange, status: u16) -> Option<Arc<Plan>> {
    let route = exchange.route.as_ref()?;
    if status >= 400 {
        route.destination.provider.plans.error().cloned()
    } else {
        route.plans.as_ref()?.response.clone()
    }
}

/// The next piece of the answer's body.
pub fn response_body(exchange: &mut Exchange, piece: Option<&[u8]>) {
    if let (Some(tap), Some(piece)) = (&mut exchange.response, piece) {
        tap.feed(piece);
    }
}

impl ResponseTap {
    fn feed(&mut self, mut piece: &[u8]) {
        let Some(unfold) = &mut self.unfold else {
            self.observer.feed(piece);
            return;
        };
        let mut out = [0; UNFOLD_PIECE];
        loop {
            let (read, written) = (unfold.total_in(), unfold.total_out());
            if written > MAX_UNFOLDED {
                return;
            }
            let status = unfold.decompress(piece, &mut out, FlushDecompress::None);
            let advanced = usize::try_from(unfold.total_in() - read).unwrap_or(usize::MAX);
            let produced = usize::try_from(unfold.total_out() - written).unwrap_or(0);
            self.observer.feed(out.get(..produced).unwrap_or_default());
            piece = piece.get(advanced..).unwrap_or_default();
            match status {
                Ok(Status::Ok) if produced > 0 || advanced > 0 => {}
                // The end, a fault, or more input needed.
                _ => return,
            }
        }
    }
}
