//! Where things end in text: tokens, quotation marks, values after a key.

use super::super::kind::Kind;
use super::super::words::{self, KNOWN};

/// Bytes that end a token.
pub(super) const DELIMITER: u8 = 1;
/// Letters, among them every byte of a character outside ASCII but those of punctuation.
pub(super) const LETTER: u8 = 2;
pub(super) const DIGIT: u8 = 4;
/// White space.
pub(super) const SPACE: u8 = 8;
/// May stand in a key.
pub(super) const IDENT: u8 = 16;

/// What each byte is.
pub(super) static CLASS: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut b = 0_usize;
    while b < 256 {
        let c = b as u8;
        table[b] = match c {
            b'A'..=b'Z' | b'a'..=b'z' => LETTER | IDENT,
            // U+2000 to U+2FFF: quotation marks, dashes, arrows, signs.
            0xe2 => DELIMITER,
            0x80..=0xff => LETTER,
            b'0'..=b'9' => DIGIT | IDENT,
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE | DELIMITER,
            b'"'
            | b'\''
            | b'`'
            | b'<'
            | b'>'
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b','
            | b';'
            | b'|'
            | 0..0x20
            | 0x7f => DELIMITER,
            b'_' | b'-' | b'.' => IDENT,
            _ => 0,
        };
        b += 1;
    }
    table
};

#[inline]
pub(super) fn class(text: &[u8], at: usize) -> u8 {
    text.get(at)
        .map_or(SPACE | DELIMITER, |b| CLASS[usize::from(*b)])
}

/// Length of the character of punctuation at `at`, whose first byte is `0xe2`.
pub(super) fn sign_len(text: &[u8], at: usize) -> usize {
    1 + text[at + 1..text.len().min(at + 3)]
        .iter()
        .take_while(|b| matches!(b, 0x80..=0xbf))
        .count()
}

/// An opening quotation mark at `at`: its length and the mark that closes it.
pub(super) fn opening_quote(text: &[u8], at: usize) -> Option<(usize, &'static [u8])> {
    Some(match *text.get(at)? {
        b'"' => (1, b"\""),
        b'\'' => (1, b"'"),
        b'`' => (1, b"`"),
        0xe2 => match text.get(at + 1..at + 3)? {
            [0x80, 0x9c | 0x9e] => (3, "\u{201d}".as_bytes()),
            [0x80, 0x98 | 0x9a] => (3, "\u{2019}".as_bytes()),
            [0x80, 0xb9] => (3, "\u{203a}".as_bytes()),
            _ => return None,
        },
        0xc2 if text.get(at + 1) == Some(&0xab) => (2, "\u{bb}".as_bytes()),
        _ => return None,
    })
}

/// End of the token at `at`. A backslash ends it unless it begins `\u` or `\x`.
pub(super) fn token_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(b) = text.get(end) {
        if CLASS[usize::from(*b)] & DELIMITER != 0
            || (*b == b'\\' && !matches!(text.get(end + 1), Some(b'u' | b'x')))
        {
            break;
        }
        end += 1;
    }
    end
}

/// Without the sentence's punctuation at the end.
pub(super) fn trim_end(text: &[u8], at: usize, end: usize) -> usize {
    let mut end = end;
    while end > at && matches!(text[end - 1], b'.' | b',' | b':' | b'!' | b'?' | b'*') {
        end -= 1;
    }
    end
}

/// A value after a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    /// Where the value starts, behind an opening quote.
    pub start: usize,
    /// The opening quote; 0 if there is none.
    pub quote: u8,
    /// Whether the quote is escaped.
    pub escaped: bool,
    /// `key: value` as in prose, not `key=value`.
    pub prose: bool,
}

/// Most signs between a key and its value.
const GAP_MAX: usize = 12;

