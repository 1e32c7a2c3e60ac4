//! From counts to a document.

use std::collections::{BTreeMap, HashMap};

use super::dimension::dimensions;
use super::document::{Asked, Cell, Column, DAY, Day, Document, Table, Total};
use super::tally::{Activity, Busiest, Counted, Counts, Names, Shown, Summary};
use super::token::{TokenUse, Tokens};
use super::{ReportKind, terms};
use crate::domain::own::OWN_PROVIDER;
use crate::types::{Decision, Effect, Micros, Outcome};

/// Classes of personal data that are numbers or pictures of papers, or that prove who one is.
const IDENTITY_PAPERS: [&str; 3] = ["government_id", "document", "security_question"];

/// Where the numbers come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Which ledger.
    pub ledger: String,
    /// Its schema.
    pub schema: i64,
    /// Version of the program that made the report.
    pub version: String,
    /// All calls to banks in the period, whatever the report is about.
    pub calls: u64,
    /// How far the ledger had come with each journal.
    pub journals: Vec<JournalMark>,
}

/// How far a ledger had come with a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalMark {
    /// Id of the journal as hexadecimal digits.
    pub journal: String,
    /// Every event before this number is in the ledger.
    pub done_to: u64,
    /// The newest signed statement about it that the ledger has.
    pub checkpoint: Option<CheckpointMark>,
}

/// A signed checkpoint, to be compared with one from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointMark {
    /// Name of the log.
    pub origin: String,
    /// Records that it covers.
    pub size: u64,
    /// Root of the tree, in base64 as in the checkpoint.
    pub root: String,
    /// When it was signed, by the node's clock.
    pub at: Micros,
}

/// What could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Id of the journal as hexadecimal digits.
    pub journal: String,
    /// From when.
    pub from: Micros,
    /// To when.
    pub to: Micros,
    /// Calls refused because they could not be recorded: they were not made.
    pub refused: u64,
    /// Calls that were made without a record, as their policy allows.
    pub shed: u64,
    /// Last steps of recorded calls.
    pub dropped: u64,
}

/// Takes in what a report is made of, in any order but for days and tokens.
pub struct Builder {
    kind: ReportKind,
    asked: Asked,
    source: Source,
    activities: HashMap<i64, Activity>,
    counts: Counts,
    /// Those of the counted calls that are no calls to banks.
    own: u64,
    /// Numbers of the first page that are not the calls and how they ended.
    special: BTreeMap<&'static str, u64>,
    callers: Names,
    days: Vec<Day>,
    summaries: Vec<Summary>,
    busiest: Busiest,
    tokens: Tokens,
    calls: Option<Table>,
    gaps: Vec<Gap>,
    all_gaps: u64,
    /// Refused, shed, dropped.
    lost: [u64; 3],
}

impl Builder {
    /// An empty report.
    pub fn new(kind: ReportKind, asked: Asked, source: Source) -> Self {
        Self {
            kind,
            asked,
            source,
            activities: HashMap::new(),
            counts: Counts::default(),
            own: 0,
            special: BTreeMap::new(),
            callers: Names::default(),
            days: Vec::new(),
            summaries: dimensions(kind).iter().copied().map(Summary::new).collect(),
            busiest: Busiest::default(),
            tokens: Tokens::default(),
            calls: None,
            gaps: Vec::new(),
            all_gaps: 0,
            lost: [0; 3],
        }
    }

    /// Says what the number of an activity stands for; before calls of it are counted.
    pub fn activity(&mut self, number: i64, activity: Activity) {
        self.activities.insert(number, activity);
    }

