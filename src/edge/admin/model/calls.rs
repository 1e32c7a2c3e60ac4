//! Records, and what vouches for them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Call;
use crate::adapters::ledger::CallRow;

/// What was made of a word that was typed freely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Term {
    /// The word; null for what may be personal.
    pub word: Option<String>,
    /// The filter that it means.
    pub name: &'static str,
    /// The value of the filter, which is never personal.
    pub value: String,
}

/// What was made of words that were typed freely.
#[derive(Debug, Serialize, ToSchema)]
pub struct Terms {
    /// In their order.
    pub understood: Vec<Term>,
}

/// Words that were typed freely.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsBody {
    /// Up to eight words.
    #[schema(max_length = 500)]
    pub q: String,
}

/// How many calls meet the filter.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Total {
    /// So many, up to 10,000.
    pub calls: u64,
    /// Whether there are more.
    pub more: bool,
    /// If the time for it was over: only calls since this moment were counted.
    pub counted_to: Option<String>,
}

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct Calls {
    /// The calls, in the order that was asked for.
    #[schema(value_type = Vec<Call>)]
    pub calls: Vec<CallRow>,
    /// Goes on with `after`; null at the end.
    pub next: Option<String>,
    /// Goes back with `before`; null at the beginning.
    pub prev: Option<String>,
    /// If the time for the search was over: up to this moment all calls were looked at, in the
    /// order of the search. `next`, or `prev` after `before`, goes on there.
    pub searched_to: Option<String>,
    /// How many there are, if asked for and counted in time.
    pub total: Option<Total>,
    /// What was made of `q`.
    pub understood: Vec<Term>,
}

/// A step of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TimelineStep {
    /// `received`, `attempt`, `forwarded`, `first_byte` or `completed`.
    pub what: &'static str,
    /// When.
    pub at: String,
    /// So long after it was received.
    pub offset_us: i64,
    /// Which attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// How the attempt ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_us: Option<i64>,
}

/// The history of a call's tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineageOfCall {
    /// Calls whose answer handed out the token that it used, newest first.
    #[schema(value_type = Vec<Call>)]
    pub minted_by: Vec<CallRow>,
    /// How many calls used the token that its answer handed out.
    pub used_by_count: u64,
    /// The first few of them.
    #[schema(value_type = Vec<Call>)]
    pub used_by: Vec<CallRow>,
}

/// Whether a call can be proved.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProofStatus {
    /// `sealed`, `waiting`, `elsewhere` or `none`.
    pub status: &'static str,
    /// The log; null if it is not known.
    pub origin: Option<String>,
    /// Numbers of its records.
    pub records: Vec<u64>,
    /// Records under the newest checkpoint.
    pub size: Option<u64>,
    /// What to do, where it is not sealed.
    pub advice: Option<&'static str>,
}

/// Everything about one call.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallDetail {
    /// The call.
    #[schema(value_type = Call)]
    pub call: CallRow,
    /// Its steps, in the order of time.
    pub timeline: Vec<TimelineStep>,
    /// Its tokens.
    pub lineage: LineageOfCall,
    /// Incidents that name it.
    pub incidents: Vec<String>,
    /// Its proof.
    pub proof: ProofStatus,
}

/// Tokens that were handed out, over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct MintSeries {
    /// Kind of the token or secret.
    pub token_type: String,
    /// Who obtained them.
    pub caller: String,
    /// From which bank.
    pub provider: String,
    /// How many in each step.
    pub mints: Vec<u64>,
}

/// Tokens that were handed out, over time, by kind, caller and bank.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mints {
    /// Beginning of the period.
    pub from: String,
    /// Its end.
    pub to: String,
    /// Length of a step.
    pub step_s: u64,
    /// Beginning of each step.
    pub at: Vec<String>,
    /// The busiest series first.
    pub series: Vec<MintSeries>,
    /// Whether there were more series than are shown.
    pub cut: bool,
}

/// A kind of report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportShown {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
}

/// The kinds of reports.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reports {
    /// All of them.
    pub reports: Vec<ReportShown>,
}

/// A checkpoint of the signed log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checkpoint {
    /// Records under it.
    pub size: u64,
    /// Root of the tree.
    pub root: String,
    /// The signed note.
    pub text: String,
}

/// The signed log of this node.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// Whether there is one.
    pub enabled: bool,
    /// Its name.
    pub origin: Option<String>,
    /// Its public keys, the first one first.
    pub keys: Vec<String>,
    /// The first event that is under no checkpoint.
    pub sealed_seq: Option<u64>,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Whether no checkpoints are made.
    pub failing: bool,
}

/// Whether everything is still what was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verified {
    /// Whether it is.
    pub sound: bool,
    /// What is wrong.
    pub faults: Vec<String>,
    /// Records that were checked.
    pub records: u64,
    /// How long it took.
    pub took_ms: u64,
}

/// An error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What sort of error: `urn:egret:problem:admin_…`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In one sentence.
    pub title: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// What to do about it.
    pub detail: String,
    /// Id of this request, and of its record if it has one.
    pub request_id: String,
    /// The parameter that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}
