//! Writes pieces of a provider file.

use std::fmt::Write as _;

use serde_json::Value;

use super::shape::{Shape, Vocabulary};

/// Longest text of a document that is copied into a comment or a summary, in characters.
const MAX_TEXT: usize = 100;

/// A text of the document on one line, shortened.
pub fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_TEXT)
        .collect()
}

/// A TOML basic string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

pub fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.map(quoted).collect();
    format!("[{}]", items.join(", "))
}

/// The shape of a query parameter whose values cannot carry a secret.
pub fn query_shape(schema: &Value) -> Option<String> {
    let shape = match (
        schema.get("type").and_then(Value::as_str),
        schema.get("format").and_then(Value::as_str),
    ) {
        (Some("integer"), _) => "int".to_owned(),
        (Some("boolean"), _) => "bool".to_owned(),
        (Some("string"), Some("date")) => "date".to_owned(),
        (Some("string"), Some("date-time")) => "datetime".to_owned(),
        _ => {
            let words = schema.get("enum")?.as_array()?;
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            format!("enum({})", words?.join(", "))
        }
    };
    Shape::parse(&shape, &Vocabulary::default())
        .ok()
        .map(|_| shape)
}
