//! Why an incident was told: each sign with its rule, the numbers in its formula, what would have
//! kept it quiet, and which setting changes that.
//!
//! It explains what the signs of the incident say; it judges nothing anew and reads nothing.

mod quiet;
mod text;
mod words;

use serde::Serialize;

use super::detect::{Family, RULES, Rule, Settings};
use super::incident::{Baseline, Case, Severity, Sign};
use crate::types::Micros;

pub use text::write;

/// Why an incident was told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The incident.
    pub incident: String,
    /// How bad.
    pub severity: Severity,
    /// What happened, in one sentence.
    pub sentence: String,
    /// How many signs there were in all.
    pub signs: u64,
    /// Those that are kept, in order of time.
    pub why: Vec<Why>,
}

/// One sign, explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// When it was seen: RFC 3339.
    pub at: String,
    /// Which rule.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// What the detector said.
    pub sentence: String,
    /// What the rule looks for.
    pub looks_for: &'static str,
    /// What it compares, and when it tells.
    pub tells: &'static str,
    /// The numbers of a rule that counts.
    pub measured: Option<Measured>,
    /// What would have kept it quiet.
    pub quiet: Vec<String>,
    /// Settings that change it, as they would be written.
    pub settings: Vec<Setting>,
    /// Ids of the calls that it names.
    pub calls: Vec<String>,
}

/// A count against what was to be expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// How many there were.
    pub count: f64,
    /// In how many seconds.
    pub window_s: u32,
    /// How many were to be expected: the baseline that was learned.
    pub expected: f64,
    /// How that is made up.
    pub expected_is: &'static str,
    /// How unlikely the count is, in nats.
    pub score: f64,
    /// From which score on it is told; 0 for a fixed limit.
    pub threshold: f64,
    /// The formula with the numbers in it.
    pub formula: String,
}

/// A setting, and what it would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// As it would be written into the configuration.
    pub write: String,
    /// What that does.
    pub does: String,
}

/// Explains an incident under the settings that are in force.
pub fn explain(case: &Case, settings: &Settings) -> Explanation {
    Explanation {
        incident: case.id.clone(),
        severity: case.severity,
        sentence: case.sentence.clone(),
        signs: case.signs,
        why: case
            .told_by
            .iter()
            .map(|sign| why(sign, settings))
            .collect(),
    }
}

fn why(sign: &Sign, settings: &Settings) -> Why {
    let rule = RULES.iter().copied().find(|rule| rule.name == sign.rule);
    let words = words::of(&sign.rule);
    let measured = sign.baseline.as_ref().map(measured);
    let mut quiet = sign
        .baseline
        .as_ref()
        .map(quiet::numbers)
        .unwrap_or_default();
    if !words.quiet.is_empty() {
        quiet.push(words.quiet.to_owned());
    }
    Why {
        at: time(sign.at),
        rule: sign.rule.clone(),
        severity: sign.severity,
        sentence: sign.sentence.clone(),
        looks_for: rule.map_or("", |rule| rule.about),
        tells: words.tells,
        measured,
        quiet,
        settings: rule.map_or_else(Vec::new, |rule| changes(rule, sign, settings)),
        calls: sign.calls.clone(),
    }
}

fn time(at: Micros) -> String {
    at.to_string()
}

/// How unlikely `n` is where `expected` were to be expected, in nats: the one test for all counts.
fn surprise(n: f64, expected: f64) -> f64 {
    if n <= expected || expected <= 0.0 {
        return 0.0;
    }
    n * (n / expected).ln() - n + expected
}

/// Two digits behind the point, and none where there are none.
fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    format!("{rounded}")
}

fn measured(baseline: &Baseline) -> Measured {
    let (n, l) = (number(baseline.count), number(baseline.expected));
    let score = number(baseline.score);
    let own = surprise(baseline.count, baseline.expected);
    // Some rules have a measure of their own, which these two numbers do not give.
    let is_count = (own - baseline.score).abs() <= 0.05 * baseline.score.max(1.0);
    let formula = if is_count {
        format!("n ln(n/L) - n + L = {n} ln({n}/{l}) - {n} + {l} = {score} nats")
    } else {
        format!("{score} nats, by the rule's own measure")
    };
    Measured {
        count: baseline.count,
        window_s: baseline.window_s,
        expected: baseline.expected,
        expected_is: words::EXPECTED,
        score: baseline.score,
        threshold: baseline.threshold,
        formula,
    }
}

/// The settings that would change what a rule says of such a thing.
fn changes(rule: &Rule, sign: &Sign, settings: &Settings) -> Vec<Setting> {
    let table = format!("[detect.rules.{}]", rule.name);
    let mut list = Vec::new();
    let mut add = |write: String, does: &str| {
        let does = does.to_owned();
        list.push(Setting { write, does });
    };
    if let Some(baseline) = &sign.baseline
        && let Some((write, does)) = quiet::sensitivity(rule, baseline, settings)
    {
        add(format!("{table} sensitivity = \"{write}\""), &does);
    }
    if let Some(line) = words::own_setting(rule.family, sign) {
        add(line.0, line.1);
    }
    add(
        format!("{table} max_severity = \"low\""),
        "is kept as a notice and calls nobody",
    );
    add(
        format!("{table} enabled = false"),
        "the rule says nothing at all",
    );
    // Who administers the gateway is not tested with load.
    if !sign.caller.is_empty() && rule.family != Family::Configuration {
        let (from, to) = (time(sign.since), time(sign.at));
        let caller = &sign.caller;
        add(
            format!("[[detect.load_tests]] caller = \"{caller}\", from = {from}, to = {to}"),
            "for a load test: its calls are neither judged nor learned",
        );
    }
    if !rule.from_start {
        let days = settings.learning_days;
        add(
            format!("[detect] learning_days = {days}"),
            "the rule speaks seldom until so many days were seen; more days, more patience",
        );
    }
    list
}

#[cfg(test)]
mod tests;
