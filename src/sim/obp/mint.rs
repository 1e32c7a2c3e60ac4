//! Calls that make tokens: DirectLogin, OAuth 1.0a and OIDC.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Obp;
use super::auth::{direct_login, parameters};
use super::error::ObpError;
use super::users::{CONSUMER_KEY, HOLDER_ID, Refusal};
use crate::sim::jwt;
use crate::sim::message::{Reply, Request, pairs};

/// OAuth 1.0a tokens are 40 characters of these.
const OAUTH_ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Nonces are forgotten beyond this many.
const MAX_NONCES: usize = 10_000;
const OIDC_CLIENT: (&str, &str) = ("sim-oidc-client", "sim-oidc-secret");
/// An hour, as OBP-OIDC answers.
const OIDC_LIFETIME_SECS: i64 = 3_600;

impl Obp {
    /// `POST /my/logins/direct`: credentials in a header, the body is ignored.
    pub(super) fn mint_direct(&mut self, request: &Request) -> Result<Reply, ObpError> {
        let text = direct_login(request).ok_or_else(|| {
            ObpError::new(
                400,
                "OBP-20082: Missing DirectLogin or Authorization header.",
            )
        })?;
        let given = |wanted: &str| {
            parameters(text)
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value)
        };
        let missing: Vec<&str> = ["username", "password", "consumer_key"]
            .into_iter()
            .filter(|name| given(name).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(ObpError::new(
                400,
                format!(
                    "OBP-20002: These DirectLogin parameters are missing: {}",
                    missing.join(", ")
                ),
            ));
        }
        let (name, password, key) = (
            given("username").unwrap_or_default(),
            given("password").unwrap_or_default(),
            given("consumer_key").unwrap_or_default(),
        );
        if [name, password, key].iter().any(|value| value.is_empty()) {
            return Err(ObpError::new(
                400,
                "OBP-20012: Invalid direct login parameters.",
            ));
        }
        if !self.is_consumer(key) {
            return Err(ObpError::new(401, "OBP-20008: Invalid Consumer Key."));
        }
        let user = self
            .users
            .log_in(name, password)
            .map_err(|refusal| match refusal {
                Refusal::Wrong => ObpError::new(
                    401,
                    "OBP-20004: Invalid login credentials. Check username/password.",
                ),
                Refusal::Locked => ObpError::new(
                    401,
                    "OBP-20013: The account has been locked, please contact an administrator!",
                ),
            })?;
        // The claims are always `{"":""}`, so the first 32 characters never differ.
        let token = jwt::forge(r#"{"alg":"HS256"}"#, r#"{"":""}"#, 32, &mut self.entropy);
        self.users.remember(&token, &user, request.now);
        Ok(Reply::json(201, &json!({"token": token})))
    }

    /// True for the fixed consumer and those registered since.
    pub(super) fn is_consumer(&self, key: &str) -> bool {
        key == CONSUMER_KEY || self.consumers.iter().any(|known| known == key)
    }

    /// `POST /oauth/initiate` and `POST /oauth/token`. Signatures must be there but are not
    /// checked: OBP computes them over its own host name, not over the one that was called.
    pub(super) fn oauth1_mint(&mut self, request: &Request, initiate: bool) -> Reply {
        let refuse = |status, text: &str| Reply::text(status, "text/plain", text);
        let Some((_, text)) = request
            .header_exact("Authorization")
            .and_then(|value| value.split_once("OAuth"))
        else {
            return refuse(400, "Missing Authorization header");
        };
        let given: Map<String, Value> = parameters(text)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let of = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
        let needed = if initiate {
            "oauth_callback"
        } else {
            "oauth_verifier"
        };
        for name in [
            "oauth_consumer_key",
            "oauth_signature_method",
            "oauth_timestamp",
            "oauth_nonce",
            "oauth_signature",
            needed,
        ] {
            if of(name).is_empty() {
                return refuse(400, "the following parameters are missing");
            }
        }
        if !self.is_consumer(of("oauth_consumer_key")) {
            return refuse(401, "Invalid consumer credentials");
        }
        if self.nonces.len() >= MAX_NONCES {
            self.nonces.clear();
        }
        if !self.nonces.insert(of("oauth_nonce").to_owned()) {
            return refuse(401, "Nonce already used");
        }
        if !initiate
            && !self.verifiers.iter().any(|(token, verifier)| {
                token == of("oauth_token") && verifier == of("oauth_verifier")
            })
        {
            return refuse(401, "Invalid or expired request token");
        }
        let token = self.entropy.text(OAUTH_ALPHABET, 40);
        let secret = self.entropy.text(OAUTH_ALPHABET, 40);
        let mut body = format!("oauth_token={token}&oauth_token_secret={secret}");
        if initiate {
            let verifier = self.entropy.text(OAUTH_ALPHABET, 5);
            self.verifiers.push_back((token, verifier));
            self.verifiers.truncate(MAX_NONCES);
            body.push_str("&oauth_callback_confirmed=true");
        } else {
            self.verifiers
                .retain(|(token, _)| token != of("oauth_token"));
            self.users.remember(&token, HOLDER_ID, request.now);
        }
        Reply::text(200, "application/x-www-form-urlencoded", body)
    }

