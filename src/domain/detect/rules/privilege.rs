//! D12: access to accounts that is given away (Open Bank Project).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    CONSENT_BURST, DAUTH_USERS, EAGER_GRANTS, GRANT_AND_REVOKE, GRANT_BURST, NEW_GRANTEES,
    STRONG_VIEW,
};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::counter::{Counter, Window};
use crate::domain::detect::hash;
use crate::domain::detect::scene::{Call, Count, Scene, Sign, measure};
use crate::domain::detect::seen::{DAY, Known, ManySeen, Seen};

const WINDOWS: &[Window] = &[Window::Minutes(60), Window::Hours(6), Window::Hours(24)];
/// So many consents, and so many times as surely as for a notice, call somebody.
const MANY_CONSENTS: f64 = 12.0;
const CERTAIN: f64 = 2.0;
/// Grants that may be taken back soon.
const PAIRS: usize = 512;
/// How soon, in seconds.
const SOON: u32 = 600;
/// A grantee is forgotten after a year without a grant.
const FORGET: u32 = 365 * DAY;

/// Seconds for which a new grantee is watched closely.
const EAGER_WITHIN: u32 = 2 * 3600;

/// Seconds within which a second contract of a new network is too many.
const SOON_AGAIN: u32 = 6 * 3600;

