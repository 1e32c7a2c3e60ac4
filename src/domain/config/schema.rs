//! The JSON Schema (2020-12) of a configuration, for editors.
//!
//! It is made of the same descriptions as the reference, so it knows every key that the gateway reads
//! and refuses every other. What one value asks of another (a listener beyond loopback needs TLS) it
//! cannot say: `egret check` does.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::keys::KeyBook;
use super::reader::{KeyInfo, Shape};

/// Where the schema says that it is from.
const ID: &str = "https://egret.invalid/config.schema.json";

/// A table of the configuration, as a schema sees it.
#[derive(Default)]
struct Node<'k> {
    /// What may be written here as a value.
    value: Option<&'k KeyInfo>,
    /// Keys of the table.
    named: BTreeMap<&'k str, Node<'k>>,
    /// Tables and values whose names the user chooses.
    open: Option<Box<Node<'k>>>,
    is_list: bool,
}

/// The schema as a text.
pub fn render(book: &KeyBook) -> String {
    let mut text = serde_json::to_string_pretty(&schema(book)).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema of a configuration with these keys.
pub fn schema(book: &KeyBook) -> Value {
    let mut top = Node::default();
    for key in &book.keys {
        top.at(&key.section).child(&key.name).value = Some(key);
    }
    for list in &book.lists {
        top.at(list).is_list = true;
    }
    let mut schema = top.table();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("$id".to_owned(), json!(ID));
    schema.insert("title".to_owned(), json!("Configuration of Egret"));
    Value::Object(schema)
}

impl<'k> Node<'k> {
    fn at(&mut self, path: &'k str) -> &mut Self {
        let parts = path.split('.').filter(|part| !part.is_empty());
        parts.fold(self, |node, part| node.child(part))
    }

    fn child(&mut self, name: &'k str) -> &mut Self {
        if name.starts_with('<') {
            self.open.get_or_insert_default()
        } else {
            self.named.entry(name).or_default()
        }
    }

    fn render(&self) -> Value {
        let is_table = self.open.is_some() || !self.named.is_empty();
        let mut rendered = match (self.value, is_table) {
            (Some(key), false) => object(shape(&key.shape)),
            (Some(key), true) => {
                object(json!({ "anyOf": [shape(&key.shape), Value::Object(self.table())] }))
            }
            (None, _) if self.is_list => {
                object(json!({ "type": "array", "items": Value::Object(self.table()) }))
            }
            (None, _) => self.table(),
        };
        if let Some(key) = self.value {
            let plain = key.meaning.replace('`', "");
            let description = format!("{plain} ({})", key.kind.replace('`', ""));
            rendered.insert("description".to_owned(), json!(description));
            if let Some(default) = default(key) {
                rendered.insert("default".to_owned(), default);
            }
        }
        Value::Object(rendered)
    }

    fn table(&self) -> Map<String, Value> {
        let properties: Map<String, Value> = self
            .named
            .iter()
            .map(|(name, node)| ((*name).to_owned(), node.render()))
            .collect();
        let is_required = |node: &&Node<'_>| node.value.is_some_and(|key| key.is_required);
        let required: Vec<&str> = self
            .named
            .iter()
            .filter(|(_, node)| is_required(node))
            .map(|(name, _)| *name)
            .collect();
        let rest = self
            .open
            .as_ref()
            .map_or(json!(false), |open| open.render());
        let mut table = object(json!({ "type": "object", "additionalProperties": rest }));
        if !properties.is_empty() {
            table.insert("properties".to_owned(), Value::Object(properties));
        }
        if !required.is_empty() {
            table.insert("required".to_owned(), json!(required));
        }
        table
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Text(max) => json!({ "type": "string", "minLength": 1, "maxLength": max }),
        Shape::Pattern(patterns) => {
            let any = patterns
                .iter()
                .map(|one| json!({ "type": "string", "pattern": one }));
            any_of(any.collect())
        }
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Ratio => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Shape::Size(least, most) => json!({ "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)?$" },
        ] }),
        Shape::Duration => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        Shape::Timestamp => json!({ "type": "string", "format": "date-time" }),
        Shape::OneOf(words) => json!({ "enum": words }),
        Shape::Path => json!({ "type": "string", "minLength": 1, "maxLength": 4096 }),
        Shape::List(most, item) => {
            json!({ "type": "array", "maxItems": most, "items": self::shape(item) })
        }
        Shape::Either(shapes) => any_of(shapes.iter().map(self::shape).collect()),
    }
}

fn any_of(mut shapes: Vec<Value>) -> Value {
    match shapes.len() {
        1 => shapes.remove(0),
        _ => json!({ "anyOf": shapes }),
    }
}

/// The default as JSON, where it is a value and not words.
fn default(key: &KeyInfo) -> Option<Value> {
    let literal = key.default.strip_prefix('`')?.strip_suffix('`')?;
    json_of(literal)
}

/// A TOML value as JSON.
pub(super) fn json_of(literal: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(&format!("value = {literal}")).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}
