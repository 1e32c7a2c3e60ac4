//! From signs to alerts: what belongs together, and when somebody is called again.

use serde::{Deserialize, Serialize};

use super::alert::Severity;
use super::hash;
use super::rules::{Family, RULES};
use super::scene::Sign;
use super::seen::{DAY, Known, ManySeen};

/// Signs of different families on one caller within so many seconds are one thing.
const TOGETHER: u32 = 30 * 60;
/// An incident is over so many seconds after its last sign.
const OVER: u32 = 60 * 60;
/// What is done with minted tokens takes longer.
const OVER_MINT: u32 = 120 * 60;
/// Somebody is called again after so many seconds, and each further time four times later.
const AGAIN: u32 = 6 * 3600;
/// Severity may call again at most so often.
const MOST_RISES: u8 = 2;
/// Incidents that are remembered.
const MOST: usize = 10_000;

/// One thing that happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Incident {
    number: u64,
    caller: u16,
    /// Families and rules that showed it, as bits.
    families: u32,
    rules: u64,
    /// Networks, grantees and habits that it is about.
    keys: Vec<u64>,
    /// When it began, in milliseconds since 1970.
    since: i64,
    last: u32,
    /// The record that showed the last new family.
    call: u128,
    severity: Severity,
    /// When somebody was called last; 0 if nobody was.
    paged: u32,
    pages: u8,
    rises: u8,
    signs: u32,
}

/// Networks and the like that an incident remembers.
const MOST_KEYS: usize = 64;

/// All incidents that are not long over.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Incidents {
    open: Vec<Incident>,
    count: u64,
    notices: ManySeen,
    pruned: u32,
}

/// What is to be told of a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub severity: Severity,
    pub incident: u64,
    pub signs: u32,
    pub since: i64,
}

fn bit(family: Family) -> u32 {
    1 << (family as u32)
}

fn rule_bit(sign: &Sign) -> u64 {
    let place = RULES.iter().position(|rule| rule.name == sign.rule.name);
    1 << place.unwrap_or(63).min(63)
}

impl Incident {
    fn over(&self) -> u32 {
        if self.families & bit(Family::Mint) != 0 {
            OVER_MINT
        } else {
            OVER
        }
    }

    /// How long somebody is not called again about the same.
    fn pause(&self) -> u32 {
        AGAIN << (2 * u32::from(self.pages.saturating_sub(1).min(2)))
    }

    fn is_about(&self, sign: &Sign) -> bool {
        sign.key == 0 || self.keys.is_empty() || self.keys.contains(&sign.key)
    }

    fn takes(&self, sign: &Sign, caller: u16, now: u32) -> bool {
        let quiet = now.saturating_sub(self.last);
        let family = self.families & bit(sign.rule.family) != 0;
        if self.caller != caller {
            // A new data centre shows itself through every service at once.
            let origin = sign.rule.family == Family::Origin && family;
            return origin && sign.key != 0 && self.keys.contains(&sign.key) && quiet <= OVER;
        }
        if quiet <= TOGETHER {
            return true;
        }
        if !family || !self.is_about(sign) {
            return false;
        }
        let same_rule = self.rules & rule_bit(sign) != 0;
        let paused = self.paged > 0 && now.saturating_sub(self.paged) < self.pause();
        quiet <= self.over() || (same_rule && paused && quiet < AGAIN)
    }
}

impl Incidents {
    /// Files a sign and says what is to be told, if anything. Several notices together call somebody
    /// only where they are `raisable`: not in a sandbox.
    pub(super) fn file(
        &mut self,
        sign: &Sign,
        severity: Severity,
        caller: u16,
        raisable: bool,
        at: i64,
        now: u32,
    ) -> Option<Told> {
        self.prune(now);
        if severity == Severity::Info {
            return self.notice(sign, caller, at, now);
        }
        let found = self
            .open
            .iter()
            .rposition(|incident| incident.takes(sign, caller, now));
        let Some(incident) = found.and_then(|at| self.open.get_mut(at)) else {
            return Some(self.begin(sign, severity, caller, at, now));
        };
        let together = now.saturating_sub(incident.last) <= TOGETHER;
        let new_family = incident.families & bit(sign.rule.family) == 0;
        let new_rule = incident.rules & rule_bit(sign) == 0;
        // Two things seen in one and the same call are one thing.
        let call = sign.calls.last().copied().unwrap_or_default();
        let same_call = call != 0 && call == incident.call;
        let raises = new_family && together && !same_call;
        let severity = match severity {
            // Seen in another way, it is surer than either way alone.
            page if raises && page.is_page() => page.max(incident.severity).raised(),
            low if raises && raisable => low.raised(),
            as_it_is => as_it_is,
        };
        if !same_call {
            incident.families |= bit(sign.rule.family);
        }
        if raises {
            incident.call = call;
        }
        incident.rules |= rule_bit(sign);
        incident.last = now;
        incident.signs = incident.signs.saturating_add(1);
        if sign.key != 0 && !incident.keys.contains(&sign.key) && incident.keys.len() < MOST_KEYS {
            incident.keys.push(sign.key);
        }
        let first = severity.is_page() && incident.paged == 0;
        let rises =
            severity.is_page() && severity > incident.severity && incident.rises < MOST_RISES;
        let again = severity.is_page() && now.saturating_sub(incident.paged) >= incident.pause();
        let told = Told {
            severity: incident.severity.max(severity),
            incident: incident.number,
            signs: incident.signs,
            since: incident.since,
        };
        if first || rises || again {
            incident.rises += u8::from(rises && !first);
            incident.pages = incident.pages.saturating_add(u8::from(first || again));
            incident.paged = now;
            incident.severity = incident.severity.max(severity);
            return Some(told);
        }
        new_rule.then_some(Told {
            severity: Severity::Info,
            ..told
        })
    }

