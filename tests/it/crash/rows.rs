//! The ledger as `egret audit query` tells it, in little memory: a soak makes a million rows.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::{Config, Row, egret_command};

/// What the comparison needs of a row.
#[derive(Debug, PartialEq)]
pub struct Said {
    pub call_id: String,
    pub status: Option<u16>,
    pub outcome: String,
    pub reason: String,
    pub effect: String,
    /// Everything but the row's number, to compare whole rows by.
    digest: u64,
}

/// Rows by trace id.
pub type Rows = BTreeMap<String, Said>;

/// Reads all rows; panics if two are of one call.
pub fn read(config: &Config) -> Rows {
    config.write();
    let mut child = egret_command(
        config.directory(),
        &[
            "audit",
            "query",
            "--banks-only",
            "--format",
            "json",
            "--limit",
            "0",
            "--oldest-first",
        ],
    )
    .stdout(Stdio::piped())
    .spawn()
    .expect("egret");
    let mut rows = Rows::new();
    for line in BufReader::new(child.stdout.take().expect("its output")).lines() {
        let line = line.expect("a line");
        let row = Row(serde_json::from_str(&line).expect("a JSON object a line"));
        let other = rows.insert(row.text("trace_id").to_owned(), said(&row));
        assert!(other.is_none(), "two rows for one call: {row:?} {other:?}");
    }
    assert!(child.wait().expect("egret").success());
    rows
}

fn said(row: &Row) -> Said {
    use std::hash::{DefaultHasher, Hasher};
    let mut whole = row.0.clone();
    whole.as_object_mut().expect("an object").remove("seq");
    let mut hasher = DefaultHasher::new();
    hasher.write(whole.to_string().as_bytes());
    Said {
        call_id: row.text("call_id").to_owned(),
        status: row.field("status").as_u64().map(|status| status as u16),
        outcome: row.text("outcome").to_owned(),
        reason: row.text("reason").to_owned(),
        effect: row.text("effect").to_owned(),
        digest: hasher.finish(),
    }
}
