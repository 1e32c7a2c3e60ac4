//! What a service manager such as systemd is told (`sd_notify(3)`): that the gateway is ready, how it
//! is, that it stops, which process it is now. Without one nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells the service manager; says in the log if that fails.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told how the gateway is");
    }
}

/// Calls are taken, or a reload is over.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] must follow.
pub fn reloading() {
    // Since systemd 253 the time has to go with it (`Type=notify-reload`).
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// How it is, in a line for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The stop has begun.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Another process is the gateway now. Only the one before may say so (`NotifyAccess=main`).
pub fn main_process(pid: u32) {
    tell(&[NotifyState::MainPid(pid)]);
}

/// The gateway is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often at least it wants to hear that; `None` if it does not watch. `inherited` says that this
/// process has taken the place of the one that was started, whose number is in the environment.
pub fn watchdog_interval(inherited: bool) -> Option<Duration> {
    let read = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let interval = read("WATCHDOG_USEC").filter(|interval| *interval > 0)?;
    let of = read("WATCHDOG_PID");
    let is_ours = inherited || of.is_none_or(|of| of == u64::from(std::process::id()));
    is_ours.then(|| Duration::from_micros(interval))
}
