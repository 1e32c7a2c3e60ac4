//! The two gates: a call goes to the bank only with its intent, and its answer to the caller only
//! with its outcome, as far on the way to the disk as its policy demands.

use std::time::Duration;

use pingora_timeout::timeout;

use super::super::{Exchange, Parts};
use crate::domain::problem::{self, Problem};
use crate::domain::record::{Answer, NotRecorded, Step, judge};
use crate::types::{Decision, Outcome};

/// The longest that a call waits for the disk; less if its own time is over before.
const LONGEST: Duration = Duration::from_secs(5);

/// The least that it waits, for an outcome that comes at the end of a call's time is worth it.
const SHORTEST: Duration = Duration::from_millis(250);

/// Before the first byte goes to the bank.
///
/// # Errors
/// The problem to answer with: nothing was sent.
pub async fn intent(parts: &Parts, exchange: &mut Exchange) -> Result<(), Problem> {
    pass(parts, exchange, Step::Intent)
        .await
        .map_err(|NotRecorded| problem::RECORD_UNAVAILABLE)
}

/// Before the bank's answer goes to the caller, with the status that the caller shall see. Interim
/// answers do not count.
///
/// # Errors
/// The problem to answer with in place of the bank's answer.
pub async fn outcome(parts: &Parts, exchange: &mut Exchange, status: u16) -> Result<(), Problem> {
    let answer = Answer {
        sent: true,
        status: exchange.bank_status.or(Some(status)),
        complete: true,
        caller_left: false,
    };
    let effect = exchange
        .record
        .as_ref()
        .and_then(|open| open.get()?.target.effect);
    let outcome = exchange.attempts.outcome(judge(effect, answer));
    exchange.note(|record| {
        record.status = Some(status);
        record.outcome = outcome;
    });
    pass(parts, exchange, Step::Outcome)
        .await
        .map_err(|NotRecorded| problem::ANSWER_UNRECORDED)
}

/// Before an answer of the gateway's own goes to the caller. Gives the problem to answer with: the
/// same, unless it cannot be recorded and may not go unrecorded.
pub async fn refusal(parts: &Parts, exchange: &mut Exchange, problem: Problem) -> Problem {
    if [problem::RECORD_UNAVAILABLE, problem::ANSWER_UNRECORDED].contains(&problem) {
        // It could not be recorded a moment ago. What can be said of it is kept in memory.
        return problem;
    }
    let sent = exchange.sent;
    exchange.note(|record| {
        record.status = Some(problem.status);
        record.reason.get_or_insert(problem.code.into());
        if record.decision == Decision::Forwarded {
            record.decision = problem.decision;
        }
        record.outcome = if sent {
            Outcome::Unknown
        } else {
            Outcome::Failure
        };
    });
    match pass(parts, exchange, Step::Outcome).await {
        Ok(()) => problem,
        Err(NotRecorded) if sent => problem::ANSWER_UNRECORDED,
        Err(NotRecorded) => problem::RECORD_UNAVAILABLE,
    }
}

async fn pass(parts: &Parts, exchange: &mut Exchange, step: Step) -> Result<(), NotRecorded> {
    let Some(record) = &mut exchange.record else {
        return Ok(());
    };
    let Some(ticket) = record.step(step)? else {
        return Ok(());
    };
    let limit = exchange.remaining().clamp(SHORTEST, LONGEST);
    timeout(limit, parts.journal.settled(ticket))
        .await
        .unwrap_or(Err(NotRecorded))
}
