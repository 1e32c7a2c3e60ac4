//! Signed notes: text with signatures (<https://c2sp.org/signed-note>; Go's
//! `golang.org/x/mod/sumdb/note` is the reference).

mod keys;
mod signature;

#[cfg(test)]
pub(super) mod tests;

use std::fmt;

pub use keys::{KeyError, KeyId, SignatureType, SignerKey, VerifierKey, cosignature_time};
pub use signature::Signature;

use super::text::take_line;
use crate::types::Micros;

/// Longest note that is read. A checkpoint is below 300 bytes and a post-quantum signature 5 kB;
/// this leaves room for more than the 16 signatures that every verifier must accept.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;

/// Most signatures that are read, as in Go: a note must not buy unbounded work.
pub const MAX_SIGNATURES: usize = 100;

/// Text and the signatures on it, none of them checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// Why bytes are not a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("the note is longer than {MAX_NOTE_BYTES} bytes")]
    TooLong,
    /// Not UTF-8, or with control characters.
    #[error("the note is not UTF-8 text without control characters")]
    NotText,
    /// The text does not end in a newline.
    #[error("the text of the note does not end in a newline")]
    NoFinalNewline,
    /// Text and signatures are not parted by an empty line, or there are no signatures.
    #[error("the note has no signatures after an empty line")]
    NoSignatures,
    /// A line among the signatures is something else.
    #[error("line {0} after the text is not a signature (`— name base64`)")]
    BadSignatureLine(usize),
    /// More than [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
}

/// Why no trusted key stands behind a note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// None of the keys has signed.
    #[error("none of the trusted keys has signed the note")]
    NoTrustedSignature,
    /// A signature in the name of a trusted key is wrong.
    #[error("the signature of the trusted key {name}+{id} is wrong: the text was changed")]
    WrongSignature {
        /// Name of the key.
        name: String,
        /// Its id.
        id: KeyId,
    },
    /// Two different trusted keys have the same name and id.
    #[error("two trusted keys are called {name}+{id}: remove one")]
    AmbiguousKey {
        /// Name of the keys.
        name: String,
        /// Their id.
        id: KeyId,
    },
}

/// A signature that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'k> {
    /// The trusted key that made it.
    pub key: &'k VerifierKey,
    /// When it was made, if its type states that.
    pub at: Option<Micros>,
}

impl Note {
    /// A note without signatures yet.
    ///
    /// # Errors
    /// [`NoteError`] if the text cannot be the text of a note.
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_text(text.as_bytes())?;
        if !text.ends_with('\n') {
            return Err(NoteError::NoFinalNewline);
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Reads a signed note. Nothing is trusted by that: see [`Note::verify`].
    ///
    /// # Errors
    /// [`NoteError`] says what is wrong with the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let whole = check_text(bytes)?;
        let (before, mut lines) = whole.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        if lines.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let mut signatures = Vec::new();
        while !lines.is_empty() {
            let number = signatures.len() + 1;
            if number > MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            let signature = take_line(&mut lines)
                .and_then(Signature::parse_line)
                .ok_or(NoteError::BadSignatureLine(number))?;
            signatures.push(signature);
        }
        Ok(Self {
            text: format!("{before}\n"),
            signatures,
        })
    }

    /// The text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures as they stand in the note.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature at the end; one of the same key is replaced by it.
    pub fn add(&mut self, signature: Signature) {
        self.signatures
            .retain(|old| !old.is_by_same_key(&signature));
        self.signatures.push(signature);
    }

    /// Checks the signatures of the trusted keys; unknown signatures are ignored, as the
    /// specification demands. Gives at least one checked signature, in the note's order.
    ///
    /// # Errors
    /// [`VerifyError`]: also when only one of several trusted signatures is wrong.
    pub fn verify<'k>(&self, trusted: &'k [VerifierKey]) -> Result<Vec<Signed<'k>>, VerifyError> {
        let mut checked: Vec<Signed<'k>> = Vec::new();
        for signature in &self.signatures {
            let mut known = trusted.iter().filter(|key| signature.is_by(key));
            let Some(key) = known.next() else { continue };
            // The same key in the list twice is harmless; two keys behind one id are not.
            if known.any(|other| other != key) {
                return Err(VerifyError::AmbiguousKey {
                    name: key.name().to_owned(),
                    id: key.id(),
                });
            }
            if checked.iter().any(|done| done.key == key) {
                continue;
            }
            if !key.verify(&self.text, signature.bytes()) {
                return Err(VerifyError::WrongSignature {
                    name: key.name().to_owned(),
                    id: key.id(),
                });
            }
            checked.push(Signed {
                key,
                at: key.time_of(signature.bytes()),
            });
        }
        if checked.is_empty() {
            Err(VerifyError::NoTrustedSignature)
        } else {
            Ok(checked)
        }
    }
}

impl fmt::Display for Note {
    /// The note as it is stored and sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

fn check_text(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
    if bytes.iter().any(|byte| *byte < 0x20 && *byte != b'\n') {
        return Err(NoteError::NotText);
    }
    Ok(text)
}
