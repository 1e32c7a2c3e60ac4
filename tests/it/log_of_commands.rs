//! What Egret's own commands put on record is evidence, too: sealed by whoever can, checked like the
//! log of calls, and proved with the node's key.

use std::fs;
use std::path::{Path, PathBuf};

use egret::sim::Vendor;
use serde_json::Value;

use crate::harness::{Config, Gateway, Ran, Sim, egret, egret_command, tamper, until};

const SEED: &str = "seed:4242424242424242424242424242424242424242424242424242424242424242";

fn config(sim: &Sim) -> Config {
    Config::new()
        .log("warn,egret=info")
        .cybrid(&sim.url())
        .section("[evidence]\ninterval = \"20ms\"")
}

/// A gateway with a call, of which somebody has asked.
fn asked(sim: &Sim) -> Gateway {
    let gateway = config(sim).start();
    gateway.get("/cybrid/bank/api/banks", &[]);
    gateway.rows(1, &[]);
    gateway.egret(&["audit", "stats"]).ok();
    gateway
}

fn commands(config: &Config) -> PathBuf {
    config.directory().join("data/journal-cli")
}

fn file(directory: &Path, suffix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    found.sort();
    found.remove(0)
}

fn report(ran: Ran) -> Value {
    let report: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|_| panic!("no report: {}{}", ran.stdout, ran.stderr));
    assert_eq!(report["sound"], ran.status.success(), "{report:#}");
    report
}

const VERIFY: [&str; 4] = ["audit", "verify", "--format", "json"];

fn verify(config: &Config) -> Value {
    report(config.egret(&VERIFY))
}

#[test]
fn readings_are_sealed_and_proved_with_the_nodes_key() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = asked(&sim);
    let beside = report(gateway.egret(&VERIFY));
    assert_eq!(beside["sound"], true, "{beside:#}");
    let log = &beside["commands"];
    assert_eq!(log["origin"], "egret/node-1/cli", "{beside:#}");
    // Also the intent of the command that says so.
    assert_eq!(log["records_behind"], 0, "{beside:#}");
    assert!(log["rows"].as_u64().unwrap() >= 2, "{beside:#}");
    assert_eq!(beside["rows_not_covered"], serde_json::json!([]));

    let stats = gateway.query(&["--provider", "egret", "--operation", "audit.stats"]);
    let id = stats[0].text("call_id").to_owned();
    let key = gateway.egret(&["audit", "key"]).ok().trim().to_owned();
    let proof = gateway.directory().join("reading.tlog-proof");
    let path = proof.to_str().unwrap();
    let said = gateway.egret(&["audit", "prove", &id, "-o", path]).ok();
    assert!(said.contains("2 records"), "{said}");
    let proved = egret(&["audit", "verify-proof", path, "--key", &key]).ok();
    for word in ["audit.stats", "egret/node-1/cli", &id] {
        assert!(proved.contains(word), "{word}: {proved}");
    }
    let other = "egret/node-1+c58ba47d+AdnmKOimU1xJZuuE6ndCx3EBmNzz4qdC4R7NvJIgmtdQ";
    egret(&["audit", "verify-proof", path, "--key", other]).failed();
}

#[test]
fn many_at_once_make_one_log() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = asked(&sim);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| gateway.egret(&["audit", "stats"]).ok());
        }
    });
    let found = report(gateway.egret(&VERIFY));
    assert_eq!(found["sound"], true, "{found:#}");
    assert_eq!(found["commands"]["records_behind"], 0, "{found:#}");
    // The start, two records of each command that has ended, and the intent of this one.
    assert!(found["commands"]["records"].as_u64().unwrap() > 1 + 2 * 7);
}

#[test]
fn what_is_done_to_the_journal_of_commands_is_found() {
    let sim = Sim::start(Vendor::Cybrid);
    let (_, config) = asked(&sim).stop();
    assert_eq!(verify(&config)["sound"], true);
    let directory = commands(&config);
    let segment = file(&directory, ".journal");

    let whole = fs::read(&segment).unwrap();
    let stats = memchr::memmem::find(&whole, b"audit.stats").unwrap();
    let mut changed = whole.clone();
    changed[stats + 6] ^= 1;
    fs::write(&segment, &changed).unwrap();
    // Nothing can be put on record behind a damaged record, so nothing is shown.
    let ran = config.egret(&VERIFY);
    assert!(!ran.status.success(), "{ran:?}");
    fs::write(&segment, &whole).unwrap();

    // Sealed again, as a skilled forger does.
    use egret::domain::journal::{SEGMENT_HEADER, read_frame, seal_frame};
    let mut at = SEGMENT_HEADER;
    let mut number = 0;
    while let Ok(frame) = read_frame(&changed[at..]) {
        if at + frame.len() > stats {
            break;
        }
        number += 1;
        at += frame.len();
    }
    seal_frame(&mut changed[at..], 0).unwrap();
    fs::write(&segment, &changed).unwrap();
    let found = verify(&config);
    let fault = &found["faults"][0];
    assert_eq!(fault["kind"], "changed", "{found:#}");
    assert_eq!(fault["sequence"], number, "{found:#}");
    let path = fault["file"].as_str().unwrap();
    assert!(path.contains("journal-cli"), "{path}");
}

