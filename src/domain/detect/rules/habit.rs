//! D4: what a caller asks for: operations, kinds of token, scopes, lifetimes.

use serde::{Deserialize, Serialize};

use super::privilege::is_contract;
use super::{BROAD_TOKEN, LONG_LIFE, NEW_OPERATION, NEW_SCOPE};
use crate::domain::detect::alert::Severity;
use crate::domain::detect::event::{Answer, TokenKind};
use crate::domain::detect::hash;
use crate::domain::detect::scene::{Call, Scene, Sign};
use crate::domain::detect::seen::{DAY, Known, Seen};

/// Habits that are remembered of a caller.
const MAX: usize = 256;
/// A habit without use is forgotten after a quarter: some work is done once a quarter.
const FORGET: u32 = 92 * DAY;
/// More new habits a week than this, and the caller is one that keeps changing.
const RESTLESS: usize = 3;
/// So many scopes at once are "all of them", unless the caller asked for as many before.
const MANY_SCOPES: usize = 8;

/// What opens doors is told again after so many seconds without it.
const AGAIN: u32 = 2 * DAY;
/// A caller's habits are its own from this age on, in seconds.
const GROWN: u32 = 10 * DAY;
/// Acts of administration that make an administrator.
const ADMIN: u32 = 10;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::domain::detect) struct PerCaller {
    habits: Seen,
    /// Ordinary acts of administration.
    administrations: u32,
    most_scopes: u32,
    /// The longest life of a token, in seconds, by whether it was a customer's.
    longest: [u32; 2],
}

fn kind_of(kind: TokenKind) -> u64 {
    kind as u64 + 1
}

impl PerCaller {
    pub(in crate::domain::detect) fn observe(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        if call.answer == Answer::Trouble || call.event.operation.is_empty() {
            return;
        }
        self.watch_operation(scene, call);
        if call.operation.mints || call.minted.is_some() {
            self.watch_scopes(scene, call);
        }
        self.watch_life(scene, call);
        self.watch_kind(scene, call);
    }

    /// Whether something is new, and whether others do it.
    fn novelty(&self, scene: &Scene<'_>, habit: u64) -> (Known, bool) {
        let now = scene.now.second;
        let peers = scene.tenant.habits.known(habit, now, FORGET) == Known::Learned;
        (self.habits.known(habit, now, FORGET), peers)
    }

    fn note(&mut self, scene: &mut Scene<'_>, habit: u64, alarming: bool) {
        let now = scene.now.second;
        self.habits.note(habit, now, alarming, MAX);
        if !alarming {
            scene.tenant.habits.note(habit, now, false);
        }
    }

    fn is_restless(&self, scene: &Scene<'_>) -> bool {
        let now = scene.now.second;
        let settled = now
            .saturating_sub(scene.profile.first)
            .saturating_sub(3 * DAY);
        self.habits.fresh(now, settled.min(7 * DAY)) > RESTLESS
    }

    fn watch_operation(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let event = call.event;
        let habit = hash::pair(call.operation_hash, kind_of(event.token_kind));
        let (known, peers) = self.novelty(scene, habit);
        let mut alarming = false;
        if known != Known::Learned && scene.is_mature() {
            let narrower = [TokenKind::Customer, TokenKind::DirectLogin]
                .iter()
                .any(|kind| {
                    self.habits
                        .get(hash::pair(call.operation_hash, kind_of(*kind)))
                        .is_some()
                });
            let tenant_narrower =
                [TokenKind::Customer, TokenKind::DirectLogin]
                    .iter()
                    .any(|kind| {
                        let other = hash::pair(call.operation_hash, kind_of(*kind));
                        scene.tenant.habits.get(other).is_some()
                    });
            let broad = event.token_kind.is_broad() && (narrower || (tenant_narrower && !peers));
            let acts = call.operation.writes || call.operation.mints;
            // What others do, and is rare, takes a new service its time to do first.
            let young = scene.now.second.saturating_sub(scene.profile.first) < GROWN;
            // What opens doors or moves money is told even if others do it.
            let opens = call.operation.administers || !event.target.is_empty();
            let grants = opens && acts && !call.operation.revokes && !(peers && self.is_admin());
            let doors = call.operation.exposes || call.operation.mints;
            let money = call.operation.touches_money;
            let handed = grants && !doors && !money && is_contract(event.target);
            let strong =
                doors || grants || call.operation.touches_money || call.operation.makes_destination;
            let severity = match () {
                () if broad && acts => Severity::High,
                () if broad && narrower => Severity::Medium,
                () if strong && event.token_kind.is_broad() && !peers => Severity::High,
                () if peers && young && !doors => Severity::Low,
                () if call.operation.revokes && !doors => Severity::Low,
                // One contract with access is a customer; another one soon is not.
                () if handed && known == Known::New => Severity::Low,
                () if strong => Severity::Medium,
                () if broad => Severity::Low,
                () if peers => Severity::Info,
                () if !acts && !event.pii && !event.token_kind.is_broad() => Severity::Low,
                () => Severity::Medium,
            };
            let severity = if doors && !scene.is_sandbox() {
                severity
            } else {
                self.tempered(scene, severity)
            };
            // While everything is learned, nobody is told and so is this.
            alarming = (severity.is_page() || (handed && !peers)) && !scene.is_learning();
            // It was told, and nobody has said that it is right: no news.
            let news = self.is_news(scene, habit);
            let severity = if known == Known::Quarantined && !(doors && news) && (!handed || news) {
                Severity::Info
            } else {
                severity
            };
            let rule = if broad { BROAD_TOKEN } else { NEW_OPERATION };
            let text = format!(
                "{} called {} with {}, which it never did.",
                scene.profile.name,
                event.operation,
                event.token_kind.as_str()
            );
            scene.say(Sign::of(rule, call, text).severity(severity).key(habit));
        }
        self.note(scene, habit, alarming);
        if call.operation.administers && call.succeeded() && !alarming {
            self.administrations = self.administrations.saturating_add(1);
        }
    }

