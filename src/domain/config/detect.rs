//! How the gateway watches its own ledger, as the configuration says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::detect::Settings;
use crate::domain::incident::Severity;

/// Detection by the running gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Detect {
    /// Whether there is any.
    pub enabled: bool,
    /// The rules, and what they know of the operator; the same as for a replay.
    pub settings: Settings,
    /// Map of networks.
    pub netmap: Option<PathBuf>,
    /// How much of a ledger that is there already is learned from at the very first start.
    pub history: Duration,
    /// Directory of what was learned, where it is not in a shared ledger.
    pub directory: PathBuf,
    /// What is done about incidents without being asked.
    pub responses: Responses,
}

/// What is done about incidents without being asked; nothing unless a rule says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Responses {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Most responses within an hour.
    pub max_per_hour: usize,
    /// Callers that nothing is done to.
    pub never: Vec<Arc<str>>,
    /// By the name of the rule.
    pub by_rule: BTreeMap<&'static str, Response>,
}

/// What is done when a rule shows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// What.
    pub action: Action,
    /// For how long.
    pub lasts: Duration,
    /// From which severity of the incident on.
    pub from: Severity,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Let only so many calls of the caller through in a minute, on each node.
    Throttle {
        /// How many.
        calls_per_minute: u32,
    },
    /// Lock the caller down.
    LockCaller,
    /// Lock the token down.
    LockToken,
}

impl Action {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::LockCaller => "lock-caller",
            Self::LockToken => "lock-token",
        }
    }
}
