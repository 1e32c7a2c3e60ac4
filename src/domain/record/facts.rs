//! What one call leaves behind.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;

use crate::types::{
    CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType, TraceId,
};

/// Sixteen bytes of a keyed hash, printed as 32 hexadecimal digits.
macro_rules! keyed_hash {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From the first 16 bytes of an HMAC-SHA-256.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// From 32 hexadecimal digits.
            pub fn parse_hex(text: &str) -> Option<Self> {
                if text.len() != 32 || !text.is_ascii() {
                    return None;
                }
                let mut bytes = [0; 16];
                for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
                    *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

keyed_hash! {
    /// Identifies a token without being one: a keyed hash of the credential's bytes.
    Fingerprint
}

keyed_hash! {
    /// Stands for an identifier (a customer GUID, an account id): a keyed hash of its kind and
    /// value. Whoever knows the raw value and holds the key can look it up; nobody can go back.
    Pseudonym
}

/// The gateway that made the record; one per process, shared by all records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Name of this node, from the configuration.
    pub node: Box<str>,
    /// Version of the program.
    pub version: Cow<'static, str>,
    /// First 16 hexadecimal digits of the SHA-256 of the effective configuration.
    pub config_hash: Box<str>,
}

/// When things happened, in UTC microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The request's header was complete.
    pub received_at: Micros,
    /// The first byte of the (last) attempt was about to go to the bank.
    pub forwarded_at: Option<Micros>,
    /// The bank's answer header had arrived.
    pub first_byte_at: Option<Micros>,
    /// The exchange was over.
    pub completed_at: Option<Micros>,
}

/// How a caller was identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerVia {
    /// By a client certificate.
    Mtls,
    /// By an Egret key in `Proxy-Authorization`.
    Key,
    /// By its loopback or Unix socket address.
    Address,
    /// By the user of the operating system that ran a command.
    User,
    /// Not at all.
    None,
}

impl CallerVia {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mtls => "mtls",
            Self::Key => "key",
            Self::Address => "address",
            Self::User => "user",
            Self::None => "none",
        }
    }
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name of the caller, from the configuration or its certificate; `None` if unidentified.
    pub name: Option<Arc<str>>,
    /// How it was identified.
    pub via: CallerVia,
    /// Public id of the Egret key that was used.
    pub key_id: Option<Arc<str>>,
    /// Network address of the connection; `None` on a Unix socket.
    pub address: Option<SocketAddr>,
}

/// What was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Provider id; `None` when the request matched no provider.
    pub provider: Option<Arc<str>>,
    /// Service of the provider, such as `bank`.
    pub service: Option<Arc<str>>,
    /// Which installation of the provider.
    pub environment: Option<Environment>,
    /// Operation id; `None` is written as `unknown`.
    pub operation: Option<Arc<str>>,
    /// Effect of the operation.
    pub effect: Option<Effect>,
    /// Method, if it is a standard one; others are written as `other`.
    pub method: &'static str,
    /// Path template of the matched operation, never the path itself.
    pub path_template: Option<Arc<str>>,
    /// Query with only allow-listed values.
    pub query: Option<Box<str>>,
    /// Value of `Accept-Version` if it is a date.
    pub accept_version: Option<Box<str>>,
}

/// Which credential the request carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The one that the provider will use.
    pub token_type: TokenType,
    /// All that were present.
    pub present: SmallVec<[TokenType; 2]>,
    /// Keyed hash of the token.
    pub fingerprint: Option<Fingerprint>,
    /// Scopes as claimed that the provider file lists.
    pub scopes: Vec<Arc<str>>,
    /// How many claimed scopes the provider file does not list.
    pub unlisted_scopes: u32,
    /// Token id as claimed, if it is a UUID.
    pub jti: Option<Box<str>>,
    /// Expiry as claimed.
    pub expires_at: Option<Micros>,
    /// Issuer as claimed, if the provider file lists it.
    pub issuer: Option<Arc<str>>,
    /// Why the credential is malformed: a stable code.
    pub fault: Option<Cow<'static, str>>,
}

