//! Open Bank Project: logins of every kind, account access, consents and enough accounts and
//! transactions to try them on. Server generations are mixed on purpose: header names count with
//! exact case as before late 2026, and `Idempotency-Key` is honoured as since.

mod access;
mod auth;
mod consent;
mod data;
mod error;
mod idempotency;
mod mint;
mod users;

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value, json};

use self::access::{Access, Account, Change};
use self::auth::Caller;
use self::consent::Consent;
use self::error::ObpError;
use self::idempotency::Replays;
use self::users::Users;
use super::SimOptions;
use super::entropy::Entropy;
use super::limits::{Limit, Standing, Windows};
use super::message::{Reply, Request};

/// The one bank.
const BANK_ID: &str = "sim.bank";
/// The accounts of `sim-user`.
const ACCOUNTS: [&str; 2] = ["acc-1", "acc-2"];
/// Versions whose paths are served.
const VERSIONS: [&str; 9] = [
    "v2.0.0", "v2.1.0", "v2.2.0", "v3.0.0", "v3.1.0", "v4.0.0", "v5.0.0", "v5.1.0", "v6.0.0",
];

/// A consumer's limit: the minute is the shortest period and is shown.
const PER_CONSUMER: Limit = Limit {
    bucket: "consumer",
    count: 60,
    window: Duration::from_secs(60),
};
/// All anonymous callers of an address share one allowance.
const ANONYMOUS: Limit = Limit {
    bucket: "anonymous",
    count: 1_000,
    window: Duration::from_secs(3_600),
};
/// Late servers: logins per address.
const LOGINS: Limit = Limit {
    bucket: "logins",
    count: 10,
    window: Duration::from_secs(60),
};

/// The state of the simulated server.
pub struct Obp {
    users: Users,
    access: Access,
    consents: VecDeque<Consent>,
    consumers: Vec<String>,
    nonces: HashSet<String>,
    verifiers: VecDeque<(String, String)>,
    replays: Replays,
    transaction_requests: VecDeque<Value>,
    windows: Windows,
    entropy: Entropy,
    limit_scale: u32,
}

/// A text field of a body, or the empty text.
fn text<'m>(map: &'m Map<String, Value>, field: &str) -> &'m str {
    map.get(field).and_then(Value::as_str).unwrap_or_default()
}

impl Obp {
    /// With its two users, one bank and two accounts.
    pub fn new(options: &SimOptions) -> Self {
        let accounts: Vec<Account> = ACCOUNTS
            .iter()
            .map(|id| (BANK_ID.to_owned(), (*id).to_owned()))
            .collect();
        Self {
            users: Users::new(),
            access: Access::new(&accounts),
            consents: VecDeque::new(),
            consumers: Vec::new(),
            nonces: HashSet::new(),
            verifiers: VecDeque::new(),
            replays: Replays::default(),
            transaction_requests: VecDeque::new(),
            windows: Windows::default(),
            entropy: Entropy::new(options.seed ^ 0x0b9),
            limit_scale: options.limit_scale,
        }
    }

    /// Answers a request.
    pub fn handle(&mut self, request: &Request, limits: bool, expired: bool) -> Reply {
        let correlation = request
            .header("x-request-id")
            .filter(|id| !id.is_empty())
            .map_or_else(|| self.entropy.uuid(), str::to_owned);
        let reply = if request.method == "OPTIONS" {
            Reply::empty(204)
                .with("Access-Control-Allow-Origin", "*")
                .with(
                    "Access-Control-Allow-Methods",
                    "GET, POST, PUT, PATCH, DELETE",
                )
        } else {
            match self.mints(request, limits) {
                Some(reply) => reply,
                None => self.serve(request, limits, expired),
            }
        };
        reply.with("Correlation-Id", correlation)
    }

    /// The paths outside the versioned API, which all make tokens.
    fn mints(&mut self, request: &Request, limits: bool) -> Option<Reply> {
        let route = (request.method.as_str(), request.path.as_str());
        match route {
            ("POST", "/my/logins/direct" | "/obp/v6.0.0/my/logins/direct") => {
                if limits {
                    let standing =
                        self.windows
                            .admit(LOGINS, request.peer, request.now, self.limit_scale);
                    if !standing.admitted {
                        return Some(refuse_login(standing));
                    }
                }
                Some(self.mint_direct(request).unwrap_or_else(Reply::from))
            }
            ("POST", "/oauth/initiate") => Some(self.oauth1_mint(request, true)),
            ("POST", "/oauth/token") => Some(self.oauth1_mint(request, false)),
            ("GET", "/oauth/authorize") => Some(self.oauth1_authorize(request)),
            ("POST", "/obp-oidc/token") => Some(self.oidc_token(request)),
            ("GET", "/obp-oidc/jwks") => Some(Reply::json(200, &json!({"keys": []}))),
            ("POST", "/obp-oidc/revoke") => Some(Reply::empty(200)),
            _ => None,
        }
    }

    fn serve(&mut self, request: &Request, limits: bool, expired: bool) -> Reply {
        let caller = match self.identify(request, expired) {
            Ok(caller) => caller,
            Err(error) => return error.into(),
        };
        let limit = if caller.is_some() {
            PER_CONSUMER
        } else {
            ANONYMOUS
        };
        let standing = limits.then(|| {
            self.windows
                .admit(limit, request.peer, request.now, self.limit_scale)
        });
        let fresh = caller.as_ref().and_then(|caller| caller.fresh.clone());
        let mut reply = match standing {
            Some(standing) if !standing.admitted => too_many(limit),
            _ => self.serve_once(request, caller).unwrap_or_else(Reply::from),
        };
        if let Some(fresh) = fresh {
            reply = reply.with("GatewayLogin", fresh);
        }
        match standing {
            Some(standing) => with_standing(reply, limit, standing),
            None => reply,
        }
    }

