use ring::hmac;
use serde_json::{Value, json};

use crate::sim::testing::{Answer, Hands, call, start};
use crate::sim::{Simulator, Vendor};

const KEY: &str = "AK-SIM-MASTER-0001";
const SECRET: &str = "SK-SIM-MASTER-SECRET-00000001";

fn sign(secret: &str, message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, message.as_bytes());
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn signed(
    simulator: &Simulator,
    hands: &Hands,
    (key, secret): (&str, &str),
    method: &str,
    target: &str,
    body: &str,
) -> Answer {
    let mark = if target.contains('?') { '&' } else { '?' };
    let target = format!("{target}{mark}timestamp={}", hands.millis());
    let signature = sign(secret, &format!("{}{target}{body}", simulator.base_url()));
    let headers = [("X-Api-Key", key), ("X-Api-Signature", signature.as_str())];
    call(simulator, method, &target, &headers, body).await
}

fn code(answer: &Answer) -> (u16, String) {
    (
        answer.status,
        answer.json()["errorCode"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn the_formula_is_that_of_the_published_vector() {
    let url = "https://api.sendwyre.com/v3/accounts/AC_TESTTEST01?timestamp=1700000000000&masqueradeAs=AC_TESTTEST01";
    assert_eq!(
        sign("SK-DEMO-DEMO-DEMO-DEMO", url),
        "df256a10af0c93c1c5c2494f03514a390d32a778244c629831a4e710d14bbacc"
    );
}

#[tokio::test]
async fn a_session_is_minted_bound_and_used_both_ways() {
    let (simulator, hands) = start(Vendor::Wyre, |_| {}).await;
    let secret = "q7m2v9d4k1x8c5z3n6b0w2r7t4";
    let path = format!("/v2/sessions/auth/key?secretKey={secret}");
    let minted = call(&simulator, "POST", &path, &[], "").await;
    assert_eq!(
        (minted.status, &minted.json()["authenticatedAs"]),
        (200, &Value::Null)
    );
    let body = json!({"secretKey": secret}).to_string();
    let again = call(&simulator, "POST", "/v2/sessions/auth/key", &[], &body)
        .await
        .json();
    assert_eq!(again["apiKey"], minted.json()["apiKey"]);
    let short = call(
        &simulator,
        "POST",
        "/v2/sessions/auth/key?secretKey=x",
        &[],
        "",
    )
    .await;
    assert_eq!(code(&short), (400, "validation.general".to_owned()));

    let bearer = format!("Bearer {secret}");
    let headers = [("Authorization", bearer.as_str())];
    let profile = json!({"type": "INDIVIDUAL", "profileFields": [
        {"fieldId": "individualEmail", "value": "planted@example.invalid"}]})
    .to_string();
    let made = call(&simulator, "POST", "/v3/accounts", &headers, &profile).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert!(made.text().contains("planted@example.invalid"));
    let twice = call(&simulator, "POST", "/v3/accounts", &headers, &profile).await;
    assert_eq!(twice.status, 400);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let key = again["apiKey"].as_str().unwrap().to_owned();
    let path = format!("/v3/accounts/{id}");
    let shown = signed(&simulator, &hands, (&key, secret), "GET", &path, "").await;
    assert_eq!(shown.json()["id"], json!(id));
    let unknown = [("Authorization", "Bearer unknown-unknown-unknown-unknown")];
    assert_eq!(
        code(&call(&simulator, "GET", &path, &unknown, "").await).1,
        "accessDenied.invalidSession"
    );
}

#[tokio::test]
async fn signatures_cover_url_body_and_time() {
    let (simulator, hands) = start(Vendor::Wyre, |_| {}).await;
    let good = signed(&simulator, &hands, (KEY, SECRET), "GET", "/v2/account", "").await;
    assert_eq!(good.json()["id"], "AC_SIMMASTER01");
    let wrong = signed(&simulator, &hands, (KEY, "other"), "GET", "/v2/account", "").await;
    assert_eq!(
        code(&wrong),
        (401, "accessDenied.invalidSignature".to_owned())
    );
    let target = format!("/v2/account?timestamp={}", hands.millis());
    let signature = sign(SECRET, &format!("{}{target}", simulator.base_url()));
    let headers = [("X-Api-Key", KEY), ("X-Api-Signature", signature.as_str())];
    let tampered = call(&simulator, "GET", &format!("{target}&x=1"), &headers, "").await;
    assert_eq!(code(&tampered).1, "accessDenied.invalidSignature");
    assert_eq!(
        call(&simulator, "GET", &target, &headers[..1], "")
            .await
            .status,
        401
    );
    hands.forward(301);
    let stale = call(&simulator, "GET", &target, &headers, "").await;
    assert_eq!(code(&stale).1, "accessDenied.staleTimestamp");
}

#[tokio::test]
async fn a_public_url_is_what_must_be_signed() {
    let (simulator, hands) = start(Vendor::Wyre, |options| {
        options.public_url = Some("https://api.wyre.example".to_owned());
    })
    .await;
    let loopback = signed(&simulator, &hands, (KEY, SECRET), "GET", "/v2/account", "").await;
    assert_eq!(loopback.status, 401);
    let target = format!("/v2/account?timestamp={}", hands.millis());
    let signature = sign(SECRET, &format!("https://api.wyre.example{target}"));
    let headers = [("X-Api-Key", KEY), ("X-Api-Signature", signature.as_str())];
    assert_eq!(
        call(&simulator, "GET", &target, &headers, "").await.status,
        200
    );
}

#[tokio::test]
async fn transfers_are_confirmed_once_and_in_time() {
    let (simulator, hands) = start(Vendor::Wyre, |_| {}).await;
    let master = (KEY, SECRET);
    let order = |auto: bool| {
        json!({"source": "account:AC_SIMMASTER01", "sourceCurrency": "USD", "sourceAmount": "5",
            "dest": "bitcoin:tb1qexample", "destCurrency": "BTC", "autoConfirm": auto})
        .to_string()
    };
    let made = signed(
        &simulator,
        &hands,
        master,
        "POST",
        "/v3/transfers",
        &order(false),
    )
    .await
    .json();
    assert_eq!(made["status"], "UNCONFIRMED");
    let path = format!("/v3/transfers/{}/confirm", made["id"].as_str().unwrap());
    let confirmed = signed(&simulator, &hands, master, "POST", &path, "").await;
    assert_eq!(confirmed.json()["status"], "PENDING");
    let again = signed(&simulator, &hands, master, "POST", &path, "").await;
    assert_eq!(code(&again), (400, "transfer.alreadyConfirmed".to_owned()));
    let auto = signed(
        &simulator,
        &hands,
        master,
        "POST",
        "/v3/transfers",
        &order(true),
    )
    .await
    .json();
    assert_eq!(auto["status"], "PENDING");
    let late = signed(
        &simulator,
        &hands,
        master,
        "POST",
        "/v3/transfers",
        &order(false),
    )
    .await
    .json();
    hands.forward(900);
    let path = format!("/v3/transfers/{}/confirm", late["id"].as_str().unwrap());
    let expired = signed(&simulator, &hands, master, "POST", &path, "").await;
    assert_eq!(code(&expired).1, "transfer.expired");
    let list = signed(&simulator, &hands, master, "GET", "/v3/transfers", "").await;
    assert_eq!(list.json()["data"].as_array().unwrap().len(), 3);
    let bad = signed(&simulator, &hands, master, "POST", "/v3/transfers", "{}").await;
    assert_eq!(code(&bad), (400, "validation.general".to_owned()));
    let none = signed(
        &simulator,
        &hands,
        master,
        "GET",
        "/v3/transfers/TF_NONE",
        "",
    )
    .await;
    assert_eq!(code(&none), (404, "notFound".to_owned()));
}

#[tokio::test]
async fn keys_masquerading_orders_and_permits() {
    let (simulator, hands) = start(Vendor::Wyre, |options| options.limits = true).await;
    let master = (KEY, SECRET);
    let child = "/v3/accounts/AC_SIMCHILD001";
    assert_eq!(
        signed(&simulator, &hands, master, "GET", child, "")
            .await
            .status,
        401
    );
    let masked = format!("{child}?masqueradeAs=account:AC_SIMCHILD001");
    assert_eq!(
        signed(&simulator, &hands, master, "GET", &masked, "")
            .await
            .status,
        200
    );
    let wanted = json!({"desc": "ci", "type": "READONLY", "ipWhitelist": []}).to_string();
    let made = signed(&simulator, &hands, master, "POST", "/v2/apiKeys", &wanted)
        .await
        .json();
    let reader = (
        made["apiKey"].as_str().unwrap(),
        made["secretKey"].as_str().unwrap(),
    );
    assert_eq!(
        signed(&simulator, &hands, reader, "GET", "/v2/account", "")
            .await
            .status,
        200
    );
    let refused = signed(&simulator, &hands, reader, "POST", "/v2/apiKeys", &wanted).await;
    assert_eq!(code(&refused).1, "accessDenied.readOnlyKey");
    let path = format!("/v2/apiKey/{}", reader.0);
    assert_eq!(
        signed(&simulator, &hands, master, "DELETE", &path, "")
            .await
            .status,
        200
    );
    assert_eq!(
        signed(&simulator, &hands, reader, "GET", "/v2/account", "")
            .await
            .status,
        401
    );

    let reserved = signed(
        &simulator,
        &hands,
        master,
        "POST",
        "/v3/orders/reserve",
        "{}",
    )
    .await
    .json();
    let card = json!({"reservationId": reserved["reservation"], "amount": "5"}).to_string();
    let process = "/v3/debitcard/process/partner";
    let order = signed(&simulator, &hands, master, "POST", process, &card)
        .await
        .json();
    assert_eq!(order["status"], "RUNNING_CHECKS");
    assert_eq!(
        signed(&simulator, &hands, master, "POST", process, &card)
            .await
            .status,
        400
    );
    let path = format!(
        "/v3/debitcard/authorization/{}",
        order["id"].as_str().unwrap()
    );
    for _ in 0..5 {
        signed(
            &simulator,
            &hands,
            master,
            "POST",
            &path,
            r#"{"sms":"111111"}"#,
        )
        .await;
    }
    assert_eq!(
        signed(
            &simulator,
            &hands,
            master,
            "POST",
            &path,
            r#"{"sms":"000000"}"#
        )
        .await
        .status,
        400
    );

    let rates = || call(&simulator, "GET", "/v3/rates", &[], "");
    let mut last = rates().await;
    while last.status == 200 {
        last = rates().await;
    }
    assert_eq!(code(&last), (429, "rateLimit".to_owned()));
    assert_eq!(last.json()["transient"], true);
    hands.forward(60);
    assert_eq!(
        signed(
            &simulator,
            &hands,
            master,
            "POST",
            "/v3/firewall/permit",
            ""
        )
        .await
        .status,
        200
    );
    for _ in 0..100 {
        assert_eq!(rates().await.status, 200);
    }
}