impl Default for Credential {
    /// Not looked at: a request can be refused before its credential is.
    fn default() -> Self {
        Self {
            token_type: TokenType::Unknown,
            present: SmallVec::new(),
            fingerprint: None,
            scopes: Vec::new(),
            unlisted_scopes: 0,
            jti: None,
            expires_at: None,
            issuer: None,
            fault: None,
        }
    }
}

/// Where an identifier was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectRole {
    /// A claim of the token.
    Token,
    /// The path, the query or the body of the request.
    Request,
    /// The body of the answer.
    Response,
    /// The account that the caller acts for (`masqueradeAs`).
    OnBehalfOf,
}

impl SubjectRole {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Request => "request",
            Self::Response => "response",
            Self::OnBehalfOf => "on_behalf_of",
        }
    }
}

/// Someone or something that the call concerns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Kind of the identifier, such as `customer` or `account`.
    pub kind: Arc<str>,
    /// Where it was found.
    pub role: SubjectRole,
    /// Stands for the identifier; `None` once it was erased from the record.
    pub pseudonym: Option<Pseudonym>,
}

/// A value that the catalog allows to be recorded; its shape has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Name of the fact, such as `quote_guid`.
    pub name: Arc<str>,
    /// Its value as text.
    pub value: Box<str>,
}

/// A set of PII classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PiiSet(u32);

impl PiiSet {
    /// Adds a class.
    pub fn insert(&mut self, class: PiiClass) {
        self.0 |= 1 << class as u32;
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The classes, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = PiiClass> {
        PiiClass::ALL
            .iter()
            .copied()
            .filter(move |class| self.has(*class))
    }

    /// The classes, in the order of their names: that of their declaration may change.
    pub fn by_name(self) -> impl Iterator<Item = PiiClass> {
        BY_NAME
            .iter()
            .copied()
            .filter(move |class| self.has(*class))
    }

    const fn has(self, class: PiiClass) -> bool {
        self.0 & (1 << class as u32) != 0
    }
}

/// The classes in the order of their names.
static BY_NAME: LazyLock<Vec<PiiClass>> = LazyLock::new(|| {
    let mut classes = PiiClass::ALL.to_vec();
    classes.sort_unstable_by_key(|class| class.as_str());
    classes
});

impl FromIterator<PiiClass> for PiiSet {
    fn from_iter<I: IntoIterator<Item = PiiClass>>(classes: I) -> Self {
        let mut set = Self::default();
        for class in classes {
            set.insert(class);
        }
        set
    }
}

/// A token or secret that the answer handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    /// Kind of the secret, from the catalog, such as `customer_access_token`.
    pub kind: Arc<str>,
    /// Keyed hash of the new token: later calls with it carry the same fingerprint.
    pub fingerprint: Option<Fingerprint>,
    /// When the token ends, as the answer says.
    pub expires_at: Option<Micros>,
}

/// Bytes, attempts and addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Tries to reach the bank.
    pub attempts: u32,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body as sent to the caller.
    pub response_bytes: u64,
    /// Address of the bank's server.
    pub upstream: Option<SocketAddr>,
    /// TLS version to the bank, such as `TLSv1.3`.
    pub tls_version: Option<Cow<'static, str>>,
}

/// The record of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Identity of the call.
    pub call_id: CallId,
    /// The gateway that made it.
    pub gateway: Arc<Gateway>,
    /// When.
    pub times: Times,
    /// Who.
    pub caller: Caller,
    /// What.
    pub target: Target,
    /// With which credential.
    pub credential: Credential,
    /// Whom it concerns.
    pub subjects: SmallVec<[Subject; 3]>,
    /// Values worth keeping.
    pub facts: Vec<Fact>,
    /// Personal data that the request carried or the answer may carry.
    pub pii: PiiSet,
    /// The token that the answer handed out.
    pub mint: Option<Mint>,
    /// What the gateway did.
    pub decision: Decision,
    /// Why, as a stable code; `None` for a plain forward.
    pub reason: Option<Cow<'static, str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Status that the caller got; `None` if it got none.
    pub status: Option<u16>,
    /// The vendor's error code, if the provider file lists it, else `unlisted`.
    pub error_code: Option<Box<str>>,
    /// Bytes, attempts and addresses.
    pub traffic: Traffic,
    /// W3C trace id.
    pub trace_id: Option<TraceId>,
}

