//! Rules of redaction and of captures: what is read, and what is refused where it stands.

use std::time::Duration;

use super::machine::Machine;
use super::{CYBRID, faults, one_fault, read};
use crate::domain::config::{CaptureBodies, ErrorBodies};

const RULE: &str = "[[redaction.rule]]\nname = \"member_id\"\npattern = 'MB-\\d{6}'\n\
                    must_match = [\"see MB-123456\"]\nmust_not_match = [\"MB-12\"]\n";

#[test]
fn nothing_is_captured_or_mapped_and_every_rule_set_is_on_unless_it_is_written() {
    let config = read(CYBRID, &Machine::default()).unwrap();
    assert!(config.captures.is_empty());
    assert_eq!(config.redaction, Default::default());
    assert_eq!(config.providers["cybrid"].error_bodies, ErrorBodies::Pass);
    assert!(config.capture_key_file.ends_with("egret-data/capture.key"));
    assert!(config.capture_dir.ends_with("egret-data/captures"));
}

#[test]
fn rules_are_read_and_used() {
    let config = read(&format!("{CYBRID}{RULE}"), &Machine::default()).unwrap();
    let redactor = config.redaction.builder().build().unwrap();
    let out = redactor.text("it was MB-123456").into_inner();
    assert_eq!(out, "it was [redacted:member_id]");
}

#[test]
fn a_rule_that_does_not_hold_is_reported_at_its_key() {
    let machine = Machine::default();
    for (from, to, line, says) in [
        (
            "\"see MB-123456\"",
            "\"see MB-1\"",
            5,
            "must_match example 1",
        ),
        ("\"MB-12\"", "\"MB-654321\"", 6, "must_not_match example 1"),
        ("'MB-\\d{6}'", "'MB-(\\d{6}'", 4, "does not compile"),
        ("\"member_id\"", "\"card\"", 3, "the name is taken"),
    ] {
        let text = format!("{CYBRID}{}", RULE.replace(from, to));
        let found = faults(&text, &machine);
        let start = format!("egret.toml:{line}:");
        assert!(
            found.len() == 1 && found[0].starts_with(&start) && found[0].contains(says),
            "{found:#?}"
        );
        assert!(!found[0].contains("654321"), "an example may be sensitive");
    }
    let twice = format!("{CYBRID}{RULE}{RULE}");
    one_fault(&twice, &machine, "egret.toml:8:");
    let set = format!("{CYBRID}[redaction]\nrule_sets = [\"payments\"]\n");
    one_fault(&set, &machine, "egret.toml:3:");
}

#[test]
fn capture_rules_are_bounded_and_name_what_exists() {
    let machine = Machine::default();
    let rule = "[[capture]]\nprovider = \"cybrid\"\noperations = [\"bank.create_trade\"]\n\
                bodies = \"excerpt\"\nretention = \"5m\"\n";
    let config = read(&format!("{CYBRID}{rule}"), &machine).unwrap();
    let read = &config.captures[0];
    assert_eq!(read.bodies, CaptureBodies::Excerpt);
    assert_eq!((read.max_bytes, read.sample), (8 << 10, 1));
    assert_eq!(read.retention, Duration::from_secs(300));
    for (from, to, line) in [
        ("provider = \"cybrid\"", "provider = \"obp\"", 3),
        ("bank.create_trade", "bank.create_trad", 4),
        ("\"5m\"", "\"30d\"", 6),
        ("\"excerpt\"", "\"all\"", 5),
    ] {
        let text = format!("{CYBRID}{}", rule.replace(from, to));
        one_fault(&text, &machine, &format!("egret.toml:{line}:"));
    }
}

#[test]
fn error_bodies_are_set_for_a_provider_and_for_a_service() {
    let text = "[providers.cybrid]\nerror_bodies = \"map\"\n\
                [providers.cybrid.services.bank]\nerror_bodies = \"pass\"\n";
    let config = read(text, &Machine::default()).unwrap();
    let cybrid = &config.providers["cybrid"];
    assert_eq!(cybrid.error_bodies, ErrorBodies::Map);
    assert_eq!(cybrid.service_error_bodies["bank"], ErrorBodies::Pass);
}
