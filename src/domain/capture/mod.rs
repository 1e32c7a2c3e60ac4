//! Exchange capture for debugging: which calls, what is kept of them, how it is sealed.
//!
//! A capture is made of a call that is over: its raw bytes, gathered within bounds, go through the
//! redactor into a [`Document`], and the document is sealed into an [`envelope`]. Redaction comes
//! before truncation: the excerpt is cut out of redacted text, and what the redactor has not yet
//! decided on when the gathered bytes end is left out.
//!
//! This module does no I/O and knows no time; threads, files and keys are the adapter's.

mod document;
pub mod envelope;
mod raw;

use crate::domain::config::CaptureRule;
use crate::types::CallId;

pub use document::{About, Body, Document, Side};
pub use raw::{MAX_RAW, RawBody, RawExchange, RawHead};

/// The rule that a call is captured by: the first whose provider and operations fit, if the call
/// is among its samples.
pub fn choose<'r>(
    rules: &'r [CaptureRule],
    provider: &str,
    operation: Option<&str>,
    call_id: CallId,
) -> Option<&'r CaptureRule> {
    let fits = |rule: &&CaptureRule| {
        *rule.provider == *provider
            && (rule.operations.is_empty()
                || operation.is_some_and(|id| rule.operations.iter().any(|known| **known == *id)))
    };
    rules
        .iter()
        .find(fits)
        .filter(|rule| is_sample(call_id, rule.sample))
}

/// Whether a call is one of every `sample`: by its random half, so that nobody has to count.
fn is_sample(call_id: CallId, sample: usize) -> bool {
    let mut random = [0; 8];
    for (to, from) in random.iter_mut().zip(call_id.as_bytes().iter().skip(8)) {
        *to = *from;
    }
    // The variant bits of a UUID stand in the highest places and do not matter here.
    u64::from_be_bytes(random) % (sample.max(1) as u64) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::CaptureBodies;
    use std::time::Duration;

    fn rule(provider: &str, operations: &[&str], sample: usize) -> CaptureRule {
        CaptureRule {
            provider: provider.into(),
            operations: operations.iter().map(|id| (*id).into()).collect(),
            bodies: CaptureBodies::None,
            max_bytes: 1024,
            retention: Duration::from_secs(60),
            sample,
        }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = [
            rule("cybrid", &["bank.create_trade"], 1),
            rule("cybrid", &[], 1_000_000),
            rule("obp", &[], 1),
        ];
        let id = CallId::from_parts(1, [7; 10]);
        let chosen = |provider, operation| {
            choose(&rules, provider, operation, id).map(|rule| rule.operations.len())
        };
        assert_eq!(chosen("cybrid", Some("bank.create_trade")), Some(1));
        assert_eq!(chosen("cybrid", Some("bank.get_trade")), None);
        assert_eq!(chosen("obp", None), Some(0));
        assert_eq!(chosen("wyre", None), None);
    }

    #[test]
    fn about_one_in_so_many_is_a_sample() {
        let samples = (0..4_000_u32).filter(|n| {
            let mut random = [0; 10];
            random[6..].copy_from_slice(&(n.wrapping_mul(2_654_435_761)).to_be_bytes());
            is_sample(CallId::from_parts(1, random), 10)
        });
        let count = samples.count();
        assert!((300..500).contains(&count), "{count}");
    }
}
