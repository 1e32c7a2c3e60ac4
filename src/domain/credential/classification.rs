//! The answer.

use smallvec::SmallVec;

use super::{Claims, Material};
use crate::types::{CredentialFault, TokenType};

/// What a request carries. Its `Debug` shows kinds, faults and times, and no value.
#[derive(Debug)]
pub struct Classification<'a> {
    /// The kind the provider will use: the first by the provider's own order; `malformed` if that
    /// one is faulty or if headers are repeated so that nobody can tell which one counts.
    pub token_type: TokenType,
    /// Every kind that is present, in the provider's order, each once. A faulty credential is
    /// listed by the kind it was meant as, or as `malformed` if that cannot be told.
    pub present: SmallVec<[TokenType; 2]>,
    /// What to fingerprint of the credential that the provider will use.
    pub material: Option<Material<'a>>,
    /// What the credential that the provider will use says about itself, unverified.
    pub claims: Option<Claims>,
    /// The first fault in the provider's order. It can belong to a credential that the provider
    /// will not reach, or be one that does not make a credential malformed.
    pub fault: Option<CredentialFault>,
}
