//! D16: how much is done for one customer.

use serde::{Deserialize, Serialize};

use super::{CALLS_PER_SUBJECT, MINTS_FOR_ONE, ONE_SUBJECT};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Excess, Window, surprise};
use crate::domain::detect::scene::{Call, Scene, Sign, measure};

/// Fewer calls of one customer in an hour are never remarkable.
const LEAST: f64 = 60.0;
/// How far above the largest that was learned.
const ABOVE: f64 = 1.8;
/// The score and the excess from which calls per customer are told.
const SCORE: f64 = 8.0;
const EXCESS: f64 = 80.0;
/// Customers in an hour whose mean means something.
const LEAST_SUBJECTS: f64 = 10.0;
/// Fewer mints for one customer in an hour are never remarkable.
const LEAST_MINTS: f64 = 8.0;
/// What is left after an hour of the largest numbers: 1 % less a day.
const FADING: f64 = 0.9996;
/// Hours that must be known.
const HOURS: f64 = 48.0;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    /// The largest number of calls of one customer in an hour, fading by 1 % a day.
    largest: f64,
    largest_now: f64,
    /// Calls and customers of this hour.
    calls: f64,
    subjects: f64,
    /// Mean and variance of calls per customer and hour.
    hours: f64,
    mean: f64,
    spread: f64,
    /// The largest number of mints for one customer in an hour, fading by 1 % a day.
    most_mints: f64,
    most_mints_now: f64,
    told: bool,
    told_subject: u64,
    hour: i64,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if call.subject_key == 0 || !call.succeeded() {
            return;
        }
        self.roll(scene.now.hour);
        if call.minted.is_some() {
            self.watch_mints(scene, call);
        }
        if call.operation.mints {
            return;
        }
        let row = call.subject.unwrap_or_default();
        let same_hour = row.hour == scene.now.hour as u16 && row.calls > 0;
        let calls = if same_hour {
            f64::from(row.calls) + 1.0
        } else {
            1.0
        };
        self.calls += 1.0;
        self.subjects += f64::from(u8::from(!same_hour));
        if self.told_subject == call.subject_key {
            return;
        }
        let limit = LEAST.max(ABOVE * self.largest);
        if calls > limit && scene.is_mature() && !scene.is_learning() {
            self.told_subject = call.subject_key;
            let excess = Excess {
                count: calls,
                expected: self.largest,
                score: surprise(calls, self.largest.max(1.0)),
                window: Window::Minutes(60),
            };
            let text = format!(
                "{} called for one customer more often than for any before: {}.",
                scene.profile.name,
                measure(&excess)
            );
            let severity = if scene.is_sandbox() {
                Severity::Low
            } else {
                Severity::Medium
            };
            let sign = Sign::counted(ONE_SUBJECT, excess, 0.0, &[call.event.id], text);
            scene.say(sign.severity(severity).key(call.subject_key));
            return;
        }
        self.largest_now = self.largest_now.max(calls);
        self.watch_mean(scene, call);
    }

    fn watch_mints(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let row = call.subject.unwrap_or_default();
        let same_hour = row.hour == scene.now.hour as u16;
        let mints = if same_hour {
            f64::from(row.mints) + 1.0
        } else {
            1.0
        };
        let limit = LEAST_MINTS.max(2.0 * self.most_mints);
        if mints <= limit || scene.is_learning() || !scene.is_mature() {
            self.most_mints_now = self.most_mints_now.max(mints);
            return;
        }
        if self.told_subject == call.subject_key {
            return;
        }
        self.told_subject = call.subject_key;
        let excess = Excess {
            count: mints,
            expected: self.most_mints,
            score: surprise(mints, self.most_mints.max(1.0)),
            window: Window::Minutes(60),
        };
        let text = format!(
            "{} minted more tokens for one customer than for any before: {}.",
            scene.profile.name,
            measure(&excess)
        );
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            Severity::Medium
        };
        let sign = Sign::counted(MINTS_FOR_ONE, excess, 0.0, &[call.event.id], text);
        scene.say(sign.severity(severity).key(call.subject_key));
    }

    fn watch_mean(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if self.told || self.hours < HOURS || self.subjects < LEAST_SUBJECTS || scene.is_learning()
        {
            return;
        }
        let expected = self.subjects * self.mean;
        let deviation = (self.spread.max(self.mean * self.mean * 0.04) * self.subjects).sqrt();
        let above = self.calls - expected;
        if above <= EXCESS || above <= SCORE * deviation {
            return;
        }
        self.told = true;
        let excess = Excess {
            count: self.calls,
            expected,
            score: above / deviation,
            window: Window::Minutes(60),
        };
        let text = format!(
            "{} made many more calls per customer than usual, for {} customers: {}.",
            scene.profile.name,
            self.subjects,
            measure(&excess)
        );
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            Severity::Medium
        };
        let sign = Sign::counted(CALLS_PER_SUBJECT, excess, SCORE, &[call.event.id], text);
        scene.say(sign.severity(severity));
    }

    /// Learns the hour that is over.
    fn roll(&mut self, hour: i64) {
        if hour == self.hour {
            return;
        }
        let fading = FADING.powf((hour - self.hour).clamp(0, 24 * 365) as f64);
        self.hour = hour;
        if self.subjects >= 3.0 && !self.told {
            let per_subject = self.calls / self.subjects;
            // Of the mean of so many: the variance of one is larger by their number.
            let weight = (1.0 / (self.hours + 1.0)).max(0.01);
            let off = per_subject - self.mean;
            self.mean += weight * off;
            let one = off * off * self.subjects;
            self.spread += weight * (one.max(per_subject) - self.spread);
            self.hours += 1.0;
        }
        self.largest = (self.largest * fading).max(self.largest_now);
        self.largest_now = 0.0;
        self.most_mints = (self.most_mints * fading).max(self.most_mints_now);
        self.most_mints_now = 0.0;
        self.calls = 0.0;
        self.subjects = 0.0;
        self.told = false;
        self.told_subject = 0;
    }
}
