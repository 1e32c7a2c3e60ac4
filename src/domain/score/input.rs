//! Labels and alerts, read from their lines.

use serde::Deserialize;

/// Longest line that is read, in bytes: a label lists at most some thousand identifiers.
const MAX_LINE: usize = 1 << 20;

/// A line that is no label or alert.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct InputFault {
    /// From 1.
    pub line: usize,
    /// What is wrong with it, without quoting it.
    pub reason: String,
}

/// What a label is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelType {
    /// To be found.
    Attack,
    /// To be left alone.
    Trap,
    /// A tenant and the time it was watched.
    Tenant,
}

/// The truth about a stretch of traffic.
#[derive(Clone, Debug, Deserialize)]
pub struct Label {
    /// What it is about.
    #[serde(rename = "type")]
    pub label_type: LabelType,
    /// Its name.
    pub id: String,
    /// Sort of attack or trap.
    #[serde(default)]
    pub kind: String,
    /// `easy`, `medium` or `hard`, for attacks.
    #[serde(default)]
    pub difficulty: String,
    /// Categories of alert that fit.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Whose traffic.
    #[serde(default)]
    pub tenant: String,
    /// First moment, milliseconds since 1970.
    pub start: i64,
    /// Last moment, milliseconds since 1970.
    pub end: i64,
    /// Identities involved.
    #[serde(default)]
    pub callers: Vec<String>,
    /// Addresses involved.
    #[serde(default)]
    pub ips: Vec<String>,
    /// Customers and accounts involved.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// Fingerprints of tokens involved.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// Grantees involved.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// How bad an alert says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A note.
    Info,
    /// A notice.
    Low,
    /// The least that wakes somebody; also what is meant where none is given.
    #[default]
    Medium,
    /// Worse.
    High,
    /// Worst.
    Critical,
}

impl Severity {
    /// Whether it wakes somebody.
    pub fn is_page(self) -> bool {
        self >= Self::Medium
    }
}

/// One name or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
enum Names {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Names {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}

#[derive(Deserialize)]
struct AlertLine {
    ts: i64,
    rule: String,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    category: String,
    #[serde(default)]
    caller: Option<Names>,
    #[serde(default)]
    ip: Option<Names>,
    #[serde(default)]
    subject: Option<Names>,
    #[serde(default)]
    token: Option<Names>,
    #[serde(default)]
    target: Option<Names>,
}

/// What a detector said.
#[derive(Clone, Debug)]
pub struct Alert {
    /// When, in the time of the events: milliseconds since 1970.
    pub ts: i64,
    /// Which rule.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// What sort of thing.
    pub category: String,
    /// Callers it names.
    pub callers: Vec<String>,
    /// Addresses, subjects, tokens and targets it names, with their sort.
    pub others: Vec<(Sort, String)>,
}

/// Sort of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// A calling service.
    Caller,
    /// An address.
    Address,
    /// A customer or account.
    Subject,
    /// A token's fingerprint.
    Token,
    /// A grantee.
    Target,
}

impl Label {
    /// Everything that an alert may name, with its sort.
    pub(super) fn names(&self) -> impl Iterator<Item = (Sort, &str)> {
        let sorts = [
            (Sort::Caller, &self.callers),
            (Sort::Address, &self.ips),
            (Sort::Subject, &self.subjects),
            (Sort::Token, &self.tokens),
            (Sort::Target, &self.targets),
        ];
        sorts
            .into_iter()
            .flat_map(|(sort, names)| names.iter().map(move |name| (sort, name.as_str())))
    }
}

impl Alert {
    /// Everything that it names, with its sort.
    pub(super) fn names(&self) -> impl Iterator<Item = (Sort, &str)> {
        let callers = self
            .callers
            .iter()
            .map(|name| (Sort::Caller, name.as_str()));
        callers.chain(
            self.others
                .iter()
                .map(|(sort, name)| (*sort, name.as_str())),
        )
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> impl Iterator<Item = Result<T, InputFault>> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let fault = |reason: String| InputFault {
                line: number + 1,
                reason,
            };
            if line.len() > MAX_LINE {
                return Err(fault(format!("longer than {MAX_LINE} bytes")));
            }
            serde_json::from_str(line).map_err(|error| fault(describe(&error)))
        })
}

/// What is wrong, without the values: the parser quotes what it found.
fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "a key is missing or of another type",
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "no JSON object",
    };
    format!("{what} (column {})", error.column())
}

/// Reads labels, one JSON object a line.
///
/// # Errors
/// The first line that is none.
pub fn read_labels(text: &str) -> Result<Vec<Label>, InputFault> {
    read::<Label>(text).collect()
}

/// Reads alerts, one JSON object a line.
///
/// # Errors
/// The first line that is none, or that names nothing.
pub fn read_alerts(text: &str) -> Result<Vec<Alert>, InputFault> {
    read::<AlertLine>(text)
        .enumerate()
        .map(|(place, line)| {
            let line = line?;
            let callers = line.caller.unwrap_or_default().into_vec();
            let mut others = Vec::new();
            for (sort, names) in [
                (Sort::Address, line.ip),
                (Sort::Subject, line.subject),
                (Sort::Token, line.token),
                (Sort::Target, line.target),
            ] {
                let names = names.unwrap_or_default().into_vec();
                others.extend(names.into_iter().map(|name| (sort, name)));
            }
            if callers.is_empty() && others.is_empty() {
                return Err(InputFault {
                    line: place + 1,
                    reason: "it names no caller, ip, subject, token or target".to_owned(),
                });
            }
            Ok(Alert {
                ts: line.ts,
                rule: line.rule,
                severity: line.severity.unwrap_or_default(),
                category: line.category,
                callers,
                others,
            })
        })
        .collect()
}
