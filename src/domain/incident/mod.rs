//! Incidents: what detectors say about one cause, as one thing with a life.
//!
//! A [`Book`] is handed [signs](Sign) in order of time and says which [notices](Notice) are due.
//! It opens an incident, gathers what belongs to it, closes it when it has been quiet for long
//! enough, and lets people acknowledge, close and silence. Nothing here reads a clock: time is
//! that of the signs and of [`Book::tick`]. The whole state is plain data that can be kept as
//! JSON, so that a restart neither forgets nor repeats.
//!
//! It does not detect, and it does not send: that is `detect` and `notify`.

mod book;
mod case;
mod category;
mod heard;
mod runbook;
mod shared;
mod silence;
#[cfg(test)]
mod tests;
pub(in crate::domain) mod text;
mod view;

pub use book::{Act, ActFault, Book, Figures, LoadFault, Settings, Taken};
pub use case::{Case, Ending, Names, State, Step, StepKind};
pub use category::Category;
pub use runbook::steps;
pub use shared::SharedBook;
pub use silence::{Silence, SilenceFault};
pub use text::{list, show};
pub use view::view;

use serde::{Deserialize, Serialize};

use crate::types::Micros;

/// How bad it is. From [`Severity::Medium`] on somebody is told.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Goes with something else.
    Info,
    /// Worth a look when there is time.
    #[default]
    Low,
    /// Worth a call.
    Medium,
    /// Most likely an attack.
    High,
    /// An attack that was seen in more than one way.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How a count broke its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// How many there were.
    pub count: f64,
    /// How many were to be expected.
    pub expected: f64,
    /// Seconds in which they were counted.
    pub window_s: u32,
    /// How unlikely that is, in nats.
    #[serde(default)]
    pub score: f64,
    /// From which score on it is told; 0 for a fixed limit.
    #[serde(default)]
    pub threshold: f64,
}

/// What a detector said, once.
///
/// Every value is one that a record may hold: a name from the configuration, an address, a
/// fingerprint, a pseudonym.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sign {
    /// When it was seen, in the time of the calls.
    pub at: Micros,
    /// When what it is about began.
    pub since: Micros,
    /// Which rule.
    pub rule: String,
    /// What sort of thing.
    pub category: Category,
    /// How bad.
    pub severity: Severity,
    /// What the detector takes for one cause; signs of one cause are one incident.
    pub cause: Option<u64>,
    /// `production`, `sandbox`, or empty.
    pub environment: String,
    /// The service; empty if none.
    pub caller: String,
    /// The address; empty if none.
    pub ip: String,
    /// Pseudonym of the customer or account; empty if none.
    pub subject: String,
    /// Fingerprint of the token; empty if none.
    pub token: String,
    /// Grantee; empty if none.
    pub target: String,
    /// The broken baseline of a rule that counts.
    pub baseline: Option<Baseline>,
    /// Ids of the calls behind it.
    pub calls: Vec<String>,
    /// What happened, in one sentence.
    pub sentence: String,
}

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// It began.
    Opened,
    /// It is worse than was told.
    Raised,
    /// It goes on, and nobody has taken it.
    Reminder,
    /// Somebody has taken it.
    Acknowledged,
    /// It is over.
    Closed,
}

impl NoticeKind {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "raised",
            Self::Reminder => "reminder",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// Something to be told about an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Why.
    pub kind: NoticeKind,
    /// When it became due.
    pub at: Micros,
    /// Which notice of this incident it is, from 1.
    pub number: u8,
    /// How bad it was said to be before; none if nothing was said.
    pub was: Option<Severity>,
    /// The incident as it was then.
    pub case: Case,
}
