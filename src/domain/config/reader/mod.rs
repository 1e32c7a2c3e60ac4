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
mod table;

use std::cell::RefCell;

use toml::de::DeTable;

use super::fault::{Fault, Faults};

pub use kinds::{
    DurationIn, FilePath, Flag, IntegerIn, Kind, Names, OneOf, Problem, Raw, SizeIn, Text, Texts,
    Timestamp,
};
pub use table::{Either, Entry, Found, Place, Table};

/// Largest text that is read, in bytes: a thousand times a large configuration, and small enough
/// for a parser that keeps everything in memory.
pub const MAX_TEXT: usize = 16 << 20;

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
    /// Environment variable that wins over the file.
    pub variable: Option<String>,
}

/// A text that is being read, and what was found out about it.
pub struct Document<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    variables: &'a dyn Fn(&str) -> Option<String>,
    faults: RefCell<Faults>,
    keys: RefCell<Vec<KeyInfo>>,
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
        let after_newline = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self {
            file,
            text,
            line_starts: std::iter::once(0).chain(after_newline).collect(),
            variables,
            faults: RefCell::default(),
            keys: RefCell::default(),
            overrides: RefCell::default(),
        }
    }

    /// Parses the text and hands its top table to `read`; `None` if it is not TOML, and then
    /// every syntax error is a fault.
    pub fn read<T>(&self, read: impl FnOnce(Table<'_>) -> T) -> Option<T> {
        if self.text.len() > MAX_TEXT {
            self.fault_at(
                None,
                "",
                Problem::new("the file is too large", "at most 16 MiB are read"),
            );
            return None;
        }
        let (top, errors) = DeTable::parse_recoverable(self.text);
        if errors.is_empty() {
            return Some(read(Table::top(self, top.get_ref())));
        }
        for error in errors {
            let offset = error.span().map(|span| span.start);
            let message = format!("not TOML: {}", error.message());
            self.fault_at(offset, "", Problem::new(message, ""));
        }
        None
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

    /// What was read, unless there were faults.
    ///
    /// # Errors
    /// Every fault that was reported.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Faults> {
        let mut faults = self.faults.into_inner();
        faults.sort();
        match read {
            Some(read) if faults.is_empty() => Ok(read),
            _ => Err(faults),
        }
    }

    fn fault_at(&self, offset: Option<usize>, key: &str, problem: Problem) {
        let (line, column) = offset.map_or((0, 0), |offset| self.line_and_column(offset));
        self.faults.borrow_mut().push(Fault {
            file: self.file.to_owned(),
            line,
            column,
            key: key.to_owned(),
            found: problem.found,
            message: problem.message,
            hint: problem.hint,
        });
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line.saturating_sub(1)];
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        // Bytes that continue a UTF-8 character do not start a column.
        let columns = before.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        (line, columns + 1)
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
