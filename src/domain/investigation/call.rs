//! What an investigation looks at.

use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::{Micros, Outcome};

/// About whom or what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A token, and what was made of it.
    Token(Fingerprint),
    /// A caller.
    Caller(String),
    /// Somebody or something that calls concern, such as a customer.
    Subject(Pseudonym),
}

impl Whom {
    /// The word of the command.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Caller(_) => "caller",
            Self::Subject(_) => "customer",
        }
    }

    /// Which one, as the records have it.
    pub fn name(&self) -> String {
        match self {
            Self::Token(fingerprint) => fingerprint.to_string(),
            Self::Caller(name) => name.clone(),
            Self::Subject(pseudonym) => pseudonym.to_string(),
        }
    }
}

/// Somebody or something that a call concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its kind, such as `customer`.
    pub kind: String,
    /// Its pseudonym as hexadecimal digits; `None` once erased.
    pub pseudonym: Option<String>,
}

/// One call as the ledger has it. Texts are empty where nothing applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub call_id: String,
    /// When it was received.
    pub received: Micros,
    /// Name of the caller.
    pub caller: String,
    /// Network address of the caller, without the port.
    pub address: String,
    /// Provider and operation.
    pub operation: String,
    /// What the operation can do.
    pub effect: String,
    /// Kind of the credential.
    pub token_type: String,
    /// Fingerprint of the token that it carried.
    pub token: String,
    /// Fingerprint of the token that it obtained.
    pub minted: String,
    /// Kind of the token that it obtained.
    pub minted_kind: String,
    /// When that token ends, as the bank says.
    pub minted_until: Option<Micros>,
    /// How it ended.
    pub outcome: Outcome,
    /// What the gateway did.
    pub decision: String,
    /// The gateway's reason, or the bank's error code.
    pub why: String,
    /// Status that the caller got.
    pub status: Option<u16>,
    /// Classes of personal data that may have come back.
    pub pii: Vec<String>,
    /// Whom it concerns.
    pub subjects: Vec<Subject>,
    /// Recordable values, as text.
    pub facts: String,
}
