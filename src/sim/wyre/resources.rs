//! Accounts, transfers, keys, orders and the rest.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::auth::Caller;
use super::error::WyreError;
use super::{Object, Wyre};
use crate::sim::message::{Reply, Request};
use crate::types::Micros;

/// A quote lives 10 or 15 minutes, the pages disagree.
const QUOTE_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The fields that an account is asked for.
const PROFILE: [(&str, &str); 6] = [
    ("individualLegalName", "STRING"),
    ("individualEmail", "EMAIL"),
    ("individualCellphoneNumber", "CELLPHONE"),
    ("individualDateOfBirth", "DATE"),
    ("individualSsn", "STRING"),
    ("individualResidenceAddress", "ADDRESS"),
];

pub(super) fn as_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) fn text<'m>(map: &'m Map<String, Value>, field: &str) -> &'m str {
    map.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A number that clients write as number or text.
fn amount(map: &Map<String, Value>, field: &str) -> Option<f64> {
    let number = match map.get(field)? {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    (number > 0.0).then_some(number)
}

/// An account as it is shown; personal values stand under the generic name `value`.
pub fn account(id: &str, given: &Map<String, Value>, now: Micros) -> Map<String, Value> {
    let fields: Vec<Value> = PROFILE
        .iter()
        .map(|(field, kind)| {
            json!({"fieldId": field, "fieldType": kind, "value": null, "note": null,
                "status": "OPEN"})
        })
        .collect();
    let mut account = as_map(json!({
        "id": id,
        "status": "OPEN",
        "type": "INDIVIDUAL",
        "country": "US",
        "createdAt": now.as_millis(),
        "depositAddresses": {"BTC": format!("tb1q{}", id.to_lowercase().replace('_', "")),
            "ETH": "0x0000000000000000000000000000000000000000"},
        "totalBalances": {"BTC": 0, "USD": 0},
        "availableBalances": {"BTC": 0, "USD": 0},
        "profileFields": fields,
    }));
    fill_profile(&mut account, given);
    account
}

/// Takes over `profileFields` of a body by their `fieldId`.
fn fill_profile(account: &mut Map<String, Value>, body: &Map<String, Value>) {
    for field in ["type", "country", "subaccount", "referrerAccountId"] {
        if let Some(value) = body.get(field) {
            account.insert(field.to_owned(), value.clone());
        }
    }
    let Some(given) = body.get("profileFields").and_then(Value::as_array) else {
        return;
    };
    let Some(fields) = account
        .get_mut("profileFields")
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    for one in given {
        let id = one.get("fieldId");
        let known = fields.iter_mut().find(|field| field.get("fieldId") == id);
        if let Some(field) = known.and_then(Value::as_object_mut) {
            field.insert(
                "value".to_owned(),
                one.get("value").cloned().unwrap_or(Value::Null),
            );
            field.insert("status".to_owned(), "PENDING".into());
        }
    }
}

/// What needs no credential.
pub fn open_to_all(request: &Request) -> Option<Reply> {
    let rates = || {
        if request.parameter("as").as_deref() == Some("priced") {
            json!({"BTCUSD": {"BTC": 0.000_015, "USD": 65_432.1},
                "ETHUSD": {"ETH": 0.000_31, "USD": 3_210.98}})
        } else {
            json!({"BTCUSD": 65_432.1, "USDBTC": 0.000_015, "ETHUSD": 3_210.98,
                "USDETH": 0.000_31})
        }
    };
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v2/rates" | "/v3/rates") => Some(Reply::json(200, &rates())),
        ("GET", "/v3/widget/supportedCountries") => {
            Some(Reply::json(200, &json!(["US", "CA", "GB"])))
        }
        _ => None,
    }
}

impl Wyre {
    pub(super) fn id(&mut self, prefix: &str) -> String {
        format!(
            "{prefix}_{}",
            self.entropy.text(b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 11)
        )
    }

