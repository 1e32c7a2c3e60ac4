//! What a provider file says, checked and resolved.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::base_url::BaseUrl;
use super::json_path::JsonPath;
use super::shape::{Shape, Words};
use crate::types::{CredentialScheme, Effect, Environment, PiiClass, RetryClass, TokenType};

/// A provider: one file of `config/providers`.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name in configuration, records and commands, for example `cybrid`.
    pub id: Arc<str>,
    /// The name for people.
    pub title: Box<str>,
    /// How requests to this provider carry credentials.
    pub scheme: CredentialScheme,
    /// Scopes that the provider documents; any other scope of a token is not recorded.
    pub scopes: Words,
    /// Issuers whose name may be recorded when a token claims it.
    pub issuers: Words,
    /// The provider's APIs, each with its own prefix and hosts. At most [`MAX_SERVICES`].
    pub services: Vec<Service>,
    /// Query rules for requests that match no operation, and the start of every operation's own.
    pub query: QueryRules,
    /// Where an error body holds the provider's error code, in order of preference.
    pub error_codes: Vec<ErrorCodeRule>,
    /// Recordable values of error bodies.
    pub error_facts: Vec<FactRule>,
    /// Documented rate limits.
    pub rate_limits: Vec<RateLimit>,
    /// All operations, in the order of the file.
    pub operations: Vec<Arc<Operation>>,
}

/// Most services of one provider.
pub const MAX_SERVICES: usize = 16;

/// The place of a service in [`Provider::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceIndex(pub u8);

impl Provider {
    /// The service at an index.
    pub fn service(&self, index: ServiceIndex) -> Option<&Service> {
        self.services.get(usize::from(index.0))
    }

    /// The operation with an id.
    pub fn operation(&self, id: &str) -> Option<&Arc<Operation>> {
        self.operations
            .iter()
            .find(|operation| &*operation.id == id)
    }
}

/// One API of a provider.
#[derive(Clone, Debug)]
pub struct Service {
    /// The name within the provider, for example `bank`.
    pub id: Arc<str>,
    /// The path prefix under which the gateway serves it, for example `/cybrid/bank`; no slash
    /// at the end.
    pub prefix: Arc<str>,
    /// The hosts per environment; may be empty (Wyre has no default).
    pub base_urls: Vec<(Environment, BaseUrl)>,
    /// The HTTP version spoken to the upstream.
    pub http_version: HttpVersion,
    /// What happens to a path with an encoded slash.
    pub encoded_slash: EncodedSlash,
    /// The time limit of a call, unless the operation has its own; the configuration's if there
    /// is none.
    pub timeout: Option<Duration>,
}

impl Service {
    /// The base URL of an environment, if there is one.
    pub fn base_url(&self, environment: Environment) -> Option<&BaseUrl> {
        self.base_urls
            .iter()
            .find(|(of, _)| *of == environment)
            .map(|(_, url)| url)
    }
}

/// HTTP version towards an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// `1.1`, which keeps the case of header names.
    Http11,
    /// `2`, which lower-cases header names.
    Http2,
}

/// What to do with `%2F` in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodedSlash {
    /// Refuse the request: servers disagree about what it means.
    Refuse,
    /// Pass it on as it came.
    Allow,
}

/// A call that a provider offers.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Unique within the provider.
    pub id: Arc<str>,
    /// The service it belongs to.
    pub service: ServiceIndex,
    /// Its method.
    pub method: Method,
    /// The path template as the file has it, `{version}` included.
    pub template: Arc<str>,
    /// The values of `{version}` under which it is served; empty if the template has none.
    pub versions: Vec<Arc<str>>,
    /// Its path parameters in order, `{version}` not among them.
    pub params: Vec<PathParam>,
    /// One line for people.
    pub summary: Option<Box<str>>,
    /// What the call can do, one word: money before mint before access-change before write.
    pub effect: Effect,
    /// What kind of access it changes, if it does (`view_grant`, `consent`), whatever its effect.
    pub access: Option<Arc<str>>,
    /// The token types that the provider documents for it; empty if it does not say.
    pub token_types: Vec<TokenType>,
    /// The time limit of a call, its own or its service's; the configuration's if there is none.
    pub timeout: Option<Duration>,
    /// When the gateway may send it again.
    pub retry: RetryClass,
    /// The conflict that protects a blind repetition, if the provider documents one.
    pub replay_guard: Option<ReplayGuard>,
    /// Scopes that the provider demands.
    pub scopes_required: Vec<Arc<str>>,
    /// Scopes that make the answer richer.
    pub scopes_optional: Vec<Arc<str>>,
    /// What else is worth knowing.
    pub flags: Vec<OperationFlag>,
    /// The lowest value of the provider's version header that the call works with.
    pub min_accept_version: Option<Arc<str>>,
    /// What to record of the query.
    pub query: QueryRules,
    /// Personal data in the request body.
    pub request_pii: Vec<PiiRule>,
    /// Personal data in the answer.
    pub response_pii: Vec<PiiRule>,
    /// Secrets in the request.
    pub request_secrets: Vec<Locator>,
    /// Secrets in the answer.
    pub response_secrets: Vec<JsonPath>,
    /// What the call creates, if it creates a credential.
    pub mint: Option<MintRule>,
    /// Recordable values of the request.
    pub request_facts: Vec<FactRule>,
    /// Recordable values of the answer.
    pub response_facts: Vec<FactRule>,
    /// The operation that requests to this path are recorded as, if the path and method cannot
    /// tell the two apart. Such an operation is listed but never matched.
    pub recorded_as: Option<Arc<str>>,
}

