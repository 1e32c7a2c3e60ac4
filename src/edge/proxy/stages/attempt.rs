//! One attempt after the other: whether there may be one, how it went, and whether there is another.
//!
//! [`begin`] stands before each attempt: it waits out the pause before a repetition and gets a place
//! in the endpoint group; [`made`] says that nothing else stands before it. [`answered`], [`not_connected`] and [`broken`] hear how it went; they tell
//! the breaker and decide about a repetition. [`finish`] ends the last one. The decisions are
//! `domain::resilience`'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora_error::{Error, ErrorSource, ErrorType, Result, RetryType};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use smallvec::SmallVec;

use super::super::exchange::Route;
use super::super::{Exchange, Parts};
use crate::adapters::{clock, entropy};
use crate::domain::advice::Advice;
use crate::domain::http;
use crate::domain::own::{self, BreakerOf};
use crate::domain::problem::{self, Problem};
use crate::domain::record::{Attempt, AttemptEnd, Step, Wait};
use crate::domain::resilience::{
    Answered, BreakerState, Crowd, Failure, Replay, Verdict, changes_nothing, decide, judge_failure,
};
use crate::edge::groups::{Changed, Group, Place, Refused, random};
use crate::types::{CallId, Outcome};

/// Most connections and requests that one call makes, over all addresses of a bank. Pingora has the
/// same bound.
pub const MAX_TRIES: usize = 16;

/// The caller of calls that nobody is named for.
const NOBODY: &str = "-";

/// Where a call is with its attempts.
#[derive(Default)]
pub struct Attempts {
    /// The attempt under way.
    current: Option<Current>,
    /// Those that have ended; most calls have one.
    ended: SmallVec<[Attempt; 1]>,
    /// How many of them are on record.
    noted: usize,
    /// So often the call was tried, each time at all addresses of the bank that it took.
    rounds: u32,
    /// Addresses tried in this round.
    addresses: usize,
    /// To wait before the next attempt; `None` for another address at once.
    pause: Option<Duration>,
    /// An answer was put aside for a repetition.
    put_aside: bool,
    /// An attempt before this one may have reached a call's aim.
    may_have_acted: bool,
    /// What [`Exchange::sent`] was before the attempt.
    sent_before: bool,
    /// How far the request's body was looked at, and how far this attempt has sent it.
    body_seen: u64,
    body_sent: u64,
}

struct Current {
    place: Place,
    began: Instant,
    /// The answer, once its header is here: status and time to it.
    answer: Option<(u16, Duration)>,
}

impl Attempts {
    /// The part of a piece of the request's body that no attempt before this one has sent: bodies are
    /// looked at once.
    pub fn unseen<'b>(&mut self, piece: &'b [u8]) -> &'b [u8] {
        let known = self.body_seen.saturating_sub(self.body_sent);
        self.body_sent += piece.len() as u64;
        self.body_seen = self.body_seen.max(self.body_sent);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        piece.get(known..).unwrap_or_default()
    }

    /// The attempts that have ended, in order.
    pub fn ended(&self) -> &[Attempt] {
        &self.ended
    }

    /// Gives them away.
    pub fn take_ended(&mut self) -> SmallVec<[Attempt; 1]> {
        self.noted = 0;
        std::mem::take(&mut self.ended)
    }

    /// What is really known of a call that was repeated although it may have acted: only a success
    /// is certain, for a conflict may be with itself.
    pub fn outcome(&self, judged: Outcome) -> Outcome {
        match judged {
            Outcome::Failure if self.may_have_acted => Outcome::Unknown,
            judged => judged,
        }
    }
}

