//! Everything that is set for the calls to one provider.

use super::{BreakerSettings, BulkheadSettings, RetrySettings, Symptoms};

/// How calls to a provider are repeated, when it is left alone, and how many are in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resilience {
    /// Repetitions.
    pub retries: RetrySettings,
    /// The breaker of each endpoint group; `None` for none.
    pub breaker: Option<BreakerSettings>,
    /// What counts as a bad answer.
    pub symptoms: Symptoms,
    /// The bulkhead of each endpoint group.
    pub bulkheads: BulkheadSettings,
}

impl Default for Resilience {
    fn default() -> Self {
        Self {
            retries: RetrySettings::default(),
            breaker: Some(BreakerSettings::default()),
            symptoms: Symptoms::default(),
            bulkheads: BulkheadSettings::default(),
        }
    }
}
