//! Keyed hashes: fingerprints of credentials and pseudonyms of identifiers.
//!
//! Both are the first 128 bits of HMAC-SHA-256 (RFC 2104) under keys derived from one master key,
//! each with its own label, so that a fingerprint can never be mistaken for a pseudonym. 128 bits
//! make collisions between a fleet's tokens negligible; the key makes guessing low-entropy values
//! (an account number, a short secret) useless without it.

use ring::hmac;

use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::Secret;

/// Length of the master key in bytes.
pub const MASTER_KEY_LEN: usize = 32;

/// Length in bytes of what a key is told from another by: enough that no two ever agree by chance.
pub const MARK_LEN: usize = 8;

/// Makes fingerprints and pseudonyms.
pub struct Keyring {
    fingerprint: hmac::Key,
    pseudonym: hmac::Key,
    redaction: Secret<Vec<u8>>,
    mark: [u8; MARK_LEN],
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring([secret])")
    }
}

impl Keyring {
    /// Derives the keys from the master key.
    pub fn new(master: &[u8; MASTER_KEY_LEN]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derive =
            |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&master, label).as_ref());
        Self {
            fingerprint: derive(b"egret/fingerprint/v1"),
            pseudonym: derive(b"egret/pseudonym/v1"),
            redaction: Secret::new(hmac::sign(&master, b"egret/redaction/v1").as_ref().to_vec()),
            mark: mark_of(&hmac::sign(&master, b"egret/mark/v1")),
        }
    }

    /// What the master key is told from another by, as hexadecimal digits. It says nothing about the
    /// key, and nothing else is made with the key that it is derived by.
    pub fn mark(&self) -> String {
        self.mark.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key of the pseudonyms in redacted texts. They are no pseudonyms of the ledger: whoever
    /// reads a log must not be able to look up a customer there.
    pub fn redaction_key(&self) -> &Secret<Vec<u8>> {
        &self.redaction
    }

    /// Fingerprint of a credential.
    pub fn fingerprint(&self, credential: &[u8]) -> Fingerprint {
        let mut stream = self.fingerprint_stream();
        stream.update(credential);
        stream.finish()
    }

    /// Fingerprint of a credential that passes by in pieces.
    pub fn fingerprint_stream(&self) -> FingerprintStream {
        FingerprintStream(hmac::Context::with_key(&self.fingerprint))
    }

    /// Pseudonym of an identifier. The kind is part of it: customer `7` and account `7` differ.
    pub fn pseudonym(&self, kind: &str, value: &[u8]) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.pseudonym);
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(value);
        Pseudonym::from_bytes(first_half(&context.sign()))
    }
}

/// A fingerprint in the making.
pub struct FingerprintStream(hmac::Context);

impl FingerprintStream {
    /// Takes the next piece of the credential.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The fingerprint of all pieces together.
    pub fn finish(self) -> Fingerprint {
        Fingerprint::from_bytes(first_half(&self.0.sign()))
    }
}

fn first_half(tag: &hmac::Tag) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    half
}

fn mark_of(tag: &hmac::Tag) -> [u8; MARK_LEN] {
    let mut mark = [0; MARK_LEN];
    for (to, from) in mark.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_has_the_same_hash_under_the_same_key_only() {
        let ours = Keyring::new(&[7; 32]);
        let same = Keyring::new(&[7; 32]);
        let other = Keyring::new(&[8; 32]);
        assert_eq!(ours.fingerprint(b"token"), same.fingerprint(b"token"));
        assert_ne!(ours.fingerprint(b"token"), other.fingerprint(b"token"));
        assert_ne!(ours.fingerprint(b"token"), ours.fingerprint(b"tokem"));
        assert_ne!(
            ours.fingerprint(b"x").as_bytes(),
            ours.pseudonym("", b"x").as_bytes()
        );
    }

    #[test]
    fn kinds_do_not_run_into_values() {
        let keyring = Keyring::new(&[7; 32]);
        assert_ne!(keyring.pseudonym("ab", b"c"), keyring.pseudonym("a", b"bc"));
        assert_ne!(
            keyring.pseudonym("customer", b"7"),
            keyring.pseudonym("account", b"7")
        );
    }

    #[test]
    fn a_streamed_fingerprint_equals_the_whole() {
        let keyring = Keyring::new(&[7; 32]);
        let mut stream = keyring.fingerprint_stream();
        stream.update(b"to");
        stream.update(b"ken");
        assert_eq!(stream.finish(), keyring.fingerprint(b"token"));
    }
}
