//! `egret health`: asks a running gateway how it is, for scripts and for container probes, which
//! cannot reach a loopback address from outside.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::ask::{AskArgs, Listener};
use super::{ConfigArgs, Failure, Outcome};

/// Options of `egret health`.
#[derive(Debug, Args)]
#[command(
    after_help = "It ends with 0 if the answer is yes, else with 1.\n\nExamples:\n  egret health\n  \
egret health --probe live\n  \
egret health --url https://gateway.internal:9443 --ca internal.pem"
)]
pub struct HealthArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// What to ask.
    #[arg(long, value_enum, default_value_t = Probe::Ready)]
    probe: Probe,
    #[command(flatten)]
    which: AskArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Probe {
    /// Whether calls should go there.
    Ready,
    /// Whether the process is worth keeping.
    Live,
    /// Whether the start is over.
    Startup,
}

/// Asks and prints the answer.
pub fn run(args: &HealthArgs, out: &mut impl Write) -> Outcome {
    let listener = Listener::find(&args.which, &args.config)?;
    let path = match args.probe {
        Probe::Ready => "/readyz",
        Probe::Live => "/livez",
        Probe::Startup => "/startupz",
    };
    let (status, body) = listener
        .ask(path)
        .map_err(|error| Failure::new(format!("no answer from {listener}: {error}")))?;
    out.write_all(&body)?;
    out.flush()?;
    match status {
        200 => Ok(()),
        status => Err(Failure::new(format!("{path} says {status}"))),
    }
}
