//! Ids: of resources, requests, traces, orders.

use super::super::recognise::{card, national, vendor};
use super::super::words::{self, API, KNOWN, LABEL, NOUN};
use super::{SHORT_NUMBER, has_letter, is_digits, is_hex, is_recent_date, is_version, is_wordy};

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
    value.len() == 32 && is_hex(value) && has_letter(value)
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

/// A number that can be a key of a database (at most ten digits) or of 64 random bits. What lies
/// between has the length of account numbers, cards and times.
fn is_number_id(value: &[u8]) -> bool {
    is_digits(value) && matches!(value.len(), 0..=10 | 17..=20) && !card::is_card(value)
}

/// A short hexadecimal id in small letters, with two letters at least: national numbers and
/// passports have capitals, and mostly one.
fn is_short_hex(value: &[u8]) -> bool {
    is_hex(value)
        && !value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().filter(|b| b.is_ascii_alphabetic()).count() >= 2
}

/// `INV-2026-00017`, `20261122-001`: a word or a day, then short numbers.
fn is_numbered(value: &[u8]) -> bool {
    let mut parts = value.split(|b| matches!(b, b'-' | b'_' | b'/' | b'.'));
    let Some(head) = parts.next() else {
        return false;
    };
    let letters = (2..=6).contains(&head.len()) && head.iter().all(u8::is_ascii_uppercase);
    let day = head.len() == 8 && {
        let mut date = [b'-'; 10];
        date[..4].copy_from_slice(&head[..4]);
        date[5..7].copy_from_slice(&head[4..6]);
        date[8..].copy_from_slice(&head[6..]);
        is_digits(head) && is_recent_date(&date)
    };
    let mut rest = 0;
    (letters || day)
        && value.len() <= 24
        && parts.all(|part| {
            rest += 1;
            is_digits(part) && part.len() <= 8
        })
        && (1..=3).contains(&rest)
        && vendor::key(value).is_none()
}

/// What a trace or a span is called: 64 or 128 bits, hexadecimal or (Datadog) decimal.
pub(crate) fn is_trace_id(value: &[u8]) -> bool {
    is_hex32(value)
        || is_uuid(value)
        || is_ulid(value)
        || (value.len() == 16 && is_hex(value) && has_letter(value))
        || (is_digits(value)
            && (value.len() <= SHORT_NUMBER || matches!(value.len(), 17..=20))
            && !card::is_card(value))
        || (!is_digits(value) && is_id(value))
}

/// What is counted up or printed on paper: an order, an invoice, a parcel. `SO123456`,
/// `1Z999AA10123456784`; longer numbers than of other ids, but no card and no national number.
pub(crate) fn is_business_id(value: &[u8]) -> bool {
    if is_id(value) {
        return true;
    }
    if is_digits(value) {
        return value.len() <= 20 && !card::is_card(value);
    }
    let letters = value.iter().filter(|b| b.is_ascii_uppercase()).count();
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    (6..=22).contains(&value.len())
        && letters + digits == value.len()
        && (1..=6).contains(&letters)
        && national::lettered(value).is_none()
        && vendor::key(value).is_none()
}

/// Any id that may stand under an id's name.
pub(crate) fn is_id(value: &[u8]) -> bool {
    match value.len() {
        0..=5 => value
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'*')),
        len => {
            is_number_id(value)
                || is_hex32(value)
                || is_uuid(value)
                || (matches!(len, 16 | 24) && is_hex(value) && has_letter(value))
                || (matches!(len, 6..=15) && is_short_hex(value))
                || is_ulid(value)
                || is_wyre_id(value)
                || is_srn(value)
                || is_prefixed_id(value)
                || is_numbered(value)
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
