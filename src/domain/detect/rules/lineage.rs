//! Tokens and who minted them: one that another caller uses, and one that nobody minted here.

use serde::{Deserialize, Serialize};

use super::{FOREIGN_TOKEN, UNMINTED_TOKEN};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::event::TokenKind;
use crate::domain::detect::rows::{MINTED, REFUSED};
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::seen::{DAY, Known, Seen};

/// Callers whose tokens a caller uses.
const MAX_SOURCES: usize = 64;
const WINDOWS: &[Window] = &[Window::Minutes(10), Window::Minutes(60), Window::Hours(6)];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    /// Callers whose tokens it uses.
    sources: Seen,
    unminted: Counter,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if !call.succeeded() || call.event.token.is_empty() {
            return;
        }
        match call.token {
            Some(token) if token.has(MINTED) && token.caller != call.caller => {
                self.watch_source(scene, call, token.caller);
            }
            None if call.event.token_kind == TokenKind::Customer => {
                self.watch_unminted(scene, call)
            }
            _ => {}
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
        self.sources.note(key, now, alarming, MAX_SOURCES);
    }

    fn watch_unminted(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        self.unminted.add(scene.now, call.event.id);
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
            scene.say(sign.severity(severity));
        }
    }
}
