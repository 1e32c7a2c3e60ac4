//! The seam to what answers: what can be asked for through the admin API, and what comes back.
//!
//! Here are only questions whose form was checked and whose asker may ask them; answers are made in
//! `app`.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::adapters::ledger::{IdPrefix, Order, Question};
use crate::domain::access::{Permission, Person};
use crate::domain::incident::{Category, Severity, State};
use crate::domain::investigation::Whom;
use crate::domain::moment::Moment;
use crate::domain::report::ReportKind;
use crate::types::{CallId, Micros, Secret};

/// How a document or a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object.
    Json,
    /// A page that needs nothing else.
    Html,
    /// Comma separated.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl Form {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

/// From which page of calls one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// After this call, in the order that was asked for.
    After(CallId),
    /// Before it.
    Before(CallId),
}

/// Which calls, and which page of them.
#[derive(Clone, Debug)]
pub struct CallsAsked {
    /// Which.
    pub question: Question,
    /// What was typed freely.
    pub q: Option<Secret<String>>,
    /// In which order.
    pub order: Order,
    /// At most so many.
    pub limit: u32,
    /// Where the page begins.
    pub cursor: Option<Cursor>,
    /// Whether to count all of them, up to a bound.
    pub total: bool,
}

/// Which incidents.
#[derive(Clone, Debug)]
pub struct IncidentsAsked {
    /// In these states.
    pub states: Vec<State>,
    /// At least so bad.
    pub severity: Option<Severity>,
    /// Of this sort.
    pub category: Option<Category>,
    /// Naming this caller.
    pub caller: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Those after this one.
    pub after: Option<String>,
}

/// A period, whose ends may be open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Period {
    /// From when.
    pub from: Option<Moment>,
    /// Until when.
    pub to: Option<Moment>,
}

/// What nobody is to be told about for a time.
#[derive(Clone, Debug)]
pub struct SilenceAsked {
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only about this caller.
    pub caller: Option<String>,
    /// Only in this environment.
    pub environment: Option<String>,
    /// For how long.
    pub length: std::time::Duration,
    /// Why.
    pub reason: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the route of its name")]
pub enum Ask {
    Version,
    Health,
    Now {
        history: bool,
        since: Option<Micros>,
    },
    Budgets,
    Breakers,
    Providers,
    Config,
    Callers,
    Policy,
    Locks,
    Incidents(IncidentsAsked),
    Incident(String),
    Silences,
    LogFilter,
    Calls(Box<CallsAsked>),
    Terms(Secret<String>),
    Call(IdPrefix),
    Proof(CallId),
    Tail {
        question: Box<Question>,
        last: Option<i64>,
    },
    Mints {
        period: Period,
        step_s: Option<u32>,
        caller: Option<String>,
        provider: Option<String>,
    },
    Investigate {
        whom: Whom,
        period: Period,
        form: Form,
    },
    Export {
        question: Box<Question>,
        order: Order,
        limit: u64,
        form: Form,
    },
    Reports,
    Report {
        kind: ReportKind,
        question: Box<Question>,
        form: Form,
    },
    Evidence,
    VerifyEvidence,
    Pack {
        report: Option<ReportKind>,
        question: Box<Question>,
        calls: Vec<CallId>,
    },
    Lock {
        target: String,
        reason: String,
        length: Option<std::time::Duration>,
        here: bool,
    },
    Lift {
        id: CallId,
        reason: String,
    },
    Acknowledge(String),
    Close {
        id: String,
        reason: String,
    },
    Silence(SilenceAsked),
    Unsilence(u64),
    SetLogFilter(String),
    ResetBreaker(String),
}

/// An event for a browser that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call, with its number in the ledger.
    Call {
        /// The number.
        seq: i64,
        /// The row as JSON.
        row: String,
    },
    /// It goes on later; why not now.
    Problem(String),
}

/// An answer.
#[derive(Debug)]
pub enum Reply {
    /// JSON with a status.
    Json(u16, Vec<u8>),
    /// Nothing to say: done.
    Done,
    /// A document for people, or a file.
    File {
        /// Its media type.
        media: &'static str,
        /// Under which name a browser keeps it; `None` to show it.
        name: Option<String>,
        /// The whole of it.
        body: Bytes,
    },
    /// A file that is written while it is read. An error breaks the connection off, so that nobody
    /// takes half a file for a whole one.
    Stream {
        /// Its media type.
        media: &'static str,
        /// Under which name a browser keeps it.
        name: String,
        /// Its pieces.
        pieces: mpsc::Receiver<Result<Bytes, String>>,
    },
    /// Events as they come.
    Events(mpsc::Receiver<Event>),
}

impl Reply {
    /// JSON with status 200.
    pub fn json(value: &impl serde::Serialize) -> Self {
        Self::with_status(200, value)
    }

    /// JSON with status 201.
    pub fn created(value: &impl serde::Serialize) -> Self {
        Self::with_status(201, value)
    }

    fn with_status(status: u16, value: &impl serde::Serialize) -> Self {
        // Only maps with keys that are not text fail; there are none.
        Self::Json(status, serde_json::to_vec(value).unwrap_or_default())
    }
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody known asks.
    Unauthenticated,
    /// Too many wrong keys; try again after so many seconds.
    TooMany(u64),
    /// The roles do not allow it.
    Forbidden(Permission),
    /// A change that another site's page may have asked for.
    OtherSite,
    /// The `Host` is none of the listener's names.
    WrongHost,
    /// There is nothing of that name.
    NotFound(String),
    /// Not with this method.
    MethodNotAllowed,
    /// It cannot be done as things are.
    Conflict(String),
    /// A parameter cannot be understood; which, and why.
    BadParameter(String, String),
    /// The body cannot be understood.
    BadBody(String),
    /// The body is too large.
    TooLarge,
    /// The body is not JSON.
    WrongType,
    /// It cannot be put on record, so it is not done.
    NotRecorded,
    /// The ledger cannot be asked.
    LedgerAway(String),
    /// The gateway has not come up.
    Starting,
    /// Too many questions at a time.
    Busy,
    /// It took too long.
    Timeout,
    /// Something else went wrong; what is for the person who asks.
    Failed(String),
}

/// Something that has happened at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A session has begun.
    Login,
    /// A session has ended.
    Logout,
    /// A key or token was wrong.
    Unknown,
    /// The roles did not allow it.
    Denied(Permission),
    /// Figures were asked for.
    Figures,
}

/// Answers.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Answers a question that `who` may ask. `id` is that of the request, and of its record.
    async fn answer(&self, ask: Ask, who: &Person, id: CallId) -> Result<Reply, Fault>;

    /// Puts on record what has happened at the door; `who` is somebody if they are known.
    ///
    /// # Errors
    /// [`Fault::NotRecorded`].
    async fn enter(&self, entry: Entry, who: Option<&Person>, id: CallId) -> Result<(), Fault>;
}
