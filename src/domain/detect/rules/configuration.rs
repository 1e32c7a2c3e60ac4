//! Protections that were loosened: at the gateway itself, and at the bank.
//!
//! The gateway reports its own changes as events of the provider `egret`.

use serde::{Deserialize, Serialize};

use super::CONFIGURATION;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::hash;
use crate::domain::detect::scene::{Call, Scene, Sign};

/// What the gateway reports, how much it matters, and what is said of it.
const CHANGES: &[(&str, Severity, &str)] = &[
    (
        "config.caller_added",
        Severity::Low,
        "A caller was added to the gateway.",
    ),
    (
        "config.policy_loosened",
        Severity::Medium,
        "The gateway's policy lets more pass than before.",
    ),
    (
        "config.pins_changed",
        Severity::Medium,
        "The gateway trusts other certificates of a bank than before.",
    ),
    (
        "config.lockdown_lifted",
        Severity::Medium,
        "A lockdown was lifted.",
    ),
    (
        "audit.gap",
        Severity::High,
        "Records are missing from the audit ledger.",
    ),
];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let event = call.event;
        let found = if event.provider == "egret" {
            let mut changes = CHANGES.iter();
            changes
                .find(|(name, ..)| *name == event.operation)
                .map(|(_, severity, text)| (*severity, *text))
        } else if call.succeeded() && call.operation.writes && event.operation.contains("cors") {
            Some((
                Severity::Medium,
                "A bank was told to accept browsers of other origins.",
            ))
        } else {
            None
        };
        if let Some((severity, text)) = found {
            let sign = Sign::of(CONFIGURATION, call, text.to_owned());
            scene.say(sign.severity(severity).key(hash::text(event.operation)));
        }
    }
}
