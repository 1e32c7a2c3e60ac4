//! A row as it is read: every field by name, in the order in which a person reads it.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::sql::Row;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// Text.
    Text,
    /// A JSON array or object.
    Json,
}

/// One field of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name in outputs.
    pub name: &'static str,
    /// Column of the view `calls` that holds it in readable form.
    pub source: &'static str,
    /// What it holds.
    pub kind: Kind,
}

const fn integer(name: &'static str) -> Column {
    Column {
        name,
        source: name,
        kind: Kind::Integer,
    }
}

const fn text(name: &'static str) -> Column {
    text_from(name, name)
}

const fn text_from(name: &'static str, source: &'static str) -> Column {
    Column {
        name,
        source,
        kind: Kind::Text,
    }
}

const fn json(name: &'static str) -> Column {
    Column {
        name,
        source: name,
        kind: Kind::Json,
    }
}

/// Every field. The three that are stored as bytes are shown in their usual spelling under the
/// plain name: `call_id` as a UUID, fingerprints as hexadecimal digits.
pub const COLUMNS: &[Column] = &[
    integer("seq"),
    text_from("call_id", "call_uuid"),
    text("received"),
    text("forwarded"),
    text("first_byte"),
    text("completed"),
    integer("received_at"),
    integer("forwarded_at"),
    integer("first_byte_at"),
    integer("completed_at"),
    integer("gateway_us"),
    integer("upstream_us"),
    integer("total_us"),
    text("caller"),
    text("caller_via"),
    text("caller_key_id"),
    text("caller_address"),
    text("provider"),
    text("service"),
    text("environment"),
    text("operation"),
    text("effect"),
    text("method"),
    text("path_template"),
    text("query"),
    text("accept_version"),
    text("token_type"),
    json("tokens_present"),
    text_from("token_fingerprint", "token_fingerprint_hex"),
    json("token_scopes"),
    integer("token_scopes_unlisted"),
    text("token_jti"),
    text("token_expires"),
    integer("token_expires_at"),
    text("token_issuer"),
    text("token_fault"),
    json("subjects"),
    text("on_behalf_of"),
    json("facts"),
    json("pii"),
    text("minted_kind"),
    text_from("minted_fingerprint", "minted_fingerprint_hex"),
    text("minted_expires"),
    integer("minted_expires_at"),
    text("decision"),
    text("reason"),
    text("outcome"),
    integer("status"),
    text("error_code"),
    integer("attempts"),
    integer("request_bytes"),
    integer("response_bytes"),
    text("upstream_address"),
    text("tls_version"),
    text("trace_id"),
    text("node"),
    text("gateway_version"),
    text("config_hash"),
];

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not known or not applicable.
    Null,
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// JSON, as stored.
    Json(Box<str>),
}

impl fmt::Display for Value {
    /// Nothing for an absent value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.pad(text),
            Self::Json(json) => f.pad(json),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Json(json) => match serde_json::from_str::<&RawValue>(json) {
                Ok(raw) => raw.serialize(serializer),
                // Cannot be, since the database made it; shown rather than dropped.
                Err(_) => serializer.serialize_str(json),
            },
        }
    }
}

/// One call as read from the ledger; its values stand in the order of [`COLUMNS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRow(Vec<Value>);

impl CallRow {
    pub(super) fn read(row: &Row) -> Result<Self, sqlx::Error> {
        let values = COLUMNS.iter().enumerate().map(|(at, column)| {
            Ok(match column.kind {
                Kind::Integer => row.integer(at)?.map(Value::Integer),
                Kind::Text => row.text(at)?.map(Value::Text),
                Kind::Json => row.text(at)?.map(|json| Value::Json(json.into())),
            }
            .unwrap_or(Value::Null))
        });
        values.collect::<Result<_, sqlx::Error>>().map(Self)
    }

    /// Fields and values in reading order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Column, &Value)> {
        COLUMNS.iter().zip(&self.0)
    }

    /// The value at a place of [`COLUMNS`]; `Null` also if there is no such place.
    pub fn at(&self, place: usize) -> &Value {
        self.0.get(place).unwrap_or(&Value::Null)
    }

    /// The value of a field; `Null` also if there is no such field.
    pub fn get(&self, name: &str) -> &Value {
        self.fields()
            .find(|(column, _)| column.name == name)
            .map_or(&Value::Null, |(_, value)| value)
    }

    /// The value of a field as text; empty if absent.
    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Value::Text(text) => text,
            Value::Json(json) => json,
            Value::Null | Value::Integer(_) => "",
        }
    }

    /// The value of a field as a number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl Serialize for CallRow {
    /// An object with every field; absent ones are `null`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, value) in self.fields() {
            map.serialize_entry(column.name, value)?;
        }
        map.end()
    }
}
