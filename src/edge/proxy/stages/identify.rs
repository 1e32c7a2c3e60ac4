//! Who is calling.

use pingora_core::protocols::tls::SslDigest;
use pingora_proxy::Session;

use super::super::{Exchange, Parts};
use crate::adapters::clock;
use crate::domain::identity::{self, CertificateIdentity, Evidence};
use crate::domain::problem::{self, Problem};
use crate::domain::record::{CallRecord, Caller};
use std::sync::Arc;

/// Identifies the caller and notes it in the record.
pub fn caller(
    parts: &Parts,
    session: &Session,
    _exchange: &Exchange,
    record: &mut CallRecord,
) -> Result<Arc<str>, Problem> {
    let address = session.client_addr().and_then(|peer| peer.as_inet()).copied();
    record.caller.address = address;
    let certificate = session
        .digest()
        .and_then(|digest| digest.ssl_digest.as_deref())
        .and_then(|tls: &SslDigest| tls.extension.get::<CertificateIdentity>());
    let evidence = Evidence {
        certificate,
        proxy_authorization: session
            .get_header(http::header::PROXY_AUTHORIZATION)
            .map(http::HeaderValue::as_bytes),
        // No network address: a Unix socket.
        is_local: address.is_none_or(|address| address.ip().is_loopback()),
    };
    let book = parts.callers.load();
    match identity::resolve_caller(&evidence, &book, &parts.caller_rules, clock::now()) {
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
            let problem = if denial.status() == 407 {
                problem::CALLER_UNIDENTIFIED
            } else {
                problem::CALLER_REFUSED
            };
            Err(problem)
        }
    }
}