impl Operation {
    /// Whether the operation has a flag.
    pub fn has(&self, flag: OperationFlag) -> bool {
        self.flags.contains(&flag)
    }

    /// The classes of personal data that an answer may carry. `flag_on` tells whether a query
    /// flag (`include_pii`) is on. Sorted, without duplicates.
    pub fn response_pii_classes(&self, mut flag_on: impl FnMut(&str) -> bool) -> Vec<PiiClass> {
        let mut classes: Vec<PiiClass> = self
            .response_pii
            .iter()
            .filter(|rule| rule.when.as_deref().is_none_or(&mut flag_on))
            .map(|rule| rule.class)
            .collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

/// The method of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// GET; a HEAD request matches it too, unless there is an operation for HEAD.
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// `*`: every method, known or not.
    Any,
}

impl Method {
    /// Every method that a provider file may name.
    pub const ALL: &'static [Self] = &[
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
        Self::Any,
    ];

    /// The spelling in provider files and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Any => "*",
        }
    }

    /// Reads a method; methods are case-sensitive (RFC 9110, section 9.1).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|method| method.as_str() == text)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A path parameter of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathParam {
    /// Its name as in the template, without braces and `+`.
    pub name: Arc<str>,
    /// What to do with its value.
    pub keep: ParamKeep,
}

/// What a path parameter holds and so what may be kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamKeep {
    /// Nothing is kept, unless a fact points at it.
    Drop,
    /// Identifies someone or something of this kind: kept as a keyed pseudonym.
    Subject(Arc<str>),
    /// Personal data: dropped, and the class is recorded.
    Pii(PiiClass),
    /// A secret: dropped.
    Secret,
}

/// What to record of one query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRule {
    /// The parameter's name, case-sensitive.
    pub name: Arc<str>,
    /// What to do with its value.
    pub keep: QueryKeep,
}

/// What may be kept of a query value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryKeep {
    /// The value itself, if it has this shape; the shape cannot carry a secret.
    Value(Shape),
    /// The name, and the value as keyed pseudonyms of this kind. Several can be joined by commas.
    Subject(Arc<str>),
    /// The name only.
    Mask,
}

/// Query rules sorted by name. A parameter without a rule is unknown: not even its name may be
/// recorded, because a secret can be written in place of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryRules(Arc<[QueryRule]>);

impl QueryRules {
    /// Sorts the rules; of several with one name the last wins.
    pub fn new(rules: Vec<QueryRule>) -> Self {
        let mut by_name = std::collections::BTreeMap::new();
        for rule in rules {
            by_name.insert(Arc::clone(&rule.name), rule);
        }
        Self(by_name.into_values().collect())
    }

    /// The rule for a parameter, if it is known.
    pub fn get(&self, name: &str) -> Option<&QueryKeep> {
        let at = self
            .0
            .binary_search_by(|rule| (*rule.name).cmp(name))
            .ok()?;
        self.0.get(at).map(|rule| &rule.keep)
    }

    /// All rules by name.
    pub fn iter(&self) -> std::slice::Iter<'_, QueryRule> {
        self.0.iter()
    }
}

/// Personal data of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PiiRule {
    /// The class.
    pub class: PiiClass,
    /// Where it is, subtrees included.
    pub at: Vec<JsonPath>,
    /// The boolean query parameter that must be on for it to appear; `None` for always.
    pub when: Option<Arc<str>>,
}

