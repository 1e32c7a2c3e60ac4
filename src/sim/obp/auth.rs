//! Who calls: every way in which OBP takes a credential, in the order in which it looks. Header
//! names are compared with exact case, as servers before late 2026 do, `DirectLogin` excepted.

use serde_json::{Map, Value, json};

use super::Obp;
use super::error::ObpError;
use super::users::CONSUMER_KEY;
use crate::sim::jwt;
use crate::sim::message::Request;

/// Who was recognised.
#[derive(Clone, Debug)]
pub struct Caller {
    /// User id.
    pub user: String,
    /// What the answer carries back in `GatewayLogin`.
    pub fresh: Option<String>,
}

/// The parameters of `DirectLogin`: split at commas and `=`, quotes optional. A password with a
/// comma is cut there, as OBP does.
pub fn parameters(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    })
}

/// The text of DirectLogin in either of its headers.
pub fn direct_login(request: &Request) -> Option<&str> {
    request.header("directlogin").or_else(|| {
        let value = request.header_exact("Authorization")?;
        value.contains("DirectLogin").then(|| {
            value
                .split_once("DirectLogin")
                .map_or(value, |(_, rest)| rest.trim())
        })
    })
}

fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str().filter(|value| !value.is_empty())
}

impl Obp {
    /// The first credential that OBP would use, or `None` for an anonymous request.
    ///
    /// # Errors
    /// As OBP answers a credential that it cannot take.
    pub(super) fn identify(
        &mut self,
        request: &Request,
        expired: bool,
    ) -> Result<Option<Caller>, ObpError> {
        if request.headers.iter().any(|(_, value)| value.is_empty()) {
            return Err(ObpError::new(
                400,
                "OBP-20252: Request headers must not be empty.",
            ));
        }
        let consent_jwt = request.header_exact("Consent-JWT");
        let consent_id = request.header_exact("Consent-Id");
        if consent_jwt.is_some() && consent_id.is_some() {
            return Err(ObpError::new(
                400,
                "OBP-20250: Only one of the headers Consent-JWT and Consent-Id is allowed.",
            ));
        }
        let authorization = request.header_exact("Authorization").unwrap_or_default();
        let user = if let Some(id) = request.header_exact("Consent-ID") {
            self.consenter(id, request, expired, false)?
        } else if let Some(consent) = consent_jwt.or(consent_id) {
            self.consenter(consent, request, expired, true)?
        } else if authorization.contains("OAuth") {
            self.oauth1(authorization, request, expired)?
        } else if authorization.contains("Bearer") {
            let token = request.bearer().unwrap_or_default();
            self.known(token, request, expired).ok_or_else(|| {
                ObpError::new(
                    401,
                    "OBP-20204: Bad JWT token. Cannot verify JWT Access Token.",
                )
            })?
        } else if let Some(text) = direct_login(request) {
            self.direct(text, request, expired)?
        } else if authorization.contains("GatewayLogin") {
            return self.gateway(authorization, request).map(Some);
        } else if let Some(token) = request.header_exact("DAuth") {
            self.dauth(token)?
        } else if !authorization.is_empty() {
            return Err(ObpError::new(
                401,
                "OBP-20080: Authorization Header format is not supported at this instance.",
            ));
        } else {
            return Ok(None);
        };
        Ok(Some(Caller { user, fresh: None }))
    }

    fn known(&self, token: &str, request: &Request, expired: bool) -> Option<String> {
        if expired {
            return None;
        }
        self.users.of_token(token, request.now)
    }

    fn direct(&self, text: &str, request: &Request, expired: bool) -> Result<String, ObpError> {
        let token = parameters(text)
            .find(|(name, _)| *name == "token")
            .map(|(_, token)| token)
            .ok_or_else(|| {
                ObpError::new(
                    400,
                    "OBP-20002: These DirectLogin parameters are missing: token",
                )
            })?;
        // The servers repeat the token in the message, which is why messages need redaction.
        self.known(token, request, expired).ok_or_else(|| {
            ObpError::new(
                401,
                format!("OBP-20003: This DirectLogin token is invalid or expired: {token}"),
            )
        })
    }

    fn oauth1(
        &self,
        authorization: &str,
        request: &Request,
        expired: bool,
    ) -> Result<String, ObpError> {
        let (_, rest) = authorization.split_once("OAuth").unwrap_or_default();
        let token = parameters(rest)
            .find(|(name, _)| *name == "oauth_token")
            .map(|(_, token)| token)
            .unwrap_or_default();
        self.known(token, request, expired)
            .ok_or_else(|| ObpError::new(401, format!("Invalid or expired access token: {token}")))
    }

