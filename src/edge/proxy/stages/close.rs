//! The end of a call: the record is completed and handed over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora_error::{Error, ErrorSource};
use pingora_proxy::Session;

use super::super::{Exchange, Parts, Tell};
use crate::adapters::clock;
use crate::adapters::figures::OverCall;
use crate::domain::credential::token_claims;
use crate::domain::observe::Observations;
use crate::domain::problem::{self, Problem};
use crate::domain::recognise;
use crate::domain::record::{
    Answer, CallRecord, Mint, OpenRecord, OperationClass, SubjectRole, judge,
};
use crate::domain::telemetry::FinishedCall;
use crate::types::{Decision, Micros, Outcome};

/// Completes and closes the record of an exchange that went through Pingora.
pub fn exchange(
    parts: &Parts,
    tell: &Tell,
    session: &mut Session,
    exchange: &mut Exchange,
    error: Option<&Error>,
) {
    let Some(mut open) = exchange.record.take().filter(|open| open.get().is_some()) else {
        // Refused for want of a record: the journal counts it. Not an error for each of them,
        // since there may be thousands; the journal has said what is wrong.
        tracing::debug!(
            call = %exchange.call_id(),
            trace = %exchange.trace.trace_id(),
            "a call was refused because it could not be recorded"
        );
        tell.shard.note(&OverCall {
            record: &unrecorded(parts, session, exchange),
            attempts: exchange.attempts.ended(),
            took: exchange.age(),
            is_https: is_https(session),
        });
        return;
    };
    let now = clock::now();
    let answer = Answer {
        sent: exchange.sent || exchange.coalesced,
        status: exchange.bank_status,
        complete: error.is_none(),
        caller_left: error.is_some_and(|error| *error.esource() == ErrorSource::Downstream),
    };
    let status = session
        .response_written()
        .map(|header| header.status.as_u16());
    let request_bytes = session.body_bytes_read() as u64;
    let response_bytes = session.body_bytes_sent() as u64;
    let request = exchange.request.take();
    let response = exchange.response.take();
    let route = exchange.route.take();
    let problem = exchange.problem;
    let judged = exchange.attempts.outcome(judge(
        open.get().and_then(|record| record.target.effect),
        answer,
    ));
    open.update(|record| {
        record.times.completed_at = Some(now);
        record.status = status;
        record.traffic.request_bytes = request_bytes;
        record.traffic.response_bytes = response_bytes;
        if let Some(observer) = request {
            observer
                .finish(answer.complete, SubjectRole::Request, record)
                .note_credential(record);
        }
        if let Some(tap) = response {
            let seen = tap
                .observer
                .finish(answer.complete, SubjectRole::Response, record);
            if let Some(route) = &route {
                note_mint(route, &seen, now, record);
            }
        }
        if let Some(problem) = problem {
            record.reason.get_or_insert(problem.code.into());
            if record.decision == Decision::Forwarded {
                record.decision = problem.decision;
            }
        }
        record.outcome = match record.decision {
            Decision::Forwarded | Decision::Unavailable => judged,
            Decision::Denied | Decision::Limited | Decision::Refused => Outcome::Failure,
        };
        // Nothing personal came back from a call without a successful answer.
        if exchange_failed(answer) {
            record.pii = Default::default();
        }
    });
    let code = open.get().and_then(|record| record.error_code.clone());
    exchange.record = Some(open);
    super::admit::settle(exchange, code.as_deref());
    super::attempt::finish(parts, exchange, error);
    let is_told = exchange.trace.is_sampled() && tell.spans.is_some();
    let bank = route.filter(|_| is_told).map(|route| {
        let server = &route.destination.server;
        (Arc::clone(server.host()), server.port())
    });
    let front = Front {
        is_https: is_https(session),
        protocol: protocol(session),
        bank,
    };
    hand_over(tell, exchange, front);
}

/// How the caller was spoken to, and where the call went.
#[derive(Default)]
struct Front {
    is_https: bool,
    protocol: Option<&'static str>,
    bank: Option<(Arc<str>, u16)>,
}

