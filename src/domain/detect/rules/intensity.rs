//! D16: how much is done for one customer.

use serde::{Deserialize, Serialize};

use super::{CALLS_PER_SUBJECT, MINTS_FOR_ONE, ONE_SUBJECT};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Excess, Window, surprise};
use crate::domain::detect::scene::{Call, Scene, Sign, measure};
use crate::domain::detect::seen::DAY;
use crate::domain::detect::tenant::{Which, side};

/// Fewer calls of one customer in an hour are never remarkable.
const LEAST: f64 = 60.0;
/// How far above the largest that was learned.
const ABOVE: f64 = 1.8;
/// The score and the excess from which calls per customer are told.
const SCORE: f64 = 8.0;
const EXCESS: f64 = 80.0;
/// How many times the expectation they must be: the mean of thousands moves by less from day to day
/// than its deviation says, and still it moves.
const MORE: f64 = 1.35;
/// A caller's largest hour is known after so many seconds: a week and a day.
const WEEK: u32 = 8 * DAY;
/// Customers in an hour whose mean means something.
const LEAST_SUBJECTS: f64 = 10.0;
/// Fewer mints for one customer in an hour are never remarkable.
const LEAST_MINTS: f64 = 8.0;
/// What is left after an hour of the largest numbers: 1 % less a day.
const FADING: f64 = 0.9996;
/// Hours that must be known.
const HOURS: f64 = 48.0;

/// Places of which each customer marks one: the marked ones tell how many customers there were
/// (linear counting; 3 % off at a thousand), in 512 bytes.
const PLACES: u64 = 4096;

/// The customers of an hour. Their rows cannot tell: other callers serve them too.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Distinct {
    marks: Vec<u64>,
    marked: u32,
}

impl Distinct {
    fn note(&mut self, subject: u64) {
        if self.marks.is_empty() {
            self.marks = vec![0; (PLACES / 64) as usize];
        }
        let place = subject % PLACES;
        let bit = 1 << (place % 64);
        if let Some(word) = self.marks.get_mut((place / 64) as usize)
            && *word & bit == 0
        {
            *word |= bit;
            self.marked += 1;
        }
    }

    fn count(&self) -> f64 {
        let places = PLACES as f64;
        let free = (places - f64::from(self.marked)).max(0.5);
        places * (places / free).ln()
    }
}

/// A customer for whom much is done this hour, and how much of it by this caller.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Busy {
    subject: u64,
    calls: u32,
    mints: u32,
}

/// A row counts what all callers do; from so many on, each counts its own.
const BUSY_CALLS: f64 = LEAST / 2.0;
const BUSY_MINTS: f64 = LEAST_MINTS / 2.0;
/// Customers of an hour whose own calls are counted.
const MOST_BUSY: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    busy: Vec<Busy>,
    /// The largest number of calls of one customer in an hour, fading by 1 % a day.
    largest: f64,
    largest_now: f64,
    /// Calls and customers of this hour.
    calls: f64,
    subjects: Distinct,
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
        let calls = self.own(call.subject_key, calls, BUSY_CALLS, |busy| &mut busy.calls);
        self.calls += 1.0;
        self.subjects.note(call.subject_key);
        if self.told_subject == call.subject_key {
            return;
        }
        let limit = LEAST.max(ABOVE * self.largest * self.crowd(scene, calls));
        let known = scene.now.second.saturating_sub(scene.profile.first) >= WEEK;
        if calls > limit && known && scene.is_mature() && !scene.is_learning() {
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
        let mints = self.own(call.subject_key, mints, BUSY_MINTS, |busy| &mut busy.mints);
        let limit = LEAST_MINTS.max(2.0 * self.most_mints);
        let known = scene.now.second.saturating_sub(scene.profile.first) >= WEEK;
        if mints <= limit || !known || scene.is_learning() || !scene.is_mature() {
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
        if self.told || self.hours < HOURS || scene.is_learning() {
            return;
        }
        let subjects = self.subjects.count();
        if subjects < LEAST_SUBJECTS {
            return;
        }
        let expected = subjects * self.mean;
        let deviation = (self.spread.max(self.mean * self.mean * 0.04) * subjects).sqrt();
        let above = self.calls - expected;
        if above <= EXCESS || above <= SCORE * deviation || self.calls < MORE * expected {
            return;
        }
        if self.calls < MORE * self.crowd(scene, 0.0) * expected {
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
            "{} made many more calls per customer than usual, for {subjects:.0} customers: {}.",
            scene.profile.name,
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

    /// How many of `all` that was done for a customer this hour can be this caller's: what was done
    /// before it was much, and its own since.
    fn own(&mut self, subject: u64, all: f64, much: f64, of: fn(&mut Busy) -> &mut u32) -> f64 {
        if all <= much {
            return all;
        }
        let at = match self.busy.iter().position(|busy| busy.subject == subject) {
            Some(at) => at,
            None if self.busy.len() < MOST_BUSY => {
                let busy = Busy {
                    subject,
                    ..Busy::default()
                };
                self.busy.push(busy);
                self.busy.len() - 1
            }
            None => return all,
        };
        let Some(busy) = self.busy.get_mut(at) else {
            return all;
        };
        let own = of(busy);
        *own = own.saturating_add(1);
        all.min(much + f64::from(*own))
    }

    /// How much more may be usual where everybody is busy, with sales and the like.
    fn crowd(&self, scene: &mut Scene<'_>, own: f64) -> f64 {
        let side = side(scene.profile.environment);
        let window = Window::Minutes(60);
        let now = scene.now;
        let busy = scene
            .tenant
            .common_mode((own, 0.0), Which::Calls, now, window, side);
        busy.sqrt()
    }

    /// Learns the hour that is over.
    fn roll(&mut self, hour: i64) {
        if hour == self.hour {
            return;
        }
        let fading = FADING.powf((hour - self.hour).clamp(0, 24 * 365) as f64);
        self.hour = hour;
        let subjects = self.subjects.count();
        if subjects >= 3.0 && !self.told {
            let per_subject = self.calls / subjects;
            // Of the mean of so many: the variance of one is larger by their number.
            let weight = (1.0 / (self.hours + 1.0)).max(0.01);
            let off = per_subject - self.mean;
            self.mean += weight * off;
            let one = off * off * subjects;
            self.spread += weight * (one.max(per_subject) - self.spread);
            self.hours += 1.0;
        }
        self.largest = (self.largest * fading).max(self.largest_now);
        self.largest_now = 0.0;
        self.most_mints = (self.most_mints * fading).max(self.most_mints_now);
        self.most_mints_now = 0.0;
        self.calls = 0.0;
        self.subjects = Distinct::default();
        self.told = false;
        self.told_subject = 0;
        self.busy.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_did_for_a_customer_does_not_count() {
        let mut caller = PerCaller::default();
        let mut own = |all| caller.own(7, all, BUSY_MINTS, |busy| &mut busy.mints);
        // Its own only, one by one.
        let counts: Vec<f64> = (1..=9).map(|all| own(f64::from(all))).collect();
        assert_eq!(counts, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        // The first after forty of another's.
        let mut other = PerCaller::default();
        assert_eq!(
            other.own(7, 41.0, BUSY_MINTS, |busy| &mut busy.mints),
            BUSY_MINTS + 1.0
        );
    }
}
