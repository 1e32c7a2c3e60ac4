//! Reads the content of a JSON string in pieces and resolves its escapes (RFC 8259, section 7).

use memchr::memchr2;

/// Where in the content of a string the last piece ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StringReader {
    /// Outside an escape.
    Plain,
    /// Behind a backslash.
    Backslash,
    /// Inside `\uXXXX`, after some digits; `high` is a surrogate that waits for its other half.
    Hex {
        digits: u8,
        value: u16,
        high: Option<u16>,
    },
    /// Behind an escaped high surrogate.
    High(u16),
    /// Behind an escaped high surrogate and a backslash.
    HighBackslash(u16),
}

/// A backslash with something behind it that is no escape.
pub(super) struct BadEscape;

impl StringReader {
    /// Reads on and hands out what the string says. Returns how many bytes were read, and whether
    /// the last of them was the quote that ends the string.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(&[u8]),
    ) -> Result<(usize, bool), BadEscape> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match *self {
                Self::Plain => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let end = memchr2(b'"', b'\\', rest);
                    let run = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                    if !run.is_empty() {
                        emit(run);
                    }
                    at += run.len();
                    if let Some(end) = end {
                        at += 1;
                        if rest.get(end) == Some(&b'"') {
                            return Ok((at, true));
                        }
                        *self = Self::Backslash;
                    }
                }
                Self::Backslash => {
                    at += 1;
                    *self = Self::Plain;
                    match byte {
                        b'"' | b'\\' | b'/' => emit(&[byte]),
                        b'b' => emit(b"\x08"),
                        b'f' => emit(b"\x0c"),
                        b'n' => emit(b"\n"),
                        b'r' => emit(b"\r"),
                        b't' => emit(b"\t"),
                        b'u' => {
                            *self = Self::Hex {
                                digits: 0,
                                value: 0,
                                high: None,
                            }
                        }
                        _ => return Err(BadEscape),
                    }
                }
                Self::Hex {
                    digits,
                    value,
                    high,
                } => {
                    at += 1;
                    let digit = char::from(byte).to_digit(16).ok_or(BadEscape)?;
                    let digit = u16::try_from(digit).map_err(|_| BadEscape)?;
                    let value = value << 4 | digit;
                    *self = match digits {
                        0..3 => Self::Hex {
                            digits: digits + 1,
                            value,
                            high,
                        },
                        _ => take_unit(value, high, emit),
                    };
                }
                Self::High(high) if byte == b'\\' => {
                    at += 1;
                    *self = Self::HighBackslash(high);
                }
                Self::High(_) => {
                    emit_char(char::REPLACEMENT_CHARACTER, emit);
                    *self = Self::Plain;
                }
                Self::HighBackslash(high) if byte == b'u' => {
                    at += 1;
                    *self = Self::Hex {
                        digits: 0,
                        value: 0,
                        high: Some(high),
                    };
                }
                Self::HighBackslash(_) => {
                    emit_char(char::REPLACEMENT_CHARACTER, emit);
                    *self = Self::Backslash;
                }
            }
        }
        Ok((at, false))
    }
}

/// Takes a complete `\uXXXX`, after a high surrogate or not.
fn take_unit(value: u16, high: Option<u16>, emit: &mut impl FnMut(&[u8])) -> StringReader {
    let is_low = matches!(value, 0xdc00..=0xdfff);
    if let Some(high) = high {
        let pair = char::decode_utf16([high, value])
            .next()
            .and_then(Result::ok);
        emit_char(pair.unwrap_or(char::REPLACEMENT_CHARACTER), emit);
        if is_low {
            return StringReader::Plain;
        }
    }
    if matches!(value, 0xd800..=0xdbff) {
        return StringReader::High(value);
    }
    let char = char::from_u32(u32::from(value)).unwrap_or(char::REPLACEMENT_CHARACTER);
    emit_char(char, emit);
    StringReader::Plain
}

fn emit_char(char: char, emit: &mut impl FnMut(&[u8])) {
    emit(char.encode_utf8(&mut [0; 4]).as_bytes());
}
