//! What must hold for any bytes on any surface: a planted secret does not survive, a second pass
//! shows nothing more, the cut of a stream does not matter, and the output is valid where the
//! input was. The fuzz targets and the test suite run this same file.

use egret::domain::redact::{Context, Redactor, Surface};
use std::sync::LazyLock;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

/// Where a zero byte stands in the input, a secret is planted, between blanks or quotation marks
/// (percent-encoded blanks where the surface has none). Each validates by itself, so that it must
/// be found wherever it is a token of its own.
const SECRETS: [&str; 6] = [
    "4012888888881881",
    "zyxanthe.q@example.com",
    "AKIAIOSFODNN7EXAMPLE",
    "DE89370400440532013000",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
];

fn redact(surface: Surface, input: &[u8]) -> Vec<u8> {
    let redaction = REDACTOR.redact(surface, input, Context::default());
    redaction.bytes.into_inner()
}

/// What stands on both sides of a planted secret.
fn edge(surface: Surface) -> &'static [u8] {
    match surface {
        Surface::Query | Surface::Form | Surface::Path => b"%20",
        _ => b" ",
    }
}

/// Checks one input.
pub fn check(surface: Surface, data: &[u8]) {
    let mut input = Vec::new();
    let mut planted = Vec::new();
    for (n, piece) in data.split(|b| *b == 0).enumerate() {
        if n > 0 {
            let secret = SECRETS[n % SECRETS.len()];
            planted.push(secret);
            input.extend_from_slice(edge(surface));
            input.extend_from_slice(secret.as_bytes());
            input.extend_from_slice(edge(surface));
        }
        input.extend_from_slice(piece);
    }
    let once = redact(surface, &input);
    let shown = || String::from_utf8_lossy(&once);
    // What the fuzzer has written itself, in the middle of something else, is not planted.
    let own = |secret: &str| data.windows(secret.len()).any(|w| w == secret.as_bytes());
    for secret in planted.into_iter().filter(|secret| !own(secret)) {
        let survives = once.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!survives, "{surface}: {secret} survives in {:?}", shown());
    }

    let mut stream = REDACTOR.stream(surface, Context::default());
    let mut pieces = Vec::new();
    for piece in input.chunks(7) {
        pieces.extend(stream.push(piece).into_inner());
    }
    pieces.extend(stream.finish().bytes.into_inner());
    assert!(once == pieces, "{surface}: cut matters: {:?}", shown());

    let twice = redact(surface, &once);
    let (first, second) = (unmasked(&once), unmasked(&twice));
    let mut rest = first.iter();
    assert!(
        second.iter().all(|b| rest.any(|other| other == b)),
        "{surface}: a second pass shows more: {:?} became {:?}",
        shown(),
        String::from_utf8_lossy(&twice)
    );

    assert!(is_valid(surface, &input, &once), "{surface}: {:?}", shown());
}

/// Whether the output is as valid as the input was.
fn is_valid(surface: Surface, input: &[u8], output: &[u8]) -> bool {
    let count = |text: &[u8], sign: u8| text.iter().filter(|b| **b == sign).count();
    let is_json = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    match surface {
        Surface::Json => !is_json(input) || is_json(output),
        // One line stays one line, or a mask would begin another field.
        Surface::Header => count(input, b'\n') == count(output, b'\n'),
        Surface::Query | Surface::Form | Surface::Path => {
            count(output, b'\n') <= count(input, b'\n') && count(output, b' ') <= count(input, b' ')
        }
        Surface::Multipart | Surface::Text => true,
    }
}

/// Letters and digits that are not part of a mask or of an escape.
fn unmasked(text: &[u8]) -> Vec<u8> {
    const MASK: &[u8] = b"[redacted:";
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(b) = text.get(at) {
        if text[at..].starts_with(MASK) {
            at += MASK.len();
            while text
                .get(at)
                .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
            {
                at += 1;
            }
            continue;
        }
        let hex = |n: usize| text.get(at + n).is_some_and(u8::is_ascii_hexdigit);
        at += match (b, text.get(at + 1)) {
            (b'%', _) if hex(1) && hex(2) => 2,
            (b'\\', Some(b'u')) if (2..6).all(hex) => 5,
            // Not the bracket of a mask.
            (b'\\', Some(next)) if next.is_ascii_alphabetic() || *next == b'\\' => 1,
            _ => 0,
        };
        if !matches!(b, b'%' | b'\\') && b.is_ascii_alphanumeric() {
            out.push(*b);
        }
        at += 1;
    }
    out
}
