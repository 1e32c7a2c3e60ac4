//! What a detector is shown, and how it says what it has found.

use super::alert::Severity;
use super::counter::{Counter, Excess, Moment, Test, Window};
use super::event::{Answer, Environment, Event};
use super::operation::Operation;
use super::place::Place;
use super::profile::{MATURE, Novelty, Profile};
use super::rows::{Subject, Token};
use super::rules::Rule;
use super::settings::Settings;
use super::table::Table;
use super::tenant::Tenant;

/// Which tokens are minted: those of customers are judged by the customer's calls, all others
/// (bank, organization, login, session) by their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Customer,
    Service,
}

impl Class {
    pub(super) fn place(self) -> usize {
        match self {
            Self::Customer => 0,
            Self::Service => 1,
        }
    }
}

/// A call with what the engine knows of it. Rows are as they were before it.
pub(super) struct Call<'a> {
    pub event: &'a Event<'a>,
    pub operation: Operation,
    pub operation_hash: u64,
    pub answer: Answer,
    pub place: Place,
    /// Hash of its network; 0 if there is no address.
    pub network: u64,
    pub novelty: Novelty,
    /// Key of the subject; 0 if there is none.
    pub subject_key: u64,
    pub subject: Option<Subject>,
    pub token: Option<Token>,
    /// The class of the token that it minted, if it did.
    pub minted: Option<Class>,
    /// The provider, as `Tenant::is_unsettled` wants it.
    pub provider: u64,
    /// Sixteen bits of its credential, never 0; 0 if there is none.
    pub key_tag: u16,
    /// The caller's number.
    pub caller: u16,
    /// The caller is in an environment that it did not use before, but uses the other.
    pub strayed: bool,
}

impl Call<'_> {
    /// Whether the bank did what was asked.
    pub(super) fn succeeded(&self) -> bool {
        self.answer == Answer::Success
    }
}

/// How a minted token was used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub class: Class,
    /// 40 seconds after the mint, or after five minutes.
    pub early: bool,
    pub uses: u8,
    pub dormant: bool,
    /// The customer was never seen before.
    pub unknown: bool,
    /// The record of the mint.
    pub id: u128,
}

/// What a detector has found.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub rule: &'static Rule,
    pub severity: Severity,
    /// The network, grantee or habit that it is about; 0 if it is about the caller as such.
    pub key: u64,
    pub text: String,
    pub excess: Option<(Excess, f64)>,
    pub calls: Vec<u128>,
    /// Whether the event's address, subject, token and target belong into the alert.
    pub of_event: bool,
}

impl Sign {
    /// About the call that is looked at.
    pub(super) fn of(rule: &'static Rule, call: &Call<'_>, text: String) -> Self {
        Self {
            rule,
            severity: rule.severity,
            key: 0,
            text,
            excess: None,
            calls: vec![call.event.id],
            of_event: true,
        }
    }

    /// About a count.
    pub(super) fn counted(
        rule: &'static Rule,
        excess: Excess,
        nats: f64,
        calls: &[u128],
        text: String,
    ) -> Self {
        Self {
            rule,
            severity: rule.severity,
            key: 0,
            text,
            excess: Some((excess, nats)),
            calls: calls.to_vec(),
            of_event: true,
        }
    }

    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    pub(super) fn key(mut self, key: u64) -> Self {
        self.key = key;
        self
    }

    pub(super) fn without_event(mut self) -> Self {
        self.of_event = false;
        self
    }
}

/// The surroundings of a call or a judgement.
pub(super) struct Scene<'a> {
    pub now: Moment,
    pub profile: &'a mut Profile,
    pub tenant: &'a mut Tenant,
    /// Tokens as they are known before the call.
    pub tokens: &'a Table<Token>,
    pub settings: &'a Settings,
    pub signs: &'a mut Vec<Sign>,
    /// Expectations are multiplied by it: 2 while a provider comes back from trouble.
    pub slack: f64,
}

/// Days until a week was seen once: nothing that is counted is too much before.
const FIRST_WEEK: u32 = 8;

/// What a counting rule asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<'a> {
    pub rule: &'static Rule,
    pub windows: &'a [Window],
    pub n_min: f64,
    pub ratio: f64,
    /// The expectation is multiplied by this.
    pub factor: f64,
}

impl Scene<'_> {
    pub(super) fn say(&mut self, sign: Sign) {
        self.signs.push(sign);
    }

    pub(super) fn is_sandbox(&self) -> bool {
        self.profile.environment == Environment::Sandbox
    }

    /// Whether the tenant is still being learned.
    pub(super) fn is_learning(&self) -> bool {
        !self
            .tenant
            .has_watched(self.settings.learning_days, self.now.second)
    }

    /// Whether enough is known of the caller.
    pub(super) fn is_mature(&self) -> bool {
        self.profile.is_mature(self.now.second)
            && self.tenant.age(self.now.second) >= MATURE.min(self.settings.learning_days * 86_400)
    }

    /// Tests a count. Nothing is counted as too much in the first three days, and only what is far
    /// too much while the tenant is learned. What was too much is taken out of the counter.
    pub(super) fn test(
        &mut self,
        counter: &mut Counter,
        count: &Count<'_>,
    ) -> Option<(Excess, f64)> {
        self.test_above(counter, count, |_| 0.0)
    }

    /// The same where at least `floor` is to be expected in a window, whatever was learned.
    pub(super) fn test_above(
        &mut self,
        counter: &mut Counter,
        count: &Count<'_>,
        floor: impl FnMut(Window) -> f64,
    ) -> Option<(Excess, f64)> {
        let found = self.look_above(counter, count, floor)?;
        // While everything is learned, so is this: it may well be the first pay day.
        if count.rule.from_start || !self.is_learning() {
            counter.consume(found.0.window);
        }
        Some(found)
    }

    /// The same, and the counter stays as it is.
    pub(super) fn look(&self, counter: &mut Counter, count: &Count<'_>) -> Option<(Excess, f64)> {
        self.look_above(counter, count, |_| 0.0)
    }

    pub(super) fn look_above(
        &self,
        counter: &mut Counter,
        count: &Count<'_>,
        mut floor: impl FnMut(Window) -> f64,
    ) -> Option<(Excess, f64)> {
        let early = self.is_learning() && !self.tenant.has_watched(FIRST_WEEK, self.now.second);
        if !count.rule.from_start && (early || !self.is_mature()) {
            return None;
        }
        let own = self.settings.of(count.rule).sensitivity;
        let sensitivity = own.unwrap_or(self.settings.sensitivity);
        let strict = if !count.rule.from_start && self.is_learning() {
            2.5
        } else {
            1.0
        };
        let nats = count.rule.nats * sensitivity.factor() * strict;
        let excess = count.windows.iter().find_map(|window| {
            let test = Test {
                window: *window,
                n_min: count.n_min * strict,
                ratio: count.ratio * if strict > 1.0 { 1.5 } else { 1.0 },
                nats,
                factor: count.factor * self.slack,
                born: self.profile.born(),
            };
            counter.test(self.now, &test, &mut floor)
        })?;
        Some((excess, nats))
    }
}

/// A span in words for texts.
pub(super) fn span(seconds: u32) -> String {
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7199 => format!("{} minutes", seconds / 60),
        7200..=172_799 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// "23 in 10 minutes, where 1.4 were to be expected".
pub(super) fn measure(excess: &Excess) -> String {
    format!(
        "{} in {}, where {:.1} were to be expected",
        excess.count,
        span(excess.window.seconds()),
        excess.expected
    )
}
