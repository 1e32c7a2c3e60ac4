//! What an audit found, for people and for programs.

use std::io::{self, Write};

use serde_json::json;

use super::LedgerAudit;
use crate::adapters::evidence::verify::{Fault, JournalAudit};
use crate::domain::own::NODE_SUFFIX;

pub(super) fn write_text(
    out: &mut impl Write,
    audit: &JournalAudit,
    rows: &LedgerAudit,
) -> io::Result<()> {
    let journal = audit.journal.map(|id| id.to_string()).unwrap_or_default();
    writeln!(out, "log      {} (journal {journal})", audit.origin)?;
    for (at, key) in audit.keys.iter().enumerate() {
        let label = if at == 0 { "keys" } else { "" };
        writeln!(out, "{label:<8} {key}")?;
    }
    write!(
        out,
        "journal  {} records under {} checkpoints",
        audit.covered, audit.checkpoints
    )?;
    if let Some(last) = &audit.last {
        write!(out, ", the last of {}", last.made_at)?;
        if last.cosignatures() > 0 {
            write!(out, ", cosigned by {}", last.cosignatures())?;
        }
    }
    writeln!(out)?;
    if audit.uncovered > 0 {
        writeln!(
            out,
            "         {} records behind the last checkpoint are not vouched for yet",
            audit.uncovered
        )?;
    }
    writeln!(
        out,
        "ledger   {} rows and {} checkpoints are as the journal says",
        rows.compared, rows.checkpoints
    )?;
    if rows.given_up > 0 {
        writeln!(
            out,
            "         {} rows whose time was over were given up by `egret audit prune`",
            rows.given_up
        )?;
    }
    if let Some(why) = &rows.left_out {
        writeln!(out, "         not compared: {why}")?;
    }
    for other in &rows.unvouched {
        match other.journal {
            Some(_) if other.node.ends_with(NODE_SUFFIX) => writeln!(
                out,
                "         {} rows of commands (node {}) are not covered: their journal is not signed",
                other.rows, other.node
            )?,
            Some(id) => writeln!(
                out,
                "         {} rows of node {} are not covered here: verify them there (journal {id})",
                other.rows, other.node
            )?,
            None => writeln!(
                out,
                "         {} rows were written by commands; nothing vouches for them",
                other.rows
            )?,
        }
    }
    for fault in audit.faults.iter().chain(&rows.faults) {
        writeln!(out, "\nWRONG    {}", fault.message)?;
        if let Some(sequence) = fault.sequence {
            writeln!(out, "         record {sequence}")?;
        }
        if let Some(call) = &fault.call_id {
            writeln!(out, "         call {call}")?;
        }
        if let Some(file) = &fault.file {
            let offset = fault.offset.unwrap_or(0);
            writeln!(out, "         {}, byte {offset}", file.display())?;
        }
    }
    if audit.faults.is_empty() && rows.faults.is_empty() {
        writeln!(out, "\nnothing was changed, removed, inserted or moved")?;
    }
    Ok(())
}

pub(super) fn write_json(
    out: &mut impl Write,
    audit: &JournalAudit,
    rows: &LedgerAudit,
) -> io::Result<()> {
    let faults: Vec<&Fault> = audit.faults.iter().chain(&rows.faults).collect();
    let keys: Vec<String> = audit.keys.iter().map(ToString::to_string).collect();
    let unvouched: Vec<_> = rows
        .unvouched
        .iter()
        .map(|other| {
            json!({
                "journal": other.journal.map(|id| id.to_string()),
                "node": other.node,
                "rows": other.rows,
            })
        })
        .collect();
    let last = audit.last.as_ref().map(|last| {
        json!({
            "size": last.checkpoint.size,
            "root": last.checkpoint.root.to_string(),
            "made_at": last.made_at.to_string(),
            "cosignatures": last.cosignatures(),
        })
    });
    let report = json!({
        "sound": faults.is_empty(),
        "origin": audit.origin,
        "journal": audit.journal.map(|id| id.to_string()),
        "keys": keys,
        "records": audit.covered,
        "records_behind": audit.uncovered,
        "checkpoints": audit.checkpoints,
        "last_checkpoint": last,
        "rows": rows.compared,
        "rows_given_up": rows.given_up,
        "rows_left_out": rows.left_out,
        "rows_not_covered": unvouched,
        "ledger_checkpoints": rows.checkpoints,
        "faults": faults,
    });
    writeln!(out, "{report}")
}
