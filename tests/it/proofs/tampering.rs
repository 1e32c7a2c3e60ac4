//! What is done to the files of a log, and to its ledger, is found and located.

use std::fs;

use egret::sim::Vendor;

use super::{copy, fault, files, journal, made, verify};
use crate::harness::{Sim, tamper};

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
        tamper(&config, &statements);
        let found = fault(&config);
        assert_eq!(found["kind"], kind, "{what}: {found:#}");
        if let Some(call) = call {
            assert_eq!(found["call_id"], **call, "{what}: {found:#}");
        }
    }
}