    /// Serves a request, or replays its answer.
    fn serve_once(&mut self, request: &Request, caller: Option<Caller>) -> Result<Reply, ObpError> {
        let who = caller.as_ref().map_or("", |caller| caller.user.as_str());
        let key = idempotency::key(request, who)?;
        if let Some(key) = &key
            && let Some(replay) = self.replays.find(key, request)?
        {
            return Ok(replay);
        }
        let reply = self.route(request, caller).unwrap_or_else(Reply::from);
        if let Some(key) = key {
            self.replays.keep(key, request, &reply);
        }
        Ok(reply)
    }

    fn route(&mut self, request: &Request, caller: Option<Caller>) -> Result<Reply, ObpError> {
        let segments = request.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let user = || {
            caller
                .as_ref()
                .map(|caller| caller.user.clone())
                .ok_or_else(ObpError::anonymous)
        };
        let unknown = || {
            let content_type = request.header("content-type").unwrap_or_default();
            ObpError::no_such_path(&request.path, content_type)
        };
        let (version, rest) = match parts.as_slice() {
            ["obp", version, rest @ ..] if VERSIONS.contains(version) => (*version, rest),
            ["berlin-group", "v1.3", rest @ ..] => return Ok(self.berlin_group(caller, rest)),
            _ => return Err(unknown()),
        };
        if let Some(reply) = data::open_to_all(&request.method, version, rest) {
            return Ok(reply);
        }
        match (request.method.as_str(), rest) {
            (_, ["banks", bank, "accounts", account, tail @ ..])
                if tail.first().is_some_and(|part| {
                    matches!(*part, "account-access" | "user-account-access" | "views")
                }) =>
            {
                let body = request
                    .json()
                    .ok_or_else(|| ObpError::bad_json("the fields of the call"))?;
                let user = user()?;
                let account = data::account(bank, account)?;
                self.change_access(request, version, tail, account, &user, &body)
                    .unwrap_or_else(|| Err(unknown()))
            }
            ("POST", ["my", "consents", method @ ("EMAIL" | "SMS" | "IMPLICIT")]) => {
                self.create_consent(request, &user()?, method)
            }
            (
                "POST",
                [
                    "banks",
                    bank,
                    "my",
                    "consents",
                    method @ ("EMAIL" | "SMS" | "IMPLICIT"),
                ],
            ) => {
                let user = user()?;
                data::bank(bank)?;
                self.create_consent(request, &user, method)
            }
            ("POST", ["banks", _, "consents", id, "challenge"]) => {
                self.answer_consent(request, &user()?, id)
            }
            ("GET", ["my", "consents"] | ["banks", _, "my", "consents"]) => {
                Ok(self.list_consents(&user()?))
            }
            ("GET", ["banks", _, "my", "consents", id, "revoke"]) if version < "v5.1.0" => {
                self.revoke_consent(&user()?, id)
            }
            ("DELETE", ["my", "consents", id] | ["banks", _, "consents", id])
                if version >= "v5.1.0" =>
            {
                self.revoke_consent(&user()?, id)
            }
            (method, rest) => {
                let user = user()?;
                self.private(request, method, rest, &user)
                    .unwrap_or_else(|| Err(unknown()))
            }
        }
    }

    /// The four calls of v4.0.0 (served until v5.0.0) and their view-scoped heirs of v5.1.0.
    fn change_access(
        &mut self,
        request: &Request,
        version: &str,
        tail: &[&str],
        account: Account,
        caller: &str,
        body: &Map<String, Value>,
    ) -> Option<Result<Reply, ObpError>> {
        let old = matches!(version, "v4.0.0" | "v5.0.0");
        let (through, tail) = match tail {
            ["views", view, tail @ ..] if version >= "v5.1.0" => (Some(*view), tail),
            tail if old => (None, tail),
            _ => return None,
        };
        let change = Change {
            account,
            through,
            caller,
            body,
        };
        Some(match (request.method.as_str(), tail) {
            ("POST", ["account-access", "grant"]) => self.grant(&change),
            ("POST", ["account-access", "revoke"]) => self.revoke(&change),
            ("PUT", ["account-access"]) if old => self.revoke_and_grant(&change),
            ("POST", ["user-account-access"]) => self.create_user_with_access(&change),
            _ => return None,
        })
    }
}

fn refuse_login(standing: Standing) -> Reply {
    Reply::from(ObpError::new(
        429,
        "OBP-10061: Too many login attempts from this address.",
    ))
    .with("Retry-After", standing.reset.as_secs().to_string())
}

fn too_many(limit: Limit) -> Reply {
    let (period, whom) = match limit.bucket {
        "anonymous" => ("hour", "anonymous access"),
        _ => ("minute", "this Consumer"),
    };
    ObpError::new(
        429,
        format!(
            "OBP-10018: Too Many Requests. We only allow {} requests per {period} for {whom}.",
            limit.count
        ),
    )
    .into()
}

/// `X-Rate-Limit-Reset` is seconds to go, not a date.
fn with_standing(reply: Reply, limit: Limit, standing: Standing) -> Reply {
    reply
        .with("X-Rate-Limit-Limit", limit.count.to_string())
        .with("X-Rate-Limit-Remaining", standing.remaining.to_string())
        .with("X-Rate-Limit-Reset", standing.reset.as_secs().to_string())
}
