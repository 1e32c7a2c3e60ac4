//! A log that is sealed: its tree, its files and its key. Who has one feeds it with what is durable
//! in a journal, and says when to sign.
//!
//! Where it goes on: at the last checkpoint. The tree over the stored leaf hashes must lead to its
//! root; leaves behind it are hashed again from the journal. If it does not, nothing is ever signed
//! again ([`Unsealed::Changed`]).

use std::path::{Path, PathBuf};

use super::FileError;
use super::checkpoints::{self, CheckpointWriter, Signed};
use super::keys::{KeyPlaces, LogKeys};
use super::leaves::{LeafStore, LeafWriter};
use crate::adapters::clock;
use crate::adapters::journal::{ReadError, Reader};
use crate::adapters::signing_key::SigningKeyError;
use crate::domain::evidence::merkle::{NodeHash, ProofError, Tree, leaf_hash, root_at, tree_at};
use crate::domain::evidence::{
    Checkpoint, CheckpointError, KeyHistory, KeyRotation, RotationError, SignerKey,
};

/// Why a log is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum Unsealed {
    /// A file; it is tried again.
    #[error(transparent)]
    File(#[from] FileError),
    /// The journal; it is tried again.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The key file cannot be put into place; it is tried again.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// The stored leaf hashes are not those that were signed.
    #[error(
        "the stored leaf hashes do not lead to the root that was signed for {size} records: the \
         evidence was changed; `egret audit verify` says where. Restore it from a copy"
    )]
    Changed {
        /// Size of the checkpoint.
        size: u64,
    },
    /// The last checkpoint is not what it was.
    #[error(
        "the last checkpoint is not signed by this log's key ({fault}): the evidence was changed; \
         `egret audit verify` says where. Restore it from a copy"
    )]
    Checkpoint {
        /// What is wrong.
        fault: CheckpointError,
    },
    /// Checkpoints without keys.
    #[error("there are checkpoints in {directory}, but no {file}: restore it from a copy")]
    NoKeys {
        /// The journal's directory.
        directory: PathBuf,
        /// The file of the keys.
        file: &'static str,
    },
    /// Records are gone that the tree needs.
    #[error(
        "record {wanted} is gone from the journal, which goes on with record {found}: the log cannot \
         be continued. Restore the journal from a copy, or begin a new log: move the journal's \
         directory away and give the log another name ([evidence] origin)"
    )]
    Gone {
        /// The record that comes next in the tree.
        wanted: u64,
        /// The record that the journal has.
        found: u64,
    },
    /// A key change in the journal that is not valid.
    #[error("the key rotation at record {index} is not valid: {fault}")]
    Rotation {
        /// The record.
        index: u64,
        /// What is wrong.
        fault: RotationError,
    },
    /// The key changed to one that is not here.
    #[error("the log's key has changed to {wanted}, and no file or variable holds that key")]
    NoNextKey {
        /// The key in force.
        wanted: String,
    },
    /// The key cannot sign.
    #[error("a checkpoint cannot be signed: {0}")]
    Sign(CheckpointError),
}

impl Unsealed {
    /// Whether trying again may help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::File(FileError::Io { .. }) | Self::Read(_) | Self::Key(_)
        )
    }
}

/// The log up to where it is hashed.
pub(super) struct SealedLog {
    reader: Reader,
    tree: Tree,
    leaves: LeafWriter,
    written: CheckpointWriter,
    keys: LogKeys,
    history: KeyHistory,
    key: SignerKey,
    /// The last checkpoint.
    pub(super) last: Option<Signed>,
    /// A checkpoint that the tree has not reached again yet: leaf hashes were lost in a crash.
    owed: Option<(u64, NodeHash)>,
    /// The segment of the last leaf.
    segment: u64,
    /// A key to come that was announced, or that cannot be used: said once.
    announced: bool,
    refused: Option<String>,
}

impl SealedLog {
    /// Goes on with the log in a directory, whose records `reader` reads.
    pub(super) fn open(
        directory: &Path,
        mut reader: Reader,
        keys: LogKeys,
        history: KeyHistory,
        key: SignerKey,
    ) -> Result<Self, Unsealed> {
        let written = CheckpointWriter::open(directory)?;
        let last = checkpoints::last(directory)?.map(|(_, signed)| signed);
        if let Some(last) = &last {
            Checkpoint::open(&last.note, &history)
                .map_err(|fault| Unsealed::Checkpoint { fault })?;
        }
        let (size, root) = last.as_ref().map_or((0, NodeHash::EMPTY_ROOT), |last| {
            (last.checkpoint.size, last.checkpoint.root)
        });
        let store = LeafStore::open(directory)?;
        let have = store.size().min(size);
        let mut leaves = LeafWriter::new(directory, have);
        let read = |fault| match fault {
            ProofError::Store(fault) => Unsealed::File(fault),
            _ => Unsealed::Changed { size },
        };
        let mut tree = tree_at(&store, have).map_err(read)?;
        if have == size && tree.root() != root {
            // The nodes are derived from the leaves: those are what counts.
            let plain = LeafStore::open_without_nodes(directory)?;
            if root_at(&plain, size).map_err(read)? != root {
                return Err(Unsealed::Changed { size });
            }
            tracing::warn!(
                target: "egret::evidence",
                "tree.nodes did not fit the leaf hashes, which are as they were signed; it was made anew"
            );
            leaves.replace_nodes(&plain, size)?;
            tree = tree_at(&plain, size).map_err(read)?;
        }
        reader.go_to(have);
        Ok(Self {
            reader,
            tree,
            leaves,
            written,
            keys,
            history,
            key,
            last,
            owed: (have < size).then_some((size, root)),
            segment: 0,
            announced: false,
            refused: None,
        })
    }

