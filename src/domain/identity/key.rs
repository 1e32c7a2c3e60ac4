//! Egret keys: `egk_<id>_<secret>`.
//!
//! The id is public: it finds the key in the book and stands in records. The secret is 32 random
//! bytes, so a plain SHA-256 of the key is enough to store: there is nothing to guess that a slow
//! hash would protect, and it runs on every request.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::types::Secret;

/// What keys of callers begin with.
pub const KEY_PREFIX: &str = "egk_";
/// What keys of the admin API begin with.
pub const ADMIN_KEY_PREFIX: &str = "ega_";
/// Characters of the id: 60 bits, so that two of 10,000 callers' keys practically never meet.
pub(super) const ID_LENGTH: usize = 12;
/// Characters of 32 bytes in base64url without padding.
const SECRET_LENGTH: usize = 43;
/// Bytes of a whole key.
pub const KEY_LENGTH: usize = KEY_PREFIX.len() + ID_LENGTH + 1 + SECRET_LENGTH;
/// Random bytes that a key is made of: 8 for the id, 32 for the secret.
pub const RANDOM_BYTES: usize = 40;

/// RFC 4648 base32 in small letters.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A new key, in clear.
#[derive(Debug)]
pub struct KeyMaterial {
    /// Public id.
    pub id: Arc<str>,
    /// The whole key, to be shown once.
    pub key: Secret<String>,
}

impl KeyMaterial {
    /// Makes a key of random bytes, which must come from a cryptographic source.
    pub fn generate(random: &[u8; RANDOM_BYTES]) -> Self {
        Self::generate_with(KEY_PREFIX, random)
    }

    /// As [`KeyMaterial::generate`], for keys that begin otherwise.
    pub fn generate_with(prefix: &str, random: &[u8; RANDOM_BYTES]) -> Self {
        let (for_id, for_secret) = random.split_at(RANDOM_BYTES - 32);
        let bits = for_id
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let id: String = (0..ID_LENGTH)
            .map(|at| ALPHABET[(bits >> (5 * at) & 31) as usize] as char)
            .collect();
        let secret = URL_SAFE_NO_PAD.encode(for_secret);
        Self {
            key: Secret::new(format!("{prefix}{id}_{secret}")),
            id: id.into(),
        }
    }

    /// What is stored of the key.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.key.expose().as_bytes())
    }
}

/// SHA-256 of a whole key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes a key.
    pub fn of(key: &[u8]) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, key).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Compares in constant time. The comparison looks at every byte whatever it finds.
    pub fn matches(&self, other: &Self) -> bool {
        let differences = self
            .0
            .iter()
            .zip(&other.0)
            .fold(0, |seen, (left, right)| seen | (left ^ right));
        std::hint::black_box(differences) == 0
    }

    /// 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        use std::fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// From 64 hexadecimal digits.
    pub fn parse_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Whether a text is the id of a key.
pub(super) fn is_key_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// The id inside a key of a caller; `None` if it is not a key at all.
pub(super) fn id_of(key: &[u8]) -> Option<&str> {
    key_id_of(KEY_PREFIX, key)
}

/// The id inside a key that begins so; `None` if it is not a key at all.
pub fn key_id_of<'k>(prefix: &str, key: &'k [u8]) -> Option<&'k str> {
    let rest = key.strip_prefix(prefix.as_bytes())?;
    let (id, secret) = rest.split_at_checked(ID_LENGTH)?;
    let secret = secret.strip_prefix(b"_")?;
    let base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let id = std::str::from_utf8(id).ok().filter(|id| is_key_id(id))?;
    (secret.len() == SECRET_LENGTH && secret.iter().all(base64url)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_has_the_documented_form() {
        let made = KeyMaterial::generate(&[7; RANDOM_BYTES]);
        let key = made.key.expose();
        assert_eq!(key.len(), KEY_LENGTH);
        assert!(key.starts_with(&format!("egk_{}_", made.id)));
        assert!(!format!("{made:?}").contains(key.as_str()));
    }

    proptest! {
        #[test]
        fn made_keys_are_read_back(random in prop::array::uniform32(any::<u8>()), id: [u8; 8]) {
            let mut bytes = [0; RANDOM_BYTES];
            bytes[..8].copy_from_slice(&id);
            bytes[8..].copy_from_slice(&random);
            let made = KeyMaterial::generate(&bytes);
            prop_assert_eq!(id_of(made.key.expose().as_bytes()), Some(&*made.id));
            let hash = made.hash();
            prop_assert_eq!(KeyHash::parse_hex(&hash.to_hex()), Some(hash));
        }

        #[test]
        fn another_hash_does_not_match(at in 0..32_usize, bit in 0..8) {
            let hash = KeyHash::of(b"a");
            let mut other = hash;
            other.0[at] ^= 1_u8 << bit;
            prop_assert!(hash.matches(&hash) && !hash.matches(&other));
        }

        #[test]
        fn anything_else_is_not_a_key(bytes: Vec<u8>, text in "egk_[a-z1-9é]{0,13}_[\\PC]{0,44}") {
            prop_assert_eq!(id_of(&bytes), None);
            prop_assert!(id_of(text.as_bytes()).is_none_or(|_| text.len() == KEY_LENGTH));
            let _ = KeyHash::parse_hex(&text);
        }
    }
}
