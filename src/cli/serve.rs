//! `egret serve`

use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::log;
use crate::app::{self, Running, Setup, VERSION};

/// Options of `egret serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  egret serve --config config/egret.toml\n  \
EGRET_LOG_FILTER=debug egret serve\n\nSIGTERM and SIGINT stop the gateway: it accepts no new \
connections, lets calls in flight end and writes their records.")]
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
    let node = setup.config.node.clone();
    let workers = setup.config.workers;
    let ledger = setup.config.ledger.place.clone();
    let running = Running::start(setup).map_err(Failure::new)?;
    for address in running.addresses() {
        tracing::info!(%address, "listening");
    }
    tracing::info!(
        version = VERSION,
        node = &*node,
        workers,
        %ledger,
        "the gateway is ready"
    );
    wait_for_stop()?;
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

fn wait_for_stop() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}
