//! The bytes that stand for a credential in a keyed fingerprint.

use std::borrow::Cow;

use crate::types::Secret;

/// What the bytes of a [`Material`] are. It separates fingerprints of different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaterialKind {
    /// A token, as a mint answered it: without scheme, quotes or blanks.
    Token,
    /// An API key or consumer key: an identifier that goes with a secret.
    ApiKey,
    /// A client id or user name of HTTP Basic.
    ClientId,
    /// The id of a consent, which alone acts as a credential.
    ConsentId,
    /// A certificate as sent.
    Certificate,
    /// A long-lived shared secret.
    SharedSecret,
    /// A session cookie's value.
    Session,
}

/// Bytes for the caller to fingerprint with a key (HMAC). They cannot be printed, and they never
/// are a password or an OAuth client secret: where those are sent, the identifier next to them
/// stands for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material<'a> {
    kind: MaterialKind,
    bytes: Secret<Cow<'a, [u8]>>,
}

impl<'a> Material<'a> {
    /// `None` for no bytes: an empty value identifies nothing.
    pub(super) fn new(kind: MaterialKind, bytes: impl Into<Cow<'a, [u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty()).then(|| Self {
            kind,
            bytes: Secret::new(bytes),
        })
    }

    /// What the bytes are.
    pub fn kind(&self) -> MaterialKind {
        self.kind
    }

    /// The bytes. Callers hash them with a key and do nothing else.
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }
}
