//! The text of a bundle.

use std::fmt::{self, Write as _};

use crate::domain::evidence::commitment::{Opening, Salt};
use crate::domain::evidence::merkle::{MAX_PROOF_HASHES, NodeHash, leaf_hash};
use crate::domain::evidence::note::{Note, NoteError};
use crate::domain::evidence::rotation::MAX_ROTATIONS;
use crate::domain::evidence::text::{
    parse_base64, parse_decimal, parse_hash, take_line, to_base64,
};
use crate::domain::record::Pseudonym;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const EXTRA_HEADER: &str = "egret/proof@v1";

/// Longest bundle that is read: a leaf of a megabyte and the longest key history fit.
pub const MAX_BUNDLE_BYTES: usize = 8 * 1024 * 1024;

/// Most openings in a bundle; a record has a handful of subjects.
const MAX_OPENINGS: usize = 64;

/// Most further records in a bundle; a call has three records.
const MAX_OTHERS: usize = 64;

/// A record, or what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeafContent {
    /// The leaf's bytes.
    Present(Vec<u8>),
    /// The content was pruned; its hash remains and still proves that a record was there.
    Pruned(NodeHash),
}

impl LeafContent {
    /// The leaf's hash.
    pub fn hash(&self) -> NodeHash {
        match self {
            Self::Present(bytes) => leaf_hash(bytes),
            Self::Pruned(hash) => *hash,
        }
    }
}

/// A further leaf with the proof that it is in the log: an announced key, or another record of the
/// same call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafProof {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub leaf: Vec<u8>,
    /// Its inclusion proof, in the tree of the bundle's checkpoint.
    pub proof: Vec<NodeHash>,
}

/// A bundle as read, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofBundle {
    /// The record.
    pub leaf: LeafContent,
    /// Index of its leaf.
    pub index: u64,
    /// Its inclusion proof.
    pub proof: Vec<NodeHash>,
    /// The signed and perhaps cosigned checkpoint.
    pub checkpoint: Note,
    /// What some commitments in the leaf stand for, as far as it may be shown.
    pub openings: Vec<Opening>,
    /// Further records that belong to the record.
    pub others: Vec<LeafProof>,
    /// Key changes before the checkpoint.
    pub rotations: Vec<LeafProof>,
}

/// Why bytes are not a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Longer than [`MAX_BUNDLE_BYTES`].
    #[error("the bundle is longer than {MAX_BUNDLE_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the bundle is not UTF-8 text")]
    NotText,
    /// Another format.
    #[error("the first line is not `{HEADER}`")]
    Header,
    /// A tlog-proof without what makes it self-contained.
    #[error("there is no `extra` line with an `{EXTRA_HEADER}` text: the record is not included")]
    NoExtra,
    /// A line in the decoded extra text.
    #[error("line {0} of the decoded `extra` text is malformed")]
    Extra(usize),
    /// The index line.
    #[error("there is no `index` line with a number")]
    Index,
    /// The proof.
    #[error("hash {0} of the inclusion proof is malformed, or there are too many")]
    Hash(usize),
    /// The checkpoint.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
}

