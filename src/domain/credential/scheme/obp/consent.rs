//! Consents: of OBP (`Consent-JWT`, `Consent-Id`) and of the Berlin Group (`Consent-ID`).

use crate::domain::credential::claims::{Claims, Dialect};
use crate::domain::credential::jwt::looks_like_jwt;
use crate::domain::credential::scheme::authorization::{jwt, token};
use crate::domain::credential::verdict::Credential;
use crate::domain::credential::{MAX_VALUE, MaterialKind};
use crate::types::{CredentialFault, SubjectKind, TokenType};

/// A consent by JWT or by id: OBP tells them apart by content, not by header. `consumer_key` is
/// the second proof that some servers ask for; it names the consumer.
pub(super) fn obp<'a>(value: &'a [u8], consumer_key: Option<&'a [u8]>) -> Credential<'a> {
    let mut credential = if looks_like_jwt(value) {
        jwt(TokenType::ConsentJwt, Dialect::Consent, value)
    } else {
        let credential = token(TokenType::ConsentId, MaterialKind::ConsentId, value);
        match uuid::Uuid::try_parse_ascii(value) {
            Ok(_) => credential,
            Err(_) => credential.with_fault(CredentialFault::NotAConsentId),
        }
    };
    let consumer_key = consumer_key.filter(|key| key.len() <= MAX_VALUE);
    if let Some(key) = consumer_key.and_then(|key| std::str::from_utf8(key).ok()) {
        credential
            .claims
            .get_or_insert_with(Claims::default)
            .name(SubjectKind::Consumer, key);
    }
    credential
}

/// A Berlin Group consent: its id has no set form.
pub(super) fn berlin_group(value: &[u8]) -> Credential<'_> {
    token(
        TokenType::BerlinGroupConsent,
        MaterialKind::ConsentId,
        value,
    )
}
