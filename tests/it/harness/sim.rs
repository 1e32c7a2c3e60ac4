//! Vendor simulators inside the test's process.

use std::sync::Arc;

use egret::adapters::clock;
use egret::sim::{Faults, Seen, SimOptions, Simulator, Vendor};
use tokio::net::TcpListener;

use super::runtime;

/// Cybrid's services, as the provider file names them.
pub const CYBRID_SERVICES: [&str; 3] = ["identity", "bank", "organization"];

/// A simulator on a free port of loopback.
pub struct Sim(Simulator);

impl Sim {
    /// A well-behaved vendor.
    pub fn start(vendor: Vendor) -> Self {
        Self::start_with(vendor, |_| {})
    }

    /// A vendor with changed options.
    pub fn start_with(vendor: Vendor, change: impl FnOnce(&mut SimOptions)) -> Self {
        let mut options = SimOptions::new(vendor, Arc::new(clock::now));
        change(&mut options);
        let simulator = runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            Simulator::start(listener, options).expect("a simulator")
        });
        Self(simulator)
    }

    /// Base URL.
    pub fn url(&self) -> String {
        self.0.base_url()
    }

    /// Address and port.
    pub fn address(&self) -> String {
        self.0.address().to_string()
    }

    /// What the vendor saw, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.0.requests()
    }

    /// The last request that the vendor saw.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.requests().pop().expect("a request at the vendor")
    }

    /// How many requests the vendor saw.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// How many writes the vendor saw that it had seen before.
    pub fn repeated_writes(&self) -> u64 {
        self.0.repeated_writes()
    }

    /// Replaces the switches.
    pub fn set_faults(&self, faults: Faults) {
        self.0.set_faults(faults);
    }
}
