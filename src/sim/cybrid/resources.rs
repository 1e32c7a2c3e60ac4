//! What each collection makes of a POST body.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::states::instant;
use super::store::{Object, text};
use super::{Call, Cybrid, ORGANIZATION_GUID, listing};
use crate::types::Micros;

/// Personal fields of customers, counterparties and identity verifications.
const PERSONAL: [&str; 18] = [
    "name",
    "address",
    "aliases",
    "website",
    "date_of_birth",
    "phone_number",
    "email_address",
    "identification_numbers",
    "citizenship",
    "occupation",
    "nature_of_business",
    "registered_address",
    "business_industry",
    "business_funds_source",
    "business_funds_destination",
    "business_type",
    "business_incorporation_date",
    "ultimate_beneficial_owners",
];

/// At most so many origins, HTTPS only (security guide).
const MAX_ORIGINS: usize = 50;

/// An object from a JSON object; anything else gives an empty one.
pub fn object(fields: Value) -> Object {
    let Value::Object(public) = fields else {
        return Object::default();
    };
    Object {
        public,
        ..Object::default()
    }
}

/// # Errors
/// 422 `unsupported_value` for too many origins or one that is not HTTPS.
pub fn check_origins(body: &Map<String, Value>) -> Result<(), ApiError> {
    let Some(origins) = body.get("cors_allowed_origins").and_then(Value::as_array) else {
        return Ok(());
    };
    let fits = origins.len() <= MAX_ORIGINS
        && origins.iter().all(|origin| {
            origin
                .as_str()
                .is_some_and(|origin| origin.starts_with("https://"))
        });
    if fits {
        Ok(())
    } else {
        Err(ApiError::unprocessable(
            "unsupported_value",
            "Unsupported value: cors_allowed_origins",
        ))
    }
}

/// Fields taken over from the body as they are, if given.
pub fn copied(body: &Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    fields
        .iter()
        .filter_map(|field| {
            let value = body.get(*field).filter(|value| !value.is_null())?;
            Some(((*field).to_owned(), value.clone()))
        })
        .collect()
}

impl Cybrid {
    /// Makes, keeps and shows an object.
    pub(super) fn create(
        &mut self,
        resource: &'static str,
        call: &Call<'_>,
    ) -> Result<Value, ApiError> {
        let object = match resource {
            "customer_tokens" => {
                return match &call.grant {
                    Some(grant) => self.mint_customer(call.request, grant, &call.body),
                    None => Err(ApiError::not_found()),
                };
            }
            "persona_sessions" => return self.persona_session(call),
            "sardine_sessions" => return self.sardine_session(call),
            "quotes" => self.create_quote(call)?,
            "trades" => self.create_trade(call)?,
            "transfers" => self.create_transfer(call)?,
            "banks" => {
                check_origins(&call.body)?;
                self.bank(call)
            }
            "bank_applications" | "organization_applications" => self.application(call),
            "users" => self.user(call)?,
            "subscriptions" | "subscription_deliveries" => self.subscription(resource, call)?,
            "plans" => self.plan(call),
            "executions" => self.execution(call)?,
            _ => self.plain(resource, call)?,
        };
        let key = match resource {
            "bank_applications" | "organization_applications" => object.text("client_id"),
            _ => object.text("guid"),
        }
        .to_owned();
        let mut shown = listing::render(resource, &object, call, false, false);
        if resource.ends_with("_applications")
            && let Some(map) = shown.as_object_mut()
        {
            // The secret is in this answer and nowhere else.
            map.insert("secret".to_owned(), self.entropy.base64url(32).into());
        }
        if object
            .public
            .get("state")
            .is_some_and(|state| state == "storing")
        {
            self.announce(resource, &key, call.now());
        }
        self.store.add(resource, &key, object);
        Ok(shown)
    }

    /// Leaves the event that a webhook would carry.
    fn announce(&mut self, resource: &str, object: &str, now: Micros) {
        let guid = self.entropy.guid();
        let kind = match resource.strip_suffix("ies") {
            Some(stem) => format!("{stem}y"),
            None => resource.trim_end_matches('s').to_owned(),
        };
        let event = self::object(json!({
            "guid": guid,
            "organization_guid": ORGANIZATION_GUID,
            "bank_guid": super::BANK_GUID,
            "event_type": format!("{kind}.storing"),
            "object_guid": object,
            "environment": "sandbox",
            "created_at": instant(now),
            "updated_at": instant(now),
        }));
        self.store.add("subscription_events", &guid, event);
    }

