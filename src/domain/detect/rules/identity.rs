//! D3: who calls, and in which environment.

use serde::{Deserialize, Serialize};

use super::{NEW_CALLER, NEW_ENVIRONMENT};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::event::Environment;
use crate::domain::detect::rows::SANDBOX;
use crate::domain::detect::scene::{Call, Scene, Sign};
use crate::domain::detect::seen::DAY;

/// In the first days every caller is new.
const SETTLING: u32 = 3 * DAY;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    /// It was told, or the caller has been here all along.
    settled: bool,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        self.watch_environment(scene, call);
        if self.settled {
            return;
        }
        let profile = &*scene.profile;
        let began = profile.first.saturating_sub(scene.tenant.first);
        if began < SETTLING
            || scene
                .settings
                .known_callers
                .iter()
                .any(|name| **name == *profile.name)
        {
            self.settled = true;
            return;
        }
        if call.strayed {
            let (here, there) = match profile.environment {
                Environment::Production => ("production", "the sandbox"),
                Environment::Sandbox => ("the sandbox", "production"),
            };
            let text = format!(
                "{} called {here}; so far it only ever called {there}.",
                profile.name
            );
            // A service that tries something in the sandbox loses nothing there.
            let severity = match profile.environment {
                Environment::Production => Severity::High,
                Environment::Sandbox => Severity::Medium,
            };
            scene.say(Sign::of(NEW_ENVIRONMENT, call, text).severity(severity));
            self.settled = true;
            return;
        }
        let acts = call.operation.mints || call.minted.is_some() || call.operation.writes;
        if acts && call.succeeded() {
            self.settled = true;
            let at_home = call.place.own || scene.tenant.networks.get(call.network).is_some();
            let severity = if scene.is_sandbox() || (at_home && scene.is_learning()) {
                Severity::Low
            } else if at_home {
                Severity::Medium
            } else {
                Severity::High
            };
            let what = if call.operation.writes {
                "writes"
            } else {
                "mints tokens"
            };
            let from = if at_home {
                ""
            } else {
                ", from a network nobody else uses"
            };
            let text = format!(
                "{} was never seen before and {what}{from}.",
                scene.profile.name
            );
            scene.say(Sign::of(NEW_CALLER, call, text).severity(severity));
        }
    }

    /// A token of one environment in the other.
    fn watch_environment(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let Some(token) = call.token else { return };
        let minted_there = token.has(SANDBOX) != scene.is_sandbox();
        if minted_there && token.has(crate::domain::detect::rows::MINTED) {
            let text = format!(
                "{} used a token in an environment it was not minted for.",
                scene.profile.name
            );
            scene.say(Sign::of(NEW_ENVIRONMENT, call, text));
        }
    }
}
