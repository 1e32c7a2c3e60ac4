//! `egret audit report`: what happened in a period, for those who must show it to others.
//!
//! The counts are made day by day and the tokens read some thousand at a time, so memory stays
//! bounded whatever the period. All of it is read from one state of the ledger.

mod csv;
mod html;
mod json;
mod progress;
mod text;

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::args::{FilterArgs, words};
use super::{AuditError, Context};
use crate::adapters::ledger::{CallRow, Filter, LedgerPlace, Order, Page, Reader};
use crate::adapters::machine;
use crate::app::own_calls::Tally;
use crate::domain::own::{OWN_PROVIDER, OwnOperation};
use crate::domain::report::{Asked, Builder, DAY, Document, ReportKind, Shown, Source};
use crate::types::{Effect, Micros, Outcome, PiiClass};
use progress::Progress;

/// Tokens whose uses are read at a time.
const TOKENS: i64 = 20_000;

/// Calls that a report shows one by one.
const CALLS: u32 = 200;

/// Changes of access that a report shows one by one: they are few, and each matters.
const CHANGES: u32 = 1_000;

/// Classes whose calls are shown one by one.
const SHOWN_CLASSES: [PiiClass; 3] = [
    PiiClass::GovernmentId,
    PiiClass::Document,
    PiiClass::SecurityQuestion,
];

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
    #[error("the report {0} is about one effect already: leave out --effect")]
    HasEffect(ReportKind),
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
    )?;
    let work = async |tally: &mut Tally| {
        let mut reader = Reader::open(ledger).await?;
        let document = make(&mut reader, ledger, args.report, &filter, asked).await?;
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

/// The calls that a report is about, among those that were asked for.
fn scope(kind: ReportKind, mut filter: Filter) -> Result<Filter, ReportError> {
    let mut effect = |effect| match filter.effect.replace(effect) {
        None => Ok(()),
        Some(_) => Err(ReportError::HasEffect(kind)),
    };
    match kind {
        ReportKind::PiiAccess => filter.has_pii = true,
        ReportKind::TokenUse => {}
        ReportKind::FailedAuth => filter.auth_failed = true,
        ReportKind::AccessChanges => effect(Effect::AccessChange)?,
        ReportKind::Money => effect(Effect::Money)?,
    }
    Ok(filter)
}

/// The calls that are shown one by one, and how many at most.
fn shown(kind: ReportKind, filter: &Filter) -> Option<(Filter, u32)> {
    let filter = filter.clone();
    match kind {
        ReportKind::PiiAccess => {
            let is_asked = |class: &PiiClass| filter.pii.is_empty() || filter.pii.contains(class);
            let pii: Vec<_> = SHOWN_CLASSES.into_iter().filter(is_asked).collect();
            (!pii.is_empty()).then_some((Filter { pii, ..filter }, CALLS))
        }
        ReportKind::TokenUse => None,
        ReportKind::FailedAuth => Some((filter, CALLS)),
        ReportKind::AccessChanges => Some((filter, CHANGES)),
        ReportKind::Money => match filter.outcome {
            Some(outcome) if outcome != Outcome::Unknown => None,
            _ => {
                let outcome = Some(Outcome::Unknown);
                Some((Filter { outcome, ..filter }, CALLS))
            }
        },
    }
}

/// Reads what the report is made of.
async fn make(
    reader: &mut Reader,
    ledger: &LedgerPlace,
    kind: ReportKind,
    filter: &Filter,
    asked: Asked,
) -> Result<Document, AuditError> {
    reader.hold_still().await?;
    let (from, to) = (asked.from, asked.to);
    let period = Filter {
        from: Some(from),
        to: Some(to),
        ..Filter::default()
    };
    let own = Filter {
        provider: Some(OWN_PROVIDER.to_owned()),
        ..period.clone()
    };
    // Both are counted in an index; to leave the few out would be to look at each row.
    let of_all = reader.count(&period).await?;
    let of_commands = reader.count(&own).await?;
    let source = Source {
        ledger: ledger.to_string(),
        schema: reader.schema(),
        version: crate::app::VERSION.to_owned(),
        calls: of_all.saturating_sub(of_commands),
        journals: reader.journals().await?,
    };
    let mut builder = Builder::new(kind, asked, source);
    for (number, activity) in reader.activities(filter).await? {
        builder.activity(number, activity);
    }
    let mut progress = Progress::new();
    let mut at = from;
    while at < to {
        match reader.first_from(at).await? {
            None => break,
            Some(first) => at = first,
        }
        let midnight = Micros(at.0.div_euclid(DAY).saturating_add(1).saturating_mul(DAY));
        let end = midnight.min(to);
        if at >= end {
            break;
        }
        let day = Filter {
            from: Some(at),
            to: Some(end),
            ..filter.clone()
        };
        for counted in reader.tally(&day).await? {
            builder.count(at, &counted);
        }
        at = end;
        progress.say("counting calls", at.0 - from.0, to.0 - from.0);
    }
    if kind == ReportKind::TokenUse {
        let last = reader.last_token().await?;
        let mut first = 1;
        while first <= last {
            let uses = reader.token_uses(filter, first, first.saturating_add(TOKENS - 1));
            for used in uses.await? {
                builder.token(&used);
            }
            first = first.saturating_add(TOKENS);
            progress.say("looking at tokens", first.min(last), last);
        }
    }
    if let Some((filter, limit)) = shown(kind, filter) {
        let page = Page {
            order: Order::NewestFirst,
            limit,
            after: None,
        };
        let found = reader.query(&filter, page).await?;
        let all = match found.next {
            None => found.rows.len() as u64,
            Some(_) => reader.count(&filter).await?,
        };
        let rows: Vec<_> = found.rows.iter().map(show).collect();
        builder.calls(&rows, all);
    }
    let gaps = reader.gaps(from, to).await?;
    builder.gaps(gaps.first, gaps.all, gaps.lost);
    progress.finish();
    Ok(builder.finish())
}

/// What a report shows of a call.
fn show(row: &CallRow) -> Shown {
    let operation = match row.text("provider") {
        "" => row.text("operation").to_owned(),
        provider => format!("{provider}/{}", row.text("operation")),
    };
    let why = match (row.text("reason"), row.text("error_code")) {
        ("", code) => code,
        (reason, _) => reason,
    };
    Shown {
        received: Micros(row.integer("received_at").unwrap_or_default()),
        call_id: row.text("call_id").to_owned(),
        caller: row.text("caller").to_owned(),
        operation,
        token_type: row.text("token_type").to_owned(),
        status: row
            .integer("status")
            .and_then(|status| status.try_into().ok()),
        outcome: row.text("outcome").to_owned(),
        why: why.to_owned(),
        concerns: subjects(row.text("subjects")),
        facts: facts(row.text("facts")),
    }
}

/// Kinds and pseudonyms, each once.
fn subjects(json: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    if let Ok(Json::Array(subjects)) = serde_json::from_str(json) {
        for subject in subjects {
            let text = |name: &str| subject.get(name).and_then(Json::as_str);
            let kind = text("kind").unwrap_or_default();
            // Erased when the person asked for it.
            let one = format!("{kind} {}", text("subject").unwrap_or("(erased)"));
            if !shown.contains(&one) {
                shown.push(one);
            }
        }
    }
    shown.join(", ")
}

pub(super) fn facts(json: &str) -> String {
    let Ok(Json::Object(facts)) = serde_json::from_str(json) else {
        return String::new();
    };
    let text = |value: &Json| value.as_str().map_or(value.to_string(), str::to_owned);
    let shown: Vec<_> = facts
        .iter()
        .map(|(name, value)| match value {
            Json::Array(values) => {
                let values: Vec<_> = values.iter().map(text).collect();
                format!("{name} {}", values.join(" "))
            }
            value => format!("{name} {}", text(value)),
        })
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests;
