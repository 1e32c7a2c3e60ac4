//! Shapes of values that may stand under a known name.
//!
//! A name alone never lets a value through: the value must look like what the name says, and a
//! valid card number is refused under every name.

mod time;

pub(crate) use time::*;

use super::recognise::{card, vendor};
use super::words::{self, API, KNOWN, LABEL, NOUN};

/// UUID, 32 or 24 hexadecimal digits, ULID, provider id, prefixed id, number, few characters.
pub(crate) const ID: u32 = 1;
/// One to six known words joined by signs.
pub(crate) const WORDY: u32 = 1 << 1;
/// `OBP-20001`, `validation.general`, `E1234`.
pub(crate) const CODE: u32 = 1 << 2;
/// A word.
pub(crate) const WORD: u32 = WORDY;
/// Up to three digits.
pub(crate) const SHORT_INT: u32 = 1 << 3;
/// `USD`, `BTC-USD`, `BTC_TEST`.
pub(crate) const ASSET: u32 = 1 << 4;
/// Digits with an optional fraction and sign, optionally a currency.
pub(crate) const AMOUNT: u32 = 1 << 5;
/// Digits.
pub(crate) const INT: u32 = 1 << 6;
/// `v1.2.3-rc1`, `5.1.0`, `2026-04-01`.
pub(crate) const VERSION: u32 = 1 << 7;
/// `2026-01-02`.
pub(crate) const DATE: u32 = 1 << 8;
/// RFC 3339, RFC 9110 dates, seconds or milliseconds since 1970.
pub(crate) const TIME: u32 = 1 << 9;
/// true, false, yes, no, 0, 1.
pub(crate) const BOOLISH: u32 = 1 << 10;
/// Scopes and roles: known words with `:` and spaces between.
pub(crate) const SCOPE: u32 = 1 << 11;
/// A host name.
pub(crate) const HOST: u32 = 1 << 12;
/// Hexadecimal digest of a usual length with a letter in it, with or without `sha256:`.
pub(crate) const HASH: u32 = 1 << 13;
/// W3C trace context.
pub(crate) const TRACEPARENT: u32 = 1 << 14;
/// `application/json; charset=utf-8`.
pub(crate) const MIME: u32 = 1 << 15;
/// Up to four digits.
pub(crate) const LAST4: u32 = 1 << 16;
/// Language ranges, quality values.
pub(crate) const RANGE: u32 = 1 << 17;

/// Anything but a card number, a credential or another validated value: what a rule of the
/// configuration keeps.
pub(crate) const ANY: u32 = 1 << 18;
/// An id where a number can be that of an account or a card: long numbers are none.
pub(crate) const REFERENCE: u32 = 1 << 19;

/// Longest value that can have a shape, in bytes: a filter of guids has at most 4,096 characters.
const SHAPED_MAX: usize = 4_200;

/// Longest number that is an id without a name of its own, as in a path: an account number has
/// eight digits and more.
pub(crate) const SHORT_NUMBER: usize = 7;

/// Whether `value` has one of the `shapes`. A comma-separated list must have it in each part.
pub(crate) fn matches(shapes: u32, value: &[u8]) -> bool {
    let value = value.trim_ascii();
    if value.is_empty() {
        return true;
    }
    if value.len() > SHAPED_MAX {
        return false;
    }
    if matches_one(shapes, value) {
        return true;
    }
    shapes & (ID | REFERENCE | WORDY | SCOPE | ASSET | MIME | RANGE | CODE) != 0
        && value.contains(&b',')
        && value
            .split(|b| *b == b',')
            .all(|part| matches_one(shapes, part.trim_ascii()))
}

fn matches_one(shapes: u32, value: &[u8]) -> bool {
    let has = |shape: u32| shapes & shape != 0;
    let Some(first) = value.first() else {
        return false;
    };
    (has(ANY)
        && matches!(
            super::recognise::whole(value),
            None | Some(super::kind::Kind::Opaque)
        ))
        || (has(ID) && is_id(value))
        || (has(REFERENCE) && is_id(value) && !(is_digits(value) && value.len() > SHORT_NUMBER))
        || (has(SHORT_INT) && value.len() <= 3 && is_digits(value))
        || (has(LAST4) && value.len() <= 4 && is_digits(value))
        || (has(BOOLISH) && is_boolish(value))
        || (has(INT) && is_int(value))
        || (has(AMOUNT) && is_amount(value))
        || (has(TIME) && (is_timestamp(value) || is_epoch(value) || is_http_date(value)))
        || (has(DATE) && is_date(value))
        || (has(WORDY) && first.is_ascii_alphabetic() && is_wordy(value, KNOWN | LABEL | NOUN))
        || (has(CODE) && is_code(value))
        || (has(ASSET) && is_asset(value))
        || (has(VERSION) && is_version(value))
        || (has(HOST) && is_host(value))
        || (has(SCOPE) && is_scope(value))
        || (has(HASH) && is_hash(value))
        || (has(TRACEPARENT) && is_traceparent(value))
        || (has(MIME) && is_mime(value))
        || (has(RANGE) && is_range(value))
}

