//! What answers and bodies look like. The document at `/api/v1/openapi.json` is made of these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ObjectBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{OneOfBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::adapters::ledger::CallRow;
use crate::adapters::ledger::row::{COLUMNS, Kind};

/// How a session can be begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ways {
    /// With an admin key.
    pub key: bool,
    /// At the identity provider; null without one.
    pub oidc: Option<OidcWay>,
}

/// The way through the identity provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct OidcWay {
    /// Where a browser goes.
    pub start: &'static str,
    /// The identity provider's host.
    pub name: String,
}

/// Begins a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    /// An admin key.
    #[schema(max_length = 256)]
    pub key: String,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Name in every record.
    pub name: String,
    /// How that was said: `key`, `session`, `certificate` or `token`.
    pub way: &'static str,
    /// `viewer`, `auditor`, `operator`.
    pub roles: Vec<&'static str>,
    /// `watch`, `inspect`, `calls`, `export`, `act`.
    pub permissions: Vec<&'static str>,
    /// Until when; null for no end.
    pub expires_at: Option<String>,
}

/// The program.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// Its version.
    pub version: &'static str,
    /// Name of this gateway in every record.
    pub node: String,
    /// Of the configuration that is in force.
    pub config_hash: String,
    /// When the process began.
    pub started_at: String,
}

/// One check of readiness.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// Whether it is green.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How the gateway is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Whether every check is green.
    pub ok: bool,
    /// `starting`, `serving` or `draining`.
    pub stage: &'static str,
    /// By name.
    pub checks: BTreeMap<&'static str, Check>,
}

/// A rate limit of a bank.
#[derive(Debug, Serialize, ToSchema)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// Calls in a window.
    pub limit: u64,
    /// Calls that are left; of the part that has the least.
    pub remaining: u64,
    /// Calls that wait.
    pub waiting: u64,
    /// Places given since the start.
    pub admitted: u64,
    /// Calls that had to wait.
    pub waited: u64,
    /// How long they waited.
    pub waited_us: u64,
    /// Calls refused here.
    pub refused: u64,
    /// Calls that a shadow let pass.
    pub over: u64,
    /// Calls that the bank refused.
    pub throttled: u64,
}

/// The banks' rate limits.
#[derive(Debug, Serialize, ToSchema)]
pub struct Budgets {
    /// All of them.
    pub budgets: Vec<Budget>,
    /// Whether the store answers that gateways share them by; null if they do not.
    pub shared: Option<bool>,
}

/// An endpoint group of a bank and its breaker.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breaker {
    /// Its name.
    pub name: String,
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// Calls in flight.
    pub in_flight: u64,
    /// Calls that may be in flight.
    pub limit: u64,
    /// Calls that wait for a place.
    pub waiting: u64,
    /// Times that it has opened since the start.
    pub opened: u64,
    /// Calls that it has stopped.
    pub stopped: u64,
    /// Calls for which there was no place in time.
    pub shed: u64,
    /// Repetitions.
    pub repeated: u64,
    /// Repetitions that there was no allowance for.
    pub not_repeated: u64,
}

/// The endpoint groups of the banks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breakers {
    /// All of them.
    pub breakers: Vec<Breaker>,
}

/// Incidents that are not closed.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct OpenIncidents {
    /// Nobody has taken them.
    pub open: u64,
    /// Somebody has.
    pub acknowledged: u64,
    /// The worst severity of them; null if there are none.
    pub worst: Option<&'static str>,
}

/// The journal.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct JournalNow {
    /// Whether it can be written.
    pub ok: bool,
    /// Number of the next event.
    pub next_seq: u64,
    /// The first event that is not known to be on disk.
    pub durable_seq: u64,
    /// Bytes on disk that the ledger has not taken.
    pub undrained_bytes: u64,
    /// The most that those may be.
    pub max_bytes: u64,
    /// Calls refused for want of a record since the start.
    pub refused: u64,
    /// Calls that went on unrecorded since the start.
    pub shed: u64,
}

/// The ledger.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct LedgerNow {
    /// Whether the last attempt to write did well.
    pub ok: bool,
    /// How long the oldest event has waited.
    pub lag_us: u64,
    /// Events that wait.
    pub lag_events: u64,
    /// Rows written since the start.
    pub written: u64,
    /// Attempts to write that failed since the start.
    pub failures: u64,
}

/// The signed log.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct EvidenceNow {
    /// Whether checkpoints are made.
    pub ok: bool,
    /// The first event that is under no checkpoint.
    pub sealed_seq: u64,
    /// Checkpoints made since the start.
    pub checkpoints: u64,
}

/// Calls to a bank in the last full minute.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ProviderNow {
    /// Its id.
    pub provider: String,
    /// Calls.
    pub calls: u64,
    /// Those that did not end well.
    pub failed: u64,
    /// Half of them took no longer; null without calls.
    pub p50_us: Option<u64>,
    /// 95 % of them took no longer.
    pub p95_us: Option<u64>,
    /// 99 % of them took no longer.
    pub p99_us: Option<u64>,
    /// Tokens and other secrets handed out.
    pub mints: u64,
    /// Denied by the gateway.
    pub denied: u64,
}