/// Where a value of a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// In the body.
    Body(JsonPath),
    /// In the path: a parameter's name.
    Path(Arc<str>),
    /// In the query: a parameter's name.
    Query(Arc<str>),
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(path) => f.write_str(path.as_str()),
            Self::Path(name) => write!(f, "path:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
        }
    }
}

/// A value worth recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRule {
    /// The name in the record.
    pub name: Arc<str>,
    /// Where it is. Facts of answers and errors are always in the body.
    pub at: Locator,
    /// What to record of it.
    pub keep: FactKeep,
}

/// What is recorded of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactKeep {
    /// The value, if it has this shape.
    Value(Shape),
    /// A keyed pseudonym of this kind.
    Subject(Arc<str>),
    /// That it is there: the fact is `true` if the field exists, whatever it holds.
    Present,
}

/// What a minting call creates and where the new credential is, so that it can be fingerprinted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintRule {
    /// What is created, one word, for example `customer_access_token`.
    pub kind: Arc<str>,
    /// Where the answer holds the new credential; empty if it is not in the body.
    pub response: Vec<JsonPath>,
    /// Where the request holds it (Wyre's session secret is made by the client).
    pub request: Vec<Locator>,
    /// How the answer is written.
    pub encoding: MintEncoding,
}

/// How a minting answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintEncoding {
    /// `json`
    Json,
    /// `form`: `application/x-www-form-urlencoded` (OAuth 1.0a, RFC 5849, section 2).
    Form,
}

/// A documented conflict that keeps a repeated call from acting twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayGuard {
    /// The request field that the provider compares.
    pub key: Arc<str>,
    /// The status of the conflict.
    pub status: u16,
    /// The error code of the conflict.
    pub code: Arc<str>,
}

/// Where a provider's error code is in an error body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCodeRule {
    /// The field.
    pub at: JsonPath,
    /// What a code looks like. A value of another shape is recorded as `unlisted`.
    pub shape: Shape,
}

/// What is recorded for an error code that the catalog does not know.
pub const UNLISTED: &str = "unlisted";

impl ErrorCodeRule {
    /// The code in the field's text, or [`UNLISTED`].
    pub fn code<'a>(&self, text: &'a str) -> &'a str {
        self.shape.leading(text).unwrap_or(UNLISTED)
    }
}

/// A documented rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Its name.
    pub id: Arc<str>,
    /// The ids of the operations that it counts; empty for all that no other limit counts.
    pub operations: Vec<Arc<str>>,
    /// Calls per window; `None` if the provider gives no number.
    pub limit: Option<u32>,
    /// The window; `None` if the provider gives none.
    pub window: Option<Duration>,
    /// What it is counted by.
    pub per: RateKey,
    /// The status of a refusal.
    pub status: u16,
    /// Whether it counts calls without a credential only.
    pub anonymous_only: bool,
}

/// What a rate limit is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKey {
    /// `source_ip`: everything behind the gateway shares one allowance.
    SourceIp,
    /// `consumer`: the client application.
    Consumer,
    /// `account`: the account that the credential belongs to.
    Account,
}

/// What else is worth knowing of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationFlag {
    /// `unsafe_get`: a GET that changes something.
    UnsafeGet,
    /// `sets_callback`: registers an address that data will be sent to.
    SetsCallback,
    /// `portal_only`: no API token can do it; a call is an anomaly.
    PortalOnly,
    /// `changes_server`: changes the code or the routing of the server.
    ChangesServer,
    /// `pii_unknown`: the sources do not say whether personal data is carried.
    PiiUnknown,
    /// `binary_body`: the request body is a file, not JSON.
    BinaryBody,
    /// `security_setting`: changes a setting that protects accounts.
    SecuritySetting,
    /// `sets_cookie`: the answer sets a session cookie.
    SetsCookie,
    /// `coalesce`: identical reads by the same credential may share one answer, since it does not
    /// say more to the one than to the other and is not old after a moment.
    Coalesce,
}

impl OperationFlag {
    /// Every flag with its spelling.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::UnsafeGet, "unsafe_get"),
        (Self::SetsCallback, "sets_callback"),
        (Self::PortalOnly, "portal_only"),
        (Self::ChangesServer, "changes_server"),
        (Self::PiiUnknown, "pii_unknown"),
        (Self::BinaryBody, "binary_body"),
        (Self::SecuritySetting, "security_setting"),
        (Self::SetsCookie, "sets_cookie"),
        (Self::Coalesce, "coalesce"),
    ];

    /// The spelling in provider files.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(flag, _)| *flag == self)
            .map_or("", |(_, word)| word)
    }
}
