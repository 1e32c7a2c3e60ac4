//! The cost of evidence: per record, per checkpoint, per proof.
//!
//! `cargo bench --bench evidence`. Leaf and tree are paid for every record, the checkpoint about
//! once a second, the proofs by auditors and witnesses.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use egret::domain::evidence::bundle::{LeafContent, Trust, create, verify_bundle};
use egret::domain::evidence::merkle::{
    NodeHash, Tree, leaf_hash, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use egret::domain::evidence::{
    Checkpoint, Note, Opening, Salt, SignatureType, SignerKey, VerifierKey,
};
use egret::domain::record::Pseudonym;
use egret::types::Micros;

fn main() {
    divan::main();
}

/// A record of usual size.
const LEAF_BYTES: usize = 512;
const LEAVES: u64 = 100_000;
const ORIGIN: &str = "node-1.example/egret";

fn hashes() -> Vec<NodeHash> {
    (0..LEAVES).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn tree(hashes: &[NodeHash]) -> Tree {
    let mut tree = Tree::new();
    hashes.iter().for_each(|leaf| tree.append(*leaf));
    tree
}

#[expect(clippy::unwrap_used, reason = "a bench may stop")]
fn key(name: &str, kind: SignatureType) -> SignerKey {
    SignerKey::from_seed(name, kind, &[7; 32]).unwrap()
}

#[expect(clippy::unwrap_used, reason = "a bench may stop")]
fn signed() -> (Checkpoint, Note, Vec<VerifierKey>) {
    let log = key(ORIGIN, SignatureType::Ed25519);
    let witness = key("witness.example/w1", SignatureType::CosignatureV1);
    let checkpoint = Checkpoint::of(ORIGIN, &tree(&hashes()));
    let mut note = checkpoint.sign(&log).unwrap();
    note.add(witness.cosign(note.text(), Micros(0)).unwrap());
    (
        checkpoint,
        note,
        vec![log.verifier().clone(), witness.verifier().clone()],
    )
}

#[divan::bench]
fn leaf_hash_512_bytes(bencher: Bencher) {
    let leaf = [7; LEAF_BYTES];
    bencher
        .counter(BytesCount::new(LEAF_BYTES))
        .bench(|| leaf_hash(black_box(&leaf)));
}

/// Leaf hash and tree together: what each record pays.
#[divan::bench]
fn append_1000_records(bencher: Bencher) {
    let leaf = [7; LEAF_BYTES];
    bencher
        .counter(ItemsCount::new(1_000_usize))
        .with_inputs(Tree::new)
        .bench_refs(|tree| {
            for _ in 0..1_000 {
                tree.append(leaf_hash(black_box(&leaf)));
            }
        });
}

#[divan::bench]
fn commit_to_a_subject(bencher: Bencher) {
    let opening = Opening {
        salt: Salt::from_bytes([1; 16]),
        pseudonym: Pseudonym::from_bytes([2; 16]),
    };
    bencher.bench(|| black_box(&opening).commit());
}

#[divan::bench]
fn checkpoint_sign(bencher: Bencher) {
    let tree = tree(&hashes());
    let key = key(ORIGIN, SignatureType::Ed25519);
    bencher.bench(|| {
        Checkpoint::of(ORIGIN, black_box(&tree))
            .sign(&key)
            .map(|n| n.to_string())
    });
}

#[divan::bench]
fn checkpoint_verify_with_one_cosignature(bencher: Bencher) {
    let (_, note, keys) = signed();
    let bytes = note.to_string();
    bencher.bench(|| Note::parse(black_box(bytes.as_bytes())).map(|n| n.verify(&keys).is_ok()));
}

#[divan::bench]
fn inclusion_prove_from_leaves(bencher: Bencher) {
    let hashes = hashes();
    bencher.bench(|| prove_inclusion(black_box(&hashes[..]), LEAVES / 3, LEAVES));
}

#[divan::bench]
#[expect(clippy::unwrap_used, reason = "a bench may stop")]
fn inclusion_verify(bencher: Bencher) {
    let hashes = hashes();
    let (index, root) = (LEAVES / 3, tree(&hashes).root());
    let proof = prove_inclusion(&hashes[..], index, LEAVES).unwrap();
    let leaf = leaf_hash(&index.to_be_bytes());
    bencher.bench(|| verify_inclusion(index, LEAVES, &leaf, black_box(&proof), &root));
}

#[divan::bench]
#[expect(clippy::unwrap_used, reason = "a bench may stop")]
fn consistency_verify(bencher: Bencher) {
    let hashes = hashes();
    let (old, new) = (LEAVES - 1_000, LEAVES);
    let proof = prove_consistency(&hashes[..], old, new).unwrap();
    let old_root = tree(&hashes[..old as usize]).root();
    let new_root = tree(&hashes).root();
    bencher.bench(|| verify_consistency(old, new, &old_root, &new_root, black_box(&proof)));
}

#[divan::bench]
#[expect(clippy::unwrap_used, reason = "a bench may stop")]
fn bundle_verify(bencher: Bencher) {
    let hashes = hashes();
    let (_, note, mut keys) = signed();
    let index = LEAVES / 3;
    let leaf = LeafContent::Present(index.to_be_bytes().to_vec());
    let bundle = create(&hashes[..], index, leaf, note, Vec::new(), &[])
        .unwrap()
        .to_string();
    let witnesses = keys.split_off(1);
    let trust = Trust {
        logs: keys,
        witnesses,
        quorum: 1,
    };
    verify_bundle(bundle.as_bytes(), &trust).unwrap();
    bencher.bench(|| verify_bundle(black_box(bundle.as_bytes()), &trust));
}
