//! `egret detect explain`: why an incident was told, with the calls behind it.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Own;
use crate::adapters::ledger::{CallRow, Filter, IdPrefix, Order, Page, Reader};
use crate::app::Setup;
use crate::app::alerts::desk;
use crate::app::own_calls::Tally;
use crate::cli::audit;
use crate::cli::{ConfigArgs, Failure, Outcome, record, runtime};
use crate::domain::config::Config;
use crate::domain::explanation::{self, Explanation};
use crate::domain::own::{OwnCall, OwnOperation};

/// Most calls that can be asked for: as many as an incident keeps.
const MAX_CALLS: u64 = 1_000;

/// Calls that the record of the command names; who wants more has them in the incident.
const ON_RECORD: usize = 50;

/// Options of `egret detect explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  egret detect explain inc-20261122-0017
  egret detect explain inc-20261122-0017 --format json | jq .explanation.why[0].measured

The numbers are those of the moment at which a sign was told; settings are those that are in force \
now. The calls are read from the ledger, which is put on record.")]
pub struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Id of the incident, as `egret alert list` shows it
    incident: String,
    /// Most calls behind it that are shown; 0 for none
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(0..=MAX_CALLS))]
    calls: u64,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// Explains an incident.
///
/// # Errors
/// There is no such incident, the ledger cannot be read, or it cannot be put on record.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> Outcome {
    let setup = Setup::read_for_callers(&args.config.config).map_err(Failure::new)?;
    let config = &setup.config;
    let mut desk = desk(config).map_err(Failure::new)?;
    let book = desk.book().map_err(Failure::new)?;
    let case = book.case(&args.incident).ok_or_else(|| {
        Failure::new(format!(
            "there is no incident {}; `egret alert list --all` names those that are kept",
            args.incident
        ))
    })?;
    let own = Own::of(config);
    let explanation = explanation::explain(case, &own.settings);
    let named = usize::try_from(args.calls).unwrap_or(usize::MAX);
    let ids: Vec<String> = case.calls.iter().take(named).cloned().collect();
    let all = case.calls_named;
    // Before the record of it, which says whom the calls concern.
    let rows = runtime()?.block_on(behind(config, &ids))?;
    let call = OwnCall::new(OwnOperation::DetectExplain).fact("incident", &case.id);
    let call = rows
        .iter()
        .take(ON_RECORD)
        .fold(call, crate::app::audit::concerning);
    let work = async |tally: &mut Tally| {
        tally.add(rows.len());
        match args.format {
            Format::Text => show(out, &explanation, &rows, all)?,
            Format::Json => {
                let whole =
                    json!({ "explanation": explanation, "calls": rows, "calls_named": all });
                writeln!(out, "{whole}")?;
            }
        }
        Ok(out.flush()?)
    };
    record(config, call, work)
}

/// The rows of calls; those that the ledger does not have, or not yet, are left out.
async fn behind(config: &Config, ids: &[String]) -> Result<Vec<CallRow>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let reader = Reader::open(&config.ledger.place).await;
    let mut reader = reader.map_err(Failure::new)?;
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        // Incidents that were made from a feed name positions in it.
        let Ok(call_id) = id.parse::<IdPrefix>() else {
            continue;
        };
        let filter = Filter {
            call_id: Some(call_id),
            ..Filter::default()
        };
        let page = Page {
            order: Order::OldestFirst,
            limit: 1,
            after: None,
        };
        let found = reader.query(&filter, page).await.map_err(Failure::new)?;
        rows.extend(found.rows);
    }
    Ok(rows)
}

fn show(out: &mut impl Write, explanation: &Explanation, rows: &[CallRow], all: u64) -> Outcome {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = explanation::write(&mut text, explanation);
    out.write_all(text.as_bytes())?;
    if !rows.is_empty() {
        let shown = rows.len();
        writeln!(out, "\nCalls behind it ({shown} of {all} that were named):")?;
        audit::call_table(out, rows)?;
    }
    Ok(())
}
