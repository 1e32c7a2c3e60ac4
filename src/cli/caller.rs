//! `egret caller`: who may call, by key.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::adapters::kept_file::{self, KeptFileError, UpdateError};
use crate::domain::config::{parse_duration, show_duration};
use crate::domain::identity::{
    BookError, CallerBook, KEY_PREFIX, KeyState, NewKey, RANDOM_BYTES, is_keyed_name,
};
use crate::domain::own::{OF_CALLER, OwnCall, OwnOperation};
use crate::types::Micros;

/// Manage the callers that identify themselves by an Egret key.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  egret caller add payments --expires 90d
  egret caller list
  egret caller rotate payments --overlap 24h
  egret caller revoke payments")]
pub struct CallerArgs {
    #[command(subcommand)]
    command: CallerCommand,
}

#[derive(Subcommand, Debug)]
enum CallerCommand {
    /// Make a caller and its key. The key is shown once.
    #[command(
        after_help = "Examples:\n  egret caller add payments --expires 90d\n  \
        EGRET_KEY=$(egret caller add payments --key-only)"
    )]
    Add {
        /// Name of the caller in every record: letters, digits, '.', '_', '-', '@'.
        name: String,
        /// How long the key lives, such as 90d; without it, until it is revoked.
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        expires: Option<Duration>,
        /// Print the key alone, for scripts.
        #[arg(long)]
        key_only: bool,
    },
    /// List callers and their keys, without the keys themselves.
    #[command(after_help = "Examples:\n  egret caller list\n  egret caller list --format json")]
    List {
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Make a new key; the old ones go on for a while, so that nothing has to stop.
    #[command(after_help = "Examples:\n  egret caller rotate payments\n  \
        egret caller rotate payments --overlap 7d --expires 90d")]
    Rotate {
        /// Name of the caller.
        name: String,
        /// How long the old keys go on.
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
        overlap: Duration,
        /// How long the new key lives; without it, as long as the old one was meant to.
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        expires: Option<Duration>,
        /// Print the key alone, for scripts.
        #[arg(long)]
        key_only: bool,
    },
    /// Take back every key of a caller, or one key by its id, at once.
    #[command(after_help = "Examples:\n  egret caller revoke payments\n  \
        egret caller revoke abcdefgh2345")]
    Revoke {
        /// Name of the caller, or id of a key as `list` shows it.
        #[arg(value_name = "NAME|KEY_ID")]
        name_or_id: String,
    },
}

