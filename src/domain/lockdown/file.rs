//! Locks as TOML.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Lock, LockBook, LockTarget, MAX_LOCKS};
use crate::domain::config::Faults;
use crate::domain::config::reader::{
    Document, IntegerIn, Kind, Problem, Raw, Table, Timestamp, no_variables,
};
use crate::domain::own::MAX_REASON;
use crate::types::CallId;

/// The format that this program writes and reads.
const VERSION: usize = 1;

const HEADER: &str = "\
# What is locked down. Kept by `egret lockdown`, which puts on record who locks and lifts.
";

struct Target;

impl Kind for Target {
    type Value = LockTarget;

    fn read(&self, raw: Raw<'_>) -> Result<LockTarget, Problem> {
        raw.text()
            .and_then(|text| LockTarget::parse(text).ok())
            .ok_or_else(|| Problem::new("not something that can be locked", self.describe()))
    }

    fn describe(&self) -> String {
        "use all, provider:ID, operation:PROVIDER/ID, caller:NAME or token:FINGERPRINT".to_owned()
    }

    fn show(&self, value: &LockTarget) -> String {
        value.to_string()
    }
}

struct Id;

impl Kind for Id {
    type Value = CallId;

    fn read(&self, raw: Raw<'_>) -> Result<CallId, Problem> {
        raw.text()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Problem::new("not the id of a call", self.describe()))
    }

    fn describe(&self) -> String {
        "the id of the record of the command that placed the lock".to_owned()
    }

    fn show(&self, value: &CallId) -> String {
        value.to_string()
    }
}

/// One line for people.
struct Line;

impl Kind for Line {
    type Value = Arc<str>;

    fn read(&self, raw: Raw<'_>) -> Result<Arc<str>, Problem> {
        match raw.text() {
            Some(text) if text.len() <= MAX_REASON && !text.chars().any(char::is_control) => {
                Ok(text.into())
            }
            _ => Err(Problem::new("not one line", self.describe())),
        }
    }

    fn describe(&self) -> String {
        format!("one line of at most {MAX_REASON} bytes")
    }

    fn show(&self, value: &Arc<str>) -> String {
        value.to_string()
    }
}

/// Reads a file of locks.
///
/// # Errors
/// Every fault of it, with its place.
pub fn parse_locks(file: &str, text: &str) -> Result<LockBook, Faults> {
    let document = Document::new(file, text, &no_variables);
    let book = document.read(|top| read(&top));
    document.finish(book)
}

fn read(top: &Table<'_>) -> LockBook {
    top.value("version", &IntegerIn(VERSION..=VERSION), VERSION, "");
    let tables = top.tables("lock");
    if tables.len() > MAX_LOCKS {
        let hint = format!("use at most {MAX_LOCKS}");
        top.fault(&top.place_of("lock"), Problem::new("too many locks", hint));
    }
    let mut ids = HashSet::new();
    let locks = tables.iter().take(MAX_LOCKS);
    LockBook::new(locks.filter_map(|table| read_lock(table, &mut ids)))
}

fn read_lock(table: &Table<'_>, ids: &mut HashSet<CallId>) -> Option<Lock> {
    let id = table.required("id", &Id, "");
    let target = table.required("target", &Target, "");
    let reason = table.required("reason", &Line, "");
    let by = table.required("by", &Line, "");
    let placed_at = table.required("placed_at", &Timestamp, "");
    let until = table.optional("until", &Timestamp, "", "");
    let id = id?;
    if !ids.insert(id.value) {
        let problem = Problem::new("another lock has this id", "remove one of them");
        table.fault(&id.place, problem);
    }
    Some(Lock {
        id: id.value,
        target: target?.value,
        reason: reason?.value,
        by: by?.value,
        placed_at: placed_at?.value,
        until: until.map(|found| found.value),
    })
}

/// Writes a file of locks.
pub fn write_locks(book: &LockBook) -> String {
    let mut text = format!("{HEADER}version = {VERSION}\n");
    for lock in book.locks() {
        let _ = write!(
            text,
            "\n[[lock]]\nid = \"{}\"\ntarget = {}\nreason = {}\nby = {}\nplaced_at = {}\n",
            lock.id,
            quoted(&lock.target.to_string()),
            quoted(&lock.reason),
            quoted(&lock.by),
            lock.placed_at
        );
        if let Some(until) = lock.until {
            let _ = writeln!(text, "until = {until}");
        }
    }
    text
}

/// A TOML basic string (TOML 1.0, "String"). What a line may not hold anyway is left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::Micros;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            reason in "[^\\p{Cc}]{0,40}",
            by in "[^\\p{Cc}]{1,20}",
            target in prop_oneof![
                Just("all"), Just("caller:a\"b\\c"), Just("operation:obp/x.y-z"),
                Just("token:00112233445566778899aabbccddeeff"),
            ],
            until in proptest::option::of(1_700_000_000i64..1_900_000_000),
        ) {
            let lock = Lock {
                id: CallId::floor(7),
                target: LockTarget::parse(target).unwrap(),
                reason: reason.as_str().into(),
                by: by.as_str().into(),
                placed_at: Micros(1_795_305_338_123_456),
                until: until.map(Micros::from_secs),
            };
            let book = LockBook::new([lock]);
            prop_assert_eq!(parse_locks("locks", &write_locks(&book)), Ok(book));
        }
    }

    #[test]
    fn faults_have_their_place() {
        let text = "[[lock]]\nid = \"x\"\ntarget = \"callers:a\"\nreason = \"a\\nb\"\nby = \"ann\"\n\
                    plced_at = 2026-11-22T00:00:00Z\n";
        let faults = parse_locks("locks.toml", text).unwrap_err();
        let found: Vec<String> = faults.list().iter().map(ToString::to_string).collect();
        for start in [
            "locks.toml:2:6: lock.id: not the id of a call",
            "locks.toml:3:10: lock.target: not something that can be locked",
            "locks.toml:4:10: lock.reason: not one line",
            "locks.toml:6:1: lock.plced_at: unknown key",
        ] {
            assert!(
                found.iter().any(|fault| fault.starts_with(start)),
                "{found:#?}"
            );
        }
    }
}
