//! Writes a judgement. Only the record and fixed texts are written: what the request said is not
//! at hand here.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::judge::Verdict;
use crate::adapters::ledger::detail::write_detail;
use crate::domain::record::CallRecord;

/// Keys that say nothing about a request that was not sent.
const EMPTY_HERE: [&str; 6] = [
    "attempts",
    "request_bytes",
    "response_bytes",
    "node",
    "gateway_version",
    "config_hash",
];

/// What is said in the text, in this order; the rest of the record has nothing to say here.
const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "Call",
        &[
            ("provider", "provider"),
            ("service", "service"),
            ("environment", "environment"),
            ("operation", "operation"),
            ("effect", "effect"),
            ("method", "method"),
            ("path_template", "path template"),
            ("query", "query"),
            ("accept_version", "Accept-Version"),
            ("trace_id", "trace id"),
        ],
    ),
    (
        "Caller",
        &[
            ("caller", "name"),
            ("caller_via", "identified by"),
            ("caller_key_id", "key id"),
        ],
    ),
    (
        "Credential",
        &[
            ("token_type", "token type"),
            ("tokens_present", "present"),
            ("token_fingerprint", "fingerprint"),
            ("token_scopes", "scopes"),
            ("token_scopes_unlisted", "scopes not listed"),
            ("token_jti", "jti"),
            ("token_expires", "expires"),
            ("token_issuer", "issuer"),
            ("token_fault", "fault"),
        ],
    ),
    (
        "Concerns",
        &[
            ("subjects", "subjects"),
            ("on_behalf_of", "on behalf of"),
            ("facts", "facts"),
            ("pii", "personal data"),
        ],
    ),
];

/// Width of the names in a text.
const NAME_WIDTH: usize = 18;

/// The record under the names of the ledger's columns.
fn columns(record: &CallRecord) -> Map<String, Value> {
    let mut detail = String::new();
    write_detail(&mut detail, record);
    let mut columns = Map::new();
    let mut set = |name: &str, value: Value| columns.insert(name.to_owned(), value);
    let target = &record.target;
    let credential = &record.credential;
    set("provider", json!(target.provider.as_deref()));
    set("service", json!(target.service.as_deref()));
    set(
        "environment",
        json!(target.environment.map(|environment| environment.as_str())),
    );
    set(
        "operation",
        json!(target.operation.as_deref().unwrap_or("unknown")),
    );
    set("effect", json!(target.effect.map(|effect| effect.as_str())));
    set("caller", json!(record.caller.name.as_deref()));
    set("token_type", json!(credential.token_type.as_str()));
    let fingerprint = credential.fingerprint.map(|print| print.to_string());
    set("token_fingerprint", json!(fingerprint));
    if let Ok(Value::Object(detail)) = serde_json::from_str(&detail) {
        let kept = detail
            .into_iter()
            .filter(|(name, _)| !EMPTY_HERE.contains(&name.as_str()));
        columns.extend(kept);
    }
    let mut set = |name: &str, value: Value| columns.insert(name.to_owned(), value);
    if let Some(expires) = credential.expires_at {
        set("token_expires", json!(expires.to_string()));
    }
    set("decision", json!(record.decision.as_str()));
    columns
}

/// One JSON object.
pub fn json(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    let problem = verdict.problem.as_ref().map(|problem| {
        json!({
            "status": problem.status,
            "code": problem.code,
            "title": problem.title,
            "detail": problem.detail,
        })
    });
    let shown = json!({
        "record": columns(&verdict.record),
        "problem": problem,
        "notes": verdict.notes,
    });
    serde_json::to_writer_pretty(&mut *out, &shown)?;
    writeln!(out)
}

/// For people.
pub fn text(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    let record = &verdict.record;
    let columns = columns(record);
    match &verdict.problem {
        None => writeln!(out, "The gateway would forward this request.")?,
        Some(problem) => {
            writeln!(
                out,
                "The gateway would not forward this request: {} {}",
                problem.status, problem.code
            )?;
            writeln!(out, "  {}", problem.title)?;
            writeln!(out, "  {}", problem.detail)?;
            if let Some(reason) = record
                .reason
                .as_deref()
                .filter(|reason| *reason != problem.code)
            {
                writeln!(out, "  In the record: {reason}")?;
            }
        }
    }
    // Refused before anything was recognised, there is only the refusal to record.
    let is_bare = record.target.provider.is_none();
    for (title, names) in SECTIONS.iter().filter(|_| !is_bare) {
        let lines: Vec<(&str, String)> = names
            .iter()
            .filter_map(|(column, name)| Some((*name, shown(columns.get(*column)?)?)))
            .filter(|(name, value)| (*name, value.as_str()) != ("identified by", "none"))
            .collect();
        if !lines.is_empty() {
            writeln!(out, "\n{title}")?;
        }
        for (name, value) in lines {
            writeln!(out, "  {name:<NAME_WIDTH$} {value}")?;
        }
    }
    if !verdict.notes.is_empty() {
        writeln!(out, "\nNotes")?;
    }
    for note in &verdict.notes {
        writeln!(out, "  - {note}")?;
    }
    Ok(())
}

/// A value in one line; `None` if there is nothing to show.
fn shown(value: &Value) -> Option<String> {
    let words = |list: &[Value]| -> Option<String> {
        let words: Vec<String> = list.iter().filter_map(shown).collect();
        (!words.is_empty()).then(|| words.join(", "))
    };
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => words(list),
        Value::Object(map) => match (map.get("kind"), map.get("role"), map.get("subject")) {
            (Some(kind), Some(role), Some(subject)) => Some(format!(
                "{} {} ({})",
                shown(kind)?,
                shown(subject)?,
                shown(role)?
            )),
            _ => {
                let pairs: Vec<Value> = map
                    .iter()
                    .filter_map(|(name, value)| Some(format!("{name}={}", shown(value)?).into()))
                    .collect();
                words(&pairs)
            }
        },
        Value::Number(number) if number.as_u64() == Some(0) => None,
        other => Some(other.to_string()),
    }
}