/// Views with which everything can be done or seen.
const STRONG: &[&str] = &[
    "owner",
    "firehose",
    "_public",
    "public",
    "managecustomviews",
    "accountant_owner",
    "system",
];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    grants: Counter,
    to_new: Counter,
    eager: Counter,
    undone: Counter,
    dauth: Counter,
    consents: Counter,
    /// The hour in which a few consents too many were told.
    told_consents: i64,
    grantees: ManySeen,
    views: Seen,
    chains: Seen,
    /// In the order of their times.
    pairs: VecDeque<(u64, u32)>,
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let event = call.event;
        if call.operation.consents && call.succeeded() {
            self.consents.add(scene.now, event.id);
            self.watch_consents(scene);
        }
        if event.target.is_empty() || !call.succeeded() {
            return;
        }
        let now = scene.now.second;
        let grantee = hash::text(event.target);
        if !(call.operation.writes || call.operation.revokes) {
            // A contract becomes a user by its first call.
            let known = self.grantees.known(grantee, now, FORGET) == Known::Learned;
            if let Some(chain) = chain(event.target).filter(|_| !known) {
                self.watch_chain(scene, call, chain);
                self.grantees.note(grantee, now, false);
            }
            return;
        }
        let pair = hash::pair(
            hash::pair(grantee, hash::text(event.view)),
            call.subject_key,
        );
        let over = |(_, at): &(u64, u32)| now.saturating_sub(*at) > SOON;
        while self.pairs.front().is_some_and(over) {
            self.pairs.pop_front();
        }
        if call.operation.revokes {
            if let Some(at) = self.pairs.iter().position(|(known, _)| *known == pair) {
                self.pairs.remove(at);
                self.undone.add(scene.now, event.id);
                self.count(
                    scene,
                    Of::Undone,
                    2.0,
                    "had access granted and taken back within minutes",
                );
            }
            return;
        }
        if self.pairs.len() < PAIRS {
            self.pairs.push_back((pair, now));
        }
        let chain = chain(event.target);
        if let Some(chain) = chain {
            self.watch_chain(scene, call, chain);
        }
        self.watch_view(scene, call);
        let new = self.grantees.known(grantee, now, FORGET) != Known::Learned;
        // The third and later accounts within the first hours of somebody who never had any.
        let eager = self
            .grantees
            .get(grantee)
            .is_some_and(|seen| seen.count >= 2 && now.saturating_sub(seen.first) < EAGER_WITHIN);
        let mut told = false;
        if new {
            self.to_new.add(scene.now, event.id);
            told |= self.count(
                scene,
                Of::New,
                3.0,
                "granted access to users who never had any",
            );
        }
        if eager {
            self.eager.add(scene.now, event.id);
            told |= self.count(
                scene,
                Of::Eager,
                3.0,
                "granted access to several accounts to a user who never had any",
            );
        }
        self.grants.add(scene.now, event.id);
        told |= self.count(scene, Of::Grants, 5.0, "granted access to accounts");
        self.grantees.note(grantee, now, told);
    }

    /// Customers give and renew consents when it suits them, on some days many: what calls somebody is
    /// very many within an hour.
    fn watch_consents(&mut self, scene: &mut Scene<'_>) {
        let question = |windows, n_min| Count {
            rule: CONSENT_BURST,
            windows,
            n_min,
            ratio: 2.0,
            factor: 1.0,
        };
        let at_once = scene
            .look(&mut self.consents, &question(&WINDOWS[..1], MANY_CONSENTS))
            .filter(|(excess, nats)| excess.score >= CERTAIN * nats);
        let found = match &at_once {
            Some((excess, _)) => {
                self.consents.consume(excess.window);
                at_once.clone()
            }
            None if self.told_consents == scene.now.hour => return,
            None => scene.look(&mut self.consents, &question(WINDOWS, 4.0)),
        };
        let Some((excess, nats)) = found else { return };
        self.told_consents = scene.now.hour;
        let text = format!(
            "{} made consents: {}.",
            scene.profile.name,
            measure(&excess)
        );
        let severity = if at_once.is_some() {
            Severity::Medium
        } else {
            Severity::Low
        };
        let calls = self.consents.recent();
        let sign = Sign::counted(CONSENT_BURST, excess, nats, calls, text);
        scene.say(sign.severity(tempered(scene, severity)));
    }

    fn watch_chain(&mut self, scene: &mut Scene<'_>, call: &Call<'_>, chain: &str) {
        let now = scene.now.second;
        let key = hash::text(chain);
        let new = self.chains.known(key, now, FORGET) != Known::Learned;
        let alarming = new && scene.is_mature() && !scene.is_learning();
        if alarming {
            // One contract of a new network can be a new customer; a second one soon is not.
            let before = self.chains.get(key).filter(|seen| seen.quarantined);
            let again = before.is_some_and(|seen| now.saturating_sub(seen.last) < SOON_AGAIN);
            let text = format!(
                "{} gave access to {} of a blockchain network that it never dealt with.",
                scene.profile.name,
                if again {
                    "several contracts"
                } else {
                    "a contract"
                }
            );
            let severity = tempered(scene, if again { Severity::High } else { Severity::Low });
            scene.say(
                Sign::of(DAUTH_USERS, call, text)
                    .severity(severity)
                    .key(key),
            );
        }
        self.chains.note(key, now, alarming, 64);
        let contract = hash::text(call.event.target);
        if self.grantees.known(contract, now, FORGET) != Known::Learned {
            self.dauth.add(scene.now, call.event.id);
            self.count(
                scene,
                Of::Dauth,
                3.0,
                "gave access to contracts that never had any",
            );
        }
    }

    fn watch_view(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let view = call.event.view.to_ascii_lowercase();
        if view.is_empty() {
            return;
        }
        let now = scene.now.second;
        let key = hash::text(&view);
        let new = self.views.known(key, now, FORGET) != Known::Learned;
        let strong =
            STRONG.contains(&&*view) || view.contains("owner") || view.contains("firehose");
        let alarming = new && scene.is_mature() && strong && !scene.is_learning();
        if alarming {
            let text = format!(
                "{} granted the view {}, which it never did.",
                scene.profile.name, call.event.view
            );
            let severity = tempered(scene, Severity::High);
            scene.say(
                Sign::of(STRONG_VIEW, call, text)
                    .severity(severity)
                    .key(key),
            );
        }
        self.views.note(key, now, alarming, 64);
    }

    fn count(&mut self, scene: &mut Scene<'_>, of: Of, n_min: f64, what: &str) -> bool {
        let (counter, rule) = match of {
            Of::Grants => (&mut self.grants, GRANT_BURST),
            Of::New => (&mut self.to_new, NEW_GRANTEES),
            Of::Eager => (&mut self.eager, EAGER_GRANTS),
            Of::Undone => (&mut self.undone, GRANT_AND_REVOKE),
            Of::Dauth => (&mut self.dauth, DAUTH_USERS),
        };
        let count = Count {
            rule,
            windows: WINDOWS,
            n_min,
            ratio: 2.0,
            factor: 1.0,
        };
        let Some((excess, nats)) = scene.test(counter, &count) else {
            return false;
        };
        let text = format!("{} {what}: {}.", scene.profile.name, measure(&excess));
        let sign = Sign::counted(rule, excess, nats, counter.recent(), text);
        let severity = tempered(scene, rule.severity);
        // One cause: the others would only say the same again.
        for other in [&mut self.grants, &mut self.to_new, &mut self.dauth] {
            other.consume(Window::Hours(6));
        }
        scene.say(sign.severity(severity));
        true
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Grants,
    New,
    Eager,
    Undone,
    Dauth,
}

fn tempered(scene: &Scene<'_>, severity: Severity) -> Severity {
    if scene.is_sandbox() {
        Severity::Low
    } else {
        severity
    }
}

/// Whether a target is a contract: a DAuth user.
pub(in crate::domain::detect) fn is_contract(target: &str) -> bool {
    chain(target).is_some()
}

/// The network of a DAuth user, `NETWORK/0xADDRESS`.
fn chain(target: &str) -> Option<&str> {
    let (network, address) = target.split_once('/')?;
    address.starts_with("0x").then_some(network)
}
