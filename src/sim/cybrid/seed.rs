//! The objects that are always there.

use serde_json::{Value, json};

use super::resources::object;
use super::states::instant;
use super::{BANK_GUID, Cybrid, ORGANIZATION_GUID};
use crate::types::Micros;

/// Type, code, name, symbol, decimals.
const ASSETS: [(&str, &str, &str, &str, u32); 5] = [
    ("fiat", "USD", "US Dollar", "$", 2),
    ("fiat", "CAD", "Canadian Dollar", "$", 2),
    ("crypto", "BTC", "Bitcoin", "₿", 8),
    ("crypto", "ETH", "Ether", "Ξ", 18),
    ("crypto", "USDC", "USD Coin", "USDC", 6),
];

impl Cybrid {
    /// Plants the organization, its bank, users, keys, assets and an invoice.
    pub(super) fn plant(&mut self, now: Micros) {
        let at = instant(now);
        for (kind, code, name, symbol, decimals) in ASSETS {
            self.keep(
                "assets",
                code,
                json!({"type": kind, "code": code, "name": name, "symbol": symbol,
                    "decimals": decimals}),
            );
        }
        self.keep(
            "organizations",
            ORGANIZATION_GUID,
            json!({"guid": ORGANIZATION_GUID, "name": "Sim Organization", "created_at": at,
                "updated_at": at}),
        );
        self.keep(
            "banks",
            BANK_GUID,
            json!({
                "guid": BANK_GUID,
                "organization_guid": ORGANIZATION_GUID,
                "name": "Sim Bank",
                "type": "sandbox",
                "features": ["attestation_identity_records", "individual_customers",
                    "business_customers", "raw_routing_details"],
                "supported_trading_symbols": ["BTC-USD", "ETH-USD", "USDC-USD"],
                "supported_fiat_account_assets": ["USD"],
                "supported_country_codes": ["US"],
                "supported_payout_symbols": [],
                "cors_allowed_origins": [],
                "created_at": at,
                "updated_at": at,
            }),
        );
        for name in ["ada.sim", "bob.sim"] {
            let guid = self.entropy.guid();
            let email = format!("{name}@example.invalid");
            self.keep(
                "users",
                &guid,
                json!({"guid": guid, "username": email, "email": email,
                    "allowed_scopes": ["organizations:read", "users:read"],
                    "created_at": at, "updated_at": at}),
            );
        }
        for (resource, id, scopes) in [
            (
                "organization_applications",
                "sim-org-id",
                ["organizations:read", "users:read"],
            ),
            (
                "bank_applications",
                "sim-bank-id",
                ["customers:read", "trades:read"],
            ),
        ] {
            let guid = self.entropy.guid();
            self.keep(
                resource,
                id,
                json!({"guid": guid, "name": "Sim Key", "client_id": id, "scopes": scopes,
                    "ip_allowlist": [], "expires_at": null, "created_at": at}),
            );
        }
        let (invoice, account, instruction) = (
            self.entropy.guid(),
            self.entropy.guid(),
            self.entropy.guid(),
        );
        self.keep(
            "invoices",
            &invoice,
            json!({"guid": invoice, "bank_guid": BANK_GUID, "customer_guid": null,
                "account_guid": account, "type": "crypto", "asset": "BTC",
                "receive_amount": 100_000, "deliver_amount": 100_000, "fee": 0,
                "state": "unpaid", "labels": null, "created_at": at, "updated_at": at}),
        );
        self.keep(
            "payment_instructions",
            &instruction,
            json!({"guid": instruction, "bank_guid": BANK_GUID, "customer_guid": null,
                "invoice_guid": invoice, "network_address": "tb1qsimsimsimsimsim",
                "expected_payment_asset": "BTC", "expected_payment_amount": 100_000,
                "state": "created", "created_at": at, "updated_at": at}),
        );
    }

    fn keep(&mut self, resource: &'static str, key: &str, fields: Value) {
        self.store.add(resource, key, object(fields));
    }
}
