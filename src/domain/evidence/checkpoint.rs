//! Checkpoints: what a log states about its tree (<https://c2sp.org/tlog-checkpoint>).

use std::fmt::Write as _;

use super::merkle::{NodeHash, Tree};
use super::note::{KeyError, Note, NoteError, SignerKey, VerifyError};
use super::rotation::KeyHistory;
use super::text::{parse_decimal, parse_hash, take_line};

/// Longest origin that is read; it is also the name of a key.
const MAX_ORIGIN_BYTES: usize = 255;

/// Most extension lines that are read. Egret writes none: no monitor can check them.
const MAX_EXTENSIONS: usize = 16;

/// Size and root of a log's tree at one moment. The text of a note, once signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: unique, and the name of its key.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root hash of the tree of that size.
    pub root: NodeHash,
    /// Opaque further lines, covered by the signature.
    pub extensions: Vec<String>,
}

/// Why a text is not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The first line is not an origin.
    #[error("a checkpoint begins with its origin: one line of 1 to {MAX_ORIGIN_BYTES} bytes")]
    Origin,
    /// The second line is not a size.
    #[error("the second line of a checkpoint is the tree's size, without leading zeros")]
    Size,
    /// The third line is not a hash.
    #[error("the third line of a checkpoint is the root hash: 32 bytes in base64")]
    Root,
    /// A further line is empty, or there are too many.
    #[error("a checkpoint has at most {MAX_EXTENSIONS} further lines, none of them empty")]
    Extension,
    /// The text cannot be the text of a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key cannot sign it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key in force for its size has not signed it, or what it signed was changed.
    #[error("checkpoint of size {size}: {fault}")]
    Signature {
        /// Number of leaves that it states.
        size: u64,
        /// What is wrong.
        fault: VerifyError,
    },
    /// The key has another name than the log.
    #[error("the checkpoint of {origin} cannot be signed with the key of {key}")]
    OtherLog {
        /// The checkpoint's origin.
        origin: String,
        /// Name of the key.
        key: String,
    },
}

impl Checkpoint {
    /// States what the tree is now.
    pub fn of(origin: impl Into<String>, tree: &Tree) -> Self {
        Self {
            origin: origin.into(),
            size: tree.size(),
            root: tree.root(),
            extensions: Vec::new(),
        }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut rest = text;
        let origin = take_line(&mut rest).unwrap_or_default();
        if !is_origin(origin) {
            return Err(CheckpointError::Origin);
        }
        let size = take_line(&mut rest)
            .and_then(parse_decimal)
            .ok_or(CheckpointError::Size)?;
        let root = take_line(&mut rest)
            .and_then(parse_hash)
            .ok_or(CheckpointError::Root)?;
        let mut extensions = Vec::new();
        while !rest.is_empty() {
            let line = take_line(&mut rest).filter(|line| !line.is_empty());
            let line = line.ok_or(CheckpointError::Extension)?;
            if extensions.len() == MAX_EXTENSIONS {
                return Err(CheckpointError::Extension);
            }
            extensions.push(line.to_owned());
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            extensions,
        })
    }

    /// Reads a signed checkpoint and checks that the key in force for its size has signed it.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(note: &Note, keys: &KeyHistory) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(note.text())?;
        let key = keys.key_at(checkpoint.size);
        if key.name() != checkpoint.origin {
            return Err(CheckpointError::OtherLog {
                origin: checkpoint.origin,
                key: key.name().to_owned(),
            });
        }
        match note.verify(std::slice::from_ref(key)) {
            Ok(_) => Ok(checkpoint),
            Err(fault) => Err(CheckpointError::Signature {
                size: checkpoint.size,
                fault,
            }),
        }
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for line in &self.extensions {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Signs it. The key has the log's name, as the specification advises.
    ///
    /// # Errors
    /// [`CheckpointError`] if this is not a well-formed checkpoint or the key is of another log.
    pub fn sign(&self, key: &SignerKey) -> Result<Note, CheckpointError> {
        let text = self.text();
        // Fields are public: whatever they hold, only what parses back to them is signed.
        if Self::parse(&text)? != *self {
            return Err(CheckpointError::Origin);
        }
        if key.verifier().name() != self.origin {
            return Err(CheckpointError::OtherLog {
                origin: self.origin.clone(),
                key: key.verifier().name().to_owned(),
            });
        }
        let signature = key.sign(&text)?;
        let mut note = Note::new(text)?;
        note.add(signature);
        Ok(note)
    }
}

fn is_origin(line: &str) -> bool {
    !line.is_empty() && line.len() <= MAX_ORIGIN_BYTES
}

#[cfg(test)]
mod tests {
    use super::super::merkle::{leaf_hash, vectors};
    use super::super::note::SignatureType;
    use super::super::note::tests::ARCHE;
    use super::*;

    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
                           CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification_is_read_and_written() {
        let checkpoint = Checkpoint::parse(EXAMPLE).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.text(), EXAMPLE);
        let extended = format!("{EXAMPLE}one more line\n");
        assert_eq!(Checkpoint::parse(&extended).unwrap().text(), extended);
        let real = Note::parse(ARCHE.as_bytes()).unwrap();
        assert_eq!(Checkpoint::parse(real.text()).unwrap().size, 1_432_088_532);
    }

    #[test]
    fn malformed_lines_are_named() {
        let hash = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        for (text, expected) in [
            (String::new(), CheckpointError::Origin),
            (format!("\n1\n{hash}\n"), CheckpointError::Origin),
            (format!("a\n01\n{hash}\n"), CheckpointError::Size),
            (format!("a\n-1\n{hash}\n"), CheckpointError::Size),
            ("a\n1\n".into(), CheckpointError::Root),
            ("a\n1\nAAAA\n".into(), CheckpointError::Root),
            (format!("a\n1\n{hash}"), CheckpointError::Root),
            (format!("a\n1\n{hash}\n\n"), CheckpointError::Extension),
            (
                format!("a\n1\n{hash}\nno newline"),
                CheckpointError::Extension,
            ),
            (
                format!("a\n1\n{hash}\n{}", "x\n".repeat(17)),
                CheckpointError::Extension,
            ),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn only_the_logs_own_key_signs_a_well_formed_checkpoint() {
        let mut tree = Tree::new();
        for leaf in vectors::leaves() {
            tree.append(leaf_hash(&leaf));
        }
        let checkpoint = Checkpoint::of("node-1.example/egret", &tree);
        let key =
            |name: &str| SignerKey::from_seed(name, SignatureType::Ed25519, &[9; 32]).unwrap();
        let ours = key("node-1.example/egret");
        let note = checkpoint.sign(&ours).unwrap();
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        read.verify(std::slice::from_ref(ours.verifier())).unwrap();
        assert_eq!(Checkpoint::parse(read.text()).unwrap(), checkpoint);

        let history = KeyHistory::new(ours.verifier().clone());
        assert_eq!(Checkpoint::open(&read, &history).unwrap(), checkpoint);
        let stranger = KeyHistory::new(key("node-2.example/egret").verifier().clone());
        let error = Checkpoint::open(&read, &stranger).unwrap_err();
        assert!(matches!(error, CheckpointError::OtherLog { .. }));

        let other = checkpoint.sign(&key("node-2.example/egret")).unwrap_err();
        assert!(matches!(other, CheckpointError::OtherLog { .. }));
        let smuggled = Checkpoint {
            origin: "node-1\n7".into(),
            ..checkpoint
        };
        smuggled.sign(&ours).unwrap_err();
    }
}
