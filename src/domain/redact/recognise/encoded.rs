//! Text hidden by an encoding: percent, JSON escapes, base64, hexadecimal.

use std::borrow::Cow;

/// How often percent encoding is undone: a value that is encoded more often is not read but
/// masked.
const PERCENT_ROUNDS: usize = 3;

/// Most bytes of a token that are decoded to see whether it hides text.
const DECODE_MAX: usize = 512;

fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// Whether a percent sign with two hexadecimal digits occurs.
pub(crate) fn has_percent(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).any(|at| {
        matches!(
            (
                text.get(at + 1).copied().and_then(hex),
                text.get(at + 2).copied().and_then(hex)
            ),
            (Some(_), Some(_))
        )
    })
}

/// Undoes percent encoding to a fixed point; `None` if it is not reached. With `plus`, `+` is a
/// blank in the first round (form encoding).
pub(crate) fn percent(text: &[u8], plus: bool) -> Option<Cow<'_, [u8]>> {
    let mut now = Cow::Borrowed(text);
    if plus && memchr::memchr(b'+', text).is_some() {
        now = Cow::Owned(
            text.iter()
                .map(|b| if *b == b'+' { b' ' } else { *b })
                .collect(),
        );
    }
    for _ in 0..PERCENT_ROUNDS {
        if !has_percent(&now) {
            return Some(now);
        }
        now = Cow::Owned(percent_once(&now));
    }
    (!has_percent(&now)).then_some(now)
}

fn percent_once(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(b) = text.get(at) {
        if *b == b'%'
            && let (Some(h), Some(l)) = (
                text.get(at + 1).copied().and_then(hex),
                text.get(at + 2).copied().and_then(hex),
            )
        {
            out.push(h << 4 | l);
            at += 3;
            continue;
        }
        out.push(*b);
        at += 1;
    }
    out
}

/// Undoes JSON's escapes, also `\'` and `\xHH`. What is not an escape stays.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else {
        return Cow::Borrowed(text);
    };
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(&text[..first]);
    let mut at = first;
    while let Some(b) = text.get(at) {
        if *b != b'\\' {
            out.push(*b);
            at += 1;
            continue;
        }
        let Some(next) = text.get(at + 1) else {
            out.push(b'\\');
            break;
        };
        at += 2;
        match next {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'"' | b'\\' | b'/' | b'\'' => out.push(*next),
            b'x' => match (
                text.get(at).copied().and_then(hex),
                text.get(at + 1).copied().and_then(hex),
            ) {
                (Some(h), Some(l)) => {
                    out.push(h << 4 | l);
                    at += 2;
                }
                _ => out.extend_from_slice(b"\\x"),
            },
            b'u' => match unit(text, at) {
                Some(high) => {
                    at += 4;
                    let mut code = u32::from(high);
                    if (0xd800..0xdc00).contains(&high)
                        && text.get(at) == Some(&b'\\')
                        && text.get(at + 1) == Some(&b'u')
                        && let Some(low @ 0xdc00..=0xdfff) = unit(text, at + 2)
                    {
                        code = 0x1_0000
                            + ((u32::from(high) - 0xd800) << 10)
                            + (u32::from(low) - 0xdc00);
                        at += 6;
                    }
                    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => out.extend_from_slice(b"\\u"),
            },
            other => {
                out.push(b'\\');
                out.push(*other);
            }
        }
    }
    Cow::Owned(out)
}

fn unit(text: &[u8], at: usize) -> Option<u16> {
    text.get(at..at + 4)?
        .iter()
        .try_fold(0, |v, b| Some(v << 4 | u16::from(hex(*b)?)))
}

