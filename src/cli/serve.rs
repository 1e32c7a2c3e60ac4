//! `egret serve`

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::log;
use crate::app::{self, Running, Setup, VERSION, lockdown};

/// Options of `egret serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  egret serve --config config/egret.toml\n  \
EGRET_LOG_FILTER=debug egret serve\n\nSIGTERM and SIGINT stop the gateway: it accepts no new \
connections, lets calls in flight end and writes their records. SIGUSR1 locks everything down: see \
`egret lockdown --help`.")]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the gateway until a signal stops it.
pub fn run(args: &ServeArgs) -> Outcome {
    let setup = Setup::read(&args.config.config).map_err(Failure::new)?;
    let redactor = app::redactor_builder(&setup.config, true)
        .and_then(app::build_redactor)
        .map_err(Failure::new)?;
    let wanted = &setup.config.log;
    let _log =
        log::start(&wanted.filter, wanted.format, Arc::new(redactor)).map_err(Failure::new)?;
    log::quiet_panics();
    survive_file_size_limits()?;
    let node = setup.config.node.clone();
    let workers = setup.config.workers;
    let ledger = setup.config.ledger.place.clone();
    let sentinel = setup.config.lockdown.sentinel.clone();
    let running = Running::start(setup).map_err(Failure::new)?;
    for address in running.addresses() {
        tracing::info!(%address, "listening");
    }
    if let Some(address) = running.admin_address() {
        tracing::info!(%address, "answering probes and metrics");
    }
    tracing::info!(
        version = VERSION,
        node = &*node,
        workers,
        %ledger,
        "the gateway is ready"
    );
    wait_for_stop(&sentinel)?;
    tracing::info!("stopping: no new connections, calls in flight may end");
    let stopped = running.stop();
    if stopped.calls.cut_off > 0 {
        tracing::warn!(
            calls = stopped.calls.cut_off,
            "calls were cut off at the end of the drain time"
        );
    }
    match stopped.ledger {
        Ok(()) => tracing::info!("stopped; every record is in the ledger"),
        Err(undrained) => tracing::warn!("stopped; {undrained}"),
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Once there, the handler stays for the life of the process.
        let raw = rustix::process::Signal::XFSZ.as_raw();
        signal(SignalKind::from_raw(raw)).map(drop)
    })?;
    Ok(())
}

fn wait_for_stop(sentinel: &Path) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut emergency = signal(SignalKind::user_defined1())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = emergency.recv() => lock_down(sentinel),
            }
        }
    })
}

/// Somebody has asked by signal that no call goes out any more.
fn lock_down(sentinel: &Path) {
    let path = sentinel.display();
    match lockdown::raise_sentinel(sentinel) {
        Ok(true) => tracing::error!(%path, "SIGUSR1: everything is locked down by a sentinel file"),
        Ok(false) => tracing::warn!(%path, "SIGUSR1: everything is locked down already"),
        Err(error) => tracing::error!(
            %path,
            %error,
            "SIGUSR1: the sentinel file cannot be made, so nothing is locked down; stop the gateway"
        ),
    }
}
