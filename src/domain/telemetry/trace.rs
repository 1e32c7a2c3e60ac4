//! The place of a call in a trace.

use crate::domain::http::TraceParent;
use crate::types::{CallId, TraceId};

/// Which traces that begin here are told; those of callers go by what the caller has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// Traces whose randomness is below are not told.
    threshold: u64,
}

/// Randomness of a trace id: its last seven bytes (W3C Trace Context, level 2, section 3.2.2.3.1).
const RANDOMNESS: u64 = 1 << 56;

impl Sampler {
    /// Tells this part of all traces, 0 to 1. Other programs that decide by the randomness of the trace
    /// (OpenTelemetry's consistent probability sampling) decide the same.
    pub fn ratio(ratio: f64) -> Self {
        let told = (ratio.clamp(0.0, 1.0) * RANDOMNESS as f64) as u64;
        Self {
            threshold: RANDOMNESS - told,
        }
    }

    /// Tells none.
    pub const fn never() -> Self {
        Self {
            threshold: RANDOMNESS,
        }
    }

    fn tells(self, trace: TraceId) -> bool {
        u128::from_be_bytes(*trace.as_bytes()) as u64 % RANDOMNESS >= self.threshold
    }
}

/// The place of a call in a trace.
///
/// The span of the call has the last eight bytes of its id, which are random but for two bits; its
/// attempts have the numbers after that. A trace that begins here has the id of the call. So whoever has a
/// record has all ids of its spans, and the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTrace {
    /// Its own span.
    own: TraceParent,
    /// The caller's span.
    parent: Option<[u8; 8]>,
}

impl CallTrace {
    /// Goes on with the caller's trace, or begins one.
    pub fn begin(call: CallId, parent: Option<TraceParent>, sampler: Sampler) -> Self {
        let bytes = u128::from_be_bytes(*call.as_bytes());
        let span = (bytes as u64).to_be_bytes();
        match parent {
            Some(parent) => Self {
                own: parent.child(span),
                parent: Some(parent.parent_id()),
            },
            None => {
                let trace = TraceId::from_random(*call.as_bytes());
                Self {
                    own: TraceParent::root(trace, span, sampler.tells(trace)),
                    parent: None,
                }
            }
        }
    }

    /// The trace.
    pub const fn trace_id(&self) -> TraceId {
        self.own.trace_id()
    }

    /// The span of the call.
    pub const fn span_id(&self) -> [u8; 8] {
        self.own.parent_id()
    }

    /// The caller's span.
    pub const fn parent_id(&self) -> Option<[u8; 8]> {
        self.parent
    }

    /// Whether the trace is told.
    pub const fn is_sampled(&self) -> bool {
        self.own.is_sampled()
    }

    /// What the bank gets with an attempt, counted from 1.
    pub fn attempt(&self, number: u32) -> TraceParent {
        let own = u64::from_be_bytes(self.span_id());
        self.own
            .child(own.wrapping_add(u64::from(number)).to_be_bytes())
    }
}
