//! One signature line: em dash, space, key name, space, base64 of key id and signature.

use std::fmt;

use super::keys::{KeyId, VerifierKey, is_key_name};
use crate::domain::evidence::text::{parse_base64, to_base64};

/// A signature that was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

impl Signature {
    pub(super) const fn new(name: String, id: KeyId, bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// Reads a line (without its newline).
    pub fn parse_line(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let decoded = parse_base64(encoded)?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        if bytes.is_empty() || !is_key_name(name) {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            id: KeyId(u32::from_be_bytes(*id)),
            bytes: bytes.to_vec(),
        })
    }

    /// Name of the key that is said to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id of that key.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The signature itself, in the form of its type.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it claims to be by this key.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == key.name()
    }

    pub(super) fn is_by_same_key(&self, other: &Self) -> bool {
        self.id == other.id && self.name == other.name
    }
}

impl fmt::Display for Signature {
    /// The line, without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "— {} {}", self.name, to_base64(&bytes))
    }
}
