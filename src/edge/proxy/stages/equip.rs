//! Makes the request that the bank gets out of the one that the caller sent.

use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use smallvec::SmallVec;

use super::super::Exchange;
use crate::domain::credential::canonical_case;
use crate::domain::http::{FieldRole, field_role, nominated};
use crate::types::CredentialScheme;

/// Header by which applications find the record of a call.
pub const CALL_ID: &str = "Egret-Call-Id";

/// Prefix of headers between a caller and the gateway; they do not go on.
pub const OWN_PREFIX: &str = "egret-";

/// Rewrites the request header in place.
pub fn prepare(
    session: &Session,
    request: &mut RequestHeader,
    exchange: &mut Exchange,
) -> Result<()> {
    let Some(route) = &exchange.route else {
        return Error::e_explain(ErrorType::InternalError, "no route");
    };
    let destination = &route.destination;
    request.set_raw_path(&route.target)?;
    request.insert_header(http::header::HOST, destination.server.authority())?;
    remove_nominated(session.req_header(), request);
    remove_what_stays(request);
    if destination.provider.forward_caller_address
        && let Some(address) = session.client_addr().and_then(|peer| peer.as_inet())
    {
        request.insert_header("X-Forwarded-For", address.ip().to_string())?;
    }
    let is_mint = route
        .plans
        .as_ref()
        .and_then(|plans| plans.response.as_ref())
        .is_some_and(|plan| plan.mints());
    limit_encodings(request, is_mint)?;
    if exchange.case_lost {
        restore_case(request, destination.provider.catalog.scheme)?;
    }
    let number = u32::try_from(exchange.tries).unwrap_or(u32::MAX);
    let trace = exchange.trace.attempt(number);
    request.insert_header("traceparent", trace.encode().as_slice())?;
    if exchange.trace.parent_id().is_none() {
        // It belongs to a `traceparent` that there was not, or that was none.
        request.remove_header("tracestate");
    }
    Ok(())
}

/// Removes the fields that the caller's `Connection` nominates, but none that makes the request
/// what the record says it is.
fn remove_nominated(received: &RequestHeader, request: &mut RequestHeader) {
    for value in received.headers.get_all(http::header::CONNECTION) {
        let Ok(value) = value.to_str() else {
            continue;
        };
        for name in nominated(value) {
            request.remove_header(name);
        }
    }
}

/// Removes hop-by-hop fields that Pingora leaves, the caller's credential for the gateway,
/// addresses of callers, attempts to pass for another request, and our own headers.
fn remove_what_stays(request: &mut RequestHeader) {
    let staying: SmallVec<[http::HeaderName; 4]> = request
        .headers
        .keys()
        .filter(|name| {
            name.as_str().starts_with(OWN_PREFIX)
                || match field_role(name.as_str()) {
                    FieldRole::EndToEnd => false,
                    FieldRole::CallerAddress | FieldRole::Override => true,
                    // Framing fields are Pingora's business; the rest is for the gateway.
                    FieldRole::HopByHop => {
                        **name != http::header::TRANSFER_ENCODING
                            && **name != http::header::CONNECTION
                    }
                }
        })
        .cloned()
        .collect();
    for name in staying {
        request.remove_header(&name);
    }
}

/// Lets the bank use only encodings that the gateway can read through, and none where a token
/// is to be fingerprinted.
fn limit_encodings(request: &mut RequestHeader, is_mint: bool) -> Result<()> {
    let Some(accepted) = request.headers.get(http::header::ACCEPT_ENCODING) else {
        return Ok(());
    };
    let accepts_gzip = accepted.to_str().is_ok_and(|value| {
        value.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|weight| weight.eq_ignore_ascii_case("q=0"));
            !refused && (name.eq_ignore_ascii_case("gzip") || name == "*")
        })
    });
    let encodings = if accepts_gzip && !is_mint {
        "gzip"
    } else {
        "identity"
    };
    request.insert_header(http::header::ACCEPT_ENCODING, encodings)
}

/// HTTP/2 lower-cases header names; old OBP servers compare those of credentials exactly.
fn restore_case(request: &mut RequestHeader, scheme: CredentialScheme) -> Result<()> {
    // The header came without case; give it a case map by building it anew.
    let mut fresh = RequestHeader::build(
        request.method.clone(),
        request.raw_path(),
        Some(request.headers.len()),
    )?;
    fresh.set_version(request.version);
    for (name, value) in &request.headers {
        match canonical_case(scheme, request.uri.path(), name.as_str()) {
            Some(cased) => fresh.append_header(cased, value.clone())?,
            None => fresh.append_header(name.clone(), value.clone())?,
        };
    }
    *request = fresh;
    Ok(())
}
