//! A report as one page that needs nothing else: no script, no image, no other file.
//!
//! What is written is at once HTML and well-formed XML, so that any parser can check it. Every text
//! goes through [`Text`]; names of callers can come from other people's certificates.

use std::fmt::{self, Display};
use std::io::{self, Write};

use crate::app::audit::text::{grouped, printable, time};
use crate::domain::report::{Cell, Document, Table};

/// More days than this are drawn by month.
const MOST_DAYS: usize = 400;

/// Height of the drawing, in its own units.
const HEIGHT: u64 = 100;

/// Width of a bar and the space after it, in the same units.
const STEP: usize = 10;

const STYLE: &str = include_str!("style.css");

/// Should an escape ever be forgotten, the browser still loads and runs nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Text between tags or in an attribute.
struct Text<T>(T);

impl<T: AsRef<str>> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in printable(self.0.as_ref()).chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No characters of XML 1.0.
                '\u{fffe}' | '\u{ffff}' => f.write_str("\u{fffd}")?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}

/// Writes a document.
///
/// # Errors
/// What `out` says.
pub fn write(out: &mut impl Write, document: &Document) -> io::Result<()> {
    let title = &document.heading.title;
    let asked = &document.asked;
    let (from, to) = (time(asked.from), time(asked.to));
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"robots\" content=\"noindex\"/>\n\
         <title>{}, {from} to {to}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <h1>{}</h1>\n<p>{}</p>\n<dl class=\"meta\">\n",
        Text(POLICY),
        Text(title),
        Text(title),
        Text(&document.heading.scope),
    )?;
    let mut meta =
        |name: &str, value: &str| writeln!(out, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(value));
    meta(
        "Period",
        &format!("{from} to {to} (UTC, the end not included)"),
    )?;
    if asked.filters.is_empty() {
        meta("Only", "no further conditions")?;
    }
    for (name, value) in &asked.filters {
        meta("Only", format!("{name} {value}").trim_end())?;
    }
    meta("Made", &format!("{} by {}", time(asked.at), asked.by))?;
    for (name, value) in &document.source {
        meta(&name.replace('_', " "), value)?;
    }
    out.write_all(b"</dl>\n</header>\n<main>\n<ul class=\"totals\">\n")?;
    for total in &document.totals {
        let is_warning = total.is_warning && total.value > 0;
        let class = if is_warning { " class=\"warn\"" } else { "" };
        writeln!(
            out,
            "<li{class}><b>{}</b>{}</li>",
            grouped(total.value),
            Text(total.label)
        )?;
    }
    out.write_all(b"</ul>\n")?;
    write_days(out, document)?;
    for table in &document.tables {
        write_table(out, table)?;
    }
    out.write_all(b"<section>\n<h2>What the words mean</h2>\n<dl class=\"terms\">\n")?;
    for term in &document.terms {
        writeln!(
            out,
            "<dt>{}</dt><dd>{}</dd>",
            Text(term.word),
            Text(term.meaning)
        )?;
    }
    out.write_all(b"</dl>\n</section>\n</main>\n<footer>\n<h2>How to check this report</h2>\n")?;
    for line in &document.verify {
        writeln!(out, "<p>{}</p>", Text(line))?;
    }
    out.write_all(b"</footer>\n</body>\n</html>\n")
}

fn write_days(out: &mut impl Write, document: &Document) -> io::Result<()> {
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
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return writeln!(out, "<p>There was no such call in the period.</p>");
    };
    let unit = if by_month { "month" } else { "day" };
    let most = bars
        .iter()
        .max_by_key(|(_, calls, _)| *calls)
        .unwrap_or(first);
    writeln!(
        out,
        "<section>\n<h2>Calls by {unit}</h2>\n\
         <svg viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\" \
         aria-label=\"Calls by {unit} from {} to {}; the most, {}, on {}.\">",
        bars.len() * STEP,
        first.0,
        last.0,
        grouped(most.1),
        most.0
    )?;
    for (index, (name, calls, marked)) in bars.iter().enumerate() {
        let height = |calls: u64| calls.saturating_mul(HEIGHT).div_ceil(most.1.max(1));
        let x = index * STEP;
        write!(
            out,
            "<g><title>{name}: {} calls, {} {}</title>",
            grouped(*calls),
            grouped(*marked),
            Text(document.marked)
        )?;
        for (class, height) in [("bar", height(*calls)), ("mark", height(*marked))] {
            if height > 0 {
                write!(
                    out,
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{height}\"/>",
                    HEIGHT.saturating_sub(height),
                    STEP - 1
                )?;
            }
        }
        out.write_all(b"</g>\n")?;
    }
    writeln!(
        out,
        "</svg>\n<p class=\"note\"><span class=\"key bar\"></span>calls\
         <span class=\"key mark\"></span>of these: {}. {} to {}; {unit}s without a call are left \
         out. The most: {} on {}.</p>\n</section>",
        Text(document.marked),
        first.0,
        last.0,
        grouped(most.1),
        most.0
    )
}

fn write_table(out: &mut impl Write, table: &Table) -> io::Result<()> {
    writeln!(out, "<section>\n<h2>{}</h2>", Text(&table.title))?;
    if !table.note.is_empty() {
        writeln!(out, "<p class=\"note\">{}</p>", Text(&table.note))?;
    }
    if table.rows.is_empty() {
        return writeln!(out, "<p>None.</p>\n</section>");
    }
    // Whether a column holds numbers is seen from its first cell that holds anything.
    let is_number = |index: usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(index));
        let first = cells.find(|cell| **cell != Cell::Empty);
        matches!(first, Some(Cell::Count(_)))
    };
    let numbers: Vec<bool> = (0..table.columns.len()).map(is_number).collect();
    let class = |is_number: &bool| if *is_number { " class=\"number\"" } else { "" };
    writeln!(out, "<div class=\"scroll\">\n<table>")?;
    if table.is_cut() {
        write!(
            out,
            "<caption>{} of {} shown.",
            grouped(table.rows.len() as u64),
            grouped(table.all)
        )?;
        if let Some(more) = &table.more {
            write!(out, " All of them: <code>{}</code>", Text(more))?;
        }
        writeln!(out, "</caption>")?;
    }
    write!(out, "<thead><tr>")?;
    for (column, is_number) in table.columns.iter().zip(&numbers) {
        let class = class(is_number);
        write!(out, "<th scope=\"col\"{class}>{}</th>", Text(column.label))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in &table.rows {
        write!(out, "<tr>")?;
        for (cell, is_number) in row.iter().zip(&numbers) {
            write!(out, "<td{}>", class(is_number))?;
            match cell {
                Cell::Empty => {}
                Cell::Count(count) => write!(out, "{}", grouped(*count))?,
                Cell::Text(text) => write!(out, "{}", Text(text))?,
                Cell::Id(id) => write!(out, "<code>{}</code>", Text(id))?,
                Cell::Time(at) => write!(out, "{}", time(*at))?,
            }
            write!(out, "</td>")?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>\n</div>\n</section>")
}
