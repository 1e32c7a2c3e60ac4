//! Cybrid: the identity, bank and organization services on one address (their paths do not
//! collide). Every operation of API 0.129 answers; trading and minting have rules of their own,
//! the rest is a store of objects.
//!
//! Objects are created in the state `storing` and move one state on each time one is fetched by
//! its guid, so that polling ends without a clock.

mod error;
mod listing;
mod oauth;
mod operation;
mod portal;
mod resources;
mod scopes;
mod seed;
mod states;
mod store;
mod tokens;
mod trading;

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};

use self::error::ApiError;
use self::operation::{Operation, Subject};
use self::store::{Object, Store};
use self::tokens::{Grant, Tokens};
use super::SimOptions;
use super::entropy::Entropy;
use super::limits::{Limit, Windows};
use super::message::{Reply, Request};
use crate::types::Micros;

/// The one organization.
pub const ORGANIZATION_GUID: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
/// The bank of the bank key.
pub const BANK_GUID: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

const WINDOW: Duration = Duration::from_secs(300);
/// Security guide: 100 requests in 5 minutes from an address, else 429.
const GENERAL: Limit = Limit {
    bucket: "general",
    count: 100,
    window: WINDOW,
};
/// FAQ: 20 in 5 minutes; security guide: answered 403.
const OAUTH: Limit = Limit {
    bucket: "oauth",
    count: 20,
    window: WINDOW,
};
/// FAQ: 200 in 5 minutes, more than the general limit, so mints do not count there.
const CUSTOMER_TOKENS: Limit = Limit {
    bucket: "customer_tokens",
    count: 200,
    window: WINDOW,
};

/// The state of the simulated services.
pub struct Cybrid {
    operations: Vec<Operation>,
    store: Store,
    tokens: Tokens,
    windows: Windows,
    entropy: Entropy,
    limit_scale: u32,
}

/// What an operation is applied to.
struct Call<'r> {
    request: &'r Request,
    operation: Operation,
    grant: Option<Grant>,
    body: Map<String, Value>,
}

impl Call<'_> {
    fn now(&self) -> Micros {
        self.request.now
    }

    /// `Accept-Version`, whose dates compare as text.
    fn version(&self) -> &str {
        self.request
            .header("accept-version")
            .unwrap_or("2022-01-01")
    }

    fn bank(&self) -> &str {
        self.grant
            .as_ref()
            .and_then(|grant| grant.bank.as_deref())
            .unwrap_or(BANK_GUID)
    }

    /// The customer that the call is about: of a customer token always its own.
    fn customer(&self) -> Value {
        match &self.grant {
            Some(grant) if grant.subject == Subject::Customer => grant.guid.clone().into(),
            _ => self
                .body
                .get("customer_guid")
                .cloned()
                .unwrap_or(Value::Null),
        }
    }
}

impl Cybrid {
    /// With the objects that are always there.
    pub fn new(options: &SimOptions) -> Self {
        let mut cybrid = Self {
            operations: operation::load(),
            store: Store::default(),
            tokens: Tokens::default(),
            windows: Windows::default(),
            entropy: Entropy::new(options.seed),
            limit_scale: options.limit_scale,
        };
        cybrid.plant((options.clock)());
        cybrid
    }

    /// Answers a request.
    pub fn handle(&mut self, request: &Request, limits: bool, expired: bool) -> Reply {
        if limits && let Some(refusal) = self.limit(request) {
            return refusal;
        }
        if request.method == "POST" && request.path == "/oauth/token" {
            return self.mint(request);
        }
        self.serve(request, expired).unwrap_or_else(Reply::from)
    }

    /// The limits stand in front of the application, so their refusals are no API errors.
    fn limit(&mut self, request: &Request) -> Option<Reply> {
        let (limit, status) = match request.path.as_str() {
            "/oauth/token" => (OAUTH, 403),
            "/api/customer_tokens" | "/oauth/customer_token" => (CUSTOMER_TOKENS, 403),
            _ => (GENERAL, 429),
        };
        let peer: IpAddr = request.peer;
        let standing = self
            .windows
            .admit(limit, peer, request.now, self.limit_scale);
        (!standing.admitted).then(|| Reply::infrastructure(status))
    }

    fn serve(&mut self, request: &Request, expired: bool) -> Result<Reply, ApiError> {
        // The security guide names a second minting path and nothing else is known of it.
        let path = match request.path.as_str() {
            "/oauth/customer_token" => "/api/customer_tokens",
            path => path,
        };
        let (operation, id) = operation::find(&self.operations, &request.method, path)
            .ok_or_else(ApiError::not_found)?;
        let grant = if operation.is_public() {
            None
        } else {
            Some(self.authorize(request, &operation, expired)?)
        };
        let body = request
            .json()
            .ok_or_else(|| ApiError::new(400, "invalid_parameter", "The body is no JSON object"))?;
        if let Some(field) = operation
            .required()
            .find(|field| body.get(*field).is_none_or(Value::is_null))
        {
            return Err(ApiError::new(
                operation.bad_body,
                "missing_parameter",
                format!("Missing parameter: {field}"),
            ));
        }
        let call = Call {
            request,
            operation,
            grant,
            body,
        };
        self.dispatch(&call, id)
    }

