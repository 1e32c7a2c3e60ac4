//! What indices of series stand for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::health::CallPlace;
use crate::domain::http::Refusal;
use crate::domain::problem;
use crate::domain::recognise::METHODS;
use crate::domain::record::{Attempt, AttemptEnd, CallRecord, Target};
use crate::domain::resilience::Failure;
use crate::types::Outcome;

use super::key::{Key, MAX_PLACES, Tag};
use super::{HTTPS, OverCall};

/// What stands for a reason that is none of a problem's.
const OTHER: &str = "other";

/// What stands for a caller that went away before the end.
const CALLER_LEFT: &str = "caller_left";

/// Why an attempt has no answer, or why one with an answer was repeated.
const FAILURES: [&str; 8] = [
    "not_connected",
    "not_processed",
    "reused_closed",
    "broken",
    "late",
    CALLER_LEFT,
    "throttled",
    "server_error",
];

/// The words of all series.
pub struct Names {
    places: Vec<Arc<CallPlace>>,
    operations: Vec<Arc<str>>,
    operation_index: HashMap<Arc<str>, u16>,
    kinds: Vec<Arc<str>>,
    /// Codes of problems, sorted.
    reasons: Vec<&'static str>,
}

impl Names {
    /// Of the places that calls go to, the operations of their catalogs, and the kinds of tokens that
    /// those mint.
    pub fn new(
        places: impl IntoIterator<Item = CallPlace>,
        operations: impl IntoIterator<Item = Arc<str>>,
        kinds: impl IntoIterator<Item = Arc<str>>,
    ) -> Self {
        let unique = |words: &mut Vec<Arc<str>>| {
            words.sort_unstable();
            words.dedup();
            words.truncate(usize::from(u16::MAX) - 1);
        };
        let mut operations: Vec<_> = operations.into_iter().collect();
        unique(&mut operations);
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        unique(&mut kinds);
        let problems = problem::ALL.iter().map(|problem| problem.code);
        let refusals = Refusal::ALL.iter().map(|refusal| refusal.as_str());
        let mut reasons: Vec<_> = problems
            .chain(refusals)
            .chain([OTHER, CALLER_LEFT])
            .collect();
        reasons.sort_unstable();
        reasons.dedup();
        let index = (1_u16..).zip(&operations);
        Self {
            places: places
                .into_iter()
                .take(MAX_PLACES - 1)
                .map(Arc::new)
                .collect(),
            operation_index: index.map(|(at, id)| (Arc::clone(id), at)).collect(),
            operations,
            kinds,
            reasons,
        }
    }

    /// These and what others have besides, under further indices; `None` if they have nothing.
    pub(super) fn extended(&self, others: &Self) -> Option<Self> {
        let mut all = Self {
            places: self.places.clone(),
            operations: self.operations.clone(),
            operation_index: self.operation_index.clone(),
            kinds: self.kinds.clone(),
            reasons: self.reasons.clone(),
        };
        let room = usize::from(u16::MAX) - 1;
        for place in &others.places {
            if !all.places.contains(place) && all.places.len() + 1 < MAX_PLACES {
                all.places.push(Arc::clone(place));
            }
        }
        for operation in &others.operations {
            let at = all.operations.len() + 1;
            if !all.operation_index.contains_key(operation) && at <= room {
                all.operations.push(Arc::clone(operation));
                let index = u16::try_from(at).unwrap_or(0);
                all.operation_index.insert(Arc::clone(operation), index);
            }
        }
        for kind in &others.kinds {
            if !all.kinds.contains(kind) && all.kinds.len() < room {
                all.kinds.push(Arc::clone(kind));
            }
        }
        let size = |names: &Self| names.places.len() + names.operations.len() + names.kinds.len();
        (size(&all) > size(self)).then_some(all)
    }

    /// The places, whose indices begin with 1.
    pub fn places(&self) -> &[Arc<CallPlace>] {
        &self.places
    }

    pub(super) fn place(&self, index: usize) -> Option<Arc<CallPlace>> {
        self.places.get(index.checked_sub(1)?).map(Arc::clone)
    }

    pub(super) fn place_of(&self, target: &Target) -> usize {
        let (Some(provider), Some(environment), Some(service)) =
            (&target.provider, target.environment, &target.service)
        else {
            return 0;
        };
        // From the end: a service that has moved is counted where it is.
        let found = self.places.iter().rposition(|place| {
            place.environment == environment
                && place.service == *service
                && place.provider == *provider
        });
        found.map_or(0, |at| at + 1)
    }

