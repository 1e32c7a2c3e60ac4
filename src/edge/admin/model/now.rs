//! Who asks, and how the gateway is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
