//! Takes a JWT apart (RFC 7519 in the compact forms of RFC 7515 and RFC 7516).
//!
//! Only the claims are decoded. The header is not: `alg` and `kid` decide nothing here.

use super::claims::{Claims, Dialect};
use super::{MAX_CLAIMS, decode};
use crate::types::CredentialFault;

/// The base64url of [`MAX_CLAIMS`] bytes, padding included.
const MAX_PAYLOAD: usize = MAX_CLAIMS.div_ceil(3) * 4;

/// What a token turned out to be.
pub(super) enum Token {
    /// Nothing like a JWT.
    Opaque,
    /// Three parts, of which the first is no JSON object.
    ThreeParts,
    /// Begins as a JWT and is none: cut off, or with unreadable claims.
    Broken,
    /// An encrypted JWT (five parts): the claims are not for us.
    Encrypted,
    /// A JWT whose claims are longer than [`MAX_CLAIMS`].
    Long,
    /// A JWT with its claims.
    Signed(Claims),
    /// A JWT with claims and an empty signature.
    Unsigned(Claims),
}

impl Token {
    /// The claims, and the fault of a token that has to be a JWT.
    pub(super) fn into_parts(self) -> (Option<Claims>, Option<CredentialFault>) {
        match self {
            Self::Opaque | Self::ThreeParts | Self::Broken => {
                (None, Some(CredentialFault::NotAJwt))
            }
            Self::Encrypted => (None, None),
            Self::Long => (None, Some(CredentialFault::ClaimsTooLong)),
            Self::Signed(claims) => (Some(claims), None),
            Self::Unsigned(claims) => (Some(claims), Some(CredentialFault::UnsignedJwt)),
        }
    }
}

/// Reads a token; `dialect` says which claims are worth keeping.
pub(super) fn read(token: &[u8], dialect: Dialect) -> Token {
    // `{` and the next byte are `ey` (quote or blank) or `ew` (line break) in base64url.
    let begins_as_object = token.starts_with(b"ey") || token.starts_with(b"ew");
    let mut dots = memchr::memchr_iter(b'.', token);
    let parts = match (
        dots.next(),
        dots.next(),
        dots.next(),
        dots.next(),
        dots.next(),
    ) {
        (Some(first), Some(second), None, ..) => Some((first, second)),
        (Some(_), Some(_), Some(_), Some(_), None) if begins_as_object => return Token::Encrypted,
        _ => None,
    };
    let Some((first, second)) = parts else {
        // A quote as the first byte of the object is near certain: `eyJ`. An opaque token begins
        // so once in 262,144 times, a truncated JWT always.
        return if token.starts_with(b"eyJ") {
            Token::Broken
        } else {
            Token::Opaque
        };
    };
    if !begins_as_object {
        return Token::ThreeParts;
    }
    let payload = token.get(first + 1..second).unwrap_or_default();
    if payload.len() > MAX_PAYLOAD {
        return Token::Long;
    }
    let claims = decode::base64url(payload)
        .and_then(|json| Claims::read(std::str::from_utf8(&json).ok()?, dialect));
    match claims {
        Some(claims) if second + 1 == token.len() => Token::Unsigned(claims),
        Some(claims) => Token::Signed(claims),
        None => Token::Broken,
    }
}

/// Whether the token has the form of a JWT; its claims may still be unreadable.
pub(super) fn looks_like_jwt(token: &[u8]) -> bool {
    token.starts_with(b"ey") && memchr::memchr(b'.', token).is_some()
}
