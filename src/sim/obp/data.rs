//! Banks, accounts, transactions and the rest that is only data.

use serde_json::{Map, Value, json};

use super::access::Account;
use super::auth::Caller;
use super::error::ObpError;
use super::{ACCOUNTS, BANK_ID, Obp, text};
use crate::sim::message::{Reply, Request};

/// The oldest transaction requests are forgotten beyond this many.
const MAX_REQUESTS: usize = 5_000;
/// Transfers above this (in EUR) need a challenge.
const CHALLENGE_ABOVE: f64 = 1_000.0;
/// What a challenge wants to hear.
const CHALLENGE_ANSWER: &str = "123";
/// More registered consumers than this are refused.
const MAX_CONSUMERS: usize = 1_000;

fn bank_json() -> Value {
    json!({
        "id": BANK_ID,
        "short_name": "Sim Bank",
        "full_name": "The Bank of the Simulator",
        "logo": "",
        "website": "https://sim.example",
        "bank_routings": [{"scheme": "OBP", "address": BANK_ID}],
        "attributes": [],
    })
}

/// # Errors
/// 404 OBP-30001 if there is no such bank.
pub fn bank(id: &str) -> Result<(), ObpError> {
    if id == BANK_ID {
        return Ok(());
    }
    Err(ObpError::new(
        404,
        "OBP-30001: Bank not found. Please specify a valid value for BANK_ID.",
    ))
}

/// # Errors
/// 404 OBP-30001 or OBP-30018 if there is no such bank or account.
pub fn account(bank_id: &str, id: &str) -> Result<Account, ObpError> {
    bank(bank_id)?;
    if ACCOUNTS.contains(&id) {
        return Ok((bank_id.to_owned(), id.to_owned()));
    }
    Err(ObpError::new(
        404,
        "OBP-30018: Bank Account not found. Please specify valid values for BANK_ID and \
         ACCOUNT_ID.",
    ))
}

/// What nobody needs to log in for.
pub fn open_to_all(method: &str, version: &str, rest: &[&str]) -> Option<Reply> {
    match (method, rest) {
        ("GET", ["root"] | []) => Some(Reply::json(
            200,
            &json!({
                "version": version.trim_start_matches('v'),
                "version_status": "STABLE",
                "git_commit": "simulator",
                "hosted_by": {"organisation": "Sim", "email": "sim@example.invalid",
                    "phone": "", "organisation_website": "https://sim.example"},
            }),
        )),
        ("GET", ["banks"]) => Some(Reply::json(200, &json!({"banks": [bank_json()]}))),
        ("GET", ["banks", id]) => Some(match bank(id) {
            Ok(()) => Reply::json(200, &bank_json()),
            Err(error) => error.into(),
        }),
        _ => None,
    }
}

fn account_json(id: &str, views: &[String]) -> Value {
    json!({
        "id": id,
        "label": format!("Account {id}"),
        "number": format!("00{}", id.len()),
        "product_code": "CURRENT",
        "bank_id": BANK_ID,
        "account_type": "CURRENT",
        "balance": {"currency": "EUR", "amount": "1234.56"},
        "owners": [{"id": super::users::HOLDER_ID, "provider": "http://sim.local",
            "display_name": "Sim User"}],
        "account_routings": [{"scheme": "IBAN", "address": "XX00SIM00000000000000"}],
        "views": views.iter().map(|view| json!({"id": view})).collect::<Vec<_>>(),
        "views_available": views.iter().map(|view| json!({"id": view})).collect::<Vec<_>>(),
    })
}

fn transactions(request: &Request, account: &str) -> Reply {
    let number = |names: [&str; 2], default: usize| {
        names
            .iter()
            .find_map(|name| request.parameter(name)?.parse().ok())
            .unwrap_or(default)
    };
    let limit = number(["limit", "obp_limit"], 50).min(500);
    let offset = number(["offset", "obp_offset"], 0);
    let list: Vec<Value> = (0..20_usize)
        .skip(offset)
        .take(limit)
        .map(|index| {
            json!({
                "id": format!("sim-tx-{account}-{index}"),
                "this_account": {"id": account, "bank_routing": {"scheme": "OBP",
                    "address": BANK_ID}},
                "other_account": {"id": format!("other-{index}"),
                    "holder": {"name": "Otto Other", "is_alias": false}},
                "details": {
                    "type": "SEPA",
                    "description": "Rent",
                    "posted": "2026-11-01T00:00:00Z",
                    "completed": "2026-11-01T00:00:00Z",
                    "new_balance": {"currency": "EUR", "amount": "1234.56"},
                    "value": {"currency": "EUR", "amount": format!("-{index}.00")},
                },
                "metadata": {"narrative": null, "comments": [], "tags": []},
            })
        })
        .collect();
    Reply::json(200, &json!({"transactions": list}))
        .with("Range", format!("items={offset}-{limit}"))
}

