//! Counts, amounts, versions, dates of builds, colours.

use super::super::recognise::card;
use super::super::words::{self, KNOWN};
use super::{
    has_letter, is_asset, is_date, is_digits, is_epoch, is_hex, is_recent_date, is_wordy,
    starts_with_date,
};

/// Most digits of a count: a file of ten gigabytes has ten. Account numbers can be that short too,
/// but no bank calls one a count.
const COUNT_DIGITS: usize = 10;

pub(crate) fn is_int(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    is_digits(digits)
        && (digits.len() <= COUNT_DIGITS || is_epoch(digits))
        && (digits.len() < 8 || digits[0] != b'0')
}

/// Sign, digits without a leading zero (alone or in threes), a fraction, an exponent; a currency
/// at either side. What has signs elsewhere is a national number or a phone.
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
    let unsigned = |value: &'_ [u8]| usize::from(matches!(value.first(), Some(b'-' | b'+')));
    let value = &value[unsigned(value)..];
    let value = value
        .strip_prefix(b"$")
        .or_else(|| value.strip_prefix("€".as_bytes()))
        .or_else(|| value.strip_prefix("£".as_bytes()))
        .or_else(|| value.strip_prefix("¥".as_bytes()))
        .unwrap_or(value);
    let value = &value[unsigned(value)..];
    let (mantissa, exponent) = match value.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&value[..at], Some(&value[at + 1..])),
        None => (value, None),
    };
    let (whole, part) = match mantissa.iter().position(|b| *b == b'.') {
        Some(at) => (&mantissa[..at], Some(&mantissa[at + 1..])),
        None => (mantissa, None),
    };
    let mut digits = [0_u8; 40];
    let mut count = 0;
    for b in whole.iter().filter(|b| **b != b',') {
        let Some(slot) = digits.get_mut(count) else {
            return false;
        };
        *slot = *b;
        count += 1;
    }
    let digits = &digits[..count];
    let thousands = !whole.contains(&b',')
        || whole
            .split(|b| *b == b',')
            .enumerate()
            .all(|(at, group)| group.len() == 3 || (at == 0 && (1..=3).contains(&group.len())));
    is_digits(digits)
        && thousands
        && (count == 1 || digits[0] != b'0')
        && part.is_none_or(|part| part.len() <= 20 && part.iter().all(u8::is_ascii_digit))
        && exponent.is_none_or(|e| is_digits(&e[unsigned(e)..]) && e.len() <= 4)
        && !card::is_card(digits)
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
    let short =
        parts.clone().all(|part| part.len() <= 5) && !parts.clone().map(<[u8]>::len).eq([3, 2, 4]);
    // Build metadata (Semantic Versioning, 10) is words and short numbers.
    let tail = &value[end..];
    let tail = match tail.iter().position(|b| *b == b'+') {
        Some(at) if at > 0 && is_wordy(&tail[at + 1..], KNOWN) => &tail[..at],
        _ => tail,
    };
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

/// Three to eight hexadecimal digits behind `#`.
pub(crate) fn is_color(value: &[u8]) -> bool {
    value
        .strip_prefix(b"#")
        .is_some_and(|hex| matches!(hex.len(), 3 | 4 | 6 | 8) && is_hex(hex))
}

/// ISIN (ISO 6166): country, nine characters, Luhn over the digits with letters as 10 to 35.
pub(crate) fn is_isin(value: &[u8]) -> bool {
    if value.len() != 12
        || !value[..2].iter().all(u8::is_ascii_uppercase)
        || !value[2..11]
            .iter()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
    {
        return false;
    }
    let mut digits = [0_u8; 24];
    let mut count = 0;
    for b in value {
        match b {
            b'0'..=b'9' => {
                digits[count] = *b;
                count += 1;
            }
            _ => {
                let number = b.to_ascii_uppercase().wrapping_sub(b'A') + 10;
                digits[count] = b'0' + number / 10;
                digits[count + 1] = b'0' + number % 10;
                count += 2;
            }
        }
    }
    value[11].is_ascii_digit() && card::luhn(&digits[..count])
}