/// What may stand under a name that is not known: values that cannot hold six characters of a
/// secret, or that have one unmistakable form.
pub(crate) fn is_harmless(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let Some(first) = value.first() else {
        return true;
    };
    if value.len() > 64 {
        return false;
    }
    if first.is_ascii_digit() || *first == b'-' {
        return (is_digits(value) && value.len() < 6)
            || is_decimal(value)
            || is_timestamp(value)
            || is_recent_date(value);
    }
    first.is_ascii_alphabetic() && is_wordy(value, API)
}

pub(crate) fn is_digits(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

fn is_hex(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_hexdigit)
}

fn has_letter(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_alphabetic)
}

/// Eight, four, four, four, twelve hexadecimal digits, with at least one letter or the all-digit
/// form of a version field that is valid.
pub(crate) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, b)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

/// 32 hexadecimal digits: the ids of Cybrid and W3C trace ids.
pub(crate) fn is_hex32(value: &[u8]) -> bool {
    value.len() == 32 && is_hex(value)
}

/// Crockford base 32 of 128 bits.
fn is_ulid(value: &[u8]) -> bool {
    value.len() == 26
        && matches!(value.first(), Some(b'0'..=b'7'))
        && value.iter().all(|b| {
            b.is_ascii_digit()
                || (b.is_ascii_uppercase() && !matches!(b, b'I' | b'L' | b'O' | b'U'))
        })
}

/// `AC_XXXXXXXXXXX`, `TF-XXXXXXXXXXX`: both separators occur (Wyre).
pub(crate) fn is_wyre_id(value: &[u8]) -> bool {
    let Some((head, tail)) = value.split_at_checked(3) else {
        return false;
    };
    matches!(
        head,
        b"AC_"
            | b"TF_"
            | b"PA_"
            | b"WA_"
            | b"WO_"
            | b"US_"
            | b"AC-"
            | b"TF-"
            | b"PA-"
            | b"WA-"
            | b"WO-"
            | b"US-"
    ) && (1..=13).contains(&tail.len())
        && tail
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// `cus_NffrFeUfNV2Hib`, `req-000123`, `ord_8842`: known words, then one short piece. Words that
/// announce a secret (`sk`, `key`, `token`) are not ids.
fn is_prefixed_id(value: &[u8]) -> bool {
    let Some(at) = value.iter().rposition(|b| matches!(b, b'_' | b'-' | b':')) else {
        return false;
    };
    let (head, tail) = (&value[..at], &value[at + 1..]);
    if head.is_empty()
        || head.len() > 24
        || !(1..=24).contains(&tail.len())
        || !tail.iter().all(u8::is_ascii_alphanumeric)
    {
        return false;
    }
    if vendor::key(value).is_some() || matches!(head, b"sk" | b"pk" | b"rk" | b"SK" | b"AK") {
        return false;
    }
    let letters_only = head
        .iter()
        .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-'));
    if is_digits(tail) {
        return letters_only && tail.len() <= 12 && !card::is_card(tail);
    }
    letters_only
        && words::split_words(head, |word| {
            let known = words::word(word);
            word.len() <= 4 || known.is(NOUN) || (known.is(API) && !known.is(LABEL))
        })
        && (tail.len() <= 17 || is_hex(tail))
        && !words::word(head).is(LABEL)
}

/// A type and an id: `account:AC_TESTTEST01` (Wyre SRN). Chain addresses are not ids.
fn is_srn(value: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b':', value) else {
        return false;
    };
    matches!(
        &value[..at],
        b"account" | b"wallet" | b"paymentmethod" | b"user" | b"transfer" | b"order"
    ) && is_wyre_id(&value[at + 1..])
}