    pub(super) fn route(&mut self, request: &Request, caller: &Caller) -> Result<Reply, WyreError> {
        let segments = request.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        if let (
            "POST",
            [
                "v3",
                "accounts",
                id,
                field @ ("individualGovernmentId"
                | "individualProofOfAddress"
                | "individualSourceOfFunds"),
            ],
        ) = (method, parts.as_slice())
        {
            // The body is the paper itself, not JSON.
            let owner = self.account_of(id, caller, &request.path)?;
            return Ok(Reply::json(
                200,
                &json!({"accountId": owner, "fieldId": field, "status": "PENDING",
                    "bytes": request.body.len()}),
            ));
        }
        let body = request
            .json()
            .ok_or_else(|| WyreError::invalid("the body is no JSON object"))?;
        if let ("POST", ["v3", "accounts"]) = (method, parts.as_slice()) {
            return self.create_account(request, caller, &body);
        }
        let owner = caller
            .acting_for
            .clone()
            .ok_or_else(|| WyreError::denied("unboundSession"))?;
        let answer = match (method, parts.as_slice()) {
            ("GET", ["v2", "account"]) => self.shown(&owner, &owner, &request.path)?,
            ("GET", ["v3", "accounts", id]) => {
                let id = self.account_of(id, caller, &request.path)?;
                self.shown(&id, &id, &request.path)?
            }
            ("POST", ["v3", "accounts", id]) => {
                let id = self.account_of(id, caller, &request.path)?;
                if let Some(object) = self.objects.get_mut(&id) {
                    fill_profile(&mut object.fields, &body);
                }
                self.shown(&id, &id, &request.path)?
            }
            ("POST", ["v2", "apiKeys"]) => self.create_key(&owner, &body)?,
            ("DELETE", ["v2", "apiKey", id]) => {
                if !self.keys.delete(id, &owner) {
                    return Err(WyreError::not_found(&request.path));
                }
                json!({"deleted": true})
            }
            ("POST", ["v3" | "v2", "transfers"]) => self.create_transfer(request, &owner, &body)?,
            ("POST", ["v3", "transfers", id, "confirm"]) => self.confirm(request, &owner, id)?,
            ("GET", ["v3", "transfers", id] | ["v2", "transfer", id]) => {
                self.shown(id, &owner, &request.path)?
            }
            ("GET", ["v3", "transfers"]) => self.listed("TF_", &owner),
            ("GET", ["v3", "limits"]) => {
                json!({"limits": [{"type": "purchase", "currency": "USD", "daily": 1_500,
                    "monthly": 5_000}]})
            }
            ("POST", ["v3", "orders", "reserve"]) => self.reserve(request, &owner, &body),
            ("GET", ["v3", "orders", "reservation", id]) => {
                self.shown(id, &owner, &request.path)?
            }
            ("GET", ["v3", "orders", id] | ["v3", "orders", id, "full"]) => {
                self.shown(id, &owner, &request.path)?
            }
            ("POST", ["v3", "debitcard", "process", "partner"]) => {
                self.process_card(request, &owner, &body)?
            }
            ("GET", ["v3", "debitcard", "authorization", id]) => {
                let order = self.shown(id, &owner, &request.path)?;
                json!({"walletOrderId": id, "smsNeeded": true, "card2faNeeded": false,
                    "authorization3dsUrl": null, "status": order["status"]})
            }
            ("POST", ["v3", "debitcard", "authorization", id]) => {
                self.authorize_card(request, &owner, id, &body)?
            }
            ("POST", ["v3", "debitcard", "authorize", "partner"]) => {
                let id = text(&body, "walletOrderId").to_owned();
                self.authorize_card(request, &owner, &id, &body)?
            }
            ("POST", ["v3", "firewall", "permit"]) => return self.permit(request, caller),
            _ => return self.plain(request, &parts, &owner, &body),
        };
        Ok(Reply::json(200, &answer))
    }

