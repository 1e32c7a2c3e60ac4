//! A small log with a key change, a pruned record, a subject and a witness.

use super::{LeafContent, ProofBundle, Trust, create};
use crate::domain::evidence::{
    Checkpoint, KeyRotation, Opening, Salt, SignatureType, SignerKey,
    merkle::{NodeHash, Tree, leaf_hash},
};
use crate::domain::record::Pseudonym;
use crate::types::Micros;

pub(crate) const ORIGIN: &str = "node-1.example/egret";
pub(crate) const ROTATED_AT: u64 = 11;
pub(crate) const SUBJECT_AT: u64 = 4;
pub(crate) const COSIGNED_AT: Micros = Micros::from_secs(1_679_315_147);

pub(crate) struct SampleLog {
    pub(crate) old: SignerKey,
    pub(crate) new: SignerKey,
    pub(crate) witness: SignerKey,
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) hashes: Vec<NodeHash>,
}

pub(crate) fn opening() -> Opening {
    Opening {
        salt: Salt::from_bytes([0xa5; 16]),
        pseudonym: Pseudonym::from_bytes([0x5a; 16]),
    }
}

impl SampleLog {
    pub(crate) fn new() -> Self {
        let key = |name, kind, seed| SignerKey::from_seed(name, kind, &[seed; 32]).unwrap();
        let old = key(ORIGIN, SignatureType::Ed25519, 1);
        let new = key(ORIGIN, SignatureType::Ed25519, 2);
        let leaves: Vec<Vec<u8>> = (0..23)
            .map(|n| match n {
                ROTATED_AT => KeyRotation::sign(n, &old, &new).unwrap(),
                SUBJECT_AT => [b"subject ".as_slice(), opening().commit().as_bytes()].concat(),
                _ => format!("{{\"call\":{n}}}").into_bytes(),
            })
            .collect();
        let hashes = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let witness = key("witness.example/w1", SignatureType::CosignatureV1, 3);
        Self {
            old,
            new,
            witness,
            leaves,
            hashes,
        }
    }

    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        let mut tree = Tree::new();
        self.hashes
            .iter()
            .take(size as usize)
            .for_each(|leaf| tree.append(*leaf));
        Checkpoint::of(ORIGIN, &tree)
    }

    /// The bundle of a leaf under the checkpoint of a size, signed by the key in force.
    pub(crate) fn bundle(&self, index: u64, size: u64) -> ProofBundle {
        let key = if size > ROTATED_AT {
            &self.new
        } else {
            &self.old
        };
        let mut note = self.checkpoint(size).sign(key).unwrap();
        note.add(self.witness.cosign(note.text(), COSIGNED_AT).unwrap());
        let rotation = (ROTATED_AT, self.leaves[ROTATED_AT as usize].clone());
        let leaf = LeafContent::Present(self.leaves[index as usize].clone());
        let openings = if index == SUBJECT_AT {
            vec![opening()]
        } else {
            Vec::new()
        };
        create(&self.hashes[..], index, leaf, note, openings, &[rotation]).unwrap()
    }

    /// Trusts the first key and the witness.
    pub(crate) fn trust(&self) -> Trust {
        Trust {
            logs: vec![self.old.verifier().clone()],
            witnesses: vec![self.witness.verifier().clone()],
            quorum: 1,
        }
    }
}
