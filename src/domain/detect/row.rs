//! A row of the ledger, or a line of `egret audit export --format jsonl`, read as an event.
//!
//! The ledger says more than the neutral format and says it otherwise: subjects are a list, pairs
//! of a mint and its use share a fingerprint, and whether the gateway or the bank answered follows
//! from the decision. `docs/audit-schema.md` describes the columns.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use serde_json::Value;

use super::event::{Environment, Event, Fault, Mint, TokenKind};
use super::line::{LineFault, MAX_LINE};
use crate::domain::own::{CHANGED_HOW, CHANGED_KEY, OF_CALLER, OWN_PROVIDER, OwnOperation};

/// Whom a call concerns, as a row says it.
#[derive(Debug, Deserialize)]
pub struct RowSubject {
    /// What it is: `customer`, `account`, `user`.
    #[serde(default)]
    pub kind: String,
    /// Where it was named.
    #[serde(default)]
    pub role: String,
    /// Its pseudonym; `None` once it was erased.
    #[serde(default)]
    pub subject: Option<String>,
}

/// What detection reads of a row; the columns of `docs/audit-schema.md`, moments in microseconds.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the columns of the ledger, explained there")]
pub struct RowFields {
    #[serde(deserialize_with = "call_id")]
    pub call_id: u128,
    pub received_at: i64,
    pub completed_at: Option<i64>,
    pub caller: Option<String>,
    pub caller_address: Option<String>,
    pub provider: Option<String>,
    pub environment: Option<String>,
    pub operation: Option<String>,
    pub effect: Option<String>,
    pub query: Option<String>,
    pub token_type: Option<String>,
    pub token_fingerprint: Option<String>,
    pub token_expires_at: Option<i64>,
    #[serde(default)]
    pub subjects: Option<Vec<RowSubject>>,
    pub on_behalf_of: Option<String>,
    #[serde(default)]
    pub facts: Option<serde_json::Map<String, Value>>,
    pub minted_kind: Option<String>,
    pub minted_fingerprint: Option<String>,
    pub minted_expires_at: Option<i64>,
    pub decision: Option<String>,
    pub outcome: Option<String>,
    pub status: Option<u16>,
    pub error_code: Option<String>,
}

/// A UUID in its usual spelling as a number.
fn call_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).map_err(|_| serde::de::Error::custom("no UUID"))
}

/// A row that was read.
#[derive(Debug)]
pub struct Row {
    raw: RowFields,
    scopes: Vec<Cow<'static, str>>,
    target: String,
    view: String,
}

/// Kinds of subjects that a call can be about. A bank or an organization is in nearly every token
/// and says nothing.
const WHOM: &[&str] = &["customer", "account", "user"];

/// What the gateway puts on record of its own changes, and the events that they are.
const OWN_CHANGES: &[(OwnOperation, &str)] = &[
    (OwnOperation::CallerAdd, "config.caller_added"),
    (OwnOperation::ConfigCallerAdded, "config.caller_added"),
    (OwnOperation::ConfigPolicyLoosened, "config.policy_loosened"),
    (OwnOperation::ConfigPinsChanged, "config.pins_changed"),
    (OwnOperation::LockdownLift, "config.lockdown_lifted"),
    (OwnOperation::AuditGap, "audit.gap"),
];

/// Fact: where a user who is given access comes from.
const USER_PROVIDER: &str = "user_provider";
/// How Open Bank Project begins the names of networks whose contracts are users.
const DAUTH: &str = "dauth";
/// Operations that make a user with access, of which Open Bank Project accepts no other users.
const OF_CONTRACTS: &str = "createUserWithAccountAccess";

/// Fact of a call that changes from where browsers may call the bank.
const CORS_FACT: &str = "cors_origins_changed";

/// Roles in which a subject is what the call is about, the surest first.
const ROLES: &[&str] = &["on_behalf_of", "request", "token", "response"];

