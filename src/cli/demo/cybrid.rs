//! Two applications that use Cybrid: one trades for customers, one looks on.

use serde_json::json;

use super::client::Call;
use super::visitor::{Visitor, text};
use crate::sim::{Faults, Simulator};

const IDENTITY: &str = "/cybrid/identity";
const BANK: &str = "/cybrid/bank/api";
const ORGANIZATION: &str = "/cybrid/organization/api";
const ORGANIZATION_GUID: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

/// Calls of one telling of [`trade`].
pub const TRADE_STEPS: u32 = 24;

const FIRST: [&str; 6] = ["Ada", "Zyxanthe", "Otto", "Mirela", "Tomo", "Ines"];
const LAST: [&str; 6] = [
    "Quillfeather",
    "Marsh",
    "Ostrander",
    "Vale",
    "Brook",
    "Lund",
];

/// How the bank behaves when nothing special happens: it takes its time and compresses.
pub fn usual() -> Faults {
    Faults {
        latency_ms: Some((2, 40)),
        gzip: true,
        ..Faults::default()
    }
}

async fn mint(visitor: &mut Visitor<'_>, key: &str) -> String {
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": format!("sim-{key}-id"),
        "client_secret": format!("sim-{key}-secret"),
    });
    let call = Call::post(format!("{IDENTITY}/oauth/token"), &body);
    let answer = visitor.call("mint a token", call, 200).await;
    text(&answer, "access_token")
}

/// Brings customers in, trades for them and moves their money.
pub async fn trade(mut visitor: Visitor<'_>, bank: &Simulator) {
    let mut is_first = true;
    while is_first || visitor.has_time() {
        let token = mint(&mut visitor, "bank").await;
        let customer = customer(&mut visitor, &token).await;
        as_customer(&mut visitor, &token, &customer).await;
        orders(&mut visitor, &token, &customer).await;
        funds(&mut visitor, &token, &customer).await;
        if is_first {
            mishaps(&mut visitor, &token, &customer, bank).await;
        }
        mistakes(&mut visitor, &token).await;
        is_first = false;
    }
}

