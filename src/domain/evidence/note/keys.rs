//! Keys that sign notes and keys that verify them, in the text forms that C2SP and Go share:
//! `name+id+base64` and `PRIVATE+KEY+name+id+base64`.

use std::fmt;

use ring::digest;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::Signature;
use crate::domain::evidence::text::{parse_base64, to_base64};
use crate::types::Micros;

/// Longest key name that is read; real ones are host names with a path.
const MAX_NAME_BYTES: usize = 255;

/// How a key signs. The byte is part of the key id, so that one key pair under one name has
/// different ids for different uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureType {
    /// Ed25519 (RFC 8032) over the text: how a log signs (0x01).
    Ed25519,
    /// Ed25519 over a time and a checkpoint: how a witness cosigns (0x04,
    /// <https://c2sp.org/tlog-cosignature>).
    CosignatureV1,
}

impl SignatureType {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::CosignatureV1),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "signature",
            Self::CosignatureV1 => "cosignature",
        }
    }
}

/// The first four bytes of SHA-256(name || newline || type || public key). It finds a key among
/// the trusted ones; it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why text is not a key. No variant holds a part of the text, which may be a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with spaces or a plus sign.
    #[error("a key name has 1 to {MAX_NAME_BYTES} bytes, without spaces and plus signs")]
    Name,
    /// Not three parts of the right form.
    #[error("a verifier key has the form `name+id+base64`, with 8 hexadecimal digits as id")]
    VerifierForm,
    /// Not the five parts of the right form.
    #[error("a signer key has the form `PRIVATE+KEY+name+id+base64`")]
    SignerForm,
    /// The id is that of another key or name.
    #[error("the id in the key does not belong to its name and bytes: the key was cut or changed")]
    Id,
    /// An algorithm that Egret does not have.
    #[error("the key is of another type than Ed25519 (01) and Ed25519 cosignature (04)")]
    UnknownType,
    /// A key that signs notes was asked for a cosignature, or the reverse.
    #[error("the key makes {has}s, not {wanted}s")]
    WrongUse {
        /// What it makes.
        has: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A cosignature cannot state a time before 1970.
    #[error("a cosignature cannot be made before 1970: set the clock")]
    Time,
}

/// A public key with its name: what an auditor has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    kind: SignatureType,
    public: [u8; 32],
}

impl VerifierKey {
    /// A key from its parts.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn new(
        name: impl Into<String>,
        kind: SignatureType,
        public: [u8; 32],
    ) -> Result<Self, KeyError> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(KeyError::Name);
        }
        let id = key_id(&name, kind, &public);
        Ok(Self {
            name,
            id,
            kind,
            public,
        })
    }

    /// Reads `name+id+base64`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, id, material) = key_parts(text).ok_or(KeyError::VerifierForm)?;
        let (kind, public) = typed_key(&material, KeyError::VerifierForm)?;
        let key = Self::new(name, kind, public)?;
        if key.id == id {
            Ok(key)
        } else {
            Err(KeyError::Id)
        }
    }

    /// Name of the key: the log's origin, or the witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// How it signs.
    pub const fn kind(&self) -> SignatureType {
        self.kind
    }

    /// The Ed25519 public key (RFC 8032, 32 bytes).
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Checks that the key signs in this way.
    ///
    /// # Errors
    /// [`KeyError::WrongUse`].
    pub fn check_use(&self, wanted: SignatureType) -> Result<(), KeyError> {
        if self.kind == wanted {
            return Ok(());
        }
        Err(KeyError::WrongUse {
            has: self.kind.as_str(),
            wanted: wanted.as_str(),
        })
    }

    /// Whether the bytes of a signature are this key's on the text.
    pub fn verify(&self, text: &str, signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&ED25519, &self.public);
        match self.kind {
            SignatureType::Ed25519 => public.verify(text.as_bytes(), signature).is_ok(),
            SignatureType::CosignatureV1 => {
                let Some((seconds, signature)) = split_cosignature(signature) else {
                    return false;
                };
                public
                    .verify(cosigned_message(seconds, text).as_bytes(), signature)
                    .is_ok()
            }
        }
    }

    /// The time that a signature of this key states; none for a type that states none.
    pub(in crate::domain::evidence) fn time_of(&self, signature: &[u8]) -> Option<Micros> {
        match self.kind {
            SignatureType::Ed25519 => None,
            SignatureType::CosignatureV1 => cosignature_time(signature),
        }
    }
}

impl fmt::Display for VerifierKey {
    /// `name+id+base64`, to be given to verifiers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.byte()];
        material.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, self.id, to_base64(&material))
    }
}

/// A private key with its name.
pub struct SignerKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl SignerKey {
    /// A key from a pair that was read elsewhere (PKCS#8).
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_pair(
        name: impl Into<String>,
        kind: SignatureType,
        pair: Ed25519KeyPair,
    ) -> Result<Self, KeyError> {
        let public = pair.public_key().as_ref();
        // An Ed25519 public key has 32 bytes; the other case cannot happen.
        let public = public.try_into().map_err(|_| KeyError::SignerForm)?;
        Ok(Self {
            verifier: VerifierKey::new(name, kind, public)?,
            pair,
        })
    }

