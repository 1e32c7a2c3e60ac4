//! What detection says, as a sign.

use super::{Baseline, Category, Severity, Sign};
use crate::domain::detect::{self, Told};
use crate::types::Micros;

impl From<detect::Severity> for Severity {
    fn from(severity: detect::Severity) -> Self {
        match severity {
            detect::Severity::Info => Self::Info,
            detect::Severity::Low => Self::Low,
            detect::Severity::Medium => Self::Medium,
            detect::Severity::High => Self::High,
            detect::Severity::Critical => Self::Critical,
        }
    }
}

impl Sign {
    /// The sign that an alert is; `None` for a notice that belongs to no incident.
    #[must_use]
    pub fn of(told: &Told) -> Option<Self> {
        let alert = &told.alert;
        if alert.incident == 0 {
            return None;
        }
        let millis = |ms: i64| Micros(ms.saturating_mul(1_000));
        Some(Self {
            at: millis(alert.at),
            since: millis(alert.since),
            rule: alert.rule.to_owned(),
            // A test holds that every rule has a category that incidents know.
            category: alert.category.parse().unwrap_or(Category::Novelty),
            severity: alert.severity.into(),
            cause: Some(told.cause),
            environment: alert.environment.to_owned(),
            caller: alert.caller.clone(),
            ip: alert.ip.clone(),
            subject: alert.subject.clone(),
            token: alert.token.clone(),
            target: alert.target.clone(),
            baseline: alert.baseline.map(|baseline| Baseline {
                count: baseline.count,
                expected: baseline.expected,
                window_s: baseline.window,
                score: baseline.score,
                threshold: baseline.threshold,
            }),
            calls: alert.calls.iter().map(|call| name(*call)).collect(),
            sentence: alert.text.clone(),
        })
    }
}

/// A call's UUID in its usual spelling.
fn name(call: u128) -> String {
    crate::types::CallId::from_bytes(call.to_be_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detect::{Alert, Mark, RULES};
    use crate::domain::incident::read_line;

    fn told(incident: u64) -> Told {
        Told {
            mark: Mark { run: 1, number: 1 },
            cause: incident,
            alert: Alert {
                at: 1_795_323_600_123,
                rule: "thin-mints",
                category: "mint_unused",
                severity: detect::Severity::High,
                incident,
                environment: "production",
                caller: "app".into(),
                ip: "192.0.2.1".into(),
                subject: "aa".into(),
                token: "bb".into(),
                target: "cc".into(),
                since: 1_795_323_500_000,
                signs: 4,
                baseline: Some(detect::Baseline {
                    count: 40.0,
                    expected: 2.5,
                    score: 90.0,
                    threshold: 14.0,
                    window: 600,
                }),
                calls: vec![0x0199_0000_0000_7000_8000_0000_0000_0001],
                text: "app mints.".into(),
            },
        }
    }

    #[test]
    fn a_sign_is_what_its_line_would_be_read_as() {
        let told = told(3);
        let line = serde_json::to_string(&told.alert).unwrap();
        assert_eq!(Sign::of(&told), read_line(&line).unwrap().pop());
    }

    #[test]
    fn a_notice_is_no_sign() {
        assert_eq!(Sign::of(&told(0)), None);
    }

    #[test]
    fn incidents_know_every_category_of_rules() {
        for rule in RULES {
            assert!(rule.category.parse::<Category>().is_ok(), "{}", rule.name);
        }
    }
}
