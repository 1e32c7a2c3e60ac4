//! Putting incidents and their channels together, and the threads that tell people.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;

use super::VERSION;
use crate::adapters::clock;
use crate::adapters::http_client::Client;
use crate::adapters::ledger::SharedIncidents;
use crate::adapters::notify::{
    Channel, Deliverer, Desk, DeskError, DeskRules, OpenFault, Route, Spool,
};
use crate::domain::config::{ChannelKind, Config};
use crate::domain::notify;

/// How often the queue is looked at.
const PASS: Duration = Duration::from_secs(1);
/// How often incidents that have become quiet are closed.
const TICK: Duration = Duration::from_secs(10);
/// Configurations that wait to be taken over.
const RETUNES: usize = 16;

/// Why people cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// The incidents cannot be kept.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// A channel cannot be used.
    #[error(transparent)]
    Channel(#[from] OpenFault),
    /// No thread could be started.
    #[error("cannot start a thread that tells people: {0}")]
    Thread(std::io::Error),
}

/// What a configuration says of incidents.
pub fn desk_rules(config: &Config) -> DeskRules {
    let routes = config.alerts.channels.iter().map(|channel| Route {
        channel: channel.name.clone(),
        tell_from: channel.tell_from,
        // People need not be written to when one of them acts.
        tells_acknowledged: !matches!(channel.kind, ChannelKind::Mail { .. }),
    });
    DeskRules {
        settings: config.alerts.settings,
        routes: routes.collect(),
    }
}

/// The incidents of a configuration.
///
/// # Errors
/// They cannot be read.
pub fn desk(config: &Config) -> Result<Desk, DeskError> {
    let DeskRules { settings, routes } = desk_rules(config);
    let desk = Desk::open(&config.alerts.directory, settings, routes)?;
    Ok(match SharedIncidents::beside(&config.ledger.place) {
        Some(shared) => desk.sharing(Box::new(shared)),
        None => desk,
    })
}

/// The channels of a configuration.
///
/// # Errors
/// One cannot be used.
pub fn deliverer(config: &Config) -> Result<Deliverer, OpenFault> {
    let client = Arc::new(Client::new(true));
    let channels = config
        .alerts
        .channels
        .iter()
        .map(|channel| Channel::open(channel, &client));
    let installation: String = config
        .node
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let sender = notify::Sender {
        installation,
        version: VERSION.to_owned(),
        link: config.alerts.link.clone(),
    };
    Ok(Deliverer::new(channels.collect::<Result<_, _>>()?, sender))
}

/// What keeps channels from being used, all of it: their files with secrets are looked into.
pub fn faults(config: &Config) -> Vec<OpenFault> {
    let client = Arc::new(Client::new(true));
    let channels = config.alerts.channels.iter();
    channels
        .filter_map(|channel| Channel::open(channel, &client).err())
        .collect()
}

/// What keeps the incidents on this machine from being read, if they were begun.
pub fn book_fault(config: &Config) -> Option<String> {
    let directory = &config.alerts.directory;
    if !directory.exists() {
        return None;
    }
    let DeskRules { settings, routes } = desk_rules(config);
    let desk = Desk::open(directory, settings, routes);
    let read = desk.and_then(|mut desk| desk.book().map(drop));
    read.err().map(|error| error.to_string())
}

/// The incidents and channels of a configuration that can be used.
pub struct Prepared {
    desk: Desk,
    deliverer: Deliverer,
}

impl Prepared {
    /// Opens them.
    ///
    /// # Errors
    /// The incidents or a channel cannot be used.
    pub fn new(config: &Config) -> Result<Self, AlertsError> {
        Ok(Self {
            desk: desk(config)?,
            deliverer: deliverer(config)?,
        })
    }

    /// Starts the threads that work with them.
    ///
    /// # Errors
    /// They could not be started.
    pub fn start(self) -> Result<Alerts, AlertsError> {
        Alerts::begin(self.desk, self.deliverer)
    }
}

