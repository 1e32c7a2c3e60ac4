//! What is being asked: target, provider, operation. The work is `domain::recognise`'s; here
//! Pingora's types are taken apart for it.

use std::sync::Arc;

use pingora_http::RequestHeader;

use super::super::Parts;
use super::super::routes::{Destination, Found};
use crate::domain::catalog::Operation;
use crate::domain::http::{Target, TraceParent};
use crate::domain::observe::OperationPlans;
use crate::domain::problem::{self, Problem};
use crate::domain::recognise::{self, Asked, Served};
use crate::domain::record::CallRecord;

/// The caller's place in a trace.
pub fn trace(request: &RequestHeader) -> Option<TraceParent> {
    TraceParent::parse(request.headers.get("traceparent")?.as_bytes())
}

/// Checks the request target.
pub fn target(request: &RequestHeader) -> Result<Target<'_>, Problem> {
    Ok(recognise::target(
        request.method.as_str(),
        request.raw_path(),
    )?)
}

/// Finds the provider's service that the request is for.
pub fn destination<'p>(
    parts: &'p Parts,
    request: &RequestHeader,
    target: &Target<'p>,
) -> Result<Found<'p>, Problem> {
    let host = request
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| request.headers.get(http::header::HOST)?.to_str().ok())
        .unwrap_or_default();
    let found = parts
        .routes
        .find(host, target.path())
        .ok_or(problem::NO_SUCH_PROVIDER)?;
    recognise::check_slashes(found.destination.service(), target)?;
    Ok(found)
}

/// Matches the operation and notes all that path and query may leave in the record.
pub fn operation(
    parts: &Parts,
    destination: &Destination,
    request: &RequestHeader,
    path: &str,
    target: &Target<'_>,
    record: &mut CallRecord,
) -> Option<(Arc<Operation>, Arc<OperationPlans>)> {
    let provider = &destination.provider;
    let served = Served {
        provider: &provider.catalog,
        matcher: &provider.matcher,
        service: destination.service,
        service_id: &destination.service_id,
        environment: destination.environment,
    };
    let asked = Asked {
        method: request.method.as_str(),
        path,
        target,
        accept_version: request
            .headers
            .get("accept-version")
            .map(http::HeaderValue::as_bytes),
    };
    let route = recognise::operation(&served, &asked, &parts.keyring, record)?;
    let plans = provider.plans.operation(route.index)?;
    Some((Arc::clone(&route.operation), Arc::clone(plans)))
}
