//! `egret capture`: reads what was captured. Every reading is put on record first.

use std::io::{self, Write};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{ConfigArgs, Failure, Outcome, record};
use crate::adapters::capture::{Entry, Shelf};
use crate::adapters::clock;
use crate::app::Setup;
use crate::app::capture::key;
use crate::domain::config::Config;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::types::{CallId, Micros};

/// Read the exchanges that were captured for debugging.
#[derive(Debug, Args)]
pub struct CaptureArgs {
    #[command(subcommand)]
    command: CaptureCommand,
}

#[derive(Debug, Subcommand)]
enum CaptureCommand {
    /// List captures, the oldest first
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// How to write them
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show what was captured of one call
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// Id of the call, as in the header Egret-Call-Id and in `egret audit`
        #[arg(value_name = "CALL_ID")]
        call_id: CallId,
        /// How to write it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

const LIST_EXAMPLES: &str = "\
Examples:
      egret capture list -c config/egret.toml
      egret capture list --format json

The list shows ids, sizes and expiries, for which no key is needed. It is put on record as provider
egret, operation capture.list.";

const SHOW_EXAMPLES: &str = "\
Examples:
      egret capture show 019a2b3c-4d5e-7f60-8123-456789abcdef
  Who has read captures:
      egret audit query --provider egret --operation capture.read

The reading is put on record before anything is shown, with the user of the operating system as the
caller. The key comes from keys.capture_file or from EGRET_CAPTURE_KEY.";

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON, one object a line
    Json,
}

/// Runs one of the commands.
///
/// # Errors
/// There is no such capture, it cannot be read, or its reading cannot be put on record.
pub fn run(config: &ConfigArgs, args: &CaptureArgs, out: &mut impl Write) -> Outcome {
    // It serves nobody, so callers may be missing.
    let setup = Setup::read_for_callers(&config.config).map_err(Failure::new)?;
    let config = &setup.config;
    let shelf = Shelf::new(&config.capture_dir);
    let now = clock::now();
    match args.command {
        CaptureCommand::List { format } => list(config, &shelf, now, format, out),
        CaptureCommand::Show { call_id, format } => show(config, &shelf, call_id, now, format, out),
    }
}

fn unreadable(config: &Config, error: &io::Error) -> Failure {
    let path = config.capture_dir.display();
    Failure::new(format!("cannot read the captures in {path}: {error}"))
}

fn list(
    config: &Config,
    shelf: &Shelf,
    now: Micros,
    format: Format,
    out: &mut impl Write,
) -> Outcome {
    let call = OwnCall::new(OwnOperation::CaptureList);
    record(config, call, async |tally| {
        let entries = shelf.list().map_err(|error| unreadable(config, &error))?;
        let found = write_entries(config, shelf, entries, now, format, out)?;
        tally.add(found);
        Ok(out.flush()?)
    })
}

/// Gives how many there are whose time is not over.
fn write_entries(
    config: &Config,
    shelf: &Shelf,
    entries: Vec<Entry>,
    now: Micros,
    format: Format,
    out: &mut impl Write,
) -> Result<usize, Failure> {
    let mut found = 0;
    for entry in entries {
        if is_over(&entry, now) {
            // The gateway does this every second; here it may not be running.
            shelf
                .remove(entry.call_id)
                .map_err(|error| unreadable(config, &error))?;
            continue;
        }
        found += 1;
        write_entry(&entry, format, out)?;
    }
    if found == 0 && format == Format::Text {
        writeln!(
            out,
            "no captures; [[capture]] in the configuration asks for some"
        )?;
    }
    Ok(found)
}

fn is_over(entry: &Entry, now: Micros) -> bool {
    entry
        .header
        .as_ref()
        .is_ok_and(|header| header.expires_at <= now)
}

