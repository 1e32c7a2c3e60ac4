//! From a call that is over to its spans.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::CallTrace;
use crate::domain::record::{Attempt, AttemptEnd, CallRecord};
use crate::types::{Decision, Micros, Outcome, TraceId};

/// A call that is over, with all that its spans are made of. What is told of it is made elsewhere and
/// later: the call does not wait for that.
pub struct FinishedCall {
    /// Its record, which the journal has.
    pub record: Box<CallRecord>,
    /// Its place in its trace.
    pub trace: CallTrace,
    /// Its attempts, in order.
    pub attempts: SmallVec<[Attempt; 1]>,
    /// How long it took, by a clock that is never set.
    pub took: Duration,
    /// Whether the caller was spoken to inside TLS.
    pub is_https: bool,
    /// Version of HTTP that the caller spoke: `1.0`, `1.1` or `2`; `None` if there was no head.
    pub protocol: Option<&'static str>,
    /// Host and port of the bank's server, as configured; `None` if the call led nowhere.
    pub bank: Option<(Arc<str>, u16)>,
}

/// On which side of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// The call, as its caller waits for it.
    Server,
    /// An attempt at the bank.
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// Text.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

/// One span.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: [u8; 8],
    /// The span that it is part of.
    pub parent_id: Option<[u8; 8]>,
    /// Whether that one is in another process.
    pub has_remote_parent: bool,
    /// Method and path template.
    pub name: String,
    /// Which side it is on.
    pub kind: SpanKind,
    /// When it began.
    pub began: Micros,
    /// When it ended; never before it began.
    pub ended: Micros,
    /// What is told of it, each name once.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Whether it went wrong.
    pub is_error: bool,
}

/// The spans of a call: its own first, then one for each attempt.
pub fn spans(call: &FinishedCall) -> Vec<Span> {
    let mut spans = Vec::with_capacity(1 + call.attempts.len());
    spans.push(server(call));
    let last = call.attempts.len().saturating_sub(1);
    for (index, attempt) in call.attempts.iter().enumerate() {
        spans.push(client(call, attempt, index == last));
    }
    spans
}

/// `{method} {template}`, as the conventions have it; the template alone is of low cardinality.
fn name(record: &CallRecord) -> String {
    let method = method(record);
    let method = if method == "_OTHER" { "HTTP" } else { method };
    match &record.target.path_template {
        Some(template) => format!("{method} {template}"),
        None => method.to_owned(),
    }
}

fn method(record: &CallRecord) -> &'static str {
    match record.target.method {
        "other" => "_OTHER",
        known => known,
    }
}