    /// `GET /oauth/authorize`: the page that shows the verifier; `sim-user` always agrees.
    pub(super) fn oauth1_authorize(&self, request: &Request) -> Reply {
        let token = request.parameter("oauth_token").unwrap_or_default();
        match self.verifiers.iter().find(|(known, _)| *known == token) {
            Some((_, verifier)) => Reply::text(
                200,
                "text/html",
                format!("<html><body><div id=\"verifier\">{verifier}</div></body></html>"),
            ),
            None => Reply::text(401, "text/plain", "Invalid or expired request token"),
        }
    }

    /// `POST /obp-oidc/token`: client by Basic or in the form.
    pub(super) fn oidc_token(&mut self, request: &Request) -> Reply {
        let refuse = |status, error: &str| {
            Reply::json(
                status,
                &json!({"error": error, "error_description": "The simulator refused this"}),
            )
        };
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let of = |wanted: &str| {
            pairs(&body)
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value)
                .unwrap_or_default()
        };
        let basic = request
            .header_exact("Authorization")
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| STANDARD.decode(encoded.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        let (id, secret) = match basic.split_once(':') {
            Some((id, secret)) => (id.to_owned(), secret.to_owned()),
            None => (of("client_id"), of("client_secret")),
        };
        if (id.as_str(), secret.as_str()) != OIDC_CLIENT {
            return refuse(400, "invalid_client");
        }
        let grant = of("grant_type");
        let personal = match grant.as_str() {
            "client_credentials" => false,
            "authorization_code" if of("code") == "sim-code" => true,
            "refresh_token"
                if self
                    .users
                    .of_token(&of("refresh_token"), request.now)
                    .is_some() =>
            {
                true
            }
            "authorization_code" | "refresh_token" => return refuse(400, "invalid_grant"),
            _ => return refuse(400, "unsupported_grant_type"),
        };
        let now = request.now.as_secs();
        let subject = if personal { HOLDER_ID } else { id.as_str() };
        let mut make = |audience: &str, extra: Value| {
            let mut claims = json!({
                "iss": "http://sim.local/obp-oidc", "sub": subject, "aud": audience,
                "azp": id, "client_id": id, "iat": now,
                "exp": now.saturating_add(OIDC_LIFETIME_SECS),
                "jti": self.entropy.uuid(),
            });
            if let (Some(map), Value::Object(extra)) = (claims.as_object_mut(), extra) {
                map.extend(extra);
            }
            jwt::forge(
                r#"{"alg":"RS256","kid":"sim","typ":"JWT"}"#,
                &claims.to_string(),
                256,
                &mut self.entropy,
            )
        };
        let access = make("http://sim.local", json!({"scope": "openid profile"}));
        let mut answer = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": OIDC_LIFETIME_SECS,
        });
        if personal && let Some(map) = answer.as_object_mut() {
            let refresh = make(&id, json!({}));
            let identity = make(
                &id,
                json!({"name": "Sim User", "email": "sim-user@example.invalid"}),
            );
            self.users.remember(&refresh, HOLDER_ID, request.now);
            map.insert("refresh_token".to_owned(), refresh.into());
            map.insert("id_token".to_owned(), identity.into());
        }
        self.users.remember(&access, HOLDER_ID, request.now);
        Reply::json(200, &answer)
    }
}
