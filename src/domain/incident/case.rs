//! One incident.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Baseline, Category, Severity, Sign};
use crate::types::Micros;

/// Identifiers of one sort that are kept; how many there were is counted.
const MAX_NAMES: usize = 50;
/// Calls that are kept by their ids: enough for an investigation to start from, 36 bytes each.
const MAX_CALLS: usize = 1_000;
/// Steps of its life that are kept; the first stay.
const MAX_STEPS: usize = 100;
/// Causes of the detector's that are kept.
const MAX_CAUSES: usize = 64;
/// Signs that are kept whole, for explanations; about a kilobyte each.
const MAX_SIGNS: usize = 20;
/// Longest sentence that is kept, in bytes.
const MAX_SENTENCE: usize = 500;

/// Where in its life it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Going on, and nobody has taken it.
    Open,
    /// Going on, and somebody has taken it.
    Acknowledged,
    /// Over.
    Closed,
}

impl State {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// No sign for long enough.
    Quiet,
    /// Somebody closed it.
    Person,
    /// There were too many open ones, and this one had been quiet longest.
    Room,
}

impl Ending {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Person => "closed by a person",
            Self::Room => "closed to make room",
        }
    }
}

/// Identifiers of one sort, the first of them, and how often each was named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The first ones, in order of appearance.
    pub first: Vec<String>,
    /// Whether there were more than are kept.
    pub more: bool,
}

impl Names {
    fn add(&mut self, name: &str) {
        if name.is_empty() || self.first.iter().any(|known| known == name) {
            return;
        }
        if self.first.len() < MAX_NAMES {
            self.first.push(name.to_owned());
        } else {
            self.more = true;
        }
    }

    /// Whether it is among those kept.
    pub fn has(&self, name: &str) -> bool {
        !name.is_empty() && self.first.iter().any(|known| known == name)
    }

    /// The first one.
    pub fn one(&self) -> Option<&str> {
        self.first.first().map(String::as_str)
    }
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It was opened.
    Opened,
    /// Another rule showed it.
    Rule,
    /// It became worse.
    Raised,
    /// Somebody was told.
    Told,
    /// Nobody was told, because of a silence.
    Silenced,
    /// Something was done about it without being asked, or would have been.
    Responded,
    /// Somebody took it.
    Acknowledged,
    /// It ended.
    Closed,
}

/// A step of its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Micros,
    /// What.
    pub kind: StepKind,
    /// Who did it, for what people do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub who: String,
    /// Rule, severity, reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its number in this book, from 1.
    pub number: u64,
    /// Its name, such as `inc-20261122-0017`: the day it was opened (UTC), and its number.
    pub id: String,
    /// Where in its life it is.
    pub state: State,
    /// How bad.
    pub severity: Severity,
    /// What sort of thing: that of its worst sign.
    pub category: Category,
    /// What happened, in one sentence: that of its worst sign.
    pub sentence: String,
    /// When what it is about began.
    pub since: Micros,
    /// When it was opened.
    pub opened_at: Micros,
    /// When there was a sign of it last.
    pub last_at: Micros,
    /// When it ended.
    pub closed_at: Option<Micros>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// `production`, `sandbox`, or empty.
    pub environment: String,
    /// Rules that showed it, with how often.
    pub rules: BTreeMap<String, u64>,
    /// Signs of it.
    pub signs: u64,
    /// Services.
    pub callers: Names,
    /// Addresses.
    pub ips: Names,
    /// Pseudonyms of customers and accounts.
    pub subjects: Names,
    /// Fingerprints of tokens.
    pub tokens: Names,
    /// Grantees.
    pub targets: Names,
    /// The baseline that was broken, by the worst sign that had one.
    pub baseline: Option<Baseline>,
    /// The signs themselves, the first of each rule before all others; in order of time.
    #[serde(default)]
    pub told_by: Vec<Sign>,
    /// Ids of calls behind it, oldest first.
    pub calls: Vec<String>,
    /// How many calls were named in all.
    pub calls_named: u64,
    /// What happened to it.
    pub steps: Vec<Step>,
    /// Notices given so far.
    pub told: u8,
    /// How bad it was when somebody was told last.
    pub told_severity: Option<Severity>,
    /// When somebody was told last.
    pub told_at: Option<Micros>,
    /// Causes of the detector's that belong to it.
    pub(super) causes: Vec<u64>,
    /// Rises that were told.
    pub(super) raises: u8,
    /// Reminders that were given.
    pub(super) reminders: u8,
}