/// Figures of one provider over time.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ProviderHistory {
    /// Calls in each step.
    pub calls: Vec<u64>,
    /// Those that did not end well.
    pub failed: Vec<u64>,
    /// Half of them took no longer; null without calls.
    pub p50_us: Vec<Option<u64>>,
    /// 95 % of them took no longer.
    pub p95_us: Vec<Option<u64>>,
    /// 99 % of them took no longer.
    pub p99_us: Vec<Option<u64>>,
}

/// A budget over time.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct BudgetHistory {
    /// Calls that were left at the end of each step; null before it was known.
    pub remaining: Vec<Option<u64>>,
}

/// Figures over time; every list is as long as `at`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct History {
    /// Length of a step.
    pub step_s: u64,
    /// End of each step, oldest first.
    pub at: Vec<String>,
    /// Calls in each step.
    pub calls: Vec<u64>,
    /// Those that did not end well.
    pub failed: Vec<u64>,
    /// Those that the gateway denied.
    pub denied: Vec<u64>,
    /// Half of them took no longer; null without calls.
    pub p50_us: Vec<Option<u64>>,
    /// 95 % of them took no longer.
    pub p95_us: Vec<Option<u64>>,
    /// 99 % of them took no longer.
    pub p99_us: Vec<Option<u64>>,
    /// Calls in flight at the end of each step.
    pub in_flight: Vec<u64>,
    /// How long the oldest event waited for the ledger at the end of each step.
    pub ledger_lag_us: Vec<u64>,
    /// By provider.
    pub providers: BTreeMap<String, ProviderHistory>,
    /// By budget.
    pub budgets: BTreeMap<String, BudgetHistory>,
}

/// One look at everything.
#[derive(Debug, Serialize, ToSchema)]
pub struct Now {
    /// When.
    pub at: String,
    /// Name of this gateway.
    pub node: String,
    /// Whether every check is green.
    pub ok: bool,
    /// `starting`, `serving` or `draining`.
    pub stage: &'static str,
    /// By name.
    pub checks: BTreeMap<&'static str, Check>,
    /// Calls in flight.
    pub calls_in_flight: u64,
    /// Open connections of callers.
    pub connections: u64,
    /// Locks that hold.
    pub locks: u64,
    /// Incidents that are not closed; null where they cannot be read.
    pub incidents: Option<OpenIncidents>,
    /// The journal; null until it is open.
    pub journal: Option<JournalNow>,
    /// The ledger; null until its feed runs.
    pub ledger: Option<LedgerNow>,
    /// The signed log; null if there is none.
    pub evidence: Option<EvidenceNow>,
    /// The banks, in the last full minute.
    pub providers: Vec<ProviderNow>,
    /// The endpoint groups.
    pub breakers: Vec<Breaker>,
    /// The rate limits.
    pub budgets: Vec<Budget>,
    /// The last hour, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// A service of a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// Installations that there is an address for.
    pub environments: Vec<&'static str>,
}

/// A provider that is served.
#[derive(Debug, Serialize, ToSchema)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The installation that a path prefix leads to.
    pub environment: &'static str,
    /// Its services.
    pub services: Vec<Service>,
    /// How many operations are known.
    pub operations: u64,
    /// What happens to requests that match none: `forward` or `deny`.
    pub unknown_operations: &'static str,
}

/// The providers that are served.
#[derive(Debug, Serialize, ToSchema)]
pub struct Providers {
    /// By id.
    pub providers: Vec<Provider>,
}

/// A value of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigValue {
    /// Its key, with the tables around it.
    pub key: String,
    /// The value; `[secret]` for what may be one.
    pub value: String,
    /// Line of the file; null for one from the environment.
    pub line: Option<u64>,
    /// `file` or `variable`.
    pub from: &'static str,
}

/// The configuration, without secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigShown {
    /// The file.
    pub file: String,
    /// As in every record.
    pub hash: String,
    /// What is written in it, in its order.
    pub values: Vec<ConfigValue>,
}

/// A key of a caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallerKey {
    /// Public id.
    pub id: String,
    /// `usable`, `expired` or `revoked`.
    pub state: &'static str,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// A caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct Caller {
    /// Its name.
    pub name: String,
    /// Its keys, oldest first.
    pub keys: Vec<CallerKey>,
    /// What certificates say that stand for it.
    pub certificates: Vec<String>,
    /// Whether processes of the gateway's machine are taken to be it.
    pub local: bool,
}

/// The callers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Callers {
    /// By name.
    pub callers: Vec<Caller>,
}

/// Policy of a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderPolicy {
    /// Its id.
    pub provider: String,
    /// `forward` or `deny`.
    pub unknown_operations: &'static str,
    /// Callers that may use DAuth.
    pub dauth_callers: Vec<String>,
    /// Callers that may use GatewayLogin.
    pub gateway_login_callers: Vec<String>,
    /// What callers get of the bank's error bodies: `pass` or `map`.
    pub error_bodies: &'static str,
}

/// Policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Policy {
    /// By provider.
    pub providers: Vec<ProviderPolicy>,
    /// What happens to a call whose record cannot be kept, by what it can do.
    pub loss: BTreeMap<&'static str, &'static str>,
}

/// A lock.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lock {
    /// Its id: the record of its placing.
    pub id: String,
    /// What is locked.
    pub target: String,
    /// `node` or `fleet`.
    pub reach: &'static str,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by: String,
    /// When.
    pub placed_at: String,
    /// Until when; null until it is lifted.
    pub until: Option<String>,
}

/// What is locked down.
#[derive(Debug, Serialize, ToSchema)]
pub struct Locks {
    /// Whether the sentinel file locks everything.
    pub sentinel: bool,
    /// Whether the fleet's locks are as they are now, not as they were seen last.
    pub fleet_asked: bool,
    /// Those in force.
    pub locks: Vec<Lock>,
}

/// Locks something down.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockBody {
    /// `all`, `provider:ID`, `operation:PROVIDER/ID`, `caller:NAME` or `token:FINGERPRINT`.
    #[schema(max_length = 300)]
    pub target: String,
    /// Why; stays on record, less what is personal or secret in it.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
    /// For how long, such as `30m` or `2h`; null until it is lifted.
    #[serde(default, rename = "for")]
    #[schema(pattern = "^[1-9][0-9]{0,4}(s|m|h|d)$")]
    pub length: Option<String>,
    /// On this node only, also where the fleet shares its locks.
    #[serde(default)]
    pub here: bool,
}

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    /// Why; stays on record, less what is personal or secret in it.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Nothing more to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyBody {}

/// An incident, as `egret alert show --format json` prints it.
pub struct Incident;

/// Incidents, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Incidents {
    /// A page of them.
    #[schema(value_type = Vec<Incident>)]
    pub incidents: Vec<Value>,
    /// To go on with; null at the end.
    pub next: Option<String>,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Silence {
    /// Its number.
    pub number: u64,
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only of this category.
    pub category: Option<&'static str>,
    /// Only about this caller.
    pub caller: Option<String>,
    /// Only in this environment.
    pub environment: Option<String>,
    /// From when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// Who wants it.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// The silences.
#[derive(Debug, Serialize, ToSchema)]
pub struct Silences {
    /// Those that are on.
    pub silences: Vec<Silence>,
}

/// Tells nobody about something for a time. It needs a rule, a category, a caller or an environment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceBody {
    /// Only of this rule.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub rule: Option<String>,
    /// Only of this category.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub category: Option<String>,
    /// Only about this caller.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub caller: Option<String>,
    /// Only in this environment.
    #[serde(default)]
    #[schema(max_length = 32)]
    pub environment: Option<String>,
    /// For how long, up to 90 days.
    #[serde(rename = "for")]
    #[schema(pattern = "^[1-9][0-9]{0,4}(s|m|h|d)$")]
    pub length: String,
    /// Why.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// What is logged.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFilter {
    /// In the notation of `[log] filter`.
    #[schema(min_length = 1, max_length = 1024)]
    pub filter: String,
}

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
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Total {
    /// So many, up to 10,000.
    pub calls: u64,
    /// Whether there are more.
    pub more: bool,
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
    /// How many there are, if asked for and counted in time.
    pub total: Option<Total>,
    /// What was made of `q`.
    pub understood: Vec<Term>,
}

/// A call: every column of the ledger.
pub struct Call;

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

/// A report or an investigation, as the commands write it.
pub struct Document;

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

fn nullable(kind: Type) -> Schema {
    Schema::Object(
        ObjectBuilder::new()
            .schema_type(SchemaType::Array(vec![kind, Type::Null]))
            .build(),
    )
}

impl PartialSchema for Call {
    fn schema() -> RefOr<Schema> {
        let object = COLUMNS.iter().fold(ObjectBuilder::new(), |object, column| {
            let schema = match column.kind {
                Kind::Integer => nullable(Type::Integer),
                Kind::Text => nullable(Type::String),
                Kind::Json => Schema::OneOf(
                    OneOfBuilder::new()
                        .item(any_object())
                        .item(Schema::Array(Array::new(any_value())))
                        .item(nullable(Type::Null))
                        .build(),
                ),
            };
            object.property(column.name, schema).required(column.name)
        });
        object
            .description(Some("A call: every column of the ledger"))
            .into()
    }
}

impl ToSchema for Call {}

fn any_value() -> Schema {
    Schema::Object(
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .build(),
    )
}

fn any_object() -> Schema {
    Schema::Object(
        ObjectBuilder::new()
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .build(),
    )
}

impl PartialSchema for Incident {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String).build();
        let names = ["id", "state", "severity", "category", "title", "sentence"];
        let object = names.iter().fold(ObjectBuilder::new(), |object, name| {
            object.property(*name, text()).required(*name)
        });
        object
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .description(Some("As `egret alert show --format json` prints it"))
            .into()
    }
}

impl ToSchema for Incident {}

impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        any_object().into()
    }
}

impl ToSchema for Document {}
