//! Personal reference values inside leaves, so that they can be erased later.
//!
//! A leaf never holds a subject's pseudonym, only a [`Commitment`] to it. The [`Opening`], which
//! is pseudonym and salt, is kept beside the leaf. Deleting every opening of a subject erases the
//! pseudonym: without the 128 random bits of the salt nobody can tell which subject a commitment
//! stands for, or that two of them stand for the same. The leaf's bytes do not change, so every
//! proof still verifies.

use std::fmt;

use ring::digest;

use crate::domain::record::Pseudonym;

/// Keeps these hashes apart from all others that Egret makes.
const LABEL: &[u8] = b"egret/subject-commitment/v1\0";

/// Random bytes of one opening. A fresh salt for every value in every record: with a shared one,
/// the commitments of an erased subject could still be linked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// From 16 bytes of the system's randomness.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, for the store that keeps the opening.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hexadecimal digits, for a proof bundle that shows the pseudonym.
    pub fn to_hex(&self) -> String {
        Pseudonym::from_bytes(self.0).to_string()
    }

    /// The counterpart of [`Salt::to_hex`].
    pub fn parse_hex(text: &str) -> Option<Self> {
        Some(Self(*Pseudonym::parse_hex(text)?.as_bytes()))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt([secret])")
    }
}

/// What the leaf holds in place of a pseudonym. The whole SHA-256 value: a shorter one would let
/// the log's own operator prepare two openings of one commitment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment([u8; 32]);

impl Commitment {
    /// From the 32 bytes in a leaf.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes for the leaf.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Commitment {
    /// Compares a commitment in a leaf with the opening that is stored beside it. Gives the
    /// pseudonym; none if the subject was erased.
    ///
    /// # Errors
    /// [`TamperedOpening`]: salt or pseudonym are not those of the record.
    pub fn check(&self, stored: Option<&Opening>) -> Result<Option<Pseudonym>, TamperedOpening> {
        match stored {
            None => Ok(None),
            Some(opening) if opening.commit() == *self => Ok(Some(opening.pseudonym)),
            Some(_) => Err(TamperedOpening),
        }
    }
}

/// The stored pseudonym is not the one that the record was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored pseudonym is not the one that the record commits to: it was changed")]
pub struct TamperedOpening;

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What shows which pseudonym a commitment stands for. Deleted when the subject is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The random part.
    pub salt: Salt,
    /// The pseudonym itself.
    pub pseudonym: Pseudonym,
}

impl Opening {
    /// Length of the stored form.
    pub const STORED_BYTES: usize = 32;

    /// What overwrites an erased opening, in place. A real one is all zeros once in 2^256.
    pub const ERASED: [u8; Self::STORED_BYTES] = [0; Self::STORED_BYTES];

    /// The stored form: salt, then pseudonym.
    pub fn to_bytes(&self) -> [u8; Self::STORED_BYTES] {
        let mut bytes = [0; Self::STORED_BYTES];
        bytes[..16].copy_from_slice(&self.salt.0);
        bytes[16..].copy_from_slice(self.pseudonym.as_bytes());
        bytes
    }

    /// Reads the stored form; none if it was erased.
    pub fn from_bytes(bytes: &[u8; Self::STORED_BYTES]) -> Option<Self> {
        if *bytes == Self::ERASED {
            return None;
        }
        let (salt, pseudonym) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            salt: Salt(*salt),
            pseudonym: Pseudonym::from_bytes(pseudonym.try_into().ok()?),
        })
    }

    /// The commitment to it: SHA-256(label || salt || pseudonym). All parts have fixed lengths.
    pub fn commit(&self) -> Commitment {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(LABEL);
        context.update(&self.salt.0);
        context.update(self.pseudonym.as_bytes());
        // SHA-256 has 32 bytes; the other case cannot happen.
        Commitment(context.finish().as_ref().try_into().unwrap_or_default())
    }

    /// Whether the leaf holds the commitment to this opening, wherever its format puts it.
    pub fn is_in(&self, leaf: &[u8]) -> bool {
        memchr::memmem::find(leaf, self.commit().as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(salt: u8, pseudonym: u8) -> Opening {
        Opening {
            salt: Salt::from_bytes([salt; 16]),
            pseudonym: Pseudonym::from_bytes([pseudonym; 16]),
        }
    }

    #[test]
    fn a_commitment_opens_with_its_salt_and_value_only() {
        let leaf = [
            b"record".as_slice(),
            opening(1, 2).commit().as_bytes(),
            b"end",
        ]
        .concat();
        assert!(opening(1, 2).is_in(&leaf));
        assert!(!opening(2, 2).is_in(&leaf));
        assert!(!opening(1, 3).is_in(&leaf));
        assert_ne!(opening(1, 2).commit(), opening(2, 1).commit());
    }

    #[test]
    fn an_erased_opening_is_gone_and_a_changed_one_is_noticed() {
        let commitment = opening(1, 2).commit();
        let stored = opening(1, 2).to_bytes();
        let read = Opening::from_bytes(&stored);
        assert_eq!(read, Some(opening(1, 2)));
        let shown = commitment.check(read.as_ref());
        assert_eq!(shown, Ok(Some(opening(1, 2).pseudonym)));

        let erased = Opening::from_bytes(&Opening::ERASED);
        assert_eq!(commitment.check(erased.as_ref()), Ok(None));

        let mut changed = stored;
        changed[31] ^= 1;
        let changed = Opening::from_bytes(&changed);
        assert_eq!(commitment.check(changed.as_ref()), Err(TamperedOpening));
    }

    #[test]
    fn the_format_stays_as_it_is() {
        // printf 'egret/subject-commitment/v1\0' + 16 x 01 + 16 x 02, through sha256sum.
        let expected = "81e34909134ef662f6c197f41fccec97a65067160a0d5a9030666329e41ed33c";
        assert_eq!(format!("{:?}", opening(1, 2).commit()), expected);
        assert!(
            !format!("{:?}", opening(1, 2)).contains("0101"),
            "a salt was printed"
        );
    }
}
