//! An incident as JSON, for programs: what `egret alert show --format json` prints and what
//! webhooks carry. Times are RFC 3339 in UTC; keys are only added.

use serde_json::{Value, json};

use super::case::{Case, Names};
use super::steps;
use crate::types::Micros;

/// Calls that are shown: a webhook's body should stay below 20 KB (Standard Webhooks, payload
/// size). The others are in the ledger.
const SHOWN_CALLS: usize = 100;

fn time(at: Micros) -> Value {
    at.to_string().into()
}

fn names(names: &Names) -> Value {
    json!({ "first": names.first, "more": names.more })
}

/// The incident as a JSON object.
pub fn view(case: &Case) -> Value {
    let life: Vec<Value> = case
        .steps
        .iter()
        .map(|step| json!({ "at": time(step.at), "kind": step.kind, "who": step.who, "note": step.note }))
        .collect();
    json!({
        "id": case.id,
        "state": case.state,
        "severity": case.severity,
        "category": case.category,
        "title": case.category.title(),
        "sentence": case.sentence,
        "environment": case.environment,
        "since": time(case.since),
        "opened_at": time(case.opened_at),
        "last_at": time(case.last_at),
        "closed_at": case.closed_at.map(time),
        "ending": case.ending,
        "rules": case.rules,
        "signs": case.signs,
        "baseline": case.baseline,
        "callers": names(&case.callers),
        "ips": names(&case.ips),
        "subjects": names(&case.subjects),
        "tokens": names(&case.tokens),
        "targets": names(&case.targets),
        "calls": case.calls.iter().take(SHOWN_CALLS).collect::<Vec<_>>(),
        "calls_named": case.calls_named,
        "steps": steps(case),
        "life": life,
    })
}
