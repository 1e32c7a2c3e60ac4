//! What the gateway would make of a request, by the same functions that its stages call.

use std::sync::Arc;

use crate::cli::providers::Providers;
use crate::domain::credential::RequestView;
use crate::domain::http::{BodyFraming, HeadScanner, Progress, Refusal, Target};
use crate::domain::identity::{CallerBook, Peer};
use crate::domain::keyring::Keyring;
use crate::domain::observe::{Observer, ProviderPlans};
use crate::domain::policy::{self, Ask};
use crate::domain::problem::{self, Problem};
use crate::domain::recognise::{self, Asked, Callers, Place, Served};
use crate::domain::record::{CallRecord, SubjectRole};
use crate::types::{Decision, Micros, Outcome, TokenType};

/// Who is taken to have sent the request.
pub enum Sender {
    /// Somebody with this name.
    Named(Arc<str>),
    /// Whoever the request shows to be, on this machine.
    Shown {
        /// The callers and their keys.
        book: CallerBook,
        /// The caller that local processes are.
        local: Option<Arc<str>>,
    },
    /// Nobody knows: the caller is not judged.
    Unjudged,
}

/// What a request is judged against.
pub struct Court<'a> {
    /// The providers.
    pub providers: &'a Providers,
    /// Makes fingerprints and pseudonyms.
    pub keyring: &'a Arc<Keyring>,
    /// Who sent it.
    pub sender: &'a Sender,
    /// The present.
    pub now: Micros,
}

/// The judgement.
pub struct Verdict {
    /// The record as it would be when the request is forwarded or refused.
    pub record: CallRecord,
    /// What the caller would be answered, unless the request is forwarded.
    pub problem: Option<Problem>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// A parsed head.
struct Head<'a> {
    method: &'a str,
    target: &'a [u8],
    fields: Vec<(&'a [u8], &'a [u8])>,
    framing: BodyFraming,
    body: &'a [u8],
}

impl<'a> Head<'a> {
    fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.fields
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }

    fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }
}

/// Judges the bytes of a request. `record` is a new one.
pub fn judge(court: &Court<'_>, bytes: &[u8], record: CallRecord) -> Verdict {
    let mut verdict = Verdict {
        record,
        problem: None,
        notes: Vec::new(),
    };
    let considered = read_head(court, bytes)
        .map_err(Problem::from)
        .and_then(|head| consider(court, &head, &mut verdict));
    let record = &mut verdict.record;
    match considered {
        // How it ends is the bank's affair.
        Ok(()) => record.decision = Decision::Forwarded,
        Err(problem) => {
            record.decision = problem.decision;
            record.reason.get_or_insert(problem.code.into());
            record.outcome = Outcome::Failure;
            record.status = Some(problem.status);
            verdict.problem = Some(problem);
        }
    }
    verdict
}

fn read_head<'a>(court: &Court<'_>, bytes: &'a [u8]) -> Result<Head<'a>, Refusal> {
    let limits = court.providers.head_limits();
    let mut scanner = HeadScanner::new(limits);
    let (head_len, summary) = match scanner.scan(bytes) {
        Progress::Complete { head_len, summary } => (head_len, summary),
        Progress::Refused(refusal) => return Err(refusal),
        Progress::NeedMore => return Err(Refusal::HeadIncomplete),
    };
    let (head, body) = bytes.split_at_checked(head_len).unwrap_or((bytes, &[]));
    let mut storage = vec![httparse::EMPTY_HEADER; summary.fields];
    let mut parsed = httparse::Request::new(&mut storage);
    // What the scanner accepts, the parser does.
    parsed.parse(head).map_err(|_| Refusal::BadRequestLine)?;
    Ok(Head {
        method: parsed.method.unwrap_or_default(),
        target: head.get(summary.target.clone()).unwrap_or_default(),
        fields: parsed
            .headers
            .iter()
            .map(|field| (field.name.as_bytes(), field.value))
            .collect(),
        framing: summary.framing,
        body,
    })
}

