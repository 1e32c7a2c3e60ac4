use serde_json::{Value, json};

use crate::sim::testing::{Answer, call, start};
use crate::sim::{Simulator, Vendor};

async fn mint(simulator: &Simulator, key: &str, scope: &str) -> Answer {
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": format!("sim-{key}-id"),
        "client_secret": format!("sim-{key}-secret"),
        "scope": scope,
    });
    let headers = [("Content-Type", "application/json")];
    call(
        simulator,
        "POST",
        "/oauth/token",
        &headers,
        &body.to_string(),
    )
    .await
}

async fn token(simulator: &Simulator, key: &str, scope: &str) -> String {
    let answer = mint(simulator, key, scope).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn with(
    simulator: &Simulator,
    token: &str,
    method: &str,
    target: &str,
    body: Value,
) -> Answer {
    let bearer = format!("Bearer {token}");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    call(
        simulator,
        method,
        target,
        &[("Authorization", &bearer)],
        &body,
    )
    .await
}

fn customer() -> Value {
    json!({"type": "individual",
        "name": {"first": "Zyxanthe", "last": "Quillfeather"},
        "address": {"street": "417 Nonesuch Lane", "city": "Brackenford", "country_code": "CA"},
        "email_address": "zyxanthe.q@example.invalid", "date_of_birth": "1987-03-21"})
}

#[tokio::test]
async fn tokens_have_the_documented_form() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let whole = mint(&simulator, "bank", "").await.json();
    assert_eq!(whole["expires_in"], 28_800);
    assert_eq!(whole["token_type"], "Bearer");
    let length = whole["access_token"].as_str().unwrap().len();
    assert!((2_600..3_400).contains(&length), "{length}");
    // Portal-only scopes are dropped silently, others refused.
    let answer = mint(&simulator, "org", "users:read users:write")
        .await
        .json();
    assert_eq!(answer["scope"], "users:read");
    let refused = mint(&simulator, "bank", "banks:execute").await;
    assert_eq!(
        (refused.status, refused.json()["error"].clone()),
        (400, json!("invalid_scope"))
    );
    let basic = call(
        &simulator,
        "POST",
        "/oauth/token",
        &[
            ("Content-Type", "application/x-www-form-urlencoded"),
            (
                "Authorization",
                "Basic c2ltLWJhbmstaWQ6c2ltLWJhbmstc2VjcmV0",
            ),
        ],
        "grant_type=client_credentials&scope=customers%3Aread",
    )
    .await;
    assert_eq!(basic.json()["scope"], "customers:read");
    let wrong = call(
        &simulator,
        "POST",
        "/oauth/token",
        &[],
        r#"{"grant_type":"client_credentials","client_id":"sim-bank-id","client_secret":"no"}"#,
    )
    .await;
    assert_eq!(
        (wrong.status, wrong.json()["error"].clone()),
        (401, json!("invalid_client"))
    );
}

#[tokio::test]
async fn personal_fields_need_the_flag_and_the_scope() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let full = token(
        &simulator,
        "bank",
        "customers:execute customers:read customers:pii:read",
    )
    .await;
    let plain = token(&simulator, "bank", "customers:read").await;
    let made = with(&simulator, &full, "POST", "/api/customers", customer()).await;
    assert_eq!(
        (made.status, &made.json()["state"]),
        (201, &json!("storing"))
    );
    assert!(!made.text().contains("Quillfeather"));
    let path = format!("/api/customers/{}", made.json()["guid"].as_str().unwrap());
    let shown = with(
        &simulator,
        &full,
        "GET",
        &format!("{path}?include_pii=True"),
        Value::Null,
    )
    .await;
    assert_eq!(shown.json()["name"]["full"], "Zyxanthe Quillfeather");
    assert_eq!(shown.json()["state"], "unverified");
    let hidden = with(&simulator, &full, "GET", &path, Value::Null).await;
    assert!(!hidden.text().contains("Quillfeather"));
    let refused = with(
        &simulator,
        &plain,
        "GET",
        &format!("{path}?include_pii=true"),
        Value::Null,
    )
    .await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["message_code"], "invalid_scopes");
    let list = with(
        &simulator,
        &full,
        "GET",
        "/api/customers?include_pii=true&per_page=1",
        Value::Null,
    )
    .await;
    assert_eq!(list.json()["total"], 1);
    assert_eq!(
        list.json()["objects"][0]["email_address"],
        "zyxanthe.q@example.invalid"
    );
}