    /// Counts calls that were received at the time of day of `at` or a little later; days come in
    /// order.
    pub fn count(&mut self, at: Micros, counted: &Counted) {
        let unknown = Activity::default();
        let activity = self.activities.get(&counted.activity).unwrap_or(&unknown);
        let day = at.0.div_euclid(DAY);
        if self.days.last().is_none_or(|last| last.number != day) {
            self.days.push(Day {
                number: day,
                ..Day::default()
            });
        }
        let is_marked = is_marked(self.kind, activity, counted);
        if let Some(last) = self.days.last_mut() {
            last.calls = last.calls.saturating_add(counted.calls);
            if is_marked {
                last.marked = last.marked.saturating_add(counted.calls);
            }
        }
        self.counts.add(counted);
        if activity.provider.as_deref() == Some(OWN_PROVIDER) {
            self.own = self.own.saturating_add(counted.calls);
        }
        for key in special(self.kind, activity, counted) {
            let sum = self.special.entry(key).or_default();
            *sum = sum.saturating_add(counted.calls);
        }
        if activity.caller.is_some() {
            self.callers.add(activity.caller());
        }
        self.busiest.add(day, activity.caller(), counted.calls);
        for summary in &mut self.summaries {
            summary.add(activity, counted);
        }
    }

    /// Takes in a use of a token; the uses of one token come one after the other.
    pub fn token(&mut self, used: &TokenUse) {
        self.tokens.add(used);
    }

    /// The calls that are shown one by one; `all` is how many there are.
    pub fn calls(&mut self, rows: &[Shown], all: u64) {
        if let Some(list) = call_list(self.kind) {
            self.calls = Some(list.table(&self.asked, rows, all));
        }
    }

    /// The gaps in the record; `all` is how many there are, `lost` the sums over all of them:
    /// refused, shed, dropped.
    pub fn gaps(&mut self, gaps: Vec<Gap>, all: u64, lost: [u64; 3]) {
        self.gaps = gaps;
        self.all_gaps = all;
        self.lost = lost;
    }

    /// The report.
    pub fn finish(mut self) -> Document {
        self.tokens.finish();
        let totals = self.totals();
        let mut tables: Vec<Table> = self.summaries.into_iter().map(Summary::table).collect();
        tables.push(self.busiest.table());
        if self.kind == ReportKind::TokenUse {
            tables.extend(self.tokens.tables(&self.asked));
        }
        tables.extend(self.calls);
        tables.push(gap_table(&self.gaps, self.all_gaps));
        let mut source = vec![
            ("ledger", self.source.ledger),
            ("schema", self.source.schema.to_string()),
            ("made_with", format!("egret {}", self.source.version)),
        ];
        let mut verify = vec![
            "The numbers are counts of rows of the ledger. The same rows one by one: ".to_owned()
                + &self.asked.query(match self.kind {
                    // A provider that was asked for may be Egret itself.
                    ReportKind::TokenUse if self.asked.names("provider") => {
                        "--limit 0 --format csv"
                    }
                    kind => query_options(kind),
                }),
        ];
        for mark in &self.source.journals {
            let JournalMark {
                journal, done_to, ..
            } = mark;
            source.push(("journal", format!("{journal}, events up to {done_to}")));
            if let Some(checkpoint) = &mark.checkpoint {
                let CheckpointMark {
                    origin,
                    size,
                    root,
                    at,
                } = checkpoint;
                let said = format!("{origin}, {size} records, root {root}, signed at {at}");
                source.push(("checkpoint", said));
            }
        }
        if !self.source.journals.is_empty() {
            verify.push(
                "Each row names the journal and the events that it was made of. The journal is the \
                 record of truth: from it the ledger can be made anew (egret audit rebuild), and a \
                 report over the new one has the same numbers, as long as it is asked about the \
                 same events."
                    .to_owned(),
            );
        }
        let mut marks = self.source.journals.iter();
        if marks.any(|mark| mark.checkpoint.is_some()) {
            verify.push(
                "A checkpoint is signed and covers every record before it. If egret audit verify \
                 finds the same root for that many records, and nothing wrong, the rows that this \
                 report counts are what was recorded; whoever kept the checkpoint need not trust \
                 the ledger for that."
                    .to_owned(),
            );
        }
        Document {
            heading: self.kind.into(),
            asked: self.asked,
            source,
            totals,
            days: self.days,
            marked: marked(self.kind),
            tables,
            terms: terms::of(self.kind),
            verify,
        }
    }

