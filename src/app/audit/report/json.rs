//! A report as one JSON object. Keys and their meaning are stable; titles and explanations are not.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::domain::report::{Cell, Document, Table, Total};

/// Writes a document.
///
/// # Errors
/// What `out` says.
pub fn write(out: &mut impl Write, document: &Document) -> io::Result<()> {
    let Document {
        heading,
        asked,
        source,
        totals,
        days,
        marked,
        tables,
        terms,
        verify,
    } = document;
    let filters = asked.filters.iter();
    let filters: Vec<_> = filters
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let sources: Vec<_> = source
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let days: Vec<_> = days
        .iter()
        .map(|day| json!({"date": day.date(), "calls": day.calls, "marked": day.marked}))
        .collect();
    let figures: Vec<_> = totals
        .iter()
        .map(|total| {
            let Total {
                key,
                label,
                value,
                is_warning,
            } = total;
            json!({"key": key, "label": label, "value": value, "warning": *is_warning && *value > 0})
        })
        .collect();
    let totals: Map<_, _> = totals
        .iter()
        .map(|total| (total.key.to_owned(), total.value.into()))
        .collect();
    let tables: Map<_, _> = tables
        .iter()
        .map(|table| (table.key.to_owned(), json_table(table)))
        .collect();
    let terms: Map<_, _> = terms
        .iter()
        .map(|term| (term.word.to_owned(), term.meaning.into()))
        .collect();
    let whole = json!({
        "report": heading.name,
        "title": heading.title,
        "scope": heading.scope,
        "from": asked.from.to_string(),
        "to": asked.to.to_string(),
        "filters": filters,
        "made_at": asked.at.to_string(),
        "made_by": asked.by,
        "source": sources,
        "totals": totals,
        "figures": figures,
        "days": days,
        "marked": marked,
        "tables": tables,
        "terms": terms,
        "verify": verify,
    });
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    out.write_all(b"\n")
}

fn json_table(table: &Table) -> Value {
    let rows = table.rows.iter().map(|row| {
        let cells = table.columns.iter().zip(row);
        let cells = cells.map(|(column, cell)| (column.key.to_owned(), json_cell(cell)));
        Value::Object(cells.collect())
    });
    json!({
        "title": table.title,
        "note": table.note,
        "rows": rows.collect::<Vec<_>>(),
        "all": table.all,
        "more": table.more,
    })
}

fn json_cell(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Count(count) => (*count).into(),
        Cell::Text(text) | Cell::Id(text) => text.as_str().into(),
        Cell::Time(at) => at.to_string().into(),
    }
}
