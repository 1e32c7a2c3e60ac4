//! What an operator may set. Everything has a default; the defaults are for a tenant of any size.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alert::Severity;
use super::rules::{RULES, Rule};

/// How easily rules that count tell something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// Only what is very unlikely.
    Low,
    /// One chance in a million, as things were.
    #[default]
    Normal,
    /// Also what could be chance.
    High,
}

impl Sensitivity {
    /// By how much thresholds are multiplied: 20, 14 and 9 nats.
    pub(super) fn factor(self) -> f64 {
        match self {
            Self::Low => 20.0 / 14.0,
            Self::Normal => 1.0,
            Self::High => 9.0 / 14.0,
        }
    }
}

/// Settings of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSettings {
    /// Whether it tells anything; on if absent.
    pub enabled: Option<bool>,
    /// Instead of the general sensitivity.
    pub sensitivity: Option<Sensitivity>,
    /// The most it may say.
    pub max_severity: Option<Severity>,
}

/// A time in which a caller is tested with load. Its calls are neither judged nor learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadTest {
    /// The caller.
    pub caller: String,
    /// Milliseconds since 1970 at which it begins.
    pub from: i64,
    /// Milliseconds since 1970 at which it is over.
    pub to: i64,
}

/// Bounds of the engine's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Customers and accounts that are remembered; about 50 bytes each.
    pub subjects: usize,
    /// Tokens that are remembered; about 60 bytes each.
    pub tokens: usize,
    /// Callers with an own profile, per environment; about 30 KiB each. Others share one.
    pub callers: usize,
    /// Mints whose use is waited for; 48 bytes each.
    pub pending: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            subjects: 1_000_000,
            tokens: 2_000_000,
            callers: 2048,
            pending: 400_000,
        }
    }
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How easily rules that count tell something.
    pub sensitivity: Sensitivity,
    /// Days until rules that learn call somebody.
    pub learning_days: u32,
    /// Callers that may appear at any time.
    pub known_callers: Vec<String>,
    /// Networks of the operator, in CIDR notation: never strange.
    pub own_networks: Vec<String>,
    /// Announced load tests.
    pub load_tests: Vec<LoadTest>,
    /// Settings of single rules, by their name.
    pub rules: BTreeMap<String, RuleSettings>,
    /// Bounds of the engine's memory.
    pub bounds: Bounds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sensitivity: Sensitivity::default(),
            learning_days: 14,
            known_callers: Vec::new(),
            own_networks: Vec::new(),
            load_tests: Vec::new(),
            rules: BTreeMap::new(),
            bounds: Bounds::default(),
        }
    }
}

impl Settings {
    /// What is wrong with them, in sentences; empty if they can be used.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for name in self.rules.keys() {
            if !RULES.iter().any(|rule| rule.name == name) {
                faults.push(format!(
                    "rules.{name}: there is no such rule; `egret detect rules` lists them"
                ));
            }
        }
        for network in &self.own_networks {
            if super::place::Prefix::parse(network).is_none() {
                faults.push(format!(
                    "own_networks: {network:?} is no network; write it like 192.0.2.0/24"
                ));
            }
        }
        for test in &self.load_tests {
            if test.from >= test.to {
                faults.push(format!(
                    "load_tests: the test of {:?} ends before it begins",
                    test.caller
                ));
            }
        }
        let bounds = &self.bounds;
        for (name, bound, most) in [
            ("subjects", bounds.subjects, 1 << 28),
            ("tokens", bounds.tokens, 1 << 28),
            ("callers", bounds.callers, 60_000),
            ("pending", bounds.pending, 1 << 26),
        ] {
            if bound == 0 || bound > most {
                faults.push(format!("bounds.{name}: must be from 1 to {most}"));
            }
        }
        faults
    }

    /// Settings of a rule.
    pub(super) fn of(&self, rule: &Rule) -> RuleSettings {
        self.rules.get(rule.name).copied().unwrap_or_default()
    }
}
