//! Hosts, zones, media types, digests: what is written around a message.

use super::super::words::{self, KNOWN};
use super::{has_letter, is_digits, is_hex, is_wordy};

/// Digests: hexadecimal of 7 to 12, 32, 40, 56, 64, 96 or 128 digits with a letter, quoted or not.
pub(crate) fn is_hash(value: &[u8]) -> bool {
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
    if is_machine(name) {
        return true;
    }
    let mut labels = 0;
    name.split(|b| *b == b'.').all(|label| {
        labels += 1;
        labels <= 10 && is_host_label(label)
    }) && (labels > 1 || is_wordy(name, KNOWN))
}

/// The name of a machine: `ip-10-0-3-17`, or a word and the suffixes that Kubernetes gives
/// (`payments-7d9f8b6c5-x2x4z`, `ledger-0`).
pub(crate) fn is_machine(name: &[u8]) -> bool {
    let mut parts = name.split(|b| *b == b'-').rev();
    if let Some(numbers) = name.strip_prefix(b"ip-") {
        return numbers
            .split(|b| *b == b'-')
            .all(|part| is_digits(part) && part.len() <= 3);
    }
    let random = |part: &[u8]| {
        part.iter()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
    };
    let (Some(last), Some(before)) = (parts.next(), parts.next()) else {
        return false;
    };
    let pod = last.len() == 5 && random(last);
    let set = matches!(before.len(), 8..=10) && random(before);
    let head = match (pod, set) {
        (true, true) => name.len().checked_sub(before.len() + 7),
        (true, false) => name.len().checked_sub(6),
        _ if is_digits(last) && last.len() <= 4 => name.len().checked_sub(last.len() + 1),
        _ => None,
    };
    head.and_then(|end| name.get(..end)).is_some_and(|head| {
        head.first().is_some_and(u8::is_ascii_lowercase)
            && head
                .split(|b| *b == b'-')
                .all(|part| part.len() <= 12 && part.iter().all(u8::is_ascii_lowercase))
    })
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

pub(crate) fn is_mime(value: &[u8]) -> bool {
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
pub(crate) fn is_range(value: &[u8]) -> bool {
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

/// Six pairs of hexadecimal digits.
pub(crate) fn is_mac(value: &[u8]) -> bool {
    value.len() == 17
        && value.iter().enumerate().all(|(at, b)| {
            if at % 3 == 2 {
                matches!(b, b':' | b'-') && *b == value[2]
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

/// A zone of the IANA database, by its area, or UTC with an offset.
pub(crate) fn is_zone(value: &[u8]) -> bool {
    const AREAS: [&[u8]; 10] = [
        b"Africa",
        b"America",
        b"Antarctica",
        b"Asia",
        b"Atlantic",
        b"Australia",
        b"Europe",
        b"Indian",
        b"Pacific",
        b"Etc",
    ];
    let mut parts = value.split(|b| *b == b'/');
    let area = parts.next().unwrap_or(b"");
    if AREAS.contains(&area) {
        return value.len() <= 40
            && value.iter().all(|b| {
                b.is_ascii_alphabetic() || matches!(b, b'/' | b'_' | b'-' | b'+' | b'0'..=b'9')
            })
            && value.iter().filter(|b| b.is_ascii_digit()).count() <= 2;
    }
    matches!(area, b"UTC" | b"GMT" | b"Z")
        || (value.len() <= 9
            && (value.starts_with(b"UTC") || value.starts_with(b"GMT"))
            && value[3..]
                .iter()
                .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b':')))
}

/// The name of a class or function with its package: `java.util.concurrent.locks.ReentrantLock@4f2c8a1b`,
/// `com.acme.TransferImpl$$Lambda$17.execute`. Parts of letters in words of three letters and more on average,
/// two points at least, and digits only in short parts or behind the last sign.
pub(crate) fn is_program_name(token: &[u8]) -> bool {
    let (name, suffix) = match memchr::memrchr(b'@', token) {
        Some(at) => (&token[..at], &token[at + 1..]),
        None => (token, &b""[..]),
    };
    if token.len() > 160
        || suffix.len() > 8
        || !suffix.iter().all(u8::is_ascii_hexdigit)
        || name.iter().filter(|b| **b == b'.').count() < 2
        || !name[0].is_ascii_lowercase()
    {
        return false;
    }
    let (mut letters, mut humps) = (0, 0);
    let good = name.split(|b| matches!(b, b'.' | b'$' | b'_')).all(|part| {
        let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            return part.len() <= 8 && (digits == part.len() || digits <= 4);
        }
        part.iter().all(u8::is_ascii_alphabetic) && {
            words::split_words(part, |hump| {
                humps += 1;
                letters += hump.len();
                hump.len() <= 16
            })
        }
    });
    good && letters >= humps * 4
}