#[tokio::test]
async fn bad_tokens_are_told_apart() {
    let (simulator, hands) = start(Vendor::Cybrid, |_| {}).await;
    let token = token(&simulator, "bank", "customers:read").await;
    let code = |answer: Answer| {
        (
            answer.status,
            answer.json()["message_code"].as_str().unwrap().to_owned(),
            answer.json()["error_message"].as_str().unwrap().to_owned(),
        )
    };
    let anonymous = call(&simulator, "GET", "/api/customers", &[], "").await;
    assert_eq!(code(anonymous).0, 401);
    let malformed = with(&simulator, "nonsense", "GET", "/api/customers", Value::Null).await;
    assert_eq!(code(malformed).1, "authentication_malformed");
    let forged = with(
        &simulator,
        "e30.e30.x",
        "GET",
        "/api/customers",
        Value::Null,
    )
    .await;
    assert_eq!(code(forged).1, "authentication_failed");
    let subject = with(&simulator, &token, "GET", "/api/users", Value::Null).await;
    assert_eq!(code(subject).1, "invalid_subject");
    let scopes = with(&simulator, &token, "GET", "/api/trades", Value::Null).await;
    assert_eq!(code(scopes).2, "Invalid scopes. Required: trades:read");
    let missing = with(&simulator, &token, "GET", "/api/customers/00", Value::Null).await;
    assert_eq!(
        code(missing),
        (404, "not_found".to_owned(), "Record not found".to_owned())
    );
    hands.forward(28_801);
    let expired = with(&simulator, &token, "GET", "/api/customers", Value::Null).await;
    assert_eq!(code(expired).2, "Signature has expired");
}

#[tokio::test]
async fn a_quote_is_traded_once_and_in_time() {
    let (simulator, hands) = start(Vendor::Cybrid, |_| {}).await;
    let token = token(&simulator, "bank", "").await;
    let made = with(&simulator, &token, "POST", "/api/customers", customer()).await;
    let guid = made.json()["guid"].clone();
    let quote = json!({"product_type": "trading", "customer_guid": guid, "symbol": "BTC-USD",
        "side": "buy", "deliver_amount": 6_543_210});
    let quoted = with(&simulator, &token, "POST", "/api/quotes", quote.clone())
        .await
        .json();
    assert_eq!(quoted["receive_amount"], 100_000_000);
    let order = json!({"quote_guid": quoted["guid"]});
    let trade = with(&simulator, &token, "POST", "/api/trades", order.clone()).await;
    assert_eq!(
        (trade.status, &trade.json()["state"]),
        (201, &json!("storing"))
    );
    let again = with(&simulator, &token, "POST", "/api/trades", order).await;
    assert_eq!(
        (again.status, &again.json()["message_code"]),
        (409, &json!("data_exists"))
    );
    let path = format!("/api/trades/{}", trade.json()["guid"].as_str().unwrap());
    let mut states = Vec::new();
    for _ in 0..3 {
        let answer = with(&simulator, &token, "GET", &path, Value::Null).await;
        states.push(answer.json()["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["pending", "settling", "completed"]);
    let booked = with(&simulator, &token, "GET", "/api/transactions", Value::Null)
        .await
        .json();
    assert_eq!(booked["objects"][0]["amount"], 100_000_000);
    let late = with(&simulator, &token, "POST", "/api/quotes", quote)
        .await
        .json();
    hands.forward(30);
    let order = json!({"quote_guid": late["guid"]});
    let refused = with(&simulator, &token, "POST", "/api/trades", order).await;
    assert_eq!(
        (refused.status, &refused.json()["message_code"]),
        (422, &json!("quote_expired"))
    );
}

#[tokio::test]
async fn transfers_guard_their_quote_and_their_version() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let token = token(&simulator, "bank", "").await;
    let quote = json!({"product_type": "funding", "asset": "USD", "side": "deposit",
        "receive_amount": 5_000});
    let quoted = with(&simulator, &token, "POST", "/api/quotes", quote)
        .await
        .json();
    let order = json!({"quote_guid": quoted["guid"], "transfer_type": "funding"});
    let transfer = with(&simulator, &token, "POST", "/api/transfers", order.clone()).await;
    assert_eq!(transfer.status, 201, "{}", transfer.text());
    let again = with(&simulator, &token, "POST", "/api/transfers", order).await;
    assert_eq!(again.json()["message_code"], "quote_already_exists");
    let path = format!(
        "/api/transfers/{}",
        transfer.json()["guid"].as_str().unwrap()
    );
    let bearer = format!("Bearer {token}");
    let old = call(
        &simulator,
        "DELETE",
        &path,
        &[("Authorization", &bearer)],
        "",
    )
    .await;
    assert_eq!(old.status, 404);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Accept-Version", "2026-04-01"),
    ];
    let cancelled = call(&simulator, "DELETE", &path, &headers, "").await;
    assert_eq!(
        (cancelled.status, &cancelled.json()["state"]),
        (200, &json!("cancelling"))
    );
}

#[tokio::test]
async fn customer_tokens_see_their_customer_only() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let bank = token(&simulator, "bank", "").await;
    let one = with(&simulator, &bank, "POST", "/api/customers", customer())
        .await
        .json();
    let two = with(&simulator, &bank, "POST", "/api/customers", customer())
        .await
        .json();
    let ask = |guid: &Value, scope: &str| json!({"customer_guid": guid, "scopes": [scope]});
    let minted = with(
        &simulator,
        &bank,
        "POST",
        "/api/customer_tokens",
        ask(&one["guid"], "customers:read"),
    )
    .await;
    assert_eq!(minted.status, 201);
    assert_eq!(minted.json().as_object().unwrap().len(), 1, "no expires_in");
    let own = minted.json()["access_token"].as_str().unwrap().to_owned();
    for (customer, status) in [(&one, 200), (&two, 404)] {
        let path = format!("/api/customers/{}", customer["guid"].as_str().unwrap());
        assert_eq!(
            with(&simulator, &own, "GET", &path, Value::Null)
                .await
                .status,
            status
        );
    }
    let subject = with(
        &simulator,
        &own,
        "POST",
        "/api/customer_tokens",
        ask(&one["guid"], "customers:read"),
    )
    .await;
    assert_eq!(
        (subject.status, &subject.json()["message_code"]),
        (401, &json!("invalid_subject"))
    );
    let scopes = with(
        &simulator,
        &bank,
        "POST",
        "/api/customer_tokens",
        ask(&one["guid"], "banks:read"),
    )
    .await;
    assert_eq!(scopes.status, 403);
    let nobody = with(
        &simulator,
        &bank,
        "POST",
        "/api/customer_tokens",
        ask(&json!("00"), "customers:read"),
    )
    .await;
    assert_eq!(
        (nobody.status, &nobody.json()["message_code"]),
        (422, &json!("no_customer"))
    );
}

