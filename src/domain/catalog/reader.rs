//! Reads TOML tables and collects every fault with its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;

/// Most faults that are collected from one file: a file of another kind would give thousands.
const MAX_FAULTS: usize = 200;
/// Longest piece of a file that a fault quotes.
const MAX_QUOTE: usize = 80;

/// Collects the faults of one file.
pub struct Faults<'f> {
    file: &'f str,
    /// Offsets of the first byte of each line.
    lines: Vec<usize>,
    list: Vec<Fault>,
}

impl<'f> Faults<'f> {
    pub fn new(file: &'f str, text: &str) -> Self {
        let lines = std::iter::once(0)
            .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1))
            .collect();
        Self {
            file,
            lines,
            list: Vec::new(),
        }
    }

    /// Adds a fault at a byte offset.
    pub fn add(&mut self, at: usize, what: impl Into<String>, instead: impl Into<String>) {
        if self.list.len() < MAX_FAULTS {
            let line = self.lines.partition_point(|start| *start <= at);
            self.list.push(Fault {
                file: self.file.to_owned(),
                line: u32::try_from(line).unwrap_or(u32::MAX),
                what: what.into(),
                instead: instead.into(),
            });
        }
    }

    /// Adds what the TOML parser found.
    pub fn add_syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().map_or(0, |span: Range<usize>| span.start);
        self.add(
            at,
            format!("not TOML: {}", error.message()),
            "write TOML 1.0",
        );
    }

    /// The line of an offset, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// All faults by line; `Ok` if there is none.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Vec<Fault>> {
        self.list.sort_by_key(|fault| fault.line);
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => Err(self.list),
        }
    }
}

/// A value with its place.
#[derive(Clone, Copy, Debug)]
pub struct At<T> {
    pub value: T,
    pub at: usize,
}

/// A table under its name, for messages.
#[derive(Clone, Copy)]
pub struct Table<'t> {
    table: &'t DeTable<'t>,
    pub name: &'static str,
    pub at: usize,
}

impl<'t> Table<'t> {
    pub fn new(table: &'t DeTable<'t>, name: &'static str, at: usize) -> Self {
        Self { table, name, at }
    }

    /// Reports keys that are not allowed, with the nearest one that is.
    pub fn check_keys(&self, allowed: &[&str], faults: &mut Faults<'_>) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !allowed.contains(&name) {
                let instead = match nearest(name, allowed) {
                    Some(near) => format!("write {near:?}"),
                    None => format!("use one of: {}", allowed.join(", ")),
                };
                let what = format!("unknown key {} in {}", quote(name), self.name);
                faults.add(key.span().start, what, instead);
            }
        }
    }

    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Whether a key is there, whatever its type.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A text; `None` if it is absent or, with a fault, of another type.
    pub fn text(&self, key: &str, faults: &mut Faults<'_>) -> Option<At<&'t str>> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "a text in quotes", faults);
        }
        text.map(|text| At {
            value: text,
            at: value.span().start,
        })
    }

    /// A text that must be there.
    pub fn required(&self, key: &str, faults: &mut Faults<'_>) -> Option<At<&'t str>> {
        if !self.has(key) {
            self.missing(key, faults);
        }
        self.text(key, faults)
    }

    /// Reports that a key is missing.
    pub fn missing(&self, key: &str, faults: &mut Faults<'_>) {
        faults.add(
            self.at,
            format!("{} has no {key:?}", self.name),
            format!("add {key} = ..."),
        );
    }

    /// A whole number from 0 up to `max`.
    pub fn number(&self, key: &str, max: u32, faults: &mut Faults<'_>) -> Option<u32> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| *number <= max);
        if number.is_none() {
            self.wrong_type(
                key,
                value,
                &format!("a whole number from 0 to {max}"),
                faults,
            );
        }
        number
    }

    /// `true` or `false`; `false` if absent.
    pub fn flag(&self, key: &str, faults: &mut Faults<'_>) -> bool {
        let Some(value) = self.get(key) else {
            return false;
        };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false", faults);
        }
        flag.unwrap_or(false)
    }

    /// A list of texts; empty if absent.
    pub fn texts(&self, key: &str, faults: &mut Faults<'_>) -> Vec<At<&'t str>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of texts: [\"a\", \"b\"]", faults);
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(array.len());
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(At {
                    value: text,
                    at: item.span().start,
                }),
                None => self.wrong_type(key, item, "a text in quotes", faults),
            }
        }
        texts
    }

    /// A table under a key.
    pub fn table(
        &self,
        key: &str,
        name: &'static str,
        faults: &mut Faults<'_>,
    ) -> Option<Table<'t>> {
        let value = self.get(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table: { name = ... }", faults);
        }
        table.map(|table| Table::new(table, name, value.span().start))
    }

    /// A list of tables under a key, `[[key]]` or inline; empty if absent.
    pub fn tables(&self, key: &str, name: &'static str, faults: &mut Faults<'_>) -> Vec<Table<'t>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of tables", faults);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(array.len());
        for item in array.iter() {
            match item.get_ref().as_table() {
                Some(table) => tables.push(Table::new(table, name, item.span().start)),
                None => self.wrong_type(key, item, "a table: { name = ... }", faults),
            }
        }
        tables
    }

    /// All pairs of a table whose values are texts, in the order of the names.
    pub fn text_pairs(&self, faults: &mut Faults<'_>) -> Vec<(At<&'t str>, At<&'t str>)> {
        let mut pairs = Vec::with_capacity(self.table.len());
        for (key, value) in self.table.iter() {
            let name = At {
                value: key.get_ref().as_ref(),
                at: key.span().start,
            };
            match value.get_ref().as_str() {
                Some(text) => pairs.push((
                    name,
                    At {
                        value: text,
                        at: value.span().start,
                    },
                )),
                None => self.wrong_type(name.value, value, "a text in quotes", faults),
            }
        }
        pairs
    }

    /// All names of a table whose values are lists of texts.
    pub fn list_pairs(&self, faults: &mut Faults<'_>) -> Vec<(At<&'t str>, Vec<At<&'t str>>)> {
        let keys: Vec<_> = self.table.keys().collect();
        keys.into_iter()
            .map(|key| {
                let name = At {
                    value: key.get_ref().as_ref(),
                    at: key.span().start,
                };
                (name, self.texts(name.value, faults))
            })
            .collect()
    }

    fn wrong_type(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        wanted: &str,
        faults: &mut Faults<'_>,
    ) {
        let found = value.get_ref().type_str();
        let what = format!("{} of {} is {found}", quote(key), self.name);
        faults.add(value.span().start, what, format!("write {wanted}"));
    }
}

/// A piece of a file in quotes, cut so that a message stays readable.
pub fn quote(text: &str) -> String {
    let end = text
        .char_indices()
        .nth(MAX_QUOTE)
        .map_or(text.len(), |(at, _)| at);
    format!("{:?}", &text[..end])
}

/// The allowed name that is at most two edits away.
pub fn nearest<'a>(name: &str, allowed: &[&'a str]) -> Option<&'a str> {
    if name.len() > 40 {
        return None;
    }
    allowed
        .iter()
        .map(|other| (distance(name, other), *other))
        .filter(|(edits, _)| *edits <= 2)
        .min()
        .map(|(_, other)| other)
}

/// Levenshtein distance of two short names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
