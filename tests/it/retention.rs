//! Erasing a person: nothing of them is left in any file, everybody else is as before, and no leaf
//! has changed. Pruning: the hash of every leaf is left, and what is under legal hold.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use egret::adapters::clock;
use egret::adapters::journal::{Absence, absence};
use egret::app::own_calls::OwnCalls;
use egret::cli::audit::{self, AuditArgs, AuditCommand, Context, PruneArgs};
use egret::domain::evidence::merkle::leaf_hash;
use egret::domain::journal::{OPENING, SegmentHeader, find_openings, read_frame, write_plan};
use egret::domain::record::{Gateway as Node, OperationClass, Pseudonym};
use egret::domain::retention::{Periods, Profile};

use crate::harness::{Bank, Client, Config, Gateway, reply, runtime};

const ANN: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const BOB: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

fn config(bank: &Bank) -> Config {
    Config::new()
        .cybrid(&bank.url())
        .section("[journal]\nsegment_size = \"1MiB\"")
}

fn look_up(gateway: &Gateway, guid: &str, times: usize) {
    for _ in 0..times {
        let answer = gateway.get(&format!("/cybrid/bank/api/customers/{guid}"), &[]);
        assert_eq!(answer.status, 200);
    }
}

fn pseudonym(gateway: &Gateway, guid: &str) -> Pseudonym {
    let row = gateway.query(&["--customer", guid]).remove(0);
    let hex = row.field("subjects")[0]["subject"]
        .as_str()
        .unwrap()
        .to_owned();
    Pseudonym::parse_hex(&hex).unwrap()
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            // Sockets hold nothing.
            found.push(path);
        }
    }
}

/// Files below a directory that hold a pseudonym, as bytes or as digits.
fn holding(directory: &Path, pseudonym: &Pseudonym) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(directory, &mut all);
    let hex = pseudonym.to_string();
    all.retain(|path| {
        let bytes = std::fs::read(path).unwrap();
        [&pseudonym.as_bytes()[..], hex.as_bytes()]
            .iter()
            .any(|needle| memchr::memmem::find(&bytes, needle).is_some())
    });
    all
}

fn journal(directory: &Path) -> PathBuf {
    directory.join("data/journal")
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(&journal(directory), &mut all);
    all.retain(|path| path.extension().is_some_and(|end| end == "journal"));
    all.sort();
    all
}

/// Every leaf by number.
fn leaves(directory: &Path) -> BTreeMap<u64, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in segments(directory) {
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[64..];
        while let Ok(frame) = read_frame(rest) {
            found.insert(frame.seq, frame.payload.to_vec());
            rest = &rest[frame.len()..];
        }
    }
    found
}

fn erase(gateway: &Gateway, guid: &str) -> String {
    let arguments = [
        "audit",
        "erase",
        "--customer",
        guid,
        "--reason",
        "request 7",
    ];
    gateway.egret(&arguments).ok()
}

