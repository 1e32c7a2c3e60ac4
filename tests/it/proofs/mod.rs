//! Evidence from end to end: a real gateway's log is verified, proved, tampered with, rotated and
//! witnessed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use egret::sim::Vendor;
use serde_json::Value;
use sqlx::Connection as _;

use crate::evidence::python;
use crate::harness::{Config, Gateway, Ran, Sim, egret, runtime, until};

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

/// Frames of a segment as (offset, length).
fn frames(segment: &[u8]) -> Vec<(usize, usize)> {
    use egret::domain::journal::{SEGMENT_HEADER, read_frame};
    let mut found = Vec::new();
    let mut at = SEGMENT_HEADER;
    while let Ok(frame) = read_frame(&segment[at..]) {
        found.push((at, frame.len()));
        at += frame.len();
    }
    found
}

/// Seals a frame again after it was changed, as a skilled forger does.
fn reseal(segment: &mut [u8], at: usize) {
    egret::domain::journal::seal_frame(&mut segment[at..], 0).unwrap();
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

#[test]
fn what_is_done_to_journal_files_is_found_and_located() {
    let sim = Sim::start(Vendor::Cybrid);
    let (whole, _) = made(&sim);
    let report = verify(&whole);
    assert_eq!(report["sound"], true, "{report:#}");
    let segments = files(&whole, ".journal");
    assert_eq!(segments.len(), 3, "{segments:?}");
    let firsts: Vec<u64> = segments
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    let middle = fs::read(&segments[1]).unwrap();
    let placed = frames(&middle);
    let (fifth, sixth) = (placed[5], placed[6]);
    let victim = firsts[1] + 5;
    let frame = |(at, length): (usize, usize)| middle[at..at + length].to_vec();
    let status = fifth.0 + fifth.1 - 3;

    let tampered = |name: &str, bytes: Vec<u8>, kind: &str, record: u64, offset: usize| {
        let config = copy(&whole, &sim);
        fs::write(&files(&config, ".journal")[1], bytes).unwrap();
        let fault = fault(&config);
        assert_eq!(fault["kind"], kind, "{name}: {fault:#}");
        assert_eq!(fault["sequence"], record, "{name}: {fault:#}");
        assert_eq!(fault["offset"], offset, "{name}: {fault:#}");
        let file = fault["file"].as_str().unwrap();
        assert!(
            file.ends_with(&format!("{:020}.journal", firsts[1])),
            "{name}: {file}"
        );
    };

    let mut bytes = middle.clone();
    bytes[status] ^= 1;
    tampered("a flipped byte", bytes.clone(), "changed", victim, fifth.0);
    reseal(&mut bytes, fifth.0);
    tampered(
        "a flipped byte, sealed again",
        bytes,
        "changed",
        victim,
        fifth.0,
    );

    let mut bytes = middle.clone();
    bytes.drain(fifth.0..fifth.0 + fifth.1);
    tampered("a record taken out", bytes, "removed", victim, fifth.0);

    let mut bytes = middle.clone();
    bytes.splice(fifth.0..fifth.0, frame(sixth));
    tampered("a record put in", bytes, "inserted", victim, fifth.0);

    let exchanged = [frame(sixth), frame(fifth)].concat();
    let mut bytes = middle.clone();
    bytes.splice(fifth.0..sixth.0 + sixth.1, exchanged);
    tampered("two records exchanged", bytes, "moved", victim, fifth.0);

    let mut bytes = middle.clone();
    bytes.truncate(fifth.0);
    let config = copy(&whole, &sim);
    fs::write(&files(&config, ".journal")[1], bytes).unwrap();
    let found = fault(&config);
    assert_eq!(
        (&found["kind"], &found["sequence"]),
        (&"removed".into(), &victim.into()),
        "{found:#}"
    );

    let config = copy(&whole, &sim);
    fs::remove_file(&files(&config, ".journal")[1]).unwrap();
    let found = fault(&config);
    assert_eq!(found["kind"], "segment_removed", "{found:#}");
    assert_eq!(found["sequence"], firsts[1], "{found:#}");

    // The end: the last segment, and with its leaf hashes and checkpoints.
    let config = copy(&whole, &sim);
    fs::remove_file(&files(&config, ".journal")[2]).unwrap();
    assert_eq!(fault(&config)["sequence"], firsts[2]);
    for suffix in [".leaves", ".checkpoints"] {
        fs::remove_file(&files(&config, suffix)[2]).unwrap();
    }
    assert_eq!(fault(&config)["kind"], "checkpoint_row");
}

#[test]
fn what_is_done_to_leaves_checkpoints_and_keys_is_found() {
    let sim = Sim::start(Vendor::Cybrid);
    let (whole, _) = made(&sim);

    let config = copy(&whole, &sim);
    let leaves = &files(&config, ".leaves")[1];
    let first: u64 = leaves
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let mut bytes = fs::read(leaves).unwrap();
    bytes[4 * 32 + 7] ^= 1;
    fs::write(leaves, bytes).unwrap();
    let found = fault(&config);
    assert_eq!(found["kind"], "leaf_hash", "{found:#}");
    assert_eq!(found["sequence"], first + 4);
    assert_eq!(found["offset"], 4 * 32);

    for (what, from, to) in [
        ("a size", "\negret/node-1\n", "\negret/node-1\n1"),
        ("a signature", "\n— egret/node-1 A", "\n— egret/node-1 B"),
        ("the form", "# 20", "# x0"),
    ] {
        let config = copy(&whole, &sim);
        let path = &files(&config, ".checkpoints")[1];
        let text = fs::read_to_string(path).unwrap();
        let changed = text.replacen(from, to, 1);
        if changed == text {
            // Not every signature begins so.
            continue;
        }
        fs::write(path, changed).unwrap();
        let found = fault(&config);
        assert_eq!(found["kind"], "checkpoint", "{what}: {found:#}");
        assert_eq!(found["offset"], 0, "{what}: {found:#}");
    }

    let config = copy(&whole, &sim);
    let path = journal(&config).join("log.keys");
    let other = "egret/node-1+c58ba47d+AdnmKOimU1xJZuuE6ndCx3EBmNzz4qdC4R7NvJIgmtdQ";
    fs::write(&path, format!("egret/log-keys@v1\nkey {other}\n")).unwrap();
    let ran = config.egret(&["audit", "verify"]);
    assert!(!ran.status.success(), "{}", ran.stdout);
}

/// Changes a ledger as somebody with its file does, for whom the triggers are no more than a text.
fn sql(config: &Config, statements: &str) {
    let path = config.directory().join("data/ledger.db");
    runtime().block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        let triggers: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        let dropped: String = triggers
            .iter()
            .map(|name| format!("DROP TRIGGER {name};"))
            .collect();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{dropped}{statements}")))
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
    });
}

