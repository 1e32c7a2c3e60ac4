//! `[detect]`.

use super::machine::Machine;
use super::*;
use crate::domain::detect::{Sensitivity, Settings, Severity};
use crate::domain::incident;

fn detect(text: &str) -> Detect {
    read(&format!("{CYBRID}{text}"), &Machine::default())
        .unwrap()
        .detect
}

#[test]
fn the_ledger_is_watched_unless_somebody_says_otherwise() {
    let found = detect("");
    assert!(found.enabled && found.responses.by_rule.is_empty());
    assert_eq!(found.settings, Settings::default());
    assert_eq!(found.directory, Path::new("/etc/egret/egret-data/detect"));
    assert!(!detect("[detect]\nenabled = false\n").enabled);
}

const FULL: &str = "\
sensitivity = \"high\"
learning_days = 7
known_callers = [\"batch\"]
own_networks = [\"192.0.2.0/24\"]
[[load_tests]]
caller = \"load\"
from = 2026-11-22T00:00:00Z
to = 1795323600000
[bounds]
subjects = 5000
[rules.volume]
enabled = false
[rules.thin-mints]
sensitivity = \"low\"
max_severity = \"medium\"
[rules.mint-sweep.respond]
action = \"throttle\"
for = \"5m\"
from = \"medium\"
calls_per_minute = 3
[rules.token-moved]
respond = { action = \"lock-token\" }
[responses]
dry_run = true
max_per_hour = 5
never = [\"core\"]
";

#[test]
fn a_file_of_its_own_says_the_same_as_the_section() {
    let section = FULL
        .replace("[[", "[[detect.")
        .replace("\n[rules", "\n[detect.rules")
        .replace("\n[bounds", "\n[detect.bounds")
        .replace("\n[responses", "\n[detect.responses");
    let found = detect(&format!("[detect]\n{section}"));
    let alone = parse_detect(
        Path::new("/etc/egret/egret-data/x.toml"),
        FULL,
        &Machine::default(),
    )
    .unwrap();
    assert_eq!(found, alone);
    let settings = &found.settings;
    assert_eq!(settings.sensitivity, Sensitivity::High);
    assert_eq!(
        (settings.learning_days, settings.bounds.subjects),
        (7, 5000)
    );
    assert_eq!(settings.load_tests[0].from, 1_795_305_600_000);
    assert_eq!(settings.rules["volume"].enabled, Some(false));
    assert_eq!(
        settings.rules["thin-mints"].max_severity,
        Some(Severity::Medium)
    );
    assert_eq!(settings.rules.len(), 2);
    assert_eq!(settings.faults(), Vec::<String>::new());
    let responses = &found.responses;
    assert!(responses.dry_run && responses.max_per_hour == 5 && responses.never.len() == 1);
    assert_eq!(
        responses.by_rule["mint-sweep"],
        Response {
            action: Action::Throttle {
                calls_per_minute: 3
            },
            lasts: Duration::from_secs(300),
            from: incident::Severity::Medium,
        }
    );
    assert_eq!(responses.by_rule["token-moved"].action, Action::LockToken);
    assert_eq!(
        responses.by_rule["token-moved"].from,
        incident::Severity::High
    );
}

#[test]
fn every_fault_is_told_with_its_line() {
    let text = format!(
        "{CYBRID}[detect]\nsensitivty = \"high\"\nown_networks = [\"home\"]\nnetmap = \"gone.mmdb\"\n\
         [detect.rules.thin-mint]\nenabled = true\n[detect.rules.volume]\nmax_severity = \"huge\"\n\
         [detect.rules.silence.respond]\naction = \"lock-caller\"\n[detect.rules.guessed.respond]\n\
         for = \"1s\"\n[[detect.load_tests]]\ncaller = \"load\"\nfrom = 9\nto = 5\n\
         [detect.rules.token-moved.respond]\naction = \"lock-token\"\ncalls_per_minute = 5\n"
    );
    let found = faults(&text, &Machine::default());
    for (line, says) in [
        (3, "did you mean \"sensitivity\"?"),
        (4, "192.0.2.0/24"),
        (5, "cannot be read"),
        (6, "did you mean \"thin-mints\"?"),
        (9, "critical"),
        (10, "not about calls"),
        (12, "action"),
        (13, "out of bounds"),
        (17, "ends before it begins"),
        (20, "only throttle"),
    ] {
        let place = format!("egret.toml:{line}:");
        assert!(
            found
                .iter()
                .any(|fault| fault.starts_with(&place) && fault.contains(says)),
            "{line} {says}\n{found:#?}"
        );
    }
    assert_eq!(found.len(), 10, "{found:#?}");
}
