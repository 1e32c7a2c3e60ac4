//! Changing the signing key inside one log.
//!
//! The new key is announced by a leaf of the log itself: a signed note with the signature of the
//! old key (it hands over) and of the new one (whoever announces it also holds it). The leaf's own
//! index is part of the signed text and draws the line: checkpoints of trees without that leaf are
//! signed by the old key, all later ones by the new key. A stolen old key can therefore not sign
//! anything later that an auditor who knows the announcement would accept.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::note::{KeyError, KeyId, Note, NoteError, SignatureType, SignerKey, VerifierKey};
use super::text::{parse_decimal, take_line};

/// First line of an announcement.
const HEADER: &str = "egret/key-rotation@v1\n";

/// An announcement may stand behind this many bytes of the journal's own record header.
const MAX_PREFIX: usize = 64;

/// Most rotations in one history: one a week for ten years. Each costs two verifications.
pub const MAX_ROTATIONS: usize = 512;

/// The announcement of a new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    /// Which log.
    pub origin: String,
    /// Index of the leaf that this is.
    pub index: u64,
    /// The key for all trees that contain that leaf.
    pub next: VerifierKey,
}

/// Why an announcement does not change the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// Not an announcement at all.
    #[error("the leaf is not a key rotation record")]
    NotARotation,
    /// The note is malformed.
    #[error("the key rotation record is not a signed note: {0}")]
    Note(#[from] NoteError),
    /// A line of the announcement is wrong.
    #[error("the key rotation record has no valid {0} line")]
    Line(&'static str),
    /// The new key is of the wrong type or name, or cannot sign.
    #[error("the new key cannot sign for this log: {0}")]
    Key(#[from] KeyError),
    /// The key does not carry the log's name.
    #[error("the key {key} does not carry the name of the log, {origin}")]
    OtherLog {
        /// The log.
        origin: String,
        /// Name of the key.
        key: String,
    },
    /// The record stands elsewhere than it says.
    #[error("the key rotation record is leaf {found}, but was signed as leaf {stated}")]
    Moved {
        /// Index that was signed.
        stated: u64,
        /// Where it was found.
        found: u64,
    },
    /// Rotations must be given in the log's order.
    #[error("key rotation at leaf {index} does not come after the one at leaf {last}")]
    OutOfOrder {
        /// Index of this record.
        index: u64,
        /// Index of the last one.
        last: u64,
    },
    /// The key that hands over has not signed.
    #[error("the key rotation record is not signed by the key in force, {0}")]
    NotHandedOver(KeyId),
    /// The new key has not signed.
    #[error("the key rotation record is not signed by the new key, {0}")]
    NotTaken(KeyId),
    /// The new key cannot be told from the old one.
    #[error("the new key {0} has the id of an earlier key: make another key")]
    SameId(KeyId),
    /// More than [`MAX_ROTATIONS`].
    #[error("the log has more than {MAX_ROTATIONS} key rotations")]
    TooMany,
}

impl KeyRotation {
    /// The bytes of the leaf that hands over from one key to the next, signed by both.
    ///
    /// # Errors
    /// [`RotationError`] if the keys do not carry the same name or cannot sign notes.
    pub fn sign(index: u64, old: &SignerKey, new: &SignerKey) -> Result<Vec<u8>, RotationError> {
        let origin = old.verifier().name();
        if new.verifier().name() != origin {
            return Err(RotationError::OtherLog {
                origin: origin.to_owned(),
                key: new.verifier().name().to_owned(),
            });
        }
        if new.verifier().id() == old.verifier().id() {
            return Err(RotationError::SameId(new.verifier().id()));
        }
        let text = format!("{HEADER}{origin}\n{index}\n{}\n", new.verifier());
        let signatures = [old.sign(&text)?, new.sign(&text)?];
        let mut note = Note::new(text)?;
        signatures
            .into_iter()
            .for_each(|signature| note.add(signature));
        Ok(note.to_string().into_bytes())
    }

    /// Whether a leaf may be an announcement; cheap enough to ask of every leaf.
    pub fn is_in(leaf: &[u8]) -> bool {
        locate(leaf).is_some()
    }

    /// Reads a leaf, without trusting it.
    ///
    /// # Errors
    /// [`RotationError`].
    pub fn read(leaf: &[u8]) -> Result<(Self, Note), RotationError> {
        let note = Note::parse(locate(leaf).ok_or(RotationError::NotARotation)?)?;
        let mut rest = note.text();
        // The header was found by `locate`.
        take_line(&mut rest);
        let origin = take_line(&mut rest).filter(|line| !line.is_empty());
        let origin = origin.ok_or(RotationError::Line("origin"))?.to_owned();
        let index = take_line(&mut rest)
            .and_then(parse_decimal)
            .ok_or(RotationError::Line("index"))?;
        let next = take_line(&mut rest).filter(|_| rest.is_empty());
        let next = VerifierKey::parse(next.ok_or(RotationError::Line("key"))?)?;
        Ok((
            Self {
                origin,
                index,
                next,
            },
            note,
        ))
    }

    /// Checks that the announcement may follow `current` at the place where it was found.
    fn check(leaf: &[u8], found: u64, current: &VerifierKey) -> Result<Self, RotationError> {
        let (rotation, note) = Self::read(leaf)?;
        if rotation.index != found {
            return Err(RotationError::Moved {
                stated: rotation.index,
                found,
            });
        }
        for key in [rotation.origin.as_str(), rotation.next.name()] {
            if key != current.name() {
                return Err(RotationError::OtherLog {
                    origin: current.name().to_owned(),
                    key: key.to_owned(),
                });
            }
        }
        rotation.next.check_use(SignatureType::Ed25519)?;
        if rotation.next.id() == current.id() {
            return Err(RotationError::SameId(current.id()));
        }
        if note.verify(std::slice::from_ref(current)).is_err() {
            return Err(RotationError::NotHandedOver(current.id()));
        }
        if note.verify(std::slice::from_ref(&rotation.next)).is_err() {
            return Err(RotationError::NotTaken(rotation.next.id()));
        }
        Ok(rotation)
    }
}

/// The note in a leaf, behind at most [`MAX_PREFIX`] bytes of something else.
fn locate(leaf: &[u8]) -> Option<&[u8]> {
    let head = leaf.get(..leaf.len().min(MAX_PREFIX + HEADER.len()))?;
    // Made once: every leaf is asked.
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(HEADER));
    let at = FINDER.find(head)?;
    leaf.get(at..)
}

/// The keys of one log from its first key on, each handed over by the one before.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyHistory {
    first: VerifierKey,
    rotations: Vec<KeyRotation>,
}

