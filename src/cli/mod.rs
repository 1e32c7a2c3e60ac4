//! The command line: one file per command.

mod check;
mod serve;
mod sim;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The audited egress gateway for financial APIs.
#[derive(Debug, Parser)]
#[command(name = "egret", version, about, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Start with `egret demo`. Point a client at a running gateway by its base \
URL, for example http://127.0.0.1:8080/cybrid/bank.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE", default_value = "config/egret.toml", env = "EGRET_CONFIG")]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(serve::ServeArgs),
    /// Check a configuration and report every fault.
    Check(check::CheckArgs),
    /// Simulate a vendor on loopback, for trying an integration offline.
    Sim(sim::SimArgs),
}

/// A command failed; the message is for people.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// The command could not do what was asked.
    pub fn new(error: impl ToString) -> Self {
        Self {
            message: error.to_string(),
            code: 1,
        }
    }

    /// What was asked cannot be understood.
    pub fn usage(error: impl ToString) -> Self {
        Self {
            message: error.to_string(),
            code: 2,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

/// What a command returns.
pub type Outcome = Result<(), Failure>;

/// Runs the command line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let done = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Sim(args) => sim::run(&args, &mut out),
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "egret: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
