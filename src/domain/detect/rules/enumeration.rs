//! D7: customers who do not exist, and other things that do not.
//!
//! Who counts through the identifiers of accounts or trades with one good token meets nothing but
//! 404. A service meets some every day, so its own share of them is what is compared.

use serde::{Deserialize, Serialize};

use super::{MISSING_THINGS, UNKNOWN_CUSTOMERS};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::event::Answer;
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::seen::DAY;

const WINDOWS: &[Window] = &[Window::Minutes(10), Window::Minutes(60), Window::Hours(6)];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    unknown: Counter,
    things: Counter,
    /// Reads, and those of them that found nothing, fading day by day.
    reads: f64,
    in_vain: f64,
    day: u32,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        self.watch_things(scene, call);
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

    fn watch_things(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let day = scene.now.second / DAY;
        if day != self.day {
            self.day = day;
            self.reads *= 0.9;
            self.in_vain *= 0.9;
        }
        if call.operation.mints || call.operation.writes {
            return;
        }
        let missing = call.answer == Answer::Missing;
        if call.succeeded() || missing {
            self.reads += 1.0;
        }
        // Customers who do not exist are counted above.
        if !missing || call.subject.is_none() {
            return;
        }
        self.things.add(scene.now, call.event.id);
        let share = self.in_vain / self.reads.max(1.0);
        // Ten days of fading weights are known; a busy hour has more of both.
        let watched = scene.now.second.saturating_sub(scene.profile.first);
        let hours = f64::from(watched.clamp(3600, 10 * DAY)) / 3600.0;
        let hourly = 3.0 * share * self.reads / hours;
        let floor = |window: Window| hourly * f64::from(window.seconds()) / 3600.0;
        let count = Count {
            rule: MISSING_THINGS,
            windows: &WINDOWS[..2],
            n_min: 12.0,
            ratio: 3.0,
            factor: 1.0,
        };
        let Some((excess, nats)) = scene.test_above(&mut self.things, &count, floor) else {
            self.in_vain += 1.0;
            return;
        };
        let text = format!(
            "{} asked for things that do not exist: {}.",
            scene.profile.name,
            measure(&excess)
        );
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            MISSING_THINGS.severity
        };
        let sign = Sign::counted(MISSING_THINGS, excess, nats, self.things.recent(), text);
        scene.say(sign.severity(severity));
    }
}
