//! Tokens that may stand: program text, versions, hosts, logins are told apart here.

use super::super::shape;
use super::super::words::{KNOWN, LABEL, NOUN};

/// A path or a list of plain pieces: `src/edge/proxy/mod.rs:142:17`.
pub(super) fn is_joined(token: &[u8], strict: bool) -> bool {
    let sign = |b: &u8| {
        matches!(
            b,
            b'/' | b':' | b'=' | b'&' | b'?' | b'#' | b'+' | b'~' | b'@'
        )
    };
    token.iter().any(sign)
        && token.split(sign).all(|part| {
            part.len() <= 4
                || shape::is_wordy(part, KNOWN | LABEL | NOUN)
                || (!strict
                    && part.len() <= 24
                    && part
                        .iter()
                        .all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b'.')))
        })
}

/// Only the sentence's punctuation.
pub(super) fn trimmed_names(rest: &[u8]) -> bool {
    rest.iter()
        .all(|b| matches!(b, b'.' | b',' | b':' | b'!' | b'?' | b'#'))
}

/// Tokens of program text: host names, versions, paths of modules.
pub(super) fn is_plain(token: &[u8]) -> bool {
    shape::is_version(token)
        || shape::is_decimal(token)
        || shape::is_traceparent(token)
        || shape::is_timestamp(token)
        || shape::is_http_date(token)
        || shape::is_epoch(token)
        || (token.contains(&b'.') && shape::is_host(token))
        || is_ip(token)
        || is_product(token)
        || shape::is_machine(token)
        || shape::is_program_name(token)
        || is_pinned(token)
}

/// An address of either version, with a port or not.
pub(super) fn is_ip(token: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(token) else {
        return false;
    };
    token.len() <= 50
        && (text.parse::<std::net::IpAddr>().is_ok()
            || text.parse::<std::net::SocketAddr>().is_ok()
            || text
                .split_once('/')
                .is_some_and(|(ip, _)| ip.parse::<std::net::IpAddr>().is_ok()))
}

/// `dora.demo`, `jdoe42`: what follows the word `user` and is neither a word nor an id.
pub(super) fn is_login(token: &[u8]) -> bool {
    token.len() <= 32
        && token[0].is_ascii_alphabetic()
        && token
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && token
            .iter()
            .any(|b| b.is_ascii_digit() || matches!(b, b'.' | b'_'))
        && !shape::is_wordy(token, KNOWN | LABEL | NOUN)
        && !shape::is_id(token)
        && !shape::is_hex32(token)
}

/// What may stand in strict text.
pub(super) fn strict_token(token: &[u8], after_noun: bool) -> bool {
    // A date long ago is a date of birth.
    if shape::is_old_written_date(token) {
        return false;
    }
    if shape::starts_with_date(token) {
        return shape::is_recent_date(token) || shape::is_timestamp(token);
    }
    shape::is_harmless(token)
        || is_product(token)
        || shape::is_wordy(token, KNOWN | LABEL | NOUN)
        || shape::is_code(token)
        || shape::is_version(token)
        || (after_noun && shape::is_id(token))
        || (token.contains(&b'.') && shape::is_host(token))
        || (shape::is_amount(token)
            && token.iter().any(|b| matches!(b, b'.' | b','))
            && token.len() <= 16)
        || !token
            .iter()
            .any(|b| b.is_ascii_alphanumeric() || *b >= 0x80)
}

/// `AppleWebKit/537.36`, `okhttp/4.12.0`: a name of letters and a version.
pub(super) fn is_product(token: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'/', token) else {
        return false;
    };
    let (name, version) = (&token[..at], &token[at + 1..]);
    name.len() <= 20
        && name.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-')
        && shape::is_version(version)
}

/// `ledger:1.14.2-alpine@sha256:9f86d0...`: an image and its digest.
fn is_pinned(token: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(token, b"@sha256:") else {
        return false;
    };
    let image = &token[..at];
    image.len() <= 96
        && shape::is_hash(&token[at + 1..])
        && image.iter().filter(|b| b.is_ascii_digit()).count() <= 8
        && image.iter().all(|b| {
            b.is_ascii_lowercase()
                || b.is_ascii_digit()
                || matches!(b, b'.' | b'-' | b'_' | b'/' | b':')
        })
}
