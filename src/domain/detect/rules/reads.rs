//! D13: bulk reads of what thieves want.
//!
//! What is counted are customers, not calls: one whose data was not read in the last six hours.
//! Those who were created in the last day are left out, since they are being checked.

use serde::{Deserialize, Serialize};

use super::{CROSSED_ACCOUNTS, KEY_SUBJECTS, LIST_PAGES, NEW_ACCOUNTS, PERSONAL_DATA, Rule};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Moment, Window};
use crate::domain::detect::event::TokenKind;
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::seen::DAY;
use crate::domain::detect::tenant::{Which, side};

const WINDOWS: &[Window] = &[
    Window::Minutes(10),
    Window::Minutes(60),
    Window::Hours(3),
    Window::Hours(6),
];
/// A key's account counts again after so many seconds without a call.
const AWAY: u32 = 6 * 3600;

/// An account that is younger, in seconds, is still being set up.
const NEWBORN: u32 = 3600;

/// Subjects of broad tokens that are remembered.
const LAST_SUBJECTS: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    personal: Counter,
    /// Calls for customers, for the share of those that read personal data.
    calls: Counter,
    share: Share,
    lists: Counter,
    reached: Counter,
    strangers: Counter,
    crossed: Counter,
    last_subjects: Vec<u64>,
    list_hours: Hours,
    list_runs: Runs,
    personal_hours: Hours,
    /// Until when, in seconds, a run that began at its usual time may go on.
    run_until: u32,
}

/// Reads of personal data among the calls for customers, fading day by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Share {
    calls: f64,
    personal: f64,
    day: u32,
}

/// A larger share says nothing of a busy day: then reading is all that is done.
const SIDE_WORK: f64 = 0.1;
/// By how much the share may differ on a busy day.
const CROWD: f64 = 1.3;

impl Share {
    fn note(&mut self, now: u32) {
        if now / DAY != self.day {
            self.day = now / DAY;
            self.calls *= 0.9;
            self.personal *= 0.9;
        }
        self.calls += 1.0;
    }

    /// The part of the calls that may read personal data.
    fn usual(&self) -> f64 {
        let share = self.personal / self.calls.max(1.0);
        if share <= SIDE_WORK {
            CROWD * share
        } else {
            0.0
        }
    }
}

/// Hours of the day in which something is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Hours {
    /// On how many days, and the last of them.
    days: Vec<(u16, u16)>,
}

/// The largest runs of work that is done in one go, however seldom.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Runs {
    largest: f64,
    /// The hour that is looked at, and the most that lay in two hours in it.
    hour: i64,
    now: f64,
}

/// The share that the largest run keeps from day to day.
const FADING: f64 = 0.98;
/// A run that is repeated at another hour is the same again: this share of the largest one is to be
/// expected at any time, so that half as much again is told.
const AGAIN: f64 = 0.6;

impl Runs {
    /// What to expect of a run that begins now.
    fn expected(&mut self, hour: i64) -> f64 {
        if hour != self.hour {
            let days = (hour - self.hour).clamp(0, 24 * 365) as f64 / 24.0;
            self.largest = self.largest.max(self.now) * FADING.powf(days);
            self.hour = hour;
            self.now = 0.0;
        }
        AGAIN * self.largest
    }
}

/// How long a pause a run may make, in seconds.
const RUN: u32 = 3600;
/// Work that is done in more hours of the day is no batch.
const BATCH_HOURS: usize = 4;

impl Hours {
    fn learn(&mut self, now: Moment) {
        self.days.resize(24, (0, 0));
        let day = (now.second / DAY) as u16;
        if let Some((days, last)) = self.days.get_mut(now.hour.rem_euclid(24) as usize)
            && *last != day
        {
            *last = day;
            *days = days.saturating_add(1);
        }
    }

    /// Whether it was done around this hour on two days.
    fn have(&self, now: Moment) -> bool {
        let hour = now.hour.rem_euclid(24);
        [hour + 23, hour, hour + 1].iter().any(|near| {
            let days = self.days.get((near % 24) as usize);
            days.is_some_and(|(days, _)| *days >= 2)
        })
    }

