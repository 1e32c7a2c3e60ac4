//! The reference of all keys is made from the code that reads them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::machine::Machine;
use crate::domain::config::parse::describe;
use crate::domain::config::reader::KeyInfo;

/// Writes every optional table, so that every key is asked for.
const EVERYTHING: &str = "\
[[listener]]
tls = { certificate = \"tls.pem\", key = \"tls.key\" }
[callers.certificates]
x = \"y\"
[limits.priority]
x = \"money\"
[providers.cybrid.budgets.general]
[providers.cybrid.services.bank]
sandbox = { url = \"https://bank.example\" }
production = { url = \"https://live.example\" }
[telemetry.attributes]
x = \"y\"
[[alerts.channel]]
name = \"x\"
kind = \"alertmanager\"
url = \"https://alerts.example\"
";

const BEGIN: &str = "<!-- keys: made by the test `the_reference_is_up_to_date`, do not edit -->\n";
const END: &str = "<!-- keys end -->\n";

fn keys() -> Vec<KeyInfo> {
    let path = Path::new("/etc/egret/egret.toml");
    describe(path, EVERYTHING, &Machine::with_tls_files()).unwrap()
}

fn render(keys: &[KeyInfo]) -> String {
    let mut sections: BTreeMap<usize, (&str, String)> = BTreeMap::new();
    for key in keys {
        let first = keys.iter().position(|other| other.section == key.section);
        let (_, rows) = sections
            .entry(first.unwrap_or(0))
            .or_insert((&key.section, String::new()));
        let variable = key
            .variable
            .as_ref()
            .map_or_else(String::new, |variable| format!("`{variable}`"));
        let meaning = &key.meaning;
        writeln!(
            rows,
            "| `{}` | {} | {} | {meaning} | {variable} |",
            key.name, key.kind, key.default
        )
        .unwrap();
    }
    let mut text = String::from(BEGIN);
    for (section, rows) in sections.values() {
        let title = match *section {
            "" => "Top level".to_owned(),
            "listener" => "`[[listener]]`".to_owned(),
            "redaction.rule" => "`[[redaction.rule]]`".to_owned(),
            "capture" => "`[[capture]]`".to_owned(),
            "alerts.channel" => "`[[alerts.channel]]`".to_owned(),
            section => format!("`[{section}]`"),
        };
        let head = "| key | type and bounds | default | meaning | variable |\n| --- | --- | --- | --- | --- |";
        write!(text, "\n### {title}\n\n{head}\n{rows}").unwrap();
    }
    text + "\n" + END
}

/// `EGRET_WRITE_DOCS=1 cargo test the_reference_is_up_to_date` writes it.
#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{}{after}", render(&keys()));
    if std::env::var_os("EGRET_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        document == expected,
        "docs/configuration.md is old: run EGRET_WRITE_DOCS=1 cargo test the_reference_is_up_to_date"
    );
}

#[test]
fn the_example_mentions_every_key_and_variable() {
    let example = include_str!("../../../../config/egret.toml");
    for key in keys().iter().filter(|key| !key.name.starts_with('<')) {
        let written = format!("{} = ", key.name);
        assert!(
            example.contains(&written),
            "{} of [{}]",
            key.name,
            key.section
        );
    }
}
