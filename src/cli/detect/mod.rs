//! `egret detect`

mod explain;
mod replay;
mod rules;
mod score;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, Outcome};
use crate::domain::config::Config;
use crate::domain::detect::Settings;
use crate::types::Micros;

/// What a configuration says of detection; nothing without one.
#[derive(Debug, Default)]
struct Own {
    settings: Settings,
    netmap: Option<PathBuf>,
}

impl Own {
    fn of(config: &Config) -> Self {
        Self {
            settings: config.detect.settings.clone(),
            netmap: config.detect.netmap.clone(),
        }
    }
}

/// Options of `egret detect`.
#[derive(Debug, Args)]
pub struct DetectArgs {
    #[command(subcommand)]
    command: DetectCommand,
}

#[derive(Debug, Subcommand)]
enum DetectCommand {
    /// Run the detectors over history, as fast as possible and in its own time.
    Replay(replay::ReplayArgs),
    /// Say why an incident was told: its signs, the numbers in their formulas, what would have kept
    /// them quiet.
    Explain(explain::ExplainArgs),
    /// List the rules.
    Rules(rules::RulesArgs),
    /// Judge alerts by labels: recall, precision, false pages, delay, a table per rule.
    Score(score::ScoreArgs),
}

/// Runs a command.
///
/// # Errors
/// The input cannot be used or the output fails.
pub fn run(args: &DetectArgs, now: Micros, out: &mut impl Write) -> Outcome {
    match &args.command {
        DetectCommand::Replay(args) => replay::run(args, now, out),
        DetectCommand::Explain(args) => explain::run(args, out),
        DetectCommand::Rules(args) => rules::run(args, out),
        DetectCommand::Score(args) => score::run(args, out),
    }
}
