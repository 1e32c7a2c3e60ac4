//! Prices, quotes, trades and transfers: the operations that move money.

use serde_json::{Value, json};

use super::error::ApiError;
use super::resources::object;
use super::states::instant;
use super::store::{Object, text};
use super::{Call, Cybrid};
use crate::types::Micros;

/// Trading quotes live 30 seconds.
const QUOTE_LIFETIME: std::time::Duration = std::time::Duration::from_secs(30);

/// A trading pair: symbol, decimals of the asset, price in cents of the counter asset.
const MARKET: [(&str, u32, u64); 6] = [
    ("BTC-USD", 8, 6_543_210),
    ("ETH-USD", 18, 321_098),
    ("USDC-USD", 6, 100),
    ("BTC-CAD", 8, 8_901_234),
    ("ETH-CAD", 18, 436_789),
    ("USDC-CAD", 6, 137),
];

/// The symbols that can be traded, a bare array.
pub fn symbols() -> Value {
    MARKET.iter().map(|(symbol, ..)| json!(symbol)).collect()
}

/// What the other side of a trade amounts to; `None` beyond what fits in 64 bits.
fn convert(amount: u64, decimals: u32, price: u64, to_asset: bool) -> Option<u64> {
    let unit = 10_u128.checked_pow(decimals)?;
    let amount = u128::from(amount);
    let price = u128::from(price);
    let other = if to_asset {
        amount.checked_mul(unit)?.checked_div(price)?
    } else {
        amount.checked_mul(price)?.checked_div(unit)?
    };
    u64::try_from(other).ok()
}

impl Cybrid {
    /// The prices as a bare array, filtered by `symbol`.
    pub(super) fn prices(&self, query: &[(String, String)], call: &Call<'_>) -> Value {
        let at = instant(call.now());
        MARKET
            .iter()
            .filter(|(symbol, ..)| {
                query
                    .iter()
                    .filter(|(name, _)| name == "symbol" || name == "trading_symbol")
                    .all(|(_, wanted)| wanted.split(',').any(|one| one == *symbol))
            })
            .map(|(symbol, _, price)| {
                json!({
                    "symbol": symbol,
                    "type": "trading",
                    "buy_price": price,
                    "sell_price": price.saturating_sub(price / 200),
                    "buy_price_last_updated_at": at,
                    "sell_price_last_updated_at": at,
                })
            })
            .collect()
    }

    pub(super) fn create_quote(&mut self, call: &Call<'_>) -> Result<Object, ApiError> {
        let customer = call.customer();
        if let Some(guid) = customer.as_str()
            && self.store.get("customers", guid).is_none()
        {
            return Err(ApiError::unprocessable("no_customer", "Customer not found"));
        }
        let product = match text(&call.body, "product_type") {
            "" => "trading",
            product => product,
        };
        let given = |field: &str| call.body.get(field).and_then(Value::as_u64);
        let side = text(&call.body, "side");
        let (receive, deliver) = if product == "trading" {
            self.price_trade(call, side)?
        } else {
            let amount = given("receive_amount")
                .or_else(|| given("deliver_amount"))
                .or_else(|| total(&call.body))
                .ok_or_else(|| missing("receive_amount or deliver_amount"))?;
            (amount, amount)
        };
        let now = call.now();
        let mut fields = json!({
            "guid": self.entropy.guid(),
            "product_type": product,
            "bank_guid": call.bank(),
            "side": if side.is_empty() { "deposit" } else { side },
            "receive_amount": receive,
            "deliver_amount": deliver,
            "fee": 0,
            "fee_details": [],
            "created_at": instant(now),
            "updated_at": instant(now),
            "issued_at": instant(now),
        });
        if let Some(map) = fields.as_object_mut() {
            if !customer.is_null() {
                map.insert("customer_guid".to_owned(), customer);
            }
            for field in ["asset", "symbol"] {
                if let Some(value) = call.body.get(field).filter(|value| value.is_string()) {
                    map.insert(field.to_owned(), value.clone());
                }
            }
            let expires = (product == "trading").then(|| instant(now.plus(QUOTE_LIFETIME)));
            map.insert("expires_at".to_owned(), expires.into());
        }
        Ok(object(fields))
    }

