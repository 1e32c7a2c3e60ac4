//! Checking a bundle. Needs the file and the trusted keys; no database, no network, no clock.

use super::{BundleError, LeafContent, ProofBundle};
use crate::domain::evidence::checkpoint::{Checkpoint, CheckpointError};
use crate::domain::evidence::commitment::Opening;
use crate::domain::evidence::merkle::{NodeHash, ProofFault, leaf_hash, verify_inclusion};
use crate::domain::evidence::note::{Note, SignatureType, VerifierKey, VerifyError};
use crate::domain::evidence::rotation::{KeyHistory, RotationError};
use crate::types::Micros;

/// What the verifier brings along; nothing else is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Keys of logs: for each log its first key, or a later one that was pinned since.
    pub logs: Vec<VerifierKey>,
    /// Keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// How many different witnesses must have cosigned.
    pub quorum: usize,
}

/// What a bundle proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which log.
    pub origin: String,
    /// Index of the record in it.
    pub index: u64,
    /// The record.
    pub leaf: LeafContent,
    /// Size of the tree that was signed.
    pub size: u64,
    /// Its root.
    pub root: NodeHash,
    /// The key that signed.
    pub signed_by: VerifierKey,
    /// How many key changes lead from the trusted key to that one.
    pub rotations: usize,
    /// Trusted witnesses that cosigned.
    pub witnesses: Vec<Witnessed>,
    /// Further records of the same call, as index and bytes.
    pub others: Vec<(u64, Vec<u8>)>,
    /// Pseudonyms that commitments in the record stand for.
    pub openings: Vec<Opening>,
}

/// A checked cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Name of the witness.
    pub name: String,
    /// When it cosigned, by its own clock: the record existed by then.
    pub at: Option<Micros>,
}

/// Why a bundle proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// Not a bundle.
    #[error("format: {0}")]
    Format(#[from] BundleError),
    /// The checkpoint is malformed.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The log is not known to the verifier.
    #[error("checkpoint: no trusted key is called {0}: give the public key of that log")]
    UnknownLog(String),
    /// A key change is not in the log.
    #[error("key rotation: the record at leaf {index} is not in the log: {fault}")]
    RotationNotInLog {
        /// Stated index.
        index: u64,
        /// What does not fit.
        fault: ProofFault,
    },
    /// A key change is not valid.
    #[error("key rotation: leaf {index}: {fault}")]
    Rotation {
        /// Stated index.
        index: u64,
        /// What is wrong with it.
        fault: RotationError,
    },
    /// The checkpoint is not signed by the key in force.
    #[error("signature: {0}")]
    Signature(VerifyError),
    /// A cosignature of a trusted witness is wrong.
    #[error("witness: {0}")]
    WrongCosignature(VerifyError),
    /// Too few witnesses.
    #[error("witness: {found} of the trusted witnesses cosigned, {wanted} are needed")]
    Quorum {
        /// Different witnesses that cosigned.
        found: usize,
        /// [`Trust::quorum`].
        wanted: usize,
    },
    /// The record is not in the tree.
    #[error("inclusion: the record is not leaf {index} of the signed tree: {fault}")]
    Inclusion {
        /// Stated index.
        index: u64,
        /// What does not fit.
        fault: ProofFault,
    },
    /// An opening does not belong to the record.
    #[error("opening: pseudonym {0} is not committed to by the record")]
    Opening(usize),
}

/// Checks a bundle end to end.
///
/// # Errors
/// [`BundleFault`]: the first step that failed, and why.
pub fn verify_bundle(bytes: &[u8], trust: &Trust) -> Result<Verified, BundleFault> {
    let bundle = ProofBundle::parse(bytes)?;
    let checkpoint = Checkpoint::parse(bundle.checkpoint.text())?;
    let trusted: Vec<VerifierKey> = trust
        .logs
        .iter()
        .filter(|key| key.name() == checkpoint.origin && key.kind() == SignatureType::Ed25519)
        .cloned()
        .collect();
    if trusted.is_empty() {
        return Err(BundleFault::UnknownLog(checkpoint.origin));
    }
    let keys = Keys::follow(&bundle, &checkpoint, &trusted)?;
    let signed_by = keys.check(&bundle.checkpoint, &checkpoint)?;
    let witnesses = check_witnesses(&bundle.checkpoint, trust)?;
    verify_inclusion(
        bundle.index,
        checkpoint.size,
        &bundle.leaf.hash(),
        &bundle.proof,
        &checkpoint.root,
    )
    .map_err(|fault| BundleFault::Inclusion {
        index: bundle.index,
        fault,
    })?;
    for other in &bundle.others {
        let (index, leaf) = (other.index, leaf_hash(&other.leaf));
        verify_inclusion(
            index,
            checkpoint.size,
            &leaf,
            &other.proof,
            &checkpoint.root,
        )
        .map_err(|fault| BundleFault::Inclusion { index, fault })?;
    }
    for (number, opening) in bundle.openings.iter().enumerate() {
        let shown = match &bundle.leaf {
            LeafContent::Present(bytes) => opening.is_in(bytes),
            LeafContent::Pruned(_) => false,
        } || bundle.others.iter().any(|other| opening.is_in(&other.leaf));
        if !shown {
            return Err(BundleFault::Opening(number));
        }
    }
    Ok(Verified {
        origin: checkpoint.origin,
        index: bundle.index,
        leaf: bundle.leaf,
        size: checkpoint.size,
        root: checkpoint.root,
        signed_by,
        rotations: keys.history.map_or(0, |history| history.rotations().len()),
        witnesses,
        openings: bundle.openings,
        others: bundle
            .others
            .into_iter()
            .map(|other| (other.index, other.leaf))
            .collect(),
    })
}

