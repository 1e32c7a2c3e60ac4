//! Answers made of the ledger, for the command line and the admin API alike.

pub mod investigate;
pub mod proof;
pub mod report;
pub mod text;

use crate::adapters::ledger::CallRow;
use crate::adapters::redactions;
use crate::domain::health::KeptFrom;
use crate::domain::own::{MAX_REASON, OwnCall};
use crate::domain::record::Pseudonym;
use crate::domain::redact::{Context, Redactor, Surface};

/// Identifiers that nearly every token has, and that name no person.
const TENANTS: [&str; 2] = ["bank", "organization"];

/// Says which call is looked at, and whom it concerns.
pub fn concerning(call: OwnCall, row: &CallRow) -> OwnCall {
    let call = call.fact("shown_call", row.text("call_id"));
    let subjects: Vec<serde_json::Value> =
        serde_json::from_str(row.text("subjects")).unwrap_or_default();
    subjects.iter().fold(call, |call, subject| {
        let text = |name| subject.get(name).and_then(serde_json::Value::as_str);
        match (text("kind"), text("subject").and_then(Pseudonym::parse_hex)) {
            (Some(kind), Some(pseudonym)) if !TENANTS.contains(&kind) => {
                call.subject(kind, pseudonym)
            }
            _ => call,
        }
    })
}

/// What a person wrote goes on record and into messages, so nothing that must not be there may be in
/// it.
pub fn without_secrets(redactor: &Redactor, reason: &str) -> String {
    // A mask can be longer than what it stands for.
    let room = MAX_REASON - '…'.len_utf8();
    let redaction = redactor.redact(Surface::Text, reason.as_bytes(), Context::default());
    redactions::note(KeptFrom::Reason, &redaction.counts);
    redaction.bytes.into_text().truncate(room).into_inner()
}
