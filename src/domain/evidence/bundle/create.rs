//! Making a bundle from what a node has stored.

use super::{LeafContent, LeafProof, ProofBundle};
use crate::domain::evidence::checkpoint::{Checkpoint, CheckpointError};
use crate::domain::evidence::commitment::Opening;
use crate::domain::evidence::merkle::{
    LeafHashes, NodeHash, ProofError, ProofFault, leaf_hash, prove_inclusion, verify_inclusion,
};
use crate::domain::evidence::note::Note;

/// Why there is no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError<E> {
    /// The stored checkpoint is broken.
    #[error("the stored checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The leaf hashes cannot be read, or the record is younger than the checkpoint.
    #[error(transparent)]
    Proof(#[from] ProofError<E>),
    /// The store contradicts the checkpoint: what it holds is not what was signed.
    #[error("leaf {index} does not fit the signed checkpoint ({fault}): run the audit of the log")]
    Unproved {
        /// The leaf.
        index: u64,
        /// What does not fit.
        fault: ProofFault,
    },
    /// An opening belongs to another record.
    #[error("opening {0} does not belong to the record")]
    Opening(usize),
}

/// Makes the bundle of one record. `rotations` are all announcements of the log, as (index,
/// leaf); those that are younger than the checkpoint are left out. What comes back has been
/// checked against the checkpoint's root (not its signatures).
///
/// # Errors
/// [`CreateError`].
pub fn create<L: LeafHashes + ?Sized>(
    leaves: &L,
    index: u64,
    leaf: LeafContent,
    checkpoint: Note,
    openings: Vec<Opening>,
    rotations: &[(u64, Vec<u8>)],
) -> Result<ProofBundle, CreateError<L::Error>> {
    let stated = Checkpoint::parse(checkpoint.text())?;
    let proof = prove(leaves, &stated, index, &leaf.hash())?;
    if let LeafContent::Present(bytes) = &leaf {
        let wrong = openings.iter().position(|opening| !opening.is_in(bytes));
        if let Some(at) = wrong {
            return Err(CreateError::Opening(at));
        }
    } else if !openings.is_empty() {
        return Err(CreateError::Opening(0));
    }
    let rotations = rotations
        .iter()
        .filter(|(index, _)| *index < stated.size)
        .map(|(index, leaf)| {
            let proof = prove(leaves, &stated, *index, &leaf_hash(leaf))?;
            Ok(LeafProof {
                index: *index,
                leaf: leaf.clone(),
                proof,
            })
        })
        .collect::<Result<_, CreateError<L::Error>>>()?;
    Ok(ProofBundle {
        leaf,
        index,
        proof,
        checkpoint,
        openings,
        others: Vec::new(),
        rotations,
    })
}

/// Adds further records that belong to the record, as (index, leaf), with their proofs.
///
/// # Errors
/// [`CreateError`].
pub fn add_records<L: LeafHashes + ?Sized>(
    bundle: &mut ProofBundle,
    leaves: &L,
    records: &[(u64, Vec<u8>)],
) -> Result<(), CreateError<L::Error>> {
    let stated = Checkpoint::parse(bundle.checkpoint.text())?;
    for (index, leaf) in records {
        bundle.others.push(LeafProof {
            index: *index,
            leaf: leaf.clone(),
            proof: prove(leaves, &stated, *index, &leaf_hash(leaf))?,
        });
    }
    Ok(())
}

/// The proof of a leaf, checked against the root.
fn prove<L: LeafHashes + ?Sized>(
    leaves: &L,
    stated: &Checkpoint,
    index: u64,
    leaf: &NodeHash,
) -> Result<Vec<NodeHash>, CreateError<L::Error>> {
    let proof = prove_inclusion(leaves, index, stated.size)?;
    verify_inclusion(index, stated.size, leaf, &proof, &stated.root)
        .map_err(|fault| CreateError::Unproved { index, fault })?;
    Ok(proof)
}