    /// Users, payment methods, wallets and subscriptions: kept as they come.
    fn plain(
        &mut self,
        request: &Request,
        parts: &[&str],
        owner: &str,
        body: &Map<String, Value>,
    ) -> Result<Reply, WyreError> {
        let prefix = match parts.get(1).copied().unwrap_or_default() {
            "users" => "US",
            "paymentMethods" | "paymentMethod" => "PA",
            "wallets" | "wallet" => "WA",
            "subscriptions" => "SU",
            "digitalwallet" => "WH",
            _ => return Err(WyreError::not_found(&request.path)),
        };
        let answer = match (request.method.as_str(), parts) {
            ("POST", ["v2", "wallets", "batch"]) => {
                let list = body.get("wallets").and_then(Value::as_array);
                let wanted = list.cloned().unwrap_or_default();
                let made: Vec<Value> = wanted
                    .into_iter()
                    .map(|one| self.make(request, prefix, owner, &as_map(one)))
                    .collect();
                json!({"wallets": made})
            }
            ("POST", [_, _] | ["v2", "digitalwallet", "webhook"]) => {
                self.make(request, prefix, owner, body)
            }
            ("GET", [_, _]) => self.listed(&format!("{prefix}_"), owner),
            ("GET", [_, _, id]) => self.shown(id, owner, &request.path)?,
            ("POST", [_, _, id] | [_, _, id, "update" | "attach"]) => {
                self.shown(id, owner, &request.path)?;
                if let Some(object) = self.objects.get_mut(*id) {
                    object.fields.extend(body.clone());
                }
                self.shown(id, owner, &request.path)?
            }
            ("DELETE", [_, _, id]) => {
                self.shown(id, owner, &request.path)?;
                self.objects.remove(*id);
                self.order.retain(|known| known != id);
                json!({"id": id, "deleted": true})
            }
            _ => return Err(WyreError::not_found(&request.path)),
        };
        Ok(Reply::json(200, &answer))
    }

    fn make(
        &mut self,
        request: &Request,
        prefix: &str,
        owner: &str,
        body: &Map<String, Value>,
    ) -> Value {
        let id = self.id(prefix);
        let mut fields = body.clone();
        // Bank and card data goes in and does not come back.
        for secret in [
            "accountNumber",
            "publicToken",
            "processorToken",
            "debitCard",
        ] {
            fields.remove(secret);
        }
        fields.insert("id".to_owned(), id.clone().into());
        fields.insert("owner".to_owned(), format!("account:{owner}").into());
        fields.insert("status".to_owned(), "ACTIVE".into());
        fields.insert("createdAt".to_owned(), request.now.as_millis().into());
        let shown = Value::Object(fields.clone());
        self.keep(&id, owner, fields);
        shown
    }

    pub(super) fn owned(
        &mut self,
        id: &str,
        owner: &str,
        path: &str,
    ) -> Result<&mut Object, WyreError> {
        self.objects
            .get_mut(id)
            .filter(|object| object.owner == owner)
            .ok_or_else(|| WyreError::not_found(path))
    }

    fn shown(&mut self, id: &str, owner: &str, path: &str) -> Result<Value, WyreError> {
        self.owned(id, owner, path)
            .map(|object| Value::Object(object.fields.clone()))
    }

    fn listed(&self, prefix: &str, owner: &str) -> Value {
        let list: Vec<Value> = self
            .order
            .iter()
            .rev()
            .filter(|id| id.starts_with(prefix))
            .filter_map(|id| self.objects.get(id))
            .filter(|object| object.owner == owner)
            .map(|object| Value::Object(object.fields.clone()))
            .take(100)
            .collect();
        json!({"position": 0, "recordsTotal": list.len(), "recordsFiltered": list.len(),
            "data": list})
    }

    /// Without `masqueradeAs` a call on a child account is refused.
    fn account_of(&self, id: &str, caller: &Caller, path: &str) -> Result<String, WyreError> {
        if !self.objects.contains_key(id) || !id.starts_with("AC_") {
            return Err(WyreError::not_found(path));
        }
        if caller.acting_for.as_deref() == Some(id) {
            return Ok(id.to_owned());
        }
        Err(WyreError::denied("account"))
    }