impl Case {
    pub(super) fn open(number: u64, sign: &Sign) -> Self {
        let mut case = Self {
            number,
            id: name(number, sign.at),
            state: State::Open,
            severity: sign.severity,
            category: sign.category,
            sentence: String::new(),
            since: sign.since.min(sign.at),
            opened_at: sign.at,
            last_at: sign.at,
            closed_at: None,
            ending: None,
            environment: sign.environment.clone(),
            rules: BTreeMap::new(),
            signs: 0,
            callers: Names::default(),
            ips: Names::default(),
            subjects: Names::default(),
            tokens: Names::default(),
            targets: Names::default(),
            baseline: None,
            told_by: Vec::new(),
            calls: Vec::new(),
            calls_named: 0,
            steps: Vec::new(),
            told: 0,
            told_severity: None,
            told_at: None,
            causes: Vec::new(),
            raises: 0,
            reminders: 0,
        };
        case.step(sign.at, StepKind::Opened, "", sign.rule.clone());
        case.add(sign);
        case
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// How long it has lasted.
    pub fn lasted(&self) -> Duration {
        self.closed_at
            .unwrap_or(self.last_at)
            .max(self.last_at)
            .since(self.since)
    }

    /// Takes in a sign.
    pub(super) fn add(&mut self, sign: &Sign) {
        let is_first = self.signs == 0;
        self.signs += 1;
        self.last_at = self.last_at.max(sign.at);
        self.since = self.since.min(sign.since);
        let times = self.rules.entry(sign.rule.clone()).or_default();
        *times += 1;
        if *times == 1 && !is_first {
            self.step(sign.at, StepKind::Rule, "", sign.rule.clone());
        }
        if sign.severity > self.severity && !is_first {
            let note = format!("{} to {}", self.severity.as_str(), sign.severity.as_str());
            self.step(sign.at, StepKind::Raised, "", note);
        }
        if sign.severity > self.severity || is_first {
            self.severity = sign.severity;
            self.category = sign.category;
            self.sentence = sentence(sign);
            self.baseline = sign.baseline.or(self.baseline);
        }
        self.baseline = self.baseline.or(sign.baseline);
        for (names, name) in [
            (&mut self.callers, &sign.caller),
            (&mut self.ips, &sign.ip),
            (&mut self.subjects, &sign.subject),
            (&mut self.tokens, &sign.token),
            (&mut self.targets, &sign.target),
        ] {
            names.add(name);
        }
        self.keep(sign);
        self.calls_named += sign.calls.len() as u64;
        for call in &sign.calls {
            if self.calls.len() < MAX_CALLS && !self.calls.contains(call) {
                self.calls.push(call.clone());
            }
        }
        if let Some(cause) = sign.cause
            && !self.causes.contains(&cause)
            && self.causes.len() < MAX_CAUSES
        {
            self.causes.push(cause);
        }
    }

    /// Keeps a sign whole. Where there is no room, the last of a rule that is kept several times gives
    /// way to the first of another.
    fn keep(&mut self, sign: &Sign) {
        if self.told_by.len() >= MAX_SIGNS {
            let kept = |rule: &str| self.told_by.iter().filter(|kept| kept.rule == rule).count();
            if kept(&sign.rule) > 0 {
                return;
            }
            let Some(place) = self.told_by.iter().rposition(|one| kept(&one.rule) > 1) else {
                return;
            };
            self.told_by.remove(place);
        }
        let mut sign = sign.clone();
        sign.sentence = clean(&sign.sentence);
        self.told_by.push(sign);
    }

    pub(super) fn step(&mut self, at: Micros, kind: StepKind, who: &str, note: String) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push(Step {
                at,
                kind,
                who: who.to_owned(),
                note,
            });
        }
    }
}

/// The name of an incident.
fn name(number: u64, at: Micros) -> String {
    let days = at.0.div_euclid(86_400_000_000);
    let date = i32::try_from(days)
        .ok()
        .and_then(|days| {
            jiff::civil::Date::constant(1970, 1, 1)
                .checked_add(jiff::Span::new().try_days(days).ok()?)
                .ok()
        })
        .map_or_else(
            || "00000000".to_owned(),
            |date| date.strftime("%Y%m%d").to_string(),
        );
    format!("inc-{date}-{number:04}")
}

/// One plain sentence: the detector's, or one made from what it named.
fn sentence(sign: &Sign) -> String {
    let given = sign.sentence.trim();
    if !given.is_empty() {
        return clean(given);
    }
    let who = match (sign.caller.as_str(), sign.ip.as_str()) {
        ("", "") => "Somebody".to_owned(),
        ("", ip) => ip.to_owned(),
        (caller, "") => caller.to_owned(),
        (caller, ip) => format!("{caller} at {ip}"),
    };
    let mut text = format!("{who} {}", sign.category.phrase());
    if let Some(baseline) = sign.baseline {
        text.push_str(&format!(
            ": {} in {}, where {} are usual",
            amount(baseline.count),
            span(baseline.window_s),
            amount(baseline.expected)
        ));
    }
    text.push('.');
    clean(&text)
}

/// One line of bounded length, without control characters.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_SENTENCE));
    for c in text.chars() {
        if out.len() + c.len_utf8() > MAX_SENTENCE {
            out.push('…');
            break;
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

/// A count for people: no decimals from ten on.
pub(super) fn amount(number: f64) -> String {
    if number >= 10.0 || number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.1}")
    }
}

/// A window for people.
pub(super) fn span(seconds: u32) -> String {
    match seconds {
        1 => "a second".to_owned(),
        60 => "a minute".to_owned(),
        3_600 => "an hour".to_owned(),
        86_400 => "a day".to_owned(),
        _ if seconds >= 3_600 && seconds.is_multiple_of(3_600) => {
            format!("{} hours", seconds / 3_600)
        }
        _ if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}
