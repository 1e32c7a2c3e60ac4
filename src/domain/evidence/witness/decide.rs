//! Whether to cosign.

use super::AddCheckpoint;
use crate::domain::evidence::checkpoint::{Checkpoint, CheckpointError};
use crate::domain::evidence::merkle::{NodeHash, ProofFault, verify_consistency};
use crate::domain::evidence::note::{
    KeyError, Note, Signature, SignerKey, VerifierKey, VerifyError,
};
use crate::types::Micros;

/// A log that the witness knows: its configuration, and the last thing that it cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessedLog {
    /// The log's origin.
    pub origin: String,
    /// Keys that may sign its checkpoints. After a rotation, the new key is added here.
    pub keys: Vec<VerifierKey>,
    /// The last cosigned state; none before the first.
    pub seen: Option<Seen>,
}

/// A state of a log that was cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Size of the tree.
    pub size: u64,
    /// Its root.
    pub root: NodeHash,
}

impl From<&Checkpoint> for Seen {
    /// The state in a stored checkpoint: what is needed after a restart.
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            size: checkpoint.size,
            root: checkpoint.root,
        }
    }
}

/// A checkpoint that continues the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// To be stored durably before the answer is sent.
    pub seen: Seen,
    /// The checkpoint with the log's verified signatures and the witness's cosignature, as the
    /// monitoring interface serves it.
    pub note: Note,
    /// The answer: one signature line. [`Accepted::body`] gives it with its newline.
    pub cosignature: Signature,
}

