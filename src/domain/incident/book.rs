//! All incidents of an installation, and who is told about them when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::case::{Case, Ending, State, StepKind};
use super::silence::{Silence, SilenceFault};
use super::{Notice, NoticeKind, Severity, Sign};
use crate::domain::detect::Mark;
use crate::types::Micros;

/// Version of the kept form.
const FORMAT: u32 = 1;
/// Closed incidents that are kept, besides the open ones.
const MAX_CLOSED: usize = 5_000;
/// Silences at a time.
const MAX_SILENCES: usize = 1_000;
/// Rises of severity that are told per incident.
const MAX_RAISES: u8 = 2;
/// Reminders per incident.
const MAX_REMINDERS: u8 = 1;

/// When incidents end and people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// From which severity on people are told.
    pub tell_from: Severity,
    /// An incident is over after so long without a sign.
    pub quiet: Duration,
    /// The same for incidents about minting: a thief may wait before he uses what he has.
    pub quiet_minting: Duration,
    /// Signs about one caller within so long are one incident, whatever they are.
    pub together: Duration,
    /// After so long people are told again about what goes on and nobody has taken.
    pub remind: Duration,
    /// Open incidents at a time. Beyond it the one that has been quiet longest is closed.
    pub max_open: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tell_from: Severity::Medium,
            quiet: Duration::from_secs(3_600),
            quiet_minting: Duration::from_secs(7_200),
            together: Duration::from_secs(1_800),
            remind: Duration::from_secs(6 * 3_600),
            max_open: 10_000,
        }
    }
}

/// What people do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Take an incident: no more reminders.
    Acknowledge {
        /// Its id.
        id: String,
    },
    /// End an incident.
    Close {
        /// Its id.
        id: String,
        /// Why, in their words.
        reason: String,
    },
    /// Tell nobody about something for a time.
    Silence(Silence),
    /// End a silence.
    Unsilence {
        /// Its number.
        number: u64,
    },
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActFault {
    /// There is no such incident, or it was forgotten.
    #[error("there is no incident {0}; `egret alert list --all` names those that are kept")]
    Unknown(String),
    /// It is over.
    #[error("incident {0} is closed already")]
    Closed(String),
    /// There is no such silence.
    #[error("there is no silence {0}; `egret alert silence --list` names them")]
    NoSilence(u64),
    /// There are too many silences.
    #[error("there are {MAX_SILENCES} silences already; end some first")]
    TooManySilences,
    /// There can be no such silence.
    #[error(transparent)]
    Silence(#[from] SilenceFault),
}

/// The kept form cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// It is no book.
    #[error("the kept incidents are damaged (line {line}, column {column})")]
    Damaged {
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// It was kept by another version.
    #[error("the kept incidents have format {found}; this version of Egret reads {FORMAT}")]
    Format {
        /// What was found.
        found: u32,
    },
}

/// Counts of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Incidents that nobody has taken.
    pub open: usize,
    /// Incidents that somebody has taken.
    pub acknowledged: usize,
    /// Silences that are on.
    pub silences: usize,
}

/// All incidents that are not forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Book {
    format: u32,
    /// Incidents opened so far.
    opened: u64,
    silences_made: u64,
    /// Open ones, oldest first.
    open: Vec<Case>,
    /// Closed ones, in the order of their closing.
    closed: Vec<Case>,
    silences: Vec<Silence>,
    /// The last alert of detection that was taken in.
    #[serde(default)]
    heard: Option<Mark>,
    #[serde(skip)]
    settings: Settings,
}

/// What became of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The incident that it belongs to.
    pub incident: String,
    /// How bad the incident is now.
    pub severity: Severity,
    /// Whether it began with this.
    pub is_new: bool,
}

impl Book {
    /// An empty book.
    pub fn new(settings: Settings) -> Self {
        Self {
            format: FORMAT,
            opened: 0,
            silences_made: 0,
            open: Vec::new(),
            closed: Vec::new(),
            silences: Vec::new(),
            heard: None,
            settings,
        }
    }

