//! What a count, an expectation or a threshold would have had to be.

use super::{number, surprise};
use crate::domain::detect::{Rule, Sensitivity, Settings};
use crate::domain::incident::Baseline;

/// Steps of a bisection: more than a float has digits.
const STEPS: u32 = 80;

/// The count and the expectation at which it would have been quiet.
pub(super) fn numbers(baseline: &Baseline) -> Vec<String> {
    let (n, l, t) = (baseline.count, baseline.expected, baseline.threshold);
    if t <= 0.0 || surprise(n, l) < t {
        // A fixed limit, or a measure of the rule's own.
        return Vec::new();
    }
    let window = baseline.window_s;
    let most = largest(l, n, |count| surprise(count, l) < t);
    let usual = largest(0.0, n - l, |less| surprise(n, n - less) < t);
    vec![
        format!(
            "{} or fewer in {window} seconds instead of {}",
            number(most.floor()),
            number(n)
        ),
        format!(
            "or if {} or more had been usual there instead of {}",
            number(((n - usual) * 10.0).ceil() / 10.0),
            number(l)
        ),
    ]
}

/// The largest number between two for which something holds that holds for small ones only.
fn largest(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The milder sensitivity, and what it would have done.
pub(super) fn sensitivity(
    rule: &Rule,
    baseline: &Baseline,
    settings: &Settings,
) -> Option<(&'static str, String)> {
    if baseline.threshold <= 0.0 || rule.nats <= 0.0 {
        return None;
    }
    let own = settings
        .rules
        .get(rule.name)
        .and_then(|own| own.sensitivity);
    let in_force = own.unwrap_or(settings.sensitivity);
    let (milder, word) = match in_force {
        Sensitivity::High => (Sensitivity::Normal, "normal"),
        Sensitivity::Normal | Sensitivity::Low => (Sensitivity::Low, "low"),
    };
    let threshold = baseline.threshold * nats(milder) / nats(in_force);
    let score = number(baseline.score);
    let does = if in_force == Sensitivity::Low {
        format!(
            "is in force: told from {} nats on, and this had {score}",
            number(threshold)
        )
    } else if baseline.score < threshold {
        format!(
            "would have kept it quiet: told from {} nats on, and this had {score}",
            number(threshold)
        )
    } else {
        format!(
            "would have told it all the same: from {} nats on, and this had {score}",
            number(threshold)
        )
    };
    Some((word, does))
}

/// What a sensitivity asks of a rule with the usual threshold; others are in proportion.
fn nats(sensitivity: Sensitivity) -> f64 {
    match sensitivity {
        Sensitivity::Low => 20.0,
        Sensitivity::Normal => 14.0,
        Sensitivity::High => 9.0,
    }
}
