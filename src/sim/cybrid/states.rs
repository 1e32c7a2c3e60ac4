//! How objects move from `storing` to rest.

use serde_json::{Value, json};

use super::Cybrid;
use crate::types::Micros;

/// The state that follows, or `None` at rest.
fn next(resource: &str, state: &str) -> Option<&'static str> {
    Some(match (resource, state) {
        ("customers", "storing") => "unverified",
        ("counterparties", "storing") => "verified",
        ("accounts" | "deposit_addresses" | "deposit_bank_accounts", "storing") => "created",
        ("executions", "storing") => "executing",
        ("executions", "executing") => "completed",
        ("plans", "storing") => "planning",
        ("plans", "planning") => "completed",
        ("trades" | "transfers" | "identity_verifications", "storing") => "pending",
        ("trades", "pending") => "settling",
        ("trades", "settling") => "completed",
        ("transfers" | "identity_verifications", "pending") => "completed",
        ("transfers", "cancelling") => "failed",
        ("external_wallets", "storing") => "pending",
        ("external_wallets", "pending") => "completed",
        ("external_bank_accounts" | "files" | "workflows", "storing") => "completed",
        ("subscriptions" | "subscription_deliveries", "storing") => "completed",
        (_, "deleting") => "deleted",
        _ => return None,
    })
}

impl Cybrid {
    /// Moves an object one state on, with what that brings about.
    pub(super) fn advance(&mut self, resource: &'static str, id: &str, now: Micros) {
        let Some(object) = self.store.get_mut(resource, id) else {
            return;
        };
        let Some(mut state) = next(resource, object.text("state")) else {
            return;
        };
        let failure = object
            .private
            .get("expected_failure")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if let Some(code) = failure.as_deref()
            && matches!(state, "settling" | "completed")
        {
            state = "failed";
            object.set("failure_code", code);
        }
        object.set("state", state);
        object.set("updated_at", instant(now));
        match (resource, state) {
            ("files", "completed") => object.set("completed_at", instant(now)),
            ("transfers", "completed") => {
                let amount = object.number("estimated_amount");
                object.set("amount", amount);
            }
            ("transfers", "failed") if failure.is_none() => {
                object.set("failure_code", "cancelled");
            }
            ("identity_verifications", "completed") => {
                let failed = object.private.contains_key("fails");
                object.set("outcome", if failed { "failed" } else { "passed" });
                let customer = object.text("customer_guid").to_owned();
                if let Some(customer) = self.store.get_mut("customers", &customer) {
                    customer.set("state", if failed { "rejected" } else { "verified" });
                }
            }
            _ => {}
        }
        if let ("trades" | "transfers", "completed") = (resource, state) {
            self.post(resource, id, now);
        }
    }

    /// Books a completed trade or transfer as a transaction.
    fn post(&mut self, resource: &'static str, id: &str, now: Micros) {
        let Some(object) = self.store.get(resource, id) else {
            return;
        };
        let credit = matches!(object.text("side"), "buy" | "deposit");
        let asset = match object.text("symbol").split_once('-') {
            Some((asset, _)) => asset.to_owned(),
            None => object.text("asset").to_owned(),
        };
        let amount = match (resource, credit) {
            ("trades", true) => object.number("receive_amount"),
            ("trades", false) => object.number("deliver_amount"),
            _ => object.number("amount"),
        };
        let customer = object
            .public
            .get("customer_guid")
            .cloned()
            .unwrap_or(Value::Null);
        let account = self
            .store
            .newest_first("accounts")
            .find(|account| {
                account.text("asset") == asset
                    && account.public.get("customer_guid") == Some(&customer)
            })
            .map(|account| account.text("guid").to_owned());
        let balance = account
            .as_deref()
            .and_then(|guid| self.store.get_mut("accounts", guid))
            .map_or(amount, |account| {
                let before = account.number("platform_balance");
                let after = if credit {
                    before.saturating_add(amount)
                } else {
                    before.saturating_sub(amount)
                };
                account.set("platform_balance", after);
                account.set("platform_available", after);
                after
            });
        let key = self.entropy.guid();
        let account = account.unwrap_or_else(|| self.entropy.guid());
        let kind = resource.trim_end_matches('s');
        let fields = json!({
            "account_guid": account,
            "amount": amount,
            "asset": asset,
            "bank_guid": super::BANK_GUID,
            "customer_guid": customer,
            "direction": if credit { "credit" } else { "debit" },
            "posted": true,
            "category": kind,
            "resource": {"type": kind, "guid": id},
            "balance": {
                "debits": if credit { 0 } else { amount },
                "credits": if credit { amount } else { 0 },
                "amount": balance,
            },
            "created_at": instant(now),
        });
        self.store
            .add("transactions", &key, super::resources::object(fields));
    }
}

/// As in `2026-01-02T03:04:05.678Z`.
pub fn instant(at: Micros) -> String {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(at) => format!("{at:.3}"),
        Err(_) => "1970-01-01T00:00:00.000Z".to_owned(),
    }
}
