//! The tap for `application/x-www-form-urlencoded` bodies, as token endpoints take and give them.

use std::sync::Arc;

use memchr::{memchr, memchr3};

use super::key::{KeyBuffer, MAX_KEY_BYTES};
use super::path::{MAX_PATHS, PathError};
use super::{TapSink, TapStatus, ValueKind};

/// The names of the form fields that a tap looks at.
#[derive(Debug)]
pub struct NameSet {
    names: Vec<Box<[u8]>>,
}

impl NameSet {
    /// Takes names as they read once decoded. A value is later told with the place of its name in
    /// this list.
    ///
    /// # Errors
    /// The first name that cannot be used and why.
    pub fn compile(names: &[&str]) -> Result<Self, PathError> {
        if names.len() > MAX_PATHS {
            return Err(PathError::TooMany { found: names.len() });
        }
        for (index, name) in names.iter().enumerate() {
            let path = || (*name).to_owned();
            if name.is_empty() {
                return Err(PathError::Syntax {
                    path: path(),
                    at: 0,
                });
            }
            if name.len() > MAX_KEY_BYTES {
                return Err(PathError::KeyTooLong { path: path() });
            }
            if names.iter().take(index).any(|before| before == name) {
                return Err(PathError::Duplicate { path: path() });
            }
        }
        let names = names.iter().map(|name| name.as_bytes().into()).collect();
        Ok(Self { names })
    }

    fn index(&self, name: &[u8]) -> Option<usize> {
        self.names.iter().position(|listed| **listed == *name)
    }
}

/// Finds the fields of a set in a form that comes in chunks.
///
/// Every text is a form, so this tap never breaks. A percent sign without two hexadecimal digits
/// behind it stands for itself, as in the URL standard. Every value found is a
/// [`ValueKind::String`].
pub struct FormTap {
    names: Arc<NameSet>,
    state: State,
    escape: Escape,
    key: KeyBuffer,
    seen_any: bool,
    finished: Option<TapStatus>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    InName,
    /// Inside the value of the field with this place in the set, if it is there.
    InValue(Option<usize>),
}

#[derive(Clone, Copy, Debug)]
enum Escape {
    None,
    /// Behind `%`.
    Percent,
    /// Behind `%` and this hexadecimal digit.
    Digit(u8),
}

impl FormTap {
    /// A tap for one body.
    pub const fn new(names: Arc<NameSet>) -> Self {
        Self {
            names,
            state: State::InName,
            escape: Escape::None,
            key: KeyBuffer::new(),
            seen_any: false,
            finished: None,
        }
    }

    /// Reads the next chunk of the body.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut impl TapSink) {
        if self.finished.is_some() {
            return;
        }
        self.seen_any |= !chunk.is_empty();
        let mut rest = chunk;
        while let Some(&byte) = rest.first() {
            let used = match (self.state, byte) {
                (_, b'&') => {
                    self.end_field(sink);
                    1
                }
                (State::InName, b'=') => {
                    self.end_name(sink);
                    1
                }
                (State::InValue(None), _) => memchr(b'&', rest).unwrap_or(rest.len()),
                _ => self.read_text(rest, sink),
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Tells that the body ended. Call this only at its true end: a form that was cut off cannot
    /// be told from a complete one, and its last value would count as complete.
    pub fn finish(&mut self, sink: &mut impl TapSink) -> TapStatus {
        if let Some(status) = self.finished {
            return status;
        }
        self.end_field(sink);
        let status = if self.seen_any {
            TapStatus::Complete
        } else {
            TapStatus::Empty
        };
        self.finished = Some(status);
        status
    }

    /// How the tap stands: [`TapStatus::Running`] until it was finished.
    pub const fn status(&self) -> TapStatus {
        match self.finished {
            Some(status) => status,
            None => TapStatus::Running,
        }
    }

    /// Reads a run of plain bytes or one byte that means something; how many bytes were read.
    fn read_text(&mut self, rest: &[u8], sink: &mut impl TapSink) -> usize {
        let Some(&byte) = rest.first() else {
            return 0;
        };
        match (self.escape, byte) {
            (Escape::None, b'%') => {
                self.escape = Escape::Percent;
                1
            }
            (Escape::None, b'+') => {
                self.emit(b" ", sink);
                1
            }
            (Escape::None, _) => {
                let end = memchr3(b'%', b'+', b'&', rest).unwrap_or(rest.len());
                let run = rest.get(..end).unwrap_or_default();
                let run = match self.state {
                    State::InName => {
                        let end = memchr(b'=', run).unwrap_or(run.len());
                        run.get(..end).unwrap_or_default()
                    }
                    State::InValue(_) => run,
                };
                self.emit(run, sink);
                run.len()
            }
            (Escape::Percent, _) if byte.is_ascii_hexdigit() => {
                self.escape = Escape::Digit(byte);
                1
            }
            (Escape::Digit(high), _) if byte.is_ascii_hexdigit() => {
                self.escape = Escape::None;
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0);
                let decoded = u8::try_from(digit(high) * 16 + digit(byte)).unwrap_or(0);
                self.emit(&[decoded], sink);
                1
            }
            (Escape::Percent | Escape::Digit(_), _) => {
                self.flush_escape(sink);
                0
            }
        }
    }

    /// Hands out the start of an escape that turned out to be none.
    fn flush_escape(&mut self, sink: &mut impl TapSink) {
        match std::mem::replace(&mut self.escape, Escape::None) {
            Escape::None => {}
            Escape::Percent => self.emit(b"%", sink),
            Escape::Digit(digit) => self.emit(&[b'%', digit], sink),
        }
    }

    fn emit(&mut self, bytes: &[u8], sink: &mut impl TapSink) {
        match self.state {
            State::InName => self.key.push(bytes),
            State::InValue(Some(index)) => sink.piece(index, bytes),
            State::InValue(None) => {}
        }
    }

    fn end_name(&mut self, sink: &mut impl TapSink) {
        self.flush_escape(sink);
        let index = self.key.name().and_then(|name| self.names.index(name));
        self.state = State::InValue(index);
    }

    fn end_field(&mut self, sink: &mut impl TapSink) {
        self.flush_escape(sink);
        // A name without a value counts as an empty value.
        if matches!(self.state, State::InName) && !self.key.is_empty() {
            self.end_name(sink);
        }
        if let State::InValue(Some(index)) = self.state {
            sink.end(index, ValueKind::String);
        }
        self.key.clear();
        self.state = State::InName;
    }
}
