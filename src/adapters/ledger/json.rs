//! Writes JSON by hand: no intermediate tree, stable order of keys, members without a value left out.

use std::fmt::{self, Write};
use std::net::SocketAddr;

/// Writes the members of one JSON object.
pub(super) struct Object<'a> {
    pub(super) out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }

    pub(super) fn key(&mut self, key: &'static str) {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// A key that is not one of ours: it may need escapes.
    pub(super) fn foreign_key(&mut self, key: &str) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        push_string(self.out, key);
        self.out.push(':');
    }

    pub(super) fn text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            push_string(self.out, value);
        }
    }

    /// A word of a vocabulary: known to need no escapes.
    pub(super) fn word(&mut self, key: &'static str, value: Option<&'static str>) {
        if let Some(value) = value {
            self.key(key);
            self.out.push('"');
            self.out.push_str(value);
            self.out.push('"');
        }
    }

    /// A value whose printed form needs no escapes: a network address.
    pub(super) fn shown(&mut self, key: &'static str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.key(key);
            // Writing to a String cannot fail.
            let _ = write!(self.out, "\"{value}\"");
        }
    }

    /// An address and port. The usual kind is spelled here: `write!` takes several times as long.
    pub(super) fn address(&mut self, key: &'static str, value: Option<SocketAddr>) {
        match value {
            Some(SocketAddr::V4(address)) => {
                self.key(key);
                self.out.push('"');
                for (index, octet) in address.ip().octets().into_iter().enumerate() {
                    if index > 0 {
                        self.out.push('.');
                    }
                    push_number(self.out, i64::from(octet));
                }
                self.out.push(':');
                push_number(self.out, i64::from(address.port()));
                self.out.push('"');
            }
            other => self.shown(key, other),
        }
    }

    pub(super) fn number(&mut self, key: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.key(key);
            push_number(self.out, value);
        }
    }

    pub(super) fn hex(&mut self, key: &'static str, value: Option<&[u8; 16]>) {
        if let Some(value) = value {
            self.key(key);
            self.out.push('"');
            push_hex(self.out, value);
            self.out.push('"');
        }
    }

    /// As [`Object::hex`], but an absent value is written.
    pub(super) fn hex_or_null(&mut self, key: &'static str, value: Option<&[u8; 16]>) {
        match value {
            Some(_) => self.hex(key, value),
            None => {
                self.key(key);
                self.out.push_str("null");
            }
        }
    }

    /// A count. Those beyond what SQLite's integers hold are written as the largest.
    pub(super) fn count(&mut self, key: &'static str, value: u64) {
        self.number(key, Some(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    /// Left out if there are none.
    pub(super) fn words<'v>(&mut self, key: &'static str, values: impl Iterator<Item = &'v str>) {
        let mut values = values.peekable();
        if values.peek().is_some() {
            self.key(key);
            push_array(self.out, values);
        }
    }
}

pub(super) fn push_array<'v>(out: &mut String, values: impl Iterator<Item = &'v str>) {
    for (index, value) in values.enumerate() {
        out.push(if index == 0 { '[' } else { ',' });
        push_string(out, value);
    }
    out.push(']');
}

/// `write!` takes several times as long for these two, and a record has dozens of them.
pub(super) fn push_number(out: &mut String, value: i64) {
    // 19 digits are the most that 64 bits need.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start = index;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    // Digits are ASCII, so this always is text.
    out.push_str(str::from_utf8(digits.get(start..).unwrap_or_default()).unwrap_or_default());
}

pub(super) fn push_hex(out: &mut String, bytes: &[u8; 16]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
    out.push_str(str::from_utf8(&text).unwrap_or_default());
}

/// Writes a JSON string (RFC 8259, section 7), copying runs that need no escape.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // The bytes to escape are ASCII, so the cuts fall between characters.
    while let Some(at) = rest
        .bytes()
        .position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = tail.chars();
        match characters.next() {
            Some(quoted @ ('"' | '\\')) => {
                out.push('\\');
                out.push(quoted);
            }
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_digits_are_as_the_standard_library_prints_them(
            number in any::<i64>(),
            bytes in any::<[u8; 16]>(),
        ) {
            for number in [number, number % 1_000, i64::MIN, i64::MAX, 0] {
                let mut out = String::new();
                push_number(&mut out, number);
                prop_assert_eq!(out, number.to_string());
            }
            let mut out = String::new();
            push_hex(&mut out, &bytes);
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(out, expected);
        }
    }
}