impl Row {
    /// Reads a row.
    ///
    /// # Errors
    /// The line is no row of an export.
    pub fn read(line: &[u8]) -> Result<Self, LineFault> {
        if line.len() > MAX_LINE {
            return Err(LineFault::too_long());
        }
        let fields = serde_json::from_slice(line).map_err(|error| LineFault::of(&error))?;
        Ok(Self::of(fields))
    }

    /// The row with these fields.
    #[must_use]
    pub fn of(raw: RowFields) -> Self {
        let fact = |names: &[&str]| {
            let facts = raw.facts.as_ref();
            let found = names.iter().find_map(|name| facts?.get(*name));
            found.map(one_text).unwrap_or_default()
        };
        let scopes = raw
            .facts
            .as_ref()
            .and_then(|facts| facts.get("requested_scopes"));
        let scopes = scopes.map(words).unwrap_or_default();
        let target = grantee(&raw, &fact(&[USER_PROVIDER]));
        let has_fact = |name| {
            raw.facts
                .as_ref()
                .is_some_and(|facts| facts.contains_key(name))
        };
        let view = match raw.provider.as_deref() {
            Some(OWN_PROVIDER) => what_changed(&fact),
            _ if has_fact(CORS_FACT) => CORS_FACT.to_owned(),
            _ => fact(&["view_id", "path_view_id", "view"]),
        };
        Self {
            scopes,
            target,
            view,
            raw,
        }
    }

    /// When the call was over, in milliseconds since 1970; `None` if nobody knows.
    #[must_use]
    pub fn completed_at(&self) -> Option<i64> {
        self.raw.completed_at.map(|at| at.div_euclid(1000))
    }

    /// Whether it is judged: a call to a bank, or a change of the gateway's own. What else Egret's own
    /// commands did is not.
    #[must_use]
    pub fn is_call(&self) -> bool {
        !self.is_own() || self.own_change().is_some()
    }

    fn is_own(&self) -> bool {
        self.raw.provider.as_deref() == Some(OWN_PROVIDER)
    }

    /// Which change of the gateway's own it records, as the neutral format names it.
    fn own_change(&self) -> Option<&'static str> {
        let operation = self.raw.operation.as_deref()?;
        let (_, name) = OWN_CHANGES
            .iter()
            .find(|(of, _)| of.as_str() == operation)?;
        // What was tried and refused has changed nothing.
        let was_done = self.raw.outcome.as_deref() != Some("failure");
        (self.is_own() && was_done).then_some(*name)
    }

    fn subject(&self) -> &str {
        if let Some(account) = &self.raw.on_behalf_of {
            return account;
        }
        let subjects = || self.raw.subjects.iter().flatten();
        ROLES
            .iter()
            .flat_map(|role| WHOM.iter().map(move |kind| (role, kind)))
            .find_map(|(role, kind)| {
                let mut found =
                    subjects().filter(|subject| subject.role == *role && subject.kind == *kind);
                found.find_map(|subject| subject.subject.as_deref())
            })
            .filter(|subject| *subject != self.target)
            .unwrap_or_default()
    }

    fn fault(&self) -> Fault {
        let raw = &self.raw;
        match raw.decision.as_deref() {
            Some("limited") => return Fault::RateLimited,
            Some("unavailable") => return Fault::CircuitOpen,
            _ => {}
        }
        if raw.outcome.as_deref() == Some("unknown") {
            return Fault::Timeout;
        }
        let minting = raw.effect.as_deref() == Some("mint");
        match raw.status {
            Some(401) if raw.token_expires_at.is_some_and(|at| at <= raw.received_at) => {
                Fault::TokenExpired
            }
            Some(401) if minting => Fault::InvalidClient,
            Some(401) => Fault::InvalidToken,
            // A limit answers in front of the bank's application, without a code of its own.
            Some(403) if minting && raw.error_code.is_none() => Fault::TokenRateLimit,
            Some(500..) => Fault::Upstream,
            _ => Fault::None,
        }
    }

    fn mint(&self) -> Option<Mint<'_>> {
        let raw = &self.raw;
        let kind = raw.minted_kind.as_deref()?;
        let ends = raw.minted_expires_at.unwrap_or(raw.received_at);
        let ttl = ends.saturating_sub(raw.received_at) / 1_000_000;
        Some(Mint {
            kind: minted(kind),
            token: raw.minted_fingerprint.as_deref().unwrap_or_default(),
            ttl: u32::try_from(ttl).unwrap_or(0),
        })
    }

    /// The event in it.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        if let Some(operation) = self.own_change() {
            return Event {
                operation,
                effect: "",
                token_kind: TokenKind::None,
                status: 200,
                by_proxy: false,
                fault: Fault::None,
                ..self.call()
            };
        }
        self.call()
    }

    fn call(&self) -> Event<'_> {
        let raw = &self.raw;
        let query = raw
            .query
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase();
        Event {
            id: raw.call_id,
            at: raw.received_at.div_euclid(1000),
            environment: match raw.environment.as_deref() {
                Some("sandbox") => Environment::Sandbox,
                _ => Environment::Production,
            },
            provider: raw.provider.as_deref().unwrap_or_default(),
            operation: raw.operation.as_deref().unwrap_or_default(),
            effect: raw.effect.as_deref().unwrap_or_default(),
            caller: raw.caller.as_deref().unwrap_or_default(),
            ip: raw.caller_address.as_deref().and_then(address),
            country: "",
            asn: 0,
            token_kind: TokenKind::of(raw.token_type.as_deref().unwrap_or_default()),
            token: raw.token_fingerprint.as_deref().unwrap_or_default(),
            subject: self.subject(),
            scopes: &self.scopes,
            mint: self.mint(),
            target: &self.target,
            view: &self.view,
            pii: query.contains("include_pii=true"),
            status: raw.status.unwrap_or(0),
            by_proxy: raw
                .decision
                .as_deref()
                .is_some_and(|decision| decision != "forwarded"),
            fault: self.fault(),
            load_test: false,
        }
    }
}