/// Any id that may stand under an id's name.
pub(crate) fn is_id(value: &[u8]) -> bool {
    match value.len() {
        0..=5 => value
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'*')),
        len => {
            (is_digits(value) && len <= 20 && !card::is_card(value))
                || is_hex32(value)
                || is_uuid(value)
                || (matches!(len, 16 | 24) && is_hex(value) && has_letter(value))
                || is_ulid(value)
                || is_wyre_id(value)
                || is_srn(value)
                || is_prefixed_id(value)
                || is_dotted_bank_id(value)
                || is_obp_operation(value)
                || (value
                    .first()
                    .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                    && is_wordy(value, KNOWN | NOUN))
        }
    }
}

/// `OBPv4.0.0-grantUserAccessToView`.
fn is_obp_operation(value: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'-', value) else {
        return false;
    };
    let (head, tail) = (&value[..at], &value[at + 1..]);
    head.len() <= 12
        && head.starts_with(b"OBPv")
        && is_version(&head[3..])
        && is_wordy(tail, KNOWN | NOUN | LABEL)
}

/// Bank ids of OBP: `gh.29.uk`, `obp.bank.x`: short pieces or known words between dots.
fn is_dotted_bank_id(value: &[u8]) -> bool {
    value.len() <= 32
        && value.contains(&b'.')
        && has_letter(value)
        && value.split(|b| *b == b'.').all(|part| {
            !part.is_empty()
                && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
                && (part.len() <= 4 || is_wordy(part, KNOWN))
        })
}

pub(crate) fn is_int(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    is_digits(digits) && digits.len() <= 20 && !card::is_card(digits)
}

/// At most three digits before each comma, a fraction, a currency at either side.
pub(crate) fn is_amount(value: &[u8]) -> bool {
    let mut value = value;
    if let Some(at) = value.iter().position(|b| *b == b' ') {
        let (head, tail) = (&value[..at], &value[at + 1..]);
        value = if is_asset(head) {
            tail
        } else if is_asset(tail) {
            head
        } else {
            return false;
        };
    }
    let value = value.strip_prefix(b"$").unwrap_or(value);
    let value = value
        .strip_prefix(b"-")
        .or_else(|| value.strip_prefix(b"+"))
        .unwrap_or(value);
    let mut digits = 0;
    let mut dots = 0;
    let mut all = [0; 40];
    for b in value {
        match b {
            b'0'..=b'9' if digits < all.len() => {
                all[digits] = *b;
                digits += 1;
            }
            b'.' => dots += 1,
            b',' | b'e' | b'E' | b'+' | b'-' if digits > 0 => {}
            _ => return false,
        }
    }
    digits > 0 && dots <= 1 && (dots == 1 || !card::is_card(&all[..digits]))
}

/// A decimal fraction with a short whole part, as amounts and rates have it.
pub(crate) fn is_decimal(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"-").unwrap_or(value);
    let Some(at) = value.iter().position(|b| *b == b'.') else {
        return false;
    };
    let (whole, part) = (&value[..at], &value[at + 1..]);
    is_digits(whole)
        && is_digits(part)
        && whole.len() <= 9
        && part.len() <= 8
        && (whole.len() == 1 || whole[0] != b'0')
}

fn is_boolish(value: &[u8]) -> bool {
    [
        "true", "false", "yes", "no", "0", "1", "null", "none", "on", "off",
    ]
    .iter()
    .any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// One to eight pieces, each a known word, a number of at most five digits or three letters,
/// joined by single signs. No blanks.
pub(crate) fn is_wordy(value: &[u8], known: u8) -> bool {
    if value.len() > 96
        || !value.iter().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/' | b'*')
        })
    {
        return false;
    }
    let mut pieces = 0;
    let mut odd = 0;
    words::split_words(value, |piece| {
        pieces += 1;
        let good = if piece[0].is_ascii_digit() {
            odd += piece.len();
            piece.len() < 6
        } else if words::word(piece).is(known) {
            true
        } else {
            odd += piece.len();
            piece.len() <= 3
        };
        good && odd < 6 && pieces <= 12
    })
}

/// `OBP-20001`, `OBP-300010`, `E1234`, `validation.general`.
pub(crate) fn is_code(value: &[u8]) -> bool {
    if let Some(digits) = value.strip_prefix(b"OBP-") {
        return matches!(digits.len(), 5 | 6) && is_digits(digits);
    }
    let letters = words::run(value, 0, |b| b.is_ascii_alphabetic());
    let rest = &value[letters..];
    let rest = rest
        .strip_prefix(b"-")
        .or_else(|| rest.strip_prefix(b"_"))
        .unwrap_or(rest);
    (1..=5).contains(&letters) && rest.len() <= 5 && (rest.is_empty() || is_digits(rest))
}