    fn begin(&mut self, sign: &Sign, severity: Severity, caller: u16, at: i64, now: u32) -> Told {
        if self.open.len() >= MOST {
            self.open.remove(0);
        }
        self.count += 1;
        let page = severity.is_page();
        self.open.push(Incident {
            number: self.count,
            caller,
            families: bit(sign.rule.family),
            rules: rule_bit(sign),
            keys: if sign.key == 0 {
                Vec::new()
            } else {
                vec![sign.key]
            },
            since: at,
            last: now,
            call: sign.calls.last().copied().unwrap_or_default(),
            severity,
            paged: if page { now } else { 0 },
            pages: u8::from(page),
            rises: 0,
            signs: 1,
        });
        Told {
            severity,
            incident: self.count,
            signs: 1,
            since: at,
        }
    }

    /// Something to be told in passing, once a day.
    fn notice(&mut self, sign: &Sign, caller: u16, at: i64, now: u32) -> Option<Told> {
        let key = hash::pair(hash::pair(rule_bit(sign), sign.key), u64::from(caller));
        let known = self.notices.known(key, now, DAY) == Known::Learned;
        if known {
            return None;
        }
        self.notices.note(key, now, false);
        Some(Told {
            severity: Severity::Info,
            incident: 0,
            signs: 1,
            since: at,
        })
    }

    fn prune(&mut self, now: u32) {
        if now.saturating_sub(self.pruned) < 600 {
            return;
        }
        self.pruned = now;
        self.open.retain(|incident| {
            let quiet = now.saturating_sub(incident.last);
            let paused =
                incident.paged > 0 && now.saturating_sub(incident.paged) < incident.pause();
            quiet <= OVER_MINT || paused
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::{FAILED_AUTHENTICATION, NEW_ORIGIN, THIN_MINTS};
    use super::*;

    fn sign(rule: &'static super::super::rules::Rule, key: u64) -> Sign {
        Sign {
            rule,
            severity: rule.severity,
            key,
            text: String::new(),
            excess: None,
            calls: Vec::new(),
            of_event: false,
        }
    }

    /// A caller of the sandbox.
    const SANDBOX: u16 = 9;

    /// What is told of signs (rule, key, caller, severity, minute).
    fn told(
        signs: &[(&'static super::super::rules::Rule, u64, u16, Severity, u32)],
    ) -> Vec<Option<Severity>> {
        let mut incidents = Incidents::default();
        signs
            .iter()
            .map(|(rule, key, caller, severity, minute)| {
                let now = 1_000_000 + minute * 60;
                let told = incidents.file(
                    &sign(rule, *key),
                    *severity,
                    *caller,
                    *caller != SANDBOX,
                    i64::from(now) * 1000,
                    now,
                );
                told.map(|told| told.severity)
            })
            .collect()
    }

    use Severity::{Critical, High, Low, Medium};

    #[test]
    fn one_cause_is_told_once_and_again_after_hours() {
        let one = |minute| (THIN_MINTS, 0, 1, Medium, minute);
        assert_eq!(
            told(&[
                one(0),
                one(5),
                one(100),
                one(359),
                one(361),
                one(700),
                one(1000),
                one(1300),
                one(1700),
                one(1802),
                one(2200)
            ]),
            [
                Some(Medium),
                None,
                None,
                None,
                Some(Medium),
                None,
                None,
                None,
                Some(Medium),
                None,
                Some(Medium)
            ]
        );
    }

    #[test]
    fn two_families_together_matter_more() {
        assert_eq!(
            told(&[
                (THIN_MINTS, 0, 1, Medium, 0),
                (NEW_ORIGIN, 7, 1, Medium, 10),
                (FAILED_AUTHENTICATION, 7, 1, Medium, 20),
                (NEW_ORIGIN, 9, 1, Medium, 21),
            ]),
            [Some(Medium), Some(High), Some(Critical), None]
        );
        assert_eq!(
            told(&[
                (THIN_MINTS, 0, 1, Low, 0),
                (NEW_ORIGIN, 7, 1, Low, 10),
                (NEW_ORIGIN, 7, 1, High, 12)
            ]),
            [Some(Low), Some(Medium), Some(High)]
        );
        assert_eq!(
            told(&[(THIN_MINTS, 0, 1, High, 0), (NEW_ORIGIN, 7, 1, High, 10)]),
            [Some(High), Some(Critical)]
        );
    }

    #[test]
    fn notices_of_a_sandbox_stay_notices() {
        let signs = |caller| {
            told(&[
                (THIN_MINTS, 0, caller, Low, 0),
                (NEW_ORIGIN, 7, caller, Low, 10),
            ])
        };
        assert_eq!(signs(1), [Some(Low), Some(Medium)]);
        assert_eq!(signs(SANDBOX), [Some(Low), Some(Severity::Info)]);
    }

    #[test]
    fn different_callers_are_different_things_unless_all_have_moved() {
        assert_eq!(
            told(&[
                (THIN_MINTS, 0, 1, Medium, 0),
                (THIN_MINTS, 0, 2, Medium, 1),
                (NEW_ORIGIN, 7, 3, Medium, 2),
                (NEW_ORIGIN, 7, 4, Medium, 3),
                (NEW_ORIGIN, 8, 5, Medium, 3),
            ]),
            [Some(Medium), Some(Medium), Some(Medium), None, Some(Medium)]
        );
    }
}