    fn price_trade(&self, call: &Call<'_>, side: &str) -> Result<(u64, u64), ApiError> {
        let symbol = text(&call.body, "symbol");
        if symbol.is_empty() {
            return Err(missing("symbol"));
        }
        let Some((_, decimals, price)) = MARKET.iter().find(|(known, ..)| *known == symbol) else {
            return Err(ApiError::new(400, "invalid_value", "Invalid symbol"));
        };
        let buying = match side {
            "buy" => true,
            "sell" => false,
            _ => return Err(missing("side: buy or sell")),
        };
        let given = |field: &str| call.body.get(field).and_then(Value::as_u64);
        let amounts = match (given("receive_amount"), given("deliver_amount")) {
            (Some(receive), _) => {
                convert(receive, *decimals, *price, !buying).map(|deliver| (receive, deliver))
            }
            (None, Some(deliver)) => {
                convert(deliver, *decimals, *price, buying).map(|receive| (receive, deliver))
            }
            (None, None) => return Err(missing("receive_amount or deliver_amount")),
        };
        amounts.ok_or_else(|| ApiError::new(400, "invalid_value", "The amount is too large"))
    }

    /// The quote that a trade or transfer refers to, if it is still free.
    fn free_quote(&self, call: &Call<'_>, taken: &'static str) -> Result<Object, ApiError> {
        let guid = text(&call.body, "quote_guid");
        let quote = self
            .visible("quotes", guid, call)
            .map_err(|_| ApiError::unprocessable("no_quote", "Quote not found"))?;
        if quote.public.contains_key("trade_guid") || quote.public.contains_key("transfer_guid") {
            let message = match taken {
                "data_exists" => "Data exists: Trade for quote already exists",
                _ => "A transfer for the quote already exists",
            };
            return Err(ApiError::new(409, taken, message));
        }
        if quote
            .public
            .get("expires_at")
            .and_then(Value::as_str)
            .is_some_and(|expires| expires <= instant(call.now()).as_str())
        {
            return Err(ApiError::unprocessable(
                "quote_expired",
                "The quote has expired",
            ));
        }
        Ok(quote.clone())
    }

    fn take_quote(&mut self, guid: &str, by: &str, taker: &str, now: Micros) {
        if let Some(quote) = self.store.get_mut("quotes", guid) {
            quote.set(by, taker);
            quote.set("updated_at", instant(now));
        }
    }

    pub(super) fn create_trade(&mut self, call: &Call<'_>) -> Result<Object, ApiError> {
        let quote = self.free_quote(call, "data_exists")?;
        if quote.text("product_type") != "trading" {
            return Err(ApiError::unprocessable(
                "invalid_value",
                "The quote is not for trading",
            ));
        }
        let guid = self.entropy.guid();
        self.take_quote(quote.text("guid"), "trade_guid", &guid, call.now());
        let mut trade = object(json!({
            "guid": guid,
            "trade_type": "platform",
            "customer_guid": quote.public.get("customer_guid").cloned().unwrap_or(Value::Null),
            "bank_guid": call.bank(),
            "quote_guid": quote.text("guid"),
            "symbol": quote.text("symbol"),
            "side": quote.text("side"),
            "state": "storing",
            "failure_code": null,
            "receive_amount": quote.number("receive_amount"),
            "deliver_amount": quote.number("deliver_amount"),
            "fee": 0,
            "fee_details": [],
            "labels": call.body.get("labels").cloned().unwrap_or(Value::Null),
            "created_at": instant(call.now()),
            "updated_at": instant(call.now()),
        }));
        if let Some(code) = call
            .body
            .get("expected_error")
            .filter(|code| code.is_string())
        {
            trade
                .private
                .insert("expected_failure".to_owned(), code.clone());
        }
        Ok(trade)
    }

