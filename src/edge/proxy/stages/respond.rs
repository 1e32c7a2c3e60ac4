//! Answers: the bank's, passed on, and the gateway's own problems.

use bytes::Bytes;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::{FailToProxy, Session};

use super::super::{Exchange, Parts};
use super::equip::CALL_ID;
use super::gate;
use crate::domain::advice::Advice;
use crate::domain::identity::CHALLENGE;
use crate::domain::problem::{self, MEDIA_TYPE, Problem};
use crate::types::{CallId, Decision};

/// Header that says how often the bank was tried, where that is more than once.
const ATTEMPTS: &str = "Egret-Attempts";

/// The bank's answer on its way to the caller.
pub fn pass_on(response: &mut ResponseHeader, exchange: &Exchange) -> Result<()> {
    // An alternative service would lead callers past the gateway.
    response.remove_header(&http::header::ALT_SVC);
    if exchange.tries > 1 {
        response.insert_header(ATTEMPTS, exchange.tries.to_string())?;
    }
    response.insert_header(CALL_ID, exchange.call_id().to_string())
}

/// Answers a request that was not let through.
pub async fn refuse(
    parts: &Parts,
    session: &mut Session,
    exchange: &mut Exchange,
    problem: Problem,
) -> Result<()> {
    let problem = gate::refusal(parts, exchange, problem).await;
    exchange.fail_with(problem);
    // The caller may still be sending a body that nobody will read.
    session.set_keepalive(None);
    write(session, exchange, &problem).await
}

/// Answers a call that could not be completed.
pub async fn fail(
    parts: &Parts,
    session: &mut Session,
    exchange: &mut Exchange,
    error: &Error,
) -> FailToProxy {
    let caller_is_gone = *error.esource() == ErrorSource::Downstream
        && matches!(
            error.etype(),
            ErrorType::WriteError
                | ErrorType::ReadError
                | ErrorType::ConnectionClosed
                | ErrorType::WriteTimedout
        );
    let diagnosed = *exchange
        .problem
        .get_or_insert_with(|| diagnose(error, exchange.sent));
    let started = session
        .response_written()
        .is_some_and(|header| !header.status.is_informational());
    let mut error_code = 0;
    tell(exchange, &diagnosed, caller_is_gone);
    if !caller_is_gone && !started {
        let problem = gate::refusal(parts, exchange, diagnosed).await;
        exchange.fail_with(problem);
        error_code = problem.status;
        session.set_keepalive(None);
        if write(session, exchange, &problem).await.is_err() {
            tracing::debug!(
                call = %exchange.call_id(),
                trace = %exchange.trace.trace_id(),
                "could not send a problem to the caller"
            );
        }
    }
    FailToProxy {
        error_code,
        can_reuse_downstream: false,
    }
}

/// Says once that a call could not be completed. What keeps within a limit or leaves a bank alone is no
/// failure; in an overload there are many of those, and the figures count them.
fn tell(exchange: &Exchange, diagnosed: &Problem, caller_is_gone: bool) {
    let (call, trace) = (exchange.call_id(), exchange.trace.trace_id());
    let is_meant = diagnosed.decision == Decision::Limited || *diagnosed == problem::BREAKER_OPEN;
    if caller_is_gone || is_meant {
        tracing::debug!(%call, %trace, problem = diagnosed.code, "a call was not completed");
    } else {
        tracing::warn!(%call, %trace, problem = diagnosed.code, "a call was not completed");
    }
}

/// Which problem an error of Pingora's is to the caller. `sent` decides between "not made" and
/// "may have taken effect".
fn diagnose(error: &Error, sent: bool) -> Problem {
    use ErrorType as E;
    if *error.esource() == ErrorSource::Downstream {
        return match error.etype() {
            E::ReadTimedout => problem::REQUEST_TIMEOUT,
            _ => problem::BAD_REQUEST_BODY,
        };
    }
    // What an attempt before this one has done is not undone by a connection that fails.
    match error.etype() {
        _ if sent && is_connecting(error.etype()) => problem::UPSTREAM_NO_ANSWER,
        E::ConnectTimedout | E::TLSHandshakeTimedout => problem::UPSTREAM_CONNECT_TIMEOUT,
        E::TLSHandshakeFailure | E::InvalidCert | E::HandshakeError => problem::UPSTREAM_TLS,
        E::ConnectRefused | E::ConnectNoRoute | E::ConnectError | E::SocketError => {
            problem::UPSTREAM_UNREACHABLE
        }
        E::ReadTimedout | E::WriteTimedout if sent => problem::UPSTREAM_TIMEOUT,
        E::InvalidHTTPHeader | E::H1Error | E::H2Error | E::InvalidH2 | E::H2Downgrade => {
            problem::UPSTREAM_BAD_ANSWER
        }
        _ if *error.esource() == ErrorSource::Upstream && sent => problem::UPSTREAM_NO_ANSWER,
        _ if *error.esource() == ErrorSource::Upstream => problem::UPSTREAM_UNREACHABLE,
        _ => problem::INTERNAL,
    }
}

fn is_connecting(kind: &ErrorType) -> bool {
    use ErrorType as E;
    matches!(
        kind,
        E::ConnectTimedout
            | E::TLSHandshakeTimedout
            | E::TLSHandshakeFailure
            | E::InvalidCert
            | E::HandshakeError
            | E::ConnectRefused
            | E::ConnectNoRoute
            | E::ConnectError
            | E::SocketError
    )
}

async fn write(session: &mut Session, exchange: &Exchange, problem: &Problem) -> Result<()> {
    let call_id = exchange.call_id();
    let advice = exchange.advice_for(problem);
    let body = Bytes::from(problem.body(call_id, advice));
    let mut header = ResponseHeader::build(problem.status, Some(6))?;
    header.insert_header(http::header::CONTENT_TYPE, MEDIA_TYPE)?;
    header.insert_header(http::header::CONTENT_LENGTH, body.len())?;
    header.insert_header(http::header::CACHE_CONTROL, "no-store")?;
    header.insert_header(CALL_ID, call_id.to_string())?;
    for (name, value) in advice.map(Advice::fields).unwrap_or_default() {
        header.insert_header(name, value)?;
    }
    if problem.status == 407 {
        header.insert_header(http::header::PROXY_AUTHENTICATE, CHALLENGE)?;
    }
    let is_head = session.req_header().method == http::Method::HEAD;
    session
        .write_response_header(Box::new(header), is_head)
        .await?;
    if !is_head {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

/// A whole HTTP/1.1 answer, for a connection that Pingora never sees.
pub fn raw(problem: &Problem, call_id: CallId) -> Bytes {
    let body = problem.body(call_id, None);
    let mut answer = format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\n{CALL_ID}: {call_id}\r\nConnection: close\r\n\r\n",
        status = problem.status,
        phrase = problem.reason_phrase(),
        length = body.len(),
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer.into()
}