    /// Whether something that was told before, and not acknowledged, was not done for hours.
    fn is_news(&self, scene: &Scene<'_>, habit: u64) -> bool {
        let last = self.habits.get(habit).map_or(0, |value| value.last);
        scene.now.second.saturating_sub(last) >= AGAIN
    }

    /// Whether giving access is this caller's work.
    fn is_admin(&self) -> bool {
        self.administrations >= ADMIN
    }

    fn tempered(&self, scene: &Scene<'_>, severity: Severity) -> Severity {
        if self.is_restless(scene) || scene.is_sandbox() {
            severity.lowered()
        } else {
            severity
        }
    }

    fn watch_scopes(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let scopes = call.event.scopes;
        if scopes.is_empty() {
            return;
        }
        let mature = scene.is_mature();
        let mut worst: Option<(Severity, u64, String)> = None;
        let mut fresh = Vec::new();
        for scope in scopes.iter().take(MAX) {
            let habit = hash::pair(hash::text(scope), 0x5c0e);
            let (known, peers) = self.novelty(scene, habit);
            let mut alarming = false;
            if known != Known::Learned && mature {
                let pii = scope.contains("pii");
                let reads = scope.ends_with(":read") && !pii;
                let acts = scope.ends_with(":write") || scope.ends_with(":execute");
                let severity = match () {
                    () if reads && peers => Severity::Info,
                    () if reads => Severity::Low,
                    () if peers => Severity::Medium,
                    () if acts => Severity::High,
                    () => Severity::Medium,
                };
                let severity = self.tempered(scene, severity);
                alarming = severity.is_page() && !scene.is_learning();
                let severity = if known == Known::Quarantined && !self.is_news(scene, habit) {
                    Severity::Info
                } else {
                    severity
                };
                if worst.as_ref().is_none_or(|(most, ..)| severity > *most) {
                    let text = format!(
                        "{} asked for the scope {scope}, which it never did.",
                        scene.profile.name
                    );
                    worst = Some((severity, habit, text));
                }
            }
            fresh.push((habit, alarming));
        }
        let count = scopes.len();
        let all = scopes.iter().any(|scope| matches!(&**scope, "*" | "all"));
        let many = count >= MANY_SCOPES && count as u32 * 2 >= self.most_scopes * 3;
        if mature && (many || all) && self.most_scopes > 0 && !scene.is_learning() {
            let text = format!(
                "{} asked for {count} scopes at once; so far {} were the most.",
                scene.profile.name, self.most_scopes
            );
            let severity = self.tempered(scene, Severity::High);
            worst = Some((severity, hash::pair(count as u64, 0x5c0f), text));
            for (_, alarming) in &mut fresh {
                *alarming = severity.is_page() && *alarming;
            }
        } else {
            self.most_scopes = self.most_scopes.max(count as u32);
        }
        for (habit, alarming) in fresh {
            self.note(scene, habit, alarming);
        }
        if let Some((severity, habit, text)) = worst {
            scene.say(
                Sign::of(NEW_SCOPE, call, text)
                    .severity(severity)
                    .key(habit),
            );
        }
    }

    /// The kind of token that is minted, which the operation's name need not tell.
    fn watch_kind(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let Some(mint) = call.event.mint.filter(|_| call.minted.is_some()) else {
            return;
        };
        let habit = hash::pair(kind_of(mint.kind), 0x314d);
        let (known, _) = self.novelty(scene, habit);
        let strange = known != Known::Learned && scene.is_mature() && mint.kind.is_broad();
        let alarming = strange && !scene.is_learning();
        if strange {
            let text = format!(
                "{} minted {}, which it never did.",
                scene.profile.name,
                mint.kind.as_str()
            );
            let severity = match mint.kind {
                _ if known == Known::Quarantined && !self.is_news(scene, habit) => Severity::Info,
                _ if scene.is_sandbox() => Severity::Low,
                TokenKind::Organization => Severity::High,
                _ => Severity::Medium,
            };
            scene.say(
                Sign::of(BROAD_TOKEN, call, text)
                    .severity(severity)
                    .key(habit),
            );
        }
        self.note(scene, habit, alarming);
    }

    fn watch_life(&mut self, scene: &mut Scene<'_>, call: &Call<'_>) {
        let (Some(mint), Some(class)) = (call.event.mint, call.minted) else {
            return;
        };
        let Some(longest) = self.longest.get_mut(class.place()) else {
            return;
        };
        // A minute more is rounding; half as long again is another kind of token.
        if *longest > 0 && mint.ttl / 3 > *longest / 2 && scene.is_mature() {
            let text = format!(
                "{} was given a token for {}; so far {} was the longest.",
                scene.profile.name,
                super::super::scene::span(mint.ttl),
                super::super::scene::span(*longest)
            );
            scene.say(Sign::of(LONG_LIFE, call, text).key(u64::from(mint.ttl)));
        } else {
            *longest = (*longest).max(mint.ttl);
        }
    }
}
