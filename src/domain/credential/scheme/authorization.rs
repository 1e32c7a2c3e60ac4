//! What the schemes share: reading one header value as a credential of a given kind.

use crate::domain::credential::claims::Dialect;
use crate::domain::credential::jwt::{self, Token};
use crate::domain::credential::request::Values;
use crate::domain::credential::verdict::{Credential, Verdict};
use crate::domain::credential::{MAX_VALUE, Material, MaterialKind, decode};
use crate::types::{CredentialFault, TokenType};

/// The scheme's name and the rest of an `Authorization` value (RFC 9110, section 11.4).
pub(super) fn split(value: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr2(b' ', b'\t', value).unwrap_or(value.len());
    let (name, rest) = value.split_at(end);
    (name, rest.trim_ascii())
}

/// Why a value is not looked into at all: empty or too long.
pub(super) fn refuse(value: &[u8]) -> Option<CredentialFault> {
    if value.is_empty() {
        Some(CredentialFault::Empty)
    } else if value.len() > MAX_VALUE {
        Some(CredentialFault::TooLong)
    } else {
        None
    }
}

/// A token or key of visible ASCII without blanks, taken as it is.
pub(super) fn token(kind: TokenType, material: MaterialKind, value: &[u8]) -> Credential<'_> {
    if let Some(fault) = refuse(value) {
        return Credential::faulty(kind, fault);
    }
    // Looked at to the end, so that it is done many bytes at a time.
    if value
        .iter()
        .fold(false, |odd, byte| odd | !byte.is_ascii_graphic())
    {
        return Credential::faulty(kind, CredentialFault::BadCharacters);
    }
    Credential::new(kind, Material::new(material, value))
}

/// A token that is a JWT or opaque; only what begins as a JWT can be a broken one.
pub(super) fn bearer(kind: TokenType, dialect: Dialect, value: &[u8]) -> Credential<'_> {
    let mut credential = token(kind, MaterialKind::Token, value);
    if credential.fault.is_none() {
        match jwt::read(value, dialect) {
            Token::Opaque | Token::ThreeParts => {}
            token => (credential.claims, credential.fault) = token.into_parts(),
        }
    }
    credential
}

/// A token that has to be a JWT.
pub(super) fn jwt(kind: TokenType, dialect: Dialect, value: &[u8]) -> Credential<'_> {
    let mut credential = token(kind, MaterialKind::Token, value);
    if credential.fault.is_none() {
        (credential.claims, credential.fault) = jwt::read(value, dialect).into_parts();
    }
    credential
}

/// HTTP Basic; the user part stands for it.
pub(super) fn basic(kind: TokenType, credentials: &[u8]) -> Credential<'_> {
    if let Some(fault) = refuse(credentials) {
        return Credential::faulty(kind, fault);
    }
    match decode::basic_user(credentials) {
        Some(user) => Credential::new(kind, Material::new(MaterialKind::ClientId, user)),
        None => Credential::faulty(kind, CredentialFault::BadBasic),
    }
}

/// An `Authorization` value that none of the provider's schemes knows.
pub(super) fn unknown(value: &[u8]) -> Credential<'_> {
    if let Some(fault) = refuse(value) {
        return Credential::faulty(TokenType::Malformed, fault);
    }
    Credential::new(
        TokenType::Unknown,
        Material::new(MaterialKind::Token, split(value).1),
    )
}

/// The token of the only value of `Authorization`, if that is a bearer token of a usual length.
pub(super) fn sole<'a>(values: &Values<'a>) -> Option<&'a [u8]> {
    let value = values.first().filter(|_| !values.is_repeated())?;
    let (scheme, rest) = split(value);
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
    (is_bearer && refuse(value).is_none()).then_some(rest)
}

/// Adds every value of `Authorization`, read by `read`, and notes if there are several.
pub(super) fn add_all<'a>(
    verdict: &mut Verdict<'a>,
    values: &Values<'a>,
    read: impl Fn(&'a [u8]) -> Credential<'a>,
) {
    verdict.fault_if(
        values.is_repeated(),
        CredentialFault::TwoAuthorizationHeaders,
    );
    for value in values.iter() {
        verdict.add(match refuse(value) {
            Some(fault) => Credential::faulty(TokenType::Malformed, fault),
            None => read(value),
        });
    }
}
