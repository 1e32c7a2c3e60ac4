//! Which credential a request carries, and what may be kept of it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::domain::catalog::Provider;
use crate::domain::credential::{self, Claims, RequestView, TokenId};
use crate::domain::keyring::Keyring;
use crate::domain::record::{CallRecord, Credential, Subject, SubjectRole};
use crate::types::TokenType;

/// Classifies the credential and notes it in the record; gives every kind that is present.
pub fn credential(
    provider: &Provider,
    request: &RequestView<'_>,
    keyring: &Keyring,
    record: &mut CallRecord,
) -> SmallVec<[TokenType; 2]> {
    let found = credential::classify(provider.scheme, request);
    record.credential = Credential {
        token_type: found.token_type,
        present: found.present.clone(),
        fingerprint: found
            .material
            .as_ref()
            .map(|material| keyring.fingerprint(material.expose())),
        fault: found.fault.map(|fault| fault.as_str().into()),
        ..Credential::default()
    };
    if let Some(claims) = &found.claims {
        note_claims(keyring, provider, claims, record);
    }
    found.present
}

/// Notes what a token claims: known words as they are, everything that names somebody as a
/// pseudonym, the rest not at all.
fn note_claims(keyring: &Keyring, provider: &Provider, claims: &Claims, record: &mut CallRecord) {
    let credential = &mut record.credential;
    for scope in claims.scopes.iter() {
        if provider.scopes.contains(scope) {
            credential.scopes.push(scope.into());
        } else {
            credential.unlisted_scopes += 1;
        }
    }
    credential.issuer = claims
        .issuer
        .as_deref()
        .filter(|issuer| provider.issuers.contains(issuer))
        .map(Into::into);
    credential.expires_at = claims.expires_at;
    if let Some(TokenId::Uuid(id)) = &claims.token_id {
        credential.jti = Some(id.to_string().into());
    }
    for named in &claims.subjects {
        let kind: Arc<str> = named.kind.as_str().into();
        let pseudonym = Some(keyring.pseudonym(&kind, named.id.expose().as_bytes()));
        record.add_subject(Subject {
            kind,
            role: SubjectRole::Token,
            pseudonym,
        });
    }
}
