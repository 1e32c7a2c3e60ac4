//! `egret upgrade`

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::control::{self, Reply, Request};
use crate::app::Setup;

/// How long the gateway may take: the new process may have a ledger to migrate.
const PATIENCE: Duration = Duration::from_secs(420);

/// Options of `egret upgrade`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  egret upgrade                                # the file that the gateway was started from, replaced
  egret upgrade --binary /opt/egret-0.3/egret  # another one, also an older one
  kill -USR2 $(systemctl show -p MainPID --value egret)

The running gateway starts the program with its own arguments and hands over its sockets and its
journal. No call fails: connections that are open are served by the old process until they end, which
takes timeouts.idle at most for one that is idle and timeouts.drain for one with a call. The new
process reads the configuration: what a restart would change, this changes. If it does not start, the
old one goes on, and this command says why and ends with 1.")]
pub struct UpgradeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The program to hand over to; the one that the gateway was started from if this is not given.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Asks the running gateway to hand over, and says how it went.
pub fn run(args: &UpgradeArgs, out: &mut impl Write) -> Outcome {
    // What the new process would refuse is said before anything begins.
    let setup = Setup::read(&args.config.config).map_err(Failure::new)?;
    let binary =
        match &args.binary {
            Some(path) => Some(std::fs::canonicalize(path).map_err(|error| {
                Failure::new(format!("cannot find {}: {error}", path.display()))
            })?),
            None => None,
        };
    let directory = &setup.config.data_dir;
    let reply = control::ask(directory, &Request::Upgrade { binary }, PATIENCE);
    match reply {
        Ok(Reply::Done { said }) => Ok(writeln!(out, "{said}")?),
        Ok(Reply::Failed { why }) => Err(Failure::new(format!(
            "no upgrade, the gateway goes on as it was: {why}"
        ))),
        Ok(Reply::Report { .. }) => Err(Failure::new(control::ODD_REPLY)),
        Err(error) => Err(Failure::new(control::not_asked(directory, &error))),
    }
}
