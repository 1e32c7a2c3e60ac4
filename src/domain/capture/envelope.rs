//! The file that a capture is kept in: a small readable header and an encrypted document.
//!
//! ```text
//! "EGRETCAP"  8 bytes
//! version     1 byte: 1
//! key id      8 bytes: which key it was made with
//! expires     8 bytes: microseconds since 1970, big endian
//! nonce      12 bytes: random
//! document   AES-256-GCM with its tag of 16 bytes
//! ```
//!
//! Everything before the document and the call id are authenticated with it, so that a capture
//! cannot be given another expiry or another name. Nonces are random: NIST SP 800-38D allows 2^32
//! of them for one key, which at a thousand captures a second is 49 days of nothing else.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

use crate::types::{CallId, Micros};

/// Length of the key in bytes.
pub const KEY_LEN: usize = 32;

/// Length of a nonce in bytes; it must be random.
pub const NONCE: usize = NONCE_LEN;

const MAGIC: &[u8; 8] = b"EGRETCAP";
const VERSION: u8 = 1;
const KEY_ID_AT: usize = MAGIC.len() + 1;
const EXPIRES_AT: usize = KEY_ID_AT + KeyId::LEN;
const NONCE_AT: usize = EXPIRES_AT + 8;

/// Length of the header: so much of a file is needed to tell what it is.
pub const HEADER: usize = NONCE_AT + NONCE_LEN;

/// Names a key without being it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; Self::LEN]);

impl KeyId {
    const LEN: usize = 8;
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What the header says; believed only after the document has been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key that it was made with.
    pub key_id: KeyId,
    /// When it must be gone.
    pub expires_at: Micros,
}

/// Why a capture cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It does not begin as one.
    #[error("this is not a capture, or its beginning is damaged")]
    NotACapture,
    /// It was made by a later version.
    #[error("this capture has format {0}, which this version of egret does not read")]
    Newer(u8),
    /// It was made with another key.
    #[error(
        "this capture was made with the key {made_with}, and the key at hand is {at_hand}; name the \
         key's file with keys.capture_file, or set EGRET_CAPTURE_KEY"
    )]
    OtherKey {
        /// The key that it was made with.
        made_with: KeyId,
        /// The key that was tried.
        at_hand: KeyId,
    },
    /// Its bytes are not those that were written.
    #[error("this capture is truncated or damaged, or belongs to another call; it cannot be read")]
    Damaged,
    /// The nonce was used up or the document is too large; does not happen.
    #[error("this capture cannot be encrypted")]
    Seal,
}

/// Seals and opens captures.
pub struct CaptureKey {
    key: LessSafeKey,
    id: KeyId,
}

impl std::fmt::Debug for CaptureKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CaptureKey({})", self.id)
    }
}

impl CaptureKey {
    /// From the key's bytes.
    pub fn new(bytes: &[u8; KEY_LEN]) -> Option<Self> {
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, bytes),
            b"egret/capture/key-id/v1",
        );
        let mut id = [0; KeyId::LEN];
        for (to, from) in id.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        // The length is that of the algorithm, so there is always a key.
        let key = UnboundKey::new(&AES_256_GCM, bytes).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            id: KeyId(id),
        })
    }

    /// Names the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Encrypts a document. The nonce must be fresh random bytes.
    ///
    /// # Errors
    /// [`OpenError::Seal`].
    pub fn seal(
        &self,
        call_id: CallId,
        expires_at: Micros,
        nonce: [u8; NONCE],
        document: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let mut file = Vec::with_capacity(HEADER + document.len() + AES_256_GCM.tag_len());
        file.extend_from_slice(MAGIC);
        file.push(VERSION);
        file.extend_from_slice(&self.id.0);
        file.extend_from_slice(&expires_at.0.to_be_bytes());
        file.extend_from_slice(&nonce);
        let aad = Aad::from(bound(&file, call_id));
        let mut body = document.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| OpenError::Seal)?;
        file.extend_from_slice(&body);
        Ok(file)
    }

    /// Decrypts the capture of a call.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, call_id: CallId, file: &[u8]) -> Result<(Header, Vec<u8>), OpenError> {
        let header = read_header(file)?;
        if header.key_id != self.id {
            return Err(OpenError::OtherKey {
                made_with: header.key_id,
                at_hand: self.id,
            });
        }
        let (head, body) = file.split_at_checked(HEADER).ok_or(OpenError::Damaged)?;
        let nonce = head
            .get(NONCE_AT..)
            .and_then(|nonce| Nonce::try_assume_unique_for_key(nonce).ok())
            .ok_or(OpenError::Damaged)?;
        let mut body = body.to_vec();
        let aad = Aad::from(bound(head, call_id));
        let plain = self
            .key
            .open_in_place(nonce, aad, &mut body)
            .map_err(|_| OpenError::Damaged)?;
        let plain = plain.to_vec();
        Ok((header, plain))
    }
}

/// Reads the header of a file, of which [`HEADER`] bytes are enough.
///
/// # Errors
/// [`OpenError::NotACapture`] and [`OpenError::Newer`].
pub fn read_header(file: &[u8]) -> Result<Header, OpenError> {
    if !file.starts_with(MAGIC) {
        return Err(OpenError::NotACapture);
    }
    match file.get(MAGIC.len()) {
        Some(&VERSION) => {}
        Some(other) => return Err(OpenError::Newer(*other)),
        None => return Err(OpenError::NotACapture),
    }
    let key_id = file
        .get(KEY_ID_AT..EXPIRES_AT)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(OpenError::Damaged)?;
    let expires_at = file
        .get(EXPIRES_AT..NONCE_AT)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(OpenError::Damaged)?;
    Ok(Header {
        key_id: KeyId(key_id),
        expires_at: Micros(i64::from_be_bytes(expires_at)),
    })
}

/// What is authenticated besides the document.
fn bound(header: &[u8], call_id: CallId) -> Vec<u8> {
    let mut aad = header.to_vec();
    aad.extend_from_slice(call_id.as_bytes());
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> CaptureKey {
        CaptureKey::new(&[byte; KEY_LEN]).unwrap()
    }

    fn sealed() -> Vec<u8> {
        key(7)
            .seal(CallId::floor(5), Micros(9), [3; NONCE], b"a document")
            .unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_again_and_does_not_show() {
        let file = sealed();
        assert!(memchr::memmem::find(&file, b"document").is_none());
        let (header, document) = key(7).open(CallId::floor(5), &file).unwrap();
        assert_eq!(document, b"a document");
        assert_eq!(header.expires_at, Micros(9));
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let error = key(8).open(CallId::floor(5), &sealed()).unwrap_err();
        assert!(matches!(error, OpenError::OtherKey { .. }), "{error}");
        assert!(error.to_string().contains(&key(7).id().to_string()));
        let other_call = key(7).open(CallId::floor(6), &sealed()).unwrap_err();
        assert_eq!(other_call, OpenError::Damaged);
    }

    #[test]
    fn a_file_that_ends_anywhere_is_refused() {
        let file = sealed();
        for end in 0..file.len() {
            assert!(
                key(7).open(CallId::floor(5), &file[..end]).is_err(),
                "{end}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_file_that_was_changed_anywhere_is_refused(at in 0_usize..65, bit in 0_u8..8) {
            let mut file = sealed();
            let at = at % file.len();
            file[at] ^= 1 << bit;
            prop_assert!(key(7).open(CallId::floor(5), &file).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = key(7).open(CallId::floor(5), &bytes);
            let mut file = MAGIC.to_vec();
            file.extend(bytes);
            let _ = read_header(&file);
        }
    }
}
