//! `egret serve`

mod life;
mod watchdog;

use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::{hardening, log, service_manager};
use crate::app::handover::{Program, TakeOver};
use crate::app::{self, Running, Setup, Stopped, VERSION};

/// Options of `egret serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  egret serve --config config/egret.toml\n  \
EGRET_LOG_FILTER=debug egret serve\n\nSIGTERM and SIGINT stop the gateway: readiness turns red, \
connections are told to end, calls in flight end and their records are written; a second one cuts \
off the calls that are still in flight. SIGUSR1 locks everything down: see `egret lockdown --help`. \
SIGUSR2 hands over to a new process of the same program: see `egret upgrade --help`.")]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Run as root. Egret needs no right that root has: give it a user of its own.
    #[arg(long, env = "EGRET_ALLOW_ROOT", hide_env_values = true)]
    allow_root: bool,
    /// Take over from the gateway that has started this process.
    #[arg(long, hide = true)]
    take_over: bool,
}

/// Runs the gateway until a signal stops it.
pub fn run(args: &ServeArgs) -> Outcome {
    if hardening::is_root() && !args.allow_root {
        return Err(Failure::new(
            "this is root, and egret needs no right that root has: run it as a user of its own \
             (`useradd --system egret`; the port of a listener above 1023, or \
             AmbientCapabilities=CAP_NET_BIND_SERVICE), or say --allow-root (EGRET_ALLOW_ROOT=true) \
             where that cannot be, as in some containers",
        ));
    }
    hardening::keep_files_private();
    let mut takes_over = match args.take_over {
        true => Some(TakeOver::from_stdin().map_err(Failure::new)?),
        false => None,
    };
    let ran = serve(args, &mut takes_over);
    if let (Err(failure), Some(takes_over)) = (&ran, &mut takes_over) {
        // Whoever asked for the upgrade is told by the process that goes on.
        takes_over.give_up(&failure.message);
    }
    ran
}

fn serve(args: &ServeArgs, takes_over: &mut Option<TakeOver>) -> Outcome {
    // Before the file may be replaced.
    let program = Program::of_this_process()?;
    let setup = Setup::read(&args.config.config).map_err(Failure::new)?;
    let redactor = app::redactor_builder(&setup.config, true)
        .and_then(app::build_redactor)
        .map_err(Failure::new)?;
    let wanted = &setup.config.log;
    let _log =
        log::start(&wanted.filter, wanted.format, Arc::new(redactor)).map_err(Failure::new)?;
    log::quiet_panics();
    if let Err(error) = hardening::keep_memory_private() {
        tracing::warn!(%error, "core dumps of this process cannot be forbidden");
    }
    survive_file_size_limits()?;
    let running = Running::start(setup, takes_over.as_mut()).map_err(Failure::new)?;
    let is_successor = takes_over.take().is_some();
    let _watchdog = watchdog::start(running.health(), is_successor)?;
    let stopped = life::live(running, program)?;
    tell(&stopped)
}

fn announce(running: &Running) {
    for address in running.addresses() {
        tracing::info!(%address, "listening");
    }
    if let Some(address) = running.admin_address() {
        tracing::info!(%address, "answering probes and metrics");
    }
    let config = running.config();
    tracing::info!(
        version = VERSION,
        node = &*config.node,
        workers = config.workers,
        ledger = %config.ledger.place,
        "the gateway is ready"
    );
    service_manager::status(&format!("egret {VERSION} takes calls"));
    service_manager::ready();
}

fn tell(stopped: &Stopped) -> Outcome {
    if stopped.calls.cut_off > 0 {
        tracing::warn!(
            calls = stopped.calls.cut_off,
            "calls were cut off at the end of the drain time"
        );
    }
    match &stopped.ledger {
        Some(Ok(())) => tracing::info!("stopped; every record is in the ledger"),
        Some(Err(undrained)) => tracing::warn!("stopped; {undrained}"),
        None => tracing::info!("stopped; the process that has taken over has every record"),
    }
    match stopped.unwritten {
        0 => Ok(()),
        records => Err(Failure::new(format!(
            "{records} audit records could not be written to the journal and are lost"
        ))),
    }
}

/// A file that may not grow (`ulimit -f`, `LimitFSIZE=`) is to the journal what a full disk is: an
/// error to be handled by policy. Unless the signal that comes with it is caught, it ends the
/// process.
fn survive_file_size_limits() -> Outcome {
    let runtime = super::runtime()?;
    runtime.block_on(async {
        // Once there, the handler stays for the life of the process.
        let raw = rustix::process::Signal::XFSZ.as_raw();
        signal(SignalKind::from_raw(raw)).map(drop)
    })?;
    Ok(())
}
