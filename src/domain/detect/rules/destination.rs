//! D15: money that goes to a place made moments before.

use serde::{Deserialize, Serialize};

use super::NEW_DESTINATION;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};

const WINDOWS: &[Window] = &[Window::Hours(2), Window::Hours(6)];
/// Seconds between making the place and sending money.
const SOON: i64 = 60_000;
/// Places waited for.
const MOST: usize = 256;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    made: Vec<(u64, i64)>,
    paid: Counter,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let operation = call.operation;
        if !(operation.makes_destination || operation.moves_money)
            || !call.succeeded()
            || call.subject_key == 0
        {
            return;
        }
        let now = scene.now.at;
        self.made.retain(|(_, at)| now - at <= SOON);
        if operation.makes_destination {
            if self.made.len() >= MOST {
                self.made.remove(0);
            }
            self.made.push((call.subject_key, now));
            return;
        }
        let Some(at) = self
            .made
            .iter()
            .position(|(subject, _)| *subject == call.subject_key)
        else {
            return;
        };
        self.made.remove(at);
        self.paid.add(scene.now, call.event.id);
        let count = Count {
            rule: NEW_DESTINATION,
            windows: WINDOWS,
            n_min: 3.0,
            ratio: 2.0,
            factor: 1.0,
        };
        if let Some((excess, nats)) = scene.test(&mut self.paid, &count) {
            let text = format!(
                "Through {} money was sent to places made less than a minute before: {}.",
                scene.profile.name,
                measure(&excess)
            );
            let severity = if scene.is_sandbox() {
                Severity::Low
            } else {
                NEW_DESTINATION.severity
            };
            let sign = Sign::counted(NEW_DESTINATION, excess, nats, self.paid.recent(), text);
            scene.say(sign.severity(severity));
        }
    }
}
