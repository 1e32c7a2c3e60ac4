//! Card orders: reservations that work once and one-time codes that run out.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error::WyreError;
use super::resources::{as_map, text};
use super::{MASTER_ACCOUNT, Wyre};
use crate::sim::message::Request;

/// A reservation lives 15 minutes or an hour, the pages disagree.
const RESERVATION_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// One-time codes: this one is right, and so many wrong ones fail the order.
const RIGHT_CODE: &str = "000000";
const MAX_CODES: u64 = 5;

impl Wyre {
    pub(super) fn reserve(
        &mut self,
        request: &Request,
        owner: &str,
        body: &Map<String, Value>,
    ) -> Value {
        let id = self.id("RE");
        let until = request.now.plus(RESERVATION_LIFETIME).as_millis();
        let mut fields = body.clone();
        fields.insert("reservation".to_owned(), id.clone().into());
        fields.insert("expiresAt".to_owned(), until.into());
        fields.insert("used".to_owned(), false.into());
        self.keep(&id, owner, fields);
        json!({"reservation": id, "url": format!("https://pay.sim.example/purchase?reservation={id}")})
    }

    /// A reservation works once.
    pub(super) fn process_card(
        &mut self,
        request: &Request,
        owner: &str,
        body: &Map<String, Value>,
    ) -> Result<Value, WyreError> {
        let now = request.now.as_millis();
        let reservation = text(body, "reservationId").to_owned();
        let found = self
            .owned(&reservation, owner, &request.path)
            .map_err(|_| WyreError::invalid("reservationId is not known"))?;
        let used = found.fields.get("used") == Some(&Value::Bool(true));
        let expires = found.fields.get("expiresAt").and_then(Value::as_i64);
        if used || expires.is_none_or(|at| at <= now) {
            return Err(WyreError::invalid(
                "the reservation was used or has expired",
            ));
        }
        found.fields.insert("used".to_owned(), true.into());
        let id = self.id("WO");
        let fields = as_map(json!({
            "id": id,
            "owner": format!("account:{MASTER_ACCOUNT}"),
            "accountId": owner,
            "status": "RUNNING_CHECKS",
            "orderType": "INSTITUTIONAL",
            "sourceCurrency": text(body, "sourceCurrency"),
            "destCurrency": text(body, "destCurrency"),
            "purchaseAmount": body.get("amount").cloned().unwrap_or(Value::Null),
            "reservation": reservation,
            "wrongCodes": 0,
            "createdAt": now,
        }));
        let shown = Value::Object(fields.clone());
        self.keep(&id, owner, fields);
        Ok(shown)
    }

    /// Every try counts: a retry by a machine burns one of five.
    pub(super) fn authorize_card(
        &mut self,
        request: &Request,
        owner: &str,
        id: &str,
        body: &Map<String, Value>,
    ) -> Result<Value, WyreError> {
        let order = self.owned(id, owner, &request.path)?;
        let given = [text(body, "sms"), text(body, "card2fa")];
        let wrong = order
            .fields
            .get("wrongCodes")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        if wrong >= MAX_CODES {
            return Err(WyreError::invalid("the order has failed"));
        }
        if given.contains(&RIGHT_CODE) {
            order
                .fields
                .insert("status".to_owned(), "PROCESSING".into());
            return Ok(json!({"success": true, "walletOrderId": id}));
        }
        let wrong = wrong.saturating_add(1);
        order.fields.insert("wrongCodes".to_owned(), wrong.into());
        if wrong >= MAX_CODES {
            order.fields.insert("status".to_owned(), "FAILED".into());
        }
        Err(WyreError::invalid("the code is wrong"))
    }
}
