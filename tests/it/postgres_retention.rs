//! Holding, erasing and pruning in a shared ledger, from end to end: a gateway that may only insert,
//! an owner who runs the commands, and proofs that hold afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use egret::adapters::clock;
use egret::adapters::journal::{Journal, JournalSettings};
use egret::domain::record::{CallRecord, Gateway as Node, Recorder, Step, Wait};
use egret::types::{CallId, Effect, Micros, Outcome};
use serde_json::Value;

use crate::harness::postgres::{Server, execute, number};
use crate::harness::{Bank, Config, Gateway, egret, reply};

const ANN: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const BOB: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

/// Calls whose time is over.
const OLD: u8 = 20;

const DAY: i64 = 86_400_000_000;

fn journal(directory: &Path) -> PathBuf {
    directory.join("data/journal")
}

/// What a gateway has recorded three days ago, and left in its journal.
fn record_old_calls(directory: &Path) -> Vec<CallId> {
    let node = Node {
        node: "node-1".into(),
        version: "0".into(),
        config_hash: "h".into(),
    };
    let settings = JournalSettings {
        directory: journal(directory),
        segment_size: 1 << 20,
        max_bytes: u64::MAX,
        sync_interval: Duration::from_millis(10),
        writer_priority: 0,
    };
    fs::create_dir_all(&settings.directory).unwrap();
    let journal = Journal::open(settings, &node, |_| 0).unwrap();
    let node = std::sync::Arc::new(node);
    let ids: Vec<CallId> = (0..OLD)
        .map(|n| {
            let at = Micros(clock::now().0 - 3 * DAY + i64::from(n) * 1_000);
            let id = CallId::from_parts(at.as_millis(), [n; 10]);
            let mut record = CallRecord::new(id, at, std::sync::Arc::clone(&node));
            record.target.provider = Some("cybrid".into());
            record.target.operation = Some("bank.list_trades".into());
            record.target.effect = Some(Effect::Read);
            record.outcome = Outcome::Success;
            record.status = Some(200);
            journal
                .append(Step::Completion, None, &record, Wait::Durable)
                .unwrap();
            id
        })
        .collect();
    journal.shutdown(Duration::from_secs(20)).unwrap();
    ids
}