    fn totals(&self) -> Vec<Total> {
        let total = |key, label, value| Total {
            key,
            label,
            value,
            is_warning: false,
        };
        let warning = |key, label, value| Total {
            key,
            label,
            value,
            is_warning: true,
        };
        let special = |key| self.special.get(key).copied().unwrap_or(0);
        let counts = &self.counts;
        let mut totals = vec![
            total("calls", "Calls in this report", counts.calls),
            total("own_calls", "Of these, done in Egret itself", self.own),
            total("callers", "Callers", self.callers.count()),
        ];
        match self.kind {
            ReportKind::PiiAccess => totals.extend([
                total("read", "Read", special("read")),
                total("sent", "Sent", special("sent")),
                total(
                    "identity_papers",
                    "Identity papers",
                    special("identity_papers"),
                ),
                warning("unidentified", "By nobody known", special("unidentified")),
            ]),
            ReportKind::TokenUse => totals.extend([
                total("tokens", "Tokens used", self.tokens.used),
                total("minted", "Calls that obtained a token", special("minted")),
                total(
                    "foreign_tokens",
                    "Tokens from elsewhere",
                    self.tokens.foreign,
                ),
                warning(
                    "shared_tokens",
                    "Used by several callers",
                    self.tokens.shared(),
                ),
                warning("late_tokens", "Worked after their end", self.tokens.late()),
            ]),
            ReportKind::FailedAuth => totals.extend([
                total("denied", "Denied by the gateway", special("denied")),
                total("bank_401", "401 from the bank", special("bank_401")),
                total("bank_403", "403 from the bank", special("bank_403")),
                total("unidentified", "By nobody known", special("unidentified")),
            ]),
            ReportKind::AccessChanges | ReportKind::Money => totals.extend([
                total("success", "Succeeded", counts.success),
                total("failure", "Failed", counts.failure),
                warning("unknown", "Unknown", counts.unknown),
                total("cancelled", "Cancelled", counts.cancelled),
            ]),
        }
        let [refused, shed, dropped] = self.lost;
        totals.extend([
            total(
                "all_calls",
                "All calls to banks in the period",
                self.source.calls,
            ),
            warning("refused_unrecorded", "Refused: no record possible", refused),
            warning("shed_unrecorded", "Made without a record", shed),
            warning("dropped_steps", "Last steps not recorded", dropped),
        ]);
        totals
    }
}

fn is_read(activity: &Activity) -> bool {
    activity.effect.as_deref() == Some(Effect::Read.as_str())
}

fn holds_identity_papers(activity: &Activity) -> bool {
    let mut classes = activity.pii.iter();
    classes.any(|class| IDENTITY_PAPERS.contains(&class.as_str()))
}

pub(super) fn is_denied(activity: &Activity) -> bool {
    activity.decision == Decision::Denied.as_str()
}

/// The numbers of the first page that a call counts for.
fn special(kind: ReportKind, activity: &Activity, counted: &Counted) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut note = |holds: bool, key| {
        if holds {
            keys.push(key);
        }
    };
    match kind {
        ReportKind::PiiAccess => {
            note(is_read(activity), "read");
            note(!is_read(activity), "sent");
            note(holds_identity_papers(activity), "identity_papers");
        }
        ReportKind::TokenUse => note(activity.minted_kind.is_some(), "minted"),
        ReportKind::FailedAuth => {
            let denied = is_denied(activity);
            note(denied, "denied");
            note(!denied && counted.status == Some(401), "bank_401");
            note(!denied && counted.status == Some(403), "bank_403");
        }
        ReportKind::AccessChanges | ReportKind::Money => {}
    }
    note(activity.caller.is_none(), "unidentified");
    keys
}

/// What stands out in the days of a report.
fn is_marked(kind: ReportKind, activity: &Activity, counted: &Counted) -> bool {
    match kind {
        ReportKind::PiiAccess => holds_identity_papers(activity),
        ReportKind::TokenUse => activity.minted_kind.is_some(),
        ReportKind::FailedAuth => is_denied(activity),
        ReportKind::AccessChanges | ReportKind::Money => counted.outcome != Outcome::Success,
    }
}

fn marked(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::PiiAccess => "identity papers",
        ReportKind::TokenUse => "obtained a token",
        ReportKind::FailedAuth => "denied by the gateway",
        ReportKind::AccessChanges | ReportKind::Money => "did not succeed",
    }
}