    fn are_few(&self) -> bool {
        self.days.iter().filter(|(days, _)| *days >= 2).count() <= BATCH_HOURS
    }
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if !call.succeeded() {
            return;
        }
        let event = call.event;
        let now = scene.now.second;
        if call.subject_key != 0 && !call.operation.mints {
            self.calls.add(scene.now, event.id);
            self.share.note(now);
        }
        if event.pii && call.subject_key != 0 {
            let young = call
                .subject
                .is_some_and(|row| now.saturating_sub(row.first) < DAY)
                && scene.tenant.has_watched(2, now);
            let fresh = call.subject.is_none_or(|row| !row.was_read(scene.now.hour));
            if fresh && !young {
                self.personal.add(scene.now, event.id);
                // A statement run reads more at the end of a month, at its usual time.
                let batch = now < self.run_until
                    || (self.personal_hours.are_few() && self.personal_hours.have(scene.now));
                if batch {
                    self.run_until = self.run_until.max(now.saturating_add(RUN));
                }
                let least = if batch {
                    Severity::Low
                } else {
                    PERSONAL_DATA.severity
                };
                if !self.count(
                    scene,
                    PERSONAL_DATA,
                    least,
                    8.0,
                    2.5,
                    "read personal data of customers",
                ) {
                    self.personal_hours.learn(scene.now);
                    self.share.personal += 1.0;
                }
            }
        }
        let whole = matches!(event.token_kind, TokenKind::Bank | TokenKind::Organization);
        if call.operation.lists && whole && call.subject_key == 0 {
            self.lists.add(scene.now, event.id);
            let ratio = if self.list_hours.have(scene.now) {
                6.0
            } else {
                2.5
            };
            if !self.count(
                scene,
                LIST_PAGES,
                LIST_PAGES.severity,
                15.0,
                ratio,
                "read lists page by page",
            ) {
                self.list_hours.learn(scene.now);
                let run = self.lists.count(scene.now, Window::Hours(2));
                self.list_runs.now = self.list_runs.now.max(f64::from(run));
            }
        }
        if (event.token_kind == TokenKind::ApiKey || whole) && call.subject_key != 0 {
            let away = call
                .subject
                .is_none_or(|row| now.saturating_sub(row.called) > AWAY);
            // Who is created, and looked at while that is checked, is not reached for.
            let created = match call.subject {
                Some(row) => {
                    now.saturating_sub(row.first) < NEWBORN && scene.tenant.has_watched(2, now)
                }
                None => call.operation.writes,
            };
            let reached = !created && (!whole || !self.is_again(call.subject_key));
            if away && reached && !call.operation.mints {
                self.reached.add(scene.now, event.id);
                self.count(
                    scene,
                    KEY_SUBJECTS,
                    KEY_SUBJECTS.severity,
                    12.0,
                    2.5,
                    "reached accounts with one credential",
                );
            }
            let other = call
                .subject
                .is_some_and(|row| row.by_key != 0 && row.by_key != call.key_tag);
            if event.token_kind == TokenKind::ApiKey && other && call.key_tag != 0 {
                self.crossed.add(scene.now, event.id);
                self.count(
                    scene,
                    CROSSED_ACCOUNTS,
                    CROSSED_ACCOUNTS.severity,
                    5.0,
                    2.5,
                    "acted for accounts of another key",
                );
            }
            if call.subject.is_none()
                && event.token_kind == TokenKind::ApiKey
                && !call.operation.writes
            {
                self.strangers.add(scene.now, event.id);
                self.count(
                    scene,
                    NEW_ACCOUNTS,
                    NEW_ACCOUNTS.severity,
                    4.0,
                    2.0,
                    "acted for accounts that were never seen",
                );
            }
        }
    }

    /// Whether a subject was among the last ones: a broad token leaves no trace in its row.
    fn is_again(&mut self, subject: u64) -> bool {
        if self.last_subjects.contains(&subject) {
            return true;
        }
        if self.last_subjects.len() >= LAST_SUBJECTS {
            self.last_subjects.remove(0);
        }
        self.last_subjects.push(subject);
        false
    }

    fn count(
        &mut self,
        scene: &mut Scene<'_>,
        rule: &'static Rule,
        severity: Severity,
        n_min: f64,
        ratio: f64,
        what: &str,
    ) -> bool {
        let counter = match rule.name {
            name if name == PERSONAL_DATA.name => &mut self.personal,
            name if name == LIST_PAGES.name => &mut self.lists,
            name if name == NEW_ACCOUNTS.name => &mut self.strangers,
            name if name == CROSSED_ACCOUNTS.name => &mut self.crossed,
            _ => &mut self.reached,
        };
        if f64::from(counter.count(scene.now, Window::Hours(6))) < n_min {
            return false;
        }
        // Everybody busy at once is a busy day.
        let side = side(scene.profile.environment);
        let window = Window::Minutes(60);
        let factor = scene
            .tenant
            .common_mode((0.0, 0.0), Which::Calls, scene.now, window, side)
            .min(3.0);
        let question = Count {
            rule,
            windows: WINDOWS,
            n_min,
            ratio,
            factor,
        };
        let (calls, now) = (&mut self.calls, scene.now);
        // A busy application reads more of what it reads besides.
        let usual = if rule.name == PERSONAL_DATA.name {
            self.share.usual()
        } else {
            0.0
        };
        let run = if rule.name == LIST_PAGES.name {
            self.list_runs.expected(now.hour)
        } else {
            0.0
        };
        let floor = |window| run.max(usual * f64::from(calls.count(now, window)));
        let Some((excess, nats)) = scene.test_above(counter, &question, floor) else {
            return false;
        };
        let text = format!("{} {what}: {}.", scene.profile.name, measure(&excess));
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            severity
        };
        let sign = Sign::counted(rule, excess, nats, counter.recent(), text);
        scene.say(sign.severity(severity));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_besides_grows_with_the_calls_and_what_is_all_there_is_does_not() {
        let share = |personal| Share {
            calls: 1000.0,
            personal,
            day: 0,
        };
        assert!((share(50.0).usual() - 0.05 * CROWD).abs() < 1e-9);
        assert_eq!(share(500.0).usual(), 0.0);
        assert_eq!(Share::default().usual(), 0.0);
    }

    #[test]
    fn the_largest_run_is_remembered_and_fades() {
        let mut runs = Runs::default();
        assert_eq!(runs.expected(1000), 0.0);
        runs.now = 50.0;
        let next = runs.expected(1030);
        assert!((next - AGAIN * 50.0 * FADING.powf(1.25)).abs() < 1e-9);
        assert!(runs.expected(1030 + 24 * 100) < 0.2 * next);
    }
}
