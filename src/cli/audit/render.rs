//! Writes results as tables, JSON lines or CSV.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::json;

use super::Format;
use crate::adapters::ledger::stats::Count;
use crate::adapters::ledger::{CallRow, Lineage, Stats, Value};
use crate::app::audit::text::{harmless, io_error, printable, write_csv};
use crate::types::CallId;

pub(super) const HEADING: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// Rows of each count that a table of statistics shows.
const COUNTS_SHOWN: usize = 20;

/// What a list of calls shows of each.
const HEADER: [&str; 8] = [
    "received",
    "call",
    "caller",
    "operation",
    "token",
    "status",
    // Of a call that was not forwarded the decision, else the outcome.
    "result",
    "ms",
];

/// Writes a list of calls in pieces.
pub(super) struct Rows {
    format: Format,
    colour: bool,
    /// Something was asked to be written: the header of a CSV is out.
    begun: bool,
    /// There was a call.
    any: bool,
}

impl Rows {
    pub(super) fn new(format: Format, colour: bool) -> Self {
        Self {
            format,
            colour,
            begun: false,
            any: false,
        }
    }

    /// As [`Rows::new`] without colours; `goes_on` says that calls were written before.
    pub(super) fn going_on(format: Format, goes_on: bool) -> Self {
        Self {
            begun: goes_on,
            ..Self::new(format, false)
        }
    }

    pub(super) fn write(&mut self, out: &mut impl Write, rows: &[CallRow]) -> io::Result<()> {
        let first = !std::mem::replace(&mut self.begun, true);
        self.any |= !rows.is_empty();
        match self.format {
            Format::Table if rows.is_empty() => Ok(()),
            Format::Table => write_table(out, rows, self.colour),
            Format::Json => rows.iter().try_for_each(|row| write_json_line(out, row)),
            Format::Csv => write_csv(out, rows, first),
        }
    }

    /// Says in a table what is missing; programs see it from the number of rows.
    pub(super) fn finish(self, out: &mut impl Write, next: Option<CallId>) -> io::Result<()> {
        match (self.format, self.any, next) {
            (Format::Table, false, _) => writeln!(out, "no calls match"),
            (Format::Table, true, Some(next)) => {
                writeln!(out, "there are more: repeat with --after {next}")
            }
            _ => Ok(()),
        }
    }
}

/// Writes calls as they come, one line each.
pub(super) struct Lines {
    rows: Rows,
}

impl Lines {
    pub(super) fn new(format: Format, colour: bool) -> Self {
        Self {
            rows: Rows::new(format, colour),
        }
    }

    pub(super) fn write(&mut self, out: &mut impl Write, rows: &[CallRow]) -> io::Result<()> {
        if self.rows.format != Format::Table {
            return self.rows.write(out, rows);
        }
        for row in rows {
            // Widths cannot depend on lines to come: what is usual fits, the rest pushes.
            let [
                received,
                call,
                caller,
                operation,
                token,
                status,
                outcome,
                ms,
            ] = cells(row);
            let line = format!(
                "{received} {call} {caller:<16} {operation:<32} {token:<14} {status:>4} \
                 {outcome:<12} {ms:>9} ms"
            );
            write_coloured(out, &line, style_of(row).filter(|_| self.rows.colour))?;
        }
        Ok(())
    }
}

fn cells(row: &CallRow) -> [String; 8] {
    let provider = row.text("provider");
    let operation = row.text("operation");
    let operation = if provider.is_empty() {
        operation.to_owned()
    } else {
        format!("{provider}/{operation}")
    };
    // To the millisecond; the rest is in `show`.
    let received = row.text("received");
    let received = received
        .get(..23)
        .map_or(received.into(), |ms| format!("{ms}Z"));
    // A call that was not forwarded says so first.
    let outcome = match row.text("decision") {
        "forwarded" => row.text("outcome"),
        decision => decision,
    };
    [
        received,
        row.text("call_id").to_owned(),
        or_dash(row.text("caller")),
        operation,
        row.text("token_type").to_owned(),
        row.integer("status")
            .map_or("-".to_owned(), |s| s.to_string()),
        outcome.to_owned(),
        row.integer("total_us").map_or("-".to_owned(), millis),
    ]
    .map(|text| printable(&text).into_owned())
}

