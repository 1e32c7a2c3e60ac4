//! The quick way over what stands as it is: most of a body without secrets.
//!
//! Follows the same frames as the careful reader and makes the same decisions, but only those that
//! end in "kept": at the first token that could be anything else (a sensitive or unknown name, an
//! escape, a value without a form, the end of the piece) it stops in front of it, and the careful
//! reader goes on. What it passed over is written in one copy. A test reads the same inputs with and
//! without it.

use super::super::super::Core;
use super::super::super::names::{self, Class};
use super::super::super::words;
use super::super::memo;
use super::super::value;
use super::tokens::is_literal;
use super::{FRAMES_MAX, Json};

/// Longest string that is passed over: a filter of ids is longer than any other value that stands.
const STRING_MAX: usize = 4_200;
/// Most blanks before a sign.
const BLANKS_MAX: usize = 256;

impl Json<'_> {
    /// Answers how far `text` stands from `at` on, and moves the frames there.
    pub(super) fn pass(&mut self, core: &Core, text: &[u8], at: usize, eof: bool) -> usize {
        if self.skip.is_some()
            || self.dropping.is_some()
            || self.beyond > 0
            || self.top.node.is_some()
            || !self.gap.is_empty()
            || !core.user.is_empty()
        {
            return at;
        }
        let mut at = at;
        while let Some(b) = text.get(at) {
            let next = match b {
                b' ' | b'\t' | b'\r' | b'\n' => Some(blanks_end(text, at)),
                b'"' => self.pass_string(text, at, eof),
                b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => self.pass_bare(text, at),
                b',' => {
                    let frame = self.frame();
                    frame.expects_key = frame.object;
                    frame.next = frame.class;
                    Some(at + 1)
                }
                b'{' | b'[' => self.pass_open(text, at),
                b'}' | b']' => {
                    self.frame().comma = false;
                    self.close();
                    if self.island && self.complete {
                        return at + 1;
                    }
                    Some(at + 1)
                }
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    fn pass_open(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let object = text[at] == b'{';
        // A bracket may open a mask.
        let next = text.get(at + 1)?;
        if self.stack.len() >= FRAMES_MAX || (!object && next.is_ascii_alphabetic()) {
            return None;
        }
        self.frame().filled = true;
        self.open(object);
        Some(at + 1)
    }

    fn pass_string(&mut self, text: &[u8], at: usize, eof: bool) -> Option<usize> {
        let start = at + 1;
        let end = plain_end(text, start)?;
        // What follows tells a key from a value.
        let sign = blanks_end(text, end + 1);
        let is_key = match text.get(sign) {
            Some(b':') => true,
            Some(b',' | b'}' | b']') => false,
            None if eof => false,
            _ => return None,
        };
        let expects_key = self.stack.last()?.expects_key;
        if is_key != expects_key || text.get(start) == Some(&b'[') {
            return None;
        }
        if is_key {
            let name = memo::read_name_in(text, start, end);
            if !name.printable {
                return None;
            }
            let frame = self.stack.last_mut()?;
            frame.expects_key = false;
            frame.filled = true;
            frame.names_pair = name.pairs;
            frame.next = frame.class_of(name);
            return Some(sign + 1);
        }
        let inner = &text[start..end];
        let frame = self.stack.last()?;
        let class = self.class(frame);
        let mut pair = frame.pair;
        let names = frame.object && frame.names_pair && frame.forced.is_none();
        let listed = !frame.object
            && frame.forced.is_none()
            && matches!(class, Class::Unknown | Class::Safe(_));
        if listed && pair.is_some() {
            return None;
        }
        if names || listed {
            match names::as_pair_name(inner) {
                Some(Class::Sensitive(_)) => return None,
                Some(named) if names => pair = pair.or(Some(named)),
                _ => {}
            }
        }
        if !value::stands(class, inner) {
            return None;
        }
        let frame = self.stack.last_mut()?;
        frame.filled = true;
        frame.pair = pair;
        self.end_value();
        Some(end + 1)
    }

    /// A number or a literal with its end in sight.
    fn pass_bare(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let end = words::run(&text[..text.len().min(at + 64)], at, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+')
        });
        if !matches!(text.get(blanks_end(text, end)), Some(b',' | b'}' | b']')) {
            return None;
        }
        let token = &text[at..end];
        let frame = self.stack.last()?;
        if frame.expects_key || (!frame.object && frame.pair.is_some()) {
            return None;
        }
        let class = self.class(frame);
        let stands = if is_literal(token) {
            token == b"null" || !matches!(class, Class::Sensitive(_))
        } else {
            super::tokens::is_number(token)
                && value::stands(
                    if class == Class::Text {
                        Class::Unknown
                    } else {
                        class
                    },
                    token,
                )
        };
        if !stands {
            return None;
        }
        self.stack.last_mut()?.filled = true;
        self.end_value();
        Some(end)
    }
}

fn blanks_end(text: &[u8], at: usize) -> usize {
    let window = &text[..text.len().min(at + BLANKS_MAX)];
    words::run(window, at, |b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The closing quote of a string without escapes, if it is near.
fn plain_end(text: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    let mut at = from;
    // Most strings are short: eight bytes at a time, without a call.
    while at < from + 64 {
        let Some(piece) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
            break;
        };
        let piece = u64::from_le_bytes(*piece);
        let found = zero(piece ^ (ONES * b'"' as u64)) | zero(piece ^ (ONES * b'\\' as u64));
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return (text[at] == b'"').then_some(at);
        }
        at += 8;
    }
    let limit = text.len().min(from + STRING_MAX);
    let end = at + memchr::memchr2(b'"', b'\\', text.get(at..limit)?)?;
    (text[end] == b'"').then_some(end)
}
