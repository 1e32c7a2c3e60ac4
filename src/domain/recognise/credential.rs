//! Which credential a request carries, and what may be kept of it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::domain::catalog::Provider;
use crate::domain::credential::{self, Claims, RequestView, TokenId};
use crate::domain::keyring::Keyring;
use crate::domain::record::{CallRecord, Credential, Subject, SubjectRole};
use crate::types::TokenType;

/// What may be kept of a credential: all of it is in the ledger, too.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) credential: Credential,
    /// Whom it names.
    pub(super) subjects: SmallVec<[Subject; 2]>,
}

impl Kept {
    /// Classifies the credential of a request.
    pub(super) fn of(provider: &Provider, request: &RequestView<'_>, keyring: &Keyring) -> Self {
        let found = credential::classify(provider.scheme, request);
        let mut kept = Self {
            credential: Credential {
                token_type: found.token_type,
                present: found.present,
                fingerprint: found
                    .material
                    .as_ref()
                    .map(|material| keyring.fingerprint(material.expose())),
                fault: found.fault.map(|fault| fault.as_str().into()),
                ..Credential::default()
            },
            subjects: SmallVec::new(),
        };
        if let Some(claims) = &found.claims {
            kept.note_claims(keyring, provider, claims);
        }
        kept
    }

    /// Notes what a token claims: known words as they are, everything that names somebody as a
    /// pseudonym, the rest not at all.
    fn note_claims(&mut self, keyring: &Keyring, provider: &Provider, claims: &Claims) {
        let credential = &mut self.credential;
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
            let pseudonym = keyring.pseudonym(&kind, named.id.expose().as_bytes());
            self.subjects.push(Subject {
                kind,
                role: SubjectRole::Token,
                pseudonym: Some(pseudonym),
            });
        }
    }

    /// Puts it into a record; gives every kind of credential that is present.
    pub(super) fn note(self, record: &mut CallRecord) -> SmallVec<[TokenType; 2]> {
        let present = self.credential.present.clone();
        record.credential = self.credential;
        for subject in self.subjects {
            record.add_subject(subject);
        }
        present
    }
}

/// Classifies the credential and notes it in the record; gives every kind that is present.
pub fn credential(
    provider: &Provider,
    request: &RequestView<'_>,
    keyring: &Keyring,
    record: &mut CallRecord,
) -> SmallVec<[TokenType; 2]> {
    Kept::of(provider, request, keyring).note(record)
}
