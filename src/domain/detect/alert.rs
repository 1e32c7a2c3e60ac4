//! What is told: one line a time, in the alert format.

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// How much it matters. From [`Severity::Medium`] on somebody is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Goes with something that was told already.
    Info,
    /// Worth a look when there is time.
    Low,
    /// Worth a call.
    Medium,
    /// Most likely an attack.
    High,
    /// An attack seen in more than one way.
    Critical,
}

impl Severity {
    /// The word of the alert format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Whether somebody is called.
    #[must_use]
    pub fn is_page(self) -> bool {
        self >= Self::Medium
    }

    pub(super) fn raised(self) -> Self {
        match self {
            Self::Info => Self::Low,
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }

    pub(super) fn lowered(self) -> Self {
        match self {
            Self::Info | Self::Low => Self::Info,
            Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }
}

/// How a count broke its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// How many there were.
    pub count: f64,
    /// How many were to be expected.
    pub expected: f64,
    /// How unlikely that is, in nats.
    pub score: f64,
    /// From which score on it is told.
    pub threshold: f64,
    /// Seconds in which they were counted.
    pub window: u32,
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Milliseconds since 1970 of the event that showed it.
    pub at: i64,
    /// Which rule.
    pub rule: &'static str,
    /// Category of the alert format.
    pub category: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Number of the incident that it belongs to, from 1.
    pub incident: u64,
    /// Where: `production` or `sandbox`.
    pub environment: &'static str,
    /// The service.
    pub caller: String,
    /// Its address.
    pub ip: String,
    /// The customer or account.
    pub subject: String,
    /// Fingerprint of the token.
    pub token: String,
    /// Grantee or DAuth user.
    pub target: String,
    /// Since when, in milliseconds since 1970.
    pub since: i64,
    /// How many signs of it there were so far in this incident.
    pub signs: u32,
    /// The broken baseline of a counting rule.
    pub baseline: Option<Baseline>,
    /// Records behind it, up to five.
    pub calls: Vec<u128>,
    /// What happened, in a sentence.
    pub text: String,
}

/// A record id as it is shown: a position in a feed as a number, a UUID in its usual spelling.
struct CallName(u128);

impl Serialize for CallName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(self.0) {
            Ok(position) => serializer.serialize_u64(position),
            Err(_) => {
                let hex = format!("{:032x}", self.0);
                let part = |from, to| hex.get(from..to).unwrap_or_default();
                serializer.collect_str(&format_args!(
                    "{}-{}-{}-{}-{}",
                    part(0, 8),
                    part(8, 12),
                    part(12, 16),
                    part(16, 20),
                    part(20, 32)
                ))
            }
        }
    }
}

/// Three digits behind the point: enough to read, and the same on every machine.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

impl Serialize for Alert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ts", &self.at)?;
        map.serialize_entry("rule", self.rule)?;
        map.serialize_entry("severity", self.severity.as_str())?;
        map.serialize_entry("category", self.category)?;
        for (key, text) in [
            ("caller", &self.caller),
            ("ip", &self.ip),
            ("subject", &self.subject),
            ("token", &self.token),
            ("target", &self.target),
        ] {
            if !text.is_empty() {
                map.serialize_entry(key, text)?;
            }
        }
        map.serialize_entry("env", self.environment)?;
        map.serialize_entry("incident", &self.incident)?;
        map.serialize_entry("signs", &self.signs)?;
        map.serialize_entry("since", &self.since)?;
        if let Some(baseline) = &self.baseline {
            map.serialize_entry("n", &rounded(baseline.count))?;
            map.serialize_entry("expected", &rounded(baseline.expected))?;
            map.serialize_entry("score", &rounded(baseline.score))?;
            map.serialize_entry("threshold", &rounded(baseline.threshold))?;
            map.serialize_entry("window_s", &baseline.window)?;
        }
        let calls: Vec<_> = self.calls.iter().map(|call| CallName(*call)).collect();
        map.serialize_entry("calls", &calls)?;
        map.serialize_entry("text", &self.text)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_keys_of_the_format() {
        let alert = Alert {
            at: 5,
            rule: "token-moved",
            category: "token_replay",
            severity: Severity::High,
            incident: 1,
            environment: "production",
            caller: "app".into(),
            ip: String::new(),
            subject: String::new(),
            token: "00ff".into(),
            target: String::new(),
            since: 5,
            signs: 1,
            baseline: None,
            calls: vec![7, 0x0199_0000_0000_7000_8000_0000_0000_0001],
            text: "x".into(),
        };
        assert_eq!(
            serde_json::to_string(&alert).unwrap(),
            r#"{"ts":5,"rule":"token-moved","severity":"high","category":"token_replay","caller":"app","token":"00ff","env":"production","incident":1,"signs":1,"since":5,"calls":[7,"01990000-0000-7000-8000-000000000001"],"text":"x"}"#
        );
    }
}