fn verify(gateway: &Gateway) -> Value {
    let ran = gateway.egret(&["audit", "verify", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|_| panic!("no report: {}{}", ran.stdout, ran.stderr));
    assert_eq!(report["sound"], ran.status.success(), "{report:#}");
    report
}

fn sound(gateway: &Gateway) -> Value {
    let report = verify(gateway);
    assert_eq!(report["sound"], true, "{report:#}");
    report
}

/// Proves a call; gives the file.
fn prove(gateway: &Gateway, id: &str) -> String {
    let file = gateway.directory().join(format!("{id}.tlog-proof"));
    let path = file.to_str().unwrap().to_owned();
    gateway.egret(&["audit", "prove", id, "-o", &path]).ok();
    path
}

fn look_up(gateway: &Gateway, guid: &str, times: usize) {
    for _ in 0..times {
        let answer = gateway.get(&format!("/cybrid/bank/api/customers/{guid}"), &[]);
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn holds_erasures_and_pruning_in_postgres_leave_the_evidence_whole() {
    let Some(server) = Server::start() else {
        return;
    };
    execute(&server.url("postgres"), "CREATE DATABASE ledger");
    let url = server.url("ledger");
    let bank = Bank::answering(reply(200, "{}"));
    let kept = [
        "read",
        "personal-read",
        "write",
        "money",
        "mint",
        "access-change",
        "unknown",
    ]
    .map(|class| format!("{class} = \"1d\"\n"))
    .concat();
    let config = Config::new()
        .cybrid(&bank.url())
        .section("[evidence]\ninterval = \"20ms\"")
        .section(&format!("[ledger]\nurl = \"{url}\""))
        .section(&format!(
            "[retention]\nprofile = \"pci-12m\"\n[retention.keep]\n{kept}"
        ));
    config.egret(&["audit", "migrate"]).ok();
    execute(
        &url,
        "CREATE ROLE gateway LOGIN; GRANT egret_writer TO gateway",
    );
    let old = record_old_calls(config.directory());
    // What made these records had a key; beside records none is made anew.
    let config = config.private_file("data/fingerprint.key", &format!("{}\n", "5a".repeat(32)));
    let as_gateway = url.replace("postgres@", "gateway@");
    let gateway = config.variable("EGRET_LEDGER_URL", &as_gateway).start();
    look_up(&gateway, ANN, 3);
    look_up(&gateway, BOB, 2);
    gateway.rows(usize::from(OLD) + 5, &[]);
    let key = gateway.egret(&["audit", "key"]).ok().trim().to_owned();
    let of_ann = gateway.query(&["--customer", ANN])[0]
        .text("call_id")
        .to_owned();
    let of_bob = gateway.query(&["--customer", BOB])[0]
        .text("call_id")
        .to_owned();
    let proofs = [
        prove(&gateway, &old[3].to_string()),
        prove(&gateway, &of_ann),
        prove(&gateway, &of_bob),
    ];
    sound(&gateway);

    // A hold keeps Ann from being erased, and what is old and hers from being pruned.
    let hold = [
        "audit",
        "hold",
        "add",
        "--customer",
        ANN,
        "--reason",
        "case 1",
    ];
    gateway.egret(&hold).ok();
    let erase = ["audit", "erase", "--customer", ANN, "--reason", "request 7"];
    let refused = gateway.egret(&erase).failed();
    assert!(refused.contains("legal hold 1"), "{refused}");
    assert_eq!(gateway.query(&["--customer", ANN]).len(), 3);
    let release = ["audit", "hold", "release", "1", "--reason", "closed"];
    gateway.egret(&release).ok();
    let erased = gateway.egret(&erase).ok();
    assert!(erased.contains("erased"), "{erased}");
    assert!(gateway.query(&["--customer", ANN]).is_empty());
    assert_eq!(gateway.query(&["--customer", BOB]).len(), 2);
    sound(&gateway);

    // What is over goes, and only that.
    let prune = ["audit", "prune", "--reason", "yearly"];
    let would = gateway.egret(&["audit", "prune", "--dry-run"]).ok();
    assert!(would.contains("would remove 20 calls"), "{would}");
    let done = gateway.egret(&prune).ok();
    assert!(done.contains("removed 20 calls"), "{done}");
    assert!(!done.contains(" 0 segments"), "{done}");
    let left = "SELECT count(*) FROM egret.records AS r JOIN egret.profiles AS p \
        ON p.id = r.profile_id WHERE p.provider = 'cybrid'";
    assert_eq!(number(&url, left), 5);
    let done = "SELECT count(*) FROM egret.maintenance WHERE kind = 'prune'";
    assert_eq!(number(&url, done), 1);
    let report = sound(&gateway);
    assert!(report["records_pruned"].as_u64().unwrap() >= u64::from(OLD));
    for proof in &proofs {
        egret(&["audit", "verify-proof", proof, "--key", &key]).ok();
    }
    egret(&[
        "audit",
        "verify-proof",
        &prove(&gateway, &of_bob),
        "--key",
        &key,
    ])
    .ok();
    look_up(&gateway, BOB, 1);
    gateway.rows(3, &["--customer", BOB]);
    sound(&gateway);

    // Whoever removes a segment and says that it was pruned has not the key to sign that.
    let mark = fs::read_dir(journal(gateway.directory()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|kind| kind == "pruned"))
        .expect("a mark");
    let signed = fs::read_to_string(&mark).unwrap();
    let (text, _) = signed.split_once("\n\n").expect("a signed note");
    for forged in [
        format!("{text}\n"),
        signed.replacen("reason yearly", "reason hourly", 1),
    ] {
        fs::write(&mark, forged).unwrap();
        let report = verify(&gateway);
        assert_eq!(report["faults"][0]["kind"], "segment_removed", "{report:#}");
        assert_eq!(report["faults"][0]["sequence"], 0, "{report:#}");
    }
    fs::write(&mark, signed).unwrap();
    sound(&gateway);
}
