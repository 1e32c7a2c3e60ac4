//! `egret health`: asks a running gateway how it is, for scripts and for container probes, which
//! cannot reach a loopback address from outside.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::ask::ask;
use super::{ConfigArgs, Failure, Outcome};
use crate::app::Setup;

/// Options of `egret health`.
#[derive(Debug, Args)]
#[command(
    after_help = "It ends with 0 if the answer is yes, else with 1.\n\nExamples:\n  egret health\n  \
egret health --probe live"
)]
pub struct HealthArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// What to ask.
    #[arg(long, value_enum, default_value_t = Probe::Ready)]
    probe: Probe,
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
    let setup = Setup::read(&args.config.config).map_err(Failure::new)?;
    let Some(address) = setup.config.admin.address else {
        return Err(Failure::new(
            "the admin listener is off: set [admin] address in the configuration",
        ));
    };
    let path = match args.probe {
        Probe::Ready => "/readyz",
        Probe::Live => "/livez",
        Probe::Startup => "/startupz",
    };
    let (status, body) = ask(&address, path)
        .map_err(|error| Failure::new(format!("no answer from {address}: {error}")))?;
    out.write_all(&body)?;
    out.flush()?;
    match status {
        200 => Ok(()),
        status => Err(Failure::new(format!("{path} says {status}"))),
    }
}
