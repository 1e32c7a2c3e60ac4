//! A table that remembers what it was asked for.

use std::cell::{Cell, RefCell};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::{Kind, Problem, Raw};
use super::{Document, KeyInfo};
use crate::domain::config::fault::{echo, nearest, show_key};

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
}

/// What a table shares with its entries.
#[derive(Clone)]
struct Owner<'d> {
    document: &'d Document<'d>,
    path: String,
    pattern: String,
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
            pattern: join(&self.pattern, pattern),
        }
    }
}

impl<'d> Table<'d> {
    pub(super) fn top(document: &'d Document<'d>, values: &'d DeTable<'d>) -> Self {
        let owner = Owner {
            document,
            path: String::new(),
            pattern: String::new(),
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
        let variable = self.know(name, kind.describe(), default, meaning);
        let document = self.owner.document;
        if let Some(variable) = variable
            && let Some(text) = (document.variables)(&variable)
        {
            document
                .overrides
                .borrow_mut()
                .push((variable.clone(), text.clone()));
            let place = Place {
                variable: Some(variable),
                ..self.place_of(name)
            };
            return take(document, place, Raw::Variable(&text), kind);
        }
        let value = self.values?.get(name)?;
        take(
            document,
            self.place_of(name),
            Raw::File(value.get_ref()),
            kind,
        )
    }

    /// A key with a default value.
    pub fn value<K: Kind>(
        &self,
        name: &'static str,
        kind: &K,
        default: K::Value,
        meaning: &str,
    ) -> Found<K::Value> {
        let shown = format!("`{}`", kind.show(&default));
        self.optional(name, kind, &shown, meaning)
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
        let inherits = self.has_variables && self.owner.path.is_empty();
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
        items
            .iter()
            .map(|item| as_table(owner.clone(), item, false))
            .collect()
    }

    /// A key that may be written as a value or as a table.
    pub fn either<K: Kind>(
        &self,
        name: &'static str,
        kind: &K,
        default: &str,
        meaning: &str,
    ) -> Option<Either<'d, K::Value>> {
        self.know(
            name,
            format!("{}, or a table", kind.describe()),
            default,
            meaning,
        );
        let value = self.values?.get(name)?;
        if let DeValue::Table(_) = value.get_ref() {
            let owner = self.owner.child(name, name);
            return Some(Either::Table(as_table(owner, value, false)));
        }
        let raw = Raw::File(value.get_ref());
        take(self.owner.document, self.place_of(name), raw, kind).map(Either::Value)
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
            })
            .collect()
    }

    fn ask(&self, name: &'static str) {
        self.asked.borrow_mut().push(name);
    }

    /// Notes a key and gives the environment variable that overrides it.
    fn know(
        &self,
        name: &'static str,
        kind: String,
        default: &str,
        meaning: &str,
    ) -> Option<String> {
        self.ask(name);
        let variable = self.has_variables.then(|| {
            let path = join(&self.owner.pattern, name).to_ascii_uppercase();
            format!("EGRET_{}", path.replace('.', "_"))
        });
        self.owner.document.know(KeyInfo {
            section: self.owner.pattern.clone(),
            name: name.to_owned(),
            kind,
            default: default.to_owned(),
            meaning: meaning.to_owned(),
            variable: variable.clone(),
        });
        variable
    }
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
        as_table(self.parent.child(self.name, pattern), self.value, false)
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
        });
        let place = Place {
            offset: Some(self.value.span().start),
            ..self.place.clone()
        };
        take(
            self.parent.document,
            place,
            Raw::File(self.value.get_ref()),
            kind,
        )
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
