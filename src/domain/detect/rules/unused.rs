//! D5, D6, D8: tokens that are minted for customers who are not there, and hardly used.
//!
//! Who steals a key can mint for every customer, but has little to do with the tokens: no call or
//! one. Real sessions keep the shape that their service always had. So the mints of customers
//! who were not active are looked at again after 40 seconds and after five minutes, and those
//! that were used less than is usual are counted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{DORMANT_MINTS, MINT_SHAPE, MINT_SWEEP, THIN_MINTS};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Excess, Window, surprise};
use crate::domain::detect::profile::Shape;
use crate::domain::detect::scene::{Call, Class, Count, Judged, Scene, Sign, measure};
use crate::domain::detect::seen::DAY;

const WINDOWS: &[Window] = &[
    Window::Minutes(10),
    Window::Minutes(60),
    Window::Hours(6),
    Window::Hours(24),
];
const DORMANT: &[Window] = &[Window::Minutes(60), Window::Hours(8), Window::Hours(24)];
/// A sweep is of at least so many customers in ten minutes ...
const SWEEP: f64 = 40.0;
/// ... and of so large a part of those of a day.
const SWEEP_SHARE: f64 = 0.6;
/// Of the mints that are more than usual, so many must be unused: a deployment that mints anew for
/// everybody serves them then.
const IDLE: f64 = 0.75;
/// What is a sweep whoever the caller is, known or not.
const LIMIT: f64 = 100.0;

