//! What the gateway runs with, after every default has been filled in and every fault refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::LedgerPlace;
use super::admin::Admin;
use super::alerts::Alerts;
use super::budgets::{BudgetRule, Budgets};
use super::detect::Detect;
use super::telemetry::Telemetry;
use crate::domain::catalog::{BaseUrl, HttpVersion};
use crate::domain::evidence::VerifierKey;
use crate::domain::record::LossPolicies;
use crate::domain::redact::{RedactorBuilder, UserRule};
use crate::domain::resilience::Resilience;
use crate::domain::retention::Periods;
use crate::types::Environment;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Name of this node in every record.
    pub node: Arc<str>,
    /// Directory that holds the ledger, the keys and the callers, unless they are named apart.
    pub data_dir: PathBuf,
    /// Worker threads, each with its own runtime, sockets and connections to the banks.
    pub workers: usize,
    /// Where the gateway listens; at least one.
    pub listeners: Vec<Listener>,
    /// Who may call.
    pub callers: Callers,
    /// Where it is told how the gateway is.
    pub admin: Admin,
    /// Which providers are served, by provider id.
    pub providers: BTreeMap<Arc<str>, Provider>,
    /// What a running gateway does when its configuration changes.
    pub reload: Reload,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How large things may be.
    pub limits: Limits,
    /// How the banks' rate limits are kept.
    pub budgets: Budgets,
    /// The journal.
    pub journal: Journal,
    /// The ledger.
    pub ledger: Ledger,
    /// The signed log over the journal.
    pub evidence: Evidence,
    /// Where it is kept what is locked down.
    pub lockdown: Lockdown,
    /// How long records are kept; `None` for ever.
    pub retention: Option<Periods>,
    /// File of the key that fingerprints and pseudonyms are made with; made on first start.
    pub fingerprint_key_file: PathBuf,
    /// What is logged.
    pub log: Log,
    /// How texts are redacted before they are written anywhere.
    pub redaction: Redaction,
    /// Which calls are captured for debugging; the first rule that fits a call counts.
    pub captures: Vec<CaptureRule>,
    /// Directory of the captures.
    pub capture_dir: PathBuf,
    /// File of the key that captures are encrypted with; made when a rule first needs it.
    pub capture_key_file: PathBuf,
    /// Who is told about incidents, and how.
    pub alerts: Alerts,
    /// How the gateway watches its own ledger.
    pub detect: Detect,
    /// What is told to a collector of OpenTelemetry.
    pub telemetry: Telemetry,
    /// First 16 hexadecimal digits of the SHA-256 of the configuration text, of the environment
    /// variables that override it and of every provider file that it names.
    pub config_hash: Box<str>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// The address.
    pub address: ListenAddress,
    /// TLS with HTTP/2 and HTTP/1.1; `None` for plain HTTP/1.1 and h2c.
    pub tls: Option<ListenerTls>,
}

/// A network or Unix socket address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// Unix socket; made with mode 0660.
    Unix(PathBuf),
}

impl std::fmt::Display for ListenAddress {
    /// As it would be written in a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl ListenAddress {
    /// Whether only processes of this machine can reach the address.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// TLS of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Authorities that may sign callers' certificates, PEM; `None` without mTLS.
    pub client_ca: Option<PathBuf>,
    /// Whether a caller without a certificate is refused in the handshake; otherwise it must
    /// identify itself by an Egret key.
    pub client_certificate_required: bool,
}

/// Who may call, and how callers are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    /// File with the callers and the hashes of their keys, kept by `egret caller`.
    pub file: PathBuf,
    /// Callers on loopback addresses and Unix sockets are taken to be this one.
    pub local: Option<Arc<str>>,
    /// Names that client certificates stand for: SPIFFE id, DNS name or common name to caller.
    /// A certificate that is not listed names its caller by its SPIFFE id, else its first DNS
    /// name, else its common name.
    pub certificates: BTreeMap<String, Arc<str>>,
}

/// How a provider is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Provider file; `None` for the one built in.
    pub file: Option<PathBuf>,
    /// Environment that a path prefix leads to.
    pub environment: Environment,
    /// Base URLs that override or complete the provider file, by service and environment.
    pub base_urls: BTreeMap<(Arc<str>, Environment), Upstream>,
    /// What the caller gets of the bank's error bodies.
    pub error_bodies: ErrorBodies,
    /// Services for which this is different.
    pub service_error_bodies: BTreeMap<Arc<str>, ErrorBodies>,
    /// HTTP version to the bank; `None` as the provider file says.
    pub http_version: Option<HttpVersion>,
    /// What to do with requests that match no operation.
    pub unknown_operations: UnknownOperations,
    /// Whether the caller's address goes to the bank in `X-Forwarded-For`.
    pub forward_caller_address: bool,
    /// Callers that may use DAuth; OBP trusts the gateway's address for it, so everybody behind
    /// the gateway would be trusted.
    pub dauth_callers: Vec<Arc<str>>,
    /// Callers that may use GatewayLogin, for the same reason.
    pub gateway_login_callers: Vec<Arc<str>>,
    /// What happens when the bank is not well.
    pub resilience: Resilience,
    /// What is different from the provider file's rate limits, by their ids, and further ones.
    pub budgets: BTreeMap<Arc<str>, BudgetRule>,
}

/// A bank's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Whether TLS is used; plain HTTP is allowed to loopback addresses only.
    pub tls: bool,
    /// Host name or address in small letters, IPv6 in brackets as in a URL; sent in `Host`, and
    /// as server name if it is a name.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
    /// Path before every operation's path, without trailing slash; mostly empty.
    pub base_path: Box<str>,
    /// Extra authorities to trust for this server, PEM.
    pub ca: Option<PathBuf>,
    /// Whether the certificate is verified; can be off for loopback addresses only.
    pub verify: bool,
}

