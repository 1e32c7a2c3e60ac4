//! Multipart bodies (RFC 7578): part headers are read, files are never shown.

use super::super::Core;
use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::recognise;
use super::super::sink::{Sink, Why};
use super::super::words;
use super::header::{self, HeaderState};
use super::value::{self, VALUE_MAX, Verdict};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Preamble,
    Headers,
    Body,
    Skipping,
}

/// The state between two pieces of one body.
pub(crate) struct Multipart {
    boundary: Vec<u8>,
    at: At,
    class: Class,
    file: bool,
    json: bool,
    header: HeaderState,
}

/// Longest boundary (RFC 2046: 70 characters).
const BOUNDARY_MAX: usize = 72;

impl Multipart {
    pub(crate) fn new() -> Self {
        Self {
            boundary: Vec::new(),
            at: At::Preamble,
            class: Class::Unknown,
            file: false,
            json: false,
            header: HeaderState::default(),
        }
    }

    /// Reads as many whole lines and parts as there are.
    pub(crate) fn consume<'r>(
        &mut self,
        core: &'r Core,
        text: &[u8],
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> usize {
        let mut at = 0;
        while at < text.len() {
            let next = match self.at {
                At::Preamble | At::Headers => self.line(core, text, at, eof, sink),
                At::Body | At::Skipping => self.body(core, text, at, eof, sink),
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    fn line<'r>(
        &mut self,
        core: &'r Core,
        text: &[u8],
        at: usize,
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> Option<usize> {
        let rest = &text[at..];
        let (len, end) = match memchr::memchr(b'\n', rest) {
            Some(n) => (n, n + 1),
            None if eof || rest.len() > header::LINE_MAX => (rest.len(), rest.len()),
            None => return None,
        };
        let line = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
        let tail = &rest[line.len()..end];
        match self.at {
            At::Preamble
                if line.starts_with(b"--")
                    && line.len() > 2
                    && line.len() <= BOUNDARY_MAX
                    && names_boundary(line) =>
            {
                self.boundary = line.to_vec();
                sink.keep(line);
                self.start_part();
            }
            At::Preamble => header::redact_line(core, line, None, sink, &mut self.header),
            _ if line.is_empty() => self.at = At::Body,
            _ => self.part_header(core, line, sink),
        }
        sink.keep(tail);
        Some(at + end)
    }

    fn start_part(&mut self) {
        self.at = At::Headers;
        self.class = Class::Unknown;
        self.file = false;
        self.json = false;
        self.header = HeaderState::default();
    }

    fn part_header<'r>(&mut self, core: &'r Core, line: &[u8], sink: &mut Sink<'r>) {
        let lower = line.to_ascii_lowercase();
        if lower.starts_with(b"content-type:") {
            self.json = memchr::memmem::find(&lower, b"json").is_some();
            self.file |= !self.json
                && memchr::memmem::find(&lower, b"text/plain").is_none()
                && memchr::memmem::find(&lower, b"form-urlencoded").is_none();
        }
        if !lower.starts_with(b"content-disposition:") {
            return header::redact_line(core, line, None, sink, &mut self.header);
        }
        // `form-data; name="x"; filename="y"`: name is judged, other parameters are not shown.
        for (n, part) in line.split(|b| *b == b';').enumerate() {
            if n == 0 {
                header::redact_line(core, part, None, sink, &mut self.header);
                continue;
            }
            sink.keep(b";");
            let Some(eq) = memchr::memchr(b'=', part) else {
                sink.mask(Kind::Unknown, Why::Shape, part);
                continue;
            };
            let (key, value) = (part[..eq].trim_ascii(), part[eq + 1..].trim_ascii());
            let value = value
                .strip_prefix(b"\"")
                .map_or(value, |v| v.strip_suffix(b"\"").unwrap_or(v));
            let (keep, kind) = match key {
                b"name" => {
                    self.class = core
                        .user
                        .class_of(value)
                        .unwrap_or_else(|| names::classify(value));
                    (
                        names::is_printable(value) || core.user.knows_field(value),
                        Kind::Key,
                    )
                }
                _ => {
                    self.file |= key.starts_with(b"filename");
                    (false, Kind::File)
                }
            };
            if keep || value.is_empty() || core.masks.is_mask(value) {
                sink.keep(part);
            } else if names::is_printable(key) {
                sink.keep(&part[..=eq]);
                sink.keep(b"\"");
                sink.mask(kind, Why::Name, value);
                sink.keep(b"\"");
            } else {
                sink.mask(kind, Why::Name, part);
            }
        }
    }

    fn body<'r>(
        &mut self,
        core: &'r Core,
        text: &[u8],
        at: usize,
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> Option<usize> {
        let rest = &text[at..];
        let found = find_boundary(rest, &self.boundary);
        let Some((end, line)) = found else {
            if eof {
                self.value(core, rest, sink);
                return Some(text.len());
            }
            if rest.len() > VALUE_MAX {
                if self.at == At::Body {
                    self.value(core, rest, sink);
                    self.at = At::Skipping;
                }
                return Some(text.len() - self.boundary.len() - 4);
            }
            return None;
        };
        let close = line + self.boundary.len();
        // Whether this is the last boundary shows in the two bytes behind it.
        let after = memchr::memchr(b'\n', &rest[close..])
            .map(|n| close + n + 1)
            .or((eof || rest.len() > close + VALUE_MAX).then_some(rest.len()))?;
        self.value(core, &rest[..end], sink);
        sink.keep(&rest[end..close]);
        let tail = &rest[close..after];
        if tail.starts_with(b"--") {
            sink.keep(b"--");
            self.at = At::Preamble;
            self.boundary.clear();
            self.header = HeaderState::default();
            keep_blank(&tail[2..], sink);
        } else {
            self.start_part();
            keep_blank(tail, sink);
        }
        Some(at + after)
    }

    fn value<'r>(&mut self, core: &'r Core, value: &[u8], sink: &mut Sink<'r>) {
        if self.at == At::Skipping || value.is_empty() {
            return;
        }
        if core.masks.is_mask(value.trim_ascii()) {
            return sink.keep(value);
        }
        if value.len() > VALUE_MAX {
            return sink.mask(
                if self.file {
                    Kind::File
                } else {
                    Kind::Oversize
                },
                Why::Shape,
                value,
            );
        }
        let verdict = match (self.class, self.file) {
            (Class::Sensitive(kind), _) => Verdict::Mask(kind, Why::Name),
            (_, true) => Verdict::Mask(Kind::File, Why::Name),
            (_, false) if self.json => Verdict::Nested,
            (class, false) => value::judge(core, class, value),
        };
        match value::rewrite(core, verdict, value, sink, 0) {
            None => sink.keep(value),
            Some(inner) => sink.absorb(inner, |text, out| out.extend_from_slice(text)),
        }
    }
}

fn keep_blank<'r>(tail: &[u8], sink: &mut Sink<'r>) {
    let line = tail.trim_ascii();
    if line.is_empty() {
        sink.keep(tail);
    } else {
        sink.mask(Kind::Unknown, Why::Shape, line);
        sink.keep(b"\r\n");
    }
}

/// Boundaries are generated: the characters of RFC 2046, 5.1.1 without the blank, and nothing that
/// is a secret by itself.
fn names_boundary(line: &[u8]) -> bool {
    let name = &line[words::run(line, 0, |b| b == b'-')..];
    line[2..].iter().all(|b| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'\'' | b'(' | b')' | b'+' | b'_' | b',' | b'-' | b'.' | b'/' | b':' | b'=' | b'?'
            )
    }) && matches!(recognise::whole(name), None | Some(Kind::Opaque))
}

/// The next boundary: where the value before it ends, and where the boundary starts.
fn find_boundary(text: &[u8], boundary: &[u8]) -> Option<(usize, usize)> {
    if boundary.is_empty() {
        return None;
    }
    if text.starts_with(boundary) {
        return Some((0, 0));
    }
    memchr::memmem::find_iter(text, boundary)
        .find(|at| *at > 0 && text[at - 1] == b'\n')
        .map(|at| {
            let end = at - 1;
            (
                if end > 0 && text[end - 1] == b'\r' {
                    end - 1
                } else {
                    end
                },
                at,
            )
        })
}
