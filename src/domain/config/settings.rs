//! Every value of a configuration with where it came from, and what differs between two of them.
//!
//! Nothing secret is in here: a value that may hold a secret is kept as it may be shown, with a hash by
//! which a change of it is noticed.

use std::collections::BTreeMap;
use std::fmt;

use ring::digest::{SHA256, digest};

use super::reader::variable_of;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file and a line of it.
    File(String, usize),
    /// An environment variable.
    Variable(String),
    /// Nothing is written.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, line) => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as it may be shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// As TOML writes it.
    Literal(String),
    /// What holds if nothing is written, in words.
    Described(String),
    /// The shown part of something secret, as TOML writes it, and a hash of all of it.
    Secret(String, [u8; 32]),
    /// A table that is there, whatever is in it.
    Present,
}

impl Value {
    /// Something of which not everything may be shown.
    pub fn secret(shown: String, all: &str) -> Self {
        let hash = digest(&SHA256, all.as_bytes());
        let hash = hash.as_ref().first_chunk().copied();
        Self::Secret(shown, hash.unwrap_or_default())
    }

    /// As it may be shown.
    pub fn shown(&self) -> &str {
        match self {
            Self::Literal(shown) | Self::Described(shown) | Self::Secret(shown, _) => shown,
            Self::Present => "present",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

/// One value of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The table that it is in, as its header says it; empty at the top.
    pub table: String,
    /// The same, with what tells the tables of a list apart: `alerts.channel[soc]`.
    pub at: String,
    /// Name of the key; empty for the table itself.
    pub name: String,
    /// What the key is called in the reference: `providers.<id>.environment`.
    pub key: String,
    /// Whether the table is one of a list, as `[[table]]`.
    pub is_item: bool,
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Setting {
    /// The environment variable that goes before it; keys of lists have none.
    pub fn variable(&self) -> Option<String> {
        let path = self.path();
        (!self.is_item && !path.contains('[')).then(|| variable_of(&path))
    }

    /// What people call it: `providers.cybrid.environment`.
    pub fn path(&self) -> String {
        match (self.at.as_str(), self.name.as_str()) {
            (at, "") => at.to_owned(),
            ("", name) => name.to_owned(),
            (at, name) => format!("{at}.{name}"),
        }
    }
}

/// What differs between two configurations in one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What people call it.
    pub path: String,
    /// What it is called in the reference.
    pub key: String,
    /// What it was, as it may be shown; `None` if it was not there.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.before.as_deref().unwrap_or("(absent)");
        let after = self.after.as_deref().unwrap_or("(absent)");
        if before == after {
            return write!(f, "{}: {after} (changed, not shown)", self.path);
        }
        write!(f, "{}: {before} -> {after}", self.path)
    }
}

/// What differs, in the order of names. What is absent and what is written as its default are the same.
pub fn differences(before: &[Setting], after: &[Setting]) -> Vec<Difference> {
    let by_path = |all: &[Setting]| -> BTreeMap<String, Setting> {
        all.iter().map(|one| (one.path(), one.clone())).collect()
    };
    let (before, after) = (by_path(before), by_path(after));
    let mut found = BTreeMap::new();
    for (path, one) in before.iter().chain(&after) {
        let (was, is) = (before.get(path), after.get(path));
        let differs = match (was, is) {
            (Some(was), Some(is)) => was.value != is.value,
            // Of a table that is not there nothing is a default.
            (Some(only), None) | (None, Some(only)) => only.origin != Origin::Default,
            (None, None) => false,
        };
        if differs {
            let shown = |one: Option<&Setting>| one.map(|one| one.value.shown().to_owned());
            let difference = Difference {
                path: path.clone(),
                key: one.key.clone(),
                before: shown(was),
                after: shown(is),
            };
            found.insert(path.clone(), difference);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: Value, origin: Origin) -> Setting {
        Setting {
            table: "log".to_owned(),
            at: "log".to_owned(),
            name: name.to_owned(),
            key: format!("log.{name}"),
            is_item: false,
            value,
            origin,
        }
    }

    fn written(name: &str, value: Value) -> Setting {
        setting(name, value, Origin::File("egret.toml".to_owned(), 3))
    }

    #[test]
    fn what_is_written_as_its_default_is_no_difference() {
        let literal = |text: &str| Value::Literal(text.to_owned());
        let before = [
            setting("filter", literal("\"info\""), Origin::Default),
            written("format", literal("\"json\"")),
        ];
        let after = [
            written("filter", literal("\"info\"")),
            setting("format", literal("\"auto\""), Origin::Default),
            setting("colour", literal("true"), Origin::Default),
        ];
        let shown: Vec<String> = differences(&before, &after)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["log.format: \"json\" -> \"auto\""]);
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn a_secret_shows_that_it_has_changed_and_nothing_else() {
        let of = |all: &str| {
            [written(
                "url",
                Value::secret("\"redis://***@h\"".into(), all),
            )]
        };
        let found = differences(&of("redis://u:hunter2@h"), &of("redis://u:hunter3@h"));
        assert_eq!(
            found[0].to_string(),
            "log.url: \"redis://***@h\" (changed, not shown)"
        );
        assert!(!format!("{:?}", of("redis://u:hunter2@h")).contains("hunter"));
        assert!(differences(&of("a"), &of("a")).is_empty());
    }
}
