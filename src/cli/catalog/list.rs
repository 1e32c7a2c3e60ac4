//! `egret catalog list`

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use super::{Format, ListArgs, no_provider};
use crate::cli::Outcome;
use crate::cli::providers::Providers;
use crate::domain::catalog::{Operation, Provider};

const COLUMNS: [&str; 6] = [
    "provider",
    "operation",
    "service",
    "effect",
    "method",
    "path_template",
];

/// Lists operations in the order of their files.
pub fn run(args: &ListArgs, providers: &Providers, out: &mut impl Write) -> Outcome {
    let catalog = &providers.catalog;
    if let Some(id) = &args.provider
        && catalog.provider(id).is_none()
    {
        return Err(no_provider(providers, id));
    }
    let rows: Vec<(&Provider, &Operation)> = catalog
        .entries()
        .iter()
        .map(|entry| &*entry.provider)
        .filter(|provider| args.provider.as_ref().is_none_or(|id| **id == *provider.id))
        .flat_map(|provider| {
            provider
                .operations
                .iter()
                .map(move |operation| (provider, &**operation))
        })
        .filter(|(provider, operation)| is_wanted(args, provider, operation))
        .collect();
    write(args.format, &rows, out)?;
    Ok(())
}

fn is_wanted(args: &ListArgs, provider: &Provider, operation: &Operation) -> bool {
    args.effect.is_none_or(|effect| effect == operation.effect)
        && args
            .service
            .as_ref()
            .is_none_or(|wanted| **wanted == *service_of(provider, operation))
}

fn service_of<'p>(provider: &'p Provider, operation: &Operation) -> &'p str {
    provider
        .service(operation.service)
        .map_or("", |service| &service.id)
}

fn cells<'a>(provider: &'a Provider, operation: &'a Operation) -> [&'a str; 6] {
    [
        &provider.id,
        &operation.id,
        service_of(provider, operation),
        operation.effect.as_str(),
        operation.method.as_str(),
        &operation.template,
    ]
}

fn write(format: Format, rows: &[(&Provider, &Operation)], out: &mut impl Write) -> io::Result<()> {
    let cells = rows
        .iter()
        .map(|(provider, operation)| cells(provider, operation));
    match format {
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(COLUMNS)?;
            for row in cells {
                csv.write_record(row)?;
            }
            csv.flush()
        }
        Format::Json => {
            for ((_, operation), row) in rows.iter().zip(cells) {
                let mut object: serde_json::Map<_, _> = COLUMNS
                    .into_iter()
                    .zip(row)
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                object.insert("summary".to_owned(), json!(operation.summary));
                serde_json::to_writer(&mut *out, &object)?;
                writeln!(out)?;
            }
            Ok(())
        }
        Format::Table if rows.is_empty() => writeln!(out, "no operations match"),
        Format::Table => {
            let mut table = Table::new();
            table
                .load_preset(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Disabled)
                .set_header(COLUMNS);
            for row in cells {
                table.add_row(row);
            }
            for column in table.column_iter_mut() {
                column.set_padding((0, 2));
            }
            for line in table.lines() {
                writeln!(out, "{}", line.trim_end())?;
            }
            writeln!(out, "{} operations", rows.len())
        }
    }
}