/// Looks for `=`, `:`, `=>` behind a key that ends at `end`, over quotes and backslashes.
pub(super) fn value_after(text: &[u8], end: usize) -> Option<After> {
    let mut at = end;
    let limit = text.len().min(end + GAP_MAX);
    while at < limit
        && matches!(
            text[at],
            b'"' | b'\'' | b'\\' | b'`' | b']' | b' ' | b'\t' | b'*'
        )
    {
        at += 1;
    }
    let sign = *text.get(at).filter(|_| at < limit)?;
    let arrow = match text.get(at..)? {
        [b'-', b'>', ..] => 2,
        [0xe2, 0x86 | 0x87, 0x90..=0x94, ..] => 3,
        _ => 0,
    };
    if arrow == 0 && sign != b'=' && sign != b':' {
        return None;
    }
    // `scheme://` is no key, `a == b` and `a::b` are no values.
    if sign == b':' && matches!(text.get(at + 1), Some(b'/' | b':')) {
        return None;
    }
    at += arrow.max(1);
    if arrow == 0 && matches!(text.get(at), Some(b'=' | b'>')) {
        at += 1;
    }
    let spaces = at;
    while at < text.len() && at - end < GAP_MAX + 8 && matches!(text[at], b' ' | b'\t') {
        at += 1;
    }
    let prose = sign != b'=' && at > spaces;
    if text.get(at) == Some(&0xe2)
        && let Some((len, _)) = opening_quote(text, at)
    {
        return Some(After {
            start: at + len,
            quote: 0xe2,
            escaped: false,
            prose,
        });
    }
    let slashes = words::run(text, at, |b| b == b'\\');
    if let Some(quote @ (b'"' | b'\'' | b'`')) = text.get(slashes) {
        return Some(After {
            start: slashes + 1,
            quote: *quote,
            escaped: slashes > at,
            prose,
        });
    }
    Some(After {
        start: at,
        quote: 0,
        escaped: false,
        prose,
    })
}

/// End of a quoted value: the next quote of its kind that is not itself escaped, else the end.
fn quoted_end(text: &[u8], after: After) -> usize {
    if after.quote == 0xe2 {
        return typographic_end(text, after.start);
    }
    let mut at = after.start;
    while let Some(n) = text
        .get(at..)
        .and_then(|rest| memchr::memchr2(after.quote, b'\n', rest))
    {
        at += n;
        if text[at] == b'\n' {
            return at;
        }
        let slashes = text[after.start..at]
            .iter()
            .rev()
            .take_while(|b| **b == b'\\')
            .count();
        if after.escaped || slashes % 2 == 0 {
            return at - if after.escaped { slashes } else { 0 };
        }
        at += 1;
    }
    text.len()
}

