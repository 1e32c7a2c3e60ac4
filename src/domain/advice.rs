//! What is told with a problem: which limit it is about and when to come again.
//!
//! A [`crate::domain::problem::Problem`] is the same for every occurrence; this is what differs. It
//! becomes extension members of the problem (RFC 9457, section 3.2) and the fields `Retry-After`
//! (RFC 9110, section 10.2.3), `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers-10).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

/// What a caller is advised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// It makes no sense to try again before.
    pub retry_after: Option<Duration>,
    /// The budget that is spent, such as `cybrid.general`.
    pub budget: Option<Arc<str>>,
    /// The group of endpoints that is left alone or busy, such as `cybrid.bank`.
    pub group: Option<Arc<str>>,
    /// How the budget stands.
    pub allowance: Option<Allowance>,
}

/// How a budget stands, in the words of the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Calls in a window.
    pub quota: u32,
    /// The window.
    pub window: Duration,
    /// Calls that are left.
    pub remaining: u32,
    /// There are more after this time.
    pub reset: Duration,
}

impl Advice {
    /// Adds the members to a problem's body.
    pub fn add_to(&self, body: &mut Map<String, Value>) {
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        let text = |text: &Option<Arc<str>>| text.as_deref().map(Value::from);
        add(
            "retry_after",
            self.retry_after.map(|after| seconds(after).into()),
        );
        add("budget", text(&self.budget));
        add("group", text(&self.group));
        let allowance = self.allowance.as_ref();
        add("quota", allowance.map(|of| of.quota.into()));
        add("window", allowance.map(|of| seconds(of.window).into()));
        add("remaining", allowance.map(|of| of.remaining.into()));
    }

    /// The header fields that say the same: names and values.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        if let Some(after) = self.retry_after {
            fields.push(("Retry-After", seconds(after).to_string()));
        }
        if let (Some(budget), Some(of)) = (&self.budget, &self.allowance) {
            let name = quoted(budget);
            let (quota, window) = (of.quota, seconds(of.window));
            let (remaining, reset) = (of.remaining, seconds(of.reset));
            fields.push(("RateLimit-Policy", format!("{name};q={quota};w={window}")));
            fields.push(("RateLimit", format!("{name};r={remaining};t={reset}")));
        }
        fields
    }
}

/// Whole seconds, rounded up: who comes a moment too early is refused again.
fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// A string of structured fields (RFC 9651, section 3.3.3). What cannot stand in one is left out.
fn quoted(text: &str) -> String {
    let allowed = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    let text: String = text.chars().filter(allowed).collect();
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_is_told_in_members_and_in_fields() {
        let advice = Advice {
            retry_after: Some(Duration::from_millis(42_100)),
            budget: Some("cybrid.general".into()),
            group: None,
            allowance: Some(Allowance {
                quota: 100,
                window: Duration::from_secs(300),
                remaining: 0,
                reset: Duration::from_millis(42_100),
            }),
        };
        let mut body = Map::new();
        advice.add_to(&mut body);
        assert_eq!(
            Value::Object(body),
            serde_json::json!({
                "retry_after": 43,
                "budget": "cybrid.general",
                "quota": 100,
                "window": 300,
                "remaining": 0,
            })
        );
        assert_eq!(
            advice.fields(),
            [
                ("Retry-After", "43".to_owned()),
                ("RateLimit-Policy", "\"cybrid.general\";q=100;w=300".into()),
                ("RateLimit", "\"cybrid.general\";r=0;t=43".into()),
            ]
        );
    }

    #[test]
    fn no_advice_adds_nothing() {
        let mut body = Map::new();
        Advice::default().add_to(&mut body);
        assert!(body.is_empty());
        assert!(Advice::default().fields().is_empty());
    }

    #[test]
    fn a_name_cannot_break_out_of_its_field() {
        assert_eq!(quoted("a\"b\\c\r\nd é"), "\"abcd \"");
    }
}
