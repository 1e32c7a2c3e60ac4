//! Somebody else cosigns the log.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use egret::sim::Vendor;

use super::{call, copy, key, made, verify};
use crate::harness::{Config, Sim, egret, until};

/// `egret witness` as a process; killed when dropped.
struct Witness {
    child: Child,
    url: String,
    key: String,
}

impl Witness {
    fn start(directory: &Path, log: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_egret"))
            .args([
                "witness",
                "--listen",
                "127.0.0.1:0",
                "--name",
                "witness.test/w1",
            ])
            .args(["--log", log])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut field = || {
            let line = lines.next().unwrap().unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let (url, key) = (field(), field());
        // All that it says: who leaves before the end breaks its pipe.
        field();
        Self { child, url, key }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_witness_cosigns_one_history_and_no_other() {
    let sim = Sim::start(Vendor::Cybrid);
    let (config, calls) = made(&sim);
    let log = key(&config);
    let place = tempfile::tempdir().unwrap();
    let witness = Witness::start(place.path(), &log);
    let watched = |config: Config, witness: &Witness| {
        config.section(&format!(
            "[[evidence.witness]]\nurl = \"{}\"\nkey = \"{}\"",
            witness.url, witness.key
        ))
    };
    // Two copies of one log, which go different ways from here.
    let fork = copy(&config, &sim);
    let gateway = watched(config, &witness).start();
    call(&gateway, 3);
    let honest = gateway.directory().to_owned();
    let cosigned = |directory: &Path| {
        fs::read_dir(directory.join("data/journal"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|ending| ending == "checkpoints")
            })
            .any(|path| {
                fs::read_to_string(path)
                    .unwrap()
                    .contains("— witness.test/w1 ")
            })
    };
    until("the witness has cosigned", || cosigned(&honest));
    let (_, config) = gateway.stop();
    let report = verify(&config);
    assert_eq!(report["sound"], true, "{report:#}");
    config
        .egret(&["audit", "verify", "--witness", &witness.key])
        .ok();

    let file = config.directory().join("call.tlog-proof");
    let path = file.to_str().unwrap();
    config
        .egret(&["audit", "prove", &calls[0], "-o", path])
        .ok();
    let said = egret(&[
        "audit",
        "verify-proof",
        path,
        "--key",
        &log,
        "--witness",
        &witness.key,
    ])
    .ok();
    assert!(said.contains("witness.test/w1 at 20"), "{said}");

    // The other history, with the same key; also after the witness was started again.
    drop(witness);
    let witness = Witness::start(place.path(), &log);
    let gateway = watched(fork, &witness).start();
    call(&gateway, 9);
    until("the fork is refused", || {
        gateway.stderr().contains("the log was forked or rewritten")
    });
    let forked = gateway.directory().to_owned();
    let (_, config) = gateway.stop();
    assert!(!cosigned(&forked));
    let ran = config.egret(&["audit", "verify", "--witness", &witness.key]);
    assert!(!ran.status.success(), "{}", ran.stdout);
}
