//! What the tests stand on: the gateway as a process, vendors, and clients that say exactly what
//! they send.
//!
//! Nothing here sleeps for luck: [`eventually`] asks until a condition holds or its time is up.

mod audit;
mod bank;
mod collector;
mod gateway;
mod h2;
mod ledger;
pub mod postgres;
mod raw;
mod receiver;
mod redis;
mod sim;
mod tls;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use audit::Row;
pub use bank::{Bank, Line, Received, keep, reply};
pub use collector::{Collector, attribute};
pub use gateway::{Config, Gateway, Ran, egret, egret_command, egret_in};
pub use h2::H2;
pub use ledger::tamper;
pub use raw::{Answer, Client};
pub use receiver::{Posted, read_request, receiver};
pub use redis::Redis;
pub use sim::Sim;
pub use tls::{Authority, Relay, client_tls, server_tls};

/// How long anything may take that should happen at once: generous, for slow machines.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks.
const TICK: Duration = Duration::from_millis(10);

/// Asks until there is an answer; panics with `what` when [`PATIENCE`] is over.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(TICK);
    }
}

/// Waits until `condition` holds; panics with `what` when [`PATIENCE`] is over.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    eventually(what, || condition().then_some(()));
}

/// The runtime behind simulators, relays and HTTP/2 clients.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    })
}
