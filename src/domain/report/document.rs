//! A report as a reader gets it, before it has a form: headings, numbers, tables.

use super::ReportKind;
use crate::types::Micros;

/// Microseconds of a day. Days are those of UTC.
pub const DAY: i64 = 86_400_000_000;

/// A whole report.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it is called.
    pub heading: Heading,
    /// What was asked, when and by whom.
    pub asked: Asked,
    /// Where the numbers come from: name and value.
    pub source: Vec<(&'static str, String)>,
    /// The numbers that come first.
    pub totals: Vec<Total>,
    /// Calls of the report per day; days without one are left out.
    pub days: Vec<Day>,
    /// What the marked part of a day is.
    pub marked: &'static str,
    /// Summaries, then single calls, then what is missing from the record.
    pub tables: Vec<Table>,
    /// The words of the report, explained.
    pub terms: Vec<Term>,
    /// How the reader can check it.
    pub verify: Vec<String>,
}

/// What a document is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Name for programs.
    pub name: &'static str,
    /// Name for people.
    pub title: String,
    /// Which calls it is about, in a sentence.
    pub scope: String,
}

impl From<ReportKind> for Heading {
    fn from(kind: ReportKind) -> Self {
        Self {
            name: kind.as_str(),
            title: kind.title().to_owned(),
            scope: kind.scope().to_owned(),
        }
    }
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Received at or after.
    pub from: Micros,
    /// Received before.
    pub to: Micros,
    /// Further conditions: the name of the option, and its value. Identifiers of people are
    /// pseudonyms.
    pub filters: Vec<(String, String)>,
    /// When the report was made.
    pub at: Micros,
    /// Who made it: the user of the operating system.
    pub by: String,
}

impl Asked {
    /// Whether the report was asked for with this condition.
    pub fn names(&self, condition: &str) -> bool {
        self.filters.iter().any(|(name, _)| name == condition)
    }

    /// The command that asks for the calls behind the report one by one, with `more` conditions.
    pub fn query(&self, more: &str) -> String {
        let mut command = format!("egret audit query --from {} --to {}", self.from, self.to);
        for (name, value) in &self.filters {
            command.push_str(&format!(" --{name}"));
            if !value.is_empty() {
                command.push_str(&format!(" {}", quoted(value)));
            }
        }
        for word in more.split_ascii_whitespace() {
            // What was asked for already is not said twice: the command would be refused.
            let name = word.strip_prefix("--");
            if !self
                .filters
                .iter()
                .any(|(known, value)| value.is_empty() && Some(known.as_str()) == name)
            {
                command.push(' ');
                command.push_str(word);
            }
        }
        command
    }
}

/// As a POSIX shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A number of the first page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Name for programs.
    pub key: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// The number.
    pub value: u64,
    /// Whether anything above zero needs somebody's attention.
    pub is_warning: bool,
}

/// What happened on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970-01-01.
    pub number: i64,
    /// Calls of the report.
    pub calls: u64,
    /// Those of them that are marked.
    pub marked: u64,
}

impl Day {
    /// As `2026-11-22`.
    pub fn date(&self) -> String {
        date(self.number)
    }
}

/// A day as `2026-11-22`.
pub(super) fn date(number: i64) -> String {
    let text = Micros(number.saturating_mul(DAY)).to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

/// Several days together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Month {
    /// As `2026-11`.
    pub name: String,
    /// Calls of the report.
    pub calls: u64,
    /// Those of them that are marked.
    pub marked: u64,
}

impl Document {
    /// The days added up by month.
    pub fn months(&self) -> Vec<Month> {
        let mut months: Vec<Month> = Vec::new();
        for day in &self.days {
            let date = day.date();
            let name = date.get(..7).unwrap_or(&date);
            match months.last_mut() {
                Some(last) if last.name == name => {
                    last.calls = last.calls.saturating_add(day.calls);
                    last.marked = last.marked.saturating_add(day.marked);
                }
                _ => months.push(Month {
                    name: name.to_owned(),
                    calls: day.calls,
                    marked: day.marked,
                }),
            }
        }
        months
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name for programs.
    pub key: &'static str,
    /// Heading.
    pub title: String,
    /// What it tells, if the heading does not.
    pub note: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows there are in all; more than `rows` if it was cut.
    pub all: u64,
    /// The command that gives all of them, if it was cut.
    pub more: Option<String>,
}

impl Table {
    /// Whether rows were left out.
    pub fn is_cut(&self) -> bool {
        self.all > self.rows.len() as u64
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name for programs.
    pub key: &'static str,
    /// Name for people.
    pub label: &'static str,
}

impl Column {
    /// A column by its names for programs and for people.
    pub const fn new(key: &'static str, label: &'static str) -> Self {
        Self { key, label }
    }
}

/// What stands in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing is known, or nothing applies.
    Empty,
    /// A number of calls or of other things.
    Count(u64),
    /// Text.
    Text(String),
    /// An id or a fingerprint: text that people copy.
    Id(String),
    /// A point in time.
    Time(Micros),
}

impl Cell {
    /// Text, or nothing if it is empty.
    pub fn text(text: impl Into<String>) -> Self {
        match text.into() {
            text if text.is_empty() => Self::Empty,
            text => Self::Text(text),
        }
    }

    /// An id, or nothing if it is empty.
    pub fn id(text: impl Into<String>) -> Self {
        match text.into() {
            text if text.is_empty() => Self::Empty,
            text => Self::Id(text),
        }
    }
}

/// A word and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub meaning: &'static str,
}
