//! `[[capture]]`: which calls are captured for debugging. None, unless it is written.

use std::sync::Arc;
use std::time::Duration;

use super::providers::ReadProvider;
use crate::domain::config::fault::nearest;
use crate::domain::config::model::{CaptureBodies, CaptureRule};
use crate::domain::config::reader::{
    DurationIn, IntegerIn, Names, OneOf, Problem, SizeIn, Table, Text,
};

/// Where captures are, in the data directory.
pub(super) const DIRECTORY: &str = "captures";

/// Most rules: every call is compared with all of them.
const MAX_RULES: usize = 64;

/// Longest time that a capture may be kept: it is for looking at a fault, not an archive.
const MAX_RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
const MIN_RETENTION: Duration = Duration::from_secs(10);

/// Largest excerpt of one body.
const MAX_EXCERPT: u64 = 64 << 10;

const OPERATIONS: Names = Names {
    max: 1_000,
    valid: is_id,
    what: "write operation ids such as \"bank.create_trade\"",
};

fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads every `[[capture]]`.
pub(super) fn read(top: &Table<'_>, providers: &[ReadProvider]) -> Vec<CaptureRule> {
    let tables = top.tables("capture");
    if tables.len() > MAX_RULES {
        let problem = Problem::new("too many capture rules", format!("use at most {MAX_RULES}"));
        top.fault(&top.place_of("capture"), problem);
    }
    tables
        .iter()
        .take(MAX_RULES)
        .filter_map(|table| read_one(table, providers))
        .collect()
}

fn read_one(table: &Table<'_>, providers: &[ReadProvider]) -> Option<CaptureRule> {
    const BODIES: OneOf<CaptureBodies> = OneOf(&[
        ("none", CaptureBodies::None),
        ("excerpt", CaptureBodies::Excerpt),
    ]);
    let provider = table.required(
        "provider",
        &Text {
            max: 32,
            what: "id of a provider that is configured",
        },
        "Provider whose calls are captured.",
    );
    let operations = table.value(
        "operations",
        &OPERATIONS,
        Vec::new(),
        "Operations whose calls are captured; empty for all, also for calls that match none.",
    );
    let bodies = table.value(
        "bodies",
        &BODIES,
        CaptureBodies::None,
        "Whether the beginnings of the bodies are captured besides the heads; redacted first.",
    );
    let max_bytes = table.value(
        "max_bytes",
        &SizeIn(256..=MAX_EXCERPT),
        8 << 10,
        "Most bytes of each body, counted after redaction.",
    );
    let retention = table.value(
        "retention",
        &DurationIn(MIN_RETENTION..=MAX_RETENTION),
        Duration::from_secs(3600),
        "How long a capture is kept; it is deleted then.",
    );
    let sample = table.value(
        "sample",
        &IntegerIn(1..=1_000_000),
        1,
        "One call in this many is captured.",
    );
    let provider = provider?;
    let Some(known) = providers.iter().find(|read| *read.id == *provider.value) else {
        let ids: Vec<&str> = providers.iter().map(|read| &*read.id).collect();
        let problem = Problem::new(
            "this provider is not configured",
            format!("use one of: {}", ids.join(", ")),
        );
        table.fault(&provider.place, problem);
        return None;
    };
    for operation in &operations.value {
        let ids = || known.operations.iter().flatten().map(|id| &**id);
        if known.operations.is_some() && !ids().any(|id| id == &**operation) {
            let hint = match nearest(operation, ids()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("`egret catalog list {}` lists them", known.id),
            };
            let problem = Problem::new("an entry is no operation of the provider", hint);
            table.fault(&operations.place, problem);
        }
    }
    Some(CaptureRule {
        provider: Arc::clone(&known.id),
        operations: operations.value,
        bodies: bodies.value,
        max_bytes: max_bytes.value,
        retention: retention.value,
        sample: sample.value,
    })
}