#[tokio::test]
async fn limits_answer_from_before_the_application() {
    let (simulator, hands) = start(Vendor::Cybrid, |options| options.limits = true).await;
    for _ in 0..20 {
        assert_eq!(mint(&simulator, "bank", "customers:read").await.status, 200);
    }
    let refused = mint(&simulator, "bank", "customers:read").await;
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (403, Some("text/html"))
    );
    for _ in 0..100 {
        let answer = call(&simulator, "GET", "/api/assets", &[], "").await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(
        call(&simulator, "GET", "/api/assets", &[], "").await.status,
        429
    );
    hands.forward(300);
    assert_eq!(
        call(&simulator, "GET", "/api/assets", &[], "").await.status,
        200
    );
    assert_eq!(mint(&simulator, "bank", "customers:read").await.status, 200);
}

#[tokio::test]
async fn cors_origins_are_checked() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let bank = token(&simulator, "bank", "banks:write banks:read").await;
    let path = format!("/api/banks/{}", "0b".repeat(16));
    let good = json!({"cors_allowed_origins": ["https://app.example"]});
    let answer = with(&simulator, &bank, "PATCH", &path, good).await;
    assert_eq!(
        (answer.status, &answer.json()["cors_allowed_origins"][0]),
        (200, &json!("https://app.example"))
    );
    let bad = json!({"cors_allowed_origins": ["http://app.example"]});
    let answer = with(&simulator, &bank, "PATCH", &path, bad).await;
    assert_eq!(
        (answer.status, &answer.json()["message_code"]),
        (422, &json!("unsupported_value"))
    );
}

#[tokio::test]
async fn subscriptions_belong_to_the_portal() {
    let (simulator, _hands) = start(Vendor::Cybrid, |_| {}).await;
    let body = json!({"environment": "sandbox", "type": "webhook", "name": "hook",
        "url": "https://hook.example/x"});
    let organization = token(&simulator, "org", "").await;
    let refused = with(
        &simulator,
        &organization,
        "POST",
        "/api/subscriptions/",
        body.clone(),
    )
    .await;
    assert_eq!(
        (refused.status, &refused.json()["message_code"]),
        (403, &json!("invalid_scopes"))
    );
    let portal = token(
        &simulator,
        "portal",
        "subscriptions:execute subscriptions:read",
    )
    .await;
    let made = with(&simulator, &portal, "POST", "/api/subscriptions/", body).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["signing_key"].as_str().unwrap().len(), 64);
    let path = format!(
        "/api/subscriptions/{}",
        made.json()["guid"].as_str().unwrap()
    );
    assert_eq!(
        with(&simulator, &portal, "DELETE", &path, Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        with(&simulator, &portal, "GET", &path, Value::Null)
            .await
            .status,
        404
    );
}
