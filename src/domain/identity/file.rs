//! The callers file: TOML with names, ids, hashes and dates. It holds no secret.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::book::{CallerBook, CallerEntry, KeyEntry, MAX_CALLERS, MAX_KEYS, is_keyed_name};
use super::key::{KeyHash, is_key_id};
use crate::domain::config::Faults;
use crate::domain::config::reader::{
    Document, IntegerIn, Kind, Problem, Raw, Table, Timestamp, no_variables,
};

/// The format that this program writes and reads.
const VERSION: usize = 1;

const HEADER: &str = "\
# The callers of Egret and the hashes of their keys. Kept by `egret caller`; holds no secret, but
# whoever can change it can call as anybody.
";

/// A name that keys are kept under; with what to say of a value that is none.
pub(in crate::domain) struct KeyedName(pub &'static str);

impl Kind for KeyedName {
    type Value = Arc<str>;

    fn read(&self, raw: Raw<'_>) -> Result<Arc<str>, Problem> {
        match raw.text() {
            Some(name) if is_keyed_name(name) => Ok(name.into()),
            _ => Err(Problem::new(self.0, self.describe())),
        }
    }

    fn describe(&self) -> String {
        "use 1 to 64 letters, digits, '.', '_', '-', '@'".to_owned()
    }

    fn show(&self, value: &Arc<str>) -> String {
        value.to_string()
    }
}

/// The id of a key.
struct KeyIdField;

impl Kind for KeyIdField {
    type Value = Arc<str>;

    fn read(&self, raw: Raw<'_>) -> Result<Arc<str>, Problem> {
        match raw.text() {
            Some(id) if is_key_id(id) => Ok(id.into()),
            _ => Err(Problem::new("not the id of a key", self.describe())),
        }
    }

    fn describe(&self) -> String {
        "the 12 letters and digits between egk_ and the next underscore".to_owned()
    }

    fn show(&self, value: &Arc<str>) -> String {
        value.to_string()
    }
}

/// The hash of a key.
struct KeyHashField;

impl Kind for KeyHashField {
    type Value = KeyHash;

    fn read(&self, raw: Raw<'_>) -> Result<KeyHash, Problem> {
        raw.text()
            .and_then(KeyHash::parse_hex)
            .ok_or_else(|| Problem::new("not a SHA-256", self.describe()))
    }

    fn describe(&self) -> String {
        "64 hexadecimal digits, the SHA-256 of the whole key".to_owned()
    }

    fn show(&self, value: &KeyHash) -> String {
        value.to_hex()
    }
}

/// Reads a callers file.
///
/// # Errors
/// Every fault of it, with its place.
pub fn parse_callers(file: &str, text: &str) -> Result<CallerBook, Faults> {
    let document = Document::new(file, text, &no_variables);
    let book = document.read(|top| read(&top));
    document.finish(book)
}

fn read(top: &Table<'_>) -> CallerBook {
    top.value("version", &IntegerIn(VERSION..=VERSION), VERSION, "");
    let tables = top.tables("caller");
    if tables.len() > MAX_CALLERS {
        let hint = format!("use at most {MAX_CALLERS}");
        top.fault(
            &top.place_of("caller"),
            Problem::new("too many callers", hint),
        );
    }
    let mut names = HashSet::new();
    let mut ids = HashSet::new();
    let mut callers = Vec::new();
    for table in tables.iter().take(MAX_CALLERS) {
        let name = table.required("name", &KeyedName("not the name of a caller"), "");
        if let Some(name) = &name
            && !names.insert(name.value.clone())
        {
            let hint = "put its keys under the first one";
            table.fault(
                &name.place,
                Problem::new("this caller is listed before", hint),
            );
        }
        let key_tables = table.tables("key");
        if key_tables.len() > MAX_KEYS {
            let hint = format!("use at most {MAX_KEYS}");
            table.fault(&table.place_of("key"), Problem::new("too many keys", hint));
        }
        let keys = key_tables
            .iter()
            .take(MAX_KEYS)
            .filter_map(|key| read_key(key, &mut ids))
            .collect();
        if let Some(name) = name {
            callers.push(CallerEntry {
                name: name.value,
                keys,
            });
        }
    }
    CallerBook::new(callers)
}

/// Reads a key from its table; `ids` are those before it in the file.
pub(in crate::domain) fn read_key(
    table: &Table<'_>,
    ids: &mut HashSet<Arc<str>>,
) -> Option<KeyEntry> {
    let id = table.required("id", &KeyIdField, "");
    let hash = table.required("sha256", &KeyHashField, "");
    let created_at = table.required("created_at", &Timestamp, "");
    let expires_at = table.optional("expires_at", &Timestamp, "", "");
    let revoked_at = table.optional("revoked_at", &Timestamp, "", "");
    let id = id?;
    if !ids.insert(id.value.clone()) {
        let hint = "every key has an id of its own: remove one of them";
        table.fault(&id.place, Problem::new("another key has this id", hint));
    }
    Some(KeyEntry {
        id: id.value,
        hash: hash?.value,
        created_at: created_at?.value,
        expires_at: expires_at.map(|found| found.value),
        revoked_at: revoked_at.map(|found| found.value),
    })
}

/// Writes a callers file. Nothing needs quoting: names, ids, hashes and dates have no marks that
/// TOML gives a meaning.
pub fn write_callers(book: &CallerBook) -> String {
    let mut text = format!("{HEADER}version = {VERSION}\n");
    for caller in book.callers() {
        let _ = write!(text, "\n[[caller]]\nname = \"{}\"\n", caller.name);
        for key in &caller.keys {
            text.push_str("\n[[caller.key]]\n");
            write_key(&mut text, key);
        }
    }
    text
}

/// Writes a key below the header of its table.
pub(in crate::domain) fn write_key(text: &mut String, key: &KeyEntry) {
    let _ = write!(
        text,
        "id = \"{}\"\nsha256 = \"{}\"\ncreated_at = {}\n",
        key.id,
        key.hash.to_hex(),
        key.created_at
    );
    if let Some(at) = key.expires_at {
        let _ = writeln!(text, "expires_at = {at}");
    }
    if let Some(at) = key.revoked_at {
        let _ = writeln!(text, "revoked_at = {at}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = parse_callers("callers.toml", text).unwrap_err();
        faults.list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_is_an_empty_book() {
        assert_eq!(parse_callers("c", ""), Ok(CallerBook::default()));
    }

    #[test]
    fn faults_of_the_file_have_their_place() {
        let hash = "ab".repeat(32);
        let text = format!(
            "version = 2\n[[caller]]\nname = \"a b\"\n[[caller.key]]\nid = \"egk_hunter2\"\n\
             sha256 = \"x\"\ncreated_at = 2026-11-22\n[[caller]]\nname = \"b\"\n[[caller]]\n\
             name = \"b\"\n[[caller.key]]\nid = \"aaaaaaaaaaaa\"\nsha256 = \"{hash}\"\n\
             expire_at = 2026-11-22T00:00:00Z\n"
        );
        let found = faults(&text);
        let starts = [
            "callers.toml:1:11: version: out of bounds, found 2; use 1 to 1",
            "callers.toml:3:8: caller.name: not the name of a caller",
            "callers.toml:5:6: caller.key.id: not the id of a key",
            "callers.toml:6:10: caller.key.sha256: not a SHA-256",
            "callers.toml:7:14: caller.key.created_at: not a moment",
            "callers.toml:11:8: caller.name: this caller is listed before",
            "callers.toml:12:1: caller.key.created_at: missing",
            "callers.toml:15:1: caller.key.expire_at: unknown key; did you mean \"expires_at\"?",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (fault, start) in found.iter().zip(starts) {
            assert!(fault.starts_with(start), "{fault}\n{start}");
        }
        assert!(!found.concat().contains("hunter2"));
    }

    #[test]
    fn two_keys_do_not_share_an_id() {
        let key = format!(
            "[[caller.key]]\nid = \"aaaaaaaaaaaa\"\nsha256 = \"{}\"\ncreated_at = 2026-11-22T00:00:00Z\n",
            "ab".repeat(32)
        );
        let text = format!("[[caller]]\nname = \"a\"\n{key}{key}");
        assert!(
            faults(&text)[0]
                .starts_with("callers.toml:8:6: caller.key.id: another key has this id")
        );
    }
}
