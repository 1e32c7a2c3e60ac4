//! What is done about incidents without being asked: nothing, unless an operator has said so for the
//! rule that shows one, and then no more than he has said.
//!
//! A response is a lock with an end, placed as a person would place it. It is decided here from
//! what detection says; placing it is the business of `app`.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::{Action, Responses};
use super::incident::{Sign, Taken};
use super::lockdown::LockTarget;
use super::record::Fingerprint;
use crate::types::Micros;

/// Who places these locks.
pub const BY: &str = "egret-detection";
/// Over which time responses are counted.
const HOUR: Duration = Duration::from_secs(3_600);
/// What was seen longer ago than this is not responded to: after a pause detection catches up with
/// what is over.
const STALE: Duration = Duration::from_secs(600);

/// A lock that is to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What.
    pub target: LockTarget,
    /// For how long.
    pub lasts: Duration,
    /// Why, for people.
    pub reason: String,
    /// The incident that it is for.
    pub incident: String,
    /// The rule that asks for it.
    pub rule: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Nothing,
    /// This.
    Do(Plan),
    /// This would be done, were it not a dry run.
    Would(Plan),
    /// This is not done, for a reason that people should know.
    Not(Plan, &'static str),
}

/// What was done lately.
#[derive(Debug)]
pub struct Responding {
    settings: Responses,
    /// When, oldest first; at most as many as may be within an hour.
    done: VecDeque<Micros>,
    /// What is locked already, and until when.
    locked: Vec<(LockTarget, Micros)>,
}

impl Responding {
    /// Nothing was done so far.
    #[must_use]
    pub fn new(settings: Responses) -> Self {
        Self {
            settings,
            done: VecDeque::new(),
            locked: Vec::new(),
        }
    }

    /// Whether a rule asks for a response.
    #[must_use]
    pub fn is_wanted_by(&self, rule: &str) -> bool {
        self.settings.by_rule.contains_key(rule)
    }

    /// Remembers a response of an earlier process or of another node: it counts.
    pub fn remember(&mut self, target: LockTarget, placed_at: Micros, until: Micros) {
        if !self.locked.iter().any(|(known, _)| *known == target) {
            self.done.push_back(placed_at);
            self.done.make_contiguous().sort_unstable();
            self.locked.push((target, until));
        }
    }

    /// Decides what is done about a sign, and counts on its being done.
    pub fn decide(&mut self, sign: &Sign, taken: &Taken, now: Micros) -> Decision {
        let Some(response) = self.settings.by_rule.get(&*sign.rule) else {
            return Decision::Nothing;
        };
        if taken.severity < response.from || now.since(sign.at) > STALE {
            return Decision::Nothing;
        }
        let never = &self.settings.never;
        let is_spared = never.iter().any(|name| **name == *sign.caller);
        let target = match response.action {
            Action::Throttle { calls_per_minute } => {
                LockTarget::throttle(&sign.caller, calls_per_minute)
            }
            Action::LockCaller => LockTarget::parse(&format!("caller:{}", sign.caller)).ok(),
            Action::LockToken => Fingerprint::parse_hex(&sign.token).map(LockTarget::Token),
        };
        // A rule that looks at many calls names no token, and a stranger has no name.
        let Some(target) = target else {
            return Decision::Nothing;
        };
        let plan = Plan {
            target,
            lasts: response.lasts,
            reason: format!("{}: {} shows {}", taken.incident, sign.rule, sign.category),
            incident: taken.incident.clone(),
            rule: sign.rule.clone(),
        };
        self.locked.retain(|(_, until)| *until > now);
        if self.locked.iter().any(|(locked, _)| *locked == plan.target) {
            return Decision::Nothing;
        }
        if is_spared {
            return Decision::Not(plan, "nothing is done to this caller: it is under `never`");
        }
        while self.done.front().is_some_and(|at| now.since(*at) >= HOUR) {
            self.done.pop_front();
        }
        if self.done.len() >= self.settings.max_per_hour {
            return Decision::Not(
                plan,
                "there were as many responses within an hour as there may be",
            );
        }
        self.done.push_back(now);
        self.locked
            .push((plan.target.clone(), now.plus(plan.lasts)));
        if self.settings.dry_run {
            Decision::Would(plan)
        } else {
            Decision::Do(plan)
        }
    }

