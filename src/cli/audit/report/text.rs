//! A report for a terminal.

use std::io::{self, Write};

use comfy_table::CellAlignment;

use crate::app::audit::text::{grouped, printable, time};
use crate::cli::audit::render::{HEADING, plain_table};
use crate::domain::report::{Cell, Document, Table};

/// More days than this are shown by month.
const MOST_DAYS: usize = 62;

/// Longest bar, in characters.
const BAR: u64 = 40;

pub(super) fn write(out: &mut impl Write, colour: bool, document: &Document) -> io::Result<()> {
    let (bold, plain) = if colour {
        (
            HEADING.render().to_string(),
            HEADING.render_reset().to_string(),
        )
    } else {
        Default::default()
    };
    let asked = &document.asked;
    let heading = |out: &mut dyn Write, text: &str| writeln!(out, "{bold}{text}{plain}");
    heading(out, &document.heading.title)?;
    writeln!(out, "{}", document.heading.scope)?;
    writeln!(out)?;
    writeln!(
        out,
        "period      {} to {}",
        time(asked.from),
        time(asked.to)
    )?;
    for (name, value) in &asked.filters {
        // Those that hold or do not have no value.
        let condition = format!("{name} {}", printable(value));
        writeln!(out, "only        {}", condition.trim_end())?;
    }
    let by = printable(&asked.by);
    writeln!(out, "made        {} by {by}", time(asked.at))?;
    for (name, value) in &document.source {
        writeln!(out, "{name:<11} {}", printable(value))?;
    }
    writeln!(out)?;
    for total in &document.totals {
        let sign = if total.is_warning && total.value > 0 {
            "  !"
        } else {
            ""
        };
        writeln!(
            out,
            "{:<30} {:>14}{sign}",
            total.label,
            grouped(total.value)
        )?;
    }
    write_days(out, &heading, document)?;
    for table in &document.tables {
        writeln!(out)?;
        heading(out, &printable(&table.title))?;
        if !table.note.is_empty() {
            writeln!(out, "{}", table.note)?;
        }
        write_table(out, table)?;
    }
    writeln!(out)?;
    heading(out, "What the words mean")?;
    for term in &document.terms {
        writeln!(out, "{}: {}", term.word, term.meaning)?;
    }
    writeln!(out)?;
    heading(out, "How to check this report")?;
    for line in &document.verify {
        writeln!(out, "{}", printable(line))?;
    }
    Ok(())
}

type Heading<'a> = dyn Fn(&mut dyn Write, &str) -> io::Result<()> + 'a;

fn write_days(out: &mut dyn Write, heading: &Heading<'_>, document: &Document) -> io::Result<()> {
    let by_month = document.days.len() > MOST_DAYS;
    let bars: Vec<(String, u64, u64)> = if by_month {
        let months = document.months().into_iter();
        months
            .map(|month| (month.name, month.calls, month.marked))
            .collect()
    } else {
        let days = document.days.iter();
        days.map(|day| (day.date(), day.calls, day.marked))
            .collect()
    };
    let most = bars
        .iter()
        .map(|(_, calls, _)| *calls)
        .max()
        .unwrap_or(0)
        .max(1);
    writeln!(out)?;
    heading(out, if by_month { "By month" } else { "By day" })?;
    if bars.is_empty() {
        return writeln!(out, "no calls");
    }
    for (name, calls, marked) in bars {
        let length = calls.saturating_mul(BAR).div_ceil(most);
        let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
        let calls = grouped(calls);
        let note = match marked {
            0 => String::new(),
            marked => format!("  {}: {}", document.marked, grouped(marked)),
        };
        writeln!(out, "{name:<10} {calls:>12} {bar}{note}")?;
    }
    Ok(())
}

fn write_table(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    if table.rows.is_empty() {
        return writeln!(out, "none");
    }
    let labels: Vec<_> = table.columns.iter().map(|column| column.label).collect();
    let mut shown = plain_table(&labels);
    for (index, cell) in table.rows.first().into_iter().flatten().enumerate() {
        if let (Cell::Count(_), Some(column)) = (cell, shown.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in &table.rows {
        shown.add_row(row.iter().map(cell));
    }
    for line in shown.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    if table.is_cut() {
        writeln!(out, "{} of {} shown", table.rows.len(), grouped(table.all))?;
        if let Some(more) = &table.more {
            writeln!(out, "all of them: {}", printable(more))?;
        }
    }
    Ok(())
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Empty => "-".to_owned(),
        Cell::Count(count) => grouped(*count),
        Cell::Text(text) | Cell::Id(text) => printable(text).into_owned(),
        Cell::Time(at) => time(*at),
    }
}