impl KeyHistory {
    /// A log whose first key is known and trusted.
    pub const fn new(first: VerifierKey) -> Self {
        Self {
            first,
            rotations: Vec::new(),
        }
    }

    /// Takes the next announcement: the leaf's bytes and where in the log it was found.
    ///
    /// # Errors
    /// [`RotationError`]; the history is then as before.
    pub fn accept(&mut self, index: u64, leaf: &[u8]) -> Result<&VerifierKey, RotationError> {
        if let Some(last) = self.rotations.last()
            && index <= last.index
        {
            return Err(RotationError::OutOfOrder {
                index,
                last: last.index,
            });
        }
        if self.rotations.len() == MAX_ROTATIONS {
            return Err(RotationError::TooMany);
        }
        let rotation = KeyRotation::check(leaf, index, self.latest())?;
        if self.keys().any(|key| key.id() == rotation.next.id()) {
            return Err(RotationError::SameId(rotation.next.id()));
        }
        self.rotations.push(rotation);
        Ok(self.latest())
    }

    /// The key that must have signed the checkpoint of a tree of this size.
    pub fn key_at(&self, size: u64) -> &VerifierKey {
        let before = self
            .rotations
            .partition_point(|rotation| rotation.index < size);
        before
            .checked_sub(1)
            .and_then(|at| self.rotations.get(at))
            .map_or(&self.first, |rotation| &rotation.next)
    }

    /// The key in force at the end of what was accepted.
    pub fn latest(&self) -> &VerifierKey {
        self.rotations
            .last()
            .map_or(&self.first, |rotation| &rotation.next)
    }

    /// All keys, the first one first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        std::iter::once(&self.first).chain(self.rotations.iter().map(|rotation| &rotation.next))
    }

    /// The announcements, in the log's order.
    pub fn rotations(&self) -> &[KeyRotation] {
        &self.rotations
    }
}

