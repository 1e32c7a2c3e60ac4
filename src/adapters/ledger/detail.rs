//! A record as JSON: the fields by name for people, and what of a row has no column of its own.

use super::json::{Object, push_array, push_hex, push_string};
use crate::domain::record::{CallRecord, Fact, Pseudonym, Subject, SubjectRole};
use crate::types::TraceId;

/// Appends what a record says to `out` as one JSON object, but for the fields that a reader is shown
/// apart: identity, the names of who called what, the token and how it went.
///
/// The keys are the names of the columns of the view `calls`; times are UTC microseconds.
/// `subjects` is an array of `{"kind","role","subject"}` (`null` where it was erased), `facts` an object whose value is an array
/// where a name occurs more than once.
pub fn write_detail(out: &mut String, record: &CallRecord) {
    let CallRecord {
        gateway,
        times,
        caller,
        target,
        credential,
        subjects,
        facts,
        pii,
        mint,
        reason,
        traffic,
        trace_id,
        // The others are columns of their own.
        call_id: _,
        decision: _,
        outcome: _,
        status: _,
        error_code: _,
    } = record;
    let mut object = Object::open(out);
    object.number("forwarded_at", times.forwarded_at.map(|at| at.0));
    object.number("first_byte_at", times.first_byte_at.map(|at| at.0));
    object.word("caller_via", Some(caller.via.as_str()));
    object.text("caller_key_id", caller.key_id.as_deref());
    object.shown("caller_address", caller.address);
    object.text("method", Some(target.method));
    object.text("path_template", target.path_template.as_deref());
    object.text("query", target.query.as_deref());
    object.text("accept_version", target.accept_version.as_deref());
    object.words(
        "tokens_present",
        credential.present.iter().map(|kind| kind.as_str()),
    );
    object.words("token_scopes", credential.scopes.iter().map(|s| &**s));
    object.count(
        "token_scopes_unlisted",
        u64::from(credential.unlisted_scopes),
    );
    object.text("token_jti", credential.jti.as_deref());
    object.number("token_expires_at", credential.expires_at.map(|at| at.0));
    object.text("token_issuer", credential.issuer.as_deref());
    object.text("token_fault", credential.fault.as_deref());
    if !subjects.is_empty() {
        object.key("subjects");
        for (index, subject) in subjects.iter().enumerate() {
            object.out.push(if index == 0 { '[' } else { ',' });
            let mut inner = Object::open(object.out);
            inner.text("kind", Some(&subject.kind));
            inner.word("role", Some(subject.role.as_str()));
            inner.hex_or_null(
                "subject",
                subject.pseudonym.as_ref().map(Pseudonym::as_bytes),
            );
            inner.close();
        }
        object.out.push(']');
    }
    let acts_for = subjects
        .iter()
        .find(|subject| subject.role == SubjectRole::OnBehalfOf)
        .and_then(|subject| subject.pseudonym.as_ref());
    object.hex("on_behalf_of", acts_for.map(Pseudonym::as_bytes));
    if !facts.is_empty() {
        object.key("facts");
        write_facts(object.out, facts);
    }
    object.words("pii", pii.iter().map(|class| class.as_str()));
    if let Some(mint) = mint {
        object.text("minted_kind", Some(&mint.kind));
        object.number("minted_expires_at", mint.expires_at.map(|at| at.0));
    }
    object.text("reason", reason.as_deref());
    object.count("attempts", u64::from(traffic.attempts));
    object.count("request_bytes", traffic.request_bytes);
    object.count("response_bytes", traffic.response_bytes);
    object.shown("upstream_address", traffic.upstream);
    object.text("tls_version", traffic.tls_version.as_deref());
    object.hex("trace_id", trace_id.as_ref().map(TraceId::as_bytes));
    object.text("node", Some(&gateway.node));
    object.text("gateway_version", Some(&gateway.version));
    object.text("config_hash", Some(&gateway.config_hash));
    object.close();
}

/// Appends what a row of the table `records` keeps in its `detail`: what most calls do without or
/// differs each time. Nothing is appended if there is nothing. The view `calls` reads the keys:
/// `a` the caller's address, `q` the query, `s` the subjects that do not come from the token, `f`
/// the facts, `m` when the minted token ends.
pub(super) fn write_rest(out: &mut String, record: &CallRecord) {
    let start = out.len();
    let mut object = Object::open(out);
    object.address("a", record.caller.address);
    object.text("q", record.target.query.as_deref());
    let subjects = record.subjects.iter();
    object.subjects("s", subjects.filter(|s| s.role != SubjectRole::Token));
    if !record.facts.is_empty() {
        object.key("f");
        write_facts(object.out, &record.facts);
    }
    let minted = record.mint.as_ref().and_then(|mint| mint.expires_at);
    object.number("m", minted.map(|at| at.0));
    object.close();
    if out.len() == start + "{}".len() {
        out.truncate(start);
    }
}

