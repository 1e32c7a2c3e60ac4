//! The one place where the concrete parts are chosen and put together.

pub mod admin;
pub mod alerts;
pub mod audit;
mod background;
pub mod capture;
pub mod changes;
pub mod commands;
pub mod detection;
pub mod evidence;
pub mod files;
pub mod handover;
pub mod health;
pub mod history;
mod keepers;
mod ledger;
pub mod lockdown;
pub mod own_calls;
pub mod reload;
pub mod responses;
mod setup;
mod start;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;

use self::admin::AdminDesk;
use self::admin::listen::Admins;
use self::background::Background;
use self::health::Health;
use self::keepers::{Around, Keepers};
use self::reload::{ReloadHandle, ReloadKeeper};
use crate::adapters::journal::{Intake, Journal, JournalSettings, Predecessor};
use crate::adapters::ledger::Undrained;
use crate::adapters::telemetry::Telemetry;
use crate::domain::config::{self, Config};
use crate::edge::proxy::Parts;
use crate::edge::{AdminServer, Server, StopReport};

pub use self::setup::{
    Setup, StartError, build_redactor, built_in_catalog, keyring, redactor_builder,
};

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long a stop waits for the journal, and then for the ledger, beyond the time for calls in
/// flight.
const FLUSH_TIME: Duration = Duration::from_secs(10);

/// The running gateway with everything around it.
pub struct Running {
    server: Server,
    journal: Arc<Journal>,
    health: Arc<Health>,
    admin: Option<AdminServer>,
    desk: Arc<AdminDesk>,
    admins: Admins,
    latest: Arc<ArcSwap<Parts>>,
    /// `None` while another process does what they do.
    keepers: Option<Keepers>,
    around: Around,
    telemetry: Option<Arc<Telemetry>>,
    background: Background,
    reload: Option<ReloadKeeper>,
    /// The process that this one has taken over from, as long as it has calls.
    predecessor: Option<Intake>,
    /// Another process has everything but the connections that are open here.
    handed_over: bool,
    /// What is in force; replaced by a reload.
    config: Arc<ArcSwap<Config>>,
}

/// How a stop went.
#[derive(Debug)]
pub struct Stopped {
    /// The calls.
    pub calls: StopReport,
    /// How many records did not reach the journal.
    pub unwritten: u64,
    /// What the ledger lacks; `None` if another process feeds it.
    pub ledger: Option<Result<(), Undrained>>,
}

impl Running {
    /// The addresses that are listened on.
    pub fn addresses(&self) -> &[config::ListenAddress] {
        self.server.addresses()
    }

    /// Asks for reloads of the configuration; `None` if it was not read from a file.
    pub fn reloads(&self) -> Option<ReloadHandle> {
        self.reload.as_ref().map(ReloadKeeper::handle)
    }

    /// Where probes and metrics are answered, if anywhere.
    pub fn admin_address(&self) -> Option<&config::ListenAddress> {
        self.admin.as_ref().map(AdminServer::address)
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Its health.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Whether the process that this one has taken over from still has calls.
    pub fn has_predecessor(&self) -> bool {
        let predecessor = self.predecessor.as_ref().map(Intake::predecessor);
        predecessor == Some(Predecessor::Active)
    }

    /// Stops: no new connections, calls in flight end unless `hurry` becomes true, records are
    /// written.
    pub fn stop(mut self, hurry: &AtomicBool) -> Stopped {
        // Before readiness turns red: who sees that gets no connection that is kept open.
        self.server.end_connections();
        self.health.draining();
        // First of the parts: nothing is replaced any more.
        if let Some(reload) = self.reload.take() {
            reload.stop();
        }
        let timeouts = self.config().timeouts;
        let mut delay = timeouts.drain_delay;
        if self.handed_over {
            self.server.leave_sockets();
            delay = Duration::ZERO;
        }
        let calls = self.server.stop(delay, timeouts.drain, hurry);
        self.background.stop();
        self.desk.stop();
        if let Some(captures) = &self.latest.load().captures {
            captures.stop();
        }
        if let Some(predecessor) = &self.predecessor {
            // It records through this process.
            predecessor.wait(timeouts.drain + FLUSH_TIME);
        }
        let unwritten = self.journal.shutdown(FLUSH_TIME).err().unwrap_or(0);
        let ledger = self
            .keepers
            .map(|keepers| keepers.finish(FLUSH_TIME, &self.around));
        // After the ledger, so that the last figures tell of it, too.
        if let Some(telemetry) = &self.telemetry {
            telemetry.stop();
        }
        // Last, so that it can be asked how the stop goes.
        drop(self.admin);
        Stopped {
            calls,
            unwritten,
            ledger,
        }
    }
}

fn journal_settings(journal: &config::Journal) -> JournalSettings {
    JournalSettings {
        directory: journal.directory.clone(),
        segment_size: journal.segment_size,
        max_bytes: journal.max_bytes,
        sync_interval: journal.sync_interval,
        writer_priority: journal.writer_priority,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)
}
