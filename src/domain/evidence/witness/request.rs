//! The body of `POST add-checkpoint`: old size, consistency proof, empty line, checkpoint.

use std::fmt;

use crate::domain::evidence::merkle::NodeHash;
use crate::domain::evidence::note::{MAX_NOTE_BYTES, Note, NoteError};
use crate::domain::evidence::text::{parse_decimal, parse_hash, take_line};

/// Most hashes in a request, from the specification.
const MAX_PROOF_LINES: usize = 63;

/// Longest body that is read: the note, the proof (45 bytes a line) and the first line.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + MAX_PROOF_LINES * 45 + 64;

/// A request to cosign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the last checkpoint that the witness cosigned, as the log knows it.
    pub old_size: u64,
    /// Proof that the new tree begins with the old one.
    pub proof: Vec<NodeHash>,
    /// The new checkpoint with at least the log's signature.
    pub checkpoint: Note,
}

/// Why bytes are not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST_BYTES`].
    #[error("the request is longer than {MAX_REQUEST_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the request is not UTF-8 text")]
    NotText,
    /// The first line.
    #[error("the first line of the request is not `old` and a size")]
    OldSize,
    /// A line of the proof.
    #[error("line {0} of the proof is not a hash of 32 bytes in base64")]
    ProofLine(usize),
    /// Too many lines.
    #[error("the proof has more than {MAX_PROOF_LINES} hashes")]
    TooManyHashes,
    /// The checkpoint is not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl AddCheckpoint {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`]: answer 400.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLong);
        }
        let mut rest = std::str::from_utf8(body).map_err(|_| RequestError::NotText)?;
        let old_size = take_line(&mut rest)
            .and_then(|line| line.strip_prefix("old "))
            .and_then(parse_decimal)
            .ok_or(RequestError::OldSize)?;
        let mut proof = Vec::new();
        loop {
            let number = proof.len() + 1;
            let line = take_line(&mut rest).ok_or(RequestError::ProofLine(number))?;
            if line.is_empty() {
                break;
            }
            if number > MAX_PROOF_LINES {
                return Err(RequestError::TooManyHashes);
            }
            proof.push(parse_hash(line).ok_or(RequestError::ProofLine(number))?);
        }
        Ok(Self {
            old_size,
            proof,
            checkpoint: Note::parse(rest.as_bytes())?,
        })
    }

    /// Which log the checkpoint says it is of: the key under which the witness keeps its state.
    pub fn origin(&self) -> &str {
        self.checkpoint.text().lines().next().unwrap_or_default()
    }
}

impl fmt::Display for AddCheckpoint {
    /// The body of the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

    #[test]
    fn the_example_of_the_specification_is_read_and_written() {
        let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(request.old_size, 20_852_014);
        assert_eq!(request.origin(), "example.com/behind-the-sofa");
        assert_eq!(request.proof.len(), 4);
        assert_eq!(request.checkpoint.signatures().len(), 2);
        assert_eq!(request.to_string(), EXAMPLE);
    }

    #[test]
    fn malformed_requests_are_refused_with_their_reason() {
        let parse = |text: &str| AddCheckpoint::parse(text.as_bytes()).unwrap_err();
        assert_eq!(parse(""), RequestError::OldSize);
        assert_eq!(parse("old 01\n\n"), RequestError::OldSize);
        assert_eq!(parse("old 1\nAAAA\n\n"), RequestError::ProofLine(1));
        assert_eq!(parse("old 1\n"), RequestError::ProofLine(1));
        assert_eq!(
            parse("old 1\n\nnot a note"),
            RequestError::Note(NoteError::NoSignatures)
        );
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
        assert_eq!(
            parse(&format!("old 1\n{}\n", hash.repeat(64))),
            RequestError::TooManyHashes
        );
        assert_eq!(AddCheckpoint::parse(b"\xff"), Err(RequestError::NotText));
        let long = vec![b'a'; MAX_REQUEST_BYTES + 1];
        assert_eq!(AddCheckpoint::parse(&long), Err(RequestError::TooLong));
    }
}