impl CallerArgs {
    /// What is put on record of it; nothing of a list, which shows no record and nobody's data.
    pub fn own_call(&self) -> Option<OwnCall> {
        let (operation, name) = match &self.command {
            CallerCommand::Add { name, .. } => (OwnOperation::CallerAdd, name),
            CallerCommand::Rotate { name, .. } => (OwnOperation::CallerRotate, name),
            CallerCommand::Revoke { name_or_id } => (OwnOperation::CallerRevoke, name_or_id),
            CallerCommand::List { .. } => return None,
        };
        let call = OwnCall::new(operation);
        // What is no name was typed by mistake and could be anything, a key included.
        Some(if is_keyed_name(name) && !name.starts_with(KEY_PREFIX) {
            call.fact(OF_CALLER, name)
        } else {
            call
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The callers file.
    #[error(transparent)]
    File(#[from] KeptFileError),
    /// The operation was refused.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The output.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

impl From<UpdateError<BookError>> for CallerError {
    fn from(error: UpdateError<BookError>) -> Self {
        match error {
            UpdateError::File(error) => Self::File(error),
            UpdateError::Refused(error) => Self::Book(error),
        }
    }
}

/// Runs a command on the callers file at `path`. `random` comes from the system's source of
/// randomness; it is used by the commands that make a key.
///
/// # Errors
/// The file cannot be used, the operation is refused or the output fails.
pub fn run(
    args: &CallerArgs,
    path: &Path,
    now: Micros,
    random: &[u8; RANDOM_BYTES],
    out: &mut impl Write,
) -> Result<(), CallerError> {
    match &args.command {
        CallerCommand::Add {
            name,
            expires,
            key_only,
        } => {
            let new = kept_file::update(path, |book: &CallerBook| {
                book.add(name, *expires, now, random)
            })?;
            show_key(&new, *key_only, out)
        }
        CallerCommand::Rotate {
            name,
            overlap,
            expires,
            key_only,
        } => {
            let new = kept_file::update(path, |book: &CallerBook| {
                book.rotate(name, *overlap, *expires, now, random)
            })?;
            show_key(&new, *key_only, out)
        }
        CallerCommand::Revoke { name_or_id } => {
            let revoked =
                kept_file::update(path, |book: &CallerBook| book.revoke(name_or_id, now))?;
            if revoked.key_ids.is_empty() {
                writeln!(out, "The keys of {} were revoked before.", revoked.caller)?;
            } else {
                let ids = revoked.key_ids.join(", ");
                writeln!(out, "Revoked of {}: {ids}", revoked.caller)?;
            }
            Ok(())
        }
        CallerCommand::List { format } => {
            let book = kept_file::load(path)?;
            list(&book, *format, now, out)
        }
    }
}

fn show_key(new: &NewKey, key_only: bool, out: &mut impl Write) -> Result<(), CallerError> {
    let key = new.key.expose();
    if key_only {
        return Ok(writeln!(out, "{key}")?);
    }
    writeln!(
        out,
        "New key of {} (id {}):\n\n  {key}\n",
        new.caller, new.id
    )?;
    writeln!(
        out,
        "It is shown once and kept nowhere; store it where your service finds it."
    )?;
    writeln!(
        out,
        "Send it with every request, next to the bank's own credentials; it never goes to the bank:\n\n  \
         curl -H \"Proxy-Authorization: Bearer $EGRET_KEY\" http://127.0.0.1:8080/cybrid/bank/api/customers\n"
    )?;
    match new.expires_at {
        Some(at) => writeln!(out, "It ends at {at}.")?,
        None => writeln!(
            out,
            "It has no end; `egret caller rotate {}` replaces it.",
            new.caller
        )?,
    }
    if let Some(until) = new.old_keys_until {
        writeln!(out, "Older keys go on until {until} at the latest.")?;
    }
    Ok(())
}

const COLUMNS: [&str; 6] = [
    "caller",
    "key_id",
    "state",
    "created_at",
    "expires_at",
    "revoked_at",
];

/// One row of a list; absent moments are empty.
fn rows(book: &CallerBook, now: Micros) -> impl Iterator<Item = [String; 6]> {
    book.callers().iter().flat_map(move |caller| {
        caller.keys.iter().map(move |key| {
            let moment = |at: Option<Micros>| at.map_or_else(String::new, |at| at.to_string());
            [
                caller.name.to_string(),
                key.id.to_string(),
                key.state(now).as_str().to_owned(),
                key.created_at.to_string(),
                moment(key.expires_at),
                moment(key.revoked_at),
            ]
        })
    })
}

fn list(
    book: &CallerBook,
    format: Format,
    now: Micros,
    out: &mut impl Write,
) -> Result<(), CallerError> {
    match format {
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(COLUMNS).map_err(io::Error::from)?;
            for row in rows(book, now) {
                csv.write_record(row).map_err(io::Error::from)?;
            }
            csv.flush()?;
        }
        Format::Json => {
            let rows: Vec<serde_json::Value> = rows(book, now)
                .map(|row| {
                    COLUMNS
                        .into_iter()
                        .zip(row)
                        .map(|(name, value)| match value.is_empty() {
                            true => (name.to_owned(), serde_json::Value::Null),
                            false => (name.to_owned(), value.into()),
                        })
                        .collect()
                })
                .collect();
            serde_json::to_writer_pretty(&mut *out, &rows).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Format::Table => list_table(book, now, out)?,
    }
    Ok(())
}

fn list_table(book: &CallerBook, now: Micros, out: &mut impl Write) -> io::Result<()> {
    if book.callers().is_empty() {
        return writeln!(out, "No callers yet; `egret caller add NAME` makes one.");
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["CALLER", "KEY ID", "STATE", "CREATED", "ENDS"]);
    for caller in book.callers() {
        for key in &caller.keys {
            let ends = match (key.state(now), key.revoked_at.or(key.expires_at)) {
                (KeyState::Usable, Some(at)) => format!("in {}", roughly(at.since(now))),
                (_, Some(at)) => day(at),
                (_, None) => "never".to_owned(),
            };
            let state = key.state(now).as_str();
            table.add_row([&*caller.name, &*key.id, state, &day(key.created_at), &ends]);
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    Ok(())
}

/// The day of a moment in UTC.
fn day(at: Micros) -> String {
    at.to_string().chars().take(10).collect()
}

/// A span in its largest whole unit: people who rotate keys count days, then hours.
fn roughly(span: Duration) -> String {
    let seconds = span.as_secs();
    let unit = [86_400, 3600, 60, 1]
        .into_iter()
        .find(|unit| seconds >= *unit)
        .unwrap_or(1);
    show_duration(Duration::from_secs(seconds - seconds % unit))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CallerArgs,
    }

    const NOW: Micros = Micros::from_secs(1_795_305_338);

    fn type_in(path: &Path, line: &str, seed: u8, now: Micros) -> Result<String, String> {
        let words = std::iter::once("caller").chain(line.split_whitespace());
        let parsed = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        run(&parsed.args, path, now, &[seed; RANDOM_BYTES], &mut out)
            .map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_key_is_made_shown_once_rotated_and_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callers.toml");
        let key = type_in(&path, "add payments --expires 90d --key-only", 1, NOW).unwrap();
        let key = key.trim();
        let book = kept_file::load(&path).unwrap();
        let field = format!("Bearer {key}");
        let by = |book: &CallerBook, now| {
            crate::domain::identity::authenticate(book, field.as_bytes(), now).map(|_| ())
        };
        assert_eq!(by(&book, NOW), Ok(()));

        let shown = type_in(&path, "rotate payments --overlap 2h", 2, NOW).unwrap();
        assert!(
            shown.contains("egk_") && shown.contains("Proxy-Authorization: Bearer"),
            "{shown}"
        );
        assert!(
            shown.contains("Older keys go on until 2026-11-22T01:55:38.000000Z"),
            "{shown}"
        );
        let book = kept_file::load(&path).unwrap();
        assert!(by(&book, NOW.plus(Duration::from_secs(7199))).is_ok());
        assert!(by(&book, NOW.plus(Duration::from_secs(7200))).is_err());

        let table = type_in(&path, "list", 0, NOW).unwrap();
        assert!(
            table.contains("in 2h") && table.contains("in 90d"),
            "{table}"
        );
        assert!(!table.contains("egk_"));
        let revoked = type_in(&path, &format!("revoke {}", &key[4..16]), 0, NOW).unwrap();
        assert_eq!(revoked, format!("Revoked of payments: {}\n", &key[4..16]));
        type_in(&path, "revoke payments", 0, NOW).unwrap();
        let again = type_in(&path, "revoke payments", 0, NOW).unwrap();
        assert_eq!(again, "The keys of payments were revoked before.\n");
    }

    #[test]
    fn lists_are_for_people_and_programs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callers.toml");
        let empty = type_in(&path, "list", 0, NOW).unwrap();
        assert!(empty.contains("egret caller add"), "{empty}");
        assert_eq!(
            type_in(&path, "list --format json", 0, NOW).unwrap(),
            "[]\n"
        );
        type_in(&path, "add payments", 1, NOW).unwrap();
        let csv = type_in(&path, "list --format csv", 0, NOW).unwrap();
        let mut lines = csv.lines();
        assert_eq!(
            lines.next(),
            Some("caller,key_id,state,created_at,expires_at,revoked_at")
        );
        assert!(
            lines
                .next()
                .unwrap()
                .ends_with(",usable,2026-11-21T23:55:38.000000Z,,"),
            "{csv}"
        );
        let json = type_in(&path, "list --format json", 0, NOW).unwrap();
        let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(rows[0]["caller"], "payments");
        assert_eq!(rows[0]["expires_at"], serde_json::Value::Null);
    }

    #[test]
    fn mistakes_get_an_answer_that_helps() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callers.toml");
        type_in(&path, "add payments", 1, NOW).unwrap();
        for (line, part) in [
            ("add payments", "egret caller rotate payments"),
            ("add x --expires 90", "a duration needs a unit"),
            ("add a:b", "use 1 to 64 letters"),
            ("rotate paymets", "did you mean \"payments\"?"),
            ("revoke nobody", "there is no caller or key \"nobody\""),
        ] {
            let error = type_in(&path, line, 2, NOW).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