/// End of a value in typographic quotation marks.
fn typographic_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(n) = text
        .get(at..)
        .and_then(|rest| memchr::memchr2(0xe2, b'\n', rest))
    {
        at += n;
        if text[at] == b'\n' || matches!(text.get(at + 1..at + 3), Some([0x80, 0x98..=0x9f | 0xba]))
        {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// Longest value of several words that is taken after a key without quotes.
const WORDS_MAX: usize = 160;

/// Whether a key stands at `at`: an identifier and `=` or `:` directly behind it.
pub(super) fn is_key(text: &[u8], at: usize) -> bool {
    let end = text.len().min(at + 40);
    let stop = words::run(&text[..end], at, |b| CLASS[usize::from(b)] & IDENT != 0);
    stop > at
        && CLASS[usize::from(text[at])] & LETTER != 0
        && matches!(text.get(stop), Some(b'=' | b':'))
}

/// End of the value of a sensitive key.
pub(super) fn value_end(text: &[u8], after: After, kind: Kind) -> usize {
    if after.quote != 0 {
        return quoted_end(text, after);
    }
    let many_words = matches!(
        kind,
        Kind::Name | Kind::Address | Kind::Personal | Kind::Text | Kind::Mnemonic
    ) || matches!(
        kind,
        Kind::Cookie
            | Kind::Authorization
            | Kind::OAuth1
            | Kind::DirectLogin
            | Kind::GatewayLogin
            | Kind::Bearer
    );
    let header = matches!(
        kind,
        Kind::Cookie | Kind::Authorization | Kind::OAuth1 | Kind::DirectLogin | Kind::GatewayLogin
    );
    let mut at = after.start;
    let limit = if header && after.prose {
        text.len()
    } else {
        text.len().min(
            at + if many_words {
                WORDS_MAX
            } else {
                usize::MAX / 2
            },
        )
    };
    while at < limit {
        match text[at] {
            b'\n' | b'\r' => break,
            b'"' | b'<' | b'>' if !header => break,
            b'}' | b']' | b')'
                if !header
                    && CLASS
                        .get(usize::from(*text.get(at + 1).unwrap_or(&b' ')))
                        .is_some_and(|c| c & DELIMITER != 0) =>
            {
                break;
            }
            b'&' | b';' if !header && is_key(text, at + 1) => break,
            b'|' if !header => break,
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r' | b'"')) => break,
            b',' if !header
                && kind != Kind::Address
                && text.get(at + 1).is_none_or(|b| *b == b' ' || *b == b'"') =>
            {
                break;
            }
            b',' if !header && is_key(text, at + 1) => break,
            b';' if many_words && !header => break,
            b' ' | b'\t' => {
                if header && after.prose {
                    at += 1;
                    continue;
                }
                if !many_words || is_key(text, at + 1) {
                    break;
                }
                // A lower-case word of the lexicon ends a name.
                let next = at + 1;
                let stop = words::run(text, next, |b| CLASS[usize::from(b)] & LETTER != 0);
                if matches!(kind, Kind::Name | Kind::Address)
                    && stop > next
                    && text[next].is_ascii_lowercase()
                    && stop - next < 20
                    && words::word(&text[next..stop]).is(KNOWN)
                    && kind == Kind::Name
                {
                    break;
                }
            }
            _ => {}
        }
        at += 1;
    }
    while at > after.start && matches!(text[at - 1], b' ' | b',' | b'\t') {
        at -= 1;
    }
    at
}

/// Whether the line goes on with three words at least and none of those that make a sentence.
pub(super) fn is_phrase(text: &[u8], at: usize) -> bool {
    const SENTENCE: [&[u8]; 20] = [
        b"is",
        b"was",
        b"are",
        b"must",
        b"not",
        b"the",
        b"a",
        b"an",
        b"be",
        b"has",
        b"required",
        b"missing",
        b"invalid",
        b"expired",
        b"for",
        b"of",
        b"to",
        b"and",
        b"or",
        b"in",
    ];
    let window = &text[at..text.len().min(at + WORDS_MAX)];
    let line = memchr::memchr(b'\n', window).map_or(window, |n| &window[..n]);
    let mut words = line.trim_ascii().split(|b| *b == b' ');
    words.clone().count() >= 3
        && words.all(|word| {
            word.iter().all(u8::is_ascii_alphabetic)
                && !SENTENCE
                    .iter()
                    .any(|other| word.eq_ignore_ascii_case(other))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_at_quotes_signs_and_keys() {
        let value = |text: &str, key: usize, kind| {
            let after = value_after(text.as_bytes(), key).unwrap();
            text[after.start..value_end(text.as_bytes(), after, kind)].to_owned()
        };
        assert_eq!(
            value("password=Tr0ub4dor&3 next", 8, Kind::Password),
            "Tr0ub4dor&3"
        );
        assert_eq!(value("password=abc&page=2", 8, Kind::Password), "abc");
        assert_eq!(
            value(r#"ssn\":\"989-41-7730\",\"a\":1"#, 3, Kind::Ssn),
            "989-41-7730"
        );
        assert_eq!(
            value(r#"pw": "a\"b c", "d""#, 2, Kind::Password),
            r#"a\"b c"#
        );
        assert_eq!(
            value("name=John Smith status=ok", 4, Kind::Name),
            "John Smith"
        );
    }
}
