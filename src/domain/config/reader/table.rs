//! A table that remembers what it was asked for.

use std::cell::{Cell, RefCell};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::{Kind, Problem, Raw, quoted};
use super::{Document, KeyInfo};
use crate::domain::config::fault::{echo, nearest, show_key};
use crate::domain::config::settings::{Origin, Setting, Value};

/// Where a value came from, to complain about it later.
#[derive(Clone, Debug)]
pub struct Place {
    pub(super) offset: Option<usize>,
    pub(super) key: String,
    pub(super) variable: Option<String>,
}

impl Place {
    /// Path of the key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it is one of Egret's environment variables.
    pub fn is_variable(&self) -> bool {
        self.variable.is_some()
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it was written, or would be.
    pub place: Place,
}

/// A value that may be written short or as a table.
pub enum Either<'d, T> {
    /// The short form.
    Value(Found<T>),
    /// The table.
    Table(Table<'d>),
}

/// One key of a table whose names the user chooses.
pub struct Entry<'d> {
    /// The name.
    pub name: &'d str,
    /// Where the name stands.
    pub place: Place,
    parent: Owner<'d>,
    value: &'d Spanned<DeValue<'d>>,
    has_variables: bool,
}

/// What a table shares with its entries.
#[derive(Clone)]
struct Owner<'d> {
    document: &'d Document<'d>,
    path: String,
    /// The path, with what tells the tables of a list apart.
    at: String,
    pattern: String,
    is_item: bool,
}

/// A table of the document, or the empty table that stands for an absent one.
pub struct Table<'d> {
    owner: Owner<'d>,
    values: Option<&'d DeTable<'d>>,
    place: Place,
    has_variables: bool,
    asked: RefCell<Vec<&'static str>>,
    /// The user chooses the names, so none is unknown.
    is_open: Cell<bool>,
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl<'d> Owner<'d> {
    fn child(&self, name: &str, pattern: &str) -> Self {
        Self {
            document: self.document,
            path: join(&self.path, &show_key(name)),
            at: join(&self.at, &show_key(name)),
            pattern: join(&self.pattern, pattern),
            is_item: false,
        }
    }

    /// Notes a value of this table; with an empty name, the table itself.
    fn set(&self, name: &str, pattern: &str, value: Value, place: &Place) {
        let setting = Setting {
            table: self.path.clone(),
            at: self.at.clone(),
            name: if name.is_empty() {
                String::new()
            } else {
                show_key(name)
            },
            key: if pattern.is_empty() {
                self.pattern.clone()
            } else {
                join(&self.pattern, pattern)
            },
            is_item: self.is_item,
            value,
            origin: Origin::Default,
        };
        self.document.set(setting, place);
    }
}

/// A value as it may be shown.
fn shown<K: Kind>(kind: &K, value: &K::Value, raw: Raw<'_>) -> Value {
    let shown = kind.show(value);
    if kind.is_secret() {
        Value::secret(shown, &raw.whole())
    } else {
        Value::Literal(shown)
    }
}

/// The environment variable of a key.
pub fn variable_of(path: &str) -> String {
    let letter = |c: char| match c {
        '<' | '>' => c,
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    };
    format!("EGRET_{}", path.chars().map(letter).collect::<String>())
}

impl<'d> Table<'d> {
    pub(super) fn top(document: &'d Document<'d>, values: &'d DeTable<'d>) -> Self {
        let owner = Owner {
            document,
            path: String::new(),
            at: String::new(),
            pattern: String::new(),
            is_item: false,
        };
        Self::new(owner, Some(values), None, true)
    }

    fn new(
        owner: Owner<'d>,
        values: Option<&'d DeTable<'d>>,
        offset: Option<usize>,
        has_variables: bool,
    ) -> Self {
        let place = Place {
            offset,
            key: owner.path.clone(),
            variable: None,
        };
        Self {
            owner,
            values,
            place,
            has_variables,
            asked: RefCell::default(),
            is_open: Cell::new(false),
        }
    }

