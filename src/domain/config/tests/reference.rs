//! The reference of all keys is made from the code that reads them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::domain::config::reader::KeyInfo;
use crate::domain::config::reload::is_reloadable;
use crate::domain::config::schema;

const BEGIN: &str = "<!-- keys: made by the test `the_reference_is_up_to_date`, do not edit -->\n";
const END: &str = "<!-- keys end -->\n";

fn keys() -> Vec<KeyInfo> {
    crate::domain::config::keys().keys
}

fn render(keys: &[KeyInfo], lists: &[String]) -> String {
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
        let path = [key.section.as_str(), &key.name].join(".");
        let reload = match is_reloadable(path.trim_start_matches('.')) {
            true => "yes",
            false => "start",
        };
        writeln!(
            rows,
            "| `{}` | {} | {} | {meaning} | {variable} | {reload} |",
            key.name, key.kind, key.default
        )
        .unwrap();
    }
    let mut text = String::from(BEGIN);
    for (section, rows) in sections.values() {
        let title = match *section {
            "" => "Top level".to_owned(),
            list if lists.iter().any(|of| of == list) => format!("`[[{list}]]`"),
            section => format!("`[{section}]`"),
        };
        let head = "| key | type and bounds | default | meaning | variable | reload |\n| --- | --- | --- | --- | --- | --- |";
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
    let expected = format!(
        "{before}{}{after}",
        render(&keys(), &crate::domain::config::keys().lists)
    );
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

/// What editors complete and check keys with.
#[test]
fn the_reference_is_up_to_date_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/egret.schema.json");
    let expected = schema::render(&crate::domain::config::keys());
    if std::env::var_os("EGRET_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == expected,
        "config/egret.schema.json is old: run EGRET_WRITE_DOCS=1 cargo test the_reference_is_up_to_date"
    );
}

/// A kind of value without a shape would let the schema pass anything.
#[test]
fn every_key_has_a_shape() {
    for key in keys() {
        let shape = format!("{:?}", key.shape);
        assert!(
            !shape.contains("Any"),
            "{} of [{}]: {shape}",
            key.name,
            key.section
        );
    }
}