/// The stages of the proxy from the received head to the decision, in their order.
fn consider(court: &Court<'_>, head: &Head<'_>, verdict: &mut Verdict) -> Result<(), Problem> {
    let record = &mut verdict.record;
    record.target.method = recognise::method(head.method);
    record.trace_id = head.first("traceparent").and_then(recognise::trace);
    let caller = identify(court, head, record)?;
    let target = recognise::target(head.method, head.target)?;
    let providers = court.providers;
    let host = head.first("host").unwrap_or_default();
    let host = std::str::from_utf8(host).unwrap_or_default();
    let environment_of = |provider| providers.environment(provider);
    let place = recognise::locate(&providers.catalog, host, target.path(), environment_of);
    let Some(place) = place else {
        verdict.notes.push(format!(
            "paths begin with {}, unless Host names a bank's server",
            providers.prefixes()
        ));
        return Err(problem::NO_SUCH_PROVIDER);
    };
    let (known, present) = recognise_call(court, head, &target, &place, verdict)?;
    policy::decide(
        &providers.rules(place.provider),
        &Ask {
            caller: &caller,
            operation_known: known,
            present: &present,
        },
    )
    .map(drop)
}

fn identify(
    court: &Court<'_>,
    head: &Head<'_>,
    record: &mut CallRecord,
) -> Result<Arc<str>, Problem> {
    let (book, local) = match court.sender {
        Sender::Unjudged => return Ok("".into()),
        Sender::Named(name) => {
            record.caller.name = Some(Arc::clone(name));
            return Ok(Arc::clone(name));
        }
        Sender::Shown { book, local } => (book, local.as_ref()),
    };
    let callers = Callers {
        book,
        local,
        now: court.now,
    };
    let peer = Peer {
        certificate: None,
        is_local: true,
    };
    recognise::caller(
        &callers,
        head.all("proxy-authorization"),
        peer,
        None,
        record,
    )
}

type Present = smallvec::SmallVec<[TokenType; 2]>;

/// Whether the operation is known, and which credentials there are.
fn recognise_call(
    court: &Court<'_>,
    head: &Head<'_>,
    target: &Target<'_>,
    place: &Place<'_>,
    verdict: &mut Verdict,
) -> Result<(bool, Present), Problem> {
    let catalog = &court.providers.catalog;
    let entry = catalog
        .entry(place.provider)
        .ok_or(problem::NO_SUCH_PROVIDER)?;
    let service = entry.provider.service(place.service);
    recognise::check_slashes(service, target)?;
    let service = service.ok_or(problem::NO_SUCH_PROVIDER)?;
    let served = Served::at(entry, service, place);
    let asked = Asked {
        method: head.method,
        path: place.rest,
        target,
        accept_version: head.first("accept-version"),
    };
    let record = &mut verdict.record;
    let route = recognise::operation(&served, &asked, court.keyring, record);
    let view = RequestView {
        method: head.method,
        path: place.rest,
        query: target.query(),
        headers: &head.fields,
        client_certificate: false,
    };
    let present = recognise::credential(&entry.provider, &view, court.keyring, record);
    if let Some(route) = route
        && !head.body.is_empty()
        && head.first("content-encoding").is_none()
    {
        let plans = ProviderPlans::new(&entry.provider, &entry.matcher);
        let plans = plans.as_ref().ok().and_then(|it| it.operation(route.index));
        if let Some(plan) = plans.and_then(|it| it.for_request(head.first("content-type"))) {
            let mut observer = Observer::new(plan, court.keyring);
            observer.feed(body(head, &mut verdict.notes));
            observer
                .finish(true, SubjectRole::Request, record)
                .note_credential(record);
        }
    }
    Ok((route.is_some(), present))
}

/// The body as far as it was pasted. Its length is taken from the paste: an editor changes it.
fn body<'a>(head: &Head<'a>, notes: &mut Vec<String>) -> &'a [u8] {
    match head.framing {
        BodyFraming::Length(_) => {}
        BodyFraming::None => notes.push(
            "the head announces no body (no Content-Length); what follows it was read all the same"
                .to_owned(),
        ),
        BodyFraming::Chunked => {
            notes.push("the body was read as if it were not in chunks".to_owned());
        }
    }
    head.body
}
