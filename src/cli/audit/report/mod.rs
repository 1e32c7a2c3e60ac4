//! `egret audit report`: what happened in a period, for those who must show it to others.
//!
//! The counts are made day by day and the tokens read some thousand at a time, so memory stays
//! bounded whatever the period. All of it is read from one state of the ledger.

mod progress;
mod text;

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::args::{FilterArgs, words};
use super::{AuditError, Context};
use crate::adapters::ledger::{Filter, LedgerPlace, Reader};
use crate::adapters::machine;
use crate::app::audit::report::{HasEffect, csv, html, json, make, scope};
use crate::app::own_calls::Tally;
use crate::domain::own::OwnOperation;
use crate::domain::report::{Asked, Document, ReportKind};
use clap::{Args, ValueEnum};
use progress::Progress;

pub(super) const EXAMPLES: &str = "\
Examples:
  Who had access to personal data in the third quarter, as a page to print or to hand over:
      egret audit report pii-access --from 2026-07-01 --to 2026-10-01 --format html -o pii.html
  Money that one service moved in a week, and what of it is in doubt:
      egret audit report money --from 7d --caller payouts
  Failed authentication of a month for a spreadsheet:
      egret audit report failed-auth --from 2026-11-01 --to 2026-12-01 --format csv -o auth.csv";

/// How a report is written.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportFormat {
    /// For people, on a terminal
    #[default]
    Table,
    /// Comma separated, one table below the other; safe to open in a spreadsheet
    Csv,
    /// One JSON object
    Json,
    /// One page that needs nothing else, for reading, printing and handing over
    Html,
}

/// `egret audit report`
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Which report
    #[arg(value_parser = words(ReportKind::ALL, ReportKind::as_str))]
    pub report: ReportKind,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
    /// Write it to this file, which only its owner may read, instead of the standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    // Last, since its heading would hold for what follows.
    /// Which calls.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Why a report was not made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A report is about a period.
    #[error("a report is about a period: say where it begins, for example --from 2026-07-01")]
    NoPeriod,
    /// The report says itself what its calls do.
    #[error(transparent)]
    HasEffect(#[from] HasEffect),
    /// The file cannot be written.
    #[error("cannot write the report to {path}: {source}")]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

pub(super) async fn run(
    ledger: &LedgerPlace,
    args: &ReportArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let asked_for = args.filter.resolve(context)?;
    let from = asked_for.from.ok_or(ReportError::NoPeriod)?;
    let to = asked_for.to.unwrap_or(context.now);
    if from >= to {
        return Err(AuditError::EmptyPeriod { from, to });
    }
    let call = args
        .filter
        .on_record(OwnOperation::AuditReport, &asked_for)
        .fact("report", args.report);
    let asked = Asked {
        from,
        to,
        filters: asked_for.conditions(),
        at: context.now,
        by: machine::user_name(),
    };
    let filter = scope(
        args.report,
        Filter {
            to: Some(to),
            ..asked_for
        },
    )
    .map_err(ReportError::from)?;
    let work = async |tally: &mut Tally| {
        let mut reader = Reader::open(ledger).await?;
        let mut progress = Progress::new();
        let tell = |what: &str, done, of| progress.say(what, done, of);
        let document = make(&mut reader, ledger, args.report, &filter, asked, tell).await?;
        progress.finish();
        tally.add(document.tables.iter().map(|table| table.rows.len()).sum());
        let to = args.output.as_deref();
        deliver(out, to, args.format, context.colour, &document)?;
        Ok(out.flush()?)
    };
    context.record(call, work).await
}

/// Writes a document to a file, which gets it as a whole or not at all, or to `out`.
pub(super) fn deliver(
    out: &mut impl Write,
    to: Option<&Path>,
    format: ReportFormat,
    colour: bool,
    document: &Document,
) -> Result<(), AuditError> {
    match to {
        None => Ok(write(out, format, colour, document)?),
        Some(path) => write_file(path, format, document).map_err(|source| {
            let path = path.to_owned();
            ReportError::Output { path, source }.into()
        }),
    }
}

fn write(
    out: &mut impl Write,
    format: ReportFormat,
    colour: bool,
    document: &Document,
) -> io::Result<()> {
    match format {
        ReportFormat::Table => text::write(out, colour, document),
        ReportFormat::Csv => csv::write(out, document),
        ReportFormat::Json => json::write(out, document),
        ReportFormat::Html => html::write(out, document),
    }
}

/// A report is in its file as a whole or not at all.
fn write_file(path: &Path, format: ReportFormat, document: &Document) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = PathBuf::from(name);
    // What an earlier run left may have other rights.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    let mut out = BufWriter::new(file);
    let written = write(&mut out, format, false, document)
        .and_then(|()| {
            out.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()
        })
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests;
