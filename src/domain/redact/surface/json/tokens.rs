//! Where the tokens of JSON end, and what they are.

use super::super::super::Core;
use super::super::super::names;
use super::super::super::sink::MASK_MAX;
use super::GAP_MAX;

/// Whether a string is itself JSON (an object or an array).
pub(crate) fn looks_nested(value: &[u8]) -> bool {
    let Some(open @ (b'{' | b'[')) = value.first() else {
        return false;
    };
    let rest = value[1..].trim_ascii_start();
    match rest.first() {
        None | Some(b'"' | b'{' | b'[' | b'\'' | b'\\') => true,
        Some(b'}') => *open == b'{',
        Some(b']' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => *open == b'[',
        Some(b) => *open == b'{' && b.is_ascii_alphabetic() && memchr::memchr(b':', rest).is_some(),
    }
}

pub(super) const fn is_literal(token: &[u8]) -> bool {
    matches!(
        token,
        b"true" | b"false" | b"null" | b"True" | b"False" | b"None" | b"undefined" | b"NaN"
    )
}

pub(super) fn is_number(token: &[u8]) -> bool {
    (token[0].is_ascii_digit()
        || (token[0] == b'-' && token.get(1).is_some_and(u8::is_ascii_digit)))
        && token
            .iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
}

pub(super) fn is_bare_key(token: &[u8]) -> bool {
    token.len() <= names::NAME_MAX
        && token
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$' | b'.'))
}

pub(super) enum Masked {
    Yes(usize),
    No,
    Wait,
}

/// A mask without quotes, as this engine writes it into broken JSON.
pub(super) fn mask_at(core: &Core, text: &[u8], at: usize, eof: bool) -> Masked {
    match core.masks.mask_len(&text[at..]) {
        Some(len) => Masked::Yes(len),
        None if !eof && text.len() - at < MASK_MAX && !text[at..].contains(&b']') => Masked::Wait,
        None => Masked::No,
    }
}

/// The closing quote.
pub(super) fn string_end(text: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(quote, b'\\', text.get(at..)?)?;
        if text[at] == quote {
            return Some(at);
        }
        at += 2;
    }
}

/// Skips the rest of a long string: where it got, and whether the closing quote was there.
pub(super) fn skip_string(text: &[u8], from: usize, quote: u8, eof: bool) -> (usize, bool) {
    match string_end(text, from, quote) {
        Some(end) => (end + 1, true),
        None if eof => (text.len(), false),
        None => {
            // A backslash at the end escapes what comes next.
            let slashes = text[from..]
                .iter()
                .rev()
                .take_while(|b| **b == b'\\')
                .count();
            (text.len() - slashes % 2, false)
        }
    }
}

pub(super) enum Sign {
    Colon,
    Other,
    Wait,
}

pub(super) fn next_sign(text: &[u8], at: usize, eof: bool) -> Sign {
    let window = &text[at.min(text.len())..text.len().min(at + GAP_MAX)];
    match window
        .iter()
        .find(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
    {
        Some(b':') => Sign::Colon,
        Some(_) => Sign::Other,
        None if window.len() < GAP_MAX && !eof => Sign::Wait,
        None => Sign::Other,
    }
}
