//! Values in SQL: `IDENTIFIED BY 'x'`, and `INSERT INTO t (a, b) VALUES ('x', 1), ...`, where each value is
//! judged by the name of its column.

use super::super::kind::Kind;
use super::super::names::Class;
use super::super::shape;
use super::super::sink::Why;
use super::super::surface::{memo, value};
use super::super::words;
use super::Scan;
use super::spans::{self, CLASS, IDENT};

/// Columns that are read; the values of more are judged without a name.
const COLUMNS_MAX: usize = 64;
/// Bytes before `VALUES` in which the columns are looked for.
const HEAD_MAX: usize = 4_096;

impl Scan<'_, '_, '_> {
    /// A bound value, as databases and mappers log them: `$1 = 'x'`.
    pub(super) fn bound_value(&mut self, at: usize, end: usize) -> Option<usize> {
        let text = self.text;
        let number = text[at..end].strip_prefix(b"$")?;
        if !shape::is_digits(number) {
            return None;
        }
        let sign = words::run(text, end, |b| b == b' ');
        if text.get(sign) != Some(&b'=') {
            return None;
        }
        let start = words::run(text, sign + 1, |b| b == b' ');
        (text.get(start) == Some(&b'\'')).then(|| self.tuple_value(start, Class::Unknown))
    }

    /// The word at `at` as a word of SQL: goes on behind the values that it announces.
    pub(super) fn sql(&mut self, at: usize, end: usize) -> Option<usize> {
        match end - at {
            6 if self.text[at..end].eq_ignore_ascii_case(b"values") => self.tuples(at, end),
            10 if self.text[at..end].eq_ignore_ascii_case(b"identified") => self.identified(end),
            _ => None,
        }
    }

    /// `IDENTIFIED BY 'x'`, `IDENTIFIED WITH plugin AS 'x'`.
    fn identified(&mut self, end: usize) -> Option<usize> {
        let text = self.text;
        let mut at = end;
        for _ in 0..4 {
            let start = words::run(text, at, |b| b == b' ');
            let stop = words::run(text, start, |b| CLASS[usize::from(b)] & IDENT != 0);
            let word = text.get(start..stop)?;
            if word.is_empty() {
                return None;
            }
            at = stop;
            if word.eq_ignore_ascii_case(b"by") || word.eq_ignore_ascii_case(b"as") {
                let mut start = words::run(text, stop, |b| b == b' ');
                let next = text.get(start..)?;
                let hashed = b"password ";
                if next.len() > hashed.len() && next[..9].eq_ignore_ascii_case(hashed) {
                    start += hashed.len();
                }
                let (open, close) = spans::opening_quote(text, start).unwrap_or((0, b" "));
                let rest = &text[start + open..];
                let len = memchr::memmem::find(rest, close)
                    .unwrap_or_else(|| rest.trim_ascii_end().len());
                let from = start + open;
                let known = self.sink.masks.is_mask(&text[from..from + len]);
                return (len > 0 && !known)
                    .then(|| self.mask(from, from + len, Kind::Password, Why::Label));
            }
        }
        None
    }

    /// The lists of values behind `VALUES`.
    fn tuples(&mut self, at: usize, end: usize) -> Option<usize> {
        let text = self.text;
        let mut here = words::run(text, end, |b| matches!(b, b' ' | b'\t'));
        if text.get(here) != Some(&b'(') {
            return None;
        }
        let columns = self.columns(at);
        while text.get(here) == Some(&b'(') {
            here += 1;
            let mut n = 0;
            loop {
                here = words::run(text, here, |b| matches!(b, b' ' | b'\t' | b','));
                match text.get(here) {
                    None | Some(b')') => break,
                    _ => {}
                }
                let class = columns.get(n).copied().unwrap_or(Class::Unknown);
                here = self.tuple_value(here, class);
                n += 1;
            }
            here = (here + 1).min(text.len());
            here = words::run(text, here, |b| matches!(b, b' ' | b'\t' | b','));
        }
        Some(here)
    }

    /// One value of a list; answers where it ended.
    fn tuple_value(&mut self, at: usize, class: Class) -> usize {
        let text = self.text;
        let quote = text[at];
        let (from, to, next) = if matches!(quote, b'\'' | b'"') {
            let mut end = at + 1;
            // A quote in a value is doubled or escaped.
            loop {
                let Some(n) = memchr::memchr2(quote, b'\\', &text[end..]) else {
                    end = text.len();
                    break;
                };
                end += n;
                if text[end] == b'\\' || text.get(end + 1) == Some(&quote) {
                    end = (end + 2).min(text.len());
                } else {
                    break;
                }
            }
            (at + 1, end, (end + 1).min(text.len()))
        } else {
            let end = words::run(text, at, |b| !matches!(b, b',' | b')' | b'\n'));
            (at, end, end.max(at + 1))
        };
        let value = text[from..to].trim_ascii();
        let null = value.eq_ignore_ascii_case(b"null") || value == b"?" || value.starts_with(b"$");
        let call = value.ends_with(b"(") || quote == b':';
        let verdict = value::judge(self.core, class, value);
        let hidden = match verdict {
            value::Verdict::Keep => None,
            value::Verdict::Mask(kind, _) => Some(kind),
            _ if shape::is_harmless(value) => None,
            _ => Some(Kind::Text),
        };
        if let Some(kind) = hidden.filter(|_| !null && !call && !value.is_empty()) {
            self.mask(from, to, kind, Why::Name);
        }
        next
    }

    /// The classes of the columns in the list before `VALUES` at `at`.
    fn columns(&self, at: usize) -> Vec<Class> {
        let head = self.text[at.saturating_sub(HEAD_MAX)..at].trim_ascii_end();
        let Some(head) = head.strip_suffix(b")") else {
            return Vec::new();
        };
        let Some(open) = memchr::memrchr(b'(', head) else {
            return Vec::new();
        };
        head[open + 1..]
            .split(|b| *b == b',')
            .take(COLUMNS_MAX)
            .map(|name| {
                let name = name.trim_ascii();
                let sign = |b: &u8| matches!(b, b'"' | b'`' | b'[' | b']');
                let start = name.iter().take_while(|b| sign(b)).count();
                let name = &name[start..];
                let end = name.iter().position(sign).unwrap_or(name.len());
                memo::read_name(&name[..end]).0
            })
            .collect()
    }
}
