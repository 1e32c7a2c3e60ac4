//! Who is calling.

use std::sync::Arc;

use pingora_proxy::Session;

use super::super::Parts;
use crate::adapters::clock;
use crate::domain::identity::{CertifiedCaller, Peer, resolve_caller};
use crate::domain::problem::{self, Problem};
use crate::domain::record::{CallRecord, Caller};

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
    record.caller.address = address;
    let certificate = session
        .digest()
        .and_then(|digest| digest.ssl_digest.as_deref())
        .and_then(|tls| tls.extension.get::<CertifiedCaller>());
    let peer = Peer {
        certificate,
        // No network address: a Unix socket.
        is_local: address.is_none_or(|address| address.ip().is_loopback()),
    };
    let fields = session
        .req_header()
        .headers
        .get_all(http::header::PROXY_AUTHORIZATION)
        .into_iter()
        .map(http::HeaderValue::as_bytes);
    let book = parts.callers.load();
    let local = parts.caller_rules.local.as_ref();
    match resolve_caller(fields, peer, &book, local, clock::now()) {
        Ok(identified) => {
            record.caller = Caller {
                name: Some(Arc::clone(&identified.name)),
                via: identified.via,
                key_id: identified.key_id,
                address,
            };
            Ok(identified.name)
        }
        Err(denial) => {
            // The record says exactly why; the caller learns no more than it must.
            record.reason = Some(denial.code().into());
            Err(if denial.status() == problem::CALLER_UNIDENTIFIED.status {
                problem::CALLER_UNIDENTIFIED
            } else {
                problem::CALLER_REFUSED
            })
        }
    }
}