    /// Collections whose objects are little more than their body.
    fn plain(&mut self, resource: &'static str, call: &Call<'_>) -> Result<Object, ApiError> {
        let customer = call.customer();
        if let Some(guid) = customer.as_str()
            && self.store.get("customers", guid).is_none()
        {
            return Err(ApiError::unprocessable("no_customer", "Customer not found"));
        }
        let now = instant(call.now());
        let mut object = object(json!({
            "guid": self.entropy.guid(),
            "bank_guid": call.bank(),
            "created_at": now,
            "updated_at": now,
            "state": "storing",
        }));
        if resource != "customers" {
            object.set("customer_guid", customer);
        }
        let fields: &[&str] = match resource {
            "customers" => &["type", "labels"],
            "counterparties" => &["type", "customer_relationship", "labels"],
            "accounts" => &["type", "asset", "name", "labels"],
            "deposit_addresses" => &["name", "account_guid", "labels"],
            "deposit_bank_accounts" => &[
                "type",
                "name",
                "account_guid",
                "parent_deposit_bank_account_guid",
                "labels",
            ],
            "external_bank_accounts" => &[
                "name",
                "asset",
                "account_kind",
                "counterparty_guid",
                "plaid_institution_id",
                "plaid_account_mask",
                "plaid_account_name",
            ],
            "external_wallets" => &["name", "asset", "address", "tag", "counterparty_guid"],
            "files" => &["type", "content_type", "filename"],
            "identity_verifications" => &[
                "type",
                "method",
                "counterparty_guid",
                "external_bank_account_guid",
            ],
            "workflows" => &["type"],
            _ => return Err(ApiError::not_found()),
        };
        object.public.extend(copied(&call.body, fields));
        self.complete(resource, &mut object, call);
        Ok(object)
    }

    /// What the vendor adds to a plain object.
    fn complete(&mut self, resource: &str, object: &mut Object, call: &Call<'_>) {
        match resource {
            "customers" | "counterparties" => {
                object.private = copied(&call.body, &PERSONAL);
                fill_name(&mut object.private);
            }
            "accounts" => {
                object.set("platform_balance", 0);
                object.set("platform_available", 0);
            }
            "deposit_addresses" => {
                let asset = self.asset_of(object.text("account_guid"), "BTC");
                object.set("asset", asset);
                object.set("format", "standard");
                object.set("address", format!("tb1q{}", self.lower(38)));
            }
            "deposit_bank_accounts" => self.complete_deposit_bank_account(object),
            "external_bank_accounts" => self.complete_external_bank_account(object, call),
            "external_wallets" => object.set("environment", "sandbox"),
            "files" => {
                object.set("organization_guid", ORGANIZATION_GUID);
                let url = |token: &str| format!("https://files.sandbox.example/{token}");
                let later = instant(call.now().plus(std::time::Duration::from_secs(900)));
                if !call.body.contains_key("data") {
                    object.set("upload_url", url(&self.entropy.base64url(24)));
                    object.set("upload_expires_at", later.clone());
                }
                let link = url(&self.entropy.base64url(24));
                object.private = as_map(json!({
                    "download_url": link, "download_expires_at": later,
                }));
            }
            "identity_verifications" => {
                object.public.entry("method").or_insert("attested".into());
                let behaviours = call
                    .body
                    .get("expected_behaviours")
                    .and_then(Value::as_array);
                if behaviours.is_some_and(|list| list.iter().any(|one| one == "failed_immediately"))
                {
                    object.private.insert("fails".to_owned(), true.into());
                }
                let mut pii = copied(&call.body, &PERSONAL);
                fill_name(&mut pii);
                object.private.insert("pii".to_owned(), Value::Object(pii));
                object.detail = as_map(json!({
                    "persona_inquiry_id": format!("inq_{}", self.lower(24)),
                    "persona_state": "waiting",
                    "compliance_checks": [],
                }));
            }
            "workflows" => {
                object.public.entry("type").or_insert("plaid".into());
                object.detail = as_map(json!({
                    "plaid_link_token": format!("link-sandbox-{}", self.entropy.uuid()),
                }));
            }
            _ => {}
        }
    }

    fn complete_deposit_bank_account(&mut self, object: &mut Object) {
        let asset = self.asset_of(object.text("account_guid"), "USD");
        object.set("asset", asset);
        // Shown without any flag: the document warns of these.
        object.set("unique_memo_id", self.lower(12).to_uppercase());
        object.set("counterparty_name", "Sim Trust Company");
        object.set(
            "counterparty_address",
            json!({"street": "1 Loopback Lane", "city": "Localhost", "country_code": "US"}),
        );
        let account = self.entropy.text(b"0123456789", 12);
        object.set("account_details", json!([{"account_number": account}]));
        object.set(
            "routing_details",
            json!([{"routing_number_type": "ABA", "routing_number": "000000000"}]),
        );
    }

    fn complete_external_bank_account(&mut self, object: &mut Object, call: &Call<'_>) {
        object.set("environment", "sandbox");
        object.public.entry("asset").or_insert("USD".into());
        object.set("balance_updated_at", instant(call.now()));
        object.set(
            "balances",
            json!({"available": 100_000, "current": 100_000}),
        );
        let body = &call.body;
        let holder = body
            .get("counterparty_name")
            .map(|name| match text(as_ref(name), "full") {
                "" => format!(
                    "{} {}",
                    text(as_ref(name), "first"),
                    text(as_ref(name), "last")
                ),
                full => full.to_owned(),
            })
            .unwrap_or_else(|| "Sim Holder".to_owned());
        let details = body
            .get("counterparty_bank_account_details")
            .and_then(Value::as_array)
            .and_then(|list| list.first())
            .cloned()
            .unwrap_or(Value::Null);
        let of = |field: &str| details.get(field).and_then(Value::as_str);
        let addresses = body
            .get("counterparty_address")
            .map(|address| json!([address]));
        let emails = body
            .get("counterparty_email_address")
            .map(|email| json!([email]));
        object.private = as_map(json!({"pii": [{
            "names": [holder],
            "addresses": addresses.unwrap_or_else(|| json!([])),
            "email_addresses": emails.unwrap_or_else(|| json!([])),
            "phone_numbers": [],
            "account_details": [
                {"account_number": of("account_identifier").unwrap_or("000111222333")},
            ],
            "routing_details": [{
                "routing_number_type": "ABA",
                "routing_number": of("bank_code").unwrap_or("000000000"),
            }],
        }]}));
    }

