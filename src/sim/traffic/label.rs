//! What the truth is: attacks and benign traps, written beside the events.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::event::{Event, Target};

/// At most so many identifiers of one sort are listed per label; `counts` has the whole number.
const MAX_LISTED: usize = 2_000;

/// Attack or trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelType {
    /// An incident that must be found.
    Attack,
    /// Something harmless that must stay quiet.
    Trap,
    /// A tenant: which callers are its own.
    Tenant,
}

/// How loud an attack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// Loud and fast, usually from a foreign network.
    Easy,
    /// Between.
    Medium,
    /// Quiet, slow, from inside, in busy hours, with the usual mix of operations.
    Hard,
}

impl Difficulty {
    /// Every difficulty, loudest first.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }

    /// One of three values.
    pub(super) fn of<T>(self, easy: T, medium: T, hard: T) -> T {
        match self {
            Self::Easy => easy,
            Self::Medium => medium,
            Self::Hard => hard,
        }
    }
}

/// One label while it is being gathered.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) label_type: LabelType,
    pub(super) difficulty: Option<Difficulty>,
    pub(super) categories: &'static [&'static str],
    pub(super) tenant: String,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) note: &'static str,
    pub(super) callers: BTreeSet<String>,
    ips: BTreeSet<String>,
    subjects: BTreeSet<u64>,
    tokens: BTreeSet<u64>,
    targets: BTreeSet<String>,
    ids: Vec<u64>,
    events: u64,
    /// Whether the window was given and is not that of its events.
    pub(super) is_fixed: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    label_type: LabelType,
    id: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    difficulty: Option<Difficulty>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    categories: &'a [&'static str],
    tenant: &'a str,
    start: i64,
    end: i64,
    callers: &'a BTreeSet<String>,
    ips: &'a BTreeSet<String>,
    subjects: Vec<String>,
    tokens: Vec<String>,
    targets: &'a BTreeSet<String>,
    events: u64,
    event_ids: &'a [u64],
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
}

impl Label {
    pub(super) fn new(label_type: LabelType, kind: &'static str, tenant: &str, start: i64) -> Self {
        Self {
            id: String::new(),
            kind,
            label_type,
            difficulty: None,
            categories: &[],
            tenant: tenant.to_owned(),
            start,
            end: start,
            note: "",
            callers: BTreeSet::new(),
            ips: BTreeSet::new(),
            subjects: BTreeSet::new(),
            tokens: BTreeSet::new(),
            targets: BTreeSet::new(),
            ids: Vec::new(),
            events: 0,
            is_fixed: false,
        }
    }

    /// Takes in an event that belongs to it, as it is written.
    pub(super) fn note(&mut self, id: u64, event: &Event, caller: &str) {
        if !self.is_fixed {
            if self.events == 0 {
                self.start = event.ts;
            }
            self.end = self.end.max(event.ts);
        }
        self.events += 1;
        if self.ids.len() < MAX_LISTED {
            self.ids.push(id);
        }
        if !self.callers.contains(caller) {
            self.callers.insert(caller.to_owned());
        }
        if self.ips.len() < MAX_LISTED {
            self.ips.insert(event.address.ip.to_string());
        }
        list(&mut self.subjects, event.subject);
        list(&mut self.tokens, event.token);
        list(&mut self.tokens, event.mint.map_or(0, |mint| mint.token));
        if self.targets.len() < MAX_LISTED {
            match event.target {
                Target::None => {}
                Target::User(user) => drop(self.targets.insert(format!("{user:016x}"))),
                Target::Contract(network, address) => {
                    self.targets.insert(format!("{network}/0x{address:040x}"));
                }
            }
        }
    }

    /// Whether nothing came of it: a thief who found nothing to steal.
    pub(super) fn is_void(&self) -> bool {
        self.events == 0 && !self.is_fixed
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let hex = |set: &BTreeSet<u64>| set.iter().map(|word| format!("{word:016x}")).collect();
        let line = Line {
            label_type: self.label_type,
            id: &self.id,
            kind: self.kind,
            difficulty: self.difficulty,
            categories: self.categories,
            tenant: &self.tenant,
            start: self.start,
            end: self.end,
            callers: &self.callers,
            ips: &self.ips,
            subjects: hex(&self.subjects),
            tokens: hex(&self.tokens),
            targets: &self.targets,
            events: self.events,
            event_ids: &self.ids,
            note: self.note,
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }
}

/// Takes in an identifier, unless it is none or there are enough.
fn list(set: &mut BTreeSet<u64>, value: u64) {
    if value != 0 && set.len() < MAX_LISTED {
        set.insert(value);
    }
}