/// Before each attempt.
///
/// # Errors
/// The problem to answer with: this attempt is not made.
pub async fn begin(parts: &Parts, exchange: &mut Exchange) -> Result<(), Problem> {
    if let Some(pause) = exchange.attempts.pause.take() {
        tokio::time::sleep(pause).await;
        exchange.attempts.rounds += 1;
        exchange.attempts.addresses = 0;
    }
    let group = Arc::clone(group(exchange).ok_or(problem::INTERNAL)?);
    if exchange.attempts.rounds == 0 {
        exchange.attempts.rounds = 1;
        group.call_begins();
    }
    let caller = exchange
        .record
        .as_ref()
        .and_then(|open| open.get()?.caller.name.clone())
        .unwrap_or_else(|| NOBODY.into());
    let (entered, changed) = group.enter(&caller, exchange.remaining()).await;
    if let Some(changed) = changed {
        tell_change(parts, &changed);
    }
    let place = entered.map_err(|refused| refuse(exchange, &group, refused))?;
    let attempts = &mut exchange.attempts;
    attempts.sent_before = exchange.sent;
    attempts.body_sent = 0;
    attempts.addresses += 1;
    attempts.current = Some(Current {
        place,
        began: Instant::now(),
        answer: None,
    });
    Ok(())
}

/// The attempt is made from here on: what was waited for before is not the bank's time.
pub fn made(exchange: &mut Exchange) {
    if let Some(current) = &mut exchange.attempts.current {
        current.began = Instant::now();
    }
}

/// The attempt is not made after all. Gives the problem to answer with: after one that may have acted,
/// that is what the caller must know.
pub fn not_made(exchange: &mut Exchange, problem: Problem) -> Problem {
    exchange.attempts.current = None;
    note(exchange);
    if exchange.sent {
        problem::UPSTREAM_NO_ANSWER
    } else {
        problem
    }
}

fn refuse(exchange: &mut Exchange, group: &Group, refused_by: Refused) -> Problem {
    let (problem, retry_after) = match refused_by {
        Refused::Open { retry_after } => (problem::BREAKER_OPEN, retry_after),
        Refused::Crowded {
            crowd: Crowd::Caller,
            wait,
        } => (problem::TOO_MANY_CALLS, wait),
        Refused::Crowded {
            crowd: Crowd::Group,
            wait,
        } => (problem::PROVIDER_BUSY, wait),
    };
    let advice = Advice {
        retry_after: Some(retry_after.max(Duration::from_millis(1))),
        group: Some(Arc::clone(&group.name)),
        ..Advice::default()
    };
    exchange.advise(problem, advice)
}

fn group(exchange: &Exchange) -> Option<&Arc<Group>> {
    let route = exchange.route.as_ref()?;
    Some(route.destination.groups.of(route.operation.as_deref()))
}

/// No connection could be made. Gives whether there is another attempt.
pub fn not_connected(parts: &Parts, session: &Session, exchange: &mut Exchange) -> bool {
    let addresses = exchange
        .route
        .as_ref()
        .map_or(0, |route| route.destination.server.tries());
    let has_more = exchange.attempts.addresses < addresses
        && exchange.tries < MAX_TRIES
        && !exchange.is_late();
    let failure = Failure::NotConnected;
    end(parts, exchange, failure, judge_failure(failure, has_more));
    let again = has_more || repeat(session, exchange, failure, None);
    if !again {
        note(exchange);
    }
    again
}

/// An attempt broke off after a connection was there. Decides about another.
pub fn broken(
    parts: &Parts,
    session: &Session,
    exchange: &mut Exchange,
    mut error: Box<Error>,
    reused: bool,
) -> Box<Error> {
    if std::mem::take(&mut exchange.attempts.put_aside) {
        // Decided when the answer came.
        return error;
    }
    let may_repeat = match classify(&error, reused) {
        // What is answered already, or cannot be recorded, is not asked for again.
        Some(failure) if exchange.bank_status.is_none() && exchange.problem.is_none() => {
            end(parts, exchange, failure, judge_failure(failure, false));
            if failure.is_unsent() {
                exchange.sent = exchange.attempts.sent_before;
            }
            let may = repeat(session, exchange, failure, None);
            if !may && !exchange.sent {
                exchange.fail_with(problem::UPSTREAM_REFUSED);
            }
            if !may {
                note(exchange);
            }
            may
        }
        _ => false,
    };
    error.set_retry(may_repeat);
    error
}

