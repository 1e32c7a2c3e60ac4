//! The way to the bank.

use std::borrow::Cow;

use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;

use super::super::Exchange;
use crate::adapters::clock;
use crate::domain::problem::{self, Problem};

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