fn is_asset(value: &[u8]) -> bool {
    let mut parts = 0;
    value.len() <= 24
        && value
            .split(|b| matches!(b, b'-' | b'_' | b'/'))
            .all(|part| {
                parts += 1;
                parts <= 4
                    && (2..=6).contains(&part.len())
                    && part.iter().all(|b| b.is_ascii_alphanumeric())
                    && has_letter(part)
                    && (part.len() <= 5 || words::word(part).is(KNOWN))
            })
}

/// Numbers of at most eight digits between points, with a short tail.
pub(crate) fn is_version(value: &[u8]) -> bool {
    let value = value
        .strip_prefix(b"v")
        .or_else(|| value.strip_prefix(b"V"))
        .unwrap_or(value);
    if value.len() > 32 || !value.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let end = words::run(value, 0, |b| b.is_ascii_digit() || matches!(b, b'.' | b'_'));
    let numbers = &value[..end];
    let parts = numbers.split(|b| matches!(b, b'.' | b'_'));
    let short = parts.clone().all(|part| part.len() <= 5);
    let tail = &value[end..];
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    if starts_with_date(value) && !is_recent_date(&value[..10]) {
        return false;
    }
    // National numbers are grouped like versions: `250.854.233-48`.
    short
        && (digits <= 9 || (parts.count() == 4 && tail.is_empty() && digits <= 12))
        && (tail.is_empty()
            || is_date(value)
            || (matches!(tail[0], b'-' | b'+' | b'a' | b'b' | b'r')
                && tail.len() <= 24
                && (is_wordy(tail, KNOWN)
                    || (tail.len() <= 9 && is_hex(&tail[1..]) && has_letter(&tail[1..])))))
}

/// Labels of letters, digits and hyphens. A label with the look of a random string is refused.
pub(crate) fn is_host(value: &[u8]) -> bool {
    let end = value
        .iter()
        .rposition(|b| *b == b':')
        .filter(|at| is_digits(&value[at + 1..]) && value.len() - at <= 6)
        .unwrap_or(value.len());
    let name = &value[..end];
    if name.is_empty() || name.len() > 253 || name == b"[::1]" {
        return name == b"[::1]";
    }
    let mut labels = 0;
    name.split(|b| *b == b'.').all(|label| {
        labels += 1;
        labels <= 10 && is_host_label(label)
    }) && (labels > 1 || is_wordy(name, KNOWN))
}

fn is_host_label(label: &[u8]) -> bool {
    !label.is_empty()
        && label.len() <= 40
        && label
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && label.split(|b| matches!(b, b'-' | b'_')).all(|part| {
            let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
            digits <= 5
                && (part.len() <= 8 || (digits == 0 && part.len() <= 16) || is_wordy(part, KNOWN))
        })
}

/// Known words with signs and blanks between, as scopes and OBP roles are written.
fn is_scope(value: &[u8]) -> bool {
    value.len() <= 2_048
        && value
            .split(|b| matches!(b, b' ' | b'+' | b','))
            .all(|part| part.is_empty() || is_wordy(part, KNOWN | LABEL | NOUN))
}

/// Digests: hexadecimal of 7 to 12, 32, 40, 56, 64, 96 or 128 digits with a letter, quoted or not.
fn is_hash(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"W/").unwrap_or(value);
    let value = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""))
        .unwrap_or(value);
    let value = value
        .strip_prefix(b"sha256:")
        .or_else(|| value.strip_prefix(b"sha512:"))
        .or_else(|| value.strip_prefix(b"sha1:"))
        .or_else(|| value.strip_prefix(b"md5:"))
        .unwrap_or(value);
    matches!(value.len(), 7..=12 | 32 | 40 | 56 | 64 | 96 | 128)
        && is_hex(value)
        && has_letter(value)
}

