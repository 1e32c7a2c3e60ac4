//! The public keys of the log of this journal, in its directory: `log.keys`.
//!
//! The first line says what the file is, the second names the log's first public key, and each
//! further line is a key rotation: its leaf's number and the leaf's bytes, so that it can be proved
//! also when its segment is pruned. Nothing in it is a secret, and nothing in it has to be trusted:
//! an auditor brings along a key of his own, and each rotation is signed by the key before.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::FileError;
use crate::adapters::signing_key::{self, NEXT_ENV, SigningKeyError};
use crate::adapters::whole_file;
use crate::domain::evidence::{KeyHistory, RotationError, SignatureType, SignerKey, VerifierKey};
use crate::types::Secret;

/// Name of the file.
const FILE: &str = "log.keys";
const HEADER: &str = "egret/log-keys@v1";

/// Longest file that is read: [`crate::domain::evidence::MAX_ROTATIONS`] fit several times.
const MAX_BYTES: u64 = 4 << 20;

/// The public keys of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    /// The first; its name is the log's origin.
    pub first: VerifierKey,
    /// Rotations, as number and bytes of their leaves, in the log's order.
    pub rotations: Vec<(u64, Vec<u8>)>,
}

impl LogKeys {
    /// A log that begins with this key.
    pub const fn new(first: VerifierKey) -> Self {
        Self {
            first,
            rotations: Vec::new(),
        }
    }

    /// Where the file is.
    pub fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Reads the file; `None` if no log has begun here.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(directory: &Path) -> Result<Option<Self>, FileError> {
        let path = Self::path(directory);
        let text = match fs::metadata(&path).and_then(|meta| {
            if meta.len() > MAX_BYTES {
                return Err(io::Error::from(io::ErrorKind::FileTooLarge));
            }
            fs::read_to_string(&path)
        }) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::io("read", &path)(error)),
        };
        let malformed = |line: usize, what: &str| FileError::Malformed {
            path: path.clone(),
            offset: text
                .lines()
                .take(line)
                .map(|line| line.len() as u64 + 1)
                .sum(),
            what: what.to_owned(),
        };
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(malformed(0, "not the list of a log's keys"));
        }
        let first = lines
            .next()
            .and_then(|line| line.strip_prefix("key "))
            .and_then(|key| VerifierKey::parse(key).ok())
            .ok_or_else(|| malformed(1, "no public key"))?;
        let mut keys = Self::new(first);
        for (at, line) in lines.enumerate() {
            let rotation = parse_rotation(line).ok_or_else(|| malformed(at + 2, "no rotation"))?;
            keys.rotations.push(rotation);
        }
        Ok(Some(keys))
    }

    /// The keys of a log: those that are known, or, of a log that begins, the first, which is written.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn known_or_first(
        known: Option<Self>,
        first: &SignerKey,
        directory: &Path,
    ) -> Result<Self, FileError> {
        if let Some(known) = known {
            return Ok(known);
        }
        let keys = Self::new(first.verifier().clone());
        keys.write(directory)?;
        Ok(keys)
    }

    /// Writes the file, durably and as a whole.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write(&self, directory: &Path) -> Result<(), FileError> {
        let path = Self::path(directory);
        let mut text = format!("{HEADER}\nkey {}\n", self.first);
        for (index, leaf) in &self.rotations {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "rotation {index} {}", STANDARD.encode(leaf));
        }
        whole_file::write(&path, text.as_bytes()).map_err(FileError::io("write", &path))
    }

    /// Which key signs for which size.
    ///
    /// # Errors
    /// [`RotationError`], with the number of the leaf.
    pub fn history(&self) -> Result<KeyHistory, (u64, RotationError)> {
        let mut history = KeyHistory::new(self.first.clone());
        for (index, leaf) in &self.rotations {
            history
                .accept(*index, leaf)
                .map_err(|fault| (*index, fault))?;
        }
        Ok(history)
    }
}

fn parse_rotation(line: &str) -> Option<(u64, Vec<u8>)> {
    let (index, leaf) = line.strip_prefix("rotation ")?.split_once(' ')?;
    Some((index.parse().ok()?, STANDARD.decode(leaf).ok()?))
}

