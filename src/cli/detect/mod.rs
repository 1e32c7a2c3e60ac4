//! `egret detect`

mod score;

use std::io::Write;

use clap::{Args, Subcommand};

use super::{Failure, Outcome};

/// Options of `egret detect`.
#[derive(Debug, Args)]
pub struct DetectArgs {
    #[command(subcommand)]
    command: DetectCommand,
}

#[derive(Debug, Subcommand)]
enum DetectCommand {
    /// Judge alerts by labels: recall, precision, false pages, delay, a table per rule.
    Score(score::ScoreArgs),
}

/// Runs a command.
///
/// # Errors
/// The input cannot be used or the output fails.
pub fn run(args: &DetectArgs, out: &mut impl Write) -> Outcome {
    match &args.command {
        DetectCommand::Score(args) => score::run(args, out),
    }
}
