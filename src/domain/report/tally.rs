//! Counts of calls by what they have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Cell, Column, Table};
use crate::types::{Micros, Outcome};

/// The most groups that are told apart in one summary; further ones are counted together. Names
/// of callers and operations come from the configuration and are far fewer, but nothing of what a
/// ledger holds may decide how much memory is used.
const MAX_GROUPS: usize = 20_000;

/// The most rows of a summary that are shown.
pub(super) const MAX_ROWS: usize = 100;

/// Where groups beyond [`MAX_GROUPS`] go.
const OTHERS: &str = "(others)";

/// Shown for a field without a value.
pub(super) const NONE: &str = "(none)";

/// Who did what: what calls that are counted together have in common. The words are those of the
/// ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Name of the caller; `None` if it was not identified.
    pub caller: Option<String>,
    /// Provider id.
    pub provider: Option<String>,
    /// Installation of the provider.
    pub environment: Option<String>,
    /// Operation id.
    pub operation: String,
    /// What the operation can do.
    pub effect: Option<String>,
    /// Kind of the credential.
    pub token_type: String,
    /// Classes of personal data.
    pub pii: Vec<String>,
    /// Kind of the token or secret that was handed out.
    pub minted_kind: Option<String>,
    /// What the gateway did.
    pub decision: String,
    /// Why.
    pub reason: Option<String>,
}

impl Activity {
    pub(super) fn caller(&self) -> &str {
        self.caller.as_deref().unwrap_or(NONE)
    }

    pub(super) fn operation(&self) -> String {
        match &self.provider {
            Some(provider) => format!("{provider}/{}", self.operation),
            None => self.operation.clone(),
        }
    }
}

/// How many calls of an activity ended alike on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Number of the activity.
    pub activity: i64,
    /// How they ended.
    pub outcome: Outcome,
    /// Status that the caller got.
    pub status: Option<u16>,
    /// The vendor's error code.
    pub error_code: Option<String>,
    /// How many.
    pub calls: u64,
}

/// One call, as far as a report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// When it was received.
    pub received: Micros,
    /// Its id.
    pub call_id: String,
    /// Name of the caller; empty if it was not identified.
    pub caller: String,
    /// Provider and operation.
    pub operation: String,
    /// Kind of the credential.
    pub token_type: String,
    /// Status that the caller got.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: String,
    /// The gateway's reason or the bank's error code; empty if there is none.
    pub why: String,
    /// Whom it concerns: kinds and pseudonyms.
    pub concerns: String,
    /// Values that the catalog allows to be recorded.
    pub facts: String,
}

/// Calls by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) success: u64,
    pub(super) failure: u64,
    pub(super) unknown: u64,
    pub(super) cancelled: u64,
}

impl Counts {
    pub(super) fn add(&mut self, counted: &Counted) {
        let of = match counted.outcome {
            Outcome::Success => &mut self.success,
            Outcome::Failure => &mut self.failure,
            Outcome::Unknown => &mut self.unknown,
            Outcome::Cancelled => &mut self.cancelled,
        };
        *of = of.saturating_add(counted.calls);
        self.calls = self.calls.saturating_add(counted.calls);
    }

    fn cells(&self) -> [Cell; 5] {
        [
            self.calls,
            self.success,
            self.failure,
            self.unknown,
            self.cancelled,
        ]
        .map(Cell::Count)
    }
}

/// The columns of every summary, after those that name the group.
const COUNT_COLUMNS: [Column; 5] = [
    Column::new("calls", "Calls"),
    Column::new("success", "Succeeded"),
    Column::new("failure", "Failed"),
    Column::new("unknown", "Unknown"),
    Column::new("cancelled", "Cancelled"),
];

/// A way to put calls together.
#[derive(Clone, Copy)]
pub(super) struct Dimension {
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    pub(super) columns: &'static [Column],
    /// The groups that a call belongs to; a call can belong to several.
    pub(super) groups: fn(&Activity, &Counted) -> Vec<Vec<String>>,
}

/// The counts of one dimension.
pub(super) struct Summary {
    dimension: Dimension,
    groups: BTreeMap<Vec<String>, Counts>,
}

impl Summary {
    pub(super) fn new(dimension: Dimension) -> Self {
        Self {
            dimension,
            groups: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, activity: &Activity, counted: &Counted) {
        for group in (self.dimension.groups)(activity, counted) {
            let is_new = !self.groups.contains_key(&group);
            let group = if is_new && self.groups.len() >= MAX_GROUPS {
                vec![OTHERS.to_owned(); self.dimension.columns.len()]
            } else {
                group
            };
            self.groups.entry(group).or_default().add(counted);
        }
    }

    /// The largest groups first.
    pub(super) fn table(self) -> Table {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        let all = groups.len() as u64;
        // Stable: equal groups stay in the order of their names.
        groups.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.calls));
        groups.truncate(MAX_ROWS);
        let rows = groups.into_iter().map(|(names, counts)| {
            let names = names.into_iter().map(Cell::text);
            names.chain(counts.cells()).collect()
        });
        Table {
            key: self.dimension.key,
            title: self.dimension.title.to_owned(),
            note: String::new(),
            columns: [self.dimension.columns, &COUNT_COLUMNS].concat(),
            rows: rows.collect(),
            all,
            more: None,
        }
    }
}

/// How many different names there are, up to a bound.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn add(&mut self, name: &str) {
        if self.0.len() < MAX_GROUPS && !self.0.contains(name) {
            self.0.insert(name.to_owned());
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Days of single callers with the most calls.
#[derive(Default)]
pub(super) struct Busiest {
    day: i64,
    /// The calls of this day by caller.
    callers: BTreeMap<String, u64>,
    /// The largest of the days before, in no order.
    largest: Vec<(u64, i64, String)>,
}

/// Rows of [`Busiest`].
const BUSIEST_ROWS: usize = 20;

impl Busiest {
    /// Days come in order.
    pub(super) fn add(&mut self, day: i64, caller: &str, calls: u64) {
        if day != self.day {
            self.end_day();
            self.day = day;
        }
        let is_new = !self.callers.contains_key(caller);
        let caller = if is_new && self.callers.len() >= MAX_GROUPS {
            OTHERS
        } else {
            caller
        };
        let sum = self.callers.entry(caller.to_owned()).or_default();
        *sum = sum.saturating_add(calls);
    }

    fn end_day(&mut self) {
        let day = self.day;
        let callers = std::mem::take(&mut self.callers);
        self.largest.extend(
            callers
                .into_iter()
                .map(|(caller, calls)| (calls, day, caller)),
        );
        self.largest
            .sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        self.largest.truncate(BUSIEST_ROWS);
    }

    pub(super) fn table(mut self) -> Table {
        self.end_day();
        let rows: Vec<Vec<Cell>> = self
            .largest
            .into_iter()
            .map(|(calls, day, caller)| {
                let day = Cell::Text(super::document::date(day));
                vec![day, Cell::text(caller), Cell::Count(calls)]
            })
            .collect();
        Table {
            key: "busiest",
            title: "Callers' busiest days".to_owned(),
            note: "The days on which one caller made the most of these calls.".to_owned(),
            columns: vec![
                Column::new("day", "Day"),
                Column::new("caller", "Caller"),
                Column::new("calls", "Calls"),
            ],
            all: rows.len() as u64,
            rows,
            more: None,
        }
    }
}