    pub(super) fn create_transfer(&mut self, call: &Call<'_>) -> Result<Object, ApiError> {
        let quote = self.free_quote(call, "quote_already_exists")?;
        let external = text(&call.body, "external_bank_account_guid").to_owned();
        if !external.is_empty() {
            self.visible("external_bank_accounts", &external, call)
                .map_err(|_| {
                    ApiError::unprocessable(
                        "invalid_external_bank_account",
                        "Invalid external bank account",
                    )
                })?;
        }
        let guid = self.entropy.guid();
        self.take_quote(quote.text("guid"), "transfer_guid", &guid, call.now());
        let customer = quote
            .public
            .get("customer_guid")
            .cloned()
            .unwrap_or(Value::Null);
        let deposit = quote.text("side") != "withdrawal";
        let (outside, inside) = self.ends(call, &external);
        let end = |(guid, kind): &(String, &str)| json!({"guid": guid, "type": kind, "bank_guid": call.bank(), "customer_guid": customer});
        let (source, destination) = if deposit {
            (end(&outside), end(&inside))
        } else {
            (end(&inside), end(&outside))
        };
        let given = |field: &str| call.body.get(field).cloned().unwrap_or(Value::Null);
        let mut fields = json!({
            "guid": guid,
            "transfer_type": given("transfer_type"),
            "bank_guid": call.bank(),
            "customer_guid": customer,
            "quote_guid": quote.text("guid"),
            "asset": quote.text("asset"),
            "side": if deposit { "deposit" } else { "withdrawal" },
            "state": "storing",
            "failure_code": null,
            "return_code": null,
            "amount": null,
            "estimated_amount": quote.number("receive_amount"),
            "fee": 0,
            "fee_details": [],
            "identifiers": [],
            "source_account": source,
            "source_participants": given("source_participants"),
            "destination_account": destination,
            "destination_participants": given("destination_participants"),
            "payment_rail": given("payment_rail"),
            "labels": given("labels"),
            "created_at": instant(call.now()),
            "updated_at": instant(call.now()),
        });
        if !external.is_empty()
            && let Some(map) = fields.as_object_mut()
        {
            map.insert("external_bank_account_guid".to_owned(), external.into());
        }
        Ok(object(fields))
    }

    /// The accounts at the two ends: the one outside the platform and the one inside.
    fn ends(
        &mut self,
        call: &Call<'_>,
        external: &str,
    ) -> ((String, &'static str), (String, &'static str)) {
        let wallet = text(&call.body, "external_wallet_guid");
        let outside = if !external.is_empty() {
            (external.to_owned(), "external_bank_account")
        } else if !wallet.is_empty() {
            (wallet.to_owned(), "external_wallet")
        } else {
            (self.entropy.guid(), "reserve")
        };
        let inside = match text(&call.body, "fiat_account_guid") {
            "" => match text(&call.body, "destination_account_guid") {
                "" => self.entropy.guid(),
                guid => guid.to_owned(),
            },
            guid => guid.to_owned(),
        };
        (outside, (inside, "fiat"))
    }
}

/// The sum of the amounts of several destinations.
fn total(body: &serde_json::Map<String, Value>) -> Option<u64> {
    body.get("destination_accounts")?
        .as_array()?
        .iter()
        .map(|entry| {
            let amount = |field: &str| entry.get(field).and_then(Value::as_u64);
            amount("receive_amount").or_else(|| amount("deliver_amount"))
        })
        .try_fold(0_u64, |sum, amount| sum.checked_add(amount?))
}

fn missing(what: &str) -> ApiError {
    ApiError::new(
        400,
        "missing_parameter",
        format!("Missing parameter: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_base_units() {
        // 65,432.10 dollars for one bitcoin.
        assert_eq!(convert(6_543_210, 8, 6_543_210, true), Some(100_000_000));
        assert_eq!(convert(100_000_000, 8, 6_543_210, false), Some(6_543_210));
        assert_eq!(convert(u64::MAX, 18, 1, true), None);
    }
}