impl Accepted {
    /// The body of the answer (status 200).
    pub fn body(&self) -> String {
        format!("{}\n", self.cosignature)
    }
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The origin is not that of a configured log.
    #[error("this witness does not know the log {0}")]
    UnknownLog(String),
    /// No valid signature of the log.
    #[error("the checkpoint is not signed by the log: {0}")]
    Signature(#[from] VerifyError),
    /// The note's text is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(#[from] CheckpointError),
    /// The checkpoint would be older than what the log says we have.
    #[error("the old size {old} is larger than the size {new} of the checkpoint")]
    OldAboveNew {
        /// Size in the first line of the request.
        old: u64,
        /// Size in the checkpoint.
        new: u64,
    },
    /// The log is wrong about what we saw last: it should ask again from there.
    #[error("the last cosigned size is {seen}, not {old}")]
    Conflict {
        /// What was cosigned last.
        seen: u64,
        /// What the log believed.
        old: u64,
    },
    /// The new tree does not continue the old one. If the signature of the log is on it, this is
    /// evidence that the log was rewritten.
    #[error("the checkpoint does not continue the last one: {0}")]
    Inconsistent(#[from] ProofFault),
    /// The witness's own key or clock is at fault.
    #[error("this witness cannot cosign: {0}")]
    Key(#[from] KeyError),
}

impl Refusal {
    /// The HTTP status that the specification gives it.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldAboveNew { .. } => 400,
            Self::Signature(_) => 403,
            Self::UnknownLog(_) => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
            Self::Key(_) => 500,
        }
    }

    /// The content type of the answer.
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "text/x.tlog.size",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body of the answer: for a conflict the size alone, so that the log can go on from
    /// there; else the reason.
    pub fn body(&self) -> String {
        match self {
            Self::Conflict { seen, .. } => format!("{seen}\n"),
            other => format!("{other}\n"),
        }
    }
}

/// Judges a request and cosigns. `log` is the configured log of the checkpoint's origin (see
/// [`AddCheckpoint::origin`]); `now` is the witness's clock.
///
/// # Errors
/// [`Refusal`], with the status and body of the answer.
pub fn decide(
    log: &WitnessedLog,
    request: &AddCheckpoint,
    key: &SignerKey,
    now: Micros,
) -> Result<Accepted, Refusal> {
    let checkpoint = Checkpoint::parse(request.checkpoint.text())?;
    if checkpoint.origin != log.origin {
        return Err(Refusal::UnknownLog(checkpoint.origin));
    }
    let signed = request.checkpoint.verify(&log.keys)?;
    let (old, new) = (request.old_size, checkpoint.size);
    if old > new {
        return Err(Refusal::OldAboveNew { old, new });
    }
    let empty = Seen {
        size: 0,
        root: NodeHash::EMPTY_ROOT,
    };
    let seen = log.seen.unwrap_or(empty);
    if seen.size != old {
        return Err(Refusal::Conflict {
            seen: seen.size,
            old,
        });
    }
    verify_consistency(old, new, &seen.root, &checkpoint.root, &request.proof)?;

    let cosignature = key.cosign(request.checkpoint.text(), now)?;
    let mut note =
        Note::new(request.checkpoint.text().to_owned()).map_err(CheckpointError::from)?;
    // Unverified signatures are not passed on in the witness's name.
    let verified = request
        .checkpoint
        .signatures()
        .iter()
        .filter(|signature| signed.iter().any(|signed| signature.is_by(signed.key)));
    verified.cloned().for_each(|signature| note.add(signature));
    note.add(cosignature.clone());
    Ok(Accepted {
        seen: Seen::from(&checkpoint),
        note,
        cosignature,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::evidence::merkle::{Tree, leaf_hash, prove_consistency, root_at};
    use crate::domain::evidence::note::SignatureType;

    const NOW: Micros = Micros::from_secs(1_679_315_147);
    const ORIGIN: &str = "node-1.example/egret";

    struct World {
        log: SignerKey,
        witness: SignerKey,
        leaves: Vec<NodeHash>,
    }

    impl World {
        fn new() -> Self {
            let key = |name, kind, seed| SignerKey::from_seed(name, kind, &[seed; 32]).unwrap();
            Self {
                log: key(ORIGIN, SignatureType::Ed25519, 1),
                witness: key("witness.example/w1", SignatureType::CosignatureV1, 2),
                leaves: (0_u32..40).map(|n| leaf_hash(&n.to_be_bytes())).collect(),
            }
        }

        fn configured(&self, seen: Option<u64>) -> WitnessedLog {
            WitnessedLog {
                origin: ORIGIN.to_owned(),
                keys: vec![self.log.verifier().clone()],
                seen: seen.map(|size| Seen {
                    size,
                    root: root_at(&self.leaves[..], size).unwrap(),
                }),
            }
        }

        fn checkpoint(&self, size: usize) -> Checkpoint {
            let mut tree = Tree::new();
            self.leaves[..size]
                .iter()
                .for_each(|leaf| tree.append(*leaf));
            Checkpoint::of(ORIGIN, &tree)
        }

        fn request(&self, old: u64, new: usize) -> AddCheckpoint {
            AddCheckpoint {
                old_size: old,
                proof: prove_consistency(&self.leaves[..], old, new as u64).unwrap(),
                checkpoint: self.checkpoint(new).sign(&self.log).unwrap(),
            }
        }

        fn decide(&self, seen: Option<u64>, request: &AddCheckpoint) -> Result<Accepted, Refusal> {
            decide(&self.configured(seen), request, &self.witness, NOW)
        }
    }

    #[test]
    fn a_log_that_grows_is_cosigned_and_one_can_check_it() {
        let world = World::new();
        let mut log = world.configured(None);
        let mut old = 0;
        for new in [0, 1, 5, 5, 8, 33, 40] {
            let accepted = decide(&log, &world.request(old, new), &world.witness, NOW).unwrap();
            assert_eq!(accepted.seen.size, new as u64);
            let keys = [
                world.log.verifier().clone(),
                world.witness.verifier().clone(),
            ];
            let signed = accepted.note.verify(&keys).unwrap();
            assert_eq!(signed.len(), 2);
            assert_eq!(signed[1].at, Some(NOW));
            assert!(accepted.body().starts_with("— witness.example/w1 "));
            log.seen = Some(accepted.seen);
            old = new as u64;
        }
    }

    #[test]
    fn refusals_have_the_status_of_the_specification() {
        let world = World::new();
        let good = world.request(5, 8);
        let status =
            |seen, request: &AddCheckpoint| world.decide(seen, request).unwrap_err().status();

        let mut other = world.configured(Some(5));
        other.origin = "elsewhere".into();
        assert_eq!(
            decide(&other, &good, &world.witness, NOW)
                .unwrap_err()
                .status(),
            404
        );

        let thief = SignerKey::from_seed(ORIGIN, SignatureType::Ed25519, &[9; 32]).unwrap();
        let forged = AddCheckpoint {
            checkpoint: world.checkpoint(8).sign(&thief).unwrap(),
            ..good.clone()
        };
        assert_eq!(status(Some(5), &forged), 403);

        assert_eq!(
            status(
                Some(9),
                &AddCheckpoint {
                    old_size: 9,
                    ..good.clone()
                }
            ),
            400
        );

        let conflict = world.decide(Some(6), &good).unwrap_err();
        assert_eq!((conflict.status(), conflict.body().as_str()), (409, "6\n"));
        assert_eq!(status(None, &good), 409);

        let no_proof = AddCheckpoint {
            proof: Vec::new(),
            ..good.clone()
        };
        assert_eq!(status(Some(5), &no_proof), 422);
        let needless = AddCheckpoint {
            old_size: 0,
            ..good
        };
        assert_eq!(status(None, &needless), 422);
    }

    #[test]
    fn a_rewritten_log_is_not_cosigned() {
        let honest = World::new();
        let mut rewritten = World::new();
        rewritten.leaves[3] = leaf_hash(b"changed");
        for new in [5, 8, 40] {
            let refusal = decide(
                &honest.configured(Some(5)),
                &rewritten.request(5, new),
                &honest.witness,
                NOW,
            )
            .unwrap_err();
            assert_eq!(refusal.status(), 422, "size {new}");
        }
        // An empty tree has one root only.
        let fake = Checkpoint {
            root: leaf_hash(b"x"),
            ..honest.checkpoint(0)
        };
        let request = AddCheckpoint {
            old_size: 0,
            proof: Vec::new(),
            checkpoint: fake.sign(&honest.log).unwrap(),
        };
        assert_eq!(honest.decide(None, &request).unwrap_err().status(), 422);
    }

    #[test]
    fn the_wrong_kind_of_key_is_the_witness_own_fault() {
        let world = World::new();
        let request = world.request(0, 3);
        let refusal = decide(&world.configured(None), &request, &world.log, NOW).unwrap_err();
        assert_eq!(refusal.status(), 500);
    }

    proptest! {
        /// Two histories that part at leaf 10: whatever is asked in whatever order, the witness
        /// follows one of them only, and its size never falls.
        #[test]
        fn a_witness_never_cosigns_two_histories(
            asked in prop::collection::vec((any::<bool>(), 0_usize..=40), 1..20),
        ) {
            let one = World::new();
            let mut two = World::new();
            (10..40).for_each(|at| two.leaves[at] = leaf_hash(b"another history"));
            let mut log = one.configured(None);
            let mut sides = [false; 2];
            for (side, new) in asked {
                let world = if side { &two } else { &one };
                let old = log.seen.map_or(0, |seen| seen.size);
                if old > new as u64 {
                    continue;
                }
                if let Ok(accepted) = decide(&log, &world.request(old, new), &one.witness, NOW) {
                    prop_assert!(accepted.seen.size >= old);
                    if new > 10 {
                        sides[usize::from(side)] = true;
                    }
                    log.seen = Some(accepted.seen);
                }
            }
            prop_assert!(sides != [true, true]);
        }
    }
}