    /// Reads the kept form.
    ///
    /// # Errors
    /// It is damaged or of another version.
    pub fn load(text: &str, settings: Settings) -> Result<Self, LoadFault> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |error: serde_json::Error| LoadFault::Damaged {
            line: error.line(),
            column: error.column(),
        };
        let head: Head = serde_json::from_str(text).map_err(damaged)?;
        if head.format != FORMAT {
            return Err(LoadFault::Format { found: head.format });
        }
        let mut book: Self = serde_json::from_str(text).map_err(damaged)?;
        book.settings = settings;
        Ok(book)
    }

    /// The kept form: JSON.
    pub fn save(&self) -> String {
        // Maps have text keys and numbers are finite or null: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes in a sign of detection, unless it was taken in before: signs of a run come in the order
    /// of their numbers, and after a restart some come again.
    pub fn hear(&mut self, sign: &Sign, mark: Mark) -> Option<(Taken, Vec<Notice>)> {
        let is_known = self
            .heard
            .is_some_and(|last| last.run == mark.run && mark.number <= last.number);
        if is_known {
            return None;
        }
        self.heard = Some(mark);
        let opened = self.opened;
        let (place, notices) = self.file(sign);
        let case = self.open.get(place)?;
        let taken = Taken {
            incident: case.id.clone(),
            severity: case.severity,
            is_new: self.opened > opened,
        };
        Some((taken, notices))
    }

    /// Notes what was done about an open incident without being asked.
    pub fn note(&mut self, id: &str, note: String, at: Micros) {
        if let Some(case) = self.open.iter_mut().find(|case| case.id == id) {
            case.step(at, StepKind::Responded, "", note);
        }
    }

    /// Takes in a sign and says what is to be told. Signs come in order of time, about.
    pub fn take(&mut self, sign: &Sign) -> Vec<Notice> {
        self.file(sign).1
    }

    /// Puts a sign where it belongs: the place of its incident, and what is to be told.
    fn file(&mut self, sign: &Sign) -> (usize, Vec<Notice>) {
        let mut notices = self.tick(sign.at);
        let place = match self
            .open
            .iter()
            .rposition(|case| self.settings.is_part(case, sign))
        {
            Some(place) => {
                if let Some(case) = self.open.get_mut(place) {
                    case.add(sign);
                }
                place
            }
            None => {
                notices.extend(self.make_room(sign.at));
                self.opened += 1;
                self.open.push(Case::open(self.opened, sign));
                self.open.len() - 1
            }
        };
        let is_silent = self.silences.iter().any(|silence| silence.covers(sign));
        if let Some(case) = self.open.get_mut(place)
            && let Some(kind) = self.settings.due(case, sign.at)
        {
            if is_silent {
                let is_known = case
                    .steps
                    .iter()
                    .any(|step| step.kind == StepKind::Silenced);
                if !is_known {
                    case.step(sign.at, StepKind::Silenced, "", kind.as_str().to_owned());
                }
            } else {
                notices.push(tell(case, kind, sign.at));
            }
        }
        (place, notices)
    }

    /// Closes what has been quiet for long enough, and drops silences that are over.
    pub fn tick(&mut self, now: Micros) -> Vec<Notice> {
        self.silences.retain(|silence| silence.until > now);
        let mut notices = Vec::new();
        let mut place = 0;
        while let Some(case) = self.open.get(place) {
            let over = case.last_at.plus(self.settings.quiet_of(case));
            if now > over {
                // It ended when the quiet had lasted, not when somebody looked.
                notices.extend(self.close(place, over, Ending::Quiet, "", String::new()));
            } else {
                place += 1;
            }
        }
        notices
    }

    /// Does what somebody asks for, and says what is to be told.
    ///
    /// # Errors
    /// There is no such thing, or it is over.
    pub fn act(&mut self, act: Act, who: &str, now: Micros) -> Result<Vec<Notice>, ActFault> {
        match act {
            Act::Acknowledge { id } => {
                let place = self.place(&id)?;
                let Some(case) = self.open.get_mut(place) else {
                    return Err(ActFault::Unknown(id));
                };
                if case.state == State::Acknowledged {
                    return Ok(Vec::new());
                }
                case.state = State::Acknowledged;
                case.step(now, StepKind::Acknowledged, who, String::new());
                let is_known = case.told > 0;
                Ok(is_known
                    .then(|| tell(case, NoticeKind::Acknowledged, now))
                    .into_iter()
                    .collect())
            }
            Act::Close { id, reason } => {
                let place = self.place(&id)?;
                Ok(self
                    .close(place, now, Ending::Person, who, reason)
                    .into_iter()
                    .collect())
            }
            Act::Silence(mut silence) => {
                silence.check()?;
                if self.silences.len() >= MAX_SILENCES {
                    return Err(ActFault::TooManySilences);
                }
                self.silences_made += 1;
                silence.number = self.silences_made;
                self.silences.push(silence);
                Ok(Vec::new())
            }
            Act::Unsilence { number } => {
                let before = self.silences.len();
                self.silences.retain(|silence| silence.number != number);
                if self.silences.len() == before {
                    return Err(ActFault::NoSilence(number));
                }
                Ok(Vec::new())
            }
        }
    }

    /// Incidents, newest first: open ones, then closed ones.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.open.iter().rev().chain(self.closed.iter().rev())
    }

    /// The incident of an id.
    pub fn case(&self, id: &str) -> Option<&Case> {
        self.cases().find(|case| case.id == id)
    }

    /// Silences that are on.
    pub fn silences(&self) -> &[Silence] {
        &self.silences
    }

    /// Counts.
    pub fn figures(&self) -> Figures {
        let acknowledged = self
            .open
            .iter()
            .filter(|case| case.state == State::Acknowledged)
            .count();
        Figures {
            open: self.open.len() - acknowledged,
            acknowledged,
            silences: self.silences.len(),
        }
    }

    fn place(&self, id: &str) -> Result<usize, ActFault> {
        if let Some(place) = self.open.iter().position(|case| case.id == id) {
            return Ok(place);
        }
        if self.closed.iter().any(|case| case.id == id) {
            return Err(ActFault::Closed(id.to_owned()));
        }
        Err(ActFault::Unknown(id.to_owned()))
    }

    fn close(
        &mut self,
        place: usize,
        at: Micros,
        ending: Ending,
        who: &str,
        reason: String,
    ) -> Option<Notice> {
        if place >= self.open.len() {
            return None;
        }
        let mut case = self.open.remove(place);
        case.state = State::Closed;
        case.closed_at = Some(at);
        case.ending = Some(ending);
        case.step(at, StepKind::Closed, who, reason);
        let is_known = case.told > 0;
        let notice = is_known.then(|| tell(&mut case, NoticeKind::Closed, at));
        self.closed.push(case);
        if self.closed.len() > MAX_CLOSED {
            self.closed.remove(0);
        }
        notice
    }

    fn make_room(&mut self, now: Micros) -> Option<Notice> {
        if self.open.len() < self.settings.max_open.max(1) {
            return None;
        }
        let quietest = self
            .open
            .iter()
            .enumerate()
            .min_by_key(|(_, case)| case.last_at)?
            .0;
        self.close(quietest, now, Ending::Room, "", String::new())
    }
}

