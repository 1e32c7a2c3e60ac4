//! Within the bank's limits: every attempt has a place in each budget that it spends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora_http::{RequestHeader, ResponseHeader};
use smallvec::SmallVec;

use super::super::routes::Destination;
use super::super::{Exchange, Parts};
use crate::adapters::clock;
use crate::adapters::limits::{Denied, Gate, Place};
use crate::domain::advice::{Advice, Allowance};
use crate::domain::catalog::Operation;
use crate::domain::problem::{self, Problem};
use crate::domain::quota::{PATIENCE_FIELD, PRIORITY_FIELD, Told, Wish, priority_of};
use crate::domain::record::CallRecord;
use crate::types::Priority;

/// The least that a refused caller is told to stay away: at once would mean that it should have
/// waited.
const SOON: Duration = Duration::from_secs(1);

/// What a call spends, and how it waits for it.
pub struct Dues {
    gates: SmallVec<[Arc<Gate>; 2]>,
    caller: Arc<str>,
    priority: Priority,
    /// What is left of it.
    patience: Duration,
}

impl Dues {
    /// How urgent the call is.
    pub fn priority(&self) -> Priority {
        self.priority
    }
}

/// Finds out what a call spends.
///
/// # Errors
/// The problem to answer with: the caller asks for something that is not understood.
pub fn expect(
    parts: &Parts,
    request: &RequestHeader,
    destination: &Destination,
    operation: Option<&Operation>,
    caller: &Arc<str>,
    record: &CallRecord,
) -> Result<Dues, Problem> {
    let field = |name: &str| request.headers.get(name).map(http::HeaderValue::as_bytes);
    let wish = Wish::read(field(PRIORITY_FIELD), field(PATIENCE_FIELD))?;
    let plans = &destination.provider.budgets;
    let spent = plans.of(operation.map(|operation| &*operation.id), record);
    let gates = spent
        .into_iter()
        .filter_map(|(plan, part)| parts.budgets.gate(plan, destination.environment, part))
        .collect();
    let usual = operation.map_or(Priority::Read, |operation| priority_of(operation.effect));
    let policy = &parts.budget_rules;
    let priority = policy.priority(usual, caller, wish.priority);
    Ok(Dues {
        gates,
        caller: Arc::clone(caller),
        priority,
        patience: policy.patience.of(priority, wish.patience),
    })
}

/// Takes a place in every budget for the next attempt; what the attempt before had is over.
///
/// # Errors
/// The problem to answer with. No place is held then.
pub async fn admit(_: &Parts, exchange: &mut Exchange) -> Result<(), Problem> {
    exchange.places.clear();
    let Some(dues) = exchange.route.as_ref().map(|route| &route.dues) else {
        return Ok(());
    };
    if dues.gates.is_empty() {
        return Ok(());
    }
    let mut places = SmallVec::new();
    let mut left = dues.patience;
    let mut denied = None;
    let began = Instant::now();
    for gate in &dues.gates {
        match gate
            .admit(Arc::clone(&dues.caller), dues.priority, left)
            .await
        {
            Ok(place) => places.push(place),
            Err(why) => {
                denied = Some((Arc::clone(gate), why));
                break;
            }
        }
        left = dues.patience.saturating_sub(began.elapsed());
    }
    // The time in the queue is the caller's patience, not the bank's time to answer.
    exchange.extend(began.elapsed());
    if let Some(route) = &mut exchange.route {
        route.dues.patience = left;
    }
    match denied {
        None => {
            exchange.places = places;
            Ok(())
        }
        Some((gate, denied)) => {
            drop(places);
            Err(exchange.advise(problem::BUDGET_SPENT, advice(&gate, denied)))
        }
    }
}

fn advice(gate: &Gate, denied: Denied) -> Advice {
    let plan = gate.plan();
    Advice {
        retry_after: Some(denied.retry_after.max(SOON)),
        budget: Some(Arc::clone(&plan.name)),
        allowance: Some(Allowance {
            quota: denied.standing.limit,
            window: plan.settings.span,
            // For this call nothing is, although something may be kept for more urgent ones.
            remaining: 0,
            reset: denied.reset,
        }),
        ..Advice::default()
    }
}

/// From here on the bank may have seen the attempt.
pub fn sent(exchange: &mut Exchange) {
    exchange.places.iter_mut().for_each(Place::sent);
}

/// The bank has answered: learns from the header. Whether a 403 is for want of allowance shows in
/// the body only, see [`settle`].
pub fn answered(exchange: &mut Exchange, response: &ResponseHeader) {
    let status = response.status.as_u16();
    if status < 200 || exchange.places.is_empty() {
        return;
    }
    let field = |name: &str| response.headers.get(name).map(http::HeaderValue::as_bytes);
    let told = Told::read(field, clock::now().as_secs());
    exchange.told = told;
    for place in &mut exchange.places {
        place.answered(&told, status == 429);
    }
}

/// The attempt is over. `code` is the bank's error code, if its answer had one.
///
/// Where a limit is told with another status than 429, such as Cybrid's 403 for tokens, it comes
/// from in front of the bank's application: a permission that is missing has a code, a limit has
/// none.
pub fn settle(exchange: &mut Exchange, code: Option<&str>) {
    let is_limit = |status: u16| {
        status != 429
            && exchange.bank_status == Some(status)
            && code.is_none_or(|code| code == crate::domain::catalog::UNLISTED)
    };
    let told = exchange.told;
    for mut place in std::mem::take(&mut exchange.places) {
        if is_limit(place.plan().status) {
            place.refused(&told);
        }
    }
}
