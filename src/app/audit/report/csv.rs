//! A report as CSV (RFC 4180): its parts one below the other, each with a heading and a header, and
//! an empty line between. Every record has the same number of fields, as the format wants it.

use std::io::{self, Write};

use crate::app::audit::text::{harmless, io_error};
use crate::domain::report::{Cell, Document};

/// Writes a document.
///
/// # Errors
/// What `out` says.
pub fn write(out: &mut impl Write, document: &Document) -> io::Result<()> {
    let asked = &document.asked;
    let mut records: Vec<Vec<String>> = Vec::new();
    let mut add = |fields: &[&str]| {
        records.push(fields.iter().map(|field| (*field).to_owned()).collect());
    };
    add(&["report", document.heading.name, &document.heading.title]);
    add(&["from", &asked.from.to_string()]);
    add(&["to", &asked.to.to_string()]);
    for (name, value) in &asked.filters {
        add(&["filter", name, value]);
    }
    add(&["made_at", &asked.at.to_string()]);
    add(&["made_by", &asked.by]);
    for (name, value) in &document.source {
        add(&[name, value]);
    }
    add(&[]);
    add(&["totals"]);
    add(&["name", "calls", "label"]);
    for total in &document.totals {
        add(&[total.key, &total.value.to_string(), total.label]);
    }
    add(&[]);
    add(&["days"]);
    add(&["day", "calls", document.marked]);
    for day in &document.days {
        let (calls, marked) = (day.calls.to_string(), day.marked.to_string());
        add(&[&day.date(), &calls, &marked]);
    }
    for table in &document.tables {
        add(&[]);
        add(&[table.key, &table.title]);
        let keys: Vec<_> = table.columns.iter().map(|column| column.key).collect();
        add(&keys);
        for row in &table.rows {
            let fields: Vec<String> = row.iter().map(field).collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            add(&fields);
        }
        if table.is_cut() {
            let (shown, all) = (table.rows.len().to_string(), table.all.to_string());
            let more = table.more.as_deref().unwrap_or_default();
            add(&["cut: rows shown", &shown, "of", &all, more]);
        }
    }
    let width = records.iter().map(Vec::len).max().unwrap_or_default();
    let mut csv = csv::Writer::from_writer(out);
    for mut record in records {
        record.resize(width, String::new());
        let fields = record.iter().map(|field| harmless(field).into_owned());
        csv.write_record(fields).map_err(io_error)?;
    }
    csv.flush()
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Count(count) => count.to_string(),
        Cell::Text(text) | Cell::Id(text) => text.clone(),
        Cell::Time(at) => at.to_string(),
    }
}