    /// GatewayLogin answers every call with a fresh token.
    fn gateway(&mut self, authorization: &str, request: &Request) -> Result<Caller, ObpError> {
        let (_, rest) = authorization.split_once("GatewayLogin").unwrap_or_default();
        let token = parameters(rest)
            .find(|(name, _)| *name == "token")
            .map(|(_, token)| token)
            .unwrap_or_default();
        let (_, mut claims) = jwt::decode(token).ok_or_else(|| {
            ObpError::new(
                401,
                "OBP-20041: Header, Payload and Signature cannot be extracted from the JWT.",
            )
        })?;
        let missing: Vec<&str> = ["login_user_name", "app_id", "app_name", "time_stamp"]
            .into_iter()
            .filter(|name| claim(&claims, name).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(ObpError::new(
                401,
                format!(
                    "OBP-20028: These GatewayLogin parameters are missing: {}",
                    missing.join(", ")
                ),
            ));
        }
        let name = claim(&claims, "login_user_name")
            .unwrap_or_default()
            .to_owned();
        let user = self
            .users
            .find_or_make("gateway", &name, &mut self.entropy)
            .ok_or_else(|| ObpError::new(500, "OBP-20045: Cannot get or create user."))?;
        claims.insert("is_first".to_owned(), false.into());
        claims.insert("time_stamp".to_owned(), request.now.to_string().into());
        let fresh_token = self.entropy.base64url(24);
        claims.insert("cbs_token".to_owned(), fresh_token.into());
        let fresh = jwt::forge(
            r#"{"alg":"HS256","typ":"JWT"}"#,
            &Value::Object(claims).to_string(),
            32,
            &mut self.entropy,
        );
        Ok(Caller {
            user,
            fresh: Some(fresh),
        })
    }

    /// The user is named by the token alone and made on first sight.
    fn dauth(&mut self, token: &str) -> Result<String, ObpError> {
        let (header, claims) = jwt::decode(token).ok_or_else(|| {
            ObpError::new(
                401,
                "OBP-20071: The DAuth JWT is corrupted/changed during a transport.",
            )
        })?;
        if !matches!(claim(&header, "alg"), Some("RS256" | "HS256")) {
            return Err(ObpError::new(
                401,
                "OBP-20071: The DAuth JWT is corrupted/changed during a transport.",
            ));
        }
        let missing: Vec<&str> = ["smart_contract_address", "network_name", "consumer_key"]
            .into_iter()
            .filter(|name| claim(&claims, name).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(ObpError::new(
                401,
                format!(
                    "OBP-20066: These DAuth parameters are missing: {}",
                    missing.join(", ")
                ),
            ));
        }
        let provider = format!(
            "dauth.{}",
            claim(&claims, "network_name").unwrap_or_default()
        );
        let name = claim(&claims, "smart_contract_address").unwrap_or_default();
        self.users
            .find_or_make(&provider, name, &mut self.entropy)
            .ok_or_else(|| {
                ObpError::new(
                    500,
                    "OBP-20065: Cannot get or create user during DAuth process.",
                )
            })
    }

    /// A consent, by id or by JWT. OBP's own headers need the consumer's key as second proof.
    fn consenter(
        &self,
        text: &str,
        request: &Request,
        expired: bool,
        needs_key: bool,
    ) -> Result<String, ObpError> {
        let consent = self
            .consents
            .iter()
            .find(|consent| consent.id == text || consent.jwt == text)
            .ok_or_else(|| ObpError::new(401, "OBP-35001: Consent not found by CONSENT_ID."))?;
        if expired {
            return Err(ObpError::new(401, "OBP-35003: Consent is expired."));
        }
        if consent.status != "ACCEPTED" {
            return Err(ObpError::new(
                401,
                "OBP-35005: The status of the consent is not valid.",
            ));
        }
        if needs_key && request.header_exact("Consumer-Key") != Some(CONSUMER_KEY) {
            return Err(ObpError::new(
                401,
                "OBP-35015: The Consumer-Key of the consent does not match.",
            ));
        }
        Ok(consent.user.clone())
    }

    /// The user as `users/current` and others show it.
    pub(super) fn describe_user(&self, id: &str) -> Value {
        let Some(user) = self.users.by_id(id) else {
            return Value::Null;
        };
        let list: Vec<Value> = user
            .roles
            .iter()
            .map(|role| json!({"entitlement_id": role, "role_name": role, "bank_id": ""}))
            .collect();
        json!({
            "user_id": user.id,
            "email": format!("{}@example.invalid", user.name),
            "provider_id": user.name,
            "provider": user.provider,
            "username": user.name,
            "entitlements": {"list": list},
            "views": {"list": []},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_optional_and_commas_cut() {
        let read = |text| parameters(text).collect::<Vec<_>>();
        assert_eq!(read("token=abc"), [("token", "abc")]);
        assert_eq!(
            read(r#"username="u", password="p,q", consumer_key="k""#),
            [("username", "u"), ("password", "p"), ("consumer_key", "k")]
        );
    }
}