impl Settings {
    fn quiet_of(&self, case: &Case) -> Duration {
        if case.category.is_minting() {
            self.quiet_minting
        } else {
            self.quiet
        }
    }

    /// Whether a sign belongs to an incident.
    fn is_part(&self, case: &Case, sign: &Sign) -> bool {
        if let Some(cause) = sign.cause
            && !case.causes.is_empty()
        {
            // The detector knows better than names do.
            return case.causes.contains(&cause);
        }
        if case.environment != sign.environment {
            return false;
        }
        let quiet = sign.at.since(case.last_at);
        let is_same_caller = case.callers.has(&sign.caller);
        if is_same_caller && quiet <= self.together {
            return true;
        }
        let is_same_thing = case.category == sign.category || case.rules.contains_key(&sign.rule);
        let is_same_party = is_same_caller
            || case.tokens.has(&sign.token)
            || case.targets.has(&sign.target)
            || case.ips.has(&sign.ip);
        is_same_thing && is_same_party
    }

    /// Whether people are to be told after a sign, and why. Over a life these are at most one
    /// opening, two rises, one reminder, one acknowledgement and one end.
    fn due(&self, case: &Case, now: Micros) -> Option<NoticeKind> {
        if case.severity < self.tell_from {
            return None;
        }
        let (Some(told), Some(told_at)) = (case.told_severity, case.told_at) else {
            return Some(NoticeKind::Opened);
        };
        if case.severity > told && case.raises < MAX_RAISES {
            return Some(NoticeKind::Raised);
        }
        let is_late = now.since(told_at) >= self.remind;
        let is_taken = case.state == State::Acknowledged;
        (is_late && !is_taken && case.reminders < MAX_REMINDERS).then_some(NoticeKind::Reminder)
    }
}

/// Notes that people are told.
fn tell(case: &mut Case, kind: NoticeKind, at: Micros) -> Notice {
    let was = case.told_severity;
    case.told = case.told.saturating_add(1);
    case.told_severity = Some(case.severity);
    case.told_at = Some(at);
    case.raises += u8::from(kind == NoticeKind::Raised);
    case.reminders += u8::from(kind == NoticeKind::Reminder);
    case.step(at, StepKind::Told, "", kind.as_str().to_owned());
    Notice {
        kind,
        at,
        number: case.told,
        was,
        case: case.clone(),
    }
}
