//! What became of a reload, for people and for programs.

use serde::{Deserialize, Serialize};

use crate::domain::config::settings::Difference;

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It took effect, but for what needs a start.
    Taken(Taken),
    /// There was nothing new.
    Unchanged,
    /// The configuration cannot be used; the one before goes on.
    Refused {
        /// Every fault.
        faults: Vec<String>,
    },
}

/// What took effect and what did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What took effect.
    pub differences: Vec<Difference>,
    /// What needs a start; it is as it was.
    pub not_taken: Vec<Difference>,
    /// Files that hold something else than before.
    pub files: Vec<String>,
    /// Hash of the configuration before.
    pub hash_before: String,
    /// Hash of this one.
    pub hash_after: String,
}

impl Taken {
    pub(super) fn log(&self, via: &str) {
        for one in &self.differences {
            let (key, change) = (&*one.path, one.to_string());
            tracing::info!(via, key, change, "changed");
        }
        for one in &self.not_taken {
            let key = &*one.path;
            tracing::warn!(
                via,
                key,
                "this cannot be reloaded and is as it was; start the gateway anew for it"
            );
        }
        tracing::info!(
            via,
            changes = self.differences.len(),
            not_taken = self.not_taken.len(),
            hash = &*self.hash_after,
            "the configuration was reloaded"
        );
    }
}

/// A report as it goes over the control socket: everything in it may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `reloaded`, `unchanged` or `refused`.
    pub outcome: String,
    /// What took effect, a line each.
    #[serde(default)]
    pub changes: Vec<String>,
    /// What needs a start, a line each.
    #[serde(default)]
    pub not_taken: Vec<String>,
    /// Files that hold something else than before.
    #[serde(default)]
    pub files: Vec<String>,
    /// Every fault.
    #[serde(default)]
    pub faults: Vec<String>,
    /// Hash of the configuration that the gateway runs with.
    #[serde(default)]
    pub config_hash: Option<String>,
}

impl From<Report> for Answer {
    fn from(report: Report) -> Self {
        let lines = |all: &[Difference]| all.iter().map(ToString::to_string).collect();
        match report {
            Report::Taken(taken) => Self {
                outcome: "reloaded".to_owned(),
                changes: lines(&taken.differences),
                not_taken: lines(&taken.not_taken),
                files: taken.files,
                faults: Vec::new(),
                config_hash: Some(taken.hash_after),
            },
            Report::Unchanged => Self {
                outcome: "unchanged".to_owned(),
                ..Self::default()
            },
            Report::Refused { faults } => Self {
                outcome: "refused".to_owned(),
                faults,
                ..Self::default()
            },
        }
    }
}