#[test]
fn what_is_done_to_rows_of_commands_is_found() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = asked(&sim);
    let rows = gateway.query(&["--provider", "egret", "--operation", "audit.stats"]);
    let id = rows[0].text("call_id").to_owned();
    let (_, config) = gateway.stop();
    assert_eq!(verify(&config)["sound"], true);
    let blob = format!("x'{}'", id.replace('-', ""));
    let change = format!("UPDATE records SET outcome = 'failure' WHERE call_id = {blob}");
    tamper(&config, &change);
    let found = verify(&config);
    assert_eq!(found["faults"][0]["kind"], "row_changed", "{found:#}");
    assert_eq!(found["faults"][0]["call_id"], id, "{found:#}");
    tamper(
        &config,
        &format!("DELETE FROM records WHERE call_id = {blob}"),
    );
    let found = verify(&config);
    assert_eq!(found["faults"][0]["kind"], "row_removed", "{found:#}");
    assert_eq!(found["faults"][0]["call_id"], id, "{found:#}");
}

#[test]
fn a_log_that_was_taken_away_or_signed_by_another_key_is_missed() {
    let sim = Sim::start(Vendor::Cybrid);
    let (_, config) = asked(&sim).stop();
    assert_eq!(verify(&config)["sound"], true);
    let aside = config.directory().join("aside");
    fs::rename(commands(&config), &aside).unwrap();
    // This command begins another one.
    let found = verify(&config);
    let kinds: Vec<&str> = found["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"log_removed"), "{found:#}");

    // The same records, signed anew by somebody else.
    fs::remove_dir_all(commands(&config)).unwrap();
    fs::rename(&aside, commands(&config)).unwrap();
    for suffix in [".leaves", ".checkpoints", "log.keys"] {
        fs::remove_file(file(&commands(&config), suffix)).unwrap();
    }
    let mut forger = egret_command(config.directory(), &VERIFY);
    let output = forger.env("EGRET_SIGNING_KEY", SEED).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["faults"][0]["kind"], "key", "{found:#}");
}

#[test]
fn a_command_that_cannot_sign_is_on_record_and_the_gateway_signs_for_it() {
    let sim = Sim::start(Vendor::Cybrid);
    // Only the gateway has the key.
    let gateway = config(&sim).variable("EGRET_SIGNING_KEY", SEED).start();
    gateway.get("/cybrid/bank/api/banks", &[]);
    let ran = gateway.egret(&["audit", "stats"]);
    assert!(ran.stderr.contains("not yet sealed"), "{ran:?}");
    assert!(ran.stderr.contains("signing.key"), "{ran:?}");
    ran.ok();
    let directory = gateway.directory().join("data/journal-cli");
    until("the gateway has sealed it", || {
        fs::read_dir(&directory)
            .unwrap()
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|e| e == "checkpoints"))
    });
    let found = report(gateway.egret(&VERIFY));
    assert_eq!(found["sound"], true, "{found:#}");
    assert!(
        found["commands"]["records"].as_u64().unwrap() >= 3,
        "{found:#}"
    );

    // Without a gateway it stays unsealed, and that is said.
    let (_, config) = gateway.stop();
    let found = verify(&config);
    assert!(
        found["commands"]["records_behind"].as_u64().unwrap() > 0,
        "{found:#}"
    );
    let text = config.egret(&["audit", "verify"]).ok();
    assert!(text.contains("are not vouched for yet"), "{text}");
}

#[test]
fn a_log_of_commands_goes_on_with_the_nodes_next_key() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = asked(&sim);
    let first = gateway.egret(&["audit", "key"]).ok();
    gateway.egret(&["audit", "rotate-key"]).ok();
    until("the gateway has changed its key", || {
        gateway.egret(&["audit", "key"]).ok() != first
    });
    let ran = gateway.egret(&["audit", "stats"]);
    assert!(!ran.stderr.contains("not yet sealed"), "{ran:?}");
    let (_, config) = gateway.stop();
    let found = verify(&config);
    assert_eq!(found["sound"], true, "{found:#}");
    let public = |keys: &Value| -> Vec<String> {
        let keys = keys.as_array().unwrap().iter();
        keys.map(|key| key.as_str().unwrap().rsplit_once('+').unwrap().1.to_owned())
            .collect()
    };
    let keys = public(&found["commands"]["keys"]);
    assert_eq!(keys.len(), 2, "{found:#}");
    assert_eq!(keys, public(&found["keys"]), "{found:#}");
    assert_eq!(found["commands"]["records_behind"], 0, "{found:#}");
}
