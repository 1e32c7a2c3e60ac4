//! A log through kills, stops, and changes of its key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use egret::sim::Vendor;

use super::{TRADES, call, config, copy, fault, files, made, verify};
use crate::evidence::python;
use crate::harness::{Config, Sim, egret, until};

#[test]
fn the_log_goes_on_after_kill_9() {
    let sim = Sim::start(Vendor::Cybrid);
    let mut config = config(&sim);
    for round in 0..4 {
        let gateway = config.start();
        call(&gateway, 5 + round);
        config = gateway.kill();
        // Half an entry, as a power cut leaves it.
        if let Some(last) = files(&config, ".checkpoints").last() {
            let text = fs::read(last).unwrap();
            fs::write(last, [&text[..], &text[..text.len().min(30)]].concat()).unwrap();
        }
        if let Some(last) = files(&config, ".leaves").last() {
            let bytes = fs::read(last).unwrap();
            fs::write(last, &bytes[..bytes.len() / 2]).unwrap();
        }
    }
    let (ran, config) = config.start().stop();
    assert!(!ran.stderr.contains("not sealed"), "{}", ran.stderr);
    let report = verify(&config);
    assert_eq!(report["sound"], true, "{report:#}");
    assert_eq!(report["records_behind"], 0, "{report:#}");
}

#[test]
fn tampering_is_told_at_the_next_start_and_calls_go_on() {
    let sim = Sim::start(Vendor::Cybrid);
    let (config, _) = made(&sim);
    let leaves = files(&config, ".leaves").pop().unwrap();
    let mut bytes = fs::read(&leaves).unwrap();
    bytes[3] ^= 1;
    fs::write(&leaves, bytes).unwrap();
    let gateway = config.start();
    gateway.wait_for_log("the log is not sealed any more; calls go on and are in the journal");
    assert_eq!(gateway.post(TRADES, &[], "{}").status, 401);
    let (_, config) = gateway.stop();
    assert_eq!(fault(&config)["kind"], "leaf_hash");
}

#[test]
fn a_log_keeps_its_key_and_its_name() {
    let sim = Sim::start(Vendor::Cybrid);
    let (config, _) = made(&sim);
    let path = config.directory().join("data/signing.key");
    let refused = |config: Config| {
        let Err(ran) = config.try_start() else {
            panic!("it started");
        };
        ran.stderr
    };
    let text = fs::read(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let open = copy(&config, &sim);
    let there = open.directory().join("data/signing.key");
    fs::set_permissions(&there, fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused(open);
    assert!(error.contains("chmod 600"), "{error}");

    let missing = copy(&config, &sim);
    fs::remove_file(missing.directory().join("data/signing.key")).unwrap();
    let error = refused(missing);
    assert!(error.contains("is missing"), "{error}");

    let seed = "seed:0101010101010101010101010101010101010101010101010101010101010101";
    let other = copy(&config, &sim);
    fs::write(other.directory().join("data/signing.key"), seed).unwrap();
    let error = refused(other);
    assert!(error.contains("rotation"), "{error}");

    let from_env = copy(&config, &sim).variable("EGRET_SIGNING_KEY", seed);
    let error = refused(from_env);
    assert!(error.contains("EGRET_SIGNING_KEY"), "{error}");
    assert!(!error.contains("0101010101"), "{error}");

    let renamed = copy(&config, &sim).variable("EGRET_EVIDENCE_ORIGIN", "egret/other");
    let error = refused(renamed);
    assert!(error.contains("egret/other"), "{error}");

    let right = String::from_utf8(text).unwrap();
    let given = copy(&config, &sim).variable("EGRET_SIGNING_KEY", &right);
    fs::remove_file(given.directory().join("data/signing.key")).unwrap();
    let (_, given) = given.start().stop();
    assert_eq!(verify(&given)["sound"], true);
}

#[test]
fn a_key_is_changed_inside_one_log() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = config(&sim).start();
    let calls = call(&gateway, 3);
    gateway.rows(3, &[]);
    let first = gateway.egret(&["audit", "key"]).ok().trim().to_owned();
    let file = gateway.directory().join("old.tlog-proof");
    let path = file.to_str().unwrap().to_owned();
    until("the call is under a checkpoint", || {
        gateway
            .egret(&["audit", "prove", &calls[2], "-o", &path])
            .status
            .success()
    });
    // Beside the running gateway.
    let said = gateway.egret(&["audit", "rotate-key"]).ok();
    let second = said.lines().next().unwrap().to_owned();
    assert_ne!(first, second);
    gateway.wait_for_log("the log is signed by a new key from this record on");
    assert!(!gateway.directory().join("data/signing.key.next").exists());
    assert_eq!(gateway.egret(&["audit", "key"]).ok().trim(), second);
    let later = call(&gateway, 3);
    let (_, config) = gateway.stop();
    // While it is stopped: announced at the next start.
    let said = config.egret(&["audit", "rotate-key"]).ok();
    let third = said.lines().next().unwrap().to_owned();
    let error = config.egret(&["audit", "rotate-key"]).failed();
    assert!(error.contains("under way"), "{error}");
    let gateway = config.start();
    gateway.wait_for_log("the log is signed by a new key from this record on");
    let (_, config) = gateway.stop();
    let all = config.egret(&["audit", "key", "--all"]).ok();
    assert_eq!(
        all.lines().collect::<Vec<_>>(),
        [&*first, &*second, &*third]
    );
    let report = verify(&config);
    assert_eq!(report["sound"], true, "{report:#}");
    for known in [&first, &second, &third] {
        config.egret(&["audit", "verify", "--key", known]).ok();
    }
    // The old proof, and a new one by the first key as by the last.
    egret(&["audit", "verify-proof", &path, "--key", &first]).ok();
    let fresh = config.directory().join("new.tlog-proof");
    let fresh = fresh.to_str().unwrap();
    config
        .egret(&["audit", "prove", &later[0], "-o", fresh])
        .ok();
    for known in [&first, &second, &third] {
        egret(&["audit", "verify-proof", fresh, "--key", known]).ok();
    }
    if let Some(python) = python() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/verify_proof.py");
        let output = Command::new(python)
            .arg(script)
            .args([fresh, &first])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("\"rotations\": 2"), "{said}");
    }
}
