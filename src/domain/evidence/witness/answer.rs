//! What a log does with the answer of a witness.

use crate::domain::evidence::note::{Note, Signature, VerifierKey};
use crate::domain::evidence::text::{parse_decimal, take_line};
use crate::types::Micros;

/// Longest answer that is read: a few signatures, also post-quantum ones of 5 kB.
pub const MAX_ANSWER_BYTES: usize = 32 * 1024;

/// Why an answer holds no cosignature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not lines of signatures.
    #[error("the answer of the witness is not a list of signature lines")]
    Malformed,
    /// None of this witness's configured key.
    #[error("the answer of the witness has no cosignature of its configured key")]
    OtherKey,
    /// By that key, but not on this checkpoint.
    #[error("the witness's cosignature is not on this checkpoint")]
    Wrong,
}

/// Takes the witness's cosignature from the body of a 200 answer into the checkpoint; signatures
/// of unknown keys are ignored. Gives the witness's time.
///
/// # Errors
/// [`AnswerError`]; the note is then as before.
pub fn add_cosignature(
    note: &mut Note,
    body: &[u8],
    witness: &VerifierKey,
) -> Result<Option<Micros>, AnswerError> {
    if body.len() > MAX_ANSWER_BYTES {
        return Err(AnswerError::Malformed);
    }
    let mut rest = std::str::from_utf8(body).map_err(|_| AnswerError::Malformed)?;
    let mut found = None;
    while !rest.is_empty() {
        let signature = take_line(&mut rest).and_then(Signature::parse_line);
        let signature = signature.ok_or(AnswerError::Malformed)?;
        if signature.is_by(witness) {
            found.get_or_insert(signature);
        }
    }
    let cosignature = found.ok_or(AnswerError::OtherKey)?;
    if !witness.verify(note.text(), cosignature.bytes()) {
        return Err(AnswerError::Wrong);
    }
    let at = witness.time_of(cosignature.bytes());
    note.add(cosignature);
    Ok(at)
}

/// The size in the body of a 409 answer: from where the witness wants the consistency proof.
pub fn conflict_size(body: &[u8]) -> Option<u64> {
    // 20 digits and a newline.
    if body.len() > 21 {
        return None;
    }
    parse_decimal(std::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence::note::{SignatureType, SignerKey};

    #[test]
    fn only_the_configured_witness_on_this_checkpoint_counts() {
        let key = |name, seed| {
            SignerKey::from_seed(name, SignatureType::CosignatureV1, &[seed; 32]).unwrap()
        };
        let (witness, other) = (key("w1", 1), key("w2", 2));
        let text = "log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
        let mut note = Note::new(text.to_owned()).unwrap();
        let at = Micros::from_secs(77);
        let ours = witness.cosign(text, at).unwrap();
        let theirs = other.cosign(text, at).unwrap();
        let elsewhere = witness.cosign("log\n1\n", at).unwrap();
        let add = |note: &mut Note, body: &str| {
            add_cosignature(note, body.as_bytes(), witness.verifier())
        };

        assert_eq!(add(&mut note, ""), Err(AnswerError::OtherKey));
        assert_eq!(
            add(&mut note, &format!("{theirs}\n")),
            Err(AnswerError::OtherKey)
        );
        assert_eq!(
            add(&mut note, &format!("{elsewhere}\n")),
            Err(AnswerError::Wrong)
        );
        assert_eq!(add(&mut note, "<html>\n"), Err(AnswerError::Malformed));
        assert_eq!(
            add(&mut note, &ours.to_string()),
            Err(AnswerError::Malformed)
        );
        assert_eq!(
            add(&mut note, &"x".repeat(40_000)),
            Err(AnswerError::Malformed)
        );
        assert!(note.signatures().is_empty());
        assert_eq!(add(&mut note, &format!("{theirs}\n{ours}\n")), Ok(Some(at)));
        assert_eq!(note.signatures(), [ours]);
    }

    #[test]
    fn a_conflict_names_a_size() {
        assert_eq!(conflict_size(b"20852014\n"), Some(20_852_014));
        for wrong in [
            "",
            "7",
            "7\n\n",
            "07\n",
            "conflict\n",
            "99999999999999999999999\n",
        ] {
            assert_eq!(conflict_size(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