impl Obp {
    /// # Errors
    /// 403 OBP-20017 if the user has not the view; `_` stands for any view.
    fn demand(&self, account: &Account, user: &str, view: &str) -> Result<(), ObpError> {
        let held = self.access.views(account, user);
        let fits = match view {
            "_" => !held.is_empty(),
            view => held.iter().any(|one| one == view),
        };
        if fits {
            return Ok(());
        }
        Err(ObpError::new(
            403,
            "OBP-20017: Current user does not have access to the view. Please specify a valid \
             value for VIEW_ID.",
        ))
    }

    fn accounts_of(&self, user: &str) -> Vec<Value> {
        ACCOUNTS
            .iter()
            .filter_map(|id| {
                let views = self
                    .access
                    .views(&(BANK_ID.to_owned(), (*id).to_owned()), user);
                (!views.is_empty()).then(|| account_json(id, &views))
            })
            .collect()
    }

    /// What needs a login; `None` if there is no such path.
    pub(super) fn private(
        &mut self,
        request: &Request,
        method: &str,
        rest: &[&str],
        user: &str,
    ) -> Option<Result<Reply, ObpError>> {
        Some(match (method, rest) {
            ("GET", ["users", "current"]) => Ok(Reply::json(200, &self.describe_user(user))),
            ("GET", ["users", "current", "user_id"]) => {
                Ok(Reply::json(200, &json!({"user_id": user})))
            }
            ("GET", ["users", id, "account-access"]) => Ok(self.access_of(id)),
            (
                "GET",
                ["my", "accounts"] | ["banks", _, "accounts"] | ["my", "banks", _, "accounts"],
            ) => Ok(Reply::json(
                200,
                &json!({"accounts": self.accounts_of(user)}),
            )),
            ("GET", ["my", "banks", bank, "accounts", id, "account"]) => {
                self.show_account(bank, id, "_", user)
            }
            ("GET", ["banks", bank, "accounts", id, view, "account"]) => {
                self.show_account(bank, id, view, user)
            }
            ("GET", ["my", "banks", bank, "accounts", id, "transactions"]) => {
                self.show_transactions(request, (bank, id, "_"), user)
            }
            ("GET", ["banks", bank, "accounts", id, view, "transactions"]) => {
                self.show_transactions(request, (bank, id, view), user)
            }
            ("GET", ["banks", bank, "accounts", id, view, "transaction-requests"]) => {
                account(bank, id).and_then(|account| {
                    self.demand(&account, user, view)?;
                    let list: Vec<&Value> = self.transaction_requests.iter().collect();
                    Ok(Reply::json(
                        200,
                        &json!({"transaction_requests_with_charges": list}),
                    ))
                })
            }
            (
                "POST",
                [
                    "banks",
                    bank,
                    "accounts",
                    id,
                    view,
                    "transaction-request-types",
                    kind,
                    "transaction-requests",
                ],
            ) => account(bank, id).and_then(|account| {
                self.demand(&account, user, view)?;
                self.request_transaction(request, &account, kind)
            }),
            (
                "POST",
                [
                    "banks",
                    bank,
                    "accounts",
                    id,
                    view,
                    "transaction-request-types",
                    _,
                    "transaction-requests",
                    number,
                    "challenge",
                ],
            ) => account(bank, id).and_then(|account| {
                self.demand(&account, user, view)?;
                self.answer_challenge(request, number)
            }),
            ("GET", ["my", "entitlements"]) => {
                let list = self.describe_user(user)["entitlements"]["list"].clone();
                Ok(Reply::json(200, &json!({"list": list})))
            }
            ("POST", ["users", id, "entitlements"]) => self.entitle(request, user, id),
            ("POST", ["my", "consumers"] | ["management", "consumers"]) => {
                self.register_consumer(request)
            }
            _ => return None,
        })
    }

    fn show_account(
        &self,
        bank: &str,
        id: &str,
        view: &str,
        user: &str,
    ) -> Result<Reply, ObpError> {
        let account = account(bank, id)?;
        self.demand(&account, user, view)?;
        let views = self.access.views(&account, user);
        Ok(Reply::json(200, &account_json(id, &views)))
    }

    fn show_transactions(
        &self,
        request: &Request,
        (bank, id, view): (&str, &str, &str),
        user: &str,
    ) -> Result<Reply, ObpError> {
        let account = account(bank, id)?;
        self.demand(&account, user, view)?;
        Ok(transactions(request, id))
    }

    fn access_of(&self, user: &str) -> Reply {
        let accounts: Vec<Value> = ACCOUNTS
            .iter()
            .flat_map(|id| {
                let account = (BANK_ID.to_owned(), (*id).to_owned());
                self.access
                    .views(&account, user)
                    .into_iter()
                    .map(move |view| json!({"bank_id": BANK_ID, "account_id": id, "view_id": view}))
            })
            .collect();
        Reply::json(200, &json!({"accounts": accounts}))
    }

