//! D17: how much is called at all, and whether anything is.
//!
//! Alone this says little: it is told in passing, and calls somebody only together with another
//! sign on the same caller.

use serde::{Deserialize, Serialize};

use super::{SILENCE, VOLUME};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::event::Answer;
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::tenant::{Which, side};

/// Fewer calls in ten minutes are never remarkable.
const LEAST: f64 = 60.0;
/// From which count, and how many times the expectation, somebody is called for it alone.
const HUGE: f64 = 300.0;
const FAR: f64 = 4.0;
/// How many times the expectation.
const RATIO: f64 = 3.0;
/// A caller with so many expected calls an hour is steady.
const STEADY: f64 = 60.0;

/// A silence lasts at least so many seconds, and is at least so unlikely, in nats.
const SILENCE_LEAST: u32 = 25 * 60;
const SILENCE_SCORE: f64 = 15.0;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    calls: Counter,
    silent: bool,
    told_hour: i64,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if call.answer == Answer::Trouble {
            return;
        }
        self.silent = false;
        // Calls for customers grow with the customers; those without show what a program does.
        // Mints have rules of their own.
        if call.subject_key != 0 || call.operation.mints {
            return;
        }
        self.calls.add(scene.now, call.event.id);
        let window = Window::Minutes(10);
        let n = f64::from(self.calls.count(scene.now, window));
        if n < LEAST || scene.is_learning() {
            return;
        }
        let born = scene.profile.born();
        let own = (n, self.calls.expected(scene.now, window, born));
        let side = side(scene.profile.environment);
        let factor = scene
            .tenant
            .common_mode(own, Which::Calls, scene.now, window, side);
        // A spike far beyond a steady caller's worst hour is no ordinary day.
        let steady = own.1 >= STEADY / 6.0 && !scene.is_sandbox() && scene.slack <= 1.0;
        if steady && n >= HUGE {
            let question = count(&[Window::Minutes(10)], FAR, HUGE, factor);
            if let Some((excess, nats)) = scene.test(&mut self.calls, &question) {
                let text = format!("{} made calls: {}.", scene.profile.name, measure(&excess));
                let sign = Sign::counted(VOLUME, excess, nats, self.calls.recent(), text);
                scene.say(sign.severity(Severity::Medium));
                return;
            }
        }
        if self.told_hour == scene.now.hour || n < LEAST {
            return;
        }
        if let Some((excess, nats)) =
            scene.look(&mut self.calls, &count(&[window], RATIO, LEAST, factor))
        {
            self.told_hour = scene.now.hour;
            let text = format!("{} made calls: {}.", scene.profile.name, measure(&excess));
            scene.say(Sign::counted(
                VOLUME,
                excess,
                nats,
                self.calls.recent(),
                text,
            ));
        }
    }

    /// Looks whether a caller that never pauses has fallen silent.
    pub(in crate::domain::detect) fn pause(&mut self, scene: &mut Scene<'_>) {
        let silent_for = scene.now.second.saturating_sub(scene.profile.last);
        if self.silent || silent_for < SILENCE_LEAST || scene.is_learning() || scene.slack > 1.0 {
            return;
        }
        let born = scene.profile.born();
        let fewest = f64::from(self.calls.fewest(scene.now, born));
        if fewest == 0.0 {
            // It pauses now and then: nothing to be seen until it calls again.
            self.silent = true;
            return;
        }
        // The chance of no call at all, in nats, if even the quietest hour is taken for usual.
        let score = fewest * f64::from(silent_for) / 3600.0;
        if score < SILENCE_SCORE {
            return;
        }
        self.silent = true;
        // Where nobody calls, the feed, the gateway or the way to it is what has stopped.
        let side = side(scene.profile.environment);
        let own = scene.profile.calls;
        let all = scene.tenant.is_silent_but_for(own, scene.now, side);
        let text = format!(
            "{} has made no call for {}, though it made at least {fewest} in every hour of the last week.",
            scene.profile.name,
            super::super::scene::span(silent_for)
        );
        let sign = Sign {
            rule: SILENCE,
            severity: if scene.is_sandbox() || all {
                Severity::Low
            } else {
                SILENCE.severity
            },
            key: 0,
            text,
            excess: None,
            calls: Vec::new(),
            of_event: false,
        };
        scene.say(sign);
    }
}

fn count<'a>(windows: &'a [Window], ratio: f64, n_min: f64, factor: f64) -> Count<'a> {
    Count {
        rule: VOLUME,
        windows,
        n_min,
        ratio,
        factor,
    }
}
