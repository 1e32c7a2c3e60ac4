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
    use crate::domain::incident::{Book, Settings, StepKind};

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
    fn a_sign_says_what_its_line_says() {
        let told = told(3);
        let line = serde_json::to_value(&told.alert).unwrap();
        let sign = Sign::of(&told).unwrap();
        let baseline = sign.baseline.unwrap();
        let said = serde_json::json!({
            "ts": sign.at.0 / 1_000, "since": sign.since.0 / 1_000, "rule": sign.rule,
            "category": sign.category, "severity": sign.severity, "incident": sign.cause,
            "env": sign.environment, "caller": sign.caller, "ip": sign.ip,
            "subject": sign.subject, "token": sign.token, "target": sign.target,
            "n": baseline.count, "expected": baseline.expected, "score": baseline.score,
            "threshold": baseline.threshold, "window_s": baseline.window_s,
            "calls": sign.calls, "text": sign.sentence,
        });
        for (key, value) in said.as_object().unwrap() {
            assert_eq!(&line[key], value, "{key}");
        }
    }

    #[test]
    fn what_was_heard_is_not_taken_in_again() {
        let sign = Sign::of(&told(3)).unwrap();
        let mark = |run, number| Mark { run, number };
        let mut book = Book::new(Settings::default());
        let mut hear = |run, number| {
            // As a restart has it.
            book = Book::load(&book.save(), Settings::default()).unwrap();
            let heard = book.hear(&sign, mark(run, number));
            heard.map(|(taken, notices)| (taken.is_new, notices.len()))
        };
        assert_eq!(hear(1, 4), Some((true, 1)));
        assert_eq!(hear(1, 3), None);
        assert_eq!(hear(1, 4), None);
        assert_eq!(hear(1, 5), Some((false, 0)));
        // Another run: its numbers say nothing about these.
        assert_eq!(hear(2, 1), Some((false, 0)));
        let case = book.cases().next().unwrap();
        assert_eq!((case.signs, case.told), (3, 1));
    }

    #[test]
    fn what_was_done_is_noted() {
        let sign = Sign::of(&told(3)).unwrap();
        let mut book = Book::new(Settings::default());
        let heard = book.hear(&sign, Mark { run: 1, number: 1 });
        let id = heard.unwrap().0.incident;
        book.note(&id, "caller:app is locked down".into(), sign.at);
        book.note("inc-none", "nothing".into(), sign.at);
        let case = book.case(&id).unwrap();
        let last = case.steps.last().unwrap();
        assert_eq!(last.kind, StepKind::Responded);
        assert!(crate::domain::incident::show(case).contains("caller:app is locked down"));
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
