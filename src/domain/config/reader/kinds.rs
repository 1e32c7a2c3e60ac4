//! What a value may be.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::shape::Shape;

use crate::domain::config::fault::nearest;
use crate::domain::config::units::{parse_duration, parse_size, show_duration, show_size};
use crate::types::Micros;

/// What is wrong with a value, before it is known where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What was found, if it may be shown.
    pub found: Option<String>,
    /// What is allowed, or what to write.
    pub hint: String,
    /// Whether the value as written helps and may be shown where its key allows it.
    pub(super) show_value: bool,
}

impl Problem {
    /// A problem whose value is not repeated.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            found: None,
            hint: hint.into(),
            show_value: false,
        }
    }

    /// A problem whose message is clearer with the value as written. It is shown unless it is
    /// long or its key sounds secret.
    pub fn with_value(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            show_value: true,
            ..Self::new(message, hint)
        }
    }

    fn wrong_type(raw: Raw<'_>, wanted: &str) -> Self {
        Self {
            found: Some(format!("a value of type {}", raw.type_name())),
            ..Self::new("wrong type", format!("write {wanted}"))
        }
    }
}

/// A value as written in the file or in an environment variable.
#[derive(Clone, Copy)]
pub enum Raw<'a> {
    /// In the file.
    File(&'a DeValue<'a>),
    /// In an environment variable, where everything is text.
    Variable(&'a str),
}

impl<'a> Raw<'a> {
    /// The text, if it is text.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::File(value) => value.as_str(),
            Self::Variable(text) => Some(text),
        }
    }

    /// The whole number, if it is one that fits.
    fn integer(self) -> Option<Result<i64, Problem>> {
        let too_large = || Problem::new("the number is too large", "");
        match self {
            Self::File(DeValue::Integer(integer)) => Some(
                i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| too_large()),
            ),
            Self::File(_) => None,
            Self::Variable(text) => text.parse().ok().map(Ok),
        }
    }

    /// All of it as one text, for telling one value from another.
    pub(super) fn whole(self) -> String {
        let list = || {
            Some(
                self.list()?
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        };
        let text = self.text().map(str::to_owned);
        text.or_else(list).unwrap_or_default()
    }

    /// The entries of a list; in a variable, commas stand between them. An entry that is not text is
    /// `None`.
    fn list(self) -> Option<Vec<Option<&'a str>>> {
        match self {
            Self::File(DeValue::Array(items)) => {
                Some(items.iter().map(|item| item.get_ref().as_str()).collect())
            }
            Self::File(_) => None,
            Self::Variable("") => Some(Vec::new()),
            Self::Variable(text) => Some(text.split(',').map(|item| Some(item.trim())).collect()),
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Self::File(value) => value.type_str(),
            Self::Variable(_) => "text",
        }
    }
}

/// A kind of value: how it is read, shown and described.
pub trait Kind {
    /// What it is read into.
    type Value;

    /// Reads the value.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(&self, raw: Raw<'_>) -> Result<Self::Value, Problem>;

    /// What may be written, for the reference.
    fn describe(&self) -> String;

    /// A value as it would be written, for the reference.
    fn show(&self, value: &Self::Value) -> String;

    /// What the value looks like, for the schema.
    fn shape(&self) -> Shape {
        Shape::Any
    }

    /// Whether [`Kind::show`] hides something of the value.
    fn is_secret(&self) -> bool {
        false
    }
}

/// Text as TOML writes it.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A list of texts as TOML writes it.
fn quoted_list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

/// A kind of which not everything is shown: it may hold a secret, or somebody's data.
pub struct Hidden<K: Kind> {
    /// How it is read.
    pub kind: K,
    /// What may be shown of it, as TOML writes it.
    pub show: fn(&K::Value) -> String,
}

impl<K: Kind> Kind for Hidden<K> {
    type Value = K::Value;

    fn read(&self, raw: Raw<'_>) -> Result<Self::Value, Problem> {
        self.kind.read(raw)
    }

