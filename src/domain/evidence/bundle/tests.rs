//! Bundles end to end: made, read, checked and tampered with.

use proptest::prelude::*;

use super::samples::{COSIGNED_AT, ORIGIN, ROTATED_AT, SUBJECT_AT, SampleLog, opening};
use super::*;
use crate::domain::evidence::merkle::{MAX_PROOF_HASHES, NodeHash};
use crate::domain::evidence::{SignatureType, SignerKey, VerifyError};

/// The steps of verification.
#[derive(Debug, PartialEq)]
enum Step {
    Format,
    Checkpoint,
    Rotation,
    Signature,
    Witness,
    Inclusion,
    Opening,
}

impl BundleFault {
    const fn step(&self) -> Step {
        match self {
            Self::Format(_) => Step::Format,
            Self::Checkpoint(_) | Self::UnknownLog(_) => Step::Checkpoint,
            Self::RotationNotInLog { .. } | Self::Rotation { .. } => Step::Rotation,
            Self::Signature(_) => Step::Signature,
            Self::WrongCosignature(_) | Self::Quorum { .. } => Step::Witness,
            Self::Inclusion { .. } => Step::Inclusion,
            Self::Opening(_) => Step::Opening,
        }
    }
}

fn verify(bundle: &ProofBundle, trust: &Trust) -> Result<Verified, BundleFault> {
    verify_bundle(bundle.to_string().as_bytes(), trust)
}

fn failing_step(bundle: &ProofBundle, trust: &Trust) -> Step {
    verify(bundle, trust).unwrap_err().step()
}

#[test]
fn every_record_under_every_checkpoint_verifies() {
    let log = SampleLog::new();
    for size in 1..=23 {
        for index in 0..size {
            let bundle = log.bundle(index, size);
            assert_eq!(
                ProofBundle::parse(bundle.to_string().as_bytes()).unwrap(),
                bundle
            );
            let verified = verify(&bundle, &log.trust()).unwrap();
            assert_eq!((verified.index, verified.size), (index, size));
            assert_eq!(
                verified.leaf,
                LeafContent::Present(log.leaves[index as usize].clone())
            );
            let rotated = size > ROTATED_AT;
            let key = if rotated { &log.new } else { &log.old };
            assert_eq!(&verified.signed_by, key.verifier());
            assert_eq!(verified.rotations, usize::from(rotated));
            assert_eq!(verified.witnesses[0].at, Some(COSIGNED_AT));
        }
    }
}

#[test]
fn a_later_pinned_key_is_enough() {
    let log = SampleLog::new();
    let trust = Trust {
        logs: vec![log.new.verifier().clone()],
        ..log.trust()
    };
    assert_eq!(verify(&log.bundle(3, 20), &trust).unwrap().rotations, 0);
    let both = vec![log.new.verifier().clone(), log.old.verifier().clone()];
    let trust = Trust {
        logs: both,
        ..log.trust()
    };
    assert_eq!(verify(&log.bundle(3, 20), &trust).unwrap().rotations, 1);
    assert_eq!(verify(&log.bundle(3, 8), &trust).unwrap().rotations, 0);
}

#[test]
fn a_pruned_record_still_proves_its_place() {
    let log = SampleLog::new();
    let mut bundle = log.bundle(7, 20);
    bundle.leaf = LeafContent::Pruned(bundle.leaf.hash());
    let verified = verify(&bundle, &log.trust()).unwrap();
    assert_eq!(verified.leaf, LeafContent::Pruned(log.hashes[7]));
    // And its neighbours' proofs were made without its content.
    verify(&log.bundle(6, 20), &log.trust()).unwrap();
}

#[test]
fn a_subject_is_shown_or_withheld_and_the_proof_holds() {
    let log = SampleLog::new();
    let mut bundle = log.bundle(SUBJECT_AT, 20);
    assert_eq!(verify(&bundle, &log.trust()).unwrap().openings, [opening()]);
    bundle.openings.clear();
    assert_eq!(verify(&bundle, &log.trust()).unwrap().openings, []);
    bundle.openings = vec![
        opening(),
        crate::domain::evidence::Opening {
            pseudonym: crate::domain::record::Pseudonym::from_bytes([1; 16]),
            ..opening()
        },
    ];
    assert_eq!(verify(&bundle, &log.trust()), Err(BundleFault::Opening(1)));
}

