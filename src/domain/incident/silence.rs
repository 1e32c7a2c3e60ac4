//! Silences: for a time, nobody is told about what is known.

use serde::{Deserialize, Serialize};

use super::{Category, Sign};
use crate::types::Micros;

/// Longest silence. What is to be quiet for longer is a matter of settings.
const MAX_LENGTH_S: u64 = 90 * 86_400;

/// What nobody is told about for a time. Incidents are opened all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number in the book, from 1; 0 before it is there.
    #[serde(default)]
    pub number: u64,
    /// Only of this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Only about this caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Only in this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// From when.
    pub from: Micros,
    /// Until when.
    pub until: Micros,
    /// Who wants it.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// Why there can be no such silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceFault {
    /// It would silence everything.
    #[error(
        "a silence needs a rule, a category, a caller or an environment: nothing may silence everything"
    )]
    Everything,
    /// It ends before it begins, or after too long.
    #[error("a silence lasts from one second to 90 days")]
    Length,
    /// Nobody would know why.
    #[error("a silence needs a reason")]
    Reason,
}

impl Silence {
    pub(super) fn check(&self) -> Result<(), SilenceFault> {
        if self.rule.is_none()
            && self.category.is_none()
            && self.caller.is_none()
            && self.environment.is_none()
        {
            return Err(SilenceFault::Everything);
        }
        let length = self.until.since(self.from).as_secs();
        if length == 0 || length > MAX_LENGTH_S {
            return Err(SilenceFault::Length);
        }
        if self.reason.trim().is_empty() {
            return Err(SilenceFault::Reason);
        }
        Ok(())
    }

    pub(super) fn covers(&self, sign: &Sign) -> bool {
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        sign.at >= self.from
            && sign.at < self.until
            && fits(&self.rule, &sign.rule)
            && self.category.is_none_or(|wanted| wanted == sign.category)
            && fits(&self.caller, &sign.caller)
            && fits(&self.environment, &sign.environment)
    }
}