    pub(super) fn operation(&self, id: Option<&str>) -> u16 {
        id.and_then(|id| self.operation_index.get(id).copied())
            .unwrap_or(0)
    }

    pub(super) fn operation_name(&self, index: u16) -> Option<Arc<str>> {
        let index = usize::from(index).checked_sub(1)?;
        self.operations.get(index).map(Arc::clone)
    }

    pub(super) fn kind(&self, kind: &str) -> u16 {
        position(&self.kinds, |known| &**known == kind)
    }

    pub(super) fn kind_name(&self, index: u16) -> Arc<str> {
        let known = usize::from(index).checked_sub(1);
        let known = known.and_then(|index| self.kinds.get(index));
        known.map_or_else(|| OTHER.into(), Arc::clone)
    }

    pub(super) fn method(&self, method: &str) -> u16 {
        position(&METHODS, |known| *known == method)
    }

    pub(super) fn method_name(&self, index: u16) -> &'static str {
        let known = usize::from(index).checked_sub(1);
        known
            .and_then(|index| METHODS.get(index))
            .copied()
            .unwrap_or(OTHER)
    }

    /// The index of a reason; 0 for none.
    pub(super) fn reason(&self, reason: Option<&str>) -> u16 {
        let Some(reason) = reason else {
            return 0;
        };
        let find = |word: &str| self.reasons.binary_search(&word).ok();
        let found = find(reason).or_else(|| find(OTHER));
        found.map_or(0, |at| u16::try_from(at + 1).unwrap_or(0))
    }

    pub(super) fn reason_name(&self, index: u16) -> Option<&'static str> {
        let index = usize::from(index).checked_sub(1)?;
        self.reasons.get(index).copied()
    }

    pub(super) fn server_key(&self, place: usize, call: &OverCall<'_>) -> Key {
        let https = if call.is_https { HTTPS } else { 0 };
        Key {
            tag: Tag::Server,
            place,
            a: self.method(call.record.target.method),
            b: call.record.status.unwrap_or(0),
            c: self.error_of(call.record) | https,
        }
    }

    pub(super) fn client_key(&self, place: usize, record: &CallRecord, attempt: &Attempt) -> Key {
        let (status, error) = self.end(attempt.end);
        Key {
            tag: Tag::Client,
            place,
            a: self.method(record.target.method),
            b: status,
            c: error,
        }
    }

    /// Why a call went wrong, apart from what its status says.
    pub(super) fn error_of(&self, record: &CallRecord) -> u16 {
        match record.outcome {
            // A success that has a reason was shared with another call.
            Outcome::Success => 0,
            Outcome::Cancelled => self.reason(Some(CALLER_LEFT)),
            Outcome::Failure | Outcome::Unknown => self.reason(record.reason.as_deref()),
        }
    }

    /// Status and failure of an attempt; 0 for none.
    pub(super) fn end(&self, end: AttemptEnd) -> (u16, u16) {
        match end {
            AttemptEnd::Answered(status)
            | AttemptEnd::Failed(Failure::ServerError(status) | Failure::Throttled(status)) => {
                (status, 0)
            }
            AttemptEnd::Failed(Failure::NotConnected) => (0, 1),
            AttemptEnd::Failed(Failure::NotProcessed) => (0, 2),
            AttemptEnd::Failed(Failure::ReusedClosed) => (0, 3),
            AttemptEnd::Failed(Failure::Broken) => (0, 4),
            AttemptEnd::Failed(Failure::Late) => (0, 5),
            AttemptEnd::Left => (0, 6),
        }
    }

    /// Why an attempt was repeated; 0 for none.
    pub(super) fn cause(&self, end: AttemptEnd) -> u16 {
        match end {
            AttemptEnd::Failed(Failure::Throttled(_)) => 7,
            AttemptEnd::Failed(Failure::ServerError(_)) => 8,
            _ => self.end(end).1,
        }
    }

    pub(super) fn failure_name(&self, index: u16) -> Option<&'static str> {
        let index = usize::from(index).checked_sub(1)?;
        FAILURES.get(index).copied()
    }
}

/// One more than the position of a word; 0 for one that is not there.
fn position<T>(words: &[T], is_it: impl Fn(&T) -> bool) -> u16 {
    let found = words.iter().position(is_it);
    found.map_or(0, |at| u16::try_from(at + 1).unwrap_or(0))
}
