//! The stages of a call, one file each, in the order in which a call meets them.

pub mod admit;
pub mod attempt;
pub mod authorize;
pub mod capture;
pub mod classify;
pub mod close;
pub mod coalesce;
pub mod equip;
pub mod forward;
pub mod gate;
pub mod identify;
pub mod map_error;
pub mod recognise;
pub mod respond;
pub mod tap;

use std::sync::Arc;

use pingora_proxy::Session;

use super::exchange::Route;
use super::{Exchange, Generation};
use crate::domain::http::Target;
use crate::domain::problem::Problem;
use crate::domain::record::{CallRecord, OpenRecord, OperationClass};

/// Everything from the received request to the open record.
///
/// # Errors
/// The problem to answer with; the record knows it.
pub fn receive(
    parts: &Generation,
    session: &mut Session,
    exchange: &mut Exchange,
) -> Result<(), Problem> {
    exchange.case_lost = !session.req_header().has_case();
    exchange.go_on_with(parts, recognise::trace(session.req_header()));
    let mut record = exchange.new_record(parts);
    record.decision = crate::types::Decision::Forwarded;
    let route = consider(parts, session, &mut record);
    if let Err(problem) = &route {
        record.decision = problem.decision;
        record.reason.get_or_insert(problem.code.into());
    }
    let policy = parts.loss.get(OperationClass::of(&record));
    exchange.record = Some(OpenRecord::open(&parts.recorder, record, policy));
    let route = route?;
    exchange.allow(
        route
            .operation
            .as_ref()
            .and_then(|operation| operation.timeout)
            .unwrap_or(route.destination.timeout),
    );
    tap::expect_request_body(parts, session, exchange, &route);
    exchange.capture = capture::begin(parts, session, exchange, &route);
    exchange.route = Some(route);
    Ok(())
}

/// Recognises the request and decides about it, filling in the record on the way.
fn consider(
    parts: &Generation,
    session: &Session,
    record: &mut CallRecord,
) -> Result<Route, Problem> {
    let request = session.req_header();
    record.target.method = crate::domain::recognise::method(request.method.as_str());
    let caller = identify::caller(parts, session, record)?;
    let target = recognise::target(request)?;
    let found = recognise::destination(parts, request, &target)?;
    let destination = Arc::clone(found.destination);
    let matched = recognise::operation(parts, &destination, request, found.rest, &target, record);
    let asked = classify::Asked {
        request,
        path: found.rest,
        target: &target,
    };
    let present = classify::credential(parts, &destination, asked, record);
    let permit = authorize::decide(parts, &destination, &caller, &present, record)?;
    let (operation, plans) = matched.unzip();
    let dues = admit::expect(
        parts,
        request,
        &destination,
        operation.as_deref(),
        &caller,
        record,
    )?;
    Ok(Route {
        dues,
        target: upstream_target(&destination, found.rest, &target),
        destination,
        operation,
        plans,
        permit,
    })
}

/// Path and query as the bank shall see them: the caller's own bytes, less the gateway's prefix.
fn upstream_target(
    destination: &super::routes::Destination,
    rest: &str,
    target: &Target<'_>,
) -> bytes::Bytes {
    let base = destination.server.base_path();
    let query = target.query();
    let mut bytes = Vec::with_capacity(base.len() + rest.len() + query.map_or(0, |q| q.len() + 1));
    bytes.extend_from_slice(base.as_bytes());
    bytes.extend_from_slice(rest.as_bytes());
    if let Some(query) = query {
        bytes.push(b'?');
        bytes.extend_from_slice(query.as_bytes());
    }
    bytes.into()
}