impl fmt::Debug for KeyHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.keys().map(VerifierKey::id))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence::merkle::NodeHash;
    use crate::domain::evidence::{Checkpoint, CheckpointError};

    fn key(name: &str, seed: u8) -> SignerKey {
        SignerKey::from_seed(name, SignatureType::Ed25519, &[seed; 32]).unwrap()
    }

    fn history(first: &SignerKey) -> KeyHistory {
        KeyHistory::new(first.verifier().clone())
    }

    #[test]
    fn each_size_has_its_key() {
        let keys = [1, 2, 3].map(|seed| key("log", seed));
        let mut history = history(&keys[0]);
        history
            .accept(10, &KeyRotation::sign(10, &keys[0], &keys[1]).unwrap())
            .unwrap();
        history
            .accept(20, &KeyRotation::sign(20, &keys[1], &keys[2]).unwrap())
            .unwrap();
        for (size, expected) in [(0, 0), (10, 0), (11, 1), (20, 1), (21, 2), (u64::MAX, 2)] {
            assert_eq!(
                history.key_at(size),
                keys[expected].verifier(),
                "size {size}"
            );
        }
        assert_eq!(history.latest(), keys[2].verifier());
        assert_eq!(history.keys().count(), 3);

        let signed = |size, key| {
            let root = NodeHash::EMPTY_ROOT;
            let checkpoint = Checkpoint {
                origin: "log".into(),
                size,
                root,
                extensions: Vec::new(),
            };
            Checkpoint::open(&checkpoint.sign(key).unwrap(), &history)
        };
        assert_eq!(signed(10, &keys[0]).unwrap().size, 10);
        assert_eq!(signed(11, &keys[1]).unwrap().size, 11);
        for (size, wrong) in [(10, &keys[1]), (11, &keys[0]), (21, &keys[1])] {
            let fault = signed(size, wrong).unwrap_err();
            assert!(
                matches!(fault, CheckpointError::Signature { .. }),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_header_of_the_journal_in_front_does_not_hide_it() {
        let (old, new) = (key("log", 1), key("log", 2));
        let leaf = KeyRotation::sign(5, &old, &new).unwrap();
        let framed = [&[0_u8, 200, 7][..], &leaf].concat();
        assert!(KeyRotation::is_in(&framed));
        history(&old).accept(5, &framed).unwrap();
        assert!(!KeyRotation::is_in(b"a call record"));
        let too_far = [vec![0; MAX_PREFIX + 1], leaf].concat();
        assert!(!KeyRotation::is_in(&too_far));
    }

    #[test]
    fn only_the_key_in_force_hands_over() {
        let (old, new, thief) = (key("log", 1), key("log", 2), key("log", 66));
        let mut history = history(&old);
        let forged = KeyRotation::sign(10, &thief, &new).unwrap();
        assert_eq!(
            history.accept(10, &forged),
            Err(RotationError::NotHandedOver(old.verifier().id()))
        );
        history
            .accept(10, &KeyRotation::sign(10, &old, &new).unwrap())
            .unwrap();
        // The old key has nothing more to say.
        let late = KeyRotation::sign(11, &old, &thief).unwrap();
        assert_eq!(
            history.accept(11, &late),
            Err(RotationError::NotHandedOver(new.verifier().id()))
        );
        let back = KeyRotation::sign(12, &new, &old).unwrap();
        assert_eq!(
            history.accept(12, &back),
            Err(RotationError::SameId(old.verifier().id()))
        );
    }

    #[test]
    fn an_announcement_is_bound_to_its_place_log_and_keys() {
        let (old, new) = (key("log", 1), key("log", 2));
        let leaf = KeyRotation::sign(10, &old, &new).unwrap();
        let text = String::from_utf8(leaf.clone()).unwrap();
        let mut history = history(&old);
        assert_eq!(
            history.accept(11, &leaf),
            Err(RotationError::Moved {
                stated: 10,
                found: 11
            })
        );
        let moved = text.replace("\n10\n", "\n11\n");
        assert!(matches!(
            history.accept(11, moved.as_bytes()),
            Err(RotationError::NotHandedOver(_))
        ));
        // The signature of the new key, its proof of possession, was taken out.
        let new_line = format!("{}\n", text.lines().last().unwrap());
        let untaken = text.replace(&new_line, "");
        assert_eq!(
            history.accept(10, untaken.as_bytes()),
            Err(RotationError::NotTaken(new.verifier().id()))
        );
        assert!(matches!(
            KeyRotation::sign(1, &old, &key("other", 2)),
            Err(RotationError::OtherLog { .. })
        ));
        assert_eq!(
            history.accept(10, b"no note"),
            Err(RotationError::NotARotation)
        );
        history.accept(10, &leaf).unwrap();
        assert_eq!(
            history.accept(10, &leaf),
            Err(RotationError::OutOfOrder {
                index: 10,
                last: 10
            })
        );
    }
}