impl Object<'_> {
    /// Subjects as arrays of kind, role and pseudonym. Left out if there are none.
    fn subjects<'s>(&mut self, key: &'static str, subjects: impl Iterator<Item = &'s Subject>) {
        let mut subjects = subjects.peekable();
        if subjects.peek().is_some() {
            self.key(key);
            write_subjects(self.out, subjects);
        }
    }
}

/// Appends subjects as an array of arrays of kind, role and pseudonym; `null` for one that was
/// erased.
pub(super) fn write_subjects<'s>(out: &mut String, subjects: impl Iterator<Item = &'s Subject>) {
    out.push('[');
    for (index, subject) in subjects.enumerate() {
        out.push_str(if index == 0 { "[" } else { ",[" });
        push_string(out, &subject.kind);
        out.push_str(",\"");
        out.push_str(subject.role.as_str());
        match &subject.pseudonym {
            Some(pseudonym) => {
                out.push_str("\",\"");
                push_hex(out, pseudonym.as_bytes());
                out.push_str("\"]");
            }
            None => out.push_str("\",null]"),
        }
    }
    out.push(']');
}

/// A name may occur twice (one answer, two quotes). JSON readers keep only the last of equal keys,
/// so those values become one array at the place of the first.
pub(super) fn write_facts(out: &mut String, facts: &[Fact]) {
    let mut object = Object::open(out);
    for (index, fact) in facts.iter().enumerate() {
        let (before, rest) = facts.split_at(index);
        if before.iter().any(|other| other.name == fact.name) {
            continue;
        }
        if rest.iter().skip(1).any(|other| other.name == fact.name) {
            let values = rest.iter().filter(|other| other.name == fact.name);
            object.foreign_key(&fact.name);
            push_array(object.out, values.map(|other| &*other.value));
        } else {
            object.foreign_key(&fact.name);
            push_string(object.out, &fact.value);
        }
    }
    object.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::samples;
    use proptest::prelude::*;

    fn detail(record: &CallRecord) -> serde_json::Value {
        let mut out = String::new();
        write_detail(&mut out, record);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn an_empty_record_leaves_absent_fields_out() {
        let mut out = String::new();
        write_detail(&mut out, &samples::empty(1));
        assert_eq!(
            out,
            r#"{"caller_via":"none","method":"other","token_scopes_unlisted":0,"attempts":0,"request_bytes":0,"response_bytes":0,"node":"node-1","gateway_version":"0.1.0","config_hash":"00112233aabbccdd"}"#
        );
    }

    #[test]
    fn a_full_record_has_every_field() {
        let detail = detail(&samples::full(7));
        assert_eq!(
            detail["token_scopes"],
            serde_json::json!(["trades:read", "trades:execute"])
        );
        assert_eq!(detail["subjects"][0]["kind"], "customer");
        assert_eq!(detail["subjects"][0]["role"], "token");
        assert_eq!(detail["caller_address"], "127.0.0.1:40001");
        assert_eq!(detail["on_behalf_of"], "bb".repeat(16));
        assert_eq!(detail["pii"], serde_json::json!(["person_name", "email"]));
        assert_eq!(detail["minted_kind"], "customer_access_token");
    }

    #[test]
    fn a_fact_that_occurs_twice_keeps_both_values() {
        let mut record = samples::empty(1);
        for (name, value) in [("quote", "q1"), ("asset", "BTC"), ("quote", "q2")] {
            record.facts.push(Fact {
                name: name.into(),
                value: value.into(),
            });
        }
        assert_eq!(
            detail(&record)["facts"],
            serde_json::json!({"quote": ["q1", "q2"], "asset": "BTC"})
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text in any::<String>(), name in any::<String>()) {
            let mut record = samples::empty(1);
            record.target.query = Some(text.as_str().into());
            record.facts.push(Fact { name: name.as_str().into(), value: text.as_str().into() });
            let detail = detail(&record);
            prop_assert_eq!(detail["query"].as_str(), Some(text.as_str()));
            prop_assert_eq!(detail["facts"][&name].as_str(), Some(text.as_str()));
        }
    }
}
