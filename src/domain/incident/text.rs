//! Incidents as text for a terminal, an e-mail or a chat.

use std::fmt::Write as _;

use super::case::{Case, Names, amount, span};
use super::steps;
use crate::types::Micros;

/// Names of one sort that are shown.
const SHOWN: usize = 5;

/// A moment for people, UTC.
pub(in crate::domain) fn moment(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(
        |_| "?".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// A length of time for people.
pub(in crate::domain) fn length(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Names, the first few, and how many more.
pub(in crate::domain) fn names(names: &Names) -> String {
    let mut text = names
        .first
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let rest = names.first.len().saturating_sub(SHOWN);
    if rest > 0 {
        let or_more = if names.more { " or more" } else { "" };
        let _ = write!(text, " and {rest}{or_more} others");
    }
    text
}

/// The broken baseline in words.
pub(in crate::domain) fn baseline(case: &Case) -> Option<String> {
    let broken = case.baseline?;
    Some(format!(
        "{} in {}; usual are {}",
        amount(broken.count),
        span(broken.window_s),
        amount(broken.expected)
    ))
}

/// Incidents, a line each.
pub fn list<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let mut out = String::new();
    for case in cases {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:<18} {:<12} {:<8} {}  {}",
            case.id,
            case.state.as_str(),
            case.severity.as_str(),
            moment(case.since),
            case.sentence
        );
    }
    out
}

/// One incident with everything that helps.
pub fn show(case: &Case) -> String {
    let mut out = String::new();
    let _ = write(&mut out, case);
    out
}

fn write(out: &mut String, case: &Case) -> std::fmt::Result {
    writeln!(out, "{}", case.sentence)?;
    writeln!(out)?;
    let ending = case
        .ending
        .map_or_else(String::new, |ending| format!(" ({})", ending.as_str()));
    writeln!(
        out,
        "incident    {}, {}{ending}",
        case.id,
        case.state.as_str()
    )?;
    writeln!(out, "severity    {}", case.severity.as_str())?;
    writeln!(
        out,
        "what        {} ({})",
        case.category.title(),
        case.category
    )?;
    if !case.environment.is_empty() {
        writeln!(out, "where       {}", case.environment)?;
    }
    writeln!(
        out,
        "when        {} to {}, {}",
        moment(case.since),
        moment(case.closed_at.unwrap_or(case.last_at)),
        length(case.lasted().as_secs())
    )?;
    if let Some(text) = baseline(case) {
        writeln!(out, "baseline    {text}")?;
    }
    for (title, found) in [
        ("callers", &case.callers),
        ("addresses", &case.ips),
        ("customers", &case.subjects),
        ("tokens", &case.tokens),
        ("grantees", &case.targets),
    ] {
        if !found.first.is_empty() {
            writeln!(out, "{title:<11} {}", names(found))?;
        }
    }
    let rules: Vec<String> = case
        .rules
        .iter()
        .map(|(rule, times)| format!("{rule} {times}"))
        .collect();
    writeln!(out, "rules       {}", rules.join(", "))?;
    if !case.calls.is_empty() {
        let more = match case.calls_named.saturating_sub(case.calls.len() as u64) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        writeln!(
            out,
            "calls       {}{more}",
            case.calls
                .iter()
                .take(SHOWN)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        )?;
    }
    writeln!(out, "\nsuggested")?;
    for (number, step) in steps(case).iter().enumerate() {
        writeln!(out, "  {}. {step}", number + 1)?;
    }
    writeln!(out, "\nlife")?;
    for step in &case.steps {
        let who = if step.who.is_empty() {
            String::new()
        } else {
            format!(" by {}", step.who)
        };
        let note = if step.note.is_empty() {
            String::new()
        } else {
            format!(": {}", step.note)
        };
        let kind = serde_json::to_value(step.kind).ok();
        let kind = kind
            .as_ref()
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        writeln!(out, "  {}  {kind}{who}{note}", moment(step.at))?;
    }
    Ok(())
}
