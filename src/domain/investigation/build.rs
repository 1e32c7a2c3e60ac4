//! From calls to a document.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::group::Groups;
use super::terms::TERMS;
use super::{Call, Whom};
use crate::domain::report::{Asked, Cell, Column, DAY, Day, Document, Heading, Table, Total};
use crate::types::{Micros, Outcome};

/// Most tokens that are followed: those of a caller of some years are more than anybody looks at.
pub const MAX_TOKENS: usize = 10_000;

/// Most calls that are shown one by one in a list.
const MAX_SHOWN: usize = 200;

/// Most tokens that are shown.
const MAX_TOKEN_ROWS: usize = 100;

/// A token as it is known from the call that obtained it and from those that carried it.
#[derive(Clone, Debug, Default)]
struct Token {
    kind: String,
    obtained: Option<Obtained>,
}

#[derive(Clone, Debug)]
struct Obtained {
    at: Micros,
    by: String,
    call_id: String,
    with: String,
    until: Option<Micros>,
}

/// Takes in calls.
pub struct Builder {
    whom: Whom,
    asked: Asked,
    source: Vec<(&'static str, String)>,
    seen: HashSet<String>,
    tokens: BTreeMap<String, Token>,
    uses: Groups<1>,
    users: BTreeMap<String, BTreeSet<String>>,
    origins: Groups<2>,
    operations: Groups<2>,
    touched: Groups<2>,
    personal: Groups<1>,
    days: BTreeMap<i64, (u64, u64)>,
    money: Shown,
    denied: Shown,
    access: Shown,
    calls: u64,
    unknown: u64,
    failed: u64,
    mints: u64,
    money_in_doubt: u64,
    cut: bool,
}

/// Calls that are shown one by one, the newest first.
#[derive(Debug, Default)]
struct Shown {
    calls: BTreeMap<(Micros, String), Call>,
    all: u64,
}

impl Shown {
    fn add(&mut self, call: &Call) {
        self.all = self.all.saturating_add(1);
        let key = (call.received, call.call_id.clone());
        self.calls.insert(key, call.clone());
        if self.calls.len() > MAX_SHOWN {
            self.calls.pop_first();
        }
    }

