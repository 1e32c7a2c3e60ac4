//! The locks in force.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::LockTarget;
use crate::domain::record::Fingerprint;
use crate::types::{CallId, Micros};

/// Most locks at a time. Each is looked at by calls, and more than these nobody oversees.
pub const MAX_LOCKS: usize = 1_000;

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The record of the command that placed it: `egret audit show` tells all about it.
    pub id: CallId,
    /// What is locked.
    pub target: LockTarget,
    /// Why: one line, written by a person, shown to operators only.
    pub reason: Arc<str>,
    /// Who placed it.
    pub by: Arc<str>,
    /// When it was placed.
    pub placed_at: Micros,
    /// When it ends by itself; `None` if it must be lifted.
    pub until: Option<Micros>,
}

impl Lock {
    /// Whether it is in force at a moment. It ends at the very moment that it names.
    pub fn holds_at(&self, now: Micros) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// How long it will hold; `None` if it must be lifted.
    pub fn remaining(&self, now: Micros) -> Option<Duration> {
        self.until.map(|until| until.since(now))
    }
}

/// Why a book was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// As many locks as there may be.
    #[error("there are {MAX_LOCKS} locks, the most there may be; lift some, or lock all")]
    Full,
    /// Nothing to lift.
    #[error("no lock {0} is in force; `egret lockdown list` shows those that are")]
    Unknown(CallId),
}

/// What a call is, as far as locks look at it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Name of the caller.
    pub caller: Option<&'a str>,
    /// Id of the provider.
    pub provider: Option<&'a str>,
    /// Id of the operation; `None` for one that the catalog does not know.
    pub operation: Option<&'a str>,
    /// Fingerprint of the credential.
    pub token: Option<Fingerprint>,
}

impl LockTarget {
    /// Whether a call is one of those that are locked.
    fn covers(&self, attempt: &Attempt<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Provider(id) => attempt.provider == Some(id),
            Self::Operation {
                provider,
                operation,
            } => attempt.provider == Some(provider) && attempt.operation == Some(operation),
            Self::Caller(name) => attempt.caller == Some(name),
            Self::Token(fingerprint) => attempt.token == Some(*fingerprint),
            // It forbids nothing by itself: see `throttles`.
            Self::Throttle { .. } => false,
        }
    }
}

/// The locks in force, oldest first. Never changed in place: every operation makes a new book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockBook {
    locks: Vec<Lock>,
}

impl LockBook {
    /// A book of these locks, each id once, at most [`MAX_LOCKS`].
    pub fn new(locks: impl IntoIterator<Item = Lock>) -> Self {
        let mut seen = HashSet::new();
        let mut locks: Vec<Lock> = locks
            .into_iter()
            .filter(|lock| seen.insert(lock.id))
            .collect();
        locks.sort_by_key(|lock| (lock.placed_at, lock.id));
        // The oldest stay: who floods the book with locks must not push others out.
        locks.truncate(MAX_LOCKS);
        Self { locks }
    }

    /// Its locks.
    pub fn locks(&self) -> &[Lock] {
        &self.locks
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.locks.is_empty()
    }

    /// The lock that forbids a call, if one does.
    pub fn forbids(&self, attempt: &Attempt<'_>, now: Micros) -> Option<&Lock> {
        let mut locks = self.locks.iter();
        locks.find(|lock| lock.holds_at(now) && lock.target.covers(attempt))
    }

    /// The lock that lets only some calls of the attempt's caller through, and how many a minute; the
    /// strictest of several.
    pub fn throttles(&self, attempt: &Attempt<'_>, now: Micros) -> Option<(&Lock, u32)> {
        let locks = self.locks.iter().filter(|lock| lock.holds_at(now));
        let throttles = locks.filter_map(|lock| match &lock.target {
            LockTarget::Throttle { caller, per_minute } if attempt.caller == Some(caller) => {
                Some((lock, *per_minute))
            }
            _ => None,
        });
        throttles.min_by_key(|(_, per_minute)| *per_minute)
    }

    /// The book with one lock more, without those whose time is over.
    ///
    /// # Errors
    /// [`LockError::Full`].
    pub fn add(&self, lock: Lock, now: Micros) -> Result<Self, LockError> {
        let left = self.locks.iter().filter(|lock| lock.holds_at(now)).cloned();
        let locks: Vec<Lock> = left.chain([lock]).collect();
        if locks.len() > MAX_LOCKS {
            return Err(LockError::Full);
        }
        Ok(Self::new(locks))
    }

