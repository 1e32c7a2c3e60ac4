//! The schema says what the reader says, as far as a schema can.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::machine::Machine;
use crate::domain::config::{keys, parse, schema};

struct Validator {
    schemas: Schemas,
    schema: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        let schema = schema::schema(&keys());
        compiler.add_resource("egret.json", schema).unwrap();
        let schema = compiler.compile("egret.json", &mut schemas).unwrap();
        Self { schemas, schema }
    }

    fn check(&self, toml: &str) -> Result<(), String> {
        let table: toml::Table = toml::from_str(toml).unwrap();
        let value: Value = serde_json::to_value(table).unwrap();
        let valid = self.schemas.validate(&value, self.schema);
        valid.map_err(|error| error.to_string())
    }
}

/// The blocks of a document that are marked as TOML.
fn blocks(document: &str) -> Vec<&str> {
    let mut rest = document;
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once("```toml\n") {
        let Some((block, after)) = after.split_once("```") else {
            break;
        };
        found.push(block);
        rest = after;
    }
    found
}

#[test]
fn what_is_shipped_and_documented_fits_the_schema() {
    let validator = Validator::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    validator.check(&read("config/egret.toml")).unwrap();
    let mut count = 0;
    for name in [
        "README.md",
        "docs/configuration.md",
        "docs/alerts.md",
        "docs/capture.md",
        "docs/redaction.md",
        "docs/operations.md",
    ] {
        for block in blocks(&read(name)) {
            count += 1;
            validator
                .check(block)
                .unwrap_or_else(|error| panic!("{name}: {error}\n{block}"));
        }
    }
    assert!(count > 0);
}

/// Every line of the example that is commented out is one that could be written.
#[test]
fn the_example_fits_the_schema_with_every_key_written() {
    let validator = Validator::new();
    let example = include_str!("../../../../config/egret.toml");
    let mut seen = 0;
    for line in example.lines() {
        let Some(line) = line.strip_prefix("# ") else {
            continue;
        };
        let is_key = line.split_once(" = ").is_some_and(|(name, _)| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        let name = line.split(' ').next().unwrap();
        let book = keys();
        let may_be_table = |kind: &str| !line.contains("= {") || kind.ends_with("a table");
        let mut known = book.keys.iter();
        let is_known = known.any(|key| key.name == name && may_be_table(&key.kind));
        if !is_key || !is_known || toml::from_str::<toml::Table>(line).is_err() {
            continue;
        }
        seen += 1;
        let mut fits = book.keys.iter().filter(|key| key.name == name).map(|key| {
            let section = key.section.replace("<id>", "x").replace("<service>", "x");
            let path: Vec<&str> = section.split('.').filter(|part| !part.is_empty()).collect();
            let lists: Vec<String> = book.lists.clone();
            let mut value: toml::Value = toml::from_str::<toml::Table>(line).unwrap().into();
            let mut at = path.len();
            for part in path.iter().rev() {
                let whole = path[..at].join(".");
                if lists.contains(&whole) {
                    value = toml::Value::Array(vec![value]);
                }
                value = toml::Table::from_iter([((*part).to_owned(), value)]).into();
                at -= 1;
            }
            validator.check(&value.to_string_as_document())
        });
        // What else the table must have is another matter.
        assert!(
            fits.any(|fit| fit
                .as_ref()
                .err()
                .is_none_or(|error| error.contains("missing"))),
            "{line}"
        );
    }
    assert!(seen > 50, "{seen}");
}

trait Document {
    fn to_string_as_document(&self) -> String;
}

impl Document for toml::Value {
    fn to_string_as_document(&self) -> String {
        toml::to_string(self).unwrap()
    }
}

#[test]
fn what_the_reader_refuses_for_its_shape_the_schema_refuses() {
    let validator = Validator::new();
    let machine = Machine::with_tls_files();
    let with = |text: &str| format!("{text}\n[providers.cybrid]\n");
    let read = |text: &str| parse(Path::new("/etc/egret/egret.toml"), text, &machine);
    for good in [
        "workers = 4",
        "[timeouts]\nrequest = \"45s\"",
        "[limits]\nhead_bytes = 65536",
        "[limits]\nhead_bytes = \"64KiB\"",
        "[[listener]]\naddress = \"unix:egret.sock\"",
        "[[listener]]\naddress = \"[::1]:8080\"",
        "[[listener]]\naddress = \"0.0.0.0:8443\"\ntls = { certificate = \"tls.pem\", key = \"tls.key\", client_ca = \"ca.pem\" }",
        "[admin]\naddress = \"off\"",
        "[ledger]\nurl = \"postgres://u@db/egret\"",
        "[callers.certificates]\n\"spiffe://x/y\" = \"payments\"",
        "[providers.obp.services.api]\nsandbox = \"https://obp.example\"",
        "[providers.obp.services.api]\nsandbox = { url = \"https://obp.example\", verify = true }",
        "[redaction]\nrule_sets = [\"payment\"]",
        "[log]\nfilter = \"info\"",
    ] {
        let text = with(good);
        assert_eq!(
            read(&text).err().map(|faults| faults.to_string()),
            None,
            "{good}"
        );
        validator
            .check(&text)
            .unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for bad in [
        "worker = 4",
        "workers = \"4\"",
        "workers = 1000",
        "workers = -1",
        "node = 7",
        "node = \"\"",
        "timeouts = 30",
        "[timeouts]\nrequest = 30",
        "[timeouts]\nrequest = \"30\"",
        "[timeouts]\nrequst = \"30s\"",
        "[limits]\nhead_bytes = 1",
        "[limits]\nhead_bytes = \"64kb\"",
        "[listener]\naddress = \"127.0.0.1:1\"",
        "[[listener]]\naddress = \"localhost\"",
        "[[listener]]\ntls = { certificate = \"tls.pem\" }",
        "[journal.policy]\nread = \"lax\"",
        "[journal.policy]\nreads = \"strict\"",
        "[ledger]\nurl = \"mysql://db\"",
        "[callers]\nlocal = \"two words\"",
        "[providers.obp.services.api]\nsandbox = \"ftp://obp.example\"",
        "[providers.obp.services.api]\nsandbox = { verify = true }",
        "[providers.obp]\nenvironment = \"test\"",
        "[redaction]\npseudonyms = \"yes\"",
        "[[capture]]\nsample = 10",
        "[[alerts.channel]]\nname = \"x\"",
        "include = \"callers.toml\"",
    ] {
        let text = with(bad);
        assert!(read(&text).is_err(), "{bad}");
        assert!(validator.check(&text).is_err(), "{bad}");
    }
}