    /// Whether the table is written in the file.
    pub fn is_present(&self) -> bool {
        self.values.is_some()
    }

    /// Where the table stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where a key stands, or would stand.
    pub fn place_of(&self, name: &str) -> Place {
        let value = self.values.and_then(|values| values.get(name));
        Place {
            offset: value.map(|value| value.span().start).or(self.place.offset),
            key: join(&self.owner.path, &show_key(name)),
            variable: None,
        }
    }

    /// Reports a fault at a place.
    pub fn fault(&self, place: &Place, problem: Problem) {
        self.owner.document.fault(place, problem);
    }

    /// A key that may be absent; `default` says what holds then.
    pub fn optional<K: Kind>(
        &self,
        name: &'static str,
        kind: &K,
        default: &str,
        meaning: &str,
    ) -> Option<Found<K::Value>> {
        let absent = || Value::Described(default.replace('`', ""));
        self.find(name, kind, default, meaning, absent)
    }

    fn find<K: Kind>(
        &self,
        name: &'static str,
        kind: &K,
        default: &str,
        meaning: &str,
        absent: impl FnOnce() -> Value,
    ) -> Option<Found<K::Value>> {
        let variable = self.know(name, kind, kind.describe(), default, meaning);
        let document = self.owner.document;
        let text = variable.and_then(|variable| {
            let text = (document.variables)(&variable)?;
            Some((variable, text))
        });
        if let Some((variable, text)) = text {
            document
                .overrides
                .borrow_mut()
                .push((variable.clone(), text.clone()));
            let place = Place {
                variable: Some(variable),
                ..self.place_of(name)
            };
            return self.take(name, place, Raw::Variable(&text), kind);
        }
        let place = self.place_of(name);
        match self.values.and_then(|values| values.get(name)) {
            Some(value) => self.take(name, place, Raw::File(value.get_ref()), kind),
            None => {
                let nowhere = Place {
                    offset: None,
                    ..place
                };
                self.owner.set(name, name, absent(), &nowhere);
                None
            }
        }
    }

    fn take<K: Kind>(
        &self,
        name: &'static str,
        place: Place,
        raw: Raw<'_>,
        kind: &K,
    ) -> Option<Found<K::Value>> {
        let found = take(self.owner.document, place, raw, kind)?;
        let value = shown(kind, &found.value, raw);
        self.owner.set(name, name, value, &found.place);
        Some(found)
    }

    /// Says what the default of the key that was read last comes to on this machine.
    pub fn settle(&self, default: &str) {
        self.owner.document.settle(quoted(default));
    }

    /// A key with a default value.
    pub fn value<K: Kind>(
        &self,
        name: &'static str,
        kind: &K,
        default: K::Value,
        meaning: &str,
    ) -> Found<K::Value> {
        let literal = kind.show(&default);
        let shown = format!("`{literal}`");
        self.find(name, kind, &shown, meaning, || Value::Literal(literal))
            .unwrap_or_else(|| Found {
                value: default,
                place: self.place_of(name),
            })
    }

    /// A key that must be there. `None` was reported.
    pub fn required<K: Kind>(
        &self,
        name: &'static str,
        kind: &K,
        meaning: &str,
    ) -> Option<Found<K::Value>> {
        let found = self.optional(name, kind, "required", meaning);
        let written = self.values.is_some_and(|values| values.contains_key(name));
        self.owner.document.require(&self.owner.pattern, name);
        if found.is_none() && !written {
            let hint = format!("write {name} = {}", kind.describe());
            self.fault(&self.place_of(name), Problem::new("missing", hint));
        }
        found
    }