/// How an error of Pingora's left the call; `None` if the bank has no part in it.
fn classify(error: &Error, reused: bool) -> Option<Failure> {
    if *error.esource() != ErrorSource::Upstream {
        return None;
    }
    let failure = match (error.etype(), error.retry) {
        // For errors of HTTP/2, Pingora decides to repeat only when the peer has refused the stream,
        // or went away with a last stream before it.
        (ErrorType::H2Error, RetryType::Decided(true)) => Failure::NotProcessed,
        (ErrorType::ReadTimedout | ErrorType::WriteTimedout, _) => Failure::Late,
        // Not a byte of an answer had come, and the connection had been idle before.
        (_, RetryType::ReusedOnly) if reused => Failure::ReusedClosed,
        _ => Failure::Broken,
    };
    Some(failure)
}

/// The header of an answer has come.
///
/// # Errors
/// The answer is put aside, and the call repeated.
pub fn answered(
    parts: &Parts,
    session: &Session,
    response: &ResponseHeader,
    exchange: &mut Exchange,
) -> Result<()> {
    let status = response.status.as_u16();
    if status < 200 {
        return Ok(());
    }
    let Some(current) = &mut exchange.attempts.current else {
        return Ok(());
    };
    let took = current.began.elapsed();
    current.answer = Some((status, took));
    let asked_to_wait = response
        .headers
        .get(::http::header::RETRY_AFTER)
        .and_then(|value| http::retry_after(value.as_bytes(), clock::now()));
    if let Some(failure) = Failure::of_status(status, asked_to_wait.is_some()) {
        // Before anything else is decided: an open breaker would stop the repetition.
        tell_answer(parts, exchange, false);
        if repeat(session, exchange, failure, asked_to_wait) {
            end(parts, exchange, failure, judge_failure(failure, false));
            exchange.attempts.put_aside = true;
            let mut error = Error::new_up(ErrorType::HTTPStatus(status));
            error.set_retry(true);
            return Err(error);
        }
    }
    // Others wait for what a probe finds. What a refused request says of the bank stands in its body.
    let decides_now = !(400..500).contains(&status);
    let is_probe = |current: &Current| current.place.is_probe();
    if decides_now && exchange.attempts.current.as_ref().is_some_and(is_probe) {
        tell_answer(parts, exchange, false);
    }
    if let Some(current) = &exchange.attempts.current {
        let attempt = describe(exchange, current, AttemptEnd::Answered(status), took);
        exchange.attempts.ended.push(attempt);
    }
    note(exchange);
    Ok(())
}

/// The exchange is over: tells how the last attempt went. The record knows the bank's error code by
/// then.
pub fn finish(parts: &Parts, exchange: &mut Exchange, error: Option<&Error>) {
    let caller_left = error.is_some_and(|error| *error.esource() == ErrorSource::Downstream);
    if let Some(current) = &exchange.attempts.current
        && current.answer.is_none()
    {
        let took = current.began.elapsed();
        let attempt = describe(exchange, current, AttemptEnd::Left, took);
        exchange.attempts.ended.push(attempt);
    }
    tell_answer(parts, exchange, error.is_some() && !caller_left);
    exchange.attempts.current = None;
    note(exchange);
}

/// Tells the breaker of the answer that there is; `is_broken` says that the bank broke it off.
fn tell_answer(parts: &Parts, exchange: &mut Exchange, is_broken: bool) {
    let record = exchange.record.as_ref().and_then(|open| open.get());
    let error_code = record.and_then(|record| record.error_code.as_deref());
    let Some(current) = &mut exchange.attempts.current else {
        return;
    };
    let Some((status, took)) = current.answer else {
        return;
    };
    let verdict = current.place.group().settings.symptoms.judge(&Answered {
        status,
        error_code,
        took,
        is_broken,
    });
    if let Some(changed) = current.place.tell(verdict, took) {
        tell_change(parts, &changed);
    }
}

/// Ends an attempt that failed.
fn end(parts: &Parts, exchange: &mut Exchange, failure: Failure, verdict: Verdict) {
    let Some(mut current) = exchange.attempts.current.take() else {
        return;
    };
    let took = current.began.elapsed();
    let attempt = describe(exchange, &current, AttemptEnd::Failed(failure), took);
    exchange.attempts.ended.push(attempt);
    if let Some(changed) = current.place.tell(verdict, took) {
        tell_change(parts, &changed);
    }
}

