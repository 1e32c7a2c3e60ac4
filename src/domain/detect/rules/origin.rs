//! D1: where a caller calls from.
//!
//! A country or network operator that a known caller never called from is told at once. A network
//! alone says little as long as operator and country are the usual ones, since services move
//! between machines; it is told only where nothing better is known, and only for calls that
//! thieves make: mints, bank tokens, refused credentials. Callers that turn up in new places all
//! the time (phones, partners) are told of only in passing.

use serde::{Deserialize, Serialize};

use super::NEW_ORIGIN;
use crate::domain::detect::alert::Severity;
use crate::domain::detect::event::Answer;
use crate::domain::detect::profile::MAX_ORIGINS;
use crate::domain::detect::scene::{Call, Scene, Sign};
use crate::domain::detect::seen::{DAY, Known};

/// Nothing of its own: the sets belong to the profile, since other detectors read them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {}

/// A strange network that was told is told again after so many seconds without it.
const NEWS: u32 = 3 * DAY;
/// More new values a week than this, and another one is nothing remarkable.
const RESTLESS: usize = 2;

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if call.network == 0 {
            return;
        }
        let now = scene.now.second;
        let strange = self.judge(scene, call);
        let profile = &mut *scene.profile;
        // A place where nothing works is not learned: anybody can knock at the door.
        let works = call.succeeded() || call.answer == Answer::Trouble;
        if !works && !strange && call.novelty.network == Known::New {
            return;
        }
        if call.place.country != [0; 2] {
            let country = u64::from(u16::from_be_bytes(call.place.country));
            profile.countries.note(
                country,
                now,
                strange && call.novelty.country == Known::New,
                MAX_ORIGINS,
            );
        }
        if call.place.asn != 0 {
            let new = call.novelty.asn == Known::New;
            profile
                .asns
                .note(u64::from(call.place.asn), now, strange && new, MAX_ORIGINS);
        }
        let new = call.novelty.network == Known::New;
        profile
            .networks
            .note(call.network, now, strange && new, MAX_ORIGINS);
        if !strange {
            scene.tenant.networks.note(call.network, now, false);
        }
    }

    /// Whether the place raises an alarm, which it then has told.
    fn judge(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) -> bool {
        let novelty = call.novelty;
        if call.place.own || !scene.is_mature() {
            return false;
        }
        let now = scene.now.second;
        let profile = &*scene.profile;
        let settled = now
            .saturating_sub(profile.first)
            .saturating_sub(3 * DAY)
            .min(7 * DAY);
        let new_country = novelty.country != Known::Learned && call.place.country != [0; 2];
        let new_asn = novelty.asn != Known::Learned && call.place.asn != 0;
        let new_network = novelty.network != Known::Learned;
        if !(new_country || new_asn || new_network) {
            return false;
        }
        let event = call.event;
        let risky = call.operation.mints
            || call.minted.is_some()
            || event.token_kind.is_broad()
            || call.answer == Answer::Unauthenticated;
        let grave = call.minted.is_some() || (call.operation.writes && call.succeeded());
        let (what, restless) = if new_country {
            ("country", profile.countries.fresh(now, settled) >= RESTLESS)
        } else if new_asn {
            (
                "network operator",
                profile.asns.fresh(now, settled) > RESTLESS,
            )
        } else {
            ("network", profile.networks.fresh(now, settled) > RESTLESS)
        };
        let severity = match what {
            _ if restless => Severity::Low,
            "network" if !risky => return false,
            // With operator and country as usual this is most likely another machine.
            "network" if call.place.asn != 0 || call.place.country != [0; 2] => Severity::Low,
            "network" if scene.tenant.networks.get(call.network).is_some() => Severity::Low,
            "network" => Severity::Medium,
            _ if grave => Severity::High,
            _ => Severity::Medium,
        };
        let country = if call.place.country == [0; 2] {
            String::new()
        } else {
            let [a, b] = call.place.country;
            format!(" in {}{}", char::from(a), char::from(b))
        };
        let asn = match call.place.asn {
            0 => String::new(),
            asn => format!(" (AS{asn})"),
        };
        let text = format!(
            "{} called {} from a {what} it never called from{country}{asn}.",
            profile.name, event.operation
        );
        let severity = if scene.is_sandbox() {
            severity.lowered()
        } else {
            severity
        };
        // A service that has moved is there every day: it was told, and is no news.
        let last = profile_last(scene, call.network);
        let known = novelty.network == Known::Quarantined;
        if known && now.saturating_sub(last) < NEWS {
            scene.say(
                Sign::of(NEW_ORIGIN, call, text)
                    .severity(Severity::Info)
                    .key(call.network),
            );
            return severity.is_page();
        }
        scene.say(
            Sign::of(NEW_ORIGIN, call, text)
                .severity(severity)
                .key(call.network),
        );
        // Without an alarm the place is learned like any other.
        severity.is_page()
    }
}

/// When a network was last seen, in seconds.
fn profile_last(scene: &Scene<'_>, network: u64) -> u32 {
    scene
        .profile
        .networks
        .get(network)
        .map_or(0, |value| value.last)
}
