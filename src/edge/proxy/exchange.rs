//! One call while it is in the house.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use super::routes::Destination;
use super::stages::attempt::Attempts;
use super::{Generation, Parts};
use crate::adapters::capture::Capturing;
use crate::adapters::coalesce::Lead;
use crate::adapters::limits::Place;
use crate::adapters::{clock, entropy};
use crate::domain::advice::Advice;
use crate::domain::catalog::Operation;
use crate::domain::http::TraceParent;
use crate::domain::observe::{Observer, OperationPlans};
use crate::domain::policy::Permit;
use crate::domain::problem::Problem;
use crate::domain::quota::Told;
use crate::domain::record::{CallRecord, OpenRecord};
use crate::domain::telemetry::CallTrace;
use crate::types::{CallId, Micros};

/// Time that a call has until its operation is known.
const UNMATCHED: Duration = Duration::from_secs(30);

/// Where a permitted call goes and what to send.
pub struct Route {
    /// The provider's server and rules.
    pub destination: Arc<Destination>,
    /// Path and query as the bank shall see them.
    pub target: Bytes,
    /// The operation, if the request matched one.
    pub operation: Option<Arc<Operation>>,
    /// What to take from the bodies of a matched operation.
    pub plans: Option<Arc<OperationPlans>>,
    /// Policy let the call pass.
    pub permit: Permit,
    /// What it spends of the bank's limits.
    pub dues: super::stages::admit::Dues,
}

/// A call from its first stage to its last.
pub struct Exchange {
    /// The configuration that it is made under.
    parts: Arc<Generation>,
    call_id: CallId,
    received_at: Micros,
    began: Instant,
    deadline: Instant,
    /// Its place in a trace.
    pub(super) trace: CallTrace,
    /// The open record; `None` before the request is recognised and after closing.
    pub(super) record: Option<OpenRecord>,
    /// Where the call goes, once it may.
    pub(super) route: Option<Route>,
    /// The problem to answer with, or that was answered.
    pub(super) problem: Option<Problem>,
    /// What is advised with a problem, and with which.
    advice: Option<(Problem, Advice)>,
    /// Places of the attempt in the budgets that it spends.
    pub(super) places: SmallVec<[Place; 2]>,
    /// What the bank's header said of its limits.
    pub(super) told: Told,
    /// The bank's status, once its header came.
    pub(super) bank_status: Option<u16>,
    /// Which of the server's addresses is tried.
    pub(super) turn: Option<usize>,
    /// How often an address was tried.
    pub(super) tries: usize,
    /// Where the call is with its attempts.
    pub(super) attempts: Attempts,
    /// A byte of the request may have reached the bank.
    pub(super) sent: bool,
    /// The caller is spoken to in HTTP/2, so its header names have lost their case.
    pub(super) case_lost: bool,
    /// Watches the request's body.
    pub(super) request: Option<Observer>,
    /// Watches the answer's body.
    pub(super) response: Option<super::stages::tap::ResponseTap>,
    /// The bank's error body is being replaced.
    pub(super) mapped: Option<super::stages::map_error::MappedError>,
    /// Others wait for the answer.
    pub(super) lead: Option<Lead>,
    /// The answer that others wait for, as far as it has come.
    pub(super) gathering: Option<super::stages::coalesce::Gathering>,
    /// It was answered with what another call got.
    pub(super) coalesced: bool,
    /// The call is captured for debugging.
    pub(super) capture: Option<Capturing>,
    _in_flight: InFlight,
}

impl Exchange {
    /// Begins a call: it gets its id and its time.
    pub(super) fn begin(parts: Arc<Generation>) -> Self {
        let received_at = clock::now();
        let began = Instant::now();
        let random = entropy::id_bytes().unwrap_or_else(|_| counted_bytes());
        let call_id = CallId::from_parts(received_at.as_millis(), random);
        Self {
            call_id,
            trace: CallTrace::begin(call_id, None, parts.sampler),
            received_at,
            began,
            deadline: began + UNMATCHED,
            record: None,
            route: None,
            problem: None,
            advice: None,
            places: SmallVec::new(),
            told: Told::default(),
            bank_status: None,
            turn: None,
            tries: 0,
            attempts: Attempts::default(),
            sent: false,
            case_lost: false,
            request: None,
            response: None,
            mapped: None,
            lead: None,
            gathering: None,
            coalesced: false,
            capture: None,
            _in_flight: InFlight::new(&parts.in_flight),
            parts,
        }
    }

    /// The configuration that it is made under, from its beginning to its end.
    pub(super) fn parts(&self) -> Arc<Generation> {
        Arc::clone(&self.parts)
    }

    /// Identity of the call.
    pub fn call_id(&self) -> CallId {
        self.call_id
    }

    /// A new record of this call.
    pub(super) fn new_record(&self, parts: &Parts) -> CallRecord {
        let mut record =
            CallRecord::new(self.call_id, self.received_at, Arc::clone(&parts.identity));
        record.trace_id = Some(self.trace.trace_id());
        record
    }

    /// The call is part of the caller's trace, if it has one.
    pub(super) fn go_on_with(&mut self, parts: &Parts, parent: Option<TraceParent>) {
        if parent.is_some() {
            self.trace = CallTrace::begin(self.call_id, parent, parts.sampler);
        }
    }

    /// Sets the time that the whole call may take, counted from its start.
    pub(super) fn allow(&mut self, timeout: Duration) {
        self.deadline = self.began + timeout;
    }

    /// Adds time that was spent waiting for a turn and not for the bank.
    pub(super) fn extend(&mut self, waited: Duration) {
        self.deadline += waited;
    }

    /// Time that is left.
    pub(super) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long ago the request was received.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether the time is over.
    pub(super) fn is_late(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Remembers the problem to answer with.
    pub(super) fn fail_with(&mut self, problem: Problem) {
        self.problem = Some(problem);
    }

    /// Remembers what to advise if this problem is answered; gives the problem back.
    pub(super) fn advise(&mut self, problem: Problem, advice: Advice) -> Problem {
        self.advice = Some((problem, advice));
        problem
    }

    /// What is advised with a problem; another problem's advice would mislead.
    pub(super) fn advice_for(&self, problem: &Problem) -> Option<&Advice> {
        self.advice
            .as_ref()
            .filter(|(of, _)| of == problem)
            .map(|(_, advice)| advice)
    }

    /// Changes the open record; does nothing if there is none.
    pub(super) fn note(&mut self, change: impl FnOnce(&mut CallRecord)) {
        if let Some(record) = &mut self.record {
            record.update(change);
        }
    }
}

/// Unique bytes when the system gives no random ones: ids must not repeat, but need not be secret.
fn counted_bytes() -> [u8; 10] {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 10];
    let count = COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    for (to, from) in bytes.iter_mut().skip(2).zip(count) {
        *to = from;
    }
    bytes
}

/// Counts a call for as long as it lives.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
