//! What passes by, gathered within bounds. Nothing here can be printed.

use std::io::Write as _;

/// Most bytes of a body that are gathered. With 64 KiB of excerpt at most, that leaves room for
/// long values that become short masks.
pub const MAX_RAW: usize = 256 * 1024;

/// A head as it came: request or status line and fields.
pub struct RawHead(Vec<u8>);

impl RawHead {
    /// Begins the head of a request.
    pub fn request(method: &str, target: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(method.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(target);
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        Self(bytes)
    }

    /// Begins the head of an answer.
    pub fn response(status: u16) -> Self {
        let mut bytes = Vec::with_capacity(512);
        // Writing into a vector cannot fail.
        let _ = write!(bytes, "HTTP/1.1 {status}\r\n");
        Self(bytes)
    }

    /// Adds a field.
    pub fn field(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        // A line break in a value would make a field of its own.
        let plain = value.iter().map(|byte| match byte {
            b'\r' | b'\n' => b' ',
            other => *other,
        });
        self.0.extend(plain);
        self.0.extend_from_slice(b"\r\n");
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value of a field, without regard to case; the first if there are several.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.0).ok()?;
        text.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A body as it came.
#[derive(Default)]
pub struct RawBody {
    bytes: Vec<u8>,
    seen: u64,
    ended: bool,
}

impl RawBody {
    /// Takes the next piece; `end` says that it is the last.
    pub fn push(&mut self, piece: &[u8], end: bool) {
        self.seen = self.seen.saturating_add(piece.len() as u64);
        let room = MAX_RAW.saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.ended |= end;
    }

    /// Counts the next piece without keeping it.
    pub fn count(&mut self, piece: &[u8], end: bool) {
        self.seen = self.seen.saturating_add(piece.len() as u64);
        self.ended |= end;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that passed, as they passed: compressed, if the body was.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether the gathered bytes are all that there was.
    pub(super) fn is_whole(&self) -> bool {
        self.ended && self.seen == self.bytes.len() as u64
    }
}

/// Both sides of a call.
#[derive(Default)]
pub struct RawExchange {
    /// The request's head.
    pub request_head: Option<RawHead>,
    /// The request's body.
    pub request: RawBody,
    /// The head of the bank's answer, if there was one.
    pub response_head: Option<RawHead>,
    /// The body of the bank's answer.
    pub response: RawBody,
}
