//! The thread that tells.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use super::export::{Exporter, Failed, Signal};
use super::proto::Origin;
use super::{Counts, Observe, Shared};
use crate::adapters::figures::CallFigures;
use crate::domain::config;
use crate::domain::health::Bounds;
use crate::domain::telemetry::spans;

/// How often calls and lines are looked for: rarely enough to cost nothing, often enough that a trace can
/// be looked at when the call has just been made.
const LOOK: Duration = Duration::from_secs(1);

/// Calls told with one request: with their attempts about a megabyte, and gRPC servers take four.
const MAX_CALLS: usize = 512;

/// Lines told with one request.
const MAX_LINES: usize = 1_024;

/// Pauses before a request is sent again.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// How long a stop waits for the collector.
const LAST_WORD: Duration = Duration::from_secs(3);

/// All that the thread works with.
pub(super) struct Worker {
    pub shared: Arc<Shared>,
    pub settings: config::Telemetry,
    pub origin: Origin,
    pub exporter: Exporter,
    pub observe: Observe,
    pub bounds: Bounds,
    pub figures: Arc<CallFigures>,
    pub stop: watch::Receiver<bool>,
}

/// What is said of a signal in the log: once when it fails, once when it works again.
struct Said {
    signal: &'static str,
    fails: bool,
}

impl Said {
    fn new(signal: &'static str) -> Self {
        Self {
            signal,
            fails: false,
        }
    }

    fn hear(&mut self, failed: Option<&Failed>) {
        let signal = self.signal;
        match (failed, self.fails) {
            (Some(failed), false) => tracing::warn!(
                target: "egret::telemetry",
                signal,
                why = failed.why,
                "the collector does not take what it is told; calls and their records do not depend on it"
            ),
            (None, true) => tracing::info!(
                target: "egret::telemetry",
                signal,
                "the collector takes what it is told again"
            ),
            _ => {}
        }
        self.fails = failed.is_some();
    }
}

impl Worker {
    /// Tells until it is asked to stop, and then once more what there is.
    pub(super) async fn run(self) {
        let all = async {
            tokio::join!(self.tell_calls(), self.tell_figures(), self.tell_lines());
        };
        let patience = async {
            self.asked_to_stop().await;
            sleep(LAST_WORD).await;
        };
        tokio::select! {
            () = all => {}
            () = patience => {}
        }
    }

    async fn asked_to_stop(&self) {
        // An error is the end of whoever could ask.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Waits for the next look; says whether it is the last.
    async fn next(&self, ticks: &mut Interval) -> bool {
        tokio::select! {
            biased;
            () = self.asked_to_stop() => true,
            _ = ticks.tick() => false,
        }
    }

    async fn tell_calls(&self) {
        let mut said = Said::new("traces");
        let mut ticks = ticks(LOOK);
        loop {
            let is_last = self.next(&mut ticks).await;
            while self.some_calls(&mut said).await {}
            if is_last {
                return;
            }
        }
    }

    /// Tells a batch of calls; says whether there may be more.
    async fn some_calls(&self, said: &mut Said) -> bool {
        let mut calls = Vec::new();
        self.shared.calls.take(&mut calls, MAX_CALLS);
        if calls.is_empty() {
            return false;
        }
        let is_full = calls.len() >= MAX_CALLS;
        let count = calls.len() as u64;
        for call in &calls {
            self.figures.exemplify(call);
        }
        let request = self.origin.traces(calls.iter().flat_map(spans));
        drop(calls);
        self.send(&self.shared.traces, said, request, count, &PAUSES)
            .await;
        is_full
    }

    async fn tell_lines(&self) {
        let mut said = Said::new("logs");
        let mut ticks = ticks(LOOK);
        loop {
            let is_last = self.next(&mut ticks).await;
            while self.some_lines(&mut said).await {}
            if is_last {
                return;
            }
        }
    }

    async fn some_lines(&self, said: &mut Said) -> bool {
        let mut lines = Vec::new();
        self.shared.lines.take(&mut lines, MAX_LINES);
        if lines.is_empty() {
            return false;
        }
        let count = lines.len();
        let request = self.origin.logs(lines);
        self.send(&self.shared.logs, said, request, count as u64, &PAUSES)
            .await;
        count >= MAX_LINES
    }

    async fn tell_figures(&self) {
        if !self.settings.metrics {
            return;
        }
        let mut said = Said::new("metrics");
        let mut ticks = ticks(self.settings.interval);
        loop {
            let is_last = self.next(&mut ticks).await;
            self.figures(&mut said).await;
            if is_last {
                return;
            }
        }
    }

    /// Figures are not sent again: the next look has all of them.
    async fn figures(&self, said: &mut Said) {
        let Some(vitals) = (self.observe)() else {
            return;
        };
        let request = self.origin.metrics(&vitals, &self.bounds);
        self.send(&self.shared.metrics, said, request, 1, &[]).await;
    }

    /// Sends a request, again after each of the pauses if that may help; counts what came of it.
    async fn send<S: Signal>(
        &self,
        counts: &Counts,
        said: &mut Said,
        request: S,
        count: u64,
        pauses: &[Duration],
    ) {
        let mut pauses = pauses.iter();
        loop {
            match self.exporter.export(request.clone()).await {
                Ok(rejected) => {
                    // Rejected are spans, of which a call has two or more.
                    let lost = rejected.min(count);
                    Counts::add(&counts.sent, count - lost);
                    Counts::add(&counts.lost, lost);
                    said.hear(None);
                    return;
                }
                Err(failed) => {
                    Counts::add(&counts.failures, 1);
                    said.hear(Some(&failed));
                    match pauses.next().filter(|_| failed.is_passing) {
                        // Who is to stop does not wait, and sends what there is once.
                        Some(pause) if !*self.stop.borrow() => {
                            let _ = timeout(*pause, self.asked_to_stop()).await;
                        }
                        _ => {
                            Counts::add(&counts.lost, count);
                            return;
                        }
                    }
                }
            }
        }
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