/// The threads that keep incidents and tell people. They are two, so that a receiver who does not
/// answer keeps no incident waiting.
#[derive(Debug)]
pub struct Alerts {
    desks: Sender<Desk>,
    deliverers: Sender<Deliverer>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Alerts {
    /// Starts them, if there are channels or incidents, or may be; `None` if there are neither.
    ///
    /// # Errors
    /// The incidents or a channel cannot be used.
    pub fn start(config: &Config) -> Result<Option<Self>, AlertsError> {
        let is_there = !config.alerts.channels.is_empty() || config.alerts.directory.is_dir();
        if !is_there && !config.detect.enabled {
            return Ok(None);
        }
        Prepared::new(config)?.start().map(Some)
    }

    /// From here on incidents are kept and people are told after another configuration.
    pub fn retune(&self, prepared: Prepared) {
        // Full only if two came within a pass of the threads: then the later one is said again soon.
        let desks = self.desks.try_send(prepared.desk).is_ok();
        if !desks || self.deliverers.try_send(prepared.deliverer).is_err() {
            tracing::error!(
                "channels of alerts were not taken over; reload the configuration again"
            );
        }
    }

    fn begin(desk: Desk, deliverer: Deliverer) -> Result<Self, AlertsError> {
        let spool = desk.spool().clone();
        let (desks, next_desk) = mpsc::channel(RETUNES);
        let (deliverers, next_deliverer) = mpsc::channel(RETUNES);
        let (stop, stopped) = watch::channel(false);
        let until = stopped.clone();
        let keep = spawn("alerts", move || keep(desk, next_desk, until))?;
        let tell = spawn("notify", move || {
            tell(deliverer, next_deliverer, &spool, stopped)
        })?;
        Ok(Self {
            desks,
            deliverers,
            stop,
            threads: vec![keep, tell],
        })
    }

    /// Stops; what waits stays on disk.
    pub fn stop(self) {
        // The receiver is gone only if its thread is.
        let _ = self.stop.send(true);
        for thread in self.threads {
            // A panic of the thread has been logged.
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AlertsError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(AlertsError::Thread)
}

fn block_on(doing: impl Future<Output = ()>) {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(doing),
        Err(error) => tracing::error!(%error, "people cannot be told: there is no runtime"),
    }
}

/// Closes incidents that have become quiet, until it is stopped. What detection says, detection puts
/// into the book by itself: it must know that it is there.
fn keep(mut desk: Desk, mut next: Receiver<Desk>, mut stopped: watch::Receiver<bool>) {
    block_on(async {
        let mut ticks = tokio::time::interval(TICK);
        let mut is_failing = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let done = desk.tick(clock::now());
                    log_fault(done, &mut is_failing);
                }
                Some(other) = next.recv() => desk = other,
                _ = stopped.changed() => return,
            }
        }
    });
}

/// Tells people until it is stopped.
fn tell(
    mut deliverer: Deliverer,
    mut next: Receiver<Deliverer>,
    spool: &Spool,
    mut stopped: watch::Receiver<bool>,
) {
    block_on(async {
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                () = pass(&mut deliverer, spool) => {}
            }
            tokio::select! {
                _ = stopped.changed() => return,
                Some(other) = next.recv() => deliverer = other,
                () = tokio::time::sleep(PASS) => {}
            }
        }
    });
}

/// Says once that something does not work, and once that it does again.
fn log_fault(done: Result<(), DeskError>, is_failing: &mut bool) {
    let was_failing = std::mem::replace(is_failing, done.is_err());
    match done {
        Err(error) if !was_failing => tracing::error!(%error, "incidents cannot be kept"),
        Ok(()) if was_failing => tracing::info!("incidents can be kept again"),
        _ => {}
    }
}

async fn pass(deliverer: &mut Deliverer, spool: &Spool) {
    match deliverer.pass(spool, clock::now()).await {
        Ok(done) => {
            for delivery in done {
                let channel = delivery.waiting.channel.as_str();
                let incident = delivery.waiting.incident.as_str();
                match delivery.fault {
                    None => tracing::info!(channel, incident, "told"),
                    Some(fault) if delivery.buried => {
                        tracing::error!(channel, incident, %fault, "could not tell, and gave up");
                    }
                    Some(fault) => {
                        tracing::warn!(channel, incident, %fault, "could not tell; trying again")
                    }
                }
            }
        }
        Err(error) => tracing::error!(%error, "the queue of notices cannot be used"),
    }
}
