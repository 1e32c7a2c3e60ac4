//! The answers to probes.

use serde_json::{Map, Value, json};

use super::checks::{Bounds, CHECKS, Verdict};
use super::vitals::{Stage, Vitals};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Whether the process is worth keeping: red only where nothing but a new one helps.
    Live,
    /// Whether calls should come here.
    Ready,
    /// Whether the start is over.
    Startup,
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whether the answer is yes.
    pub good: bool,
    /// What is told, check by check.
    pub body: Value,
}

impl Report {
    /// Answers a probe.
    pub fn of(probe: Probe, vitals: &Vitals, bounds: &Bounds) -> Self {
        let mut checks = Map::new();
        let mut good = true;
        for check in CHECKS.iter().filter(|check| match probe {
            Probe::Live => check.needs_restart,
            Probe::Ready => true,
            Probe::Startup => check.name == "startup",
        }) {
            let told = match check.judge(vitals, bounds) {
                Verdict::Good => json!({ "ok": true }),
                Verdict::Bad(why) => {
                    good = false;
                    json!({ "ok": false, "why": why, "advice": check.advice })
                }
            };
            checks.insert(check.name.to_owned(), told);
        }
        let stage = match vitals.stage {
            Stage::Starting => "starting",
            Stage::Serving => "serving",
            Stage::Draining => "draining",
        };
        let body = json!({ "ok": good, "stage": stage, "checks": checks });
        Self { good, body }
    }

    /// HTTP status of the answer: 200, or 503 as load balancers and orchestrators expect it.
    pub const fn status(&self) -> u16 {
        if self.good { 200 } else { 503 }
    }
}