/// A few calls in a day are not none.
fn per_minute(calls: f64) -> String {
    match calls {
        calls if calls == 0.0 || calls >= 1.0 => format!("{calls:.1}"),
        calls if calls >= 0.005 => format!("{calls:.2}"),
        _ => "below 0.01".to_owned(),
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

/// Microseconds as milliseconds with one decimal.
fn millis(micros: i64) -> String {
    format!("{:.1}", micros as f64 / 1_000.0)
}

fn style_of(row: &CallRow) -> Option<Style> {
    match row.text("outcome") {
        "success" => None,
        "failure" => Some(BAD),
        _ => Some(DOUBTFUL),
    }
}

fn write_coloured(out: &mut impl Write, line: &str, style: Option<Style>) -> io::Result<()> {
    match style {
        Some(style) => writeln!(out, "{style}{line}{style:#}"),
        None => writeln!(out, "{line}"),
    }
}

fn write_table(out: &mut impl Write, rows: &[CallRow], colour: bool) -> io::Result<()> {
    let mut table = plain_table(&HEADER);
    for row in rows {
        table.add_row(cells(row));
    }
    // Without arrangement every row is one line, so lines and rows go together.
    let styles = std::iter::once(Some(HEADING)).chain(rows.iter().map(style_of));
    for (line, style) in table.lines().zip(styles) {
        write_coloured(out, line.trim_end(), style.filter(|_| colour))?;
    }
    Ok(())
}

pub(super) fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().copied());
    for (index, name) in header.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if ["ms", "calls", "status"].contains(name) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

fn write_json_line(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Everything about one call.
pub(super) fn call(
    out: &mut impl Write,
    format: Format,
    colour: bool,
    row: &CallRow,
    lineage: &Lineage,
) -> io::Result<()> {
    match format {
        Format::Csv => return write_csv(out, std::slice::from_ref(row), true),
        Format::Json => {
            let shown = json!({
                "call": row,
                "minted_by": lineage.minted_by,
                "used_by_count": lineage.used_by_count,
                "used_by": lineage.used_by,
            });
            return write_json_line(out, &shown);
        }
        Format::Table => {}
    }
    for (column, value) in row.fields().filter(|(_, value)| **value != Value::Null) {
        // The texts beside them say the same.
        if column.name.ends_with("_at") {
            continue;
        }
        let name = format!("{:<22}", column.name);
        let style = if colour { HEADING } else { Style::new() };
        writeln!(
            out,
            "{style}{name}{style:#} {}",
            printable(&value.to_string())
        )?;
    }
    if !row.text("token_fingerprint").is_empty() {
        writeln!(out)?;
        if lineage.minted_by.is_empty() {
            writeln!(
                out,
                "The answer that handed out this token is not in the ledger."
            )?;
        } else {
            writeln!(out, "The token was handed out by:")?;
            write_table(out, &lineage.minted_by, colour)?;
        }
    }
    if !row.text("minted_fingerprint").is_empty() {
        let (all, shown) = (lineage.used_by_count, lineage.used_by.len());
        writeln!(out)?;
        if shown == 0 {
            writeln!(out, "No call has used the token that this call handed out.")?;
        } else {
            writeln!(
                out,
                "Calls that used the token that this call handed out: {all}"
            )?;
            write_table(out, &lineage.used_by, colour)?;
        }
        if all > shown as u64 {
            let fingerprint = row.text("minted_fingerprint");
            writeln!(
                out,
                "all of them: egret audit query --fingerprint {fingerprint}"
            )?;
        }
    }
    Ok(())
}

/// Counts over a period.
pub(super) fn stats(
    out: &mut impl Write,
    format: Format,
    colour: bool,
    stats: &Stats,
) -> io::Result<()> {
    let shown = |at: Option<crate::types::Micros>| at.map(|at| at.to_string());
    let busiest = stats.busiest;
    match format {
        Format::Json => {
            let by: serde_json::Map<_, _> = stats
                .by
                .iter()
                .map(|(name, counts)| ((*name).to_owned(), json!(counts)))
                .collect();
            let shown = json!({
                "calls": stats.calls,
                "first": shown(stats.first),
                "last": shown(stats.last),
                "error_rate": stats.error_rate,
                "per_minute": stats.per_minute,
                "busiest_minute": busiest.map(|b| json!({
                    "at": b.at.to_string(),
                    "calls": b.calls,
                })),
                "total_us": stats.total_us,
                "by": by,
            });
            write_json_line(out, &shown)
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(["field", "value", "calls"])
                .map_err(io_error)?;
            for (name, Count { value, calls }) in each_count(stats) {
                csv.write_record([name, &harmless(value), &calls.to_string()])
                    .map_err(io_error)?;
            }
            csv.flush()
        }
        Format::Table => {
            let mut line = |name: &str, text: String| {
                let style = if colour { HEADING } else { Style::new() };
                writeln!(out, "{style}{name:<14}{style:#} {text}")
            };
            line("calls", stats.calls.to_string())?;
            if let (Some(first), Some(last)) = (shown(stats.first), shown(stats.last)) {
                line("received", format!("{first} to {last}"))?;
            }
            line("error rate", format!("{:.2} %", stats.error_rate * 100.0))?;
            line("per minute", per_minute(stats.per_minute))?;
            if let Some(busiest) = busiest {
                line(
                    "busiest",
                    format!("{} calls in the minute of {}", busiest.calls, busiest.at),
                )?;
            }
            if let Some(times) = stats.total_us {
                let [p50, p95, p99, max] = [times.p50, times.p95, times.p99, times.max].map(millis);
                line(
                    "total time",
                    format!("p50 {p50} ms, p95 {p95} ms, p99 {p99} ms, longest {max} ms"),
                )?;
            }
            for (name, counts) in stats.by.iter().filter(|(_, counts)| !counts.is_empty()) {
                writeln!(out)?;
                let mut table = plain_table(&[name, "calls"]);
                for count in counts.iter().take(COUNTS_SHOWN) {
                    table.add_row([&*printable(&count.value), &count.calls.to_string()]);
                }
                for (index, text) in table.lines().enumerate() {
                    let style = (index == 0 && colour).then_some(HEADING);
                    write_coloured(out, text.trim_end(), style)?;
                }
                if counts.len() > COUNTS_SHOWN {
                    writeln!(out, "and {} more", counts.len() - COUNTS_SHOWN)?;
                }
            }
            Ok(())
        }
    }
}

fn each_count(stats: &Stats) -> impl Iterator<Item = (&'static str, &Count)> {
    stats
        .by
        .iter()
        .flat_map(|(name, counts)| counts.iter().map(move |count| (*name, count)))
}
