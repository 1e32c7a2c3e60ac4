//! Tells the service manager that the gateway is alive, for as long as it is: what `/livez` says.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::adapters::service_manager;
use crate::app::VERSION;
use crate::app::health::Health;
use crate::domain::health::failing;

/// How often `systemctl status` is told how the gateway is.
const STATUS: Duration = Duration::from_secs(10);

/// The thread that tells; it ends when this is dropped.
#[derive(Debug)]
pub struct Watchdog {
    _stop: mpsc::Sender<()>,
}

/// Starts it, where there is a service manager to be told.
///
/// # Errors
/// The operating system could not start a thread.
pub fn start(health: &Arc<Health>, is_successor: bool) -> io::Result<Option<Watchdog>> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(None);
    }
    // Half of what is wanted: one that is late by a whole interval is still in time.
    let watched = service_manager::watchdog_interval(is_successor).map(|every| every / 2);
    let interval = watched.map_or(STATUS, |every| every.min(STATUS));
    let health = Arc::clone(health);
    let (stop, stopped) = mpsc::channel();
    std::thread::Builder::new()
        .name("egret-watchdog".to_owned())
        .spawn(move || {
            let mut said = String::new();
            loop {
                let red = failing(&health.vitals(), &health.bounds());
                if watched.is_some() && !red.iter().any(|(check, _)| check.needs_restart) {
                    service_manager::alive();
                }
                let status = line(&health, red.first().map(|(_, why)| why.as_str()));
                if status != said {
                    service_manager::status(&status);
                    said = status;
                }
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
    Ok(Some(Watchdog { _stop: stop }))
}

/// How it is, in one line.
fn line(health: &Health, why: Option<&str>) -> String {
    let vitals = health.vitals();
    match why {
        Some(why) => format!("egret {VERSION}, not ready: {why}"),
        None => format!(
            "egret {VERSION} takes calls; {} in flight, {} connections",
            vitals.calls_in_flight, vitals.connections
        ),
    }
}
