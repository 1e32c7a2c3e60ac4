//! What an audit found, for people and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Commands, Found, LedgerAudit, LogAudit};
use crate::adapters::evidence::verify::{Fault, JournalAudit};
use crate::domain::own::NODE_SUFFIX;

pub(super) fn write_text(out: &mut impl Write, found: &Found) -> io::Result<()> {
    let node = &found.node;
    write_log(out, "log", &node.journal)?;
    for (at, key) in node.journal.keys.iter().enumerate() {
        let label = if at == 0 { "keys" } else { "" };
        writeln!(out, "{label:<8} {key}")?;
    }
    write_records(out, "journal", &node.journal)?;
    write_rows(out, "ledger", &node.rows)?;
    match &found.commands {
        Commands::Checked(log) => {
            write_log(out, "commands", &log.journal)?;
            write_records(out, "", &log.journal)?;
            write_rows(out, "", &log.rows)?;
        }
        Commands::NotSealed(why) => writeln!(
            out,
            "commands what they have put on record is not vouched for: {why}"
        )?,
        Commands::Nothing => {}
    }
    for other in &found.unvouched {
        match other.journal {
            Some(id) => {
                let whose = if other.node.ends_with(NODE_SUFFIX) {
                    "of commands, node"
                } else {
                    "of node"
                };
                writeln!(
                    out,
                    "         {} rows {whose} {} are not covered here: verify them there (journal \
                     {id})",
                    other.rows, other.node
                )?;
            }
            None => writeln!(
                out,
                "         {} rows were written by commands; nothing vouches for them",
                other.rows
            )?,
        }
    }
    for fault in found.faults() {
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
    if found.faults().next().is_none() {
        writeln!(out, "\nnothing was changed, removed, inserted or moved")?;
    }
    Ok(())
}

fn write_log(out: &mut impl Write, label: &str, audit: &JournalAudit) -> io::Result<()> {
    let journal = audit.journal.map(|id| id.to_string()).unwrap_or_default();
    writeln!(out, "{label:<8} {} (journal {journal})", audit.origin)
}

fn write_records(out: &mut impl Write, label: &str, audit: &JournalAudit) -> io::Result<()> {
    write!(
        out,
        "{label:<8} {} records under {} checkpoints",
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
    Ok(())
}

fn write_rows(out: &mut impl Write, label: &str, rows: &LedgerAudit) -> io::Result<()> {
    writeln!(
        out,
        "{label:<8} {} rows and {} checkpoints in the ledger are as the journal says",
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
    Ok(())
}

pub(super) fn write_json(out: &mut impl Write, found: &Found) -> io::Result<()> {
    let faults: Vec<&Fault> = found.faults().collect();
    let unvouched: Vec<_> = found
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
    let mut report = log_as_json(&found.node);
    let commands = match &found.commands {
        Commands::Checked(log) => log_as_json(log),
        Commands::NotSealed(why) => json!({ "not_sealed": why }),
        Commands::Nothing => Value::Null,
    };
    if let Some(report) = report.as_object_mut() {
        report.insert("sound".to_owned(), faults.is_empty().into());
        report.insert("rows_not_covered".to_owned(), unvouched.into());
        report.insert("commands".to_owned(), commands);
        report.insert("faults".to_owned(), json!(faults));
    }
    writeln!(out, "{report}")
}

fn log_as_json(log: &LogAudit) -> Value {
    let LogAudit {
        journal: audit,
        rows,
    } = log;
    let keys: Vec<String> = audit.keys.iter().map(ToString::to_string).collect();
    let last = audit.last.as_ref().map(|last| {
        json!({
            "size": last.checkpoint.size,
            "root": last.checkpoint.root.to_string(),
            "made_at": last.made_at.to_string(),
            "cosignatures": last.cosignatures(),
        })
    });
    json!({
        "origin": audit.origin,
        "journal": audit.journal.map(|id| id.to_string()),
        "keys": keys,
        "records": audit.covered,
        "records_behind": audit.uncovered,
        "records_pruned": audit.pruned,
        "checkpoints": audit.checkpoints,
        "last_checkpoint": last,
        "rows": rows.compared,
        "rows_given_up": rows.given_up,
        "rows_left_out": rows.left_out,
        "ledger_checkpoints": rows.checkpoints,
    })
}
