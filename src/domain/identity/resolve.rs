//! The decision who calls.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::book::{CallerBook, KeyState};
use super::certificate::CertifiedCaller;
use super::key::{KEY_LENGTH, KeyHash, id_of};
use crate::domain::record::CallerVia;
use crate::types::Micros;

/// Value of `Proxy-Authenticate` in a 407 answer (RFC 9110, section 11.7.1). Basic comes first:
/// it is what HTTP clients with a proxy setting can do.
pub const CHALLENGE: &str = "Basic realm=\"egret\", Bearer realm=\"egret\"";

/// Longest `Proxy-Authorization` that is looked at, in bytes: a key with the longest name in
/// base64 takes about 180.
const MAX_AUTHORIZATION: usize = 512;

/// Padding may be left out, as some clients do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A caller that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// Its name.
    pub name: Arc<str>,
    /// How it was identified.
    pub via: CallerVia,
    /// Public id of the key that it used.
    pub key_id: Option<Arc<str>>,
}

/// Why nobody was identified. The codes are for the record; the caller learns only the status,
/// so that it cannot tell a wrong key from an expired one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Neither key nor certificate, and not a local caller.
    Missing,
    /// More than one `Proxy-Authorization` field.
    SeveralKeys,
    /// A scheme other than Bearer, Basic and Egret.
    UnknownScheme,
    /// Not a key, or not base64.
    KeyMalformed,
    /// No key has this id.
    KeyUnknown,
    /// The id exists, the secret is another.
    KeyWrong,
    /// The key's time is over.
    KeyExpired,
    /// The key was taken back.
    KeyRevoked,
    /// The user of Basic is not the caller that the key belongs to.
    UserMismatch,
    /// Key and certificate name different callers.
    CallerMismatch,
    /// The certificate cannot be read.
    CertificateMalformed,
    /// The certificate names nobody.
    CertificateNameless,
}

impl Denial {
    /// Stable code for the record.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "caller_missing",
            Self::SeveralKeys => "caller_key_repeated",
            Self::UnknownScheme => "caller_scheme_unknown",
            Self::KeyMalformed => "caller_key_malformed",
            Self::KeyUnknown => "caller_key_unknown",
            Self::KeyWrong => "caller_key_wrong",
            Self::KeyExpired => "caller_key_expired",
            Self::KeyRevoked => "caller_key_revoked",
            Self::UserMismatch => "caller_user_mismatch",
            Self::CallerMismatch => "caller_mismatch",
            Self::CertificateMalformed => "caller_certificate_malformed",
            Self::CertificateNameless => "caller_certificate_nameless",
        }
    }

    /// 407 where a key was not given and would help, else 403.
    pub const fn status(self) -> u16 {
        match self {
            Self::Missing | Self::CertificateNameless => 407,
            _ => 403,
        }
    }
}

/// What the connection says about its other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// What its verified certificate stands for; `None` without a certificate.
    pub certificate: Option<&'a CertifiedCaller>,
    /// Whether it is on this machine: a loopback address or a Unix socket.
    pub is_local: bool,
}

/// Decides who calls: by key, else by certificate, else by address.
///
/// `fields` are the values of every `Proxy-Authorization` field of the request; `local` is the
/// caller that processes of this machine are taken to be. A key or certificate that is not good
/// denies: nothing weaker makes up for it.
///
/// # Errors
/// Why nobody was identified.
pub fn resolve_caller<'f>(
    fields: impl IntoIterator<Item = &'f [u8]>,
    peer: Peer<'_>,
    book: &CallerBook,
    local: Option<&Arc<str>>,
    now: Micros,
) -> Result<Identified, Denial> {
    let mut fields = fields.into_iter();
    if let Some(field) = fields.next() {
        if fields.next().is_some() {
            return Err(Denial::SeveralKeys);
        }
        let by_key = authenticate(book, field, now)?;
        return match peer.certificate {
            Some(Ok(name)) if *name != by_key.name => Err(Denial::CallerMismatch),
            Some(Err(Denial::CertificateNameless) | Ok(_)) | None => Ok(by_key),
            Some(Err(denial)) => Err(*denial),
        };
    }
    let (name, via) = match (peer.certificate, local) {
        (Some(Ok(name)), _) => (name, CallerVia::Mtls),
        (Some(Err(denial)), _) => return Err(*denial),
        (None, Some(local)) if peer.is_local => (local, CallerVia::Address),
        (None, _) => return Err(Denial::Missing),
    };
    Ok(Identified {
        name: name.clone(),
        via,
        key_id: None,
    })
}

/// Finds the caller that a `Proxy-Authorization` value belongs to: `Bearer <key>`,
/// `Egret <key>`, or `Basic` with the caller's name or nothing as user and the key as password.
///
/// # Errors
/// Why the value is not good for anybody.
pub fn authenticate(
    book: &CallerBook,
    proxy_authorization: &[u8],
    now: Micros,
) -> Result<Identified, Denial> {
    let value = proxy_authorization.trim_ascii();
    if value.len() > MAX_AUTHORIZATION {
        return Err(Denial::KeyMalformed);
    }
    let end = memchr::memchr(b' ', value).unwrap_or(value.len());
    let (scheme, credentials) = value.split_at_checked(end).unwrap_or((value, b""));
    let credentials = credentials.trim_ascii_start();
    if scheme.eq_ignore_ascii_case(b"Bearer") || scheme.eq_ignore_ascii_case(b"Egret") {
        check_key(book, credentials, None, now)
    } else if scheme.eq_ignore_ascii_case(b"Basic") {
        let mut buffer = [0; MAX_AUTHORIZATION];
        let length = BASE64
            .decode_slice(credentials, &mut buffer)
            .map_err(|_| Denial::KeyMalformed)?;
        let decoded = buffer.get(..length).unwrap_or_default();
        let colon = memchr::memchr(b':', decoded).ok_or(Denial::KeyMalformed)?;
        let (user, key) = decoded.split_at_checked(colon).unwrap_or((decoded, b""));
        check_key(book, key.get(1..).unwrap_or_default(), Some(user), now)
    } else {
        Err(Denial::UnknownScheme)
    }
}

fn check_key(
    book: &CallerBook,
    key: &[u8],
    user: Option<&[u8]>,
    now: Micros,
) -> Result<Identified, Denial> {
    if key.len() != KEY_LENGTH {
        return Err(Denial::KeyMalformed);
    }
    let id = id_of(key).ok_or(Denial::KeyMalformed)?;
    let (name, entry) = book.key(id).ok_or(Denial::KeyUnknown)?;
    // First the secret, then the state: only the owner of a key may learn about it, even by time.
    if !entry.hash.matches(&KeyHash::of(key)) {
        return Err(Denial::KeyWrong);
    }
    match entry.state(now) {
        KeyState::Usable => {}
        KeyState::Expired => return Err(Denial::KeyExpired),
        KeyState::Revoked => return Err(Denial::KeyRevoked),
    }
    if user.is_some_and(|user| !user.is_empty() && user != name.as_bytes()) {
        return Err(Denial::UserMismatch);
    }
    Ok(Identified {
        name: name.clone(),
        via: CallerVia::Key,
        key_id: Some(entry.id.clone()),
    })
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