#[test]
fn what_is_done_to_the_ledger_is_found_and_located() {
    let sim = Sim::start(Vendor::Cybrid);
    let (whole, calls) = made(&sim);
    let blob = |id: &str| format!("x'{}'", id.replace('-', ""));
    let (one, two) = (blob(&calls[5]), blob(&calls[6]));
    let swap = "outcome = o.outcome, status = o.status, received_at = o.received_at, \
                forwarded_after = o.forwarded_after, first_byte_after = o.first_byte_after, \
                completed_after = o.completed_after, profile_id = o.profile_id, \
                credential_id = o.credential_id, error_code = o.error_code, attempts = o.attempts, \
                request_bytes = o.request_bytes, response_bytes = o.response_bytes, \
                trace_high = o.trace_high, trace_low = o.trace_low, detail = o.detail, \
                intent_seq = o.intent_seq, outcome_seq = o.outcome_seq, \
                completion_seq = o.completion_seq";
    for (what, statements, kind, call) in [
        (
            "a changed column",
            format!("UPDATE records SET status = 200, outcome = 'success' WHERE call_id = {one}"),
            "row_changed",
            Some(&calls[5]),
        ),
        (
            "a changed time",
            format!("UPDATE records SET received_at = received_at - 1 WHERE call_id = {one}"),
            "row_changed",
            Some(&calls[5]),
        ),
        (
            "a changed dictionary",
            "UPDATE profiles SET caller = 'nobody'".to_owned(),
            "row_changed",
            Some(&calls[0]),
        ),
        (
            "a changed type",
            format!("UPDATE records SET detail = '{{}}' WHERE call_id = {one}"),
            "row_changed",
            Some(&calls[5]),
        ),
        (
            "a deleted row",
            format!("DELETE FROM records WHERE call_id = {one}"),
            "row_removed",
            Some(&calls[5]),
        ),
        (
            "exchanged contents",
            format!(
                "CREATE TEMP TABLE o AS SELECT * FROM records; \
                 UPDATE records SET {swap} FROM o WHERE records.call_id = {one} AND o.call_id = {two}; \
                 UPDATE records SET {swap} FROM o WHERE records.call_id = {two} AND o.call_id = {one}"
            ),
            "row_moved",
            Some(&calls[5]),
        ),
        (
            "an inserted row",
            format!(
                "CREATE TEMP TABLE o AS SELECT * FROM records WHERE call_id = {one}; \
                 UPDATE o SET seq = 1000, call_id = x'00112233445566778899aabbccddeeff'; \
                 INSERT INTO records SELECT * FROM o"
            ),
            "row_inserted",
            Some(&"00112233-4455-6677-8899-aabbccddeeff".to_owned()),
        ),
        (
            "an inserted row of no journal",
            format!(
                "CREATE TEMP TABLE o AS SELECT * FROM records WHERE call_id = {one}; \
                 UPDATE o SET seq = 1000, journal_id = NULL, \
                 call_id = x'00112233445566778899aabbccddeeff'; \
                 INSERT INTO records SELECT * FROM o"
            ),
            "row_inserted",
            Some(&"00112233-4455-6677-8899-aabbccddeeff".to_owned()),
        ),
        (
            "a changed checkpoint",
            "UPDATE checkpoints SET root = zeroblob(32) WHERE size = \
             (SELECT min(size) FROM checkpoints)"
                .to_owned(),
            "checkpoint_row",
            None,
        ),
        (
            "a deleted checkpoint",
            "DELETE FROM checkpoints WHERE size = (SELECT min(size) FROM checkpoints)".to_owned(),
            "checkpoint_row",
            None,
        ),
    ] {
        let config = copy(&whole, &sim);
        sql(&config, &statements);
        let found = fault(&config);
        assert_eq!(found["kind"], kind, "{what}: {found:#}");
        if let Some(call) = call {
            assert_eq!(found["call_id"], **call, "{what}: {found:#}");
        }
    }
}

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
    use std::os::unix::fs::PermissionsExt as _;
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