impl Upstream {
    /// The base URL, as it would be written in a configuration.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.base_path)
    }
}

/// What to do with requests that match no operation of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownOperations {
    /// Pass on and record as `unknown`.
    Forward,
    /// Refuse with 403 and record.
    Deny,
}

/// What the caller gets of an answer of 400 and above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorBodies {
    /// The bank's body as it is.
    Pass,
    /// A problem with the bank's status and its listed code, and nothing else of its body.
    Map,
}

/// How texts are redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Built-in rule sets in use; `None` for all.
    pub rule_sets: Option<Vec<Arc<str>>>,
    /// Whether personal values become keyed pseudonyms instead of bare masks.
    pub pseudonyms: bool,
    /// Rules of the user's own; their examples have been tried.
    pub rules: Vec<RedactionRule>,
}

impl Redaction {
    /// A redactor with these rules, without operations and keys.
    pub fn builder(&self) -> RedactorBuilder {
        let mut builder = RedactorBuilder::default();
        if let Some(sets) = &self.rule_sets {
            builder = builder.rule_sets(sets.iter().map(|set| set.to_string()));
        }
        self.rules
            .iter()
            .fold(builder, |builder, rule| builder.rule(rule.to_rule()))
    }
}

/// A redaction rule of the user's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactionRule {
    /// The word inside the mask.
    pub name: String,
    /// Regular expression for values in any text.
    pub pattern: Option<String>,
    /// Names of fields, headers and parameters.
    pub fields: Vec<String>,
    /// Show the fields instead of masking them.
    pub keep: bool,
    /// Texts in which the pattern must find something.
    pub must_match: Vec<String>,
    /// Texts in which it must find nothing.
    pub must_not_match: Vec<String>,
}

impl RedactionRule {
    /// As the redactor wants it.
    pub fn to_rule(&self) -> UserRule {
        UserRule {
            name: self.name.clone(),
            pattern: self.pattern.clone(),
            fields: self.fields.clone(),
            keep: self.keep,
            must_match: self.must_match.clone(),
            must_not_match: self.must_not_match.clone(),
        }
    }
}

/// Which calls are captured, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureRule {
    /// Provider id.
    pub provider: Arc<str>,
    /// Operation ids; none for every call to the provider, also those that match no operation.
    pub operations: Vec<Arc<str>>,
    /// Whether bodies are captured besides heads.
    pub bodies: CaptureBodies,
    /// Most bytes of each body, after redaction.
    pub max_bytes: usize,
    /// How long a capture is kept.
    pub retention: Duration,
    /// One call in this many is captured.
    pub sample: usize,
}

/// Whether bodies are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureBodies {
    /// Heads only.
    None,
    /// The beginning of each body.
    Excerpt,
}

/// What a running gateway does when its configuration changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Whether it is reloaded when its files have changed; otherwise only when somebody asks.
    pub on_change: bool,
}

/// How long things may take. Never infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connection to the bank.
    pub connect: Duration,
    /// TCP connection and TLS handshake together.
    pub tls: Duration,
    /// Whole request, unless the operation or the provider file says otherwise.
    pub request: Duration,
    /// From the first byte of a request's header to its last.
    pub head: Duration,
    /// Idle connections, on both sides.
    pub idle: Duration,
    /// How long connections are still accepted after a stop was asked for.
    pub drain_delay: Duration,
    /// How long calls may go on after that.
    pub drain: Duration,
}

/// How large things may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request line and header fields together, in bytes.
    pub head_bytes: usize,
    /// One header field, in bytes.
    pub field_bytes: usize,
    /// Number of header fields.
    pub fields: usize,
    /// Connections that are open at the same time, over all listeners.
    pub connections: usize,
}

/// The ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Where it is.
    pub place: LedgerPlace,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Directory of its segments.
    pub directory: PathBuf,
    /// Size of a segment, in bytes.
    pub segment_size: u64,
    /// Most bytes that are not in the ledger yet; beyond them calls are refused by policy.
    pub max_bytes: u64,
    /// Records that nobody waits for are on disk after this long.
    pub sync_interval: Duration,
    /// By how many steps the thread that writes goes before others for a core.
    pub writer_priority: u8,
    /// What may be lost of a record, by what the call can do.
    pub policies: LossPolicies,
}

/// The signed log over the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Whether there is one.
    pub enabled: bool,
    /// Its name, if one is written; see [`Evidence::origin`].
    pub origin: Option<Box<str>>,
    /// File of the key that signs for it.
    pub key_file: PathBuf,
    /// New records are under a checkpoint after this long.
    pub interval: Duration,
    /// Who cosigns.
    pub witnesses: Vec<WatchedBy>,
}

/// Where it is kept what is locked down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockdown {
    /// The locks of this node.
    pub file: PathBuf,
    /// The locks of the fleet as this node has seen them last, for a start without the ledger.
    pub shared_copy: PathBuf,
    /// Everything is locked down while this is there.
    pub sentinel: PathBuf,
}

impl Evidence {
    /// The name that a log of this node begins with. What cannot stand in the name of a key
    /// becomes a hyphen.
    pub fn origin(&self, node: &str) -> String {
        if let Some(origin) = &self.origin {
            return origin.to_string();
        }
        let allowed = |c: char| c.is_ascii_graphic() && c != '+';
        let node: String = node
            .chars()
            .map(|c| if allowed(c) { c } else { '-' })
            .take(200)
            .collect();
        format!("egret/{node}")
    }
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedBy {
    /// Where it is.
    pub url: BaseUrl,
    /// The key that it cosigns with.
    pub key: VerifierKey,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Filter in the notation of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people if standard error is a terminal, else JSON.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}
