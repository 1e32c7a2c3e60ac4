//! Dates and times as APIs and people write them.

use super::super::words::{self, API};
use super::is_digits;

fn two(value: &[u8], at: usize) -> u32 {
    match value.get(at..at + 2) {
        Some([a @ b'0'..=b'9', b @ b'0'..=b'9']) => u32::from(a - b'0') * 10 + u32::from(b - b'0'),
        _ => u32::MAX,
    }
}

/// `YYYY-MM-DD` or `YYYY/MM/DD` at the start.
pub(crate) fn starts_with_date(value: &[u8]) -> bool {
    value.len() >= 10
        && matches!(two(value, 0), 18..=22)
        && two(value, 2) <= 99
        && matches!(value[4], b'-' | b'/' | b'.')
        && (1..=12).contains(&two(value, 5))
        && value[7] == value[4]
        && (1..=31).contains(&two(value, 8))
}

pub(crate) fn is_date(value: &[u8]) -> bool {
    value.len() == 10 && starts_with_date(value)
}

/// A date of the time in which this is used, so not the date of birth of somebody with an
/// account.
pub(crate) fn is_recent_date(value: &[u8]) -> bool {
    is_date(value) && two(value, 0) == 20 && two(value, 2) >= 16
}

/// `03/14/1995`, `14.3.95`: a date as people write it, not of recent years.
pub(crate) fn is_old_written_date(value: &[u8]) -> bool {
    let mut parts = value.split(|b| matches!(b, b'/' | b'.' | b'-'));
    let (Some(a), Some(b), Some(year), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let small = |part: &[u8]| is_digits(part) && part.len() <= 2;
    small(a)
        && small(b)
        && is_digits(year)
        && (year.len() == 4 && !(two(year, 0) == 20 && two(year, 2) >= 16)
            || (year.len() == 2 && value.contains(&b'/')))
}

/// RFC 3339 with its variants: `T` or blank, comma or point, offset or none.
pub(crate) fn is_timestamp(value: &[u8]) -> bool {
    timestamp_len(value) == Some(value.len())
}

/// Length of the timestamp at the start of `value`; a date alone is none.
pub(crate) fn timestamp_len(value: &[u8]) -> Option<usize> {
    if value.len() >= 15
        && value[8] == b'T'
        && is_digits(&value[..8])
        && is_digits(&value[9..15])
        && matches!(two(value, 0), 19 | 20)
        && two(value, 4) <= 12
    {
        // ISO 8601 without signs, as in `X-Amz-Date`.
        return Some(15 + usize::from(value.get(15) == Some(&b'Z')));
    }
    if value.len() < 16
        || !starts_with_date(value)
        || !matches!(value[10], b'T' | b't' | b' ' | b'_')
    {
        return None;
    }
    if two(value, 11) > 24 || value[13] != b':' || two(value, 14) > 59 {
        return None;
    }
    let mut at = 16;
    if value.get(at) == Some(&b':') && two(value, at + 1) <= 60 {
        at += 3;
        if matches!(value.get(at), Some(b'.' | b',')) {
            let end = words::run(value, at + 1, |b| b.is_ascii_digit());
            if end > at + 1 && end <= at + 10 {
                at = end;
            }
        }
    }
    match value.get(at) {
        Some(b'Z' | b'z') => at += 1,
        Some(b'+' | b'-') if two(value, at + 1) <= 15 => {
            at += 3;
            if value.get(at) == Some(&b':') {
                at += 1;
            }
            if two(value, at) <= 59 {
                at += 2;
            }
        }
        _ => {}
    }
    Some(at)
}

/// Seconds, milliseconds, microseconds or nanoseconds between 2001 and 2038.
pub(crate) fn is_epoch(value: &[u8]) -> bool {
    let whole = value.split(|b| *b == b'.').next().unwrap_or(value);
    let part = value.get(whole.len() + 1..).unwrap_or(b"");
    is_digits(whole)
        && matches!(whole.len(), 10 | 13 | 16 | 19)
        && matches!(whole[0], b'1' | b'2')
        && (part.is_empty() || is_digits(part))
        && part.len() <= 9
}

/// `Sun, 22 Nov 2026 02:18:58 GMT`.
pub(crate) fn is_http_date(value: &[u8]) -> bool {
    value.len() == 29
        && value.ends_with(b" GMT")
        && value[3] == b','
        && two(value, 5) <= 31
        && value[19] == b':'
        && value[22] == b':'
        && words::word(&value[..3]).is(API)
        && words::word(&value[8..11]).is(API)
        && two(value, 12) <= 99
        && two(value, 14) <= 99
        && two(value, 17) <= 24
        && two(value, 20) <= 59
        && two(value, 23) <= 60
}