fn describe(exchange: &Exchange, current: &Current, end: AttemptEnd, took: Duration) -> Attempt {
    Attempt {
        number: u32::try_from(exchange.tries).unwrap_or(u32::MAX),
        end,
        began: exchange.age().saturating_sub(current.began.elapsed()),
        took,
    }
}

/// Puts the attempts on record once there are no more; one alone is the call itself.
fn note(exchange: &mut Exchange) {
    let attempts = &mut exchange.attempts;
    if attempts.ended.len() < 2 && attempts.rounds < 2 {
        return;
    }
    let ended = attempts.ended.get(attempts.noted..).unwrap_or_default();
    if let Some(record) = &mut exchange.record {
        record.update(|record| {
            for attempt in ended {
                record.add_fact(attempt.fact());
            }
        });
    }
    attempts.noted = attempts.ended.len();
}

/// Whether the call is repeated after this failure. If so, the pause is set and the retry budget has
/// paid.
fn repeat(
    session: &Session,
    exchange: &mut Exchange,
    failure: Failure,
    asked_to_wait: Option<Duration>,
) -> bool {
    let (Some(route), Some(group)) = (&exchange.route, group(exchange)) else {
        return false;
    };
    let settings = &group.settings.retries;
    let rounds = exchange.attempts.rounds;
    let pause = settings.backoff.pause(rounds.saturating_sub(1), random());
    let has_begun = session
        .response_written()
        .is_some_and(|header| !header.status.is_informational());
    let replay = Replay {
        class: route.operation.as_ref().map(|operation| operation.retry),
        effect: route.operation.as_ref().map(|operation| operation.effect),
        is_safe_method: session.req_header().method.is_safe(),
        is_guarded: is_guarded(session, route, settings),
        has_body: session.body_bytes_read() as u64 <= settings.body_bytes
            && !session.as_ref().retry_buffer_truncated(),
        is_unanswered: !has_begun,
        attempts: rounds,
        max_attempts: settings.attempts,
        remaining: exchange.remaining(),
        pause: asked_to_wait.map_or(pause, |asked| asked.max(pause)),
    };
    if exchange.tries >= MAX_TRIES || decide(failure, &replay).is_err() || !group.may_repeat() {
        return false;
    }
    let is_refused = failure.is_unsent() || matches!(failure, Failure::Throttled(_));
    let attempts = &mut exchange.attempts;
    attempts.pause = Some(replay.pause);
    if is_refused || changes_nothing(&replay) {
        exchange.sent = attempts.sent_before;
    } else {
        attempts.may_have_acted = true;
    }
    true
}

fn is_guarded(
    session: &Session,
    route: &Route,
    settings: &crate::domain::resilience::RetrySettings,
) -> bool {
    let documents = route
        .operation
        .as_ref()
        .is_some_and(|operation| operation.replay_guard.is_some());
    let carries = settings
        .idempotency_header
        .as_deref()
        .is_some_and(|name| session.req_header().headers.contains_key(name));
    (settings.guarded && documents) || carries
}

/// A change of a breaker is a record and a line in the log.
fn tell_change(parts: &Parts, changed: &Changed) {
    let Changed { group, change } = changed;
    let (from, to) = (change.from.as_str(), change.to.as_str());
    let (calls, failures, slow) = (change.calls, change.failures, change.slow);
    let name = &*group.name;
    match change.to {
        BreakerState::Open => tracing::warn!(
            target: "egret::breaker",
            group = name, from, to, calls, failures, slow,
            "an endpoint group fails and is left alone for a while"
        ),
        BreakerState::HalfOpen | BreakerState::Closed => tracing::info!(
            target: "egret::breaker",
            group = name, from, to, calls, failures, slow,
            "a breaker has changed"
        ),
    }
    let now = clock::now();
    let Ok(random) = entropy::id_bytes() else {
        return;
    };
    let of = BreakerOf {
        provider: Arc::clone(&group.provider),
        environment: group.environment,
        group: Arc::clone(&group.group),
    };
    let call_id = CallId::from_parts(now.as_millis(), random);
    let record = own::breaker_changed(call_id, now, Arc::clone(&parts.identity), &of, change);
    // What cannot be recorded is counted by the journal; the change happens all the same.
    let _ = parts
        .recorder
        .append(Step::Completion, None, &record, Wait::Nothing);
}
