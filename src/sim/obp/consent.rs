//! Consents: minting, activating, listing and revoking.

use serde_json::{Value, json};

use super::Obp;
use super::error::ObpError;
use super::users::CONSUMER_KEY;
use crate::sim::jwt;
use crate::sim::message::{Reply, Request};

/// What activates a consent sent by EMAIL or SMS.
const ANSWER: &str = "123456";
/// The oldest consents are forgotten beyond this many.
const MAX_CONSENTS: usize = 5_000;

/// A consent.
#[derive(Clone, Debug)]
pub struct Consent {
    /// A UUID.
    pub id: String,
    /// Acts as the credential.
    pub jwt: String,
    /// INITIATED, ACCEPTED or REVOKED.
    pub status: &'static str,
    /// Who gave it.
    pub user: String,
}

impl Consent {
    fn describe(&self) -> Value {
        json!({"consent_id": self.id, "jwt": self.jwt, "status": self.status})
    }
}

impl Obp {
    /// `POST .../my/consents/{EMAIL,SMS,IMPLICIT}`.
    pub(super) fn create_consent(
        &mut self,
        request: &Request,
        user: &str,
        method: &str,
    ) -> Result<Reply, ObpError> {
        let body = request
            .json()
            .ok_or_else(|| ObpError::bad_json("views and entitlements"))?;
        let now = request.now.as_secs();
        let life = body
            .get("time_to_live")
            .and_then(Value::as_i64)
            .unwrap_or(3_600);
        let id = self.entropy.uuid();
        let claims = json!({
            "createdByUserId": user,
            "sub": self.entropy.uuid(),
            "iss": "http://sim.local",
            "aud": CONSUMER_KEY,
            "jti": id,
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(life),
            "request_headers": [],
            "name": null,
            "email": null,
            "entitlements": body.get("entitlements").cloned().unwrap_or(json!([])),
            "views": body.get("views").cloned().unwrap_or(json!([])),
            "access": null,
        });
        let consent = Consent {
            jwt: jwt::forge(
                r#"{"alg":"HS256"}"#,
                &claims.to_string(),
                32,
                &mut self.entropy,
            ),
            id,
            status: if method == "IMPLICIT" {
                "ACCEPTED"
            } else {
                "INITIATED"
            },
            user: user.to_owned(),
        };
        let answer = Reply::json(201, &consent.describe());
        if self.consents.len() >= MAX_CONSENTS {
            self.consents.pop_front();
        }
        self.consents.push_back(consent);
        Ok(answer)
    }

    fn own_consent(&mut self, id: &str, user: &str) -> Result<&mut Consent, ObpError> {
        self.consents
            .iter_mut()
            .find(|consent| consent.id == id && consent.user == user)
            .ok_or_else(|| ObpError::new(404, "OBP-35001: Consent not found by CONSENT_ID."))
    }

    /// `POST .../consents/{id}/challenge`.
    pub(super) fn answer_consent(
        &mut self,
        request: &Request,
        user: &str,
        id: &str,
    ) -> Result<Reply, ObpError> {
        let body = request.json().unwrap_or_default();
        let consent = self.own_consent(id, user)?;
        if body.get("answer").and_then(Value::as_str) != Some(ANSWER) {
            return Err(ObpError::new(
                400,
                "OBP-35016: The answer of the challenge is wrong.",
            ));
        }
        consent.status = "ACCEPTED";
        Ok(Reply::json(201, &consent.describe()))
    }

    /// Lists show live JWTs.
    pub(super) fn list_consents(&self, user: &str) -> Reply {
        let list: Vec<Value> = self
            .consents
            .iter()
            .filter(|consent| consent.user == user)
            .map(Consent::describe)
            .collect();
        Reply::json(200, &json!({"consents": list}))
    }

    /// By `GET .../revoke` (which is not safe) or by DELETE.
    pub(super) fn revoke_consent(&mut self, user: &str, id: &str) -> Result<Reply, ObpError> {
        let consent = self.own_consent(id, user)?;
        consent.status = "REVOKED";
        Ok(Reply::json(200, &consent.describe()))
    }
}