    fn authorize(
        &self,
        request: &Request,
        operation: &Operation,
        expired: bool,
    ) -> Result<Grant, ApiError> {
        let grant = self.tokens.check(request, expired)?;
        if let Some(allowed) = operation.refuses(grant.subject) {
            return Err(ApiError::new(
                401,
                "invalid_subject",
                format!("Invalid Subject type. Required: {allowed}"),
            ));
        }
        for scope in operation.scopes() {
            grant.demand(scope)?;
        }
        Ok(grant)
    }

    fn dispatch(&mut self, call: &Call<'_>, id: Option<&str>) -> Result<Reply, ApiError> {
        let success = call.operation.success;
        let resource = call.operation.resource();
        let value = match (call.request.method.as_str(), id) {
            ("GET", None) => self.list(resource, call)?,
            ("GET", Some(id)) => self.fetch(resource, id, call)?,
            ("POST", _) => self.create(resource, call)?,
            ("PATCH", Some(id)) => self.update(resource, id, call)?,
            ("DELETE", Some(id)) => self.delete(resource, id, call)?,
            _ => return Err(ApiError::not_found()),
        };
        Ok(if success == 204 {
            Reply::empty(204)
        } else {
            Reply::json(success, &value)
        })
    }

    fn fetch(
        &mut self,
        resource: &'static str,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Value, ApiError> {
        self.visible(resource, id, call)?;
        let private = listing::wants_private(resource, call)?;
        self.advance(resource, id, call.now());
        if resource == "external_bank_accounts" && call.request.flag("include_balances") {
            self.refresh_balances(id)?;
        }
        let object = self
            .store
            .get(resource, id)
            .ok_or_else(ApiError::not_found)?;
        Ok(listing::render(resource, object, call, private, true))
    }

    /// # Errors
    /// 404 if there is no such object or the token may not see it.
    fn visible(&self, resource: &str, id: &str, call: &Call<'_>) -> Result<&Object, ApiError> {
        self.store
            .get(resource, id)
            .filter(|object| listing::may_see(resource, object, call.grant.as_ref()))
            .ok_or_else(ApiError::not_found)
    }

    /// The package documents that reading balances is no pure read: it can find that the
    /// account must be linked anew. Here an account named `refresh-required` does.
    fn refresh_balances(&mut self, id: &str) -> Result<(), ApiError> {
        let Some(account) = self.store.get_mut("external_bank_accounts", id) else {
            return Ok(());
        };
        if account.text("name").contains("refresh-required") {
            account.set("state", "refresh_required");
            return Err(ApiError::unprocessable(
                "invalid_external_bank_account",
                "The external bank account must be refreshed",
            ));
        }
        Ok(())
    }

    fn update(
        &mut self,
        resource: &'static str,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Value, ApiError> {
        self.visible(resource, id, call)?;
        if resource == "banks" {
            resources::check_origins(&call.body)?;
        }
        let now = states::instant(call.now());
        let object = self
            .store
            .get_mut(resource, id)
            .ok_or_else(ApiError::not_found)?;
        for (field, value) in &call.body {
            if object.public.contains_key(field) && !value.is_null() {
                object.set(field, value.clone());
            }
        }
        object.set("updated_at", now);
        Ok(listing::render(resource, object, call, false, false))
    }

    fn delete(
        &mut self,
        resource: &'static str,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Value, ApiError> {
        if resource == "transfers" && call.version() < "2026-04-01" {
            // Below this version the operation does not exist.
            return Err(ApiError::not_found());
        }
        let object = self.visible(resource, id, call)?;
        if resource == "transfers" && object.text("state") == "completed" {
            return Err(ApiError::unprocessable(
                "invalid_transfer",
                "The transfer can no longer be cancelled",
            ));
        }
        if call.operation.success == 204 {
            self.store.remove(resource, id);
            return Ok(Value::Null);
        }
        let now = states::instant(call.now());
        let object = self
            .store
            .get_mut(resource, id)
            .ok_or_else(ApiError::not_found)?;
        object.set(
            "state",
            if resource == "transfers" {
                "cancelling"
            } else {
                "deleting"
            },
        );
        object.set("updated_at", now);
        Ok(listing::render(resource, object, call, false, false))
    }
}
