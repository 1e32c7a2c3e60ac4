//! Wakes calls that wait for a place.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::gate::Gate;
use crate::adapters::clock::Steady;
use crate::types::Micros;

/// The budgets that somebody waits for. One task turns it for all.
pub struct Timer {
    clock: Steady,
    changed: Notify,
    watched: Mutex<Vec<Arc<Gate>>>,
}

impl Timer {
    pub fn new(clock: Steady) -> Self {
        Self {
            clock,
            changed: Notify::new(),
            watched: Mutex::default(),
        }
    }

    /// Somebody waits for a budget that was not watched, or something has changed in one that is.
    pub fn watch(&self, gate: Option<Arc<Gate>>) {
        self.watched.lock().extend(gate);
        self.changed.notify_one();
    }

    /// Turns for as long as it is polled.
    pub async fn run(&self) {
        loop {
            let next = self.turn();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(self.clock.instant(at).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = due => {}
            }
        }
    }

    /// Turns every budget that is watched; gives the time of the next turn.
    fn turn(&self) -> Option<Micros> {
        let mut watched = std::mem::take(&mut *self.watched.lock());
        let mut next: Option<Micros> = None;
        watched.retain(|gate| {
            let at = gate.timed_turn();
            next = match (next, at) {
                (Some(next), Some(at)) => Some(next.min(at)),
                (next, at) => next.or(at),
            };
            at.is_some()
        });
        // What has come meanwhile has notified, too: the next turn is at once.
        self.watched.lock().extend(watched);
        next
    }
}
