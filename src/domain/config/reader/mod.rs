//! A typed reader over TOML that finds every fault at once.
//!
//! The code that reads a key is also its definition: name, kind, bounds, default and meaning
//! stand in one place. A [`Document`] collects them as [`KeyInfo`] while it is read, from which
//! the reference in `docs/configuration.md` is made. A [`Table`] remembers which keys were asked
//! for and reports all others when it goes out of scope, so that a typing error is never silent.
//!
//! Reading never stops at a fault: a value that cannot be used is reported and its default taken,
//! so that the rest can be checked. Whoever reads looks at [`Document::finish`] before using
//! anything.

mod kinds;
mod shape;
mod source;
mod table;

use std::cell::RefCell;

use super::fault::{Fault, Faults};
use super::settings::{Origin, Setting, Value};
use source::Pieces;

pub use kinds::{
    DurationIn, FilePath, Flag, Hidden, IntegerIn, Kind, Names, OneOf, Problem, Raw, SizeIn, Text,
    Texts, Timestamp, quoted,
};
pub use shape::Shape;
pub use source::{Line, Source};
pub use table::{Either, Entry, Found, Place, Table, variable_of};

/// Largest text that is read, in bytes: a thousand times a large configuration, and small enough
/// for a parser that keeps everything in memory.
pub const MAX_TEXT: usize = 16 << 20;

/// The key that names further files. It has been followed before a document is read.
pub const INCLUDE: &str = "include";

/// What is known about a key; the reference is made of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyInfo {
    /// Path of the table, with `<id>` for names that the user chooses; empty at the top.
    pub section: String,
    /// Name of the key.
    pub name: String,
    /// What may be written, with its bounds.
    pub kind: String,
    /// What holds when the key is absent.
    pub default: String,
    /// What the key does.
    pub meaning: String,
    /// Environment variable that wins over the file; with `<ID>` for names that the user chooses.
    pub variable: Option<String>,
    /// What the value looks like, for programs.
    pub shape: Shape,
    /// Whether it must be written.
    pub is_required: bool,
}

/// A text that is being read, and what was found out about it.
pub struct Document<'a> {
    pieces: Pieces<'a>,
    variables: &'a dyn Fn(&str) -> Option<String>,
    faults: RefCell<Faults>,
    keys: RefCell<Vec<KeyInfo>>,
    /// Tables that may be written several times, as `[[name]]`, by their pattern.
    lists: RefCell<Vec<String>>,
    settings: RefCell<Vec<Setting>>,
    overrides: RefCell<Vec<(String, String)>>,
}

impl<'a> Document<'a> {
    /// A text with the name of its file, for messages. `variables` gives environment variables
    /// by name; pass [`no_variables`] for files that have none.
    pub fn new(
        file: &'a str,
        text: &'a str,
        variables: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self::over(Pieces::new([(file, text)]), variables)
    }

    /// Several files that are one document; the first is its main file.
    pub fn of(sources: &'a [Source], variables: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let texts = sources.iter();
        let texts = texts.map(|source| (source.name.as_str(), source.text.as_str()));
        Self::over(Pieces::new(texts), variables)
    }

    fn over(pieces: Pieces<'a>, variables: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            pieces,
            variables,
            faults: RefCell::default(),
            keys: RefCell::default(),
            lists: RefCell::default(),
            settings: RefCell::default(),
            overrides: RefCell::default(),
        }
    }

    /// Parses the text and hands its top table to `read`; `None` if it is not TOML, and then
    /// every syntax error is a fault.
    pub fn read<T>(&self, read: impl FnOnce(Table<'_>) -> T) -> Option<T> {
        if self.pieces.len() > MAX_TEXT {
            self.fault_at(
                None,
                "",
                Problem::new("the file is too large", "at most 16 MiB are read"),
            );
            return None;
        }
        let mut fault = |at, key: &str, problem| self.fault_at(Some(at), key, problem);
        let top = self.pieces.merged(&mut fault)?;
        Some(read(Table::top(self, &top)))
    }

    /// Reports a fault at a place.
    pub fn fault(&self, place: &Place, problem: Problem) {
        match &place.variable {
            None => self.fault_at(place.offset, &place.key, problem),
            Some(variable) => self.faults.borrow_mut().push(Fault {
                file: "environment".to_owned(),
                line: 0,
                column: 0,
                key: variable.clone(),
                found: problem.found,
                message: problem.message,
                hint: problem.hint,
            }),
        }
    }

    /// Adds the faults of another file that this one names.
    pub fn adopt(&self, faults: Faults) {
        self.faults.borrow_mut().extend(faults);
    }

    /// Environment variables that were used, with their values.
    pub fn overrides(&self) -> Vec<(String, String)> {
        self.overrides.borrow().clone()
    }

    /// Every key that was asked for, in that order, once.
    pub fn keys(&self) -> Vec<KeyInfo> {
        self.keys.borrow().clone()
    }

    /// Tables that may be written several times, by their pattern.
    pub fn lists(&self) -> Vec<String> {
        self.lists.borrow().clone()
    }

    /// Every value that was read, in that order, with where it came from.
    pub fn settings(&self) -> Vec<Setting> {
        self.settings.borrow().clone()
    }

    /// What was read, unless there were faults.
    ///
    /// # Errors
    /// Every fault that was reported.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Faults> {
        let mut faults = self.faults.into_inner();
        faults.sort(self.pieces.names());
        match read {
            Some(read) if faults.is_empty() => Ok(read),
            _ => Err(faults),
        }
    }

    fn fault_at(&self, offset: Option<usize>, key: &str, problem: Problem) {
        let at = self.pieces.line(offset);
        self.faults.borrow_mut().push(Fault {
            file: at.file,
            line: at.line,
            column: at.column,
            key: key.to_owned(),
            found: problem.found,
            message: problem.message,
            hint: problem.hint,
        });
    }

    /// Notes a value that was read.
    fn set(&self, mut setting: Setting, place: &Place) {
        let origin = match (&place.variable, place.offset) {
            (Some(variable), _) => Origin::Variable(variable.clone()),
            (None, Some(_)) => {
                let at = self.pieces.line(place.offset);
                Origin::File(at.file, at.line)
            }
            (None, None) => Origin::Default,
        };
        setting.origin = origin;
        self.settings.borrow_mut().push(setting);
    }

    /// Says what the default of the value that was read last comes to.
    fn settle(&self, literal: String) {
        let mut settings = self.settings.borrow_mut();
        if let Some(last) = settings.last_mut()
            && last.origin == Origin::Default
        {
            last.value = Value::Literal(literal);
        }
    }

    fn know_list(&self, pattern: &str) {
        let mut lists = self.lists.borrow_mut();
        if !lists.iter().any(|known| known == pattern) {
            lists.push(pattern.to_owned());
        }
    }

    fn change_key(&self, section: &str, name: &str, change: impl FnOnce(&mut KeyInfo)) {
        let mut keys = self.keys.borrow_mut();
        let is_it = |key: &&mut KeyInfo| key.section == section && key.name == name;
        if let Some(key) = keys.iter_mut().find(is_it) {
            change(key);
        }
    }

    fn require(&self, section: &str, name: &str) {
        self.change_key(section, name, |key| key.is_required = true);
    }

    fn know(&self, key: KeyInfo) {
        let mut keys = self.keys.borrow_mut();
        if !keys
            .iter()
            .any(|known| known.section == key.section && known.name == key.name)
        {
            keys.push(key);
        }
    }
}

/// For files whose keys cannot be overridden.
pub fn no_variables(_: &str) -> Option<String> {
    None
}

#[cfg(test)]
mod tests;
