//! The ledger as its users see it.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::gateway::egret_in;

/// One row of `egret audit query --format json`.
#[derive(Clone, PartialEq)]
pub struct Row(pub Value);

impl Row {
    /// The text of a field; empty if it is null.
    #[track_caller]
    pub fn text(&self, field: &str) -> &str {
        match self.field(field) {
            Value::Null => "",
            Value::String(text) => text,
            other => panic!("{field} is {other}"),
        }
    }

    /// The number in a field.
    #[track_caller]
    pub fn number(&self, field: &str) -> i64 {
        let value = self.field(field);
        value
            .as_i64()
            .unwrap_or_else(|| panic!("{field} is {value}"))
    }

    /// A field that there must be, null or not.
    #[track_caller]
    pub fn field(&self, field: &str) -> &Value {
        self.0
            .get(field)
            .unwrap_or_else(|| panic!("no field {field}"))
    }

    /// Whether a field has no value.
    #[track_caller]
    pub fn lacks(&self, field: &str) -> bool {
        self.field(field).is_null()
    }

    /// Asserts several fields at once; `""` means null, other values are compared as text.
    #[track_caller]
    pub fn expect(&self, fields: &[(&str, &str)]) {
        let shown = |field: &str| match self.field(field) {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let found: Vec<_> = fields
            .iter()
            .map(|(name, _)| (*name, shown(name)))
            .collect();
        let wanted: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        assert_eq!(found, wanted, "in {self:#?}");
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Runs `egret audit query`; rows come oldest first. What commands have put on record, as this one
/// does, is among them only if the filters ask for it.
#[track_caller]
pub(super) fn query(directory: &Path, filters: &[&str]) -> Vec<Row> {
    let mut arguments = vec![
        "audit",
        "query",
        "--format",
        "json",
        "--limit",
        "0",
        "--oldest-first",
    ];
    if !filters.contains(&"egret") {
        arguments.push("--banks-only");
    }
    arguments.extend_from_slice(filters);
    egret_in(directory, &arguments)
        .ok()
        .lines()
        .map(|line| Row(serde_json::from_str(line).expect("a JSON object a line")))
        .collect()
}