impl ProofBundle {
    /// Reads a bundle; see [`super::verify_bundle`] for its truth.
    ///
    /// # Errors
    /// [`BundleError`] names the place.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::TooLong);
        }
        let mut rest = std::str::from_utf8(bytes).map_err(|_| BundleError::NotText)?;
        if take_line(&mut rest) != Some(HEADER) {
            return Err(BundleError::Header);
        }
        let extra = take_line(&mut rest)
            .and_then(|line| line.strip_prefix("extra "))
            .and_then(parse_base64)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(BundleError::NoExtra)?;
        let extra = Extra::parse(&extra)?;
        let index = take_line(&mut rest)
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .ok_or(BundleError::Index)?;
        let mut proof = Vec::new();
        loop {
            let number = proof.len() + 1;
            let line = take_line(&mut rest).ok_or(BundleError::Hash(number))?;
            if line.is_empty() {
                break;
            }
            if number > MAX_PROOF_HASHES {
                return Err(BundleError::Hash(number));
            }
            proof.push(parse_hash(line).ok_or(BundleError::Hash(number))?);
        }
        Ok(Self {
            leaf: extra.leaf,
            index,
            proof,
            checkpoint: Note::parse(rest.as_bytes())?,
            openings: extra.openings,
            others: extra.others,
            rotations: extra.rotations,
        })
    }

    fn extra(&self) -> String {
        let mut text = format!("{EXTRA_HEADER}\n");
        // Writing to a String cannot fail.
        let _ = match &self.leaf {
            LeafContent::Present(bytes) => writeln!(text, "leaf {}", to_base64(bytes)),
            LeafContent::Pruned(hash) => writeln!(text, "pruned {hash}"),
        };
        for opening in &self.openings {
            let _ = writeln!(
                text,
                "opening {} {}",
                opening.salt.to_hex(),
                opening.pseudonym
            );
        }
        let others = self.others.iter().map(|other| ("record", other));
        let rotations = self.rotations.iter().map(|rotation| ("rotation", rotation));
        for (word, further) in others.chain(rotations) {
            let _ = writeln!(
                text,
                "{word} {} {}",
                further.index,
                to_base64(&further.leaf)
            );
            for hash in &further.proof {
                let _ = writeln!(text, "{hash}");
            }
        }
        text
    }
}

impl fmt::Display for ProofBundle {
    /// The file. Its usual ending is `.tlog-proof`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nextra {}", to_base64(self.extra().as_bytes()))?;
        writeln!(f, "index {}", self.index)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// The decoded `extra` text.
struct Extra {
    leaf: LeafContent,
    openings: Vec<Opening>,
    others: Vec<LeafProof>,
    rotations: Vec<LeafProof>,
}

impl Extra {
    fn parse(text: &str) -> Result<Self, BundleError> {
        let mut rest = text;
        if take_line(&mut rest) != Some(EXTRA_HEADER) {
            return Err(BundleError::NoExtra);
        }
        let leaf = take_line(&mut rest)
            .and_then(parse_leaf)
            .ok_or(BundleError::Extra(2))?;
        let mut extra = Self {
            leaf,
            openings: Vec::new(),
            others: Vec::new(),
            rotations: Vec::new(),
        };
        let mut number = 2;
        while !rest.is_empty() {
            number += 1;
            take_line(&mut rest)
                .and_then(|line| extra.add(line))
                .ok_or(BundleError::Extra(number))?;
        }
        Ok(extra)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        if let Some(line) = line.strip_prefix("opening ") {
            let (salt, pseudonym) = line.split_once(' ')?;
            let is_late = !self.others.is_empty() || !self.rotations.is_empty();
            if self.openings.len() == MAX_OPENINGS || is_late {
                return None;
            }
            self.openings.push(Opening {
                salt: Salt::parse_hex(salt)?,
                pseudonym: Pseudonym::parse_hex(pseudonym)?,
            });
        } else if let Some(line) = line.strip_prefix("record ") {
            if self.others.len() == MAX_OTHERS || !self.rotations.is_empty() {
                return None;
            }
            self.others.push(parse_further(line)?);
        } else if let Some(line) = line.strip_prefix("rotation ") {
            if self.rotations.len() == MAX_ROTATIONS {
                return None;
            }
            self.rotations.push(parse_further(line)?);
        } else {
            let last = self.rotations.last_mut().or(self.others.last_mut());
            let proof = &mut last?.proof;
            if proof.len() == MAX_PROOF_HASHES {
                return None;
            }
            proof.push(parse_hash(line)?);
        }
        Some(())
    }
}

fn parse_further(line: &str) -> Option<LeafProof> {
    let (index, leaf) = line.split_once(' ')?;
    Some(LeafProof {
        index: parse_decimal(index)?,
        leaf: parse_base64(leaf)?,
        proof: Vec::new(),
    })
}

fn parse_leaf(line: &str) -> Option<LeafContent> {
    if let Some(bytes) = line.strip_prefix("leaf ") {
        return Some(LeafContent::Present(parse_base64(bytes)?));
    }
    Some(LeafContent::Pruned(parse_hash(
        line.strip_prefix("pruned ")?,
    )?))
}