    fn table(&self, key: &'static str, title: &str, note: &str, more: String) -> Table {
        let rows: Vec<Vec<Cell>> = self.calls.values().rev().map(row).collect();
        Table {
            key,
            title: title.to_owned(),
            note: note.to_owned(),
            columns: COLUMNS.to_vec(),
            all: self.all,
            more: (self.all > rows.len() as u64).then_some(more),
            rows,
        }
    }
}

const COLUMNS: [Column; 7] = [
    Column::new("received", "Received"),
    Column::new("call_id", "Call"),
    Column::new("caller", "Caller"),
    Column::new("operation", "Operation"),
    Column::new("outcome", "Outcome"),
    Column::new("why", "Why"),
    Column::new("facts", "What is on record of it"),
];

fn row(call: &Call) -> Vec<Cell> {
    vec![
        Cell::Time(call.received),
        Cell::id(&*call.call_id),
        Cell::text(&*call.caller),
        Cell::text(&*call.operation),
        Cell::text(call.outcome.as_str()),
        Cell::text(&*call.why),
        Cell::text(&*call.facts),
    ]
}

impl Builder {
    /// An investigation that has found nothing yet. `source` says where the calls come from.
    pub fn new(whom: Whom, asked: Asked, source: Vec<(&'static str, String)>) -> Self {
        Self {
            whom,
            asked,
            source,
            seen: HashSet::new(),
            tokens: BTreeMap::new(),
            uses: Groups::new(),
            users: BTreeMap::new(),
            origins: Groups::new(),
            operations: Groups::new(),
            touched: Groups::new(),
            personal: Groups::new(),
            days: BTreeMap::new(),
            money: Shown::default(),
            denied: Shown::default(),
            access: Shown::default(),
            calls: 0,
            unknown: 0,
            failed: 0,
            mints: 0,
            money_in_doubt: 0,
            cut: false,
        }
    }

    /// Takes in a call; one that was taken in before changes nothing. Gives the tokens that it leads
    /// to and that were not known: the one that it carried, and the one that it obtained.
    pub fn add(&mut self, call: &Call) -> Vec<String> {
        if !self.seen.insert(call.call_id.clone()) {
            return Vec::new();
        }
        self.count(call);
        if !call.token.is_empty() {
            self.uses.add([call.token.clone()], call);
            let users = self.users.entry(call.token.clone()).or_default();
            users.insert(call.caller.clone());
        }
        self.trace(call)
    }

    /// Takes in a call only for the token that it obtained: where that came from. Gives the same as
    /// [`Builder::add`].
    pub fn trace(&mut self, call: &Call) -> Vec<String> {
        let mut found = Vec::new();
        for (token, kind) in [
            (&call.token, &call.token_type),
            (&call.minted, &call.minted_kind),
        ] {
            if token.is_empty() || self.tokens.contains_key(token) {
                continue;
            }
            if self.tokens.len() >= MAX_TOKENS {
                self.cut = true;
                continue;
            }
            let kind = kind.clone();
            let known = Token {
                kind,
                obtained: None,
            };
            self.tokens.insert(token.clone(), known);
            found.push(token.clone());
        }
        if let Some(minted) = self.tokens.get_mut(&call.minted) {
            minted.obtained = Some(Obtained {
                at: call.received,
                by: call.caller.clone(),
                call_id: call.call_id.clone(),
                with: call.token.clone(),
                until: call.minted_until,
            });
        }
        found
    }

    /// There was more than was taken in.
    pub fn cut(&mut self) {
        self.cut = true;
    }

    /// How many calls were taken in.
    pub fn len(&self) -> u64 {
        self.calls
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.calls == 0
    }

    fn count(&mut self, call: &Call) {
        self.calls = self.calls.saturating_add(1);
        let is_bad = call.outcome != Outcome::Success;
        match call.outcome {
            Outcome::Failure => self.failed = self.failed.saturating_add(1),
            Outcome::Unknown => self.unknown = self.unknown.saturating_add(1),
            Outcome::Success | Outcome::Cancelled => {}
        }
        let day = self
            .days
            .entry(call.received.0.div_euclid(DAY))
            .or_default();
        day.0 = day.0.saturating_add(1);
        day.1 = day.1.saturating_add(u64::from(is_bad));
        self.origins
            .add([call.caller.clone(), call.address.clone()], call);
        self.operations
            .add([call.operation.clone(), call.effect.clone()], call);
        for subject in &call.subjects {
            let name = subject.pseudonym.as_deref().unwrap_or("(erased)");
            self.touched
                .add([subject.kind.clone(), name.to_owned()], call);
        }
        for class in &call.pii {
            self.personal.add([class.clone()], call);
        }
        if !call.minted.is_empty() {
            self.mints = self.mints.saturating_add(1);
        }
        if call.effect == "money" {
            self.money.add(call);
            let is_in_doubt = call.outcome == Outcome::Unknown;
            self.money_in_doubt = self.money_in_doubt.saturating_add(u64::from(is_in_doubt));
        }
        if call.effect == "access-change" {
            self.access.add(call);
        }
        if call.decision == "denied" || matches!(call.status, Some(401 | 403)) {
            self.denied.add(call);
        }
    }

    /// What was found.
    pub fn finish(self) -> Document {
        let totals = self.totals();
        let query = |more: &str| self.asked.query(more);
        let note = "Who called, from where.";
        let origins = [
            Column::new("caller", "Caller"),
            Column::new("address", "Address"),
        ];
        let tables = vec![
            self.token_table(),
            self.origins
                .table("origins", "Origins", note, origins, Some(query(""))),
            self.operations.table(
                "operations",
                "What was done",
                "",
                [
                    Column::new("operation", "Operation"),
                    Column::new("effect", "Effect"),
                ],
                Some(query("")),
            ),
            self.touched.table(
                "touched",
                "Whom it touched",
                "",
                [
                    Column::new("kind", "Kind"),
                    Column::new("subject", "Pseudonym"),
                ],
                Some(query("")),
            ),
            self.personal.table(
                "personal_data",
                "Personal data that may have come back",
                "",
                [Column::new("class", "Class")],
                None,
            ),
            self.money
                .table("money", "Movements of money", "", query("--effect money")),
            self.access.table(
                "access",
                "Changes of access",
                "",
                query("--effect access-change"),
            ),
            self.denied
                .table("denied", "Denied", "", query("--auth-failed")),
        ];
        let mut verify = vec![
            "Every number here is a count of records of the ledger. One by one: ".to_owned()
                + &self.asked.query(""),
            "What is on record of a call, and its proof: egret audit show CALL, egret audit prove \
             CALL."
                .to_owned(),
        ];
        if self.cut {
            verify.push(
                "There is more than this page counts: what lies further back was left out. Ask for \
                 a shorter period."
                    .to_owned(),
            );
        }
        let days = self.days.into_iter().map(|(number, (calls, marked))| Day {
            number,
            calls,
            marked,
        });
        let (kind, name) = (self.whom.kind(), self.whom.name());
        Document {
            heading: Heading {
                name: "investigation",
                title: format!("Investigation of {kind} {name}"),
                scope: scope(&self.whom).to_owned(),
            },
            asked: self.asked,
            source: self.source,
            totals,
            days: days.collect(),
            marked: "not successful",
            tables,
            terms: TERMS.to_vec(),
            verify,
        }
    }

    fn totals(&self) -> Vec<Total> {
        let total = |key, label, value, is_warning| Total {
            key,
            label,
            value,
            is_warning,
        };
        vec![
            total("calls", "Calls", self.calls, false),
            total("failed", "Failed", self.failed, false),
            total("unknown", "Outcome unknown", self.unknown, true),
            total("denied", "Denied", self.denied.all, true),
            total("tokens", "Tokens", self.tokens.len() as u64, false),
            total("mints", "Tokens obtained", self.mints, false),
            total("touched", "Touched", self.touched.len() as u64, false),
            total(
                "personal_data",
                "Classes of personal data",
                self.personal.len() as u64,
                false,
            ),
            total("money", "Movements of money", self.money.all, false),
            total(
                "money_in_doubt",
                "Money in doubt",
                self.money_in_doubt,
                true,
            ),
            total("access", "Changes of access", self.access.all, false),
        ]
    }

    /// Tokens as a tree: each below the one that obtained it.
    fn token_table(&self) -> Table {
        let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut roots = Vec::new();
        for (name, token) in &self.tokens {
            let parent = token.obtained.as_ref().map_or("", |by| by.with.as_str());
            if parent != name && self.tokens.contains_key(parent) {
                children.entry(parent).or_default().push(name);
            } else {
                roots.push(name.as_str());
            }
        }
        let begin = |name: &&str| {
            let token = self.tokens.get(*name);
            let obtained = token.and_then(|token| token.obtained.as_ref());
            let used = self.uses.get(&[(*name).to_owned()]);
            let at = obtained.map(|by| by.at).or(used.map(|uses| uses.first));
            (at, (*name).to_owned())
        };
        roots.sort_by_key(begin);
        let mut rows = Vec::new();
        let mut shown = BTreeSet::new();
        // Tokens that are said to have obtained each other have no root: they come last.
        for root in roots
            .into_iter()
            .chain(self.tokens.keys().map(String::as_str))
        {
            let mut stack = vec![(root, 0)];
            while let Some((name, depth)) = stack.pop() {
                if !shown.insert(name) {
                    continue;
                }
                if rows.len() < MAX_TOKEN_ROWS {
                    rows.push(self.token_row(name, depth));
                }
                // The newest at the bottom of the stack, so that the oldest comes off first.
                let mut next = children.get(name).cloned().unwrap_or_default();
                next.sort_by_key(begin);
                stack.extend(next.iter().rev().map(|name| (*name, depth + 1)));
            }
        }
        Table {
            key: "tokens",
            title: "Where tokens came from".to_owned(),
            note: "Each token below the one that it was obtained with.".to_owned(),
            columns: TOKEN_COLUMNS.to_vec(),
            all: self.tokens.len() as u64,
            more: (self.tokens.len() > rows.len()).then(|| self.asked.query("--mints")),
            rows,
        }
    }

    fn token_row(&self, name: &str, depth: usize) -> Vec<Cell> {
        let token = self.tokens.get(name).cloned().unwrap_or_default();
        let uses = self.uses.get(&[name.to_owned()]);
        let users: Vec<&str> = self
            .users
            .get(name)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let obtained = token.obtained.as_ref();
        vec![
            Cell::Count(depth as u64),
            Cell::id(name),
            Cell::text(token.kind),
            obtained.map_or(Cell::text("not on record"), |by| Cell::Time(by.at)),
            Cell::text(obtained.map_or("", |by| by.by.as_str())),
            Cell::id(obtained.map_or("", |by| by.call_id.as_str())),
            obtained
                .and_then(|by| by.until)
                .map_or(Cell::Empty, Cell::Time),
            Cell::Count(uses.map_or(0, |uses| uses.calls)),
            uses.map_or(Cell::Empty, |uses| Cell::Time(uses.first)),
            uses.map_or(Cell::Empty, |uses| Cell::Time(uses.last)),
            Cell::text(users.join(", ")),
        ]
    }
}

const TOKEN_COLUMNS: [Column; 11] = [
    Column::new("depth", "Depth"),
    Column::new("fingerprint", "Token"),
    Column::new("kind", "Kind"),
    Column::new("obtained", "Obtained"),
    Column::new("obtained_by", "By"),
    Column::new("obtained_in", "In call"),
    Column::new("expires", "Ends"),
    Column::new("calls", "Calls"),
    Column::new("first", "First used"),
    Column::new("last", "Last used"),
    Column::new("callers", "Used by"),
];

const fn scope(whom: &Whom) -> &'static str {
    match whom {
        Whom::Token(_) => {
            "The token, the credentials that it was obtained with, every call that carried it, and \
             the tokens that were obtained with it, with their calls."
        }
        Whom::Caller(_) => {
            "Every call of the caller in the period, the tokens that it carried and obtained, and \
             whom that touched."
        }
        Whom::Subject(_) => {
            "Every call in the period that concerns the customer, with the tokens that these calls \
             carried."
        }
    }
}
