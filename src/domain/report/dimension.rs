//! The ways in which reports put calls together.

use super::ReportKind;
use super::build::is_denied;
use super::document::Column;
use super::tally::{Dimension, NONE};

const BY_CALLER: Dimension = Dimension {
    key: "by_caller",
    title: "By caller",
    columns: &[Column::new("caller", "Caller")],
    groups: |activity, _| vec![vec![activity.caller().to_owned()]],
};

const BY_OPERATION: Dimension = Dimension {
    key: "by_operation",
    title: "By operation",
    columns: &[
        Column::new("operation", "Operation"),
        Column::new("effect", "Effect"),
    ],
    groups: |activity, _| {
        let effect = activity.effect.as_deref().unwrap_or_default();
        vec![vec![activity.operation(), effect.to_owned()]]
    },
};

const BY_TOKEN_TYPE: Dimension = Dimension {
    key: "by_token_type",
    title: "By kind of credential",
    columns: &[Column::new("token_type", "Kind")],
    groups: |activity, _| vec![vec![activity.token_type.clone()]],
};

const BY_CLASS: Dimension = Dimension {
    key: "by_class",
    title: "By class of personal data",
    columns: &[Column::new("pii", "Class")],
    groups: |activity, _| {
        activity
            .pii
            .iter()
            .map(|class| vec![class.clone()])
            .collect()
    },
};

const BY_CLASS_AND_CALLER: Dimension = Dimension {
    key: "by_class_and_caller",
    title: "Who had which class",
    columns: &[Column::new("pii", "Class"), Column::new("caller", "Caller")],
    groups: |activity, _| {
        let classes = activity.pii.iter();
        let group = |class: &String| vec![class.clone(), activity.caller().to_owned()];
        classes.map(group).collect()
    },
};

const MINTED: Dimension = Dimension {
    key: "minted",
    title: "Tokens and secrets obtained",
    columns: &[
        Column::new("minted_kind", "Kind"),
        Column::new("caller", "Caller"),
    ],
    groups: |activity, _| {
        let kinds = activity.minted_kind.iter();
        kinds
            .map(|kind| vec![kind.clone(), activity.caller().to_owned()])
            .collect()
    },
};

const BY_CAUSE: Dimension = Dimension {
    key: "by_cause",
    title: "By cause",
    columns: &[
        Column::new("by", "Refused by"),
        Column::new("cause", "Cause"),
    ],
    groups: |activity, counted| {
        let status = counted
            .status
            .map_or(NONE.to_owned(), |status| status.to_string());
        let (by, cause) = if is_denied(activity) {
            ("gateway", activity.reason.clone().unwrap_or(status))
        } else {
            let code = counted.error_code.as_deref();
            (
                "bank",
                code.map_or(status.clone(), |code| format!("{status} {code}")),
            )
        };
        vec![vec![by.to_owned(), cause]]
    },
};

const BY_ENVIRONMENT: Dimension = Dimension {
    key: "by_environment",
    title: "By provider and installation",
    columns: &[
        Column::new("provider", "Provider"),
        Column::new("environment", "Installation"),
    ],
    groups: |activity, _| {
        let word = |word: &Option<String>| word.clone().unwrap_or(NONE.to_owned());
        vec![vec![word(&activity.provider), word(&activity.environment)]]
    },
};

/// How the calls of a report are put together.
pub(super) fn dimensions(kind: ReportKind) -> &'static [Dimension] {
    match kind {
        ReportKind::PiiAccess => &[BY_CALLER, BY_CLASS, BY_CLASS_AND_CALLER, BY_OPERATION],
        ReportKind::TokenUse => &[BY_TOKEN_TYPE, BY_CALLER, MINTED],
        ReportKind::FailedAuth => &[BY_CAUSE, BY_CALLER, BY_TOKEN_TYPE, BY_OPERATION],
        ReportKind::AccessChanges => &[BY_OPERATION, BY_CALLER, BY_ENVIRONMENT],
        ReportKind::Money => &[BY_OPERATION, BY_CALLER, BY_ENVIRONMENT],
    }
}