async fn customer(visitor: &mut Visitor<'_>, token: &str) -> String {
    let pick = |list: &[&'static str], at: u64| list.get(at as usize).copied().unwrap_or_default();
    let first = pick(&FIRST, visitor.entropy.below(6));
    let last = pick(&LAST, visitor.entropy.below(6));
    let body = json!({
        "type": "individual",
        "name": {"first": first, "last": last},
        "address": {"street": "417 Nonesuch Lane", "city": "Brackenford", "country_code": "US"},
        "email_address": format!("{first}.{last}@example.invalid").to_lowercase(),
        "phone_number": format!("+1555{:07}", visitor.entropy.below(10_000_000)),
        "date_of_birth": "1988-02-29",
    });
    let call = Call::post(format!("{BANK}/customers"), &body).bearer(token);
    let made = visitor.call("create a customer", call, 201).await;
    let guid = text(&made, "guid");
    let path = format!("{BANK}/customers/{guid}?include_pii=true");
    let read = Call::get(path).bearer(token);
    visitor.call("read personal data", read, 200).await;
    let account = json!({
        "type": "trading", "asset": "BTC", "name": "btc", "customer_guid": guid,
    });
    let call = Call::post(format!("{BANK}/accounts"), &account).bearer(token);
    visitor.call("open an account", call, 201).await;
    guid
}

/// A token of the customer's own, used for what it may do and for what it may not.
async fn as_customer(visitor: &mut Visitor<'_>, token: &str, customer: &str) {
    let body = json!({
        "customer_guid": customer, "scopes": ["customers:read", "prices:read"],
    });
    let call = Call::post(format!("{IDENTITY}/api/customer_tokens"), &body).bearer(token);
    let minted = visitor.call("mint a customer token", call, 201).await;
    visitor.remember_mint(&minted);
    let own = text(&minted, "access_token");
    let itself = Call::get(format!("{BANK}/customers/{customer}")).bearer(&own);
    visitor.call("a customer reads itself", itself, 200).await;
    let prices = Call::get(format!("{BANK}/prices?symbol=BTC-USD")).bearer(&own);
    visitor.call("a customer reads prices", prices, 200).await;
    let trades = Call::get(format!("{BANK}/trades")).bearer(&own);
    visitor.call("a scope is missing", trades, 403).await;
}

async fn quote(visitor: &mut Visitor<'_>, token: &str, body: &serde_json::Value) -> String {
    let call = Call::post(format!("{BANK}/quotes"), body).bearer(token);
    let answer = visitor.call("ask for a quote", call, 201).await;
    text(&answer, "guid")
}

async fn trading_quote(visitor: &mut Visitor<'_>, token: &str, customer: &str) -> String {
    let body = json!({
        "product_type": "trading", "customer_guid": customer, "symbol": "BTC-USD",
        "side": "buy", "deliver_amount": 1_000 + visitor.entropy.below(50_000),
    });
    quote(visitor, token, &body).await
}

async fn orders(visitor: &mut Visitor<'_>, token: &str, customer: &str) {
    let quote = trading_quote(visitor, token, customer).await;
    let order = Call::post(format!("{BANK}/trades"), &json!({"quote_guid": quote})).bearer(token);
    let trade = visitor.call("trade", order.clone(), 201).await;
    visitor.call("trade twice", order, 409).await;
    let path = format!("{BANK}/trades/{}", text(&trade, "guid"));
    for _ in 0..3 {
        let poll = Call::get(path.as_str()).bearer(token);
        visitor.call("wait for the trade", poll, 200).await;
    }
}

async fn funds(visitor: &mut Visitor<'_>, token: &str, customer: &str) {
    let body = json!({
        "product_type": "funding", "customer_guid": customer, "asset": "USD",
        "side": "deposit", "receive_amount": 500 + visitor.entropy.below(20_000),
    });
    let quote = quote(visitor, token, &body).await;
    let order = json!({"quote_guid": quote, "transfer_type": "funding"});
    let call = Call::post(format!("{BANK}/transfers"), &order).bearer(token);
    let transfer = visitor.call("transfer", call, 201).await;
    let path = format!("{BANK}/transfers/{}", text(&transfer, "guid"));
    visitor
        .call("wait for the transfer", Call::get(path).bearer(token), 200)
        .await;
}

/// What goes wrong at the bank: a trade whose answer never comes, and a server error.
async fn mishaps(visitor: &mut Visitor<'_>, token: &str, customer: &str, bank: &Simulator) {
    let quote = trading_quote(visitor, token, customer).await;
    bank.set_faults(Faults {
        drop_rate: 1.0,
        path_contains: Some("/api/trades".to_owned()),
        times: Some(1),
        ..usual()
    });
    let order = Call::post(format!("{BANK}/trades"), &json!({"quote_guid": quote})).bearer(token);
    visitor
        .call("the bank hangs up on a trade", order, 502)
        .await;
    bank.set_faults(Faults {
        error_rate: 1.0,
        path_contains: Some("/api/transfers".to_owned()),
        times: Some(1),
        ..usual()
    });
    let list = Call::get(format!("{BANK}/transfers?page=0&per_page=10")).bearer(token);
    // A 502 or 503 to a read is not the last word: the gateway asks again.
    visitor
        .call_for("the bank has an error", list, &[200, 500])
        .await;
    bank.set_faults(usual());
}

/// What goes wrong at the caller.
async fn mistakes(visitor: &mut Visitor<'_>, token: &str) {
    // The same claims with another signature.
    let forged = token.rsplit_once('.').map_or("", |(claims, _)| claims);
    let read = Call::get(format!("{BANK}/accounts")).bearer(&format!("{forged}.Zm9yZ2Vk"));
    visitor.call("an invalid token", read, 401).await;
    let guid = visitor.entropy.guid();
    let unknown = Call::get(format!("{BANK}/loyalty_points/{guid}")).bearer(token);
    visitor.call("an unknown path", unknown, 404).await;
    let anonymous = Call::get(format!("{BANK}/customers"));
    visitor.call("no token", anonymous, 401).await;
    let list = Call::get(format!(
        "{BANK}/customers?page=0&per_page=5&state=unverified"
    ));
    visitor
        .call("list customers", list.bearer(token), 200)
        .await;
}

/// Polls prices, and looks at customers and at the organization now and then.
pub async fn look_on(mut visitor: Visitor<'_>) {
    let token = mint(&mut visitor, "bank").await;
    let organization = mint(&mut visitor, "org").await;
    let mut turn = 0_u32;
    while turn == 0 || visitor.goes_on() {
        for symbol in ["BTC-USD", "ETH-USD"] {
            let call = Call::get(format!("{BANK}/prices?symbol={symbol}"))
                .with("Accept-Encoding", "gzip")
                .bearer(&token);
            visitor.call("poll prices", call, 200).await;
        }
        if turn.is_multiple_of(4) {
            let call = Call::get(format!(
                "{BANK}/customers?page=0&per_page=10&include_pii=true"
            ));
            visitor
                .call("read personal data", call.bearer(&token), 200)
                .await;
            let path = format!("{ORGANIZATION}/organizations/{ORGANIZATION_GUID}");
            let call = Call::get(path).bearer(&organization);
            visitor.call("read the organization", call, 200).await;
            let call = Call::get(format!("{ORGANIZATION}/subscriptions")).bearer(&organization);
            visitor.call("a scope is missing", call, 403).await;
        }
        turn = turn.wrapping_add(1);
    }
}
