//! Shapes of values that may stand under a known name.
//!
//! A name alone never lets a value through: the value must look like what the name says, and a
//! valid card number is refused under every name.

mod id;
mod net;
mod number;
mod time;

pub(crate) use id::*;
pub(crate) use net::*;
pub(crate) use number::*;
pub(crate) use time::*;

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
/// Digits with an optional fraction, thousands and sign, optionally a currency. No leading zero.
pub(crate) const AMOUNT: u32 = 1 << 5;
/// A count: up to ten digits, or a time in units since 1970.
pub(crate) const INT: u32 = 1 << 6;
/// `v1.2.3-rc1`, `5.1.0`, `2026-04-01`.
pub(crate) const VERSION: u32 = 1 << 7;
/// `2026-01-02`, not of years in which account holders were born.
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
/// An id that somebody counted up: of an order, a ticket, a parcel. Long numbers are usual.
pub(crate) const BUSINESS_ID: u32 = 1 << 20;
/// A small number: a page, a line, a port.
pub(crate) const SMALL: u32 = 1 << 21;
/// A plain decimal fraction, or a number of at most ten digits.
pub(crate) const DECIMAL: u32 = 1 << 22;
/// `#ff8800`.
pub(crate) const COLOR: u32 = 1 << 23;
/// `00:1A:2B:3C:4D:5E`.
pub(crate) const MAC: u32 = 1 << 24;
/// ISIN by its check digit.
pub(crate) const ISIN: u32 = 1 << 25;
/// `Europe/Berlin`, `UTC`.
pub(crate) const ZONE: u32 = 1 << 26;
/// The id of a trace or span: hexadecimal, or a decimal of 64 bits.
pub(crate) const TRACE: u32 = 1 << 27;

/// The name of a class with its package.
pub(crate) const PROGRAM: u32 = 1 << 28;

/// Every form that a value can have of its own.
pub(crate) const FORMED: u32 = ID
    | BUSINESS_ID
    | WORDY
    | CODE
    | ASSET
    | AMOUNT
    | INT
    | VERSION
    | DATE
    | TIME
    | BOOLISH
    | SCOPE
    | HOST
    | HASH
    | TRACEPARENT
    | MIME
    | COLOR
    | MAC
    | ISIN
    | ZONE;

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
    shapes & (ID | REFERENCE | BUSINESS_ID | WORDY | SCOPE | ASSET | MIME | RANGE | CODE) != 0
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
        || (has(TRACE) && is_trace_id(value))
        || (has(BUSINESS_ID) && is_business_id(value))
        || (has(SHORT_INT) && value.len() <= 3 && is_digits(value))
        || (has(LAST4) && value.len() <= 4 && is_digits(value))
        || (has(BOOLISH) && is_boolish(value))
        || (has(INT) && is_int(value))
        || (has(SMALL) && is_digits(value) && value.len() <= SHORT_NUMBER)
        || (has(DECIMAL) && (is_decimal(value) || is_int(value)))
        || (has(AMOUNT) && is_amount(value))
        || (has(TIME) && (is_timestamp(value) || is_epoch(value) || is_http_date(value)))
        || (has(DATE) && is_recent_date(value))
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
        || (has(COLOR) && is_color(value))
        || (has(MAC) && is_mac(value))
        || (has(ISIN) && is_isin(value))
        || (has(ZONE) && is_zone(value))
        || (has(PROGRAM) && is_program_name(value))
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

pub(super) fn is_hex(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_hexdigit)
}

pub(super) fn has_letter(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_alphabetic)
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
    (1..=5).contains(&letters)
        && value[..letters].iter().all(u8::is_ascii_uppercase)
        && rest.len() <= 5
        && (rest.is_empty() || is_digits(rest))
}

pub(super) fn is_asset(value: &[u8]) -> bool {
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

/// Known words with signs and blanks between, as scopes and OBP roles are written.
fn is_scope(value: &[u8]) -> bool {
    value.len() <= 2_048
        && value
            .split(|b| matches!(b, b' ' | b'+' | b','))
            .all(|part| part.is_empty() || is_wordy(part, KNOWN | LABEL | NOUN))
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