#[derive(Default)]
struct Attributes(Vec<(&'static str, Attribute)>);

impl Attributes {
    fn word(&mut self, name: &'static str, word: &'static str) {
        self.0.push((name, Attribute::Text(Cow::Borrowed(word))));
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.0
            .push((name, Attribute::Text(Cow::Owned(text.to_owned()))));
    }

    fn maybe(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn number(&mut self, name: &'static str, number: u64) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.0.push((name, Attribute::Number(number)));
    }
}

fn server(call: &FinishedCall) -> Span {
    let record = &*call.record;
    let target = &record.target;
    let mut all = Attributes::default();
    all.word("http.request.method", method(record));
    all.word("url.scheme", if call.is_https { "https" } else { "http" });
    all.maybe("http.route", target.path_template.as_deref());
    if let Some(protocol) = call.protocol {
        all.word("network.protocol.version", protocol);
    }
    if let Some(status) = record.status {
        all.number("http.response.status_code", u64::from(status));
    }
    all.number("http.request.body.size", record.traffic.request_bytes);
    all.number("http.response.body.size", record.traffic.response_bytes);
    let error = server_error(record);
    if let Some(error) = &error {
        all.text("error.type", error);
    }
    all.text("egret.call_id", &record.call_id.to_string());
    all.maybe("egret.caller", record.caller.name.as_deref());
    all.word("egret.caller.via", record.caller.via.as_str());
    describe(&mut all, record);
    all.word("egret.decision", record.decision.as_str());
    all.maybe("egret.reason", record.reason.as_deref());
    all.word("egret.outcome", record.outcome.as_str());
    all.word("egret.token_type", record.credential.token_type.as_str());
    if let Some(mint) = &record.mint {
        all.text("egret.mint.kind", &mint.kind);
    }
    let began = record.times.received_at;
    Span {
        trace_id: call.trace.trace_id(),
        span_id: call.trace.span_id(),
        parent_id: call.trace.parent_id(),
        has_remote_parent: call.trace.parent_id().is_some(),
        name: name(record),
        kind: SpanKind::Server,
        began,
        ended: began.plus(call.took),
        attributes: all.0,
        // What the caller has done wrong is no error of the server's.
        is_error: error.is_some() && record.status.is_none_or(|status| status >= 500),
    }
}

/// What call and attempt have in common.
fn describe(all: &mut Attributes, record: &CallRecord) {
    let target = &record.target;
    all.maybe("egret.provider", target.provider.as_deref());
    all.maybe("egret.service", target.service.as_deref());
    if let Some(environment) = target.environment {
        all.word("egret.environment", environment.as_str());
    }
    all.maybe("egret.operation", target.operation.as_deref());
    if let Some(effect) = target.effect {
        all.word("egret.effect", effect.as_str());
    }
}

/// Why a call went wrong: the problem that was answered, the caller's leaving, or a status that says so.
fn server_error(record: &CallRecord) -> Option<Cow<'static, str>> {
    match record.outcome {
        Outcome::Success => return None,
        Outcome::Cancelled => return Some("caller_left".into()),
        Outcome::Failure | Outcome::Unknown => {}
    }
    if let Some(reason) = &record.reason {
        return Some(reason.clone());
    }
    match record.status {
        Some(status) if status >= 500 => Some(status.to_string().into()),
        Some(_) => None,
        None => Some("no_answer".into()),
    }
}

fn client(call: &FinishedCall, attempt: &Attempt, is_last: bool) -> Span {
    let record = &*call.record;
    let (attributes, error) = attempt_attributes(call, attempt, is_last);
    let began = record.times.received_at.plus(attempt.began);
    // An answer streams by after its header, until the call is over.
    let streams = is_last && matches!(attempt.end, AttemptEnd::Answered(_));
    let ended = if streams {
        record.times.received_at.plus(call.took)
    } else {
        began.plus(attempt.took)
    };
    Span {
        trace_id: call.trace.trace_id(),
        span_id: call.trace.attempt(attempt.number).parent_id(),
        parent_id: Some(call.trace.span_id()),
        has_remote_parent: false,
        name: name(record),
        kind: SpanKind::Client,
        began,
        ended: ended.max(began),
        attributes,
        is_error: error,
    }
}

/// What is told of an attempt, and whether it went wrong.
fn attempt_attributes(
    call: &FinishedCall,
    attempt: &Attempt,
    is_last: bool,
) -> (Vec<(&'static str, Attribute)>, bool) {
    use crate::domain::resilience::Failure;
    let record = &*call.record;
    let mut all = Attributes::default();
    all.word("http.request.method", method(record));
    all.maybe("url.template", record.target.path_template.as_deref());
    if let Some((host, port)) = &call.bank {
        all.text("server.address", host);
        all.number("server.port", u64::from(*port));
    }
    if attempt.number > 1 {
        let resends = attempt.number - 1;
        all.number("http.request.resend_count", u64::from(resends));
    }
    let (status, error): (Option<u16>, Option<Cow<'static, str>>) = match attempt.end {
        AttemptEnd::Answered(status)
        | AttemptEnd::Failed(Failure::ServerError(status) | Failure::Throttled(status)) => {
            let error = (status >= 400).then(|| status.to_string().into());
            (Some(status), error)
        }
        AttemptEnd::Failed(failure) => (None, Some(failure.to_string().into())),
        AttemptEnd::Left => (None, Some("caller_left".into())),
    };
    if let Some(status) = status {
        all.number("http.response.status_code", u64::from(status));
    }
    let is_error = error.is_some();
    if let Some(error) = error {
        all.text("error.type", &error);
    }
    if is_last {
        // The record knows these of the last attempt only.
        if let Some(address) = record.traffic.upstream {
            all.text("network.peer.address", &address.ip().to_string());
            all.number("network.peer.port", u64::from(address.port()));
        }
        if let Some(version) = record.traffic.tls_version.as_deref() {
            let version = version.strip_prefix("TLSv").unwrap_or(version);
            all.text("tls.protocol.version", version);
        }
        if record.decision == Decision::Forwarded {
            all.maybe("egret.error_code", record.error_code.as_deref());
        }
    }
    describe(&mut all, record);
    (all.0, is_error)
}
