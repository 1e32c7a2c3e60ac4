//! A proof bundle checked by an implementation that is not ours: `tests/python/verify_proof.py`,
//! on Python's `hashlib` and the public `cryptography` package.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use egret::domain::evidence::bundle::{LeafContent, ProofBundle, create};
use egret::domain::evidence::merkle::{NodeHash, Tree, leaf_hash};
use egret::domain::evidence::{Checkpoint, KeyRotation, Opening, Salt, SignatureType, SignerKey};
use egret::domain::record::Pseudonym;
use egret::types::Micros;
use serde_json::{Value, json};

const ORIGIN: &str = "node-1.example/egret";
const WITNESS: &str = "witness.example/w1";
const RECORDS: u64 = 1_000;
const ROTATIONS: [u64; 2] = [100, 700];
const SUBJECT_AT: u64 = 333;

struct Log {
    keys: [SignerKey; 3],
    witness: SignerKey,
    leaves: Vec<Vec<u8>>,
    hashes: Vec<NodeHash>,
}

fn opening() -> Opening {
    Opening {
        salt: Salt::from_bytes([1; 16]),
        pseudonym: Pseudonym::from_bytes([2; 16]),
    }
}

impl Log {
    fn new() -> Self {
        let key = |name, kind, seed| SignerKey::from_seed(name, kind, &[seed; 32]).unwrap();
        let keys = [1, 2, 3].map(|seed| key(ORIGIN, SignatureType::Ed25519, seed));
        let witness = key(WITNESS, SignatureType::CosignatureV1, 4);
        let leaf = |n| {
            if n == ROTATIONS[0] {
                KeyRotation::sign(n, &keys[0], &keys[1]).unwrap()
            } else if n == ROTATIONS[1] {
                KeyRotation::sign(n, &keys[1], &keys[2]).unwrap()
            } else if n == SUBJECT_AT {
                [b"subject ".as_slice(), opening().commit().as_bytes()].concat()
            } else {
                // Not text, and one of them empty.
                n.to_be_bytes()
                    .into_iter()
                    .skip_while(|byte| *byte == 0)
                    .collect()
            }
        };
        let leaves: Vec<Vec<u8>> = (0..RECORDS).map(leaf).collect();
        let hashes = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        Self {
            keys,
            witness,
            leaves,
            hashes,
        }
    }

    fn bundle(&self, index: u64, size: u64) -> ProofBundle {
        let mut tree = Tree::new();
        self.hashes
            .iter()
            .take(size as usize)
            .for_each(|leaf| tree.append(*leaf));
        let past = ROTATIONS.iter().filter(|at| **at < size).count();
        let mut note = Checkpoint::of(ORIGIN, &tree)
            .sign(&self.keys[past])
            .unwrap();
        let at = Micros::from_secs(1_679_315_147);
        note.add(self.witness.cosign(note.text(), at).unwrap());
        let rotations = ROTATIONS.map(|at| (at, self.leaves[at as usize].clone()));
        let leaf = LeafContent::Present(self.leaves[index as usize].clone());
        let openings = if index == SUBJECT_AT {
            vec![opening()]
        } else {
            Vec::new()
        };
        create(&self.hashes[..], index, leaf, note, openings, &rotations).unwrap()
    }
}

/// What the script needs besides Python.
const LIBRARY: &str = "cryptography==48.0.0";

/// An interpreter with the library: the system's, or one of our own below `target`, made once.
/// Without either the test is skipped, loudly, and never in CI.
pub fn python() -> Option<PathBuf> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap();
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-evidence");
    let ours = own.join("bin/python");
    let imports = |python: &Path| done(Command::new(python).args(["-c", "import cryptography"]));
    for python in [PathBuf::from("python3"), ours.clone()] {
        if imports(&python) {
            return Some(python);
        }
    }
    let made = done(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&own),
    ) && done(Command::new(&ours).args(["-m", "pip", "install", "--quiet", LIBRARY]));
    if made && imports(&ours) {
        return Some(ours);
    }
    let why = format!(
        "proof bundles were not checked independently: no python3 that can import {LIBRARY}"
    );
    assert!(std::env::var_os("CI").is_none(), "{why}, and CI is set");
    eprintln!("SKIPPED: {why}");
    None
}

fn done(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

fn run(python: &Path, bundle: &str, log: &Log) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("record.tlog-proof");
    std::fs::write(&file, bundle).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/verify_proof.py");
    Command::new(python)
        .arg(script)
        .arg(file)
        .arg(log.keys[0].verifier().to_string())
        .arg(log.witness.verifier().to_string())
        .output()
        .unwrap()
}

#[test]
fn another_implementation_verifies_our_bundles() {
    let Some(python) = python() else { return };
    let log = Log::new();
    for (index, size, rotations) in [
        (0, 1, 0),
        (0, 100, 0),
        (99, 101, 1),
        (SUBJECT_AT, 777, 2),
        (999, 1_000, 2),
    ] {
        let output = run(&python, &log.bundle(index, size).to_string(), &log);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{stdout}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let proved: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(proved["origin"], ORIGIN);
        assert_eq!(
            (&proved["index"], &proved["size"]),
            (&json!(index), &json!(size))
        );
        assert_eq!(proved["rotations"], json!(rotations));
        assert_eq!(
            proved["signed_by"],
            log.keys[rotations].verifier().to_string()
        );
        assert_eq!(proved["witnesses"][WITNESS], json!(1_679_315_147));
        let shown = if index == SUBJECT_AT {
            json!(["02".repeat(16)])
        } else {
            json!([])
        };
        assert_eq!(proved["pseudonyms"], shown);
    }
    let mut pruned = log.bundle(5, 1_000);
    pruned.leaf = LeafContent::Pruned(pruned.leaf.hash());
    let output = run(&python, &pruned.to_string(), &log);
    let proved: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(proved["pruned"], json!(true));
}

#[test]
fn another_implementation_refuses_what_we_refuse() {
    let Some(python) = python() else { return };
    let log = Log::new();
    let good = log.bundle(5, 1_000);
    let refused = |bundle: &ProofBundle, step: &str| {
        let output = run(&python, &bundle.to_string(), &log);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with(step), "{said}");
    };
    let changed = LeafContent::Present(b"changed".to_vec());
    refused(
        &ProofBundle {
            leaf: changed,
            ..good.clone()
        },
        "inclusion",
    );
    refused(
        &ProofBundle {
            index: 6,
            ..good.clone()
        },
        "inclusion",
    );
    refused(
        &ProofBundle {
            rotations: Vec::new(),
            ..good.clone()
        },
        "signature",
    );
    refused(
        &ProofBundle {
            openings: vec![opening()],
            ..good.clone()
        },
        "opening",
    );
    let mut swapped = good;
    swapped.rotations.swap(0, 1);
    refused(&swapped, "rotation");
}
