//! Whether the call may go on.

use super::super::Parts;
use crate::domain::lockdown::Attempt;
use crate::domain::policy::{self, Ask, Permit};
use crate::domain::problem::{self, Problem};
use crate::domain::record::{CallRecord, Fact};
use crate::edge::proxy::routes::Destination;
use crate::types::TokenType;

/// Fact of a refused call: the lock that forbids it, by the id of the command that placed it.
const LOCK: &str = "lock";

/// Asks policy about a call that is recognised, and whether it is locked down.
pub fn decide(
    parts: &Parts,
    destination: &Destination,
    caller: &str,
    present: &[TokenType],
    record: &mut CallRecord,
) -> Result<Permit, Problem> {
    let attempt = Attempt {
        caller: Some(caller),
        provider: record.target.provider.as_deref(),
        operation: record.target.operation.as_deref(),
        token: record.credential.fingerprint,
    };
    let now = record.times.received_at;
    let in_force = parts.lockdown.load();
    if let Some(why) = in_force.forbids(&attempt, now) {
        record.add_fact(Fact {
            name: LOCK.into(),
            value: why.to_string().into(),
        });
        return Err(problem::LOCKED_DOWN);
    }
    if let Some((lock, per_minute)) = in_force.throttles(&attempt, now)
        && !parts.throttles.lock().admit(lock.id, per_minute, now)
    {
        record.add_fact(Fact {
            name: LOCK.into(),
            value: lock.id.to_string().into(),
        });
        return Err(problem::THROTTLED);
    }
    let ask = Ask {
        caller,
        operation_known: record.target.operation.is_some(),
        present,
    };
    policy::decide(&destination.provider.rules, &ask)
}