#[test]
fn an_erased_customer_is_nowhere_and_no_leaf_has_changed() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = config(&bank).start();
    look_up(&gateway, ANN, 20);
    look_up(&gateway, BOB, 20);
    gateway.rows(20, &["--customer", ANN]);
    gateway.rows(20, &["--customer", BOB]);
    let (ann, bob) = (pseudonym(&gateway, ANN), pseudonym(&gateway, BOB));
    let directory = gateway.directory().to_owned();
    assert!(!holding(&directory, &ann).is_empty());
    let before = leaves(&directory);

    // Traffic goes on meanwhile.
    let stop = AtomicBool::new(false);
    let address = gateway.address().to_owned();
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let target = format!("/cybrid/bank/api/customers/{BOB}");
            let mut client = Client::tcp(&address);
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(client.call("GET", &target, &[], b"").status, 200);
            }
        });
        let said = erase(&gateway, ANN);
        stop.store(true, Ordering::SeqCst);
        said
    });
    // Besides the calls to the bank, those of Egret's own commands that asked for them.
    let numbers: Vec<u64> = said.split(' ').filter_map(|w| w.parse().ok()).collect();
    let [openings, calls, tokens] = numbers[..] else {
        panic!("{said}");
    };
    assert!(openings > 20 && calls == openings && tokens == 0, "{said}");
    let left = holding(&directory, &ann);
    assert!(left.is_empty(), "{left:?}");
    assert!(gateway.query(&["--customer", ANN]).is_empty());
    assert!(gateway.query(&["--pseudonym", &ann.to_string()]).is_empty());
    let after = leaves(&directory);
    assert!(after.len() >= before.len());
    for (seq, leaf) in &before {
        assert_eq!(after.get(seq), Some(leaf), "leaf {seq} has changed");
    }
    assert!(!holding(&directory, &bob).is_empty());

    // They come back as a customer, and the new calls are found.
    look_up(&gateway, ANN, 2);
    gateway.rows(2, &["--customer", ANN]);
    erase(&gateway, ANN);
    let bobs = gateway.query(&["--customer", BOB]).len();
    assert!(bobs >= 20);

    // A ledger made anew from the journal lacks them as well.
    let (_, config) = gateway.stop();
    config.egret(&["audit", "rebuild"]).ok();
    std::fs::remove_file(directory.join("data/ledger.db.before-rebuild")).unwrap();
    let gateway = config.start();
    let left = holding(&directory, &ann);
    assert!(left.is_empty(), "{left:?}");
    assert!(gateway.query(&["--customer", ANN]).is_empty());
    let again = gateway.query(&["--customer", BOB]).len();
    assert_eq!(again, bobs);
    let erased = gateway.query(&[]).into_iter().filter(|row| {
        let subject = &row.field("subjects")[0];
        subject["kind"] == "customer" && subject["subject"].is_null()
    });
    assert_eq!(erased.count(), 22);
    // The erasures are on record, and whom they were about is not.
    let own = gateway.query(&["--provider", "egret", "--operation", "audit.erase"]);
    assert_eq!(own.len(), 2);
    for row in own {
        assert!(row.field("subjects").is_null(), "{row:?}");
    }
}

#[test]
fn an_erasure_that_was_cut_off_is_finished_by_whoever_comes_next() {
    let bank = Bank::answering(reply(200, "{}"));
    for by_gateway in [true, false] {
        let gateway = config(&bank).start();
        look_up(&gateway, ANN, 3);
        gateway.rows(3, &["--customer", ANN]);
        let ann = pseudonym(&gateway, ANN);
        let (_, config) = gateway.stop();
        let directory = config.directory().to_owned();

        // The plan is on disk, and the power goes in the middle of an opening.
        let segment = segments(&directory).remove(0);
        let bytes = std::fs::read(&segment).unwrap();
        let header = SegmentHeader::decode(&bytes).unwrap();
        let wanted = HashSet::from([ann]);
        let found = find_openings(&bytes, &header, u64::MAX, u64::MAX, &wanted).unwrap();
        assert_eq!(found.spots.len(), 3);
        let plan = journal(&directory).join("erase.plan");
        std::fs::write(&plan, write_plan(header.journal, &found.spots)).unwrap();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&segment)
            .unwrap();
        let half = [0; OPENING / 2];
        file.write_all_at(&half, found.spots[0].opening).unwrap();

        let gateway = if by_gateway {
            let gateway = config.start();
            assert!(!plan.exists());
            let left = holding(&journal(&directory), &ann);
            assert!(left.is_empty(), "{left:?}");
            gateway
        } else {
            let arguments = ["audit", "erase", "--customer", ANN, "--reason", "request 7"];
            config.egret(&arguments).ok();
            config.start()
        };
        erase(&gateway, ANN);
        let left = holding(&directory, &ann);
        assert!(left.is_empty(), "{left:?}");
        assert!(gateway.query(&["--customer", ANN]).is_empty());
        assert_eq!(gateway.query(&[]).len(), 3);
    }
}