/// Who is given access: a user by number or by name, or a contract as `NETWORK/0xADDRESS`, with the
/// pseudonym of its address. A contract that calls with DAuth is one too: Open Bank Project makes
/// it a user by its first call.
fn grantee(raw: &RowFields, provider: &str) -> String {
    let named = |kinds: &[&str], role: &str| {
        let mut subjects = raw.subjects.iter().flatten();
        let found = subjects.find(|subject| {
            subject.role == role
                && subject.subject.is_some()
                && kinds.contains(&subject.kind.as_str())
        });
        found.and_then(|subject| subject.subject.as_deref())
    };
    let contract = |of: &str| {
        let network = provider.split_once('.').map_or(DAUTH, |(_, name)| name);
        format!("{network}/0x{of}")
    };
    if raw.token_type.as_deref() == Some(DAUTH)
        && let Some(caller) = named(&["contract"], "token")
        && raw.effect.as_deref() != Some("access-change")
    {
        return contract(caller);
    }
    if raw.effect.as_deref() != Some("access-change") {
        return String::new();
    }
    let operation = raw.operation.as_deref().unwrap_or_default();
    let of_contracts = provider.starts_with(DAUTH) || operation.contains(OF_CONTRACTS);
    match (named(&["user"], "request"), named(&["username"], "request")) {
        (_, Some(name)) if of_contracts => contract(name),
        (Some(user), _) | (None, Some(user)) => user.to_owned(),
        (None, None) => String::new(),
    }
}

/// A fact as one text: one that was said several times has its different values, one after the other.
fn one_text(value: &Value) -> String {
    let Value::Array(values) = value else {
        return value.as_str().unwrap_or_default().to_owned();
    };
    let mut seen: Vec<&str> = Vec::new();
    for text in values.iter().filter_map(Value::as_str) {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen.join(" ")
}

/// What a change of the gateway's own was about, in words: its key and how it changed, the caller that
/// was added, the lock that was lifted.
fn what_changed(fact: &dyn Fn(&[&str]) -> String) -> String {
    let [key, how] = [fact(&[CHANGED_KEY]), fact(&[CHANGED_HOW])];
    match (key.is_empty(), how.is_empty()) {
        (false, false) => format!("{key}: {how}"),
        (false, true) => key,
        _ => fact(&[OF_CALLER, "target", "lock"]),
    }
}

/// An address with a port, or without one.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = text.parse::<SocketAddr>().map(|address| address.ip());
    with_port.or_else(|_| text.parse()).ok()
}

