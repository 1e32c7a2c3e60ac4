//! D9: how many tokens a caller mints.
//!
//! Where each token is used in the usual way, a ramp is most likely work (pay day, a campaign), so
//! twelve times as many as expected are needed, and more than the largest hour that was learned.
//! Callers whose tokens are hardly used by nature (batches, support) are told of from three times
//! as many on, when the use has changed as well.

use serde::{Deserialize, Serialize};

use super::MINT_RATE;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::tenant::{Which, side};

const WINDOWS: &[Window] = &[Window::Minutes(60), Window::Hours(6), Window::Hours(24)];
/// How many times the expectation is too much where tokens are used as ever.
const USUAL: f64 = 12.0;
/// And where they are not.
const UNUSUAL: f64 = 3.0;
/// Fewer are never remarkable.
const LEAST: f64 = 10.0;
/// The share that the largest hour keeps from day to day.
const FADING: f64 = 0.98;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    mints: [Counter; 2],
    /// The largest hour that was learned, fading by 2 % a day, and the hour now.
    peak: [f64; 2],
    hour: i64,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let Some(class) = call.minted else { return };
        let place = class.place();
        self.roll(scene);
        let Some(counter) = self.mints.get_mut(place) else {
            return;
        };
        counter.add(scene.now, call.event.id);
        let shape = scene.profile.shapes.get(place);
        let thin_by_nature =
            shape.is_some_and(|shape| shape.is_known() && shape.thin_limit().is_none());
        let usual = shape.is_none_or(|shape| !shape.is_known() || shape.keeps_usual());
        let changed = thin_by_nature && !usual;
        let ratio = if changed { UNUSUAL } else { USUAL };
        let peak = self.peak.get(place).copied().unwrap_or(0.0);
        if f64::from(counter.count(scene.now, Window::Hours(24))) < LEAST {
            return;
        }
        let side = side(scene.profile.environment);
        let window = Window::Minutes(60);
        let born = scene.profile.born();
        let own = (
            f64::from(counter.count(scene.now, window)),
            counter.expected(scene.now, window, born),
        );
        let factor = scene
            .tenant
            .common_mode(own, Which::Mints, scene.now, window, side);
        let question = Count {
            rule: MINT_RATE,
            windows: WINDOWS,
            n_min: LEAST,
            ratio,
            factor,
        };
        // Twice the largest hour is still a larger pay day than the last.
        let floor = |window: Window| {
            let hours = f64::from(window.seconds()) / 3600.0;
            if changed {
                peak / UNUSUAL
            } else {
                2.0 * peak * hours.sqrt() / USUAL
            }
        };
        if let Some((excess, nats)) = scene.test_above(counter, &question, floor) {
            let text = format!(
                "{} minted tokens: {}.",
                scene.profile.name,
                measure(&excess)
            );
            // As long as the tokens are used as ever, this is most likely work.
            let severity = match () {
                () if !thin_by_nature => Severity::Info,
                () if scene.is_sandbox() => Severity::Low,
                () => MINT_RATE.severity,
            };
            let sign = Sign::counted(MINT_RATE, excess, nats, counter.recent(), text);
            scene.say(sign.severity(severity));
        }
    }

    fn roll(&mut self, scene: &Scene<'_>) {
        if self.hour == scene.now.hour {
            return;
        }
        let days = (scene.now.hour - self.hour).clamp(0, 24 * 365) as f64 / 24.0;
        for (peak, counter) in self.peak.iter_mut().zip(&mut self.mints) {
            // What was told was taken out of the counter, so it is not learned here.
            let last = f64::from(counter.count(scene.now, Window::Hours(2)));
            *peak = (*peak * FADING.powf(days)).max(last);
        }
        self.hour = scene.now.hour;
    }
}