fn write_entry(entry: &Entry, format: Format, out: &mut impl Write) -> io::Result<()> {
    let (id, bytes) = (entry.call_id, entry.bytes);
    match (&entry.header, format) {
        (Ok(header), Format::Text) => {
            let (expires, key) = (header.expires_at, header.key_id);
            writeln!(out, "{id}  {bytes:>7} bytes  until {expires}  key {key}")
        }
        (Err(error), Format::Text) => writeln!(out, "{id}  {bytes:>7} bytes  {error}"),
        (header, Format::Json) => {
            let header = header.as_ref();
            let value = serde_json::json!({
                "call_id": id.to_string(),
                "bytes": bytes,
                "expires_at": header.ok().map(|header| header.expires_at.to_string()),
                "key_id": header.ok().map(|header| header.key_id.to_string()),
                "fault": header.err().map(ToString::to_string),
            });
            writeln!(out, "{value}")
        }
    }
}

fn show(
    config: &Config,
    shelf: &Shelf,
    call_id: CallId,
    now: Micros,
    format: Format,
    out: &mut impl Write,
) -> Outcome {
    // A reading that fails is on record too: somebody tried.
    let call = OwnCall::new(OwnOperation::CaptureRead).fact("captured_call", call_id);
    record(config, call, async |_| {
        let document = open(config, shelf, call_id, now)?;
        match format {
            Format::Json => writeln!(out, "{document}")?,
            Format::Text => write_text(&document, out)?,
        }
        Ok(out.flush()?)
    })
}

fn open(config: &Config, shelf: &Shelf, call_id: CallId, now: Micros) -> Result<Value, Failure> {
    let nothing = || {
        Failure::new(format!(
            "nothing is captured of the call {call_id}, or its time is over; `egret capture list` \
             shows what there is"
        ))
    };
    let file = shelf
        .get(call_id)
        .map_err(|error| unreadable(config, &error))?;
    let file = file.ok_or_else(nothing)?;
    let key = key(config, false).map_err(Failure::new)?;
    let (header, document) = key.open(call_id, &file).map_err(Failure::new)?;
    if header.expires_at <= now {
        shelf
            .remove(call_id)
            .map_err(|error| unreadable(config, &error))?;
        return Err(nothing());
    }
    serde_json::from_slice(&document)
        .map_err(|_| Failure::new("this capture was written by another version of egret"))
}

fn write_text(document: &Value, out: &mut impl Write) -> io::Result<()> {
    let text = |value: &Value| printable(value.as_str().unwrap_or("-"));
    writeln!(
        out,
        "call {} of {} ({}), over at {}",
        text(&document["call_id"]),
        text(&document["provider"]),
        text(&document["operation"]),
        text(&document["captured_at"]),
    )?;
    for (title, side) in [
        ("Request", &document["request"]),
        ("Answer", &document["response"]),
    ] {
        if side.is_null() {
            writeln!(out, "\n{title}: none")?;
            continue;
        }
        writeln!(out, "\n{title}\n{}", text(&side["head"]).trim_end())?;
        let body = &side["body"];
        if body.is_null() {
            continue;
        }
        if body["text"].is_string() {
            writeln!(out, "\n{}", text(&body["text"]))?;
        }
        let (state, bytes) = (text(&body["state"]), &body["bytes"]);
        writeln!(out, "-- body {state}, {bytes} bytes passed")?;
    }
    Ok(())
}

/// A text that cannot steer a terminal: a bank's body could hold escape sequences.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '\r')
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shows_both_sides_and_steers_no_terminal() {
        let document = serde_json::json!({
            "call_id": "019a2b3c-4d5e-7f60-8123-456789abcdef",
            "provider": "cybrid",
            "operation": null,
            "captured_at": "2026-11-22T02:03:10.000000Z",
            "request": { "head": "GET /x HTTP/1.1\r\nAccept: */*\r\n" },
            "response": {
                "head": "HTTP/1.1 200\r\n",
                "body": { "text": "\u{1b}[31mred", "state": "whole", "bytes": 8 },
            },
        });
        let mut out = Vec::new();
        write_text(&document, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.contains("Request\nGET /x HTTP/1.1\nAccept: */*\n"),
            "{out}"
        );
        assert!(
            out.contains("Answer\nHTTP/1.1 200\n\n\u{fffd}[31mred\n-- body whole, 8 bytes"),
            "{out}"
        );
        let none = serde_json::json!({ "request": null });
        write_text(&none, &mut Vec::new()).unwrap();
    }
}