fn is_https(session: &Session) -> bool {
    session
        .digest()
        .is_some_and(|digest| digest.ssl_digest.is_some())
}

fn protocol(session: &Session) -> Option<&'static str> {
    match session.req_header().version {
        http::Version::HTTP_10 => Some("1.0"),
        http::Version::HTTP_11 => Some("1.1"),
        http::Version::HTTP_2 => Some("2"),
        _ => None,
    }
}

/// Counts the call, hands its record over for the last time, and then leaves it to be told of.
fn hand_over(tell: &Tell, exchange: &mut Exchange, front: Front) {
    let Some(open) = exchange.record.take() else {
        return;
    };
    let took = exchange.age();
    if let Some(record) = open.get() {
        tell.shard.note(&OverCall {
            record,
            attempts: exchange.attempts.ended(),
            took,
            is_https: front.is_https,
        });
    }
    // If it cannot be taken, the journal counts it and says so.
    let record = open.close();
    let (true, Some(spans), Some(record)) = (exchange.trace.is_sampled(), &tell.spans, record)
    else {
        return;
    };
    spans.put(FinishedCall {
        record,
        trace: exchange.trace,
        attempts: exchange.attempts.take_ended(),
        took,
        is_https: front.is_https,
        protocol: front.protocol,
        bank: front.bank,
    });
}

/// What can be counted of a call that could not be recorded.
fn unrecorded(parts: &Parts, session: &Session, exchange: &Exchange) -> CallRecord {
    let mut record = exchange.new_record(parts);
    let problem = exchange.problem.unwrap_or(problem::RECORD_UNAVAILABLE);
    record.target.method = recognise::method(session.req_header().method.as_str());
    if let Some(route) = &exchange.route {
        let destination = &route.destination;
        record.target.provider = Some(Arc::clone(&destination.provider.catalog.id));
        record.target.service = Some(Arc::clone(&destination.service_id));
        record.target.environment = Some(destination.environment);
        let operation = route.operation.as_ref();
        record.target.operation = operation.map(|operation| Arc::clone(&operation.id));
    }
    record.decision = problem.decision;
    record.reason = Some(problem.code.into());
    record.outcome = Outcome::Failure;
    record.status = Some(problem.status);
    record
}

/// Completes a call whose head was refused before Pingora saw it.
pub fn refused_head(tell: &Tell, exchange: &mut Exchange) {
    // Whether such a connection is inside TLS is not known here.
    hand_over(tell, exchange, Front::default());
}

fn exchange_failed(answer: Answer) -> bool {
    answer.status.is_none_or(|status| status >= 400)
}

fn note_mint(
    route: &super::super::exchange::Route,
    seen: &Observations,
    now: Micros,
    record: &mut CallRecord,
) {
    let Some(mint) = route
        .operation
        .as_ref()
        .and_then(|operation| operation.mint.as_ref())
    else {
        return;
    };
    let Some(minted) = seen.tokens.first() else {
        return;
    };
    let scheme = route.destination.provider.catalog.scheme;
    let claimed = minted
        .token
        .as_ref()
        .and_then(|token| token_claims(scheme, token.expose()))
        .and_then(|claims| claims.expires_at);
    let told = seen
        .expires_in
        .map(|seconds| now.plus(Duration::from_secs(seconds)));
    record.mint = Some(Mint {
        kind: Arc::clone(&mint.kind),
        fingerprint: Some(minted.fingerprint),
        expires_at: claimed.or(told),
    });
}

/// Opens the record of a request whose head was refused before Pingora saw it.
pub fn open_refused_head(
    parts: &Parts,
    exchange: &mut Exchange,
    problem: &Problem,
    peer: Option<SocketAddr>,
) {
    let mut record = exchange.new_record(parts);
    record.caller.address = peer;
    record.decision = Decision::Refused;
    record.reason = Some(problem.code.into());
    record.outcome = Outcome::Failure;
    record.status = Some(problem.status);
    record.times.completed_at = Some(clock::now());
    let policy = parts.loss.get(OperationClass::of(&record));
    exchange.record = Some(OpenRecord::open(&parts.recorder, record, policy));
}
