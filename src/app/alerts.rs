//! Putting incidents and their channels together, and the threads that tell people.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;

use super::VERSION;
use crate::adapters::clock;
use crate::adapters::http_client::Client;
use crate::adapters::notify::{Channel, Deliverer, Desk, DeskError, OpenFault, Route, Spool};
use crate::domain::config::{ChannelKind, Config};
use crate::domain::incident::Sign;
use crate::domain::notify;

/// How often the queue is looked at.
const PASS: Duration = Duration::from_secs(1);
/// How often incidents that have become quiet are closed.
const TICK: Duration = Duration::from_secs(10);
/// Signs that wait for the desk. Detectors say few; what is more waits with the detector.
const WAITING: usize = 1_024;

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

/// The incidents of a configuration.
///
/// # Errors
/// They cannot be read.
pub fn desk(config: &Config) -> Result<Desk, DeskError> {
    let routes = config.alerts.channels.iter().map(|channel| Route {
        channel: channel.name.clone(),
        tell_from: channel.tell_from,
        // People need not be written to when one of them acts.
        tells_acknowledged: !matches!(channel.kind, ChannelKind::Mail { .. }),
    });
    Desk::open(
        &config.alerts.directory,
        config.alerts.settings,
        routes.collect(),
    )
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

/// The threads that keep incidents and tell people. They are two, so that a receiver who does not
/// answer keeps no incident waiting.
#[derive(Debug)]
pub struct Alerts {
    signs: Option<Sender<Sign>>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Alerts {
    /// Starts them, if there are channels or incidents; `None` if there are neither.
    ///
    /// # Errors
    /// The incidents or a channel cannot be used.
    pub fn start(config: &Config) -> Result<Option<Self>, AlertsError> {
        if config.alerts.channels.is_empty() && !config.alerts.directory.is_dir() {
            return Ok(None);
        }
        let desk = desk(config)?;
        let deliverer = deliverer(config)?;
        let spool = desk.spool().clone();
        let (signs, received) = mpsc::channel(WAITING);
        let (stop, stopped) = watch::channel(false);
        let until = stopped.clone();
        let keep = spawn("alerts", move || keep(desk, received, until))?;
        let tell = spawn("notify", move || tell(deliverer, &spool, stopped))?;
        Ok(Some(Self {
            signs: Some(signs),
            stop,
            threads: vec![keep, tell],
        }))
    }

    /// Where detectors say what they see.
    pub fn signs(&self) -> Option<Sender<Sign>> {
        self.signs.clone()
    }

    /// Stops; what waits stays on disk.
    pub fn stop(mut self) {
        self.signs = None;
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

/// Keeps incidents until it is stopped, and what was said by then.
fn keep(mut desk: Desk, mut signs: Receiver<Sign>, mut stopped: watch::Receiver<bool>) {
    block_on(async {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                sign = signs.recv() => match sign {
                    Some(sign) => log_fault(desk.take(&sign, clock::now())),
                    None => return,
                },
                _ = ticks.tick() => log_fault(desk.tick(clock::now())),
                _ = stopped.changed() => break,
            }
        }
        while let Ok(sign) = signs.try_recv() {
            log_fault(desk.take(&sign, clock::now()));
        }
    });
}

/// Tells people until it is stopped.
fn tell(mut deliverer: Deliverer, spool: &Spool, mut stopped: watch::Receiver<bool>) {
    block_on(async {
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                () = pass(&mut deliverer, spool) => {}
            }
            tokio::select! {
                _ = stopped.changed() => return,
                () = tokio::time::sleep(PASS) => {}
            }
        }
    });
}

fn log_fault(done: Result<(), DeskError>) {
    if let Err(error) = done {
        tracing::error!(%error, "an incident could not be kept");
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
