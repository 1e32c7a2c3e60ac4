//! `egret detect`

mod replay;
mod rules;
mod score;

use std::io::Write;

use clap::{Args, Subcommand};

use super::{Failure, Outcome};
use crate::types::Micros;

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
        DetectCommand::Rules(args) => rules::run(args, out),
        DetectCommand::Score(args) => score::run(args, out),
    }
}