    fn describe(&self) -> String {
        self.kind.describe()
    }

    fn show(&self, value: &Self::Value) -> String {
        (self.show)(value)
    }

    fn shape(&self) -> Shape {
        self.kind.shape()
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// Text.
pub struct Text {
    /// Longest text, in bytes.
    pub max: usize,
    /// What it is, for the reference.
    pub what: &'static str,
}

impl Kind for Text {
    type Value = String;

    fn read(&self, raw: Raw<'_>) -> Result<String, Problem> {
        let text = raw
            .text()
            .ok_or_else(|| Problem::wrong_type(raw, "text in quotes"))?;
        if text.is_empty() {
            return Err(Problem::new("empty", "write a value or remove the key"));
        }
        if text.len() > self.max || text.chars().any(char::is_control) {
            return Err(Problem::new(
                "too long or with control characters",
                format!("use at most {} bytes of printable text", self.max),
            ));
        }
        Ok(text.to_owned())
    }

    fn describe(&self) -> String {
        self.what.to_owned()
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }

    fn shape(&self) -> Shape {
        Shape::Text(self.max)
    }
}

/// `true` or `false`.
pub struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn read(&self, raw: Raw<'_>) -> Result<bool, Problem> {
        match raw {
            Raw::File(DeValue::Boolean(value)) => Ok(*value),
            Raw::Variable("true") => Ok(true),
            Raw::Variable("false") => Ok(false),
            _ => Err(Problem::wrong_type(raw, "true or false, without quotes")),
        }
    }

    fn describe(&self) -> String {
        "`true` or `false`".to_owned()
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn shape(&self) -> Shape {
        Shape::Flag
    }
}

/// A whole number within bounds.
pub struct IntegerIn(pub RangeInclusive<usize>);

impl Kind for IntegerIn {
    type Value = usize;

    fn read(&self, raw: Raw<'_>) -> Result<usize, Problem> {
        let integer = raw
            .integer()
            .ok_or_else(|| Problem::wrong_type(raw, "a whole number, without quotes"))??;
        usize::try_from(integer)
            .ok()
            .filter(|value| self.0.contains(value))
            .ok_or_else(|| {
                let (low, high) = (self.0.start(), self.0.end());
                Problem {
                    found: Some(integer.to_string()),
                    ..Problem::new("out of bounds", format!("use {low} to {high}"))
                }
            })
    }

    fn describe(&self) -> String {
        format!("integer, {} to {}", self.0.start(), self.0.end())
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }

    fn shape(&self) -> Shape {
        Shape::integer(&self.0)
    }
}

/// A size in bytes within bounds: `"64KiB"` or a whole number.
pub struct SizeIn(pub RangeInclusive<u64>);

impl Kind for SizeIn {
    type Value = usize;

    fn read(&self, raw: Raw<'_>) -> Result<usize, Problem> {
        const WANTED: &str = "a size, such as \"64KiB\", or a whole number of bytes";
        let bytes = if let Raw::File(DeValue::Integer(_)) = raw {
            let integer = raw
                .integer()
                .ok_or_else(|| Problem::wrong_type(raw, WANTED))??;
            u64::try_from(integer).map_err(|_| {
                let (low, high) = (show_size(*self.0.start()), show_size(*self.0.end()));
                Problem::with_value("out of bounds", format!("use {low} to {high}"))
            })
        } else {
            let text = raw.text().ok_or_else(|| Problem::wrong_type(raw, WANTED))?;
            parse_size(text).map_err(|hint| Problem::with_value("not a size", hint))
        }?;
        usize::try_from(bytes)
            .ok()
            .filter(|_| self.0.contains(&bytes))
            .ok_or_else(|| {
                let (low, high) = (show_size(*self.0.start()), show_size(*self.0.end()));
                Problem {
                    found: Some(show_size(bytes)),
                    ..Problem::new("out of bounds", format!("use {low} to {high}"))
                }
            })
    }

    fn describe(&self) -> String {
        let (low, high) = (show_size(*self.0.start()), show_size(*self.0.end()));
        format!("size, {low} to {high}")
    }

    fn show(&self, value: &usize) -> String {
        format!("{:?}", show_size(*value as u64))
    }

    fn shape(&self) -> Shape {
        Shape::Size(*self.0.start(), *self.0.end())
    }
}

/// A duration within bounds: `"30s"`.
pub struct DurationIn(pub RangeInclusive<Duration>);

impl Kind for DurationIn {
    type Value = Duration;

    fn read(&self, raw: Raw<'_>) -> Result<Duration, Problem> {
        let Some(text) = raw.text() else {
            let Some(Ok(number)) = raw.integer() else {
                return Err(Problem::wrong_type(raw, "a duration, such as \"30s\""));
            };
            return Err(Problem {
                found: Some(format!("the plain number {number}")),
                ..Problem::new(
                    "a duration needs a unit",
                    format!("write \"{number}s\" for seconds or \"{number}ms\" for milliseconds"),
                )
            });
        };
        let duration =
            parse_duration(text).map_err(|hint| Problem::with_value("not a duration", hint))?;
        if self.0.contains(&duration) {
            return Ok(duration);
        }
        let (low, high) = (show_duration(*self.0.start()), show_duration(*self.0.end()));
        Err(Problem::with_value(
            "out of bounds",
            format!("use \"{low}\" to \"{high}\""),
        ))
    }

    fn describe(&self) -> String {
        let (low, high) = (show_duration(*self.0.start()), show_duration(*self.0.end()));
        format!("duration, {low} to {high}")
    }

    fn show(&self, value: &Duration) -> String {
        format!("{:?}", show_duration(*value))
    }

    fn shape(&self) -> Shape {
        Shape::Duration
    }
}

/// One of some words.
pub struct OneOf<T: 'static>(pub &'static [(&'static str, T)]);

impl<T> OneOf<T> {
    fn words(&self, separator: &str) -> String {
        let quoted: Vec<String> = self.0.iter().map(|(word, _)| format!("{word:?}")).collect();
        quoted.join(separator)
    }
}

impl<T: Copy + PartialEq> Kind for OneOf<T> {
    type Value = T;

    fn read(&self, raw: Raw<'_>) -> Result<T, Problem> {
        let text = raw.text().ok_or_else(|| {
            Problem::wrong_type(raw, &format!("one of, in quotes: {}", self.words(", ")))
        })?;
        if let Some((_, value)) = self.0.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let hint = match nearest(text, self.0.iter().map(|(word, _)| *word)) {
            Some(near) => format!("did you mean {near:?}? use one of: {}", self.words(", ")),
            None => format!("use one of: {}", self.words(", ")),
        };
        Err(Problem::with_value("not an allowed value", hint))
    }

    fn describe(&self) -> String {
        format!("one of `{}`", self.words("`, `"))
    }

    fn show(&self, value: &T) -> String {
        let word = self.0.iter().find(|(_, allowed)| allowed == value);
        word.map_or_else(String::new, |(word, _)| format!("{word:?}"))
    }

    fn shape(&self) -> Shape {
        Shape::OneOf(self.0.iter().map(|(word, _)| *word).collect())
    }
}

/// Path of a file; what it is relative to is the reader's business.
pub struct FilePath;

impl Kind for FilePath {
    type Value = PathBuf;

    fn read(&self, raw: Raw<'_>) -> Result<PathBuf, Problem> {
        let text = raw
            .text()
            .ok_or_else(|| Problem::wrong_type(raw, "a path in quotes"))?;
        if text.contains("-----BEGIN") {
            return Err(Problem::new(
                "this is the content of a PEM file",
                "put it into a file and write the file's path here",
            ));
        }
        // 4096 is the longest path that Linux accepts (PATH_MAX).
        if text.is_empty() || text.len() > 4096 || text.chars().any(char::is_control) {
            return Err(Problem::new("not a path", "write the path of a file"));
        }
        Ok(PathBuf::from(text))
    }

    fn describe(&self) -> String {
        "path".to_owned()
    }

    fn show(&self, value: &PathBuf) -> String {
        quoted(&value.display().to_string())
    }

    fn shape(&self) -> Shape {
        Shape::Path
    }
}

/// Longest name in a list of names, in bytes; each kind of name has a bound of its own below it.
const MAX_NAME: usize = 4_096;

/// A list of names.
pub struct Names {
    /// Most names.
    pub max: usize,
    /// Whether a text is such a name.
    pub valid: fn(&str) -> bool,
    /// What a name looks like, for messages.
    pub what: &'static str,
}

impl Kind for Names {
    type Value = Vec<Arc<str>>;

    fn read(&self, raw: Raw<'_>) -> Result<Self::Value, Problem> {
        let wanted = "a list, such as [\"payments\"]";
        let items = raw.list().ok_or_else(|| Problem::wrong_type(raw, wanted))?;
        if items.len() > self.max {
            return Err(Problem::new(
                "too many entries",
                format!("use at most {}", self.max),
            ));
        }
        let mut names: Vec<Arc<str>> = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Some(name) if (self.valid)(name) => {
                    if !names.iter().any(|known| &**known == name) {
                        names.push(name.into());
                    }
                }
                _ => return Err(Problem::new("an entry is not a name", self.what)),
            }
        }
        Ok(names)
    }

    fn describe(&self) -> String {
        format!("list of at most {} names", self.max)
    }

    fn show(&self, value: &Self::Value) -> String {
        quoted_list(value.iter().map(|name| &**name))
    }

    fn shape(&self) -> Shape {
        Shape::List(self.max, Box::new(Shape::Text(MAX_NAME)))
    }
}

/// A list of texts.
pub struct Texts {
    /// Most texts.
    pub max: usize,
    /// Longest text, in bytes.
    pub max_bytes: usize,
}

impl Kind for Texts {
    type Value = Vec<String>;

    fn read(&self, raw: Raw<'_>) -> Result<Self::Value, Problem> {
        let wanted = "a list of texts in quotes";
        let items = raw.list().ok_or_else(|| Problem::wrong_type(raw, wanted))?;
        if items.len() > self.max {
            return Err(Problem::new(
                "too many entries",
                format!("use at most {}", self.max),
            ));
        }
        items
            .into_iter()
            .map(|text| match text {
                Some(text) if !text.is_empty() && text.len() <= self.max_bytes => {
                    Ok(text.to_owned())
                }
                // What the entry says is not repeated: an example may be sensitive.
                _ => Err(Problem::new(
                    "an entry is empty, too long or not text",
                    format!("use 1 to {} bytes of text in quotes", self.max_bytes),
                )),
            })
            .collect()
    }

    fn describe(&self) -> String {
        format!("list of at most {} texts", self.max)
    }

    fn show(&self, value: &Self::Value) -> String {
        quoted_list(value.iter().map(String::as_str))
    }

    fn shape(&self) -> Shape {
        Shape::List(self.max, Box::new(Shape::Text(self.max_bytes)))
    }
}

/// A moment: an RFC 3339 date and time with offset, as a TOML date-time.
pub struct Timestamp;

impl Kind for Timestamp {
    type Value = Micros;

    fn read(&self, raw: Raw<'_>) -> Result<Micros, Problem> {
        const WANTED: &str = "a date and time with offset, such as 2026-11-22T02:03:10Z";
        let text = match raw {
            Raw::File(DeValue::Datetime(at)) => at.to_string(),
            _ => return Err(Problem::wrong_type(raw, WANTED)),
        };
        text.parse::<jiff::Timestamp>()
            .map(|at| Micros(at.as_microsecond()))
            .map_err(|_| Problem::new("not a moment", format!("write {WANTED}")))
    }

    fn describe(&self) -> String {
        "date and time with offset".to_owned()
    }

    fn show(&self, value: &Micros) -> String {
        value.to_string()
    }

    fn shape(&self) -> Shape {
        Shape::Timestamp
    }
}