    /// A key from the 32 bytes of an Ed25519 private key (the seed of RFC 8032).
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(
        name: impl Into<String>,
        kind: SignatureType,
        seed: &[u8; 32],
    ) -> Result<Self, KeyError> {
        // Fails only for a wrong length, which the type excludes.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::SignerForm)?;
        Self::from_pair(name, kind, pair)
    }

    /// Reads `PRIVATE+KEY+name+id+base64`, as Go's `note.GenerateKey` writes it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let rest = text
            .strip_prefix("PRIVATE+KEY+")
            .ok_or(KeyError::SignerForm)?;
        let (name, id, material) = key_parts(rest).ok_or(KeyError::SignerForm)?;
        let (kind, seed) = typed_key(&material, KeyError::SignerForm)?;
        let key = Self::from_seed(name, kind, &seed)?;
        if key.verifier.id == id {
            Ok(key)
        } else {
            Err(KeyError::Id)
        }
    }

    /// The same pair under another name: another key to whoever verifies.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn renamed(self, name: impl Into<String>) -> Result<Self, KeyError> {
        let Self { verifier, pair } = self;
        let verifier = VerifierKey::new(name, verifier.kind, verifier.public)?;
        Ok(Self { verifier, pair })
    }

    /// The public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs the text of a note.
    ///
    /// # Errors
    /// [`KeyError::WrongUse`] for a witness's key.
    pub fn sign(&self, text: &str) -> Result<Signature, KeyError> {
        self.verifier.check_use(SignatureType::Ed25519)?;
        Ok(self.signature(self.pair.sign(text.as_bytes()).as_ref().to_vec()))
    }

    /// Cosigns the text of a checkpoint, stating `now` in whole seconds.
    ///
    /// # Errors
    /// [`KeyError::WrongUse`] for a log's key; [`KeyError::Time`] before 1970.
    pub fn cosign(&self, checkpoint: &str, now: Micros) -> Result<Signature, KeyError> {
        self.verifier.check_use(SignatureType::CosignatureV1)?;
        let seconds = u64::try_from(now.as_secs()).map_err(|_| KeyError::Time)?;
        let message = cosigned_message(seconds, checkpoint);
        let mut bytes = seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.pair.sign(message.as_bytes()).as_ref());
        Ok(self.signature(bytes))
    }

    fn signature(&self, bytes: Vec<u8>) -> Signature {
        Signature::new(self.verifier.name.clone(), self.verifier.id, bytes)
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SignerKey({}+{} [secret])",
            self.verifier.name, self.verifier.id
        )
    }
}

/// The time in the bytes of a cosignature, before or after it was checked.
pub fn cosignature_time(signature: &[u8]) -> Option<Micros> {
    let (seconds, _) = split_cosignature(signature)?;
    Some(Micros::from_secs(i64::try_from(seconds).ok()?))
}

/// A key name is non-empty and has no Unicode spaces and no plus sign.
pub(super) fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c == '+' || c < ' ')
}

/// Eight bytes of time, big-endian and at most 2^63 - 1, then the Ed25519 signature.
fn split_cosignature(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (seconds, signature) = bytes.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*seconds);
    let valid = i64::try_from(seconds).is_ok() && signature.len() == 64;
    valid.then_some((seconds, signature))
}

fn cosigned_message(seconds: u64, checkpoint: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{checkpoint}")
}

fn key_id(name: &str, kind: SignatureType, public: &[u8; 32]) -> KeyId {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(name.as_bytes());
    context.update(&[b'\n', kind.byte()]);
    context.update(public);
    let hash = context.finish();
    let id = hash
        .as_ref()
        .first_chunk::<4>()
        .copied()
        .unwrap_or_default();
    KeyId(u32::from_be_bytes(id))
}

/// Name, id and key material of `name+id+base64`.
fn key_parts(text: &str) -> Option<(&str, KeyId, Vec<u8>)> {
    let (name, rest) = text.split_once('+')?;
    let (id, material) = rest.split_once('+')?;
    if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    // 33 bytes are 44 characters; a key of an unknown type may be longer (ML-DSA-44: 1,752).
    if material.len() > 4096 {
        return None;
    }
    let id = KeyId(u32::from_str_radix(id, 16).ok()?);
    Some((name, id, parse_base64(material)?))
}

fn typed_key(material: &[u8], form: KeyError) -> Result<(SignatureType, [u8; 32]), KeyError> {
    let (byte, key) = material.split_first().ok_or(form)?;
    let kind = SignatureType::from_byte(*byte).ok_or(KeyError::UnknownType)?;
    Ok((kind, key.try_into().map_err(|_| form)?))
}