#[test]
fn each_lie_fails_at_its_step() {
    let log = SampleLog::new();
    let trust = log.trust();
    let good = log.bundle(3, 20);

    let leaf = LeafContent::Present(b"{\"call\":99}".to_vec());
    assert_eq!(
        failing_step(
            &ProofBundle {
                leaf,
                ..good.clone()
            },
            &trust
        ),
        Step::Inclusion
    );
    let moved = ProofBundle {
        index: 2,
        ..good.clone()
    };
    assert_eq!(failing_step(&moved, &trust), Step::Inclusion);
    let outside = ProofBundle {
        index: 20,
        ..good.clone()
    };
    assert_eq!(failing_step(&outside, &trust), Step::Inclusion);

    let mut forged = good.clone();
    let thief = SignerKey::from_seed(ORIGIN, SignatureType::Ed25519, &[66; 32]).unwrap();
    forged.checkpoint = log.checkpoint(20).sign(&thief).unwrap();
    assert_eq!(failing_step(&forged, &trust), Step::Signature);

    let mut old_key = good.clone();
    old_key.checkpoint = log.checkpoint(20).sign(&log.old).unwrap();
    assert_eq!(
        verify(&old_key, &trust),
        Err(BundleFault::Signature(VerifyError::NoTrustedSignature)),
        "the replaced key signs nothing after its rotation"
    );

    let mut no_history = good.clone();
    no_history.rotations.clear();
    assert_eq!(failing_step(&no_history, &trust), Step::Signature);
    let mut false_history = good.clone();
    false_history.rotations[0].leaf[30] ^= 1;
    assert_eq!(failing_step(&false_history, &trust), Step::Rotation);
    let mut misplaced = good.clone();
    misplaced.rotations[0].index = 12;
    assert_eq!(failing_step(&misplaced, &trust), Step::Rotation);

    let lonely = Trust {
        quorum: 2,
        ..trust.clone()
    };
    assert_eq!(
        verify(&good, &lonely),
        Err(BundleFault::Quorum {
            found: 1,
            wanted: 2
        })
    );
    let twin = SignerKey::from_seed("twin", SignatureType::CosignatureV1, &[3; 32]).unwrap();
    let mut twins = good.clone();
    let cosignature = twin.cosign(twins.checkpoint.text(), COSIGNED_AT).unwrap();
    twins.checkpoint.add(cosignature);
    let both = vec![log.witness.verifier().clone(), twin.verifier().clone()];
    let fooled = Trust {
        witnesses: both,
        quorum: 2,
        ..trust.clone()
    };
    assert_eq!(failing_step(&twins, &fooled), Step::Witness);

    let stranger = Trust {
        logs: Vec::new(),
        ..trust
    };
    assert_eq!(
        verify(&good, &stranger),
        Err(BundleFault::UnknownLog(ORIGIN.into()))
    );
}

#[test]
fn a_wrong_cosignature_is_not_a_missing_one() {
    let log = SampleLog::new();
    let good = log.bundle(3, 20).to_string();
    let line = good.lines().last().unwrap();
    let bad = good.replace(line, &format!("{}AAAA", &line[..line.len() - 4]));
    let fault = verify_bundle(
        bad.as_bytes(),
        &Trust {
            quorum: 0,
            ..log.trust()
        },
    )
    .unwrap_err();
    assert_eq!(fault.step(), Step::Witness);
}

#[test]
fn a_store_that_contradicts_the_checkpoint_makes_no_bundle() {
    let mut log = SampleLog::new();
    let note = log.checkpoint(20).sign(&log.new).unwrap();
    log.hashes[9] = NodeHash::EMPTY_ROOT;
    let leaf = LeafContent::Present(log.leaves[3].clone());
    let error = create(&log.hashes[..], 3, leaf, note, Vec::new(), &[]).unwrap_err();
    assert!(matches!(error, CreateError::Unproved { index: 3, .. }));
}

#[test]
fn the_form_is_checked_line_by_line() {
    let log = SampleLog::new();
    let good = log.bundle(0, 20).to_string();
    let parse = |text: &str| ProofBundle::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse(""), BundleError::Header);
    assert_eq!(
        parse("c2sp.org/tlog-proof@v1\nindex 0\n\nx\n"),
        BundleError::NoExtra
    );
    assert_eq!(
        parse(&good.replace("index 0", "index 00")),
        BundleError::Index
    );
    let second_hash = good.lines().nth(4).unwrap();
    assert_eq!(
        parse(&good.replace(second_hash, "AAAA")),
        BundleError::Hash(2)
    );
    let many = good.replace(second_hash, &[second_hash; MAX_PROOF_HASHES + 1].join("\n"));
    assert_eq!(parse(&many), BundleError::Hash(MAX_PROOF_HASHES + 1));
    assert_eq!(ProofBundle::parse(b"\xff"), Err(BundleError::NotText));
    let long = vec![b'a'; MAX_BUNDLE_BYTES + 1];
    assert_eq!(ProofBundle::parse(&long), Err(BundleError::TooLong));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_byte_never_changes_what_is_proved(
        index in 0_u64..20,
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let log = SampleLog::new();
        let trust = Trust { quorum: 0, ..log.trust() };
        let good = log.bundle(index, 20);
        let proved = verify(&good, &trust).unwrap();
        let mut bytes = good.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // Only the lines of unknown signers and of what a bundle may leave out can be spoilt
        // without notice; the record and its place cannot.
        if let Ok(changed) = verify_bundle(&bytes, &trust) {
            prop_assert_eq!(changed.leaf, proved.leaf);
            prop_assert_eq!((changed.index, changed.root), (proved.index, proved.root));
        }
    }
}