/// Where the private keys of a log come from.
#[derive(Debug)]
pub struct KeyPlaces {
    /// The key's file.
    pub file: PathBuf,
    /// The key from the environment, in place of the file.
    pub variable: Option<Secret<String>>,
    /// The key to come from the environment.
    pub next_variable: Option<Secret<String>>,
    /// The log whose keys these are, if it is another one: then they are used under the name of the
    /// log at hand, and its files are neither made nor moved.
    pub lent_by: Option<String>,
}

impl KeyPlaces {
    /// The file, and the variables of this process.
    pub fn of_this_process(file: PathBuf) -> Self {
        let variable = |name| std::env::var(name).ok().map(Secret::new);
        Self {
            file,
            variable: variable(signing_key::ENV),
            next_variable: variable(NEXT_ENV),
            lent_by: None,
        }
    }

    /// The same keys, for another log beside the one that has them.
    #[must_use]
    pub fn lent_by(self, log: &str) -> Self {
        Self {
            lent_by: Some(log.to_owned()),
            ..self
        }
    }

    /// The key in force, by the name of the log at hand.
    fn load(&self, origin: &str) -> Result<SignerKey, SigningKeyError> {
        let variable = clone(self.variable.as_ref());
        let name = self.lent_by.as_deref().unwrap_or(origin);
        let key = signing_key::load(&self.file, variable, name, SignatureType::Ed25519)?;
        signing_key::named(key, origin, &self.file)
    }

    /// The key that signs for a log that has these public keys; makes a key for a log that has not
    /// begun. The key to come counts if the log has changed to it already.
    ///
    /// # Errors
    /// [`SigningKeyError`]: no key, another key, or a file that is not as it must be.
    pub fn in_force(
        &self,
        origin: &str,
        history: Option<&KeyHistory>,
    ) -> Result<SignerKey, SigningKeyError> {
        let Some(history) = history else {
            if self.lent_by.is_some() {
                return self.load(origin);
            }
            return signing_key::load_or_create(
                &self.file,
                clone(self.variable.as_ref()),
                origin,
                SignatureType::Ed25519,
            );
        };
        let wanted = history.latest();
        if let Ok(Some(next)) = self.next(origin)
            && next.verifier() == wanted
        {
            // A rotation that was cut off after it was announced.
            self.install_next()?;
            return Ok(next);
        }
        if self.variable.is_none() && matches!(self.file.try_exists(), Ok(false)) {
            return Err(SigningKeyError::Missing {
                path: self.file.clone(),
                wanted: wanted.to_string(),
            });
        }
        let key = self.load(origin)?;
        if self.variable.is_some() && key.verifier() != wanted {
            return Err(SigningKeyError::NotInForce {
                place: format!("the environment variable {}", signing_key::ENV),
                found: key.verifier().to_string(),
                wanted: wanted.to_string(),
            });
        }
        signing_key::check_in_force(&key, wanted, &self.file)?;
        Ok(key)
    }

    /// The key that is to be announced, if there is one; perhaps one that was announced before.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn next(&self, origin: &str) -> Result<Option<SignerKey>, SigningKeyError> {
        let variable = clone(self.next_variable.as_ref());
        let path = next_path(&self.file);
        if variable.is_none() && !matches!(path.try_exists(), Ok(true)) {
            // Who lends the keys may have put the next one into its place already.
            return match &self.lent_by {
                Some(_) => self.load(origin).map(Some),
                None => Ok(None),
            };
        }
        let name = self.lent_by.as_deref().unwrap_or(origin);
        let next = signing_key::load_next(&path, variable, name)?;
        signing_key::named(next, origin, &path).map(Some)
    }

    /// Puts the file of the announced key in the place of the old one.
    ///
    /// # Errors
    /// [`SigningKeyError::Io`].
    pub fn install_next(&self) -> Result<(), SigningKeyError> {
        let next = next_path(&self.file);
        if self.lent_by.is_some()
            || self.next_variable.is_some()
            || !matches!(next.try_exists(), Ok(true))
        {
            return Ok(());
        }
        signing_key::replace(&next, &self.file)
    }
}

fn clone(text: Option<&Secret<String>>) -> Option<Secret<String>> {
    text.map(|text| Secret::new(text.expose().clone()))
}