    /// The book without a lock, and the lock.
    ///
    /// # Errors
    /// [`LockError::Unknown`].
    pub fn lift(&self, id: CallId, now: Micros) -> Result<(Self, Lock), LockError> {
        let lifted = self
            .locks
            .iter()
            .find(|lock| lock.id == id && lock.holds_at(now))
            .cloned()
            .ok_or(LockError::Unknown(id))?;
        let left = self.locks.iter().filter(|lock| lock.id != id).cloned();
        Ok((Self::new(left), lifted))
    }

    /// All locks of both books.
    pub fn with(&self, other: &Self) -> Self {
        Self::new(self.locks.iter().chain(&other.locks).cloned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Micros = Micros::from_secs(1_795_305_338);

    fn lock(number: i64, target: &str, until: Option<Micros>) -> Lock {
        Lock {
            id: CallId::floor(number),
            target: LockTarget::parse(target).unwrap(),
            reason: "drill".into(),
            by: "ann".into(),
            placed_at: Micros(number),
            until,
        }
    }

    fn attempt() -> Attempt<'static> {
        Attempt {
            caller: Some("payments"),
            provider: Some("cybrid"),
            operation: Some("bank.create_trade"),
            token: Some(Fingerprint::from_bytes([7; 16])),
        }
    }

    #[test]
    fn a_lock_covers_what_it_names_and_nothing_else() {
        let token = format!("token:{}", Fingerprint::from_bytes([7; 16]));
        for (target, covers) in [
            ("all", true),
            ("throttle:5/payments", false),
            ("provider:cybrid", true),
            ("provider:obp", false),
            ("operation:cybrid/bank.create_trade", true),
            ("operation:obp/bank.create_trade", false),
            ("operation:cybrid/bank.create_transfer", false),
            ("caller:payments", true),
            ("caller:payment", false),
            (&*token, true),
            ("token:00112233445566778899aabbccddeeff", false),
        ] {
            let book = LockBook::new([lock(1, target, None)]);
            assert_eq!(book.forbids(&attempt(), NOW).is_some(), covers, "{target}");
        }
        let nobody = Attempt {
            caller: None,
            provider: None,
            operation: None,
            token: None,
        };
        let all_but_all = ["provider:cybrid", "caller:payments", &*token];
        let book = LockBook::new(
            (1..)
                .zip(all_but_all)
                .map(|(n, target)| lock(n, target, None)),
        );
        assert_eq!(book.forbids(&nobody, NOW), None);
    }

    #[test]
    fn a_lock_ends_at_the_moment_that_it_names() {
        let until = NOW.plus(Duration::from_secs(60));
        let book = LockBook::new([lock(1, "all", Some(until))]);
        assert!(book.forbids(&attempt(), Micros(until.0 - 1)).is_some());
        assert!(book.forbids(&attempt(), until).is_none());
        // It is not there to be lifted then, and gives way to the next lock.
        assert!(matches!(
            book.lift(CallId::floor(1), until),
            Err(LockError::Unknown(_))
        ));
        let next = book.add(lock(2, "caller:a", None), until).unwrap();
        assert_eq!(next.locks().len(), 1);
    }

    #[test]
    fn a_lifted_lock_is_gone_and_others_stay() {
        let book = LockBook::new([lock(1, "all", None), lock(2, "provider:obp", None)]);
        let (left, lifted) = book.lift(CallId::floor(1), NOW).unwrap();
        assert_eq!(lifted.target, LockTarget::All);
        assert_eq!(left.locks().len(), 1);
        assert!(left.forbids(&attempt(), NOW).is_none());
        let error = left.lift(CallId::floor(1), NOW).unwrap_err();
        assert!(error.to_string().contains("egret lockdown list"));
    }

    #[test]
    fn there_is_an_end_to_locks() {
        let full = LockBook::new((1..=1_000).map(|n| lock(n, "caller:a", None)));
        assert_eq!(
            full.add(lock(5_000, "all", None), NOW),
            Err(LockError::Full)
        );
    }

    proptest! {
        #[test]
        fn books_meet_without_losing_or_doubling_a_lock(
            one in proptest::collection::vec(1i64..40, 0..20),
            other in proptest::collection::vec(1i64..40, 0..20),
        ) {
            let of = |numbers: &[i64]| LockBook::new(numbers.iter().map(|n| lock(*n, "all", None)));
            let both = of(&one).with(&of(&other));
            let wanted: HashSet<i64> = one.iter().chain(&other).copied().collect();
            prop_assert_eq!(both.locks().len(), wanted.len());
            prop_assert_eq!(of(&other).with(&of(&one)), both);
        }
    }
}
