//! Everything that locks a gateway.

use std::sync::Arc;

use super::{Attempt, Lock, LockBook};
use crate::types::Micros;

/// What is locked, from wherever it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// The sentinel file is there: everything is locked.
    pub sentinel: bool,
    /// The locks of this node.
    pub local: Arc<LockBook>,
    /// The locks of the fleet.
    pub shared: Arc<LockBook>,
}

/// Why a call is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden<'a> {
    /// By the sentinel file.
    Sentinel,
    /// By a lock.
    By(&'a Lock),
}

impl InForce {
    /// Why a call is forbidden; `None` if it may go on.
    pub fn forbids(&self, attempt: &Attempt<'_>, now: Micros) -> Option<Forbidden<'_>> {
        if self.sentinel {
            return Some(Forbidden::Sentinel);
        }
        let local = self.local.forbids(attempt, now);
        local
            .or_else(|| self.shared.forbids(attempt, now))
            .map(Forbidden::By)
    }

    /// The lock that lets only some calls through, and how many a minute; the strictest of several.
    pub fn throttles(&self, attempt: &Attempt<'_>, now: Micros) -> Option<(&Lock, u32)> {
        let books = [&self.local, &self.shared];
        let found = books
            .into_iter()
            .filter_map(|book| book.throttles(attempt, now));
        found.min_by_key(|(_, per_minute)| *per_minute)
    }

    /// How many locks hold; the sentinel counts as one.
    pub fn count(&self, now: Micros) -> usize {
        let holds = |book: &LockBook| {
            book.locks()
                .iter()
                .filter(|lock| lock.holds_at(now))
                .count()
        };
        usize::from(self.sentinel) + holds(&self.local) + holds(&self.shared)
    }
}

impl std::fmt::Display for Forbidden<'_> {
    /// As in the record of a refused call: the id of the lock, or `sentinel`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sentinel => f.write_str("sentinel"),
            Self::By(lock) => lock.id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lockdown::LockTarget;
    use crate::types::CallId;

    #[test]
    fn each_source_locks_by_itself() {
        let attempt = Attempt {
            caller: Some("payments"),
            provider: Some("cybrid"),
            operation: None,
            token: None,
        };
        let book = |target: &str, id| {
            Arc::new(LockBook::new([Lock {
                id: CallId::floor(id),
                target: LockTarget::parse(target).unwrap(),
                reason: "drill".into(),
                by: "ann".into(),
                placed_at: Micros(1),
                until: None,
            }]))
        };
        let now = Micros(2);
        assert_eq!(InForce::default().forbids(&attempt, now), None);
        let sentinel = InForce {
            sentinel: true,
            ..InForce::default()
        };
        let why = sentinel.forbids(&attempt, now);
        assert_eq!(why.map(|why| why.to_string()).as_deref(), Some("sentinel"));
        let locked = InForce {
            sentinel: false,
            local: book("caller:payments", 1),
            shared: book("provider:cybrid", 2),
        };
        let why = locked.forbids(&attempt, now).unwrap().to_string();
        assert_eq!(why, CallId::floor(1).to_string());
        assert_eq!(locked.count(now), 2);
        let throttled = InForce {
            sentinel: false,
            local: book("throttle:9/payments", 3),
            shared: book("throttle:4/payments", 4),
        };
        assert_eq!(throttled.forbids(&attempt, now), None);
        let (lock, per_minute) = throttled.throttles(&attempt, now).unwrap();
        assert_eq!((lock.id, per_minute), (CallId::floor(4), 4));
        assert_eq!(locked.throttles(&attempt, now), None);
        let shared = InForce {
            local: Arc::default(),
            ..locked
        };
        let why = shared.forbids(&attempt, now).unwrap().to_string();
        assert_eq!(why, CallId::floor(2).to_string());
    }
}
