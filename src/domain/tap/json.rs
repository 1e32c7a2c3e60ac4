//! The tap for JSON bodies: a state machine that goes through a document byte by byte and skips
//! the content of strings with vector instructions.
//!
//! It demands the grammar of RFC 8259, except that it does not look for control characters and
//! wrong UTF-8 inside strings: they cannot move the place where a value stands.

use std::sync::Arc;

use super::escape::StringReader;
use super::key::KeyBuffer;
use super::number::Number;
use super::path::{NOWHERE, PathSet, ROOT};
use super::{TapSink, TapStatus, ValueKind};

/// The deepest nesting that is followed. Answers of the banks have below ten levels. 64 levels fit
/// the bits of one word.
pub const MAX_DEPTH: usize = 64;

/// Finds the values at the paths of a set in a JSON document that comes in chunks.
pub struct JsonTap {
    paths: Arc<PathSet>,
    state: State,
    /// How many objects and arrays are open.
    depth: usize,
    /// Bit n: the container at depth n is an array.
    arrays: u64,
    /// Where in the paths each open container stands.
    places: [u16; MAX_DEPTH],
    /// Where in the paths the value stands that is read or expected.
    place: u16,
    string: StringReader,
    key: KeyBuffer,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A value must come.
    Value,
    /// Behind `[`: a value or `]`.
    FirstElement,
    /// Behind `{`: a key or `}`.
    FirstKey,
    /// Behind a comma in an object: a key.
    NextKey,
    /// Behind a key: a colon.
    Colon,
    /// Behind a value in a container: a comma or the container's end.
    AfterValue,
    /// Inside a key.
    InKey,
    /// Inside a string that is a value.
    InString,
    /// Inside a number.
    InNumber(Number),
    /// Inside `true`, `false` or `null`, with what is still missing.
    InWord(ValueKind, &'static [u8]),
    /// Behind the document: only white space.
    Done,
    /// Nothing is read any more.
    Stopped(TapStatus),
}

impl JsonTap {
    /// A tap for one body.
    pub const fn new(paths: Arc<PathSet>) -> Self {
        Self {
            paths,
            state: State::Value,
            depth: 0,
            arrays: 0,
            places: [NOWHERE; MAX_DEPTH],
            place: ROOT,
            string: StringReader::Plain,
            key: KeyBuffer::new(),
        }
    }

    /// Reads the next chunk of the body.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut impl TapSink) {
        let mut rest = chunk;
        while !rest.is_empty() {
            match self.read(rest, sink) {
                Ok(used) => rest = rest.get(used..).unwrap_or_default(),
                Err(status) => {
                    self.state = State::Stopped(status);
                    return;
                }
            }
        }
    }

    /// Tells that the body ended, and how that went. A cut connection is an end too.
    pub fn finish(&mut self, sink: &mut impl TapSink) -> TapStatus {
        // Only a number that is the whole document ends with the body.
        if let State::InNumber(number) = self.state
            && self.depth == 0
            && number.is_whole()
        {
            self.end_value(ValueKind::Number, sink);
        }
        let status = match self.state {
            State::Done => TapStatus::Complete,
            State::Stopped(status) => status,
            State::Value if self.depth == 0 => TapStatus::Empty,
            _ => TapStatus::Truncated,
        };
        self.state = State::Stopped(status);
        status
    }

    /// How the tap stands: [`TapStatus::Running`] until it stopped or was finished.
    pub const fn status(&self) -> TapStatus {
        match self.state {
            State::Stopped(status) => status,
            _ => TapStatus::Running,
        }
    }

    /// Reads at least one byte of `rest` or changes the state; how many bytes were read.
    fn read(&mut self, rest: &[u8], sink: &mut impl TapSink) -> Result<usize, TapStatus> {
        let Some(&byte) = rest.first() else {
            return Ok(0);
        };
        match self.state {
            State::InString => return self.read_string(rest, sink),
            State::InKey => return self.read_key(rest),
            State::InNumber(number) => return self.read_number(number, rest, sink),
            State::InWord(kind, missing) => return self.read_word(kind, missing, rest, sink),
            State::Stopped(status) => return Err(status),
            _ => {}
        }
        if is_space(byte) {
            return Ok(rest
                .iter()
                .position(|&byte| !is_space(byte))
                .unwrap_or(rest.len()));
        }
        match (self.state, byte) {
            (State::FirstElement, b']') | (State::FirstKey, b'}') => self.close(sink),
            (State::Value | State::FirstElement, _) => return self.start_value(byte, rest, sink),
            (State::FirstKey | State::NextKey, b'"') => {
                self.key.clear();
                self.string = StringReader::Plain;
                self.state = State::InKey;
            }
            (State::Colon, b':') => self.state = State::Value,
            // All elements of an array have the same place, so it stays as it is.
            (State::AfterValue, b',') if self.in_array() => self.state = State::Value,
            (State::AfterValue, b',') => self.state = State::NextKey,
            (State::AfterValue, b']') if self.in_array() => self.close(sink),
            (State::AfterValue, b'}') if !self.in_array() => self.close(sink),
            _ => return Err(TapStatus::Broken),
        }
        Ok(1)
    }

