//! Builds a [`Classification`] from credentials told in the provider's order.

use smallvec::SmallVec;

use super::{Claims, Classification, Material};
use crate::types::{CredentialFault, TokenType};

/// One credential of a request.
pub(super) struct Credential<'a> {
    pub(super) kind: TokenType,
    pub(super) material: Option<Material<'a>>,
    pub(super) claims: Option<Claims>,
    pub(super) fault: Option<CredentialFault>,
}

impl<'a> Credential<'a> {
    pub(super) fn new(kind: TokenType, material: Option<Material<'a>>) -> Self {
        Self {
            kind,
            material,
            claims: None,
            fault: None,
        }
    }

    pub(super) fn faulty(kind: TokenType, fault: CredentialFault) -> Self {
        Self {
            kind,
            material: None,
            claims: None,
            fault: Some(fault),
        }
    }

    /// Adds a fault unless there is one already.
    pub(super) fn with_fault(mut self, fault: CredentialFault) -> Self {
        self.fault.get_or_insert(fault);
        self
    }
}

/// Whether a provider would take a credential with this fault for what it is meant as.
fn is_tolerated(fault: CredentialFault) -> bool {
    matches!(
        fault,
        CredentialFault::ClaimsTooLong
            | CredentialFault::SchemeCase
            | CredentialFault::TwoConsentHeaders
    )
}

/// The answer in the making.
#[derive(Default)]
pub(super) struct Verdict<'a> {
    first: Option<Credential<'a>>,
    present: SmallVec<[TokenType; 2]>,
    later_fault: Option<CredentialFault>,
    request_fault: Option<CredentialFault>,
}

impl<'a> Verdict<'a> {
    /// Adds the next credential in the provider's order.
    pub(super) fn add(&mut self, credential: Credential<'a>) {
        if !self.present.contains(&credential.kind) {
            self.present.push(credential.kind);
        }
        if self.first.is_none() {
            self.first = Some(credential);
        } else if self.later_fault.is_none() {
            self.later_fault = credential.fault;
        }
    }

    /// Notes a fault of the request as a whole, which outranks those of its parts.
    pub(super) fn fault(&mut self, fault: CredentialFault) {
        self.request_fault.get_or_insert(fault);
    }

    /// Notes `fault` if `condition` holds.
    pub(super) fn fault_if(&mut self, condition: bool, fault: CredentialFault) {
        if condition {
            self.fault(fault);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn finish(self) -> Classification<'a> {
        let Some(first) = self.first else {
            return Classification {
                token_type: TokenType::Anonymous,
                present: self.present,
                material: None,
                claims: None,
                fault: self.request_fault,
            };
        };
        let deciding = [self.request_fault, first.fault];
        let malformed = deciding
            .into_iter()
            .flatten()
            .any(|fault| !is_tolerated(fault));
        Classification {
            token_type: if malformed {
                TokenType::Malformed
            } else {
                first.kind
            },
            present: self.present,
            material: first.material,
            claims: first.claims,
            fault: self.request_fault.or(first.fault).or(self.later_fault),
        }
    }
}
