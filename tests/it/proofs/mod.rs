//! Evidence from end to end: a real gateway's log is verified, proved, tampered with, rotated and
//! witnessed.

mod life;
mod tampering;
mod witness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use egret::sim::Vendor;
use serde_json::Value;

use crate::evidence::python;
use crate::harness::{Config, Gateway, Ran, Sim, egret};

const TRADES: &str = "/cybrid/bank/api/trades";

fn config(sim: &Sim) -> Config {
    Config::new()
        .log("warn,egret=info")
        .cybrid(&sim.url())
        .section("[evidence]\ninterval = \"20ms\"")
}

/// Makes calls; gives their ids.
fn call(gateway: &Gateway, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| gateway.post(TRADES, &[], "{}").call_id().to_owned())
        .collect()
}

/// A log of three segments with some calls in each, by a gateway that is stopped.
fn made(sim: &Sim) -> (Config, Vec<String>) {
    let mut config = config(sim);
    let mut calls = Vec::new();
    for _ in 0..3 {
        let gateway = config.start();
        calls.extend(call(&gateway, 8));
        let (ran, rest) = gateway.stop();
        assert!(
            ran.stderr.contains("every record is in the ledger"),
            "{}",
            ran.stderr
        );
        config = rest;
    }
    (config, calls)
}

fn journal(config: &Config) -> PathBuf {
    config.directory().join("data/journal")
}

/// The same log in a directory of its own.
fn copy(of: &Config, sim: &Sim) -> Config {
    let fresh = config(sim);
    copy_directory(
        &of.directory().join("data"),
        &fresh.directory().join("data"),
    );
    fresh
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn report(ran: Ran) -> (bool, Value) {
    let report = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|_| panic!("no report: {}{}", ran.stdout, ran.stderr));
    (ran.status.success(), report)
}

fn verify(config: &Config) -> Value {
    let (success, report) = report(config.egret(&["audit", "verify", "--format", "json"]));
    assert_eq!(report["sound"], success, "{report:#}");
    report
}

/// The first fault that is found.
fn fault(config: &Config) -> Value {
    let report = verify(config);
    let fault = report["faults"][0].clone();
    assert!(fault.is_object(), "nothing was noticed: {report:#}");
    fault
}

fn key(config: &Config) -> String {
    let said = config.egret(&["audit", "key"]).ok();
    said.trim().to_owned()
}

/// Files of one kind, the first segment first.
fn files(config: &Config, suffix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(journal(config))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    found.sort();
    found
}

#[test]
fn a_log_is_sound_beside_the_gateway_and_after_it() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = config(&sim).start();
    let ids = call(&gateway, 10);
    gateway.rows(10, &[]);
    let beside = gateway.egret(&["audit", "verify", "--format", "json"]);
    let (success, beside) = report(beside);
    assert!(success, "{beside:#}");
    let (_, config) = gateway.stop();
    let after = verify(&config);
    assert_eq!(after["rows"], 10, "{after:#}");
    assert_eq!(after["records"], 1 + 3 * 10, "{after:#}");
    assert_eq!(after["records_behind"], 0);
    assert_eq!(after["origin"], "egret/node-1");
    assert_eq!(after["last_checkpoint"]["size"], 31);
    assert_eq!(
        after["ledger_checkpoints"], after["checkpoints"],
        "{after:#}"
    );
    let text = config.egret(&["audit", "verify"]).ok();
    assert!(text.contains("nothing was changed"), "{text}");

    // With the key that somebody noted, and with another one.
    let ours = key(&config);
    config.egret(&["audit", "verify", "--key", &ours]).ok();
    let other = "egret/node-1+c58ba47d+AdnmKOimU1xJZuuE6ndCx3EBmNzz4qdC4R7NvJIgmtdQ";
    assert!(
        config
            .egret(&["audit", "verify", "--key", other])
            .status
            .code()
            != Some(0)
    );
    assert_eq!(ids.len(), 10);
}

#[test]
fn a_real_call_is_proved_to_somebody_who_has_the_key_only() {
    let sim = Sim::start(Vendor::Cybrid);
    let (config, calls) = made(&sim);
    let key = key(&config);
    let file = config.directory().join("call.tlog-proof");
    let path = file.to_str().unwrap();
    let said = config
        .egret(&["audit", "prove", &calls[9], "-o", path])
        .ok();
    assert!(said.contains("3 records"), "{said}");
    // No configuration anywhere near.
    let proved = egret(&["audit", "verify-proof", path, "--key", &key]).ok();
    for word in [
        &*calls[9],
        "bank.create_trade",
        "the proof holds",
        "node-1",
        "401",
    ] {
        assert!(proved.contains(word), "{word}: {proved}");
    }
    let json = egret(&[
        "audit",
        "verify-proof",
        path,
        "--key",
        &key,
        "--format",
        "json",
    ])
    .ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["says"]["call_id"], calls[9]);

    if let Some(python) = python() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/verify_proof.py");
        let output = Command::new(python)
            .arg(script)
            .args([path, &key])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["records"], json["records"]);
        assert_eq!(said["origin"], "egret/node-1");
    }

    // Found in the journal alone when the ledger is gone, and the same.
    let whole = fs::read_to_string(&file).unwrap();
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(config.directory().join("data").join(name));
    }
    assert_eq!(config.egret(&["audit", "prove", &calls[9]]).ok(), whole);
    let unknown = "019a2b3c-4d5e-7f60-8123-456789abcdef";
    let error = config.egret(&["audit", "prove", unknown]).failed();
    assert!(error.contains("no record of the call"), "{error}");

    // One character of the file changed.
    let changed = whole.replacen("index ", "index 1", 1);
    fs::write(&file, changed).unwrap();
    let error = egret(&["audit", "verify-proof", path, "--key", &key]).failed();
    assert!(error.contains("does not hold"), "{error}");
}
