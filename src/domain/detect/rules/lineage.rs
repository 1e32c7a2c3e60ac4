//! Tokens and who minted them: one that another caller uses, and one that nobody minted here.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{FOREIGN_TOKEN, UNMINTED_TOKEN};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Excess, Window, surprise};
use crate::domain::detect::event::TokenKind;
use crate::domain::detect::hash;
use crate::domain::detect::rows::{MINTED, REFUSED};
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::seen::{DAY, Known, Seen};

/// Callers whose tokens a caller uses.
const MAX_SOURCES: usize = 64;
const WINDOWS: &[Window] = &[Window::Minutes(10), Window::Minutes(60), Window::Hours(6)];
/// After so many uses of tokens whose mints were seen ...
const PROVEN: u32 = 500;
/// ... and none of another, this many in six hours are told ...
const FEW: f64 = 2.0;
/// ... unless they were in these seconds.
const NEWS: u32 = 3 * DAY;

/// Seconds for which the mint of a token that is used may still be on its way: rows of several nodes, and
/// feeds, are out of order by as much.
const LATE: u32 = 10;
/// Tokens of which this is waited for.
const MOST_LATE: usize = 256;

/// The use of a token whose mint was not seen.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Use {
    token: u64,
    second: u32,
    id: u128,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    /// Callers whose tokens it uses.
    sources: Seen,
    unminted: Counter,
    /// What may become one of them, in the order of time.
    late: VecDeque<Use>,
    /// Uses of its own tokens whose mint was seen.
    proven: u32,
    /// When a few unminted tokens were told, in seconds.
    told: u32,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        self.look_again(scene, Some(call));
        if !call.succeeded() || call.event.token.is_empty() {
            return;
        }
        match call.token {
            Some(token) if token.has(MINTED) && token.caller == call.caller => {
                self.proven = self.proven.saturating_add(1);
            }
            Some(token) if token.has(MINTED) => {
                self.watch_source(scene, call, token.caller);
            }
            None if call.event.token_kind == TokenKind::Customer => {
                self.late.push_back(Use {
                    token: hash::text(call.event.token),
                    second: scene.now.second,
                    id: call.event.id,
                });
            }
            _ => {}
        }
    }

    /// Looks at those whose mint had its time to be seen.
    pub(in crate::domain::detect) fn pause(&mut self, scene: &mut Scene<'_>) {
        self.look_again(scene, None);
    }

    fn look_again(&mut self, scene: &mut Scene<'_>, call: Option<&Call<'_>>) {
        let now = scene.now.second;
        while let Some(first) = self.late.front().copied() {
            let waits = now.saturating_sub(first.second) < LATE;
            if waits && self.late.len() <= MOST_LATE {
                return;
            }
            self.late.pop_front();
            let token = scene.tokens.get(first.token);
            if token.is_none_or(|token| !token.has(MINTED)) {
                let same = |call: &Call<'_>| hash::text(call.event.token) == first.token;
                self.watch_unminted(scene, first.id, call.is_some_and(same));
            }
        }
    }

    fn watch_source(&mut self, scene: &mut Scene<'_>, call: &Call<'_>, source: u16) {
        let now = scene.now.second;
        let key = u64::from(source) + 1;
        let known = self.sources.known(key, now, 28 * DAY);
        let told = call.token.is_some_and(|token| token.has(REFUSED));
        let alarming = known != Known::Learned && scene.is_mature();
        if alarming && !told {
            let text = format!(
                "{} used a token that another caller minted, which it never did.",
                scene.profile.name
            );
            let severity = if scene.is_sandbox() {
                Severity::Low
            } else if call.novelty.is_strange() {
                Severity::High
            } else {
                Severity::Medium
            };
            scene.say(
                Sign::of(FOREIGN_TOKEN, call, text)
                    .severity(severity)
                    .key(key),
            );
        }
        let alarming = alarming && !scene.is_learning();
        self.sources.note(key, now, alarming, MAX_SOURCES);
    }

    /// Who minted every token that it ever used has no store of them elsewhere.
    fn watch_few(&mut self, scene: &mut Scene<'_>, of_call: bool) -> bool {
        let now = scene.now;
        let window = Window::Hours(6);
        let count = f64::from(self.unminted.count(now, window));
        let quiet = self.told == 0 || now.second.saturating_sub(self.told) >= NEWS;
        let expected = self
            .unminted
            .expected(now, Window::Hours(24), scene.profile.born());
        if count < FEW || self.proven < PROVEN || expected > 0.0 || !quiet || scene.is_learning() {
            return false;
        }
        self.told = now.second;
        let excess = Excess {
            count,
            expected,
            score: surprise(count, 0.1),
            window,
        };
        let text = format!(
            "{} used {count} customer tokens that were never minted here, which it never did.",
            scene.profile.name
        );
        let severity = if scene.is_sandbox() {
            Severity::Low
        } else {
            Severity::Medium
        };
        let sign = Sign::counted(UNMINTED_TOKEN, excess, 0.0, self.unminted.recent(), text);
        self.unminted.consume(window);
        scene.say(Sign {
            of_event: of_call,
            ..sign.severity(severity)
        });
        true
    }

    /// Counts the use `id`, which the call that is looked at has to do with, or not.
    fn watch_unminted(&mut self, scene: &mut Scene<'_>, id: u128, of_call: bool) {
        self.unminted.add(scene.now, id);
        if self.watch_few(scene, of_call) {
            return;
        }
        let count = Count {
            rule: UNMINTED_TOKEN,
            windows: WINDOWS,
            n_min: 5.0,
            ratio: 3.0,
            factor: 1.0,
        };
        if let Some((excess, nats)) = scene.test(&mut self.unminted, &count) {
            let text = format!(
                "{} used customer tokens that were never minted here: {}.",
                scene.profile.name,
                measure(&excess)
            );
            let severity = if scene.is_sandbox() {
                Severity::Low
            } else {
                Severity::Medium
            };
            let sign = Sign::counted(UNMINTED_TOKEN, excess, nats, self.unminted.recent(), text);
            scene.say(Sign {
                of_event: of_call,
                ..sign.severity(severity)
            });
        }
    }
}