    fn asset_of(&self, account: &str, default: &str) -> String {
        self.store
            .get("accounts", account)
            .map_or(default, |account| account.text("asset"))
            .to_owned()
    }

    fn lower(&mut self, length: usize) -> String {
        self.entropy
            .text(b"abcdefghjkmnpqrstuvwxyz023456789", length)
    }

    fn bank(&mut self, call: &Call<'_>) -> Object {
        let mut bank = object(json!({
            "guid": self.entropy.guid(),
            "organization_guid": ORGANIZATION_GUID,
            "type": "sandbox",
            "cors_allowed_origins": [],
            "created_at": instant(call.now()),
            "updated_at": instant(call.now()),
        }));
        bank.public.extend(copied(
            &call.body,
            &[
                "name",
                "supported_trading_symbols",
                "supported_fiat_account_assets",
                "supported_country_codes",
                "features",
                "cors_allowed_origins",
            ],
        ));
        bank
    }

    fn persona_session(&mut self, call: &Call<'_>) -> Result<Value, ApiError> {
        let verification = text(&call.body, "identity_verification_guid");
        self.visible("identity_verifications", verification, call)?;
        Ok(json!({
            "identity_verification_guid": verification,
            "persona_inquiry_id": text(&call.body, "persona_inquiry_id"),
            "persona_session_token": self.entropy.base64url(48),
        }))
    }

    fn sardine_session(&mut self, call: &Call<'_>) -> Result<Value, ApiError> {
        let customer = call.customer();
        Ok(json!({
            "guid": self.entropy.guid(),
            "sardine_session_key": self.entropy.uuid(),
            "sardine_client_id": self.entropy.uuid(),
            "customer_guid": customer.as_str().unwrap_or_default(),
            "expires_at": instant(call.now().plus(std::time::Duration::from_secs(900))),
        }))
    }

    fn plan(&mut self, call: &Call<'_>) -> Object {
        let end = |field: &str| {
            let given = call.body.get(field).map(as_ref).unwrap_or(&EMPTY);
            let guid = text(given, "guid");
            let asset = self.asset_of(guid, "USD");
            json!({
                "guid": guid, "type": "fiat", "asset": asset,
                "requested_amount": given.get("amount"),
                "quoted_amount": given.get("amount"),
            })
        };
        let (source, destination) = (end("source_account"), end("destination_account"));
        let party = json!({"type": "bank", "participant_guid": call.bank()});
        let mut plan = object(json!({
            "guid": self.entropy.guid(),
            "type": call.body.get("type"),
            "bank_guid": call.bank(),
            "customer_guid": call.customer(),
            "state": "storing",
            "expires_at": instant(call.now().plus(std::time::Duration::from_secs(300))),
            "source_account": source,
            "destination_account": destination,
            "stages": [],
            "fees": [],
            "travel_rule_info": {"originating_party": party, "receiving_party": party},
            "created_at": instant(call.now()),
            "updated_at": instant(call.now()),
        }));
        plan.public
            .extend(copied(&call.body, &["purpose_of_transaction", "labels"]));
        plan
    }

    fn execution(&mut self, call: &Call<'_>) -> Result<Object, ApiError> {
        let plan = self
            .visible("plans", text(&call.body, "plan_guid"), call)
            .map_err(|_| ApiError::unprocessable("invalid_value", "Plan not found"))?
            .clone();
        let mut execution = plan.clone();
        execution.public.remove("expires_at");
        execution.set("plan_guid", plan.text("guid"));
        execution.set("guid", self.entropy.guid());
        execution.set("state", "storing");
        execution.set("created_at", instant(call.now()));
        execution.set("updated_at", instant(call.now()));
        Ok(execution)
    }
}

/// An empty map to look things up in.
static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

fn as_ref(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or(&EMPTY)
}

fn as_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The vendor answers a full name made of its parts.
fn fill_name(fields: &mut Map<String, Value>) {
    let Some(name) = fields.get_mut("name").and_then(Value::as_object_mut) else {
        return;
    };
    if !text(name, "full").is_empty() {
        return;
    }
    let parts: Vec<&str> = ["first", "middle", "last"]
        .into_iter()
        .map(|part| text(name, part))
        .filter(|part| !part.is_empty())
        .collect();
    let full = parts.join(" ");
    name.insert("full".to_owned(), full.into());
}
