//! Issuing and checking access tokens.

use std::collections::{HashMap, VecDeque};

use serde_json::json;

use super::error::ApiError;
use super::operation::Subject;
use crate::sim::entropy::Entropy;
use crate::sim::jwt;
use crate::sim::message::Request;
use crate::types::Micros;

/// Eight hours, as the sandbox answers.
pub const LIFETIME_SECS: i64 = 28_800;
/// The oldest token is forgotten beyond this many.
const MAX_TOKENS: usize = 20_000;
/// A 4,096-bit RSA signature.
const SIGNATURE_BYTES: usize = 512;

/// What a token stands for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Kind of subject.
    pub subject: Subject,
    /// Guid of the subject.
    pub guid: String,
    /// The bank of a bank or customer token.
    pub bank: Option<String>,
    /// Scopes held.
    pub scopes: Vec<String>,
    expires: Micros,
}

impl Grant {
    /// True if the scope is held.
    pub fn holds(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// # Errors
    /// 403 `invalid_scopes` if the scope is not held.
    pub fn demand(&self, scope: &str) -> Result<(), ApiError> {
        if self.holds(scope) {
            Ok(())
        } else {
            Err(ApiError::new(
                403,
                "invalid_scopes",
                format!("Invalid scopes. Required: {scope}"),
            ))
        }
    }
}

/// The tokens issued.
#[derive(Debug, Default)]
pub struct Tokens {
    grants: HashMap<String, Grant>,
    order: VecDeque<String>,
}

impl Tokens {
    /// Makes a token as the identity service does: header, claims and length as documented.
    pub fn issue(
        &mut self,
        subject: Subject,
        guid: &str,
        bank: Option<&str>,
        scopes: Vec<String>,
        now: Micros,
        entropy: &mut Entropy,
    ) -> String {
        let issued = now.as_secs();
        let properties = match bank {
            Some(bank) => json!({"bank_guid": bank, "bank_type": "sandbox"}),
            None => json!({}),
        };
        let header = json!({"kid": entropy.base64url(32), "alg": "RS512"});
        let claims = json!({
            "iss": "https://id.sandbox.cybrid.app",
            "aud": [
                "https://bank.sandbox.cybrid.app",
                "https://organization.sandbox.cybrid.app",
                "https://id.sandbox.cybrid.app",
            ],
            "sub": guid,
            "sub_type": subject.as_str(),
            "scope": scopes,
            "iat": issued,
            "exp": issued.saturating_add(LIFETIME_SECS),
            "jti": entropy.uuid(),
            "token_type": "access",
            "properties": properties,
        });
        let token = jwt::forge(
            &header.to_string(),
            &claims.to_string(),
            SIGNATURE_BYTES,
            entropy,
        );
        if self.order.len() >= MAX_TOKENS
            && let Some(oldest) = self.order.pop_front()
        {
            self.grants.remove(&oldest);
        }
        self.order.push_back(token.clone());
        self.grants.insert(
            token.clone(),
            Grant {
                subject,
                guid: guid.to_owned(),
                bank: bank.map(str::to_owned),
                scopes,
                expires: Micros::from_secs(issued.saturating_add(LIFETIME_SECS)),
            },
        );
        token
    }

    /// What the request's bearer token stands for.
    ///
    /// # Errors
    /// 401, told apart by text only where Cybrid does so: a missing, malformed, forged or
    /// expired token.
    pub fn check(&self, request: &Request, expired: bool) -> Result<Grant, ApiError> {
        let unauthorized = |code, text: &str| ApiError::new(401, code, text);
        if request.header("authorization").is_none() {
            return Err(unauthorized("unauthorized", "Missing authorization header"));
        }
        let token = request.bearer().unwrap_or_default();
        // Looked up before it is decoded: a good token is the common case.
        let Some(grant) = self.grants.get(token) else {
            return Err(match jwt::decode(token) {
                Some(_) => unauthorized("authentication_failed", "Signature verification failed"),
                None => unauthorized("authentication_malformed", "Malformed bearer token"),
            });
        };
        if expired || grant.expires <= request.now {
            return Err(unauthorized(
                "authentication_failed",
                "Signature has expired",
            ));
        }
        Ok(grant.clone())
    }
}
