//! Wyre v2 and v3 as their last documents describe them. The service is gone; the pattern of key
//! and signature lives on. Numbers that were never documented (rate limits, age of timestamps)
//! are invented and named as such.

mod auth;
mod error;
mod orders;
mod resources;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use self::auth::{Caller, Keys};
use self::error::WyreError;
use super::SimOptions;
use super::entropy::Entropy;
use super::limits::{Limit, Windows};
use super::message::{Reply, Request};
use crate::types::Micros;

/// Owner of the master key.
pub const MASTER_ACCOUNT: &str = "AC_SIMMASTER01";
/// For `masqueradeAs`.
pub const CHILD_ACCOUNT: &str = "AC_SIMCHILD001";

/// Not documented.
const GENERAL: Limit = Limit {
    bucket: "general",
    count: 60,
    window: Duration::from_secs(60),
};
/// Documented to be tighter, not how much.
const ACCOUNTS: Limit = Limit {
    bucket: "accounts",
    count: 5,
    window: Duration::from_secs(60),
};
/// At most 5 permits an hour.
const PERMITS: Limit = Limit {
    bucket: "permits",
    count: 5,
    window: Duration::from_secs(3_600),
};
/// A permit lifts the limit for 25 minutes.
const PERMIT_LIFETIME: Duration = Duration::from_secs(25 * 60);
/// At most so many addresses in one permit.
const MAX_PERMIT_ADDRESSES: usize = 10;
/// The oldest objects are forgotten beyond this many.
const MAX_OBJECTS: usize = 20_000;

/// An object and the account that it belongs to.
#[derive(Clone, Debug)]
struct Object {
    owner: String,
    fields: Map<String, Value>,
}

/// The state of the simulated service.
pub struct Wyre {
    keys: Keys,
    objects: HashMap<String, Object>,
    order: VecDeque<String>,
    permits: HashMap<IpAddr, Micros>,
    windows: Windows,
    entropy: Entropy,
    limit_scale: u32,
    public_url: Option<String>,
}

impl Wyre {
    /// With the master account and its child.
    pub fn new(options: &SimOptions) -> Self {
        let mut wyre = Self {
            keys: Keys::new(),
            objects: HashMap::new(),
            order: VecDeque::new(),
            permits: HashMap::new(),
            windows: Windows::default(),
            entropy: Entropy::new(options.seed ^ 0x3f2e),
            limit_scale: options.limit_scale,
            public_url: options.public_url.clone(),
        };
        let now = (options.clock)();
        for id in [MASTER_ACCOUNT, CHILD_ACCOUNT] {
            let fields = resources::account(id, &Map::new(), now);
            wyre.keep(id, id, fields);
        }
        wyre
    }

    /// Answers a request.
    pub fn handle(&mut self, request: &Request, limits: bool, expired: bool) -> Reply {
        let outcome = if limits && self.is_limited(request) {
            Err(WyreError::too_many())
        } else {
            self.serve(request, expired)
        };
        outcome.unwrap_or_else(|error| error.reply(&mut self.entropy))
    }

    fn is_limited(&mut self, request: &Request) -> bool {
        if self
            .permits
            .get(&request.peer)
            .is_some_and(|until| *until > request.now)
        {
            return false;
        }
        let limit = if request.method == "POST" && request.path == "/v3/accounts" {
            ACCOUNTS
        } else {
            GENERAL
        };
        let standing = self
            .windows
            .admit(limit, request.peer, request.now, self.limit_scale);
        !standing.admitted
    }

    fn serve(&mut self, request: &Request, expired: bool) -> Result<Reply, WyreError> {
        if request.method == "POST" && request.path == "/v2/sessions/auth/key" {
            return self.mint(request);
        }
        if let Some(open) = resources::open_to_all(request) {
            return Ok(open);
        }
        let caller = self
            .keys
            .identify(request, self.public_url.as_deref(), &mut self.entropy)?
            .filter(|_| !expired)
            .ok_or_else(|| WyreError::denied("invalidSession"))?;
        if caller.read_only && request.method != "GET" {
            return Err(WyreError::denied("readOnlyKey"));
        }
        self.route(request, &caller)
    }

    /// The request holds the secret, the answer only an identifier.
    fn mint(&mut self, request: &Request) -> Result<Reply, WyreError> {
        let secret = match request.parameter("secretKey") {
            Some(secret) => secret,
            None => request
                .json()
                .as_ref()
                .and_then(|body| body.get("secretKey"))
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| WyreError::invalid("secretKey is missing"))?,
        };
        let key = self.keys.mint(&secret, &mut self.entropy)?;
        Ok(Reply::json(
            200,
            &json!({
                "apiKey": key.id,
                "authenticatedAs": key.account.as_ref().map(|account| format!("account:{account}")),
            }),
        ))
    }

    /// Lifts the rate limit for the caller's address, or for those in `ips`. Root account only.
    fn permit(&mut self, request: &Request, caller: &Caller) -> Result<Reply, WyreError> {
        if caller.account.as_deref() != Some(MASTER_ACCOUNT) {
            return Err(WyreError::denied("rootAccountOnly"));
        }
        let standing = self
            .windows
            .admit(PERMITS, request.peer, request.now, self.limit_scale);
        if !standing.admitted {
            return Err(WyreError::too_many());
        }
        let addresses: Vec<IpAddr> = match request.parameter("ips") {
            None => vec![request.peer],
            Some(list) => list
                .split(',')
                .map(|one| one.trim().parse())
                .collect::<Result<_, _>>()
                .map_err(|_| WyreError::invalid("ips is not a list of addresses"))?,
        };
        if addresses.len() > MAX_PERMIT_ADDRESSES {
            return Err(WyreError::invalid("at most 10 addresses"));
        }
        let until = request.now.plus(PERMIT_LIFETIME);
        self.permits.retain(|_, end| *end > request.now);
        for address in addresses {
            self.permits.insert(address, until);
        }
        Ok(Reply::json(
            200,
            &json!({"permitted": true, "expiresAt": until.as_millis()}),
        ))
    }

    fn keep(&mut self, id: &str, owner: &str, fields: Map<String, Value>) {
        if self.order.len() >= MAX_OBJECTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.objects.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        self.objects.insert(
            id.to_owned(),
            Object {
                owner: owner.to_owned(),
                fields,
            },
        );
    }
}