    fn request_transaction(
        &mut self,
        request: &Request,
        account: &Account,
        kind: &str,
    ) -> Result<Reply, ObpError> {
        let body = request
            .json()
            .filter(|body| !body.is_empty())
            .ok_or_else(|| ObpError::bad_json("to, value and description"))?;
        let amount = body
            .get("value")
            .map(|value| text(value.as_object().unwrap_or(&Map::new()), "amount").to_owned())
            .and_then(|amount| amount.parse::<f64>().ok())
            .ok_or_else(|| ObpError::bad_json("a value with currency and amount"))?;
        if amount <= 0.0 {
            return Err(ObpError::new(
                400,
                "OBP-40008: Can't send a payment with a value of 0 or less.",
            ));
        }
        let challenged = amount > CHALLENGE_ABOVE;
        let made = json!({
            "id": self.entropy.uuid(),
            "type": kind,
            "from": {"bank_id": account.0, "account_id": account.1},
            "details": body,
            "transaction_ids": if challenged { json!([]) } else { json!([self.entropy.uuid()]) },
            "status": if challenged { "INITIATED" } else { "COMPLETED" },
            "start_date": request.now.to_string(),
            "end_date": request.now.to_string(),
            "challenges": if challenged {
                json!([{"id": self.entropy.uuid(), "allowed_attempts": 3,
                    "challenge_type": "OBP_TRANSACTION_REQUEST_CHALLENGE"}])
            } else {
                Value::Null
            },
            "charge": {"summary": "Total charges", "value": {"currency": "EUR", "amount": "0.00"}},
        });
        if self.transaction_requests.len() >= MAX_REQUESTS {
            self.transaction_requests.pop_front();
        }
        self.transaction_requests.push_back(made.clone());
        Ok(Reply::json(201, &made))
    }

    fn answer_challenge(&mut self, request: &Request, id: &str) -> Result<Reply, ObpError> {
        let body = request.json().unwrap_or_default();
        if text(&body, "answer") != CHALLENGE_ANSWER {
            return Err(ObpError::new(
                400,
                "OBP-40011: The answer of the challenge is wrong.",
            ));
        }
        let found = self
            .transaction_requests
            .iter_mut()
            .find(|made| made.get("id").and_then(Value::as_str) == Some(id))
            .and_then(Value::as_object_mut)
            .ok_or_else(|| ObpError::new(404, "OBP-40009: Transaction Request not found."))?;
        found.insert("status".to_owned(), "COMPLETED".into());
        Ok(Reply::json(202, &Value::Object(found.clone())))
    }

    fn entitle(&mut self, request: &Request, user: &str, id: &str) -> Result<Reply, ObpError> {
        let role = "CanCreateEntitlementAtAnyBank";
        let may = self
            .users
            .by_id(user)
            .is_some_and(|user| user.roles.iter().any(|held| held == role));
        if !may {
            return Err(ObpError::new(
                403,
                format!("OBP-20006: User is missing one or more roles: {role}"),
            ));
        }
        let body = request.json().unwrap_or_default();
        let wanted = text(&body, "role_name").to_owned();
        if wanted.is_empty() {
            return Err(ObpError::bad_json("bank_id and role_name"));
        }
        let target = self
            .users
            .by_id_mut(id)
            .ok_or_else(|| ObpError::new(404, "OBP-20057: User not found by userId."))?;
        if target.roles.contains(&wanted) {
            return Err(ObpError::new(
                400,
                "OBP-30216: Entitlement already exists for the user.",
            ));
        }
        target.roles.push(wanted.clone());
        Ok(Reply::json(
            201,
            &json!({"entitlement_id": self.entropy.uuid(), "role_name": wanted,
                "bank_id": text(&body, "bank_id"), "user_id": id}),
        ))
    }

    fn register_consumer(&mut self, request: &Request) -> Result<Reply, ObpError> {
        let body = request.json().unwrap_or_default();
        if self.consumers.len() >= MAX_CONSUMERS {
            return Err(ObpError::new(429, "OBP-10060: Too many consumers."));
        }
        let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let key = self.entropy.text(alphabet, 40);
        self.consumers.push(key.clone());
        Ok(Reply::json(
            201,
            &json!({
                "consumer_id": self.entropy.uuid(),
                "consumer_key": key,
                "consumer_secret": self.entropy.text(alphabet, 40),
                "app_name": text(&body, "app_name"),
                "enabled": true,
            }),
        ))
    }

    /// Berlin Group has errors of its own shape.
    pub(super) fn berlin_group(&self, caller: Option<Caller>, rest: &[&str]) -> Reply {
        let refuse = |status, code: &str, text: &str| {
            Reply::json(
                status,
                &json!({"tppMessages": [{"category": "ERROR", "code": code,
                    "path": format!("/berlin-group/v1.3/{}", rest.join("/")), "text": text}]}),
            )
        };
        let Some(caller) = caller else {
            return refuse(401, "CONSENT_UNKNOWN", "OBP-20001: User not logged in.");
        };
        match rest {
            ["accounts"] => {
                let accounts: Vec<Value> = self
                    .accounts_of(&caller.user)
                    .into_iter()
                    .map(|account| {
                        json!({"resourceId": account["id"], "iban": "XX00SIM00000000000000",
                            "currency": "EUR", "name": account["label"]})
                    })
                    .collect();
                Reply::json(200, &json!({"accounts": accounts}))
            }
            _ => refuse(404, "RESOURCE_UNKNOWN", "OBP-10404: 404 Not Found."),
        }
    }
}