    /// Hashes what is durable in the journal, at most `limit` records. Gives how many.
    pub(super) fn take(
        &mut self,
        limit: usize,
        places: &KeyPlaces,
        mut made: impl FnMut(&Signed),
    ) -> Result<usize, Unsealed> {
        // What an earlier turn could not write.
        self.leaves.flush()?;
        for taken in 0..limit {
            let mut event = None;
            let segment = self.reader.next_leaf(|frame| {
                let payload = frame.payload;
                let rotation = KeyRotation::is_in(payload).then(|| payload.to_vec());
                event = Some((frame.seq, leaf_hash(payload), rotation));
            })?;
            let (Some(segment), Some((seq, leaf, rotation))) = (segment, event) else {
                self.leaves.flush()?;
                return Ok(taken);
            };
            if let Err(why) = self.add(segment, seq, leaf, rotation, places, &mut made) {
                // Read again at the next try.
                self.reader.go_to(self.tree.size());
                return Err(why);
            }
        }
        self.leaves.flush()?;
        Ok(limit)
    }

    fn add(
        &mut self,
        segment: u64,
        seq: u64,
        leaf: NodeHash,
        rotation: Option<Vec<u8>>,
        places: &KeyPlaces,
        made: &mut impl FnMut(&Signed),
    ) -> Result<(), Unsealed> {
        let wanted = self.tree.size();
        if seq != wanted {
            return Err(Unsealed::Gone { wanted, found: seq });
        }
        if self.leaves.segment() != Some(segment) {
            self.leaves.flush()?;
            if self.leaves.segment().is_some() {
                self.checkpoint(&mut *made)?;
            }
            self.leaves.turn_to(segment)?;
            self.segment = segment;
        }
        let rotation = match rotation {
            // What a crash made us read again is known already.
            Some(leaf) if !self.keys.rotations.iter().any(|(known, _)| *known == seq) => Some(leaf),
            _ => None,
        };
        if let Some(announcement) = rotation {
            self.leaves.flush()?;
            // The last word of the old key.
            self.checkpoint(&mut *made)?;
            self.rotate(seq, announcement, places)?;
        }
        self.leaves.push(&mut self.tree, leaf);
        if let Some((size, root)) = self.owed
            && self.tree.size() == size
        {
            if self.tree.root() != root {
                return Err(Unsealed::Changed { size });
            }
            self.owed = None;
        }
        Ok(())
    }

    fn rotate(&mut self, seq: u64, leaf: Vec<u8>, places: &KeyPlaces) -> Result<(), Unsealed> {
        let mut history = self.history.clone();
        let wanted = history
            .accept(seq, &leaf)
            .map_err(|fault| Unsealed::Rotation { index: seq, fault })?
            .clone();
        let next = places
            .next(wanted.name())?
            .filter(|next| *next.verifier() == wanted)
            .ok_or_else(|| Unsealed::NoNextKey {
                wanted: wanted.to_string(),
            })?;
        let mut keys = self.keys.clone();
        keys.rotations.push((seq, leaf));
        keys.write(self.leaves.directory())?;
        places.install_next()?;
        tracing::info!(
            target: "egret::evidence",
            record = seq,
            key = %wanted,
            "the log is signed by a new key from this record on"
        );
        (self.keys, self.history, self.key) = (keys, history, next);
        self.announced = false;
        Ok(())
    }

    /// Signs what is hashed, if there is anything new.
    pub(super) fn checkpoint(&mut self, mut made: impl FnMut(&Signed)) -> Result<(), Unsealed> {
        let size = self.tree.size();
        let before = self.last.as_ref().map_or(0, |last| last.checkpoint.size);
        if size <= before {
            return Ok(());
        }
        self.leaves.flush()?;
        self.leaves.sync()?;
        let checkpoint = Checkpoint::of(self.keys.first.name(), &self.tree);
        let note = checkpoint.sign(&self.key).map_err(Unsealed::Sign)?;
        let signed = Signed {
            made_at: clock::now(),
            checkpoint,
            note,
        };
        self.written.append(self.segment, &signed)?;
        made(&signed);
        self.last = Some(signed);
        Ok(())
    }

    /// Keeps what a witness has cosigned beside the checkpoint itself.
    pub(super) fn keep_cosigned(&mut self, cosigned: &Signed) -> Result<(), Unsealed> {
        let segments = checkpoints::segments(self.leaves.directory())?;
        let size = cosigned.checkpoint.size;
        // A segment's own checkpoints are larger than its first number.
        let segment = segments.into_iter().rfind(|first| *first < size);
        Ok(self.written.append(segment.unwrap_or(0), cosigned)?)
    }

    /// Has the key to come announced, if there is one: `announce` is given the key in force and the
    /// next, and says whether it was.
    pub(super) fn announce_next(
        &mut self,
        places: &KeyPlaces,
        announce: impl FnOnce(&SignerKey, &SignerKey) -> bool,
    ) {
        if self.announced || self.owed.is_some() {
            return;
        }
        let next = match places.next(self.keys.first.name()) {
            Ok(None) => return,
            Ok(Some(next)) => next,
            Err(why) => {
                let why = why.to_string();
                if self.refused.as_ref() != Some(&why) {
                    tracing::error!(
                        target: "egret::evidence",
                        error = %why,
                        "the key to come cannot be used; the log goes on with the present one"
                    );
                    self.refused = Some(why);
                }
                return;
            }
        };
        if self.history.keys().any(|key| key == next.verifier()) {
            // The variable still holds a key that was announced.
            return;
        }
        self.announced = announce(&self.key, &next);
    }
}