impl CallRecord {
    /// A record that knows nothing yet but its identity, its time and who made it: the outcome
    /// is `unknown` until something better is known.
    pub fn new(call_id: CallId, received_at: Micros, gateway: Arc<Gateway>) -> Self {
        Self {
            call_id,
            gateway,
            times: Times {
                received_at,
                ..Times::default()
            },
            caller: Caller {
                name: None,
                via: CallerVia::None,
                key_id: None,
                address: None,
            },
            target: Target {
                provider: None,
                service: None,
                environment: None,
                operation: None,
                effect: None,
                method: "other",
                path_template: None,
                query: None,
                accept_version: None,
            },
            credential: Credential::default(),
            subjects: SmallVec::new(),
            facts: Vec::new(),
            pii: PiiSet::default(),
            mint: None,
            decision: Decision::Refused,
            reason: None,
            outcome: Outcome::Unknown,
            status: None,
            error_code: None,
            traffic: Traffic::default(),
            trace_id: None,
        }
    }

    /// Adds a subject unless it is already there; it keeps the role in which it came first. Whom
    /// the caller acts for is always told, also if the path names the same account.
    pub fn add_subject(&mut self, subject: Subject) {
        let acts_for = |subject: &Subject| subject.role == SubjectRole::OnBehalfOf;
        let is_same = |known: &Subject| {
            known.pseudonym == subject.pseudonym
                && known.kind == subject.kind
                && acts_for(known) == acts_for(&subject)
        };
        if !self.subjects.iter().any(is_same) {
            self.subjects.push(subject);
        }
    }

    /// Adds a fact unless the same one is already there: answers repeat what was asked.
    pub fn add_fact(&mut self, fact: Fact) {
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_hashes_print_and_parse_as_hex() {
        let fingerprint = Fingerprint::from_bytes([0x0f; 16]);
        assert_eq!(fingerprint.to_string(), "0f".repeat(16));
        assert_eq!(Fingerprint::parse_hex(&"0f".repeat(16)), Some(fingerprint));
        assert_eq!(Fingerprint::parse_hex("0f"), None);
        assert_eq!(Fingerprint::parse_hex(&"zz".repeat(16)), None);
    }

    #[test]
    fn an_identifier_counts_once_whatever_its_roles() {
        let gateway = Gateway {
            node: "n".into(),
            version: "0".into(),
            config_hash: "h".into(),
        };
        let mut record = CallRecord::new(CallId::floor(1), Micros(1), Arc::new(gateway));
        let subject = |role| Subject {
            kind: "customer".into(),
            role,
            pseudonym: Some(Pseudonym::from_bytes([1; 16])),
        };
        record.add_subject(subject(SubjectRole::Request));
        record.add_subject(subject(SubjectRole::Response));
        assert_eq!(record.subjects.len(), 1);
        assert_eq!(record.subjects[0].role, SubjectRole::Request);
        record.add_subject(subject(SubjectRole::OnBehalfOf));
        assert_eq!(record.subjects.len(), 2);
    }

    #[test]
    fn a_pii_set_keeps_each_class_once() {
        let set: PiiSet = [PiiClass::Email, PiiClass::PersonName, PiiClass::Email]
            .into_iter()
            .collect();
        assert_eq!(
            set.iter().collect::<Vec<_>>(),
            [PiiClass::PersonName, PiiClass::Email]
        );
    }
}
