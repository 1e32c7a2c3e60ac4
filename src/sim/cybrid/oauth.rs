//! `POST /oauth/token` and `POST /api/customer_tokens`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::operation::Subject;
use super::scopes;
use super::store::text;
use super::tokens::{Grant, LIFETIME_SECS};
use super::{BANK_GUID, Cybrid, ORGANIZATION_GUID};
use crate::sim::message::{Reply, Request, pairs};

/// A client of the token endpoint.
struct Key {
    id: &'static str,
    secret: &'static str,
    subject: Subject,
    guid: &'static str,
    bank: Option<&'static str>,
    may_hold: &'static str,
    /// The Partner Portal, which alone gets the portal-only scopes.
    portal: bool,
}

const KEYS: [Key; 3] = [
    Key {
        id: "sim-org-id",
        secret: "sim-org-secret",
        subject: Subject::Organization,
        guid: ORGANIZATION_GUID,
        bank: None,
        may_hold: scopes::ORGANIZATION,
        portal: false,
    },
    Key {
        id: "sim-bank-id",
        secret: "sim-bank-secret",
        subject: Subject::Bank,
        guid: BANK_GUID,
        bank: Some(BANK_GUID),
        may_hold: scopes::BANK,
        portal: false,
    },
    Key {
        id: "sim-portal-id",
        secret: "sim-portal-secret",
        subject: Subject::Organization,
        guid: ORGANIZATION_GUID,
        bank: None,
        may_hold: scopes::ORGANIZATION,
        portal: true,
    },
];

/// Errors here have the shape of RFC 6749, section 5.2, not that of the API.
fn oauth_error(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}

/// The parameters, from a JSON or form body and from HTTP Basic.
fn parameters(request: &Request) -> Option<Map<String, Value>> {
    let is_form = request
        .header("content-type")
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let mut map = if is_form {
        let body = String::from_utf8_lossy(&request.body);
        pairs(&body)
            .map(|(name, value)| (name, Value::String(value)))
            .collect()
    } else {
        request.json()?
    };
    if let Some(encoded) = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "))
    {
        let bytes = STANDARD.decode(encoded.trim()).ok()?;
        let pair = String::from_utf8(bytes).ok()?;
        let (id, secret) = pair.split_once(':')?;
        map.insert("client_id".to_owned(), id.into());
        map.insert("client_secret".to_owned(), secret.into());
    }
    Some(map)
}

impl Cybrid {
    /// The client credentials grant.
    pub(super) fn mint(&mut self, request: &Request) -> Reply {
        let Some(map) = parameters(request) else {
            return oauth_error(400, "invalid_request", "The request could not be read.");
        };
        if text(&map, "grant_type") != "client_credentials" {
            return oauth_error(
                400,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            );
        }
        let Some(key) = KEYS.iter().find(|key| {
            key.id == text(&map, "client_id") && key.secret == text(&map, "client_secret")
        }) else {
            return oauth_error(
                401,
                "invalid_client",
                "Client authentication failed due to unknown client, no client authentication \
                 included, or unsupported authentication method.",
            );
        };
        let asked = match text(&map, "scope") {
            "" => key.may_hold,
            given => given,
        };
        let mut granted = Vec::new();
        for scope in asked.split_whitespace() {
            let portal_only = scopes::holds(scopes::PORTAL_ONLY, scope);
            if portal_only && !key.portal {
                continue;
            }
            if !portal_only && !scopes::holds(key.may_hold, scope) {
                granted.clear();
                break;
            }
            if !granted.iter().any(|held| held == scope) {
                granted.push(scope.to_owned());
            }
        }
        if granted.is_empty() {
            return oauth_error(
                400,
                "invalid_scope",
                "The requested scope is invalid, unknown, or malformed.",
            );
        }
        let scope = granted.join(" ");
        let token = self.tokens.issue(
            key.subject,
            key.guid,
            key.bank,
            granted,
            request.now,
            &mut self.entropy,
        );
        Reply::json(
            200,
            &json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": LIFETIME_SECS,
                "scope": scope,
                "created_at": request.now.as_secs(),
            }),
        )
        .with("Cache-Control", "no-store")
    }

    /// A customer token; the answer has no `expires_in`.
    pub(super) fn mint_customer(
        &mut self,
        request: &Request,
        grant: &Grant,
        body: &Map<String, Value>,
    ) -> Result<Value, ApiError> {
        let customer = text(body, "customer_guid");
        let asked = body
            .get("scopes")
            .and_then(Value::as_array)
            .ok_or_else(|| {
                ApiError::unprocessable("invalid_parameter", "scopes is not an array")
            })?;
        let mut granted = Vec::with_capacity(asked.len());
        for scope in asked {
            let scope = scope.as_str().unwrap_or_default();
            if !scopes::holds(scopes::CUSTOMER, scope) {
                return Err(ApiError::new(
                    403,
                    "invalid_scopes",
                    "Invalid scopes. A customer token may not hold what was asked for",
                ));
            }
            granted.push(scope.to_owned());
        }
        if self.store.get("customers", customer).is_none() {
            return Err(ApiError::unprocessable("no_customer", "Customer not found"));
        }
        let token = self.tokens.issue(
            Subject::Customer,
            customer,
            grant.bank.as_deref(),
            granted,
            request.now,
            &mut self.entropy,
        );
        Ok(json!({"access_token": token}))
    }
}