#[test]
fn an_erasure_needs_somebody_and_a_reason_that_does_not_name_them() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = config(&bank).start();
    let run = |arguments: &[&str]| gateway.egret(&[&["audit", "erase"], arguments].concat());
    let said = run(&["--reason", "request 7"]).failed();
    assert!(said.contains("--customer"), "{said}");
    let said = run(&["--customer", ANN]).failed();
    assert!(said.contains("--reason"), "{said}");
    let reason = format!("erase {ANN}");
    let said = run(&["--customer", ANN, "--reason", &reason]).failed();
    assert!(said.contains("name the request"), "{said}");
    assert!(!said.contains(ANN), "{said}");
    // Nobody of that name: nothing to do.
    let said = run(&["--customer", ANN, "--reason", "request 7"]).ok();
    assert!(said.contains("erased 0 openings"), "{said}");
}

/// Runs `egret audit prune` as if it were so many days later. Every class is kept for 366.
fn prune_later(directory: &Path, days: u32, dry_run: bool) -> String {
    let day = Duration::from_secs(86_400);
    let mut periods = Periods::of(Profile::Pci12m);
    for class in OperationClass::ALL {
        periods.set(*class, day * 366);
    }
    let journal = journal(directory);
    let ledger = directory.join("data/ledger.db").as_path().into();
    let node = Node {
        node: "node/cli".into(),
        version: "0".into(),
        config_hash: "h".into(),
    };
    let own_calls = OwnCalls::at(&directory.join("data/journal-cli"), &ledger, node);
    let context = Context {
        key_file: &directory.join("data/signing.key"),
        journal: &journal,
        own_calls: &own_calls,
        notice: &|_| {},
        retention: Some(periods),
        now: clock::now().plus(day * days),
        colour: false,
        pseudonymise: &|_, _| unreachable!("nobody is looked for"),
    };
    let args = AuditArgs {
        command: AuditCommand::Prune(PruneArgs {
            dry_run,
            reason: "yearly".to_owned(),
        }),
    };
    let mut out = Vec::new();
    let run = audit::run(&ledger, &args, &context, &mut out, std::future::pending());
    runtime().block_on(run).unwrap();
    String::from_utf8(out).unwrap()
}

/// Hashes of every leaf, from the segments and from what pruning has left of them.
fn leaf_hashes(directory: &Path) -> BTreeMap<u64, [u8; 32]> {
    let mut found = BTreeMap::new();
    for (seq, leaf) in leaves(directory) {
        found.insert(seq, *leaf_hash(&leaf).as_bytes());
    }
    let mut all = Vec::new();
    files(&journal(directory), &mut all);
    all.retain(|path| path.extension().is_some_and(|end| end == "leaves"));
    for path in all {
        let first: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for (seq, hash) in (first..).zip(bytes.chunks_exact(32)) {
            found.insert(seq, hash.try_into().unwrap());
        }
    }
    found
}

fn hold_ann(gateway: &Gateway) {
    let hold = [
        "audit",
        "hold",
        "add",
        "--customer",
        ANN,
        "--reason",
        "case 1",
    ];
    let said = gateway.egret(&hold).ok();
    assert!(said.contains("hold 1 is in force"), "{said}");
}

