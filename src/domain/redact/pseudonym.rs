//! Keyed pseudonyms: two lines about the same person carry the same short tag, and nobody
//! without the key can tell whose it is. Never a bare hash: an SSN has only thirty bits.

use std::fmt;

use ring::hmac;

use crate::types::Secret;

/// Characters of the value's own tag: 16 of five bits, so 80 bits.
const TAG: usize = 16;
/// Characters of the keyed check, so that a pseudonym in the input can be told from a value that
/// only looks like one.
const CHECK: usize = 4;
/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The key of the pseudonyms. One per tenant, rotated by building a new redactor.
#[derive(Clone)]
pub struct PseudonymKey(hmac::Key);

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[pseudonym key]")
    }
}

impl PseudonymKey {
    /// Shortest key that is accepted, in bytes: 128 bits.
    pub const MIN_BYTES: usize = 16;

    /// `None` if the key is shorter than [`Self::MIN_BYTES`].
    pub fn new(key: &Secret<Vec<u8>>) -> Option<Self> {
        (key.expose().len() >= Self::MIN_BYTES)
            .then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose())))
    }

    /// The tag of a value: `h`, 16 characters of the value, 4 of the check.
    pub(crate) fn tag(&self, kind: &str, value: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"value\0");
        context.update(kind.as_bytes());
        context.update(b"\0");
        context.update(&canonical(value));
        let mut tag = String::with_capacity(1 + TAG + CHECK);
        tag.push('h');
        base32(context.sign().as_ref(), TAG, &mut tag);
        let check = self.check(kind, tag.as_bytes());
        tag.push_str(&check);
        tag
    }

    fn check(&self, kind: &str, tag: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"check\0");
        context.update(kind.as_bytes());
        context.update(b"\0");
        context.update(tag);
        let mut check = String::with_capacity(CHECK);
        base32(context.sign().as_ref(), CHECK, &mut check);
        check
    }

    pub(crate) fn verify(&self, kind: &str, text: &str) -> bool {
        let bytes = text.as_bytes();
        if bytes.len() != 1 + TAG + CHECK || bytes.first() != Some(&b'h') || !text.is_ascii() {
            return false;
        }
        let (tag, check) = text.split_at(1 + TAG);
        self.check(kind, tag.as_bytes()) == check
    }
}

/// Case and separators do not change who is meant: `4111 1111` and `41111111` get one tag.
fn canonical(value: &[u8]) -> Vec<u8> {
    value
        .iter()
        .filter(|b| !matches!(b, b' ' | b'-' | b'(' | b')' | b'"' | b'\t'))
        .map(u8::to_ascii_lowercase)
        .collect()
}

fn base32(bytes: &[u8], chars: usize, out: &mut String) {
    for at in 0..chars {
        let bit = at * 5;
        let pair = u16::from(bytes.get(bit / 8).copied().unwrap_or(0)) << 8
            | u16::from(bytes.get(bit / 8 + 1).copied().unwrap_or(0));
        let index = usize::from(pair >> (11 - bit % 8) & 31);
        out.push(char::from(ALPHABET[index]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> PseudonymKey {
        PseudonymKey::new(&Secret::new(vec![byte; 32])).unwrap()
    }

    #[test]
    fn a_tag_is_stable_under_separators_and_differs_by_key_and_kind() {
        let tag = key(1).tag("card", b"4111 1111 1111 1111");
        assert_eq!(tag, key(1).tag("card", b"4111111111111111"));
        assert_ne!(tag, key(2).tag("card", b"4111111111111111"));
        assert_ne!(tag, key(1).tag("account", b"4111111111111111"));
        assert_eq!(tag.len(), 21);
    }

    #[test]
    fn only_its_own_tags_verify() {
        let tag = key(1).tag("card", b"4111111111111111");
        assert!(key(1).verify("card", &tag));
        assert!(!key(2).verify("card", &tag));
        assert!(!key(1).verify("email", &tag));
        assert!(!key(1).verify("card", "h41111111111111110000"));
    }

    #[test]
    fn short_keys_are_refused() {
        assert!(PseudonymKey::new(&Secret::new(vec![0; 15])).is_none());
    }
}
