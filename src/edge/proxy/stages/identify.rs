//! Who is calling.

use std::sync::Arc;

use pingora_proxy::Session;

use super::super::Parts;
use crate::domain::identity::{CertifiedCaller, Peer};
use crate::domain::problem::Problem;
use crate::domain::recognise::{self, Callers};
use crate::domain::record::CallRecord;

/// Identifies the caller and notes it in the record.
pub fn caller(
    parts: &Parts,
    session: &Session,
    record: &mut CallRecord,
) -> Result<Arc<str>, Problem> {
    let address = session
        .client_addr()
        .and_then(|peer| peer.as_inet())
        .copied();
    let certificate = session
        .digest()
        .and_then(|digest| digest.ssl_digest.as_deref())
        .and_then(|tls| tls.extension.get::<CertifiedCaller>());
    let peer = Peer {
        certificate,
        // No network address: a Unix socket.
        is_local: address.is_none_or(|address| address.ip().is_loopback()),
    };
    let keys = session
        .req_header()
        .headers
        .get_all(http::header::PROXY_AUTHORIZATION)
        .into_iter()
        .map(http::HeaderValue::as_bytes);
    let callers = Callers {
        book: &parts.callers.load(),
        local: parts.caller_rules.local.as_ref(),
        now: record.times.received_at,
    };
    recognise::caller(&callers, keys, peer, address, record)
}
