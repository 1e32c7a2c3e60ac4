//! D14: activity outside a caller's hours.
//!
//! Only for callers whose hours can be relied on: at most fourteen hours of the day, seen on
//! enough days, and hardly any hour that was seen only once.

use serde::{Deserialize, Serialize};

use super::UNUSUAL_HOURS;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::is_weekend;
use crate::domain::detect::scene::{Call, Scene, Sign};
use crate::domain::detect::seen::DAY;

/// A caller active in more hours of a day has no hours.
const MOST_HOURS: usize = 14;
/// Hours of days that must have been active.
const ENOUGH: u32 = 25;
/// The largest share of them in an hour that was seen once.
const ONCE: f64 = 0.04;
/// Working days that must have been watched.
const WORKING_DAYS: u32 = 8;
/// Weekend days that must have been watched before silence on weekends means something.
const WEEKEND_DAYS: u32 = 4;
/// Events in a strange hour until it is told.
const EVENTS: u32 = 4;
/// A strange hour that was told is told again after so many seconds without it: work that has
/// moved comes back every day, or every week.
const NEWS: u32 = 8 * DAY;

/// On how many days each hour of the day was active: working days, weekends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    days: [Vec<u16>; 2],
    /// Days watched, and the latest.
    watched: [u32; 2],
    day: i64,
    /// The hour that is looked at, how many events it had and whether it was told.
    hour: i64,
    events: u32,
    strange: bool,
    /// When each hour of the day was told last, in seconds.
    told: Vec<u32>,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if !call.succeeded() {
            return;
        }
        let hour = scene.now.hour;
        if hour != self.hour {
            self.enter(scene, hour);
        }
        self.events = self.events.saturating_add(1);
        if self.strange && self.events == EVENTS {
            let text = format!(
                "{} is active at {:02}:00 UTC, when it never was.",
                scene.profile.name,
                hour.rem_euclid(24)
            );
            // Told, not acknowledged, and done again day after day: no news.
            self.told.resize(24, 0);
            let now = scene.now.second;
            let at = hour.rem_euclid(24);
            let near = [at + 23, at, at + 1].map(|near| self.told.get((near % 24) as usize));
            let last = near.into_iter().flatten().max().copied().unwrap_or(0);
            if let Some(told) = self.told.get_mut(at as usize) {
                *told = now;
            }
            let severity = if last > 0 && now.saturating_sub(last) < NEWS {
                Severity::Info
            } else if scene.is_sandbox() {
                Severity::Low
            } else {
                Severity::Medium
            };
            scene.say(Sign::of(UNUSUAL_HOURS, call, text).severity(severity));
        }
    }

    fn enter(&mut self, scene: &Scene<'_>, hour: i64) {
        // The hour before is learned when it is over, unless it was strange.
        if self.events > 0 && !self.strange {
            self.learn(self.hour);
        }
        let day = hour.div_euclid(24);
        let from = self
            .day
            .max(i64::from(scene.profile.first / DAY))
            .max(day - 60);
        for passed in from..day {
            if let Some(watched) = self.watched.get_mut(usize::from(is_weekend(passed * 24))) {
                *watched += 1;
            }
        }
        self.day = day;
        self.hour = hour;
        self.events = 0;
        self.strange = self.is_strange(scene, hour);
    }

    fn learn(&mut self, hour: i64) {
        if let Some(days) = self.days.get_mut(usize::from(is_weekend(hour))) {
            days.resize(24, 0);
            if let Some(days) = days.get_mut(hour.rem_euclid(24) as usize) {
                *days = days.saturating_add(1);
            }
        }
    }

    fn is_strange(&self, scene: &Scene<'_>, hour: i64) -> bool {
        let weekend = is_weekend(hour);
        let [working, _] = self.watched;
        if working < WORKING_DAYS || !scene.is_mature() {
            return false;
        }
        let all = self.days.iter().flatten();
        let active: u32 = all.clone().map(|days| u32::from(*days)).sum();
        let once = all.filter(|days| **days == 1).count();
        let busy = (0..24).filter(|at| self.ever(*at)).count();
        if busy > MOST_HOURS || active < ENOUGH || once as f64 > ONCE * f64::from(active) {
            return false;
        }
        let near = |at: i64| [at + 23, at, at + 1].map(|near| near.rem_euclid(24) as usize);
        if weekend && self.watched.get(1).copied().unwrap_or(0) >= WEEKEND_DAYS {
            let silent = self
                .days
                .get(1)
                .is_none_or(|days| days.iter().all(|days| *days == 0));
            if silent {
                return true;
            }
        }
        !near(hour).into_iter().any(|at| self.ever(at))
    }

    fn ever(&self, at: usize) -> bool {
        let mut kinds = self.days.iter();
        kinds.any(|days| days.get(at).is_some_and(|days| *days > 0))
    }
}