/// The keys that may have signed.
struct Keys<'t> {
    trusted: &'t [VerifierKey],
    /// From the trusted key that the first followed announcement is signed by.
    history: Option<KeyHistory>,
    /// The first announcement that no trusted key signed: it precedes the trusted keys, or it is
    /// why none of them fits.
    skipped: Option<BundleFault>,
}

impl<'t> Keys<'t> {
    fn follow(
        bundle: &ProofBundle,
        checkpoint: &Checkpoint,
        trusted: &'t [VerifierKey],
    ) -> Result<Self, BundleFault> {
        let mut keys = Self {
            trusted,
            history: None,
            skipped: None,
        };
        for rotation in &bundle.rotations {
            let index = rotation.index;
            let leaf = leaf_hash(&rotation.leaf);
            verify_inclusion(
                index,
                checkpoint.size,
                &leaf,
                &rotation.proof,
                &checkpoint.root,
            )
            .map_err(|fault| BundleFault::RotationNotInLog { index, fault })?;
            if let Some(history) = &mut keys.history {
                history
                    .accept(index, &rotation.leaf)
                    .map_err(|fault| BundleFault::Rotation { index, fault })?;
            } else {
                keys.begin(index, &rotation.leaf);
            }
        }
        Ok(keys)
    }

    fn begin(&mut self, index: u64, leaf: &[u8]) {
        for key in self.trusted {
            let mut history = KeyHistory::new(key.clone());
            match history.accept(index, leaf) {
                Ok(_) => {
                    self.history = Some(history);
                    return;
                }
                Err(fault) => {
                    self.skipped
                        .get_or_insert(BundleFault::Rotation { index, fault });
                }
            }
        }
    }

    fn check(&self, note: &Note, checkpoint: &Checkpoint) -> Result<VerifierKey, BundleFault> {
        let in_force;
        let keys = match &self.history {
            Some(history) => {
                in_force = [history.key_at(checkpoint.size).clone()];
                &in_force[..]
            }
            None => self.trusted,
        };
        match note.verify(keys) {
            Ok(signed) => signed
                .first()
                .map(|signed| signed.key.clone())
                .ok_or(BundleFault::Signature(VerifyError::NoTrustedSignature)),
            Err(VerifyError::NoTrustedSignature) if self.history.is_none() => Err(self
                .skipped
                .clone()
                .unwrap_or(BundleFault::Signature(VerifyError::NoTrustedSignature))),
            Err(fault) => Err(BundleFault::Signature(fault)),
        }
    }
}

fn check_witnesses(note: &Note, trust: &Trust) -> Result<Vec<Witnessed>, BundleFault> {
    let signed = match note.verify(&trust.witnesses) {
        Ok(signed) => signed,
        Err(VerifyError::NoTrustedSignature) => Vec::new(),
        Err(fault) => return Err(BundleFault::WrongCosignature(fault)),
    };
    let cosigned = signed
        .iter()
        .filter(|signed| signed.key.kind() == SignatureType::CosignatureV1);
    // One key under two names is one witness.
    let mut publics: Vec<&[u8; 32]> = cosigned.clone().map(|signed| signed.key.public()).collect();
    publics.sort_unstable();
    publics.dedup();
    if publics.len() < trust.quorum {
        return Err(BundleFault::Quorum {
            found: publics.len(),
            wanted: trust.quorum,
        });
    }
    Ok(cosigned
        .map(|signed| Witnessed {
            name: signed.key.name().to_owned(),
            at: signed.at,
        })
        .collect())
}