    /// A table inside this one.
    pub fn table(&self, name: &'static str) -> Table<'d> {
        self.ask(name);
        let owner = self.owner.child(name, name);
        let value = self.values.and_then(|values| values.get(name));
        let inherits = self.has_variables;
        match value {
            None => Self::new(owner, None, self.place.offset, inherits),
            Some(value) => as_table(owner, value, inherits),
        }
    }

    /// The tables of an array of tables.
    pub fn tables(&self, name: &'static str) -> Vec<Table<'d>> {
        self.ask(name);
        let Some(value) = self.values.and_then(|values| values.get(name)) else {
            return Vec::new();
        };
        let owner = self.owner.child(name, name);
        let DeValue::Array(items) = value.get_ref() else {
            let hint = format!("write [[{}]]", owner.path);
            let problem = Problem::new("must be a list of tables", hint);
            self.fault(&self.place_of(name), problem);
            return Vec::new();
        };
        self.owner.document.know_list(&owner.pattern);
        let labels = labels(items.iter().map(Spanned::get_ref));
        let items = items.iter().zip(labels).map(|(item, label)| {
            let owner = Owner {
                at: format!("{}[{label}]", owner.at),
                is_item: true,
                ..owner.clone()
            };
            let table = as_table(owner, item, false);
            table.owner.set("", "", Value::Present, &table.place);
            table
        });
        items.collect()
    }

    /// A key that may be written as a value or as a table; the value stands for the table with only
    /// the key `short`.
    pub fn either<K: Kind>(
        &self,
        name: &'static str,
        short: &'static str,
        kind: &K,
        default: &str,
        meaning: &str,
    ) -> Option<Either<'d, K::Value>> {
        let described = format!("{}, or a table", kind.describe());
        let variable = self.know(name, kind, described, default, meaning);
        let document = self.owner.document;
        let owner = self.owner.child(name, name);
        let value = self.values.and_then(|values| values.get(name));
        if let (Some(DeValue::Table(_)), None) = (
            value.map(Spanned::get_ref),
            variable.as_deref().and_then(document.variables),
        ) {
            return value.map(|value| Either::Table(as_table(owner, value, self.has_variables)));
        }
        let variable = variable.and_then(|name| Some((name.clone(), (document.variables)(&name)?)));
        let found = match (&variable, value) {
            (Some((variable, text)), _) => {
                let read = (variable.clone(), text.clone());
                document.overrides.borrow_mut().push(read);
                let place = Place {
                    variable: Some(variable.clone()),
                    ..self.place_of(name)
                };
                (place, Raw::Variable(text))
            }
            (None, Some(value)) => (self.place_of(name), Raw::File(value.get_ref())),
            (None, None) => return None,
        };
        let (place, raw) = found;
        let found = take(document, place, raw, kind)?;
        owner.set(short, short, shown(kind, &found.value, raw), &found.place);
        Some(Either::Value(found))
    }

    /// Every key of a table whose names the user chooses.
    pub fn entries(&self) -> Vec<Entry<'d>> {
        self.is_open.set(true);
        let values = self.values.into_iter().flat_map(DeTable::iter);
        values
            .map(|(name, value)| Entry {
                name: name.get_ref(),
                place: Place {
                    offset: Some(name.span().start),
                    key: join(&self.owner.path, &show_key(name.get_ref())),
                    variable: None,
                },
                parent: self.owner.clone(),
                value,
                has_variables: self.has_variables,
            })
            .collect()
    }

    fn ask(&self, name: &'static str) {
        self.asked.borrow_mut().push(name);
    }

    /// Notes a key and gives the environment variable that overrides it.
    fn know<K: Kind>(
        &self,
        name: &'static str,
        kind: &K,
        described: String,
        default: &str,
        meaning: &str,
    ) -> Option<String> {
        self.ask(name);
        let variable = |path: &str| {
            let path = join(path, name);
            self.has_variables.then(|| variable_of(&path))
        };
        self.owner.document.know(KeyInfo {
            section: self.owner.pattern.clone(),
            name: name.to_owned(),
            kind: described,
            default: default.to_owned(),
            meaning: meaning.to_owned(),
            variable: variable(&self.owner.pattern),
            shape: kind.shape(),
            is_required: false,
        });
        variable(&self.owner.path)
    }
}