/// Where `egret audit rotate-key` puts the key to come.
pub fn next_path(key_file: &Path) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence::KeyRotation;

    fn key(seed: u8) -> SignerKey {
        SignerKey::from_seed("egret/node-1", SignatureType::Ed25519, &[seed; 32]).unwrap()
    }

    #[test]
    fn keys_are_read_back_with_their_history() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(LogKeys::read(dir.path()).unwrap(), None);
        let mut keys = LogKeys::new(key(1).verifier().clone());
        let leaf = KeyRotation::sign(7, &key(1), &key(2)).unwrap();
        keys.rotations.push((7, leaf));
        keys.write(dir.path()).unwrap();
        let read = LogKeys::read(dir.path()).unwrap().unwrap();
        assert_eq!(read, keys);
        assert_eq!(read.history().unwrap().latest(), key(2).verifier());
        let path = LogKeys::path(dir.path());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("rotation 7", "rotation 8")).unwrap();
        let moved = LogKeys::read(dir.path()).unwrap().unwrap();
        assert_eq!(moved.history().unwrap_err().0, 8);
        fs::write(&path, text.replace("rotation 7 ", "rotation 7")).unwrap();
        let error = LogKeys::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("log.keys, byte "), "{error}");
    }

    #[test]
    fn an_existing_log_needs_its_own_key() {
        let dir = tempfile::tempdir().unwrap();
        let places = KeyPlaces {
            file: dir.path().join("signing.key"),
            variable: None,
            next_variable: None,
            lent_by: None,
        };
        let made = places.in_force("egret/node-1", None).unwrap();
        let history = KeyHistory::new(made.verifier().clone());
        let again = places.in_force("egret/node-1", Some(&history)).unwrap();
        assert_eq!(again.verifier(), made.verifier());

        let other = KeyHistory::new(key(1).verifier().clone());
        let error = places.in_force("egret/node-1", Some(&other)).unwrap_err();
        assert!(
            matches!(error, SigningKeyError::NotInForce { .. }),
            "{error}"
        );

        fs::remove_file(&places.file).unwrap();
        let error = places.in_force("egret/node-1", Some(&history)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, SigningKeyError::Missing { .. }), "{text}");
        assert!(text.contains(&made.verifier().to_string()), "{text}");
        assert!(!places.file.exists(), "no other key is made for it");
    }

    #[test]
    fn lent_keys_are_read_under_another_name_and_left_where_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let own = |file| KeyPlaces {
            file,
            variable: None,
            next_variable: None,
            lent_by: None,
        };
        let file = dir.path().join("signing.key");
        let lent = own(file.clone()).lent_by("egret/node-1");
        assert!(lent.in_force("egret/node-1/cli", None).is_err());
        assert!(!file.exists(), "no key is made for the node");
        let first = own(file.clone()).in_force("egret/node-1", None).unwrap();
        let key = lent.in_force("egret/node-1/cli", None).unwrap();
        assert_eq!(key.verifier().public(), first.verifier().public());
        assert_ne!(key.verifier().id(), first.verifier().id());

        // Before the node has changed its key, and after.
        let next = signing_key::create_next(&next_path(&file), "egret/node-1").unwrap();
        let coming = || lent.next("egret/node-1/cli").unwrap().unwrap();
        assert_eq!(coming().verifier().public(), next.public());
        own(file.clone()).install_next().unwrap();
        assert_eq!(coming().verifier().public(), next.public());
        let history = KeyHistory::new(coming().verifier().clone());
        let key = lent.in_force("egret/node-1/cli", Some(&history)).unwrap();
        assert_eq!(key.verifier(), coming().verifier());
    }

    #[test]
    fn a_rotation_that_was_cut_off_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let places = KeyPlaces {
            file: dir.path().join("signing.key"),
            variable: None,
            next_variable: None,
            lent_by: None,
        };
        let old = places.in_force("egret/node-1", None).unwrap();
        assert!(places.next("egret/node-1").unwrap().is_none());
        let next = signing_key::create_next(&next_path(&places.file), "egret/node-1").unwrap();
        let mut history = KeyHistory::new(old.verifier().clone());
        let key = places.in_force("egret/node-1", Some(&history)).unwrap();
        assert_eq!(key.verifier(), old.verifier(), "not announced yet");
        let leaf = KeyRotation::sign(3, &old, &places.next("egret/node-1").unwrap().unwrap());
        history.accept(3, &leaf.unwrap()).unwrap();
        for _ in 0..2 {
            let key = places.in_force("egret/node-1", Some(&history)).unwrap();
            assert_eq!(*key.verifier(), next);
            assert!(!next_path(&places.file).exists());
        }
    }
}
