//! The rules of the house, read off the source: each failure is the sentence of a rule in
//! `ARCHITECTURE.md`.

use std::fs;
use std::path::{Path, PathBuf};

/// A top-level part of `src` and the parts that it may use, itself included.
const MAY_USE: &[(&str, &[&str])] = &[
    ("types", &["types"]),
    ("domain", &["domain", "types"]),
    ("adapters", &["adapters", "domain", "types"]),
    ("edge", &["edge", "adapters", "domain", "types"]),
    ("sim", &["sim", "types"]),
    ("app", &["app", "edge", "adapters", "domain", "types"]),
    (
        "cli",
        &["cli", "app", "edge", "sim", "adapters", "domain", "types"],
    ),
];

/// A word that may stand only below certain paths, and the rule.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    (
        "pingora",
        &["edge/", "adapters/log.rs"],
        "Pingora stays in edge",
    ),
    (
        "sqlx::",
        &["adapters/ledger/"],
        "sqlx stays in adapters/ledger",
    ),
    (
        "redis::",
        &["adapters/limits/fleet/"],
        "redis stays in adapters/limits/fleet",
    ),
    ("clap::", &["cli/"], "clap stays in cli"),
    ("axum::", &["edge/admin/"], "axum stays in edge/admin"),
    ("utoipa::", &["edge/admin/"], "utoipa stays in edge/admin"),
    ("tar::", &["app/admin/"], "archives are made in app/admin"),
    ("ratatui", &["cli/top/"], "ratatui stays in cli/top"),
    (
        "opentelemetry_proto",
        &["adapters/telemetry/"],
        "OpenTelemetry stays in adapters/telemetry",
    ),
    (
        "tonic::",
        &["adapters/telemetry/"],
        "gRPC stays in adapters/telemetry",
    ),
    (
        "sd_notify",
        &["adapters/service_manager.rs"],
        "the service manager is told in one file",
    ),
    (
        "SystemTime::now",
        &["adapters/clock.rs"],
        "the wall clock is read in one file",
    ),
    (
        "SystemRandom",
        &["adapters/entropy.rs"],
        "randomness comes from one file",
    ),
    (
        "Instant::now",
        &["adapters/", "edge/", "app/handover.rs", "cli/"],
        "decisions are handed the time",
    ),
    (
        "std::fs",
        &["adapters/", "edge/", "app", "cli/"],
        "domain does no I/O",
    ),
    (
        "tokio::",
        &["adapters/", "edge/", "app", "cli/", "sim/"],
        "domain is not async",
    ),
    (
        "tracing::",
        &["adapters/", "edge/", "app", "cli/"],
        "domain does not log",
    ),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its path below `src`, and its lines of code up to its tests.
fn code() -> Vec<(String, Vec<(usize, String)>)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 100, "the sources were not found");
    files
        .into_iter()
        .filter_map(|file| {
            let name = file.strip_prefix(&src).ok()?.to_string_lossy().into_owned();
            let is_test = name.contains("tests/")
                || name.ends_with("tests.rs")
                || name.ends_with("testing.rs");
            if is_test {
                return None;
            }
            let text = fs::read_to_string(&file).ok()?;
            let lines = text
                .lines()
                .enumerate()
                .take_while(|(_, line)| line.trim() != "mod tests {")
                .filter(|(_, line)| !line.trim_start().starts_with("//"))
                .map(|(number, line)| (number + 1, line.to_owned()))
                .collect();
            Some((name, lines))
        })
        .collect()
}

#[test]
fn the_right_uses_the_left_and_never_the_reverse() {
    let mut broken = Vec::new();
    for (name, lines) in code() {
        let part = name.split(['/', '.']).next().unwrap();
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == part) else {
            assert!(
                matches!(part, "lib" | "main"),
                "{name}: a new part of the house needs a rule in MAY_USE"
            );
            continue;
        };
        for (number, line) in lines {
            for used in line.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                let is_part = MAY_USE.iter().any(|(known, _)| *known == used);
                if is_part && !allowed.contains(&used.as_str()) {
                    broken.push(format!("src/{name}:{number}: {part} must not use {used}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_belongs_to_one_place_stays_there() {
    let mut broken = Vec::new();
    for (name, lines) in code() {
        for (number, line) in lines {
            for (word, places, rule) in ONLY_IN {
                let allowed = places.iter().any(|place| name.starts_with(place));
                if line.contains(word) && !allowed {
                    broken.push(format!("src/{name}:{number}: {word}: {rule}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The map is of use to a newcomer only while it is whole.
#[test]
fn the_map_shows_every_part_of_the_domain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let words: Vec<_> = map
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    for entry in fs::read_dir(root.join("src/domain")).unwrap() {
        let path = entry.unwrap().path();
        let part = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            part == "mod" || words.contains(&part),
            "domain/{part} is missing in ARCHITECTURE.md"
        );
    }
}

#[test]
fn nothing_committed_names_a_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Put together here, so that this file does not contain what it looks for.
    let paths = ["/ro", "/wo", "/ho"].map(|start| {
        let end = match start {
            "/ro" => "ot/",
            "/wo" => "rk/",
            _ => "me/",
        };
        format!("{start}{end}")
    });
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        sources(&root.join(dir), &mut files);
    }
    let mut broken = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if paths
                .iter()
                .any(|path| line.contains(path.as_str()) && !line.contains("/home/x/"))
            {
                broken.push(format!("{}:{}", file.display(), number + 1));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "paths of one machine:\n{}",
        broken.join("\n")
    );
}