    /// What was planned could not be done: the next sign may ask again.
    pub fn failed(&mut self, plan: &Plan) {
        self.locked.retain(|(target, _)| *target != plan.target);
        self.done.pop_back();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::config::Response;
    use crate::domain::incident::{Category, Severity};

    const NOW: Micros = Micros::from_secs(1_795_305_338);

    fn settings(action: Action) -> Responses {
        let response = Response {
            action,
            lasts: Duration::from_secs(900),
            from: Severity::High,
        };
        Responses {
            dry_run: false,
            max_per_hour: 2,
            never: vec!["core".into()],
            by_rule: BTreeMap::from([("token-moved", response)]),
        }
    }

    fn sign(caller: &str, at: Micros) -> Sign {
        Sign {
            at,
            since: at,
            rule: "token-moved".into(),
            category: Category::TokenReplay,
            severity: Severity::High,
            cause: Some(1),
            environment: "production".into(),
            caller: caller.into(),
            ip: String::new(),
            subject: String::new(),
            token: "00112233445566778899aabbccddeeff".into(),
            target: String::new(),
            baseline: None,
            calls: Vec::new(),
            sentence: String::new(),
        }
    }

    fn taken(severity: Severity) -> Taken {
        Taken {
            incident: "inc-20261122-0001".into(),
            severity,
            is_new: true,
        }
    }

    fn decide(responding: &mut Responding, caller: &str, now: Micros) -> String {
        match responding.decide(&sign(caller, now), &taken(Severity::High), now) {
            Decision::Nothing => "nothing".into(),
            Decision::Do(plan) => format!("do {}", plan.target),
            Decision::Would(plan) => format!("would {}", plan.target),
            Decision::Not(plan, _) => format!("not {}", plan.target),
        }
    }

    #[test]
    fn a_rule_does_what_it_was_told_to_do() {
        for (action, expected) in [
            (Action::LockCaller, "do caller:app"),
            (
                Action::LockToken,
                "do token:00112233445566778899aabbccddeeff",
            ),
            (
                Action::Throttle {
                    calls_per_minute: 5,
                },
                "do throttle:5/app",
            ),
        ] {
            let mut responding = Responding::new(settings(action));
            assert_eq!(decide(&mut responding, "app", NOW), expected);
            assert_eq!(decide(&mut responding, "app", NOW), "nothing", "once");
        }
    }

    #[test]
    fn nothing_is_done_that_was_not_asked_for() {
        let mut responding = Responding::new(settings(Action::LockCaller));
        let mut other = sign("app", NOW);
        other.rule = "volume".into();
        let high = taken(Severity::High);
        assert_eq!(responding.decide(&other, &high, NOW), Decision::Nothing);
        let milder = responding.decide(&sign("app", NOW), &taken(Severity::Medium), NOW);
        assert_eq!(milder, Decision::Nothing);
        let old = sign("app", Micros(NOW.0 - 601_000_000));
        assert_eq!(responding.decide(&old, &high, NOW), Decision::Nothing);
        let stranger = responding.decide(&sign("", NOW), &high, NOW);
        assert_eq!(stranger, Decision::Nothing);
        assert_eq!(decide(&mut responding, "core", NOW), "not caller:core");
    }

    #[test]
    fn a_false_alarm_cannot_stop_a_company() {
        let mut responding = Responding::new(settings(Action::LockCaller));
        let at = |second| NOW.plus(Duration::from_secs(second));
        responding.remember(LockTarget::parse("caller:z").unwrap(), NOW, at(900));
        let said: Vec<_> = [("a", 1), ("b", 2), ("a", 902), ("z", 3_600), ("b", 3_601)]
            .map(|(caller, second)| decide(&mut responding, caller, at(second)))
            .into();
        assert_eq!(
            said,
            [
                "do caller:a",
                "not caller:b",
                "not caller:a",
                "do caller:z",
                "do caller:b"
            ]
        );
    }

    #[test]
    fn what_failed_may_be_tried_again() {
        let mut responding = Responding::new(settings(Action::LockCaller));
        let Decision::Do(plan) = responding.decide(&sign("app", NOW), &taken(Severity::High), NOW)
        else {
            panic!("nothing was planned");
        };
        responding.failed(&plan);
        assert_eq!(decide(&mut responding, "app", NOW), "do caller:app");
    }

    #[test]
    fn a_dry_run_only_says_so() {
        let mut settings = settings(Action::LockCaller);
        settings.dry_run = true;
        let mut responding = Responding::new(settings);
        assert_eq!(decide(&mut responding, "app", NOW), "would caller:app");
    }
}
