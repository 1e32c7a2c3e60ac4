//! D11: a token endpoint that keeps refusing with 403.
//!
//! The bank answers 403 when its minting limit is met. A service backs off; who mints in a hurry
//! does not.

use serde::{Deserialize, Serialize};

use super::MINT_DENIED;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::event::Answer;
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};

/// Seconds for which it must go on: shorter than the bank's window of five minutes by one.
const LASTS: u32 = 4 * 60;
/// Seconds after which it was over.
const PAUSE: u32 = 5 * 60;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    denied: Counter,
    since: u32,
    last: u32,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if !call.operation.mints || call.answer != Answer::Forbidden {
            return;
        }
        let now = scene.now.second;
        if now.saturating_sub(self.last) > PAUSE {
            self.since = now;
        }
        self.last = now;
        self.denied.add(scene.now, call.event.id);
        if now.saturating_sub(self.since) < LASTS {
            return;
        }
        let count = Count {
            rule: MINT_DENIED,
            windows: &[Window::Minutes(60)],
            n_min: 10.0,
            ratio: 1.5,
            factor: 1.0,
        };
        if let Some((excess, nats)) = scene.test(&mut self.denied, &count) {
            let text = format!(
                "The token endpoint has refused {} with 403 for {}: {}.",
                scene.profile.name,
                super::super::scene::span(now.saturating_sub(self.since)),
                measure(&excess)
            );
            let severity = if scene.is_sandbox() {
                Severity::Low
            } else {
                MINT_DENIED.severity
            };
            let sign = Sign::counted(MINT_DENIED, excess, nats, self.denied.recent(), text);
            scene.say(sign.severity(severity));
        }
    }
}
