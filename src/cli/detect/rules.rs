//! `egret detect rules`

use std::io::Write;

use clap::Args;

use crate::cli::Outcome;
use crate::domain::detect::RULES;

/// Options of `egret detect rules`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  egret detect rules\n  egret detect rules --json | jq -r .rule"
)]
pub struct RulesArgs {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Lists the rules.
///
/// # Errors
/// The output fails.
pub fn run(args: &RulesArgs, out: &mut impl Write) -> Outcome {
    if args.json {
        for rule in RULES {
            let line = serde_json::json!({
                "rule": rule.name,
                "category": rule.category,
                "severity": rule.severity.as_str(),
                "while_learning": rule.from_start,
                "about": rule.about,
            });
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["RULE", "SEVERITY", "LOOKS FOR"]);
    for rule in RULES {
        table.add_row([rule.name, rule.severity.as_str(), rule.about]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    Ok(())
}