/// What tells the tables of a list apart: a name or an address that no other has, else the number.
fn labels<'v>(items: impl Iterator<Item = &'v DeValue<'v>>) -> Vec<String> {
    let named: Vec<Option<&str>> = items
        .map(|item| {
            let name = item.get("name").or_else(|| item.get("address"))?;
            name.get_ref().as_str()
        })
        .collect();
    let is_alone = |name: &str| named.iter().filter(|other| **other == Some(name)).count() == 1;
    let label = |(at, name): (usize, &Option<&str>)| match name {
        Some(name) if is_alone(name) => show_key(name).trim_matches('"').to_owned(),
        _ => at.to_string(),
    };
    named.iter().enumerate().map(label).collect()
}

impl Drop for Table<'_> {
    /// Reports the keys that nobody asked for.
    fn drop(&mut self) {
        if self.is_open.get() {
            return;
        }
        let asked = self.asked.get_mut();
        for (name, _) in self.values.iter().flat_map(|values| values.iter()) {
            let written: &str = name.get_ref();
            if asked.contains(&written) {
                continue;
            }
            let hint = match nearest(written, asked.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => {
                    let mut names: Vec<&str> = asked.clone();
                    names.sort_unstable();
                    format!("known here: {}", names.join(", "))
                }
            };
            let place = Place {
                offset: Some(name.span().start),
                key: join(&self.owner.path, &show_key(written)),
                variable: None,
            };
            self.owner
                .document
                .fault(&place, Problem::new("unknown key", hint));
        }
    }
}

impl<'d> Entry<'d> {
    /// The entry as a table; `pattern` stands for its name in the reference.
    pub fn table(&self, pattern: &str) -> Table<'d> {
        let owner = self.parent.child(self.name, pattern);
        let table = as_table(owner, self.value, self.has_variables);
        table.owner.set("", "", Value::Present, &table.place);
        table
    }

    /// The entry as a value; `pattern` stands for its name in the reference.
    pub fn value<K: Kind>(
        &self,
        pattern: &str,
        kind: &K,
        meaning: &str,
    ) -> Option<Found<K::Value>> {
        self.parent.document.know(KeyInfo {
            section: self.parent.pattern.clone(),
            name: pattern.to_owned(),
            kind: kind.describe(),
            default: "none".to_owned(),
            meaning: meaning.to_owned(),
            variable: None,
            shape: kind.shape(),
            is_required: false,
        });
        let place = Place {
            offset: Some(self.value.span().start),
            ..self.place.clone()
        };
        let raw = Raw::File(self.value.get_ref());
        let found = take(self.parent.document, place, raw, kind)?;
        let value = shown(kind, &found.value, raw);
        self.parent.set(self.name, pattern, value, &found.place);
        Some(found)
    }
}

fn take<K: Kind>(
    document: &Document<'_>,
    place: Place,
    raw: Raw<'_>,
    kind: &K,
) -> Option<Found<K::Value>> {
    match kind.read(raw) {
        Ok(value) => Some(Found { value, place }),
        Err(mut problem) => {
            if problem.show_value && problem.found.is_none() {
                problem.found = raw.text().map(|text| echo(&place.key, text));
            }
            document.fault(&place, problem);
            None
        }
    }
}

fn as_table<'d>(
    owner: Owner<'d>,
    value: &'d Spanned<DeValue<'d>>,
    has_variables: bool,
) -> Table<'d> {
    let offset = Some(value.span().start);
    let values = value.get_ref().as_table();
    let table = Table::new(owner, values, offset, has_variables);
    if values.is_none() {
        let mut problem = Problem::new("must be a table", format!("write [{}]", table.owner.path));
        problem.found = Some(format!("a value of type {}", value.get_ref().type_str()));
        table.fault(&table.place, problem);
    }
    table
}
