//! Text as a reader sees it: HTML entities, digits of other scripts, full-width letters and signs
//! without width are undone, so that a number written with them is the number.

use std::borrow::Cow;

/// Longest entity: `&#x1D7CE;` and the names below, with zeros in front.
const ENTITY_MAX: usize = 12;

/// Entities of HTML that stand for signs of ASCII. Others do not hide anything.
const NAMED: [(&[u8], u8); 24] = [
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"nbsp", b' '),
    (b"colon", b':'),
    (b"equals", b'='),
    (b"commat", b'@'),
    (b"period", b'.'),
    (b"hyphen", b'-'),
    (b"dash", b'-'),
    (b"lowbar", b'_'),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"comma", b','),
    (b"semi", b';'),
    (b"excl", b'!'),
    (b"quest", b'?'),
    (b"num", b'#'),
    (b"percnt", b'%'),
    (b"plus", b'+'),
    (b"lpar", b'('),
    (b"rpar", b')'),
];

/// The text without such signs, if it had any.
pub(super) fn unfold(text: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(b'&', text);
    if first.is_none() && text.is_ascii() {
        return None;
    }
    let entity = first.is_some_and(|first| {
        memchr::memchr_iter(b'&', &text[first..]).any(|at| entity(&text[first + at..]).is_some())
    });
    if !entity && text.is_ascii() {
        return None;
    }
    let text = if entity {
        Cow::Owned(without_entities(text))
    } else {
        Cow::Borrowed(text)
    };
    let mut out = Vec::new();
    let mut done = 0;
    let mut at = 0;
    while at < text.len() {
        // ASCII is passed over in runs.
        match text[at..].iter().position(|b| !b.is_ascii()) {
            Some(n) => at += n,
            None => break,
        }
        let len = match text[at] {
            0xf0.. => 4,
            0xe0.. => 3,
            _ => 2,
        };
        let Some(sign) = text.get(at..at + len) else {
            break;
        };
        if let Some(plain) = plain(sign) {
            out.extend_from_slice(&text[done..at]);
            out.extend(plain);
            done = at + len;
            at += len;
        } else {
            at += text[at..]
                .iter()
                .skip(1)
                .position(|b| !matches!(b, 0x80..=0xbf))
                .map_or(text.len() - at, |n| n + 1);
        }
    }
    if done == 0 {
        return entity.then(|| text.into_owned());
    }
    out.extend_from_slice(&text[done..]);
    Some(out)
}

fn without_entities(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(n) = memchr::memchr(b'&', &text[at..]) {
        out.extend_from_slice(&text[at..at + n]);
        at += n;
        match entity(&text[at..]) {
            Some((c, len)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += len;
            }
            None => {
                out.push(b'&');
                at += 1;
            }
        }
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// The entity at the start of `text` and its length. One without its semicolon counts if it is a
/// number, as browsers read it.
fn entity(text: &[u8]) -> Option<(char, usize)> {
    let window = text.get(1..text.len().min(ENTITY_MAX))?;
    if let Some(number) = window.strip_prefix(b"#") {
        let (digits, radix) = match number {
            [b'x' | b'X', hex @ ..] => (hex, 16),
            decimal => (decimal, 10),
        };
        let len = digits
            .iter()
            .take_while(|b| char::from(**b).is_digit(radix))
            .count();
        let number = std::str::from_utf8(digits.get(..len)?).ok()?;
        let c = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
        let end = 2 + usize::from(radix == 16) + len;
        let semicolon = usize::from(text.get(end) == Some(&b';'));
        return (!c.is_control()).then_some((c, end + semicolon));
    }
    let len = window.iter().position(|b| *b == b';')?;
    let (_, sign) = NAMED.iter().find(|(name, _)| *name == &window[..len])?;
    Some((char::from(*sign), len + 2))
}

/// What a character outside ASCII stands for: nothing (no width), or one sign of ASCII.
fn plain(sign: &[u8]) -> Option<Option<u8>> {
    let c = std::str::from_utf8(sign).ok()?.chars().next()?;
    let code = u32::from(c);
    // Where the digits of a script begin (Unicode, category Nd).
    const ZEROS: [u32; 16] = [
        0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6,
        0x0d66, 0x0e50, 0x0ed0, 0x17e0, 0x1040,
    ];
    let digit = |zero: u32| u8::try_from(code - zero).ok().map(|n| b'0' + n);
    match code {
        0xad | 0x200b..=0x200d | 0x2060 | 0xfeff => Some(None),
        // Full-width forms of ASCII.
        0xff01..=0xff5e => Some(u8::try_from(code - 0xfee0).ok()),
        // Digits of mathematical alphabets, five styles of ten.
        0x1d7ce..=0x1d7ff => Some(u8::try_from((code - 0x1d7ce) % 10).ok().map(|n| b'0' + n)),
        _ => ZEROS
            .iter()
            .find(|zero| (**zero..**zero + 10).contains(&code))
            .map(|zero| digit(*zero)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> Option<String> {
        unfold(input.as_bytes()).map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn entities_and_other_digits_are_undone() {
        for (input, plain) in [
            ("card &#52;&#x31;&#49 1", "card 411 1"),
            ("{&quot;a&quot;&colon;1}", "{\"a\":1}"),
            ("４１１１－２", "4111-2"),
            ("٤١١١", "4111"),
            ("41\u{200b}11\u{ad}", "4111"),
            ("caf\u{e9} \u{1d7d2}1", "caf\u{e9} 41"),
        ] {
            assert_eq!(text(input).as_deref(), Some(plain), "{input}");
        }
        for input in ["a & b; c", "&copy; 2026", "café", "日本", ""] {
            assert_eq!(text(input), None, "{input}");
        }
        assert_eq!(
            unfold(b"\xff\xf0\x9f &#52"),
            Some(b"\xff\xf0\x9f 4".to_vec())
        );
    }
}
