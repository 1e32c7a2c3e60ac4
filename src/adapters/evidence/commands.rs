//! Seals the journal of commands: who has asked Egret for what is evidence, too.
//!
//! Commands come and go, and whoever has the journal locked seals what is in it: a command when its
//! intent is on disk and when its end is, and the gateway, which does it for commands that could
//! not. The log is called like the node's with [`NODE_SUFFIX`] behind, and signed by the node's own
//! key under that name, so that who knows the node's key needs no other.

use std::path::{Path, PathBuf};

use super::FileError;
use super::checkpoints;
use super::keys::{KeyPlaces, LogKeys};
use super::sealed_log::{SealedLog, Unsealed};
use crate::adapters::journal::{CommandJournal, ReadError};
use crate::adapters::signing_key::SigningKeyError;
use crate::domain::evidence::{KeyHistory, KeyRotation, SignerKey, VerifierKey};
use crate::domain::own::NODE_SUFFIX;

/// Most records that are hashed before what they gave is written.
const TURN: usize = 8_192;

/// Seals a journal of commands.
#[derive(Debug)]
pub struct CommandSeal {
    /// Directory of the node's own journal, whose log may have a name of its own.
    pub node: PathBuf,
    /// Name of the node's log if it has not begun.
    pub default_origin: String,
    /// File of the node's key.
    pub key_file: PathBuf,
}

/// Why what is on record is not sealed. It is tried again with the next command.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    /// The key is not there, or not readable to whoever runs the command.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The log does not fit what was signed, or cannot be written.
    #[error(transparent)]
    Log(#[from] Unsealed),
    /// The log has another name.
    #[error(
        "the log of commands is called {found}, and the node's log {node}: they do not belong together"
    )]
    OtherName {
        /// Name of the log of commands.
        found: String,
        /// Name of the node's log.
        node: String,
    },
}

/// Name of the log of commands of a node.
pub fn origin_of(node: &str) -> String {
    format!("{node}{NODE_SUFFIX}")
}

/// The key that the log of commands has where the node's log has this one; `None` if its name leaves
/// no room.
pub fn key_of(node: &VerifierKey) -> Option<VerifierKey> {
    VerifierKey::new(origin_of(node.name()), node.kind(), *node.public()).ok()
}

/// Whether a key of the log of commands is one of the node's keys.
pub fn is_key_of<'k>(key: &VerifierKey, mut node: impl Iterator<Item = &'k VerifierKey>) -> bool {
    node.any(|of_node| key_of(of_node).as_ref() == Some(key))
}

/// The key that signs for a log of this node, without making or moving any file; `None` if no log
/// was begun in the directory. `node` is the directory of the node's own journal.
///
/// # Errors
/// [`NotSealed`].
pub fn signer_of(
    directory: &Path,
    node: &Path,
    key_file: &Path,
) -> Result<Option<SignerKey>, NotSealed> {
    let (Some(keys), Some(of_node)) = (LogKeys::read(directory)?, LogKeys::read(node)?) else {
        return Ok(None);
    };
    let history = keys
        .history()
        .map_err(|(index, fault)| Unsealed::Rotation { index, fault })?;
    let places = KeyPlaces::of_this_process(key_file.to_owned()).lent_by(of_node.first.name());
    Ok(Some(places.in_force(keys.first.name(), Some(&history))?))
}

impl CommandSeal {
    /// Hashes what is in a journal and signs a checkpoint, if there is anything new. Where no node
    /// is, as on the machine of an auditor, there is nobody to sign, and nothing is done.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub fn seal(&self, journal: &mut CommandJournal) -> Result<(), NotSealed> {
        if !self.node.is_dir() {
            return Ok(());
        }
        self.open(journal)?.finish(journal)
    }

    /// As [`CommandSeal::seal`], with something in between that makes the node's next key: the key
    /// in force may be gone a moment later.
    ///
    /// # Errors
    /// What `make_key` says; in the result, whether the log of commands goes on with the next key.
    pub fn seal_around<T, E>(
        &self,
        journal: &mut CommandJournal,
        make_key: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, Result<(), NotSealed>), E> {
        let open = self.open(journal);
        let made = make_key()?;
        Ok((made, open.and_then(|log| log.finish(journal))))
    }

    fn open(&self, journal: &CommandJournal) -> Result<OpenLog, NotSealed> {
        let directory = journal.path();
        let node = match LogKeys::read(&self.node)? {
            Some(keys) => keys.first.name().to_owned(),
            None => self.default_origin.clone(),
        };
        let origin = origin_of(&node);
        let known = LogKeys::read(directory)?;
        if let Some(keys) = &known
            && keys.first.name() != origin
        {
            return Err(NotSealed::OtherName {
                found: keys.first.name().to_owned(),
                node,
            });
        }
        if known.is_none() && !checkpoints::segments(directory)?.is_empty() {
            return Err(Unsealed::NoKeys {
                directory: directory.to_owned(),
                file: "log.keys",
            }
            .into());
        }
        let history = known.as_ref().map(LogKeys::history).transpose();
        let history = history.map_err(|(index, fault)| Unsealed::Rotation { index, fault })?;
        let places = KeyPlaces::of_this_process(self.key_file.clone()).lent_by(&node);
        let key = places.in_force(&origin, history.as_ref())?;
        let keys = LogKeys::known_or_first(known, &key, directory)?;
        let history = history.unwrap_or_else(|| KeyHistory::new(key.verifier().clone()));
        let reader = journal
            .reader()
            .map_err(|error: ReadError| Unsealed::Read(error))?;
        let log = SealedLog::open(directory, reader, keys, history, key)?;
        Ok(OpenLog { log, places })
    }
}

/// A log of commands that can be gone on with.
struct OpenLog {
    log: SealedLog,
    places: KeyPlaces,
}

impl OpenLog {
    fn finish(self, journal: &mut CommandJournal) -> Result<(), NotSealed> {
        let Self { mut log, places } = self;
        log.announce_next(&places, |old, next| {
            journal
                .announce_key(|seq| KeyRotation::sign(seq, old, next).ok())
                .is_ok()
        });
        while log.take(TURN, &places, |_| {})? == TURN {}
        log.checkpoint(|_| {})?;
        Ok(())
    }
}
