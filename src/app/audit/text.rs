//! How values are written for people, terminals and spreadsheets.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::adapters::ledger::row::COLUMNS;
use crate::adapters::ledger::{CallRow, Value};
use crate::types::Micros;

/// Replaces what could steer a terminal or turn the direction of writing: names can come from
/// other people's certificates.
pub fn printable(text: &str) -> Cow<'_, str> {
    let harmful =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(harmful) {
        Cow::Owned(text.replace(harmful, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Calls as CSV, every field; with a header if that is wanted.
///
/// # Errors
/// What `out` says.
pub fn write_csv(out: &mut impl Write, rows: &[CallRow], header: bool) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    if header {
        let columns = COLUMNS.iter();
        csv.write_record(columns.map(|column| column.name))
            .map_err(io_error)?;
    }
    for row in rows {
        csv.write_record(row.fields().map(|(_, value)| match value {
            Value::Text(text) => harmless(text).into_owned(),
            value => value.to_string(),
        }))
        .map_err(io_error)?;
    }
    csv.flush()
}

/// The error beneath, whose kind tells a reader that left from a full disk.
pub fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A spreadsheet takes text that begins like a formula for one (CSV injection, OWASP).
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// To the second: what is finer is in the ledger.
pub fn time(at: Micros) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time}Z"),
        _ => text,
    }
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
