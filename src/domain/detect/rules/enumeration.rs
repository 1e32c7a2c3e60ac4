//! D7: customers who do not exist.

use serde::{Deserialize, Serialize};

use super::UNKNOWN_CUSTOMERS;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::event::Answer;
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};

const WINDOWS: &[Window] = &[Window::Minutes(10), Window::Minutes(60), Window::Hours(6)];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    unknown: Counter,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        // A mint for nobody is answered 422 `no_customer` by some versions of the bank.
        let missing =
            call.answer == Answer::Missing || (call.operation.mints && call.event.status == 422);
        if !missing || call.subject.is_some() || call.operation.writes {
            return;
        }
        self.unknown.add(scene.now, call.event.id);
        // Without a subject in the record it could be anything that is missing.
        let vague = call.subject_key == 0;
        let young = !scene.is_mature();
        let count = Count {
            rule: UNKNOWN_CUSTOMERS,
            windows: if young { &WINDOWS[..1] } else { WINDOWS },
            n_min: if vague || young { 15.0 } else { 4.0 },
            ratio: 1.5,
            factor: 1.0,
        };
        if let Some((excess, nats)) = scene.test(&mut self.unknown, &count) {
            let text = format!(
                "{} asked for customers who do not exist: {}.",
                scene.profile.name,
                measure(&excess)
            );
            let severity = if scene.is_sandbox() {
                Severity::Low
            } else {
                UNKNOWN_CUSTOMERS.severity
            };
            let sign = Sign::counted(UNKNOWN_CUSTOMERS, excess, nats, self.unknown.recent(), text);
            scene.say(sign.severity(severity));
        }
    }
}