    /// The first call with a new session: binds it to the account, once.
    fn create_account(
        &mut self,
        request: &Request,
        caller: &Caller,
        body: &Map<String, Value>,
    ) -> Result<Reply, WyreError> {
        let id = self.id("AC");
        let subaccount = body.get("subaccount").and_then(Value::as_bool) == Some(true);
        if !subaccount && !self.keys.bind(&caller.key, &id) {
            return Err(WyreError::invalid("the session is bound to an account"));
        }
        let fields = account(&id, body, request.now);
        let shown = Value::Object(fields.clone());
        self.keep(&id, &id, fields);
        Ok(Reply::json(200, &shown))
    }

    /// The one answer that shows a secret key.
    fn create_key(&mut self, owner: &str, body: &Map<String, Value>) -> Result<Value, WyreError> {
        let kind = text(body, "type");
        if !matches!(kind, "FULL" | "READONLY") {
            return Err(WyreError::invalid("type must be FULL or READONLY"));
        }
        let (id, secret) = self
            .keys
            .create(owner, kind == "READONLY", &mut self.entropy);
        Ok(json!({
            "apiKey": id,
            "secretKey": secret,
            "owner": format!("account:{owner}"),
            "type": kind,
            "desc": text(body, "desc"),
            "ipWhitelist": body.get("ipWhitelist").cloned().unwrap_or(json!([])),
        }))
    }

    fn create_transfer(
        &mut self,
        request: &Request,
        owner: &str,
        body: &Map<String, Value>,
    ) -> Result<Value, WyreError> {
        for field in ["source", "dest", "sourceCurrency", "destCurrency"] {
            if text(body, field).is_empty() {
                return Err(WyreError::invalid(&format!("{field} is missing")));
            }
        }
        let source = amount(body, "sourceAmount");
        let target = amount(body, "destAmount");
        let (source, target) = match (source, target) {
            (Some(source), None) => (source, source / 65_432.1),
            (None, Some(target)) => (target * 65_432.1, target),
            _ => {
                return Err(WyreError::invalid(
                    "exactly one of sourceAmount and destAmount",
                ));
            }
        };
        let confirmed = body.get("autoConfirm").and_then(Value::as_bool) == Some(true);
        let id = self.id("TF");
        let fields = as_map(json!({
            "id": id,
            "owner": format!("account:{owner}"),
            "status": if confirmed { "PENDING" } else { "UNCONFIRMED" },
            "source": text(body, "source"),
            "dest": text(body, "dest"),
            "sourceCurrency": text(body, "sourceCurrency"),
            "destCurrency": text(body, "destCurrency"),
            "sourceAmount": source,
            "destAmount": target,
            "exchangeRate": target / source,
            "fees": {},
            "totalFees": 0,
            "customId": body.get("customId").cloned().unwrap_or(Value::Null),
            "message": body.get("message").cloned().unwrap_or(Value::Null),
            "createdAt": request.now.as_millis(),
            "expiresAt": request.now.plus(QUOTE_LIFETIME).as_millis(),
            "updatedAt": request.now.as_millis(),
        }));
        let shown = Value::Object(fields.clone());
        self.keep(&id, owner, fields);
        Ok(shown)
    }

    fn confirm(&mut self, request: &Request, owner: &str, id: &str) -> Result<Value, WyreError> {
        let now = request.now.as_millis();
        let object = self.owned(id, owner, &request.path)?;
        if text(&object.fields, "status") != "UNCONFIRMED" {
            return Err(WyreError::transfer(
                "transfer.alreadyConfirmed",
                "The transfer was confirmed before",
            ));
        }
        let expires = object.fields.get("expiresAt").and_then(Value::as_i64);
        if expires.is_some_and(|at| at <= now) {
            object.fields.insert("status".to_owned(), "EXPIRED".into());
            return Err(WyreError::transfer(
                "transfer.expired",
                "The quote of the transfer has expired",
            ));
        }
        object.fields.insert("status".to_owned(), "PENDING".into());
        object.fields.insert("updatedAt".to_owned(), now.into());
        Ok(Value::Object(object.fields.clone()))
    }
}