/// The conditions of a report as options of `egret audit query`.
fn query_options(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::PiiAccess => "--has-pii --limit 0 --format csv",
        ReportKind::TokenUse => "--banks-only --limit 0 --format csv",
        ReportKind::FailedAuth => "--auth-failed --limit 0 --format csv",
        ReportKind::AccessChanges => "--effect access-change --limit 0 --format csv",
        ReportKind::Money => "--effect money --limit 0 --format csv",
    }
}

/// A list of single calls.
struct CallList {
    title: &'static str,
    note: &'static str,
    /// Options of `egret audit query` that give all of them.
    options: &'static str,
}

fn call_list(kind: ReportKind) -> Option<CallList> {
    Some(match kind {
        ReportKind::PiiAccess => CallList {
            title: "Calls with identity papers",
            note: "Numbers and pictures of papers, and answers that prove who somebody is. Newest first.",
            options: "--pii government_id --pii document --pii security_question --limit 0 \
                      --format csv",
        },
        ReportKind::TokenUse => return None,
        ReportKind::FailedAuth => CallList {
            title: "Calls",
            note: "Newest first.",
            options: query_options(ReportKind::FailedAuth),
        },
        ReportKind::AccessChanges => CallList {
            title: "Every change",
            note: "Newest first, failed attempts included.",
            options: query_options(ReportKind::AccessChanges),
        },
        ReportKind::Money => CallList {
            title: "Calls whose outcome is unknown",
            note: "The bank may have moved the money or not. Ask it for each of them. Newest first.",
            options: "--effect money --outcome unknown --limit 0 --format csv",
        },
    })
}

impl CallList {
    fn table(&self, asked: &Asked, rows: &[Shown], all: u64) -> Table {
        let status = |status: Option<u16>| status.map_or(Cell::Empty, |s| Cell::Count(s.into()));
        let cells = rows.iter().map(|call| {
            vec![
                Cell::Time(call.received),
                Cell::id(&*call.call_id),
                Cell::text(&*call.caller),
                Cell::text(&*call.operation),
                Cell::text(&*call.token_type),
                status(call.status),
                Cell::text(&*call.outcome),
                Cell::text(&*call.why),
                Cell::text(&*call.concerns),
                Cell::text(&*call.facts),
            ]
        });
        Table {
            key: "calls",
            title: self.title.to_owned(),
            note: self.note.to_owned(),
            columns: vec![
                Column::new("received", "Received"),
                Column::new("call_id", "Call"),
                Column::new("caller", "Caller"),
                Column::new("operation", "Operation"),
                Column::new("token_type", "Credential"),
                Column::new("status", "Status"),
                Column::new("outcome", "Outcome"),
                Column::new("why", "Why"),
                Column::new("concerns", "Concerns"),
                Column::new("facts", "Facts"),
            ],
            rows: cells.collect(),
            all,
            more: Some(asked.query(self.options)).filter(|_| all > rows.len() as u64),
        }
    }
}

fn gap_table(gaps: &[Gap], all: u64) -> Table {
    let rows = gaps.iter().map(|gap| {
        vec![
            Cell::Time(gap.from),
            Cell::Time(gap.to),
            Cell::Count(gap.refused),
            Cell::Count(gap.shed),
            Cell::Count(gap.dropped),
            Cell::id(&*gap.journal),
        ]
    });
    let note = if all == 0 {
        "Times in which the gateway could not record, as the journal itself says."
    } else {
        "Times in which the gateway could not record, as the journal itself says. Refused calls \
         were not made. Calls made without a record are not in this report."
    };
    Table {
        key: "gaps",
        title: "Gaps in the record".to_owned(),
        note: note.to_owned(),
        columns: vec![
            Column::new("from", "From"),
            Column::new("to", "To"),
            Column::new("refused", "Refused"),
            Column::new("shed", "Made without a record"),
            Column::new("dropped", "Last steps lost"),
            Column::new("journal", "Journal"),
        ],
        rows: rows.collect(),
        all,
        more: None,
    }
}
