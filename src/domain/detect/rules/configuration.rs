//! Protections that were loosened: at the gateway itself, and at the bank.
//!
//! The gateway reports its own changes as events of the provider `egret`.

use serde::{Deserialize, Serialize};

use super::CONFIGURATION;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::event::Event;
use crate::domain::detect::hash;
use crate::domain::detect::scene::{Call, Scene, Sign};

/// What the gateway reports, how much it matters, and what is said of it.
const CHANGES: &[(&str, Severity, &str)] = &[
    (
        "config.caller_added",
        Severity::Low,
        "A caller was added to the gateway",
    ),
    (
        "config.policy_loosened",
        Severity::Medium,
        "The gateway's policy lets more pass than before",
    ),
    (
        "config.pins_changed",
        Severity::Medium,
        "The gateway trusts other certificates of a bank than before",
    ),
    (
        "config.lockdown_lifted",
        Severity::Medium,
        "A lockdown was lifted",
    ),
    (
        "audit.gap",
        Severity::High,
        "Records are missing from the audit ledger",
    ),
];

/// Longest name or change that a sentence repeats, in characters.
const MAX_TEXT: usize = 240;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let event = call.event;
        let found = if is_own(event) {
            let mut changes = CHANGES.iter();
            changes
                .find(|(name, ..)| *name == event.operation)
                .map(|(_, severity, text)| (*severity, *text))
        } else if call.succeeded() && call.operation.writes && is_about_origins(event) {
            Some((
                Severity::Medium,
                "A bank was told to accept browsers of other origins",
            ))
        } else {
            None
        };
        if let Some((severity, text)) = found {
            let about = if is_own(event) { event.view } else { "" };
            let sign = Sign::of(CONFIGURATION, call, sentence(text, event.caller, about));
            // Each thing that is changed is one of its own.
            let key = hash::pair(hash::text(event.operation), hash::text(about));
            scene.say(sign.severity(severity).key(key));
        }
    }
}

/// Whether the gateway reports a change of its own. Who makes one is a person or the gateway itself;
/// what callers do usually says nothing about that.
pub(in crate::domain::detect) fn is_own(event: &Event<'_>) -> bool {
    event.provider == "egret"
}

/// Whether a call changes from where browsers may call: by its operation, or by what a row of the
/// ledger says that it changed.
fn is_about_origins(event: &Event<'_>) -> bool {
    event.operation.contains("cors") || event.view.contains("cors")
}

/// "The gateway's policy lets more pass than before, by root: limits.shadow: off to on."
fn sentence(text: &str, caller: &str, about: &str) -> String {
    let mut sentence = text.to_owned();
    if !caller.is_empty() {
        sentence.push_str(", by ");
        push(&mut sentence, caller);
    }
    if !about.is_empty() {
        sentence.push_str(": ");
        push(&mut sentence, about);
    }
    sentence.push('.');
    sentence
}

/// One line, cut where it becomes long.
fn push(sentence: &mut String, text: &str) {
    let clean = text.chars().take(MAX_TEXT);
    sentence.extend(clean.map(|c| if c.is_control() { ' ' } else { c }));
}
