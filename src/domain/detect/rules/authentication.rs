//! D10: credentials that are refused.
//!
//! Tokens that have run out are left out: every service uses one a moment too long. What is left
//! is compared with the caller's own share of failures. Who fails from a strange network and then
//! succeeds there has found something.

use serde::{Deserialize, Serialize};

use super::{FAILED_AUTHENTICATION, GUESSED};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Excess, Window, surprise};
use crate::domain::detect::event::{Answer, Fault};
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::seen::{DAY, Known};

const WINDOWS: &[Window] = &[Window::Minutes(10), Window::Minutes(60), Window::Hours(6)];
/// Strange networks whose failures are remembered.
const NETWORKS: usize = 16;
/// Failures are forgotten after so many seconds.
const MEMORY: u32 = 6 * 3600;
/// So many failures make a success suspicious.
const GUESSES: u32 = 5;
/// So many failures in five minutes from a strange network are told whatever was learned.
const LIMIT: u32 = 10;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Knock {
    network: u64,
    failures: u32,
    /// Failures since `since`, for the fixed limit.
    burst: u32,
    since: u32,
    last: u32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    failures: Counter,
    /// Calls that the bank judged, and those of them that it refused, fading day by day.
    judged: f64,
    refused: f64,
    day: u32,
    knocks: Vec<Knock>,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let now = scene.now.second;
        if now / DAY != self.day {
            self.day = now / DAY;
            self.judged *= 0.9;
            self.refused *= 0.9;
        }
        if call.succeeded() {
            self.judged += 1.0;
            self.watch_success(scene, call);
        }
        if call.answer != Answer::Unauthenticated || is_expired(call, now) {
            return;
        }
        self.judged += 1.0;
        self.watch_network(scene, call);
        self.failures.add(scene.now, call.event.id);
        let share = if self.judged > 0.0 {
            self.refused / self.judged
        } else {
            0.0
        };
        let count = Count {
            rule: FAILED_AUTHENTICATION,
            windows: WINDOWS,
            n_min: 7.0,
            ratio: 1.5,
            factor: 1.0,
        };
        // Failures grow with the calls: a busy hour has more of both.
        let hourly = 3.0 * share * self.recent_calls(scene);
        let floor = |window: Window| hourly * f64::from(window.seconds()) / 3600.0;
        let found = if scene.is_mature() {
            scene.test_above(&mut self.failures, &count, floor)
        } else {
            None
        };
        match found {
            Some((excess, nats)) => {
                let text = format!(
                    "Credentials of {} were refused: {}.",
                    scene.profile.name,
                    measure(&excess)
                );
                let severity = if scene.is_sandbox() {
                    Severity::Low
                } else {
                    Severity::Medium
                };
                let sign = Sign::counted(
                    FAILED_AUTHENTICATION,
                    excess,
                    nats,
                    self.failures.recent(),
                    text,
                );
                scene.say(sign.severity(severity).key(strange_network(call)));
            }
            None => self.refused += 1.0,
        }
    }

    /// Calls of the last hour, estimated from the day so far.
    fn recent_calls(&self, scene: &Scene<'_>) -> f64 {
        let age = f64::from(
            scene
                .now
                .second
                .saturating_sub(scene.profile.first)
                .clamp(3600, 10 * DAY),
        );
        self.judged / (age / 3600.0).max(1.0)
    }

    fn watch_network(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let strange = strange_network(call);
        if strange == 0 || call.place.own {
            return;
        }
        let now = scene.now.second;
        let at = match self
            .knocks
            .iter()
            .position(|knock| knock.network == strange)
        {
            Some(at) => at,
            None => {
                if self.knocks.len() >= NETWORKS {
                    let oldest = (0..self.knocks.len())
                        .min_by_key(|at| self.knocks.get(*at).map(|knock| knock.last));
                    self.knocks.swap_remove(oldest.unwrap_or(0));
                }
                self.knocks.push(Knock {
                    network: strange,
                    failures: 0,
                    burst: 0,
                    since: now,
                    last: now,
                });
                self.knocks.len() - 1
            }
        };
        let Some(knock) = self.knocks.get_mut(at) else {
            return;
        };
        if now.saturating_sub(knock.last) > MEMORY {
            knock.failures = 0;
        }
        if now.saturating_sub(knock.since) > 300 {
            knock.since = now;
            knock.burst = 0;
        }
        knock.last = now;
        knock.failures = knock.failures.saturating_add(1);
        knock.burst += 1;
        let settled = scene.profile.calls >= 20 && now.saturating_sub(scene.profile.first) >= 3600;
        if knock.burst >= LIMIT && settled {
            let excess = Excess {
                count: f64::from(knock.burst),
                expected: 0.3,
                score: surprise(f64::from(knock.burst), 0.3),
                window: Window::Minutes(5),
            };
            knock.burst = 0;
            let text = format!(
                "Credentials of {} were refused from a network it never used: {}.",
                scene.profile.name,
                measure(&excess)
            );
            let severity = if scene.is_sandbox() {
                Severity::Low
            } else {
                Severity::Medium
            };
            let sign = Sign::counted(FAILED_AUTHENTICATION, excess, 0.0, &[call.event.id], text);
            scene.say(sign.severity(severity).key(strange));
        }
    }

    fn watch_success(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if self.knocks.is_empty() || call.network == 0 {
            return;
        }
        let now = scene.now.second;
        let Some(at) = self
            .knocks
            .iter()
            .position(|knock| knock.network == call.network)
        else {
            return;
        };
        let Some(knock) = self.knocks.get(at).copied() else {
            return;
        };
        self.knocks.swap_remove(at);
        if knock.failures < GUESSES || now.saturating_sub(knock.last) > MEMORY {
            return;
        }
        let text = format!(
            "After {} refused credentials from a network that {} never used, one works there.",
            knock.failures, scene.profile.name
        );
        let severity = if scene.is_sandbox() {
            Severity::Medium
        } else {
            Severity::High
        };
        scene.say(
            Sign::of(GUESSED, call, text)
                .severity(severity)
                .key(call.network),
        );
    }
}

fn strange_network(call: &Call<'_>) -> u64 {
    if call.novelty.network == Known::Learned {
        0
    } else {
        call.network
    }
}

/// Whether it is the end of a token's life rather than a wrong one.
fn is_expired(call: &Call<'_>, now: u32) -> bool {
    call.event.fault == Fault::TokenExpired
        || call
            .token
            .is_some_and(|token| token.ends <= now.saturating_add(60))
}
