//! The way to the bank.

use std::borrow::Cow;

use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::Session;

use super::super::Exchange;
use crate::adapters::clock;
use crate::domain::problem::{self, Problem};
use crate::types::Effect;

/// Chooses the address for the next attempt.
pub fn choose_peer(exchange: &mut Exchange) -> Result<Box<HttpPeer>, Problem> {
    let remaining = exchange.remaining();
    // No route, no permit: such an exchange was answered before and cannot get here.
    let route = exchange.route.as_ref().ok_or(problem::INTERNAL)?;
    if remaining.is_zero() {
        return Err(problem::UPSTREAM_CONNECT_TIMEOUT);
    }
    let server = &route.destination.server;
    let turn = exchange
        .turn
        .map_or_else(|| server.turn(), |turn| turn.wrapping_add(1));
    let peer = server
        .peer(&route.permit, turn, remaining)
        .ok_or(problem::UPSTREAM_UNRESOLVED)?;
    exchange.turn = Some(turn);
    exchange.tries += 1;
    exchange.note(|record| record.traffic.attempts += 1);
    Ok(peer)
}

/// Notes the connection.
pub fn connected(exchange: &mut Exchange, peer: &HttpPeer, digest: Option<&Digest>) {
    let address = peer._address.as_inet().copied();
    let version = digest
        .and_then(|digest| digest.ssl_digest.as_deref())
        .map(|tls| match &*tls.version {
            "TLSv1_3" | "TLSv1.3" => "TLSv1.3",
            "TLSv1_2" | "TLSv1.2" => "TLSv1.2",
            _ => "other",
        });
    exchange.note(|record| {
        record.traffic.upstream = address;
        record.traffic.tls_version = version.map(Cow::Borrowed);
    });
}

/// From here on the bank may have seen the call.
pub fn about_to_send(exchange: &mut Exchange) {
    exchange.sent = true;
    let now = clock::now();
    exchange.note(|record| record.times.forwarded_at = Some(now));
}

/// Whether to try another address of the server after one could not be connected to. Nothing was
/// sent, so this is safe for every call.
pub fn may_try_another(exchange: &Exchange) -> bool {
    let addresses = exchange
        .route
        .as_ref()
        .map_or(0, |route| route.destination.server.tries());
    !exchange.sent && exchange.tries < addresses && !exchange.is_late()
}

/// Whether a broken connection may be tried again on a new one: only reads that the catalog
/// knows, with a method that is safe by itself (RFC 9110, section 9.2.1), and only if their body
/// is still at hand. A kept-alive connection that breaks after a write has been sent leaves the
/// outcome unknown; sending it again could do it twice.
pub fn may_retry(session: &Session, exchange: &Exchange) -> bool {
    let is_read = exchange
        .route
        .as_ref()
        .and_then(|route| route.operation.as_ref())
        .is_some_and(|operation| operation.effect == Effect::Read);
    // An answer that could not be recorded is not asked for again.
    exchange.problem.is_none()
        && is_read
        && session.req_header().method.is_safe()
        && !session.as_ref().retry_buffer_truncated()
}
