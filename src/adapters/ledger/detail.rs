//! The JSON part of a row, written by hand: no intermediate tree, stable order of keys, fields
//! without a value left out.

use std::fmt::{self, Write};

use crate::domain::record::{CallRecord, Fact, SubjectRole};
use crate::types::TraceId;

/// Appends the `detail` of a record to `out` as one JSON object.
///
/// The keys are the names of the columns of the view `calls` that read them; times are UTC microseconds.
/// `subjects` is an array of `{"kind","role","subject"}`, `facts` an object whose value is an array
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
            inner.hex("subject", Some(subject.pseudonym.as_bytes()));
            inner.close();
        }
        object.out.push(']');
    }
    let acts_for = subjects
        .iter()
        .find(|subject| subject.role == SubjectRole::OnBehalfOf);
    object.hex(
        "on_behalf_of",
        acts_for.map(|subject| subject.pseudonym.as_bytes()),
    );
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

/// A name may occur twice (one answer, two quotes). JSON readers keep only the last of equal keys,
/// so those values become one array at the place of the first.
fn write_facts(out: &mut String, facts: &[Fact]) {
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

/// Writes the members of one JSON object.
struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn close(self) {
        self.out.push('}');
    }

    fn key(&mut self, key: &'static str) {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// A key that is not one of ours: it may need escapes.
    fn foreign_key(&mut self, key: &str) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        push_string(self.out, key);
        self.out.push(':');
    }

    fn text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            push_string(self.out, value);
        }
    }

    /// A word of a vocabulary: known to need no escapes.
    fn word(&mut self, key: &'static str, value: Option<&'static str>) {
        if let Some(value) = value {
            self.key(key);
            self.out.push('"');
            self.out.push_str(value);
            self.out.push('"');
        }
    }

    /// A value whose printed form needs no escapes: a network address.
    fn shown(&mut self, key: &'static str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.key(key);
            // Writing to a String cannot fail.
            let _ = write!(self.out, "\"{value}\"");
        }
    }

    fn number(&mut self, key: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.key(key);
            push_number(self.out, value);
        }
    }

    fn hex(&mut self, key: &'static str, value: Option<&[u8; 16]>) {
        if let Some(value) = value {
            self.key(key);
            self.out.push('"');
            push_hex(self.out, value);
            self.out.push('"');
        }
    }

    /// A count. Those beyond what SQLite's integers hold are written as the largest.
    fn count(&mut self, key: &'static str, value: u64) {
        self.number(key, Some(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    /// Left out if there are none.
    fn words<'v>(&mut self, key: &'static str, values: impl Iterator<Item = &'v str>) {
        let mut values = values.peekable();
        if values.peek().is_some() {
            self.key(key);
            push_array(self.out, values);
        }
    }
}

fn push_array<'v>(out: &mut String, values: impl Iterator<Item = &'v str>) {
    for (index, value) in values.enumerate() {
        out.push(if index == 0 { '[' } else { ',' });
        push_string(out, value);
    }
    out.push(']');
}

/// `write!` takes several times as long for these two, and a record has dozens of them.
fn push_number(out: &mut String, value: i64) {
    // 19 digits are the most that 64 bits need.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start = index;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.extend(digits.iter().skip(start).map(|digit| char::from(*digit)));
}

fn push_hex(out: &mut String, bytes: &[u8; 16]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| {
        DIGITS
            .get(usize::from(nibble))
            .map_or('0', |d| char::from(*d))
    };
    out.extend(
        bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]),
    );
}

/// Writes a JSON string (RFC 8259, section 7), copying runs that need no escape.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // The bytes to escape are ASCII, so the cuts fall between characters.
    while let Some(at) = rest
        .bytes()
        .position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = tail.chars();
        match characters.next() {
            Some(quoted @ ('"' | '\\')) => {
                out.push('\\');
                out.push(quoted);
            }
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
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
        fn numbers_and_digits_are_as_the_standard_library_prints_them(
            number in any::<i64>(),
            bytes in any::<[u8; 16]>(),
        ) {
            for number in [number, number % 1_000, i64::MIN, i64::MAX, 0] {
                let mut out = String::new();
                push_number(&mut out, number);
                prop_assert_eq!(out, number.to_string());
            }
            let mut out = String::new();
            push_hex(&mut out, &bytes);
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(out, expected);
        }

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
