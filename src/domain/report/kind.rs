//! Which reports there are.

use std::fmt;
use std::str::FromStr;

/// A question of an auditor that has a report of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// Who read or sent personal data.
    PiiAccess,
    /// Which tokens were used, by whom, and where they came from.
    TokenUse,
    /// Which calls failed for want of the right credentials.
    FailedAuth,
    /// What changed about who may do or see what.
    AccessChanges,
    /// Which calls moved money, and which of them perhaps did.
    Money,
}

/// Text that names no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a report")]
pub struct NotAReport(String);

impl ReportKind {
    /// Every report.
    pub const ALL: &'static [Self] = &[
        Self::PiiAccess,
        Self::TokenUse,
        Self::FailedAuth,
        Self::AccessChanges,
        Self::Money,
    ];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PiiAccess => "pii-access",
            Self::TokenUse => "token-use",
            Self::FailedAuth => "failed-auth",
            Self::AccessChanges => "access-changes",
            Self::Money => "money",
        }
    }

    /// The heading of the report.
    pub const fn title(self) -> &'static str {
        match self {
            Self::PiiAccess => "Access to personal data",
            Self::TokenUse => "Use of tokens",
            Self::FailedAuth => "Failed authentication and authorization",
            Self::AccessChanges => "Changes of access",
            Self::Money => "Movements of money",
        }
    }

    /// Which calls the report is about, in a sentence for its first page.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::PiiAccess => {
                "Every call in the period that carried personal data to the bank, or whose answer \
                 may have carried personal data back. Calls that the bank answered with an error, \
                 or that never reached it, are not among them: nothing personal came back."
            }
            Self::TokenUse => {
                "Every call in the period by the credential that it carried, every token that was \
                 used, and every call that obtained one. \
                 Tokens appear as fingerprints, from which no token can be made."
            }
            Self::FailedAuth => {
                "Every call in the period that the gateway denied, and every call that the bank \
                 answered with 401 or 403."
            }
            Self::AccessChanges => {
                "Every call in the period whose operation changes who may do or see what at the \
                 bank: grants, consents, keys, users, allow-lists. Attempts that failed are included."
            }
            Self::Money => {
                "Every call in the period whose operation moves money or commits to moving it. \
                 Attempts that failed are included."
            }
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ReportKind {
    type Err = NotAReport;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.iter().copied();
        all.find(|kind| kind.as_str() == text)
            .ok_or_else(|| NotAReport(text.to_owned()))
    }
}
