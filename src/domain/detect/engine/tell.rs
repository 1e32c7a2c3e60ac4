//! From signs to alerts.

use super::Detection;
use crate::domain::detect::alert::{Alert, Baseline, Severity};
use crate::domain::detect::counter::Moment;
use crate::domain::detect::event::{Environment, Event};
use crate::domain::detect::rules::Family;

impl Detection {
    /// Files the signs that were found and appends what is to be told.
    pub(super) fn tell(
        &mut self,
        caller: u16,
        event: Option<&Event<'_>>,
        now: Moment,
        told: &mut Vec<Alert>,
    ) {
        if self.signs.is_empty() {
            return;
        }
        let state = &mut self.state;
        let Some(profile) = state
            .callers
            .get(usize::from(caller))
            .map(|known| &known.profile)
        else {
            self.signs.clear();
            return;
        };
        let raisable = profile.environment == Environment::Production;
        let learning = !state
            .tenant
            .has_watched(self.settings.learning_days, now.second);
        for sign in self.signs.drain(..) {
            let own = self.settings.of(sign.rule);
            if own.enabled == Some(false) {
                continue;
            }
            let mut severity = sign
                .severity
                .min(own.max_severity.unwrap_or(Severity::Critical));
            if learning && !sign.rule.from_start && sign.excess.is_none() {
                // Nor may it add to anything: much is seen for the first time.
                severity = Severity::Info;
            }
            let at = event.map_or(now.at, |event| event.at);
            let Some(done) = state
                .incidents
                .file(&sign, severity, caller, raisable, at, now.second)
            else {
                continue;
            };
            let of_event = event.filter(|_| sign.of_event);
            let text = |of: fn(&Event<'_>) -> String| of_event.map_or_else(String::new, of);
            let ip = match (of_event, sign.rule.family) {
                (Some(event), _) => event.ip,
                (None, Family::Mint) => profile.mint_ip,
                _ => None,
            };
            told.push(Alert {
                at,
                rule: sign.rule.name,
                category: sign.rule.category,
                severity: done.severity,
                incident: done.incident,
                environment: match profile.environment {
                    Environment::Production => "production",
                    Environment::Sandbox => "sandbox",
                },
                caller: event
                    .map_or(&*profile.name, |event| event.caller)
                    .to_owned(),
                ip: ip.map_or_else(String::new, |ip| ip.to_string()),
                subject: text(|event| event.subject.to_owned()),
                token: text(|event| event.token.to_owned()),
                target: text(|event| event.target.to_owned()),
                since: done.since,
                signs: done.signs,
                baseline: sign.excess.map(|(excess, nats)| Baseline {
                    count: excess.count,
                    expected: excess.expected,
                    score: excess.score,
                    threshold: nats,
                    window: excess.window.seconds(),
                }),
                calls: sign.calls,
                text: sign.text,
            });
        }
    }
}
