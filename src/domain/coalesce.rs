//! Which reads may share one answer, and which answers may be shared.
//!
//! Only reads that the catalog marks, and only requests that are the same in every field that the
//! bank sees, the credential among them: what two such requests are answered does not depend on who
//! made them. What is left out of the comparison says who asks and for which trace.

use ring::digest::{Context, SHA256};

use crate::domain::catalog::{Operation, OperationFlag};
use crate::domain::http::{FieldRole, field_role};
use crate::types::Effect;

/// Largest body that is shared: prices and symbols take some ten KB.
pub const MAX_BODY: usize = 256 << 10;

/// What tells one request from another.
pub type Key = [u8; 32];

/// Fields that do not change what is answered. All that begins with `egret-` is for the gateway.
const WITHOUT_MEANING: &[&str] = &["host", "traceparent", "tracestate", "user-agent"];

/// Fields of an answer by which the bank forbids it, or that are meant for one only.
const NOT_TO_SHARE: &[&str] = &["set-cookie", "www-authenticate"];

/// The key of a request, if it may share an answer. `place` says where it goes: provider,
/// environment and what else must be the same; `fields` are the request's in their order.
pub fn key<'a>(
    operation: &Operation,
    method: &str,
    place: &[&[u8]],
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Option<Key> {
    let is_marked = operation.has(OperationFlag::Coalesce) && operation.effect == Effect::Read;
    if !is_marked || method != "GET" {
        return None;
    }
    let mut context = Context::new(&SHA256);
    let mut add = |part: &[u8]| {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    };
    place.iter().for_each(|part| add(part));
    for (name, value) in fields {
        // A body, or a wish to have it anew.
        if matches!(
            name,
            "content-length" | "transfer-encoding" | "pragma" | "cache-control"
        ) {
            return None;
        }
        let is_heard = field_role(name) == FieldRole::EndToEnd
            && !name.starts_with("egret-")
            && !WITHOUT_MEANING.contains(&name);
        if is_heard {
            add(name.as_bytes());
            add(value);
        }
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    Some(key)
}

/// Whether an answer may be shared, by its status and its fields.
pub fn may_share<'a>(status: u16, fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> bool {
    let is_forbidden = |(name, value): (&str, &[u8])| {
        let says = |word: &[u8]| {
            value
                .windows(word.len())
                .any(|part| part.eq_ignore_ascii_case(word))
        };
        NOT_TO_SHARE.contains(&name)
            || (name == "cache-control" && says(b"no-store"))
            || (name == "content-length" && !fits(value))
    };
    status == 200 && !fields.into_iter().any(is_forbidden)
}

fn fits(length: &[u8]) -> bool {
    let length = std::str::from_utf8(length).ok();
    let length = length.and_then(|text| text.parse::<usize>().ok());
    length.is_some_and(|length| length <= MAX_BODY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::{self, Provider};
    use std::sync::Arc;

    fn operation(id: &str) -> Arc<Operation> {
        let (name, text) = catalog::builtin()
            .into_iter()
            .find(|(name, _)| name.contains("cybrid"))
            .unwrap();
        let provider = Provider::parse(name, text).unwrap();
        Arc::clone(provider.operation(id).unwrap())
    }

    fn of(method: &str, fields: &[(&str, &str)]) -> Option<Key> {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        key(
            &operation("bank.list_prices"),
            method,
            &[b"/api/prices"],
            fields,
        )
    }

    #[test]
    fn only_what_is_the_same_for_the_bank_shares() {
        let usual = &[("authorization", "Bearer a"), ("accept", "*/*")];
        let same = of("GET", usual);
        assert!(same.is_some());
        let traced = &[
            ("authorization", "Bearer a"),
            ("traceparent", "00-1"),
            ("user-agent", "x"),
            ("egret-priority", "read"),
            ("proxy-authorization", "Bearer egk"),
            ("accept", "*/*"),
        ];
        assert_eq!(of("GET", traced), same);
        let other = [("authorization", "Bearer b"), ("accept", "*/*")];
        assert_ne!(of("GET", &other), same);
        // No text moves from one field to the next unseen.
        let shifted = [("authorization", "Bearer aaccept"), ("", "*/*")];
        assert_ne!(of("GET", &shifted), same);
        assert_eq!(of("HEAD", usual), None);
        assert_eq!(of("GET", &[("content-length", "2")]), None);
        assert_eq!(of("GET", &[("cache-control", "no-cache")]), None);
        let trades = operation("bank.list_trades");
        assert_eq!(key(&trades, "GET", &[], std::iter::empty()), None);
    }

    #[test]
    fn only_whole_good_answers_are_shared() {
        let may = |status, fields: &[(&'static str, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
            may_share(status, fields)
        };
        assert!(may(
            200,
            &[("content-length", "10"), ("cache-control", "private")]
        ));
        assert!(may(200, &[("transfer-encoding", "chunked")]));
        assert!(!may(200, &[("cache-control", "private, No-Store")]));
        assert!(!may(200, &[("set-cookie", "a=b")]));
        assert!(!may(200, &[("content-length", "99999999")]));
        assert!(!may(200, &[("content-length", "ten")]));
        assert!(!may(304, &[]) && !may(429, &[]) && !may(206, &[]));
    }
}
