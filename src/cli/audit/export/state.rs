//! How far an export to a file has come: kept beside the file, in one that is replaced as a whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::digest;
use serde::{Deserialize, Serialize};

use super::Position;
use crate::adapters::ledger::Filter;
use crate::types::Micros;

/// Version of the state's form.
const VERSION: u32 = 1;

/// Largest state that is read; ours have some hundred bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Why an export cannot go on, or not begin.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is something already.
    #[error("{0} is there already: go on with it by --resume, or name another file")]
    InTheWay(PathBuf),
    /// A file without a state.
    #[error("{0} was not made by an export that can go on ({1} is missing): name another file")]
    Stranger(PathBuf, PathBuf),
    /// The state is not one.
    #[error(
        "{0} does not say how far an export has come: it was damaged, or made by another egret"
    )]
    Unreadable(PathBuf),
    /// Another question.
    #[error(
        "the export to {0} was begun with another format or other filters: give the same ones, or \
         name another file"
    )]
    Other(PathBuf),
    /// The system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How far an export has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    format: String,
    /// Tells one question from another without saying what it asks.
    conditions: String,
    from: Option<Micros>,
    to: Option<Micros>,
    /// Up to here everything is in the file.
    pub(super) position: Position,
    /// Length of the file there.
    pub(super) bytes: u64,
    /// Parts there are, where the file is a directory.
    pub(super) parts: u64,
    /// Calls there are.
    pub(super) calls: u64,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    egret_export: u32,
    format: String,
    conditions: String,
    from: Option<i64>,
    to: Option<i64>,
    cursor: String,
    bytes: u64,
    parts: u64,
    calls: u64,
}

impl State {
    /// Of an export that begins.
    pub(super) fn new(format: &str, filter: &Filter, after: Position) -> Self {
        Self {
            format: format.to_owned(),
            conditions: conditions(filter),
            from: filter.from,
            to: filter.to,
            position: after,
            bytes: 0,
            parts: 0,
            calls: 0,
        }
    }

    /// The state of the export to a file, or a fresh one if there is none.
    pub(super) fn open(output: &Path, fresh: Self, resume: bool) -> Result<Self, StateError> {
        let path = state_path(output);
        let is_there = output.exists();
        if !resume {
            return match is_there || path.exists() {
                true => Err(StateError::InTheWay(output.to_owned())),
                false => Ok(fresh),
            };
        }
        let size = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match is_there {
                    true => Err(StateError::Stranger(output.to_owned(), path)),
                    false => Ok(fresh),
                };
            }
            Err(source) => return Err(failed("read", &path)(source)),
        };
        if size > MAX_BYTES {
            return Err(StateError::Unreadable(path));
        }
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        let state = Self::parse(&text).ok_or(StateError::Unreadable(path))?;
        if (&state.format, &state.conditions) != (&fresh.format, &fresh.conditions) {
            return Err(StateError::Other(output.to_owned()));
        }
        Ok(state)
    }

    /// The period with which the export was begun: `7d` means something else each day.
    pub(super) fn with_period(&self, filter: Filter) -> Filter {
        Filter {
            from: self.from,
            to: self.to,
            ..filter
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let written: Written = serde_json::from_str(text).ok()?;
        if written.egret_export != VERSION {
            return None;
        }
        Some(Self {
            format: written.format,
            conditions: written.conditions,
            from: written.from.map(Micros),
            to: written.to.map(Micros),
            position: written.cursor.parse().ok()?,
            bytes: written.bytes,
            parts: written.parts,
            calls: written.calls,
        })
    }

    /// Replaces what stands beside the file: after a crash there is the old or the new.
    pub(super) fn save(&self, output: &Path) -> Result<(), StateError> {
        let path = state_path(output);
        let written = Written {
            egret_export: VERSION,
            format: self.format.clone(),
            conditions: self.conditions.clone(),
            from: self.from.map(|at| at.0),
            to: self.to.map(|at| at.0),
            cursor: self.position.to_string(),
            bytes: self.bytes,
            parts: self.parts,
            calls: self.calls,
        };
        let replace = || -> io::Result<()> {
            let new = with_suffix(&path, ".new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            serde_json::to_writer(&mut file, &written)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync_directory(&path)
        };
        replace().map_err(failed("write", &path))
    }
}

/// Brings the names in the directory of a file to the disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StateError + 'a {
    move |source| StateError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn state_path(output: &Path) -> PathBuf {
    // A directory may be named with a slash at its end.
    let output: PathBuf = output.components().collect();
    with_suffix(&output, ".cursor")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// A hash of all conditions but the period.
fn conditions(filter: &Filter) -> String {
    let timeless = Filter {
        from: None,
        to: None,
        ..filter.clone()
    };
    let hash = digest::digest(&digest::SHA256, format!("{timeless:?}").as_bytes());
    let bytes = hash.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(operation: &str) -> Filter {
        Filter {
            operation: Some(operation.to_owned()),
            from: Some(Micros(5)),
            ..Filter::default()
        }
    }

    fn fresh(operation: &str) -> State {
        State::new("jsonl", &filter(operation), Position::default())
    }

    #[test]
    fn a_state_reads_back_for_the_same_question_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("calls.jsonl");
        let mut state = fresh("listTrades");
        state.position = "7:019a2b3c-4d5e-7f60-8123-456789abcdef".parse().unwrap();
        state.bytes = 99;
        state.save(&output).unwrap();
        let later = State::new(
            "jsonl",
            &Filter {
                from: Some(Micros(6)),
                ..filter("listTrades")
            },
            Position::default(),
        );
        let opened = State::open(&output, later, true).unwrap();
        assert_eq!(opened, state);
        let period = opened.with_period(filter("listTrades"));
        assert_eq!(period.from, Some(Micros(5)), "that of the beginning");
        for other in [
            fresh("createTrade"),
            State::new("csv", &filter("listTrades"), Position::default()),
        ] {
            let error = State::open(&output, other, true).unwrap_err();
            assert!(matches!(error, StateError::Other(_)), "{error}");
        }
        let text = fs::read_to_string(state_path(&output)).unwrap();
        assert!(!text.contains("listTrades"), "{text}");
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("calls.jsonl");
        let open = |resume| State::open(&output, fresh("x"), resume);
        assert_eq!(open(true).unwrap(), fresh("x"), "there is nothing yet");
        assert_eq!(open(false).unwrap(), fresh("x"));
        fs::write(&output, "dear diary").unwrap();
        assert!(matches!(open(false), Err(StateError::InTheWay(_))));
        assert!(matches!(open(true), Err(StateError::Stranger(..))));
        fs::remove_file(&output).unwrap();
        fresh("x").save(&output).unwrap();
        assert!(matches!(open(false), Err(StateError::InTheWay(_))));
        let path = state_path(&output);
        for wrong in ["", "{}", "[1]", "{\"egret_export\":2}", &"x".repeat(70_000)] {
            fs::write(&path, wrong).unwrap();
            assert!(
                matches!(open(true), Err(StateError::Unreadable(_))),
                "{wrong}"
            );
        }
    }
}