/// Judged mints that are compared with the learned shape, at least and at most, and for how long.
const ENOUGH: f64 = 16.0;
const RECENT: usize = 96;
const SPAN: u32 = 2 * 3600;
const LONG_RECENT: usize = 256;
const LONG_SPAN: u32 = 8 * 3600;
/// How far from it they must be each, in nats, besides all together.
const DISTANCE: f64 = 0.35;
const LONG_DISTANCE: f64 = 0.25;
/// Another use that is told, and lasts, is no news for so many seconds, and is learned: it is a new
/// version of an application.
const NEWS: u32 = 3 * DAY;
/// By how much the share of thin mints may differ from the learned one.
const CROWD: f64 = 1.3;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    /// Thin after five minutes, by class.
    thin: [Counter; 2],
    /// Not used at all after 40 seconds, by class: told where tokens are used at once.
    idle: [Counter; 2],
    /// Cold and idle after 40 seconds, whatever the caller's shape.
    swept: Counter,
    /// All that were looked at after 40 seconds, by class.
    begun: [Counter; 2],
    dormant: Counter,
    /// All that were minted cold, by class, and those of them for dormant customers.
    cold: [Counter; 2],
    slept: Counter,
    /// When the last cold mints of customers were judged, and how they were used.
    recent: VecDeque<(u32, u8)>,
    /// When another use than ever was told last, in seconds.
    told_shape: u32,
    day: u32,
    subjects_today: u32,
    subjects_of_a_day: u32,
    unknown: u32,
    unknown_hour: i64,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        // Customers of a day, for the share of a sweep.
        let now = scene.now.second;
        if now / DAY != self.day {
            self.subjects_of_a_day = if now / DAY == self.day + 1 {
                self.subjects_today
            } else {
                0
            };
            self.subjects_today = 0;
            self.day = now / DAY;
        }
        let fresh = call
            .subject
            .is_none_or(|row| row.called.max(row.minted) / DAY != now / DAY);
        if call.subject_key != 0 && call.succeeded() && fresh {
            self.subjects_today = self.subjects_today.saturating_add(1);
        }
    }

    pub(in crate::domain::detect) fn judge(&mut self, scene: &mut Scene<'_>, judged: &Judged) {
        let place = judged.class.place();
        if judged.early {
            self.judge_early(scene, judged);
            return;
        }
        let shape = scene.profile.shapes.get(place);
        let limit = shape.and_then(Shape::thin_limit);
        let share = shape.map_or(0.0, Shape::thin_share);
        if let Some(shape) = scene.profile.shapes.get_mut(place) {
            shape.note(judged.uses, scene.now.second);
        }
        if judged.class == Class::Customer {
            self.judge_shape(scene, judged);
        }
        if let Some(cold) = self.cold.get_mut(place) {
            cold.add(scene.now, judged.id);
        }
        if judged.dormant {
            self.slept.add(scene.now, judged.id);
            if limit.is_some_and(|limit| judged.uses <= limit) {
                self.judge_dormant(scene, judged, share);
            }
        }
        if limit.is_none_or(|limit| judged.uses > limit) {
            return;
        }
        self.note_unknown(scene, judged);
        let Some(counter) = self.thin.get_mut(place) else {
            return;
        };
        counter.add(scene.now, judged.id);
        // A busy day has more of them, in the usual share.
        let cold = &mut self.cold;
        let now = scene.now;
        let floor = |window| {
            let all = cold
                .get_mut(place)
                .map_or(0, |cold| cold.count(now, window));
            CROWD * share * f64::from(all)
        };
        let found = scene.test_above(counter, &count(THIN_MINTS, WINDOWS, 5.0), floor);
        if let Some((excess, nats)) = found {
            let calls = counter.recent().to_vec();
            self.tell(scene, judged, excess, nats, &calls, "hardly used since");
        }
    }

    /// Programs use tokens alike, one after the other; people do not.
    fn judge_shape(&mut self, scene: &mut Scene<'_>, judged: &Judged) {
        let now = scene.now.second;
        self.recent.push_back((now, judged.uses));
        while self.recent.len() > LONG_RECENT
            || self
                .recent
                .front()
                .is_some_and(|(at, _)| now - at > LONG_SPAN)
        {
            self.recent.pop_front();
        }
        let count = self.recent.len() as f64;
        let Some(shape) = scene.profile.shapes.first() else {
            return;
        };
        if count < ENOUGH || !shape.is_known() || shape.is_narrow() || !scene.profile.is_mature(now)
        {
            return;
        }
        // Many at once, or fewer among those of half a day.
        let near = self
            .recent
            .iter()
            .rev()
            .take(RECENT)
            .take_while(|(at, _)| now - at <= SPAN);
        let near: Vec<u8> = near.map(|(_, uses)| *uses).collect();
        let all = self.recent.iter().map(|(_, uses)| *uses);
        let tests = [
            (
                near.len() as f64,
                shape.strangeness(near.iter().copied()),
                DISTANCE,
            ),
            (count - ENOUGH, shape.strangeness(all), LONG_DISTANCE),
        ];
        let found = tests.iter().find(|(count, score, distance)| {
            *count >= ENOUGH && *score >= MINT_SHAPE.nats.max(distance * count)
        });
        let Some((count, score, _)) = found.copied().filter(|_| !scene.is_learning()) else {
            return;
        };
        let news = self.told_shape == 0 || now.saturating_sub(self.told_shape) >= NEWS;
        self.told_shape = now;
        if let Some(shape) = scene.profile.shapes.first_mut().filter(|_| news) {
            shape.alarm_all();
        }
        let since = self.recent.front().map_or(0, |(at, _)| now - at);
        self.recent.clear();
        let excess = Excess {
            count,
            expected: count / (score / count).exp(),
            score,
            window: Window::Minutes((since / 60).clamp(1, 60) as u8),
        };
        let text = format!(
            "{} minted {count} tokens in {} for customers who were not active, and they are used in \
             another way than its tokens ever were.",
            scene.profile.name,
            super::super::scene::span(since)
        );
        let severity = match () {
            () if !news => Severity::Info,
            () if scene.is_sandbox() => Severity::Low,
            () => MINT_SHAPE.severity,
        };
        let sign = Sign::counted(MINT_SHAPE, excess, MINT_SHAPE.nats, &[judged.id], text);
        scene.say(sign.severity(severity).without_event());
    }

    /// Takes what was told out of what is compared with the learned shape.
    fn forget_thin(&mut self, scene: &Scene<'_>, class: Class) {
        let shape = scene.profile.shapes.get(class.place());
        let limit = shape.and_then(Shape::thin_limit).unwrap_or(0);
        if class == Class::Customer {
            self.recent.retain(|(_, uses)| *uses > limit);
        }
    }

    fn note_unknown(&mut self, scene: &Scene<'_>, judged: &Judged) {
        if self.unknown_hour != scene.now.hour {
            self.unknown_hour = scene.now.hour;
            self.unknown = 0;
        }
        self.unknown += u32::from(judged.unknown);
    }

    fn judge_early(&mut self, scene: &mut Scene<'_>, judged: &Judged) {
        let place = judged.class.place();
        if let Some(begun) = self.begun.get_mut(place) {
            begun.add(scene.now, judged.id);
        }
        if judged.uses > 0 {
            return;
        }
        let prompt = scene
            .profile
            .shapes
            .get(place)
            .is_some_and(Shape::is_prompt);
        if let Some(shape) = scene.profile.shapes.get_mut(place) {
            shape.note_idle(scene.now.second);
        }
        if place == 0 {
            self.swept.add(scene.now, judged.id);
            if self.judge_sweep(scene, judged) {
                return;
            }
        }
        if !prompt {
            return;
        }
        let Some(counter) = self.idle.get_mut(place) else {
            return;
        };
        counter.add(scene.now, judged.id);
        let share = scene
            .profile
            .shapes
            .get(place)
            .map_or(0.0, Shape::idle_share);
        let begun = &mut self.begun;
        let now = scene.now;
        let floor = |window| {
            let all = begun
                .get_mut(place)
                .map_or(0, |begun| begun.count(now, window));
            CROWD * share * f64::from(all)
        };
        let question = count(THIN_MINTS, &WINDOWS[..2], 5.0);
        let found = scene.look_above(counter, &question, floor);
        let Some((excess, nats)) = found else { return };
        if !self.are_idle(scene, place, excess.window, excess.count) {
            return;
        }
        let calls = self
            .idle
            .get(place)
            .map_or_else(Vec::new, |idle| idle.recent().to_vec());
        self.tell(scene, judged, excess, nats, &calls, "not used at all");
    }

    fn tell(
        &mut self,
        scene: &mut Scene<'_>,
        judged: &Judged,
        excess: Excess,
        nats: f64,
        calls: &[u128],
        how: &str,
    ) {
        if let Some(shape) = scene.profile.shapes.get_mut(judged.class.place()) {
            shape.alarm();
        }
        // The same mints lie in the other counters too, and among those that are compared.
        for counter in self.thin.iter_mut().chain(&mut self.idle) {
            counter.consume(excess.window);
        }
        self.forget_thin(scene, judged.class);
        let grave =
            excess.count >= 40.0 || f64::from(self.unknown) >= (excess.count / 2.0).max(3.0);
        let whom = match judged.class {
            Class::Customer => " for customers who were not active",
            Class::Service => "",
        };
        let text = format!(
            "{} minted tokens{whom} that were {how}: {}.",
            scene.profile.name,
            measure(&excess)
        );
        let severity = if grave {
            Severity::High
        } else {
            Severity::Medium
        };
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            severity
        };
        let sign = Sign::counted(THIN_MINTS, excess, nats, calls, text);
        scene.say(sign.severity(severity).without_event());
    }

    /// Whether mints that are more than usual are those that nobody uses.
    fn are_idle(&mut self, scene: &Scene<'_>, place: usize, window: Window, idle: f64) -> bool {
        let Some(begun) = self.begun.get_mut(place) else {
            return false;
        };
        // By the hour: for minutes, all that may come at once would be usual.
        let hour = begun.expected(scene.now, Window::Hours(1), scene.profile.born());
        let usual = hour * f64::from(window.seconds()) / 3600.0;
        let all = f64::from(begun.count(scene.now, window));
        idle >= IDLE * (all - usual)
    }

    /// The fast path: most customers of a day within minutes. Returns whether it was told.
    fn judge_sweep(&mut self, scene: &mut Scene<'_>, judged: &Judged) -> bool {
        let window = Window::Minutes(10);
        let count = f64::from(self.swept.count(scene.now, window));
        if count < SWEEP {
            return false;
        }
        if !self.are_idle(scene, 0, window, count) {
            return false;
        }
        let born = scene.profile.born();
        let expected = self.swept.expected(scene.now, window, born) * scene.slack + 0.3;
        let day = f64::from(self.subjects_of_a_day.max(self.subjects_today));
        let much = count >= (SWEEP_SHARE * day).max(SWEEP) && scene.is_mature();
        if !(much || count >= LIMIT) || count < 3.0 * expected {
            return false;
        }
        if !scene.is_mature() && !scene.tenant.has_watched(1, scene.now.second) {
            return false;
        }
        let excess = Excess {
            count,
            expected,
            score: surprise(count, expected),
            window,
        };
        let text = format!(
            "{} minted tokens for a large part of all customers, and used none within 40 seconds: {}.",
            scene.profile.name,
            measure(&excess)
        );
        let calls = self.swept.recent().to_vec();
        self.swept.consume(window);
        for counter in &mut self.idle {
            counter.consume(window);
        }
        self.forget_thin(scene, judged.class);
        if let Some(shape) = scene.profile.shapes.get_mut(judged.class.place()) {
            shape.alarm();
        }
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            MINT_SWEEP.severity
        };
        let sign = Sign::counted(MINT_SWEEP, excess, 0.0, &calls, text);
        scene.say(sign.severity(severity).without_event());
        true
    }

    fn judge_dormant(&mut self, scene: &mut Scene<'_>, judged: &Judged, share: f64) {
        self.dormant.add(scene.now, judged.id);
        // There are more sleepers every day, so what was learned says less than their share.
        let slept = &mut self.slept;
        let now = scene.now;
        let floor = |window| 2.0 * CROWD * share * f64::from(slept.count(now, window));
        let found = scene.test_above(
            &mut self.dormant,
            &count(DORMANT_MINTS, DORMANT, 3.0),
            floor,
        );
        let Some((excess, nats)) = found else {
            return;
        };
        if let Some(shape) = scene.profile.shapes.get_mut(judged.class.place()) {
            shape.alarm();
        }
        let text = format!(
            "{} minted tokens for customers who have been away for a week, and hardly used them: {}.",
            scene.profile.name,
            measure(&excess)
        );
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            Severity::Medium
        };
        let sign = Sign::counted(DORMANT_MINTS, excess, nats, self.dormant.recent(), text);
        scene.say(sign.severity(severity).without_event());
    }
}

fn count<'a>(rule: &'static super::Rule, windows: &'a [Window], n_min: f64) -> Count<'a> {
    Count {
        rule,
        windows,
        n_min,
        ratio: 1.4,
        factor: 1.0,
    }
}