/// The kind of token that a word of the ledger for minted things means.
fn minted(kind: &str) -> TokenKind {
    match kind {
        _ if kind.contains("customer") => TokenKind::Customer,
        _ if kind.contains("client_credentials") || kind.contains("bank") => TokenKind::Bank,
        _ if kind.contains("organization") => TokenKind::Organization,
        _ if kind.contains("key") => TokenKind::ApiKey,
        _ if kind.contains("login") || kind.contains("consent") || kind.contains("oauth") => {
            TokenKind::DirectLogin
        }
        _ => TokenKind::Other,
    }
}

/// Scopes as one text with spaces, or as a list.
fn words(value: &Value) -> Vec<Cow<'static, str>> {
    match value {
        Value::String(text) => text
            .split_whitespace()
            .map(|word| Cow::Owned(word.to_owned()))
            .collect(),
        Value::Array(list) => list.iter().flat_map(words).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(changes: Value) -> Row {
        let mut row = json!({
            "seq": 7, "call_id": "019a2b3c-4d5e-7f60-8123-456789abcdef", "received_at": 1_795_323_600_123_456_i64,
            "caller": "app", "caller_address": "[2001:db8::1]:4711", "provider": "cybrid", "environment": "sandbox",
            "operation": "identity.create_customer_token", "effect": "mint", "query": null, "token_type": "bank",
            "token_fingerprint": "aa".repeat(16), "subjects": [
                { "kind": "bank", "role": "token", "subject": "bb".repeat(16) },
                { "kind": "customer", "role": "request", "subject": "cc".repeat(16) },
                { "kind": "customer", "role": "request", "subject": null } ],
            "facts": { "requested_scopes": ["trades:read", "customers:read"] },
            "minted_kind": "customer_access_token", "minted_fingerprint": "dd".repeat(16),
            "minted_expires_at": 1_795_325_400_123_456_i64, "decision": "forwarded", "outcome": "success", "status": 201,
        });
        for (key, value) in changes.as_object().unwrap() {
            row[key] = value.clone();
        }
        Row::read(row.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_mint_is_read() {
        let row = row(json!({}));
        let event = row.event();
        assert_eq!(event.id, 0x019a_2b3c_4d5e_7f60_8123_4567_89ab_cdef);
        assert_eq!(event.at, 1_795_323_600_123);
        assert_eq!(event.ip, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(
            (event.subject, event.token_kind),
            (&*"cc".repeat(16), TokenKind::Bank)
        );
        assert_eq!(event.scopes, ["trades:read", "customers:read"]);
        let mint = event.mint.unwrap();
        assert_eq!((mint.kind, mint.ttl), (TokenKind::Customer, 1800));
        assert!(row.is_call() && !event.by_proxy);
    }

    #[test]
    fn failures_are_told_apart() {
        for (changes, fault, by_proxy) in [
            (
                json!({"status": 503, "decision": "unavailable"}),
                Fault::CircuitOpen,
                true,
            ),
            (
                json!({"status": 429, "decision": "limited"}),
                Fault::RateLimited,
                true,
            ),
            (
                json!({"status": 504, "outcome": "unknown"}),
                Fault::Timeout,
                false,
            ),
            (json!({"status": 403}), Fault::TokenRateLimit, false),
            (
                json!({"status": 403, "error_code": "forbidden"}),
                Fault::None,
                false,
            ),
            (json!({"status": 401}), Fault::InvalidClient, false),
            (
                json!({"status": 401, "effect": "read", "token_expires_at": 5}),
                Fault::TokenExpired,
                false,
            ),
            (json!({"status": 502}), Fault::Upstream, false),
        ] {
            let row = row(changes.clone());
            let event = row.event();
            assert_eq!(
                (event.fault, event.by_proxy),
                (fault, by_proxy),
                "{changes}"
            );
        }
    }

    #[test]
    fn a_grant_names_who_and_what() {
        let row = row(json!({
            "effect": "access-change", "provider": "obp", "operation": "OBPv4.0.0-grantUserAccessToView",
            "subjects": [{ "kind": "user", "role": "request", "subject": "ee" },
                         { "kind": "account", "role": "request", "subject": "ff" }],
            "facts": { "view_id": "owner" }, "minted_kind": null,
        }));
        let event = row.event();
        assert_eq!(
            (event.target, event.view, event.subject),
            ("ee", "owner", "ff")
        );
    }

    #[test]
    fn a_user_made_with_access_is_a_contract_and_one_made_with_roles_a_grantee() {
        let made = |changes: Value| {
            let mut made = json!({
                "effect": "access-change", "provider": "obp", "operation": "OBPv4.0.0-createUserWithAccountAccess",
                "subjects": [{ "kind": "account", "role": "request", "subject": "ff" },
                             { "kind": "username", "role": "request", "subject": "ee" }],
                "facts": { "view_id": ["auditor", "owner", "owner"], "user_provider": "dauth.ETHEREUM" },
                "minted_kind": null,
            });
            for (key, value) in changes.as_object().unwrap() {
                made[key] = value.clone();
            }
            row(made)
        };
        for (changes, target, view) in [
            (json!({}), "ETHEREUM/0xee", "auditor owner"),
            (json!({"facts": {}}), "dauth/0xee", ""),
            (
                json!({"operation": "OBPv4.0.0-createUserWithRoles", "facts": {}}),
                "ee",
                "",
            ),
            (
                json!({"effect": "read", "token_type": "dauth", "operation": "OBPv3.0.0-getCurrentUser",
                       "subjects": [{ "kind": "contract", "role": "token", "subject": "dd" }], "facts": {}}),
                "dauth/0xdd",
                "",
            ),
        ] {
            let row = made(changes.clone());
            let event = row.event();
            assert_eq!((event.target, event.view), (target, view), "{changes}");
        }
        assert_eq!(made(json!({})).event().subject, "ff");
    }

    #[test]
    fn the_gateways_own_changes_are_events_and_its_readings_are_not() {
        let own = |operation: &str, outcome: &str, facts: Value| {
            row(json!({
                "provider": "egret", "operation": operation, "effect": "access-change", "caller": "root",
                "caller_address": null, "status": null, "environment": null, "token_type": "anonymous",
                "subjects": null, "minted_kind": null, "outcome": outcome, "facts": facts,
            }))
        };
        for (operation, facts, event, about) in [
            (
                "caller.add",
                json!({"of_caller": "payroll"}),
                "config.caller_added",
                "payroll",
            ),
            (
                "config.policy_loosened",
                json!({"key": "limits.shadow", "how": "off to on", "seen": "start"}),
                "config.policy_loosened",
                "limits.shadow: off to on",
            ),
            (
                "lockdown.lift",
                json!({"target": "all", "by": "sentinel"}),
                "config.lockdown_lifted",
                "all",
            ),
            ("audit.gap", json!({"refused": "3"}), "audit.gap", ""),
        ] {
            let row = own(operation, "success", facts.clone());
            assert!(row.is_call(), "{operation}");
            let read = row.event();
            assert_eq!((read.operation, read.view), (event, about));
            assert_eq!(
                (read.provider, read.caller, read.status),
                ("egret", "root", 200)
            );
            assert!(!own(operation, "failure", facts).is_call(), "{operation}");
        }
        assert!(!own("audit.query", "success", json!({})).is_call());
    }

    #[test]
    fn other_lines_are_faults() {
        for line in [
            "{}",
            "[]",
            r#"{"call_id":"x","received_at":1}"#,
            r#"{"ts":1}"#,
        ] {
            assert!(Row::read(line.as_bytes()).is_err(), "{line}");
        }
    }
}