/// Undoes quoted-printable; `None` if nothing in the text is encoded so.
pub(crate) fn quoted_printable(text: &[u8]) -> Option<Vec<u8>> {
    let pair = |at: usize| match text.get(at + 1..at + 3)? {
        [
            h @ (b'0'..=b'9' | b'A'..=b'F'),
            l @ (b'0'..=b'9' | b'A'..=b'F'),
        ] => Some(hex(*h)? << 4 | hex(*l)?),
        _ => None,
    };
    // One alone is rather a key with a number: `status=200`.
    let mut encoded = memchr::memchr_iter(b'=', text).filter(|at| pair(*at).is_some());
    let first = encoded.next()?;
    if first > 0 && encoded.next().is_none() {
        return None;
    }
    let mut out = text[..first].to_vec();
    let mut at = first;
    while let Some(b) = text.get(at) {
        match pair(at).filter(|_| *b == b'=') {
            // It hides printable text, and no one writes signs of control so.
            Some(plain) if plain < b' ' || plain == 0x7f => return None,
            Some(plain) => {
                out.push(plain);
                at += 3;
            }
            None => {
                out.push(*b);
                at += 1;
            }
        }
    }
    std::str::from_utf8(&out).is_ok().then_some(out)
}

/// Escapes bytes for the inside of a JSON string. Bytes that are not UTF-8 stay as they are.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    for b in text {
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(b >> 4)]);
                out.push(HEX[usize::from(b & 15)]);
            }
            _ => out.push(*b),
        }
    }
}

/// Whether a token is base64 (either alphabet, padded or not) or hexadecimal of printable text of
/// at least six characters. Ordinary words and numbers decode to other bytes.
pub(crate) fn hides_text(token: &[u8]) -> bool {
    let token = &token[..token.len().min(DECODE_MAX)];
    if token.len() >= 12 && token.len().is_multiple_of(2) && token.iter().all(u8::is_ascii_hexdigit)
    {
        let mut pairs = token
            .chunks_exact(2)
            .map(|p| hex(p[0]).unwrap_or(0) << 4 | hex(p[1]).unwrap_or(0));
        if pairs.all(|b| (0x20..0x7f).contains(&b)) {
            return true;
        }
    }
    let body = token
        .iter()
        .rposition(|b| *b != b'=')
        .map_or(0, |at| at + 1);
    let (body, padding) = token.split_at(body);
    if body.len() < 8 || padding.len() > 2 || body.len() % 4 == 1 {
        return false;
    }
    // Words without a capital inside or a digit are words.
    if padding.is_empty()
        && !body
            .iter()
            .skip(1)
            .any(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    {
        return false;
    }
    let (mut bits, mut held, mut count) = (0_u32, 0_u32, 0);
    for b in body {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let byte = (bits >> held) as u8;
            bits &= (1 << held) - 1;
            if !(0x20..0x7f).contains(&byte) && !matches!(byte, b'\n' | b'\r' | b'\t') {
                return false;
            }
            count += 1;
        }
    }
    count >= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_undone_to_a_fixed_point() {
        assert_eq!(
            percent(b"a%2540b", false).as_deref(),
            Some(b"a@b".as_slice())
        );
        assert_eq!(percent(b"a+b", true).as_deref(), Some(b"a b".as_slice()));
        assert_eq!(percent(b"100%", false).as_deref(), Some(b"100%".as_slice()));
        assert_eq!(percent(b"%25252540", false), None);
    }

    #[test]
    fn escapes_round_trip() {
        assert_eq!(
            &*unescape(br#"\u0034\u0031\"\\\/\n\ud83d\ude00"#),
            "41\"\\/\n😀".as_bytes()
        );
        let mut out = Vec::new();
        escape(b"a\"b\\c\n\x01", &mut out);
        assert_eq!(out, br#"a\"b\\c\n\u0001"#);
        assert_eq!(&*unescape(&out), b"a\"b\\c\n\x01");
    }

    #[test]
    fn hidden_text_is_noticed() {
        for text in [
            "aHVudGVyMg==",
            "NDExMTExMTExMTExMTExMQ",
            "eyJzc24iOiI5ODktNDEtNzczMCJ9",
            "3130302d35352d31313230",
        ] {
            assert!(hides_text(text.as_bytes()), "{text}");
        }
        for text in [
            "completed",
            "Completed",
            "application",
            "20261122023107",
            "1795305338000",
            "identityVerification",
            "deadbeefcafe00",
        ] {
            assert!(!hides_text(text.as_bytes()), "{text}");
        }
    }
}
