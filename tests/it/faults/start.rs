//! What a start refuses, and what it says then.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use egret::sim::Vendor;

use super::{MONEY, Tmpfs, is_ready, segments};
use crate::harness::{Config, Sim};

/// A gateway that has recorded some calls and was stopped.
fn used(sim: &Sim) -> Config {
    let gateway = Config::new().cybrid(&sim.url()).start();
    for _ in 0..5 {
        assert_eq!(gateway.post(MONEY, &[], "{}").status, 401);
    }
    let (ran, config) = gateway.stop();
    assert!(ran.status.success(), "{}", ran.stderr);
    config
}

fn journal(config: &Config) -> std::path::PathBuf {
    config.directory().join("data/journal")
}

#[test]
fn two_processes_do_not_share_a_journal() {
    let sim = Sim::start(Vendor::Cybrid);
    let gateway = Config::new().cybrid(&sim.url()).start();
    let error = gateway.egret(&["serve"]).failed();
    assert!(
        error.contains("in use by another process") && error.contains("[journal] dir"),
        "{error}"
    );
    // The first does not notice.
    assert_eq!(gateway.post(MONEY, &[], "{}").status, 401);
    assert!(is_ready(&gateway));
}

#[test]
fn a_damaged_segment_is_refused_and_named() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = used(&sim);
    let segment = segments(&journal(&config)).pop().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    // In the payload of an early event; there are events behind it that were durable.
    bytes[200] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let error = config.egret(&["serve"]).failed();
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(
        error.contains(name) && error.contains("Restore it from a copy"),
        "{error}"
    );
    assert_eq!(
        std::fs::read(&segment).unwrap(),
        bytes,
        "it was left as it is"
    );
    // Put right, it starts.
    bytes[200] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let gateway = config.start();
    assert_eq!(gateway.rows(5, &[]).len(), 5);
}

#[test]
fn a_segment_without_its_header_is_refused_and_named() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = used(&sim);
    let segment = segments(&journal(&config)).pop().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[..64].fill(0);
    std::fs::write(&segment, bytes).unwrap();
    let error = config.egret(&["serve"]).failed();
    assert!(error.contains("no readable header"), "{error}");
}

/// What is cut off the end cannot be told from what a crash leaves, except by who knows more.
#[test]
fn a_segment_that_was_cut_short_is_noticed_by_what_the_ledger_knows() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = used(&sim);
    let segment = segments(&journal(&config)).pop().unwrap();
    let length = std::fs::metadata(&segment).unwrap().len();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&segment)
        .unwrap();
    file.set_len(length / 2).unwrap();
    drop(file);
    let gateway = config.start();
    let told = gateway.log(
        "the journal lacks events that the ledger has: a segment was removed or cut. The ledger \
         keeps their rows, but their evidence is gone; restore the journal from a copy",
    );
    assert!(told.is_some(), "{}", gateway.stderr());
    // Calls go on, numbers are not given twice, and the rows stay.
    assert_eq!(gateway.post(MONEY, &[], "{}").status, 401);
    assert_eq!(gateway.rows(6, &[]).len(), 6);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_with_its_name() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = Config::new().cybrid(&sim.url());
    let directory = journal(&config);
    let disk = Tmpfs::mount(&directory, "ro,size=1m");
    if disk.is_none() {
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o500)).unwrap();
    }
    let error = config.egret(&["serve"]).failed();
    assert!(
        error.contains(&directory.display().to_string()) && error.contains("lock the journal"),
        "{error}"
    );
    drop(disk);
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (ran, _) = config.start().stop();
    assert!(ran.status.success());
}

#[test]
fn a_path_through_a_file_is_refused_with_its_name() {
    let config = Config::new()
        .cybrid("http://127.0.0.1:1")
        .section("[journal]\ndir = \"in-the-way/journal\"");
    let file = config.file("in-the-way", "");
    let error = config.egret(&["serve"]).failed();
    let named = file.join("journal").display().to_string();
    assert!(
        error.contains(&named) && error.contains("create the journal's directory"),
        "{error}"
    );
}

#[test]
fn a_wrong_key_file_is_refused_with_what_to_do() {
    let sim = Sim::start(Vendor::Cybrid);
    let config = used(&sim);
    let key = config.directory().join("data/fingerprint.key");
    let good = std::fs::read_to_string(&key).unwrap();
    let refused = |text: &str, mode: u32, says: &str| {
        write(&key, text, mode);
        let error = config.egret(&["serve"]).failed();
        assert!(
            error.contains(says) && error.contains("fingerprint.key"),
            "{error}"
        );
        let told_much = good.trim().len() > 16 && error.contains(&good.trim()[..16]);
        assert!(!told_much, "the key is not repeated: {error}");
    };
    refused(&good.trim()[2..], 0o600, "64 hexadecimal digits");
    refused(
        "-----BEGIN PRIVATE KEY-----\n",
        0o600,
        "64 hexadecimal digits",
    );
    refused("", 0o600, "64 hexadecimal digits");
    refused(&good, 0o644, "chmod 600");
    write(&key, &good, 0o600);
    let (ran, _) = config.start().stop();
    assert!(ran.status.success());
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