#[test]
fn a_hold_outlives_its_ledger() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = config(&bank).start();
    look_up(&gateway, ANN, 3);
    gateway.rows(3, &["--customer", ANN]);
    hold_ann(&gateway);
    let directory = gateway.directory().to_owned();
    let erase = ["audit", "erase", "--customer", ANN, "--reason", "request 7"];
    let (_, config) = gateway.stop();
    let rebuilt = config.egret(&["audit", "rebuild"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let list = ["audit", "hold", "list"];
    let listed = config.egret(&list);
    assert!(listed.stdout.contains("case 1"), "{listed:?} {rebuilt:?}");
    let said = config.egret(&erase).failed();
    assert!(said.contains("legal hold 1"), "{said}");

    // Nothing but the journals is left.
    for file in ["ledger.db", "ledger.db.before-rebuild"] {
        std::fs::remove_file(directory.join("data").join(file)).unwrap();
    }
    let gateway = config.start();
    gateway.rows(3, &["--customer", ANN]);
    let said = gateway.egret(&erase).failed();
    assert!(said.contains("legal hold 1"), "{said}");
    let said = prune_later(&directory, 400, false);
    assert!(said.contains("are under legal hold"), "{said}");
    assert_eq!(gateway.query(&["--customer", ANN]).len(), 3);
    let release = ["audit", "hold", "release", "1", "--reason", "closed"];
    gateway.egret(&release).ok();
    gateway.egret(&erase).ok();
}

#[test]
fn what_is_pruned_leaves_the_hash_of_every_leaf_and_what_is_held_stays() {
    let bank = Bank::answering(reply(200, "{}"));
    let mut gateway = config(&bank).start();
    let directory = gateway.directory().to_owned();
    // Each start begins a segment.
    for round in 1..=3 {
        look_up(&gateway, ANN, 5);
        gateway.rows(5 * round, &["--customer", ANN]);
        let (_, config) = gateway.stop();
        gateway = config.start();
    }
    let before = leaf_hashes(&directory);
    let count = segments(&directory).len();
    assert!(count > 3);

    // Not yet, and not while there is a hold, and not when it is only asked.
    let said = prune_later(&directory, 300, false);
    assert!(said.contains("removed 0 calls"), "{said}");
    let said = prune_later(&directory, 400, true);
    assert!(said.contains("would remove"), "{said}");
    assert!(!said.contains(" 0 segments"), "{said}");
    hold_ann(&gateway);
    let said = prune_later(&directory, 400, false);
    assert!(said.contains("are under legal hold"), "{said}");
    assert!(said.contains(" 0 segments"), "{said}");
    let arguments = ["audit", "erase", "--customer", ANN, "--reason", "request 7"];
    let said = gateway.egret(&arguments).failed();
    assert!(said.contains("legal hold 1"), "{said}");
    assert_eq!(leaf_hashes(&directory), before);
    assert_eq!(gateway.query(&["--customer", ANN]).len(), 15);

    let release = ["audit", "hold", "release", "1", "--reason", "closed"];
    gateway.egret(&release).ok();
    let stop = AtomicBool::new(false);
    let address = gateway.address().to_owned();
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::tcp(&address);
            let target = format!("/cybrid/bank/api/customers/{BOB}");
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(client.call("GET", &target, &[], b"").status, 200);
            }
        });
        let said = prune_later(&directory, 400, false);
        stop.store(true, Ordering::SeqCst);
        said
    });
    assert!(!said.contains("removed 0 calls"), "{said}");
    assert!(!said.contains("under legal hold"), "{said}");
    let left = segments(&directory);
    assert!(left.len() < count);
    let header = SegmentHeader::decode(&std::fs::read(&left[0]).unwrap()).unwrap();
    let why = |segment| absence(&journal(&directory), header.journal, segment).unwrap();
    let Absence::Pruned { mark, .. } = why(0) else {
        panic!("the first segment has no mark");
    };
    assert_eq!((mark.first, &*mark.reason), (0, "yearly"));
    assert_eq!(why(mark.last), Absence::Removed, "no segment begins there");
    let after = leaf_hashes(&directory);
    for (seq, hash) in &before {
        assert_eq!(after.get(seq), Some(hash), "leaf {seq}");
    }
    assert!(gateway.query(&["--customer", ANN]).is_empty());

    // The gateway goes on, also after a start.
    look_up(&gateway, ANN, 1);
    gateway.rows(1, &["--customer", ANN]);
    let (_, config) = gateway.stop();
    let said = config.egret(&["audit", "rebuild"]).failed();
    assert!(said.contains("--partial"), "{said}");
    let gateway = config.start();
    look_up(&gateway, ANN, 1);
    gateway.rows(2, &["--customer", ANN]);
    let said = gateway.egret(&["audit", "prune"]).failed();
    assert!(said.contains("[retention] profile"), "{said}");
}
