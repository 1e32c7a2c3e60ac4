//! What is set up, and what people change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Incident;

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