    /// Reads the first byte of a value.
    fn start_value(
        &mut self,
        byte: u8,
        rest: &[u8],
        sink: &mut impl TapSink,
    ) -> Result<usize, TapStatus> {
        match byte {
            b'"' => {
                self.string = StringReader::Plain;
                self.state = State::InString;
            }
            b'{' => self.open(false)?,
            b'[' => self.open(true)?,
            b't' => self.state = State::InWord(ValueKind::True, b"rue"),
            b'f' => self.state = State::InWord(ValueKind::False, b"alse"),
            b'n' => self.state = State::InWord(ValueKind::Null, b"ull"),
            _ => {
                let number = Number::start(byte).ok_or(TapStatus::Broken)?;
                if let Some(index) = self.paths.index(self.place) {
                    sink.piece(index, rest.get(..1).unwrap_or_default());
                }
                self.state = State::InNumber(number);
            }
        }
        Ok(1)
    }

    fn open(&mut self, is_array: bool) -> Result<(), TapStatus> {
        let slot = self.places.get_mut(self.depth).ok_or(TapStatus::TooDeep)?;
        *slot = self.place;
        let bit = 1 << self.depth;
        self.depth += 1;
        if is_array {
            self.arrays |= bit;
            self.place = self.paths.elements(self.place);
            self.state = State::FirstElement;
        } else {
            self.arrays &= !bit;
            self.state = State::FirstKey;
        }
        Ok(())
    }

    fn close(&mut self, sink: &mut impl TapSink) {
        let kind = if self.in_array() {
            ValueKind::Array
        } else {
            ValueKind::Object
        };
        self.place = self.container();
        self.depth = self.depth.saturating_sub(1);
        self.end_value(kind, sink);
    }

    /// Whether the innermost open container is an array.
    const fn in_array(&self) -> bool {
        self.depth > 0 && self.arrays >> (self.depth - 1) & 1 == 1
    }

    /// Where in the paths the innermost open container stands.
    fn container(&self) -> u16 {
        let innermost = self.depth.checked_sub(1);
        innermost
            .and_then(|depth| self.places.get(depth))
            .copied()
            .unwrap_or(NOWHERE)
    }

    fn read_string(&mut self, rest: &[u8], sink: &mut impl TapSink) -> Result<usize, TapStatus> {
        let read = match self.paths.index(self.place) {
            Some(index) => self
                .string
                .read(rest, &mut |piece| sink.piece(index, piece)),
            None => self.string.read(rest, &mut |_| {}),
        };
        let (used, closed) = read.map_err(|_| TapStatus::Broken)?;
        if closed {
            self.end_value(ValueKind::String, sink);
        }
        Ok(used)
    }

    fn read_key(&mut self, rest: &[u8]) -> Result<usize, TapStatus> {
        let container = self.container();
        let wanted = self.paths.has_keys(container);
        let key = &mut self.key;
        let read = if wanted {
            self.string.read(rest, &mut |piece| key.push(piece))
        } else {
            self.string.read(rest, &mut |_| {})
        };
        let (used, closed) = read.map_err(|_| TapStatus::Broken)?;
        if closed {
            self.place = match self.key.name() {
                Some(name) if wanted => self.paths.key(container, name),
                _ => NOWHERE,
            };
            // The colon nearly always follows at once: a state less to go through.
            if rest.get(used) == Some(&b':') {
                self.state = State::Value;
                return Ok(used + 1);
            }
            self.state = State::Colon;
        }
        Ok(used)
    }

    fn read_number(
        &mut self,
        mut number: Number,
        rest: &[u8],
        sink: &mut impl TapSink,
    ) -> Result<usize, TapStatus> {
        let mut used = 0;
        let mut ended = false;
        for &byte in rest {
            let Some(next) = number.step(byte) else {
                ended = true;
                break;
            };
            number = next;
            used += 1;
        }
        if used > 0
            && let Some(index) = self.paths.index(self.place)
        {
            sink.piece(index, rest.get(..used).unwrap_or_default());
        }
        if !ended {
            self.state = State::InNumber(number);
        } else if number.is_whole() {
            self.end_value(ValueKind::Number, sink);
        } else {
            return Err(TapStatus::Broken);
        }
        Ok(used)
    }

    fn read_word(
        &mut self,
        kind: ValueKind,
        missing: &'static [u8],
        rest: &[u8],
        sink: &mut impl TapSink,
    ) -> Result<usize, TapStatus> {
        let used = missing.len().min(rest.len());
        let (expected, missing) = missing.split_at(used);
        if rest.get(..used) != Some(expected) {
            return Err(TapStatus::Broken);
        }
        self.state = State::InWord(kind, missing);
        if missing.is_empty() {
            self.end_value(kind, sink);
        }
        Ok(used)
    }

    /// Tells the end of the value at the current place.
    fn end_value(&mut self, kind: ValueKind, sink: &mut impl TapSink) {
        if let Some(index) = self.paths.index(self.place) {
            sink.end(index, kind);
        }
        self.state = if self.depth == 0 {
            State::Done
        } else {
            State::AfterValue
        };
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