/// `00-<32 hex>-<16 hex>-01`.
pub(crate) fn is_traceparent(value: &[u8]) -> bool {
    value.len() == 55
        && value.iter().enumerate().all(|(at, b)| {
            if matches!(at, 2 | 35 | 52) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
        && has_letter(value)
}

fn is_mime(value: &[u8]) -> bool {
    value.len() <= 200
        && value.split(|b| *b == b';').enumerate().all(|(at, part)| {
            let part = part.trim_ascii();
            if at == 0 {
                part.iter().filter(|b| **b == b'/').count() == 1 && is_media_word(part)
            } else if let Some(eq) = memchr::memchr(b'=', part) {
                let tail = &part[eq + 1..];
                match &part[..eq] {
                    b"charset" | b"profile" | b"format" => {
                        is_wordy(tail, KNOWN) || tail.eq_ignore_ascii_case(b"utf-8")
                    }
                    b"boundary" => tail.len() <= 72,
                    b"q" | b"v" | b"version" => tail.len() <= 5,
                    _ => false,
                }
            } else {
                false
            }
        })
}

fn is_media_word(part: &[u8]) -> bool {
    part.split(|b| matches!(b, b'/' | b'+' | b'.' | b'-'))
        .all(|word| {
            word == b"*"
                || word.len() <= 4
                || is_wordy(word, KNOWN)
                || (word.iter().all(u8::is_ascii_alphabetic) && word.len() <= 14)
        })
}

/// `en-US,en;q=0.9`, `gzip, deflate`, `*`.
fn is_range(value: &[u8]) -> bool {
    let name = value
        .split(|b| *b == b';')
        .next()
        .unwrap_or(value)
        .trim_ascii();
    let quality = value.get(name.len()..).unwrap_or(b"").trim_ascii();
    (quality.is_empty() || (quality.starts_with(b";") && quality.len() <= 9))
        && (name == b"*"
            || name
                .split(|b| *b == b'-')
                .all(|part| part.len() <= 3 || words::word(part).is(KNOWN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_secrets() {
        for id in [
            "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e",
            "5d1d0000-0000-4000-8000-00000000000a",
            "AC_TESTTEST01",
            "TF-ABCDEFGH123",
            "cus_NffrFeUfNV2Hib",
            "ord_8842",
            "req-000123",
            "00f067aa0ba902b7",
            "gh.29.uk",
            "owner",
            "_public",
            "12345678",
            "account:AC_TESTTEST01",
            "OBPv4.0.0-grantUserAccessToView",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert!(is_id(id.as_bytes()), "{id}");
        }
        for secret in [
            "4111111111111111",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "hunter2!",
            "k3y0000000000000000000000000000000000000",
            "dora.demo@example.com",
            "AK-DEMO-DEMO-0001x9",
            "token_abcdef1234567890",
            "TEST-SK-abcd1234",
        ] {
            assert!(!is_id(secret.as_bytes()), "{secret}");
        }
    }

    #[test]
    fn times_versions_amounts_and_codes_have_their_forms() {
        assert!(matches(TIME, b"2026-01-02T03:04:05.678Z"));
        assert!(matches(TIME, b"1795305338"));
        assert!(matches(TIME, b"Sun, 22 Nov 2026 02:18:58 GMT"));
        assert!(!matches(TIME, b"1987-03-21"));
        assert!(
            matches(VERSION, b"v5.1.0")
                && matches(VERSION, b"1.2.3-rc1")
                && matches(VERSION, b"2026-04-01")
        );
        assert!(!matches(VERSION, b"4111111111111111"));
        assert!(
            matches(AMOUNT, b"1,234.56")
                && matches(AMOUNT, b"USD 100.00")
                && matches(AMOUNT, b"-5")
        );
        assert!(!matches(AMOUNT, b"4111111111111111"));
        assert!(matches(CODE, b"OBP-20001") && matches(CODE, b"R01") && !matches(CODE, b"hunter2"));
        assert!(matches(ASSET, b"BTC-USD") && matches(ASSET, b"USDC_SOL"));
        assert!(
            matches(MIME, b"application/json; charset=utf-8")
                && matches(MIME, b"application/vnd.api+json")
        );
        assert!(matches(RANGE, b"en-US,en;q=0.9") && matches(RANGE, b"gzip, deflate, br"));
        assert!(matches(HOST, b"bank.sandbox.cybrid.app:443"));
    }

    #[test]
    fn what_is_harmless_under_any_name() {
        for value in [
            "completed",
            "identity_verification",
            "trade.storing",
            "12345",
            "100.00",
            "2026-01-02T03:04:05Z",
            "USD",
            "",
        ] {
            assert!(is_harmless(value.as_bytes()), "{value}");
        }
        for value in [
            "correct-horse-battery-staple",
            "123456",
            "1987-03-21",
            "hunter2",
            "Zyxanthe",
            "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e",
        ] {
            assert!(!is_harmless(value.as_bytes()), "{value}");
        }
    }
}
