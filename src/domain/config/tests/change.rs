//! What is told of a configuration that lets more through than the one before.

use std::path::Path;

use proptest::prelude::*;

use super::machine::Machine;
use super::{CYBRID, read};
use crate::domain::config::{Protections, Topic, compare};

fn of(text: &str) -> Protections {
    let config =
        read(text, &Machine::with_tls_files()).unwrap_or_else(|faults| panic!("{text}\n{faults}"));
    Protections::of(&config, &|path: &Path| path.display().to_string())
}

/// `topic key: how`, as it is told.
fn told(before: &str, after: &str) -> Vec<String> {
    let changes = compare(&of(before), &of(after));
    let lines = changes.iter().map(|change| {
        let topic = match change.topic {
            Topic::Caller => "caller",
            Topic::Policy => "policy",
            Topic::Pins => "pins",
        };
        format!("{topic} {}: {}", change.key, change.how)
    });
    lines.collect()
}

const CASES: &[(&str, &str, &str)] = &[
    (
        "unknown_operations = \"deny\"\n",
        "unknown_operations = \"forward\"\n",
        "policy providers.cybrid.unknown_operations: deny to forward",
    ),
    (
        "error_bodies = \"map\"\n",
        "error_bodies = \"pass\"\n",
        "policy providers.cybrid.error_bodies: map to pass",
    ),
    (
        "[limits]\nconnections = 100\n",
        "[limits]\nconnections = 200\n",
        "policy limits.connections: 100 to 200",
    ),
    (
        "[limits]\nshadow = false\n",
        "[limits]\nshadow = true\n",
        "policy limits.shadow: off to on",
    ),
    (
        "[evidence]\nenabled = true\n",
        "[evidence]\nenabled = false\n",
        "policy evidence.enabled: on to off",
    ),
    (
        "[callers]\nlocal = \"app\"\n",
        "[callers]\nlocal = \"other\"\n",
        "caller callers.local: with other",
    ),
    (
        "[[redaction.rule]]\nname = \"member\"\nfields = [\"member_no\"]\n",
        "",
        "policy redaction.rule: without member",
    ),
    (
        "[[redaction.rule]]\nname = \"member\"\nfields = [\"member_no\"]\n",
        "[[redaction.rule]]\nname = \"member\"\nfields = [\"other_no\"]\n",
        "policy redaction.rule: without member",
    ),
    (
        "[alerts]\ntell_from = \"medium\"\n",
        "[alerts]\ntell_from = \"high\"\n",
        "policy alerts.tell_from: medium to high",
    ),
    (
        "[detect]\nsensitivity = \"high\"\n",
        "[detect]\nsensitivity = \"normal\"\n",
        "policy detect.sensitivity: high to normal",
    ),
    (
        "",
        "[detect.rules.token-moved]\nenabled = false\n",
        "policy detect.rules.enabled: without token-moved",
    ),
    (
        "",
        "[[capture]]\nprovider = \"cybrid\"\n",
        "policy capture: with heads of cybrid (all operations)",
    ),
    (
        "",
        "[providers.obp.services]\napi = { sandbox = \"http://127.0.0.1:3\" }\n",
        "policy providers: with obp",
    ),
    (
        "[providers.cybrid.services]\nbank = { sandbox = \"http://127.0.0.1:1\" }\n",
        "[providers.cybrid.services]\nbank = { sandbox = \"http://127.0.0.1:2\" }\n",
        "policy providers.cybrid.services.bank.sandbox.url: http://127.0.0.1:1 to http://127.0.0.1:2",
    ),
];

#[test]
fn what_became_looser_is_told_and_what_became_stricter_is_not() {
    for (strict, loose, line) in CASES {
        let (strict, loose) = (format!("{CYBRID}{strict}"), format!("{CYBRID}{loose}"));
        assert_eq!(told(&strict, &loose), [*line], "{strict}{loose}");
        assert!(told(&strict, &strict).is_empty());
        // Servers and callers can be others without one being the stricter.
        let is_other =
            line.contains(".url:") || line.starts_with("caller") || line.contains("member");
        if !is_other {
            assert_eq!(told(&loose, &strict), [""; 0], "{strict}{loose}");
        }
    }
}

#[test]
fn other_certificates_of_a_bank_are_told() {
    let with = |rest: &str| {
        format!(
            "{CYBRID}[providers.cybrid.services]\nbank = {{ sandbox = {{ url = \"https://127.0.0.1:1\"{rest} }} }}\n"
        )
    };
    let (known, none) = (with(", ca = \"ca.pem\""), with(""));
    let key = "pins providers.cybrid.services.bank.sandbox";
    assert_eq!(
        told(&known, &none),
        [format!("{key}.ca: /etc/egret/ca.pe to none")]
    );
    assert_eq!(
        told(&none, &known),
        [format!("{key}.ca: none to /etc/egret/ca.pe")]
    );
    let blind = with(", verify = false");
    assert_eq!(told(&none, &blind), [format!("{key}.verify: on to off")]);
    assert!(told(&blind, &none).is_empty());
}

#[test]
fn what_is_kept_comes_back_and_holds_no_pattern_and_no_example() {
    let text = format!(
        "{CYBRID}[[redaction.rule]]\nname = \"member\"\npattern = \"M-[0-9]{{6}}\"\nmust_match = [\"M-123456\"]\n\
         must_not_match = [\"M-1\"]\n"
    );
    let kept = of(&text);
    let json = serde_json::to_string(&kept).unwrap();
    for held_back in ["M-1", "[0-9]"] {
        assert!(!json.contains(held_back), "{json}");
    }
    assert_eq!(serde_json::from_str::<Protections>(&json).unwrap(), kept);
}

#[test]
fn nothing_is_looser_than_what_is_not_known() {
    assert!(compare(&Protections::default(), &of(CYBRID)).is_empty());
    assert!(compare(&of(CYBRID), &Protections::default()).is_empty());
}

proptest! {
    /// Any list of what is written: from it to itself nothing is told, and what is told is short.
    #[test]
    fn texts_are_short_and_in_one_line(picked in proptest::collection::vec(0..CASES.len(), 0..4)) {
        let mut strict = CYBRID.to_owned();
        let mut loose = CYBRID.to_owned();
        let mut seen = std::collections::HashSet::new();
        for at in picked {
            let (one, other, line) = CASES[at];
            // A table may be written once.
            let table = line.split(['.', ':']).next().unwrap();
            if seen.insert(table) {
                strict.push_str(one);
                loose.push_str(other);
            }
        }
        let machine = Machine::with_tls_files();
        if let (Ok(_), Ok(_)) = (read(&strict, &machine), read(&loose, &machine)) {
            for change in compare(&of(&strict), &of(&loose)) {
                prop_assert!(change.how.len() <= 200 && !change.how.contains('\n'));
            }
            prop_assert!(compare(&of(&strict), &of(&strict)).is_empty());
        }
    }
}
