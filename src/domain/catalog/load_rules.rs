//! Reads the rules of a provider file: facts, error codes and rate limits.

use std::sync::Arc;
use std::time::Duration;

use super::load::{choice, json_path, locator, name, shape};
use super::load_operation::Context;
use super::model::{ErrorCodeRule, FactKeep, FactRule, Locator, Operation, RateKey, RateLimit};
use super::reader::{At, Faults, Table, quote};
use super::shape::Shape;

/// Longest rate-limit window in seconds: 31 days.
const MAX_WINDOW_S: u32 = 31 * 24 * 3_600;

const LIMIT_KEYS: &[&str] = &[
    "id",
    "operations",
    "anonymous_only",
    "limit",
    "window_s",
    "per",
    "status",
];

pub fn load_error_codes(
    table: Table<'_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Vec<ErrorCodeRule> {
    let mut rules = Vec::new();
    for table in table.tables("error_code", "[[error_code]]", faults) {
        table.check_keys(&["at", "shape"], faults);
        let at = table
            .required("at", faults)
            .and_then(|text| json_path(text, faults));
        let shape = table.required("shape", faults);
        let shape = shape.and_then(|text| shape_of(text, context, faults));
        rules.extend(at.zip(shape).map(|(at, shape)| ErrorCodeRule { at, shape }));
    }
    rules
}

fn shape_of(text: At<&str>, context: &Context<'_>, faults: &mut Faults<'_>) -> Option<Shape> {
    shape(text, &context.vocabulary, faults)
}

/// Facts under a key: `{ name = "side", at = "side", shape = "enum(buy, sell)" }`.
pub fn load_facts(
    table: Table<'_>,
    key: &str,
    what: &'static str,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Vec<FactRule> {
    let mut rules: Vec<FactRule> = Vec::new();
    for table in table.tables(key, what, faults) {
        table.check_keys(&["name", "at", "shape", "subject", "present"], faults);
        let Some(fact_name) = name(table.required("name", faults), faults) else {
            continue;
        };
        let at = match table.text("at", faults) {
            Some(text) => locator(text, faults),
            None => locator(
                At {
                    value: fact_name,
                    at: table.at,
                },
                faults,
            ),
        };
        let shape_text = table.text("shape", faults);
        let subject = table.text("subject", faults);
        let present = table.flag("present", faults);
        let keep = match (shape_text, subject, present) {
            (Some(text), None, false) => shape_of(text, context, faults).map(FactKeep::Value),
            (None, Some(kind), false) => {
                name(Some(kind), faults).map(|kind| FactKeep::Subject(kind.into()))
            }
            (None, None, true) => Some(FactKeep::Present),
            _ => {
                let what = format!("fact {fact_name:?} does not say what to keep");
                faults.add(
                    table.at,
                    what,
                    "write one of shape = ..., subject = ..., present = true",
                );
                None
            }
        };
        if matches!(&at, Some(Locator::Body(path)) if path.is_anywhere()) {
            let what = format!("fact {fact_name:?} is at any depth");
            faults.add(table.at, what, "write the path of one field");
        }
        rules.extend(at.zip(keep).map(|(at, keep)| FactRule {
            name: fact_name.into(),
            at,
            keep,
        }));
    }
    rules
}

pub fn load_rate_limits(
    table: Table<'_>,
    operations: &[At<Arc<Operation>>],
    faults: &mut Faults<'_>,
) -> Vec<RateLimit> {
    let keys = [
        (RateKey::SourceIp, "source_ip"),
        (RateKey::Consumer, "consumer"),
        (RateKey::Account, "account"),
    ];
    let mut limits = Vec::new();
    for table in table.tables("rate_limit", "[[rate_limit]]", faults) {
        table.check_keys(LIMIT_KEYS, faults);
        let id = name(table.required("id", faults), faults);
        let ids = table.texts("operations", faults);
        for text in &ids {
            if !operations
                .iter()
                .any(|operation| *operation.value.id == *text.value)
            {
                let what = format!("no operation {}", quote(text.value));
                faults.add(text.at, what, "write the id of an operation of this file");
            }
        }
        let limit = table.number("limit", u32::MAX, faults);
        let window = table.number("window_s", MAX_WINDOW_S, faults);
        let per = table.required("per", faults);
        let per = per.and_then(|text| choice(text, "key", &keys, faults));
        let status = table.number("status", 599, faults).unwrap_or(429);
        let anonymous_only = table.flag("anonymous_only", faults);
        let limit = || {
            Some(RateLimit {
                id: id?.into(),
                operations: ids.iter().map(|text| text.value.into()).collect(),
                limit,
                window: window.map(|seconds| Duration::from_secs(seconds.into())),
                per: per?,
                status: u16::try_from(status).ok()?,
                anonymous_only,
            })
        };
        limits.extend(limit());
    }
    limits
}
