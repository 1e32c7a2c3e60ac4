//! Several files as one document.
//!
//! Each file is parsed by itself and its tables are put together. A place is an offset into all texts
//! one after the other, so that every fault finds its own file and line.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::Problem;
use crate::domain::config::fault::show_key;

/// One file of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The text of one file within a document.
pub(super) struct Piece<'a> {
    name: &'a str,
    pub(super) text: &'a str,
    /// Where it begins among all texts.
    base: usize,
    line_starts: Vec<usize>,
}

/// A place as people look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: String,
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// In characters, from 1; 0 for the file as a whole.
    pub column: usize,
}

/// All texts of a document.
pub(super) struct Pieces<'a>(Vec<Piece<'a>>);

impl<'a> Pieces<'a> {
    pub(super) fn new(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut base = 0;
        let pieces = sources.into_iter().map(|(name, text)| {
            let after_newline = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
            let piece = Piece {
                name,
                text,
                base,
                line_starts: std::iter::once(0).chain(after_newline).collect(),
            };
            // One more, so that the end of a text is not the beginning of the next.
            base += text.len() + 1;
            piece
        });
        Self(pieces.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|piece| piece.text.len()).sum()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.0.iter().map(|piece| piece.name)
    }

    /// Where an offset is; without one, the first file as a whole.
    pub(super) fn line(&self, offset: Option<usize>) -> Line {
        let at = self
            .0
            .partition_point(|piece| offset.is_some_and(|at| piece.base <= at));
        let piece = self.0.get(at.saturating_sub(1));
        let (line, column) = match (piece, offset) {
            (Some(piece), Some(offset)) => piece.line_and_column(offset - piece.base),
            _ => (0, 0),
        };
        Line {
            file: piece.map_or_else(String::new, |piece| piece.name.to_owned()),
            line,
            column,
        }
    }

    /// Parses every text and puts the tables together; `fault` hears what is wrong and where. `None` if
    /// one of them is not TOML.
    pub(super) fn merged(
        &self,
        fault: &mut dyn FnMut(usize, &str, Problem),
    ) -> Option<DeTable<'a>> {
        let mut is_whole = true;
        let mut all: Option<DeTable<'a>> = None;
        for piece in &self.0 {
            let (top, errors) = DeTable::parse_recoverable(piece.text);
            is_whole &= errors.is_empty();
            for error in errors {
                let at = error.span().map_or(0, |span| span.start);
                let message = format!("not TOML: {}", error.message());
                fault(piece.base + at, "", Problem::new(message, ""));
            }
            let top = top.into_inner();
            match &mut all {
                None => all = Some(top),
                Some(all) => {
                    let mut top = moved_table(top, piece.base);
                    // Followed when the files were gathered.
                    top.remove(super::INCLUDE);
                    merge(all, top, "", self, fault);
                }
            }
        }
        all.filter(|_| is_whole)
    }
}

impl Piece<'_> {
    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied();
        let before = self.text.as_bytes().get(start.unwrap_or(0)..offset);
        // Bytes that continue a UTF-8 character do not start a column.
        let before = before.unwrap_or_default().iter();
        let columns = before.filter(|byte| **byte & 0xc0 != 0x80).count();
        (line, columns + 1)
    }
}

fn moved<T, U>(value: Spanned<T>, base: usize, inside: impl FnOnce(T) -> U) -> Spanned<U> {
    let span = value.span();
    Spanned::new(
        span.start + base..span.end + base,
        inside(value.into_inner()),
    )
}

fn moved_table(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    let mut all = DeTable::new();
    for (name, value) in table {
        all.insert(moved(name, base, |name| name), moved_value(value, base));
    }
    all
}

fn moved_value(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    moved(value, base, |value| match value {
        DeValue::Table(table) => DeValue::Table(moved_table(table, base)),
        DeValue::Array(items) => {
            let mut all = DeArray::new();
            for item in items {
                all.push(moved_value(item, base));
            }
            DeValue::Array(all)
        }
        plain => plain,
    })
}

/// Puts a table into another. Tables are put together key by key and lists of tables one after the
/// other; anything else may be written once.
fn merge<'a>(
    into: &mut DeTable<'a>,
    from: DeTable<'a>,
    path: &str,
    pieces: &Pieces<'_>,
    fault: &mut dyn FnMut(usize, &str, Problem),
) {
    for (name, value) in from {
        let key = match path {
            "" => show_key(name.get_ref()),
            _ => format!("{path}.{}", show_key(name.get_ref())),
        };
        let first = into.get_key_value(name.get_ref().as_ref());
        let Some(first) = first.map(|(first, _)| first.span().start) else {
            into.insert(name, value);
            continue;
        };
        let Some(known) = into.get_mut(name.get_ref().as_ref()) else {
            continue;
        };
        match (known.get_mut(), value.into_inner()) {
            (DeValue::Table(known), DeValue::Table(table)) => {
                merge(known, table, &key, pieces, fault);
            }
            (DeValue::Array(known), DeValue::Array(items))
                if are_tables(known) && are_tables(&items) =>
            {
                for item in items {
                    known.push(item);
                }
            }
            _ => {
                let first = pieces.line(Some(first));
                let place = format!("{}:{}", first.file, first.line);
                let problem = Problem::new(
                    format!("this is written in {place}, too"),
                    "write it in one of the two places",
                );
                fault(name.span().start, &key, problem);
            }
        }
    }
}

fn are_tables(items: &DeArray<'_>) -> bool {
    !items.is_empty() && items.iter().all(|item| item.get_ref().is_table())
}
