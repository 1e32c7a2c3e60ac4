use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::sim::testing::{Answer, call, start};
use crate::sim::{Simulator, Vendor};

const KEY: &str = "simconsumerkey00000000000000000000000000";
const AUDITOR: &str = "5d1d0000-0000-4000-8000-000000000002";
const V4: &str = "/obp/v4.0.0/banks/sim.bank/accounts/acc-1";
const V5: &str = "/obp/v5.1.0/banks/sim.bank/accounts/acc-1";

async fn mint(simulator: &Simulator, name: &str, password: &str) -> Answer {
    let value = format!("username=\"{name}\", password=\"{password}\", consumer_key=\"{KEY}\"");
    call(
        simulator,
        "POST",
        "/my/logins/direct",
        &[("DirectLogin", &value)],
        "",
    )
    .await
}

async fn token(simulator: &Simulator, name: &str, password: &str) -> String {
    let answer = mint(simulator, name, password).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["token"].as_str().unwrap().to_owned()
}

async fn with(
    simulator: &Simulator,
    token: &str,
    method: &str,
    target: &str,
    body: Value,
) -> Answer {
    let value = format!("token={token}");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    call(simulator, method, target, &[("DirectLogin", &value)], &body).await
}

fn code(answer: &Answer) -> (u16, String) {
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    (answer.status, message[..9].to_owned())
}

fn forge(claims: &Value) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.c2ln",
        part(r#"{"alg":"HS256"}"#),
        part(&claims.to_string())
    )
}

#[tokio::test]
async fn direct_login_tokens_differ_only_in_their_signature() {
    let (simulator, hands) = start(Vendor::Obp, |_| {}).await;
    let minted = token(&simulator, "sim-user", "sim-password-1").await;
    assert!(
        minted.starts_with("eyJhbGciOiJIUzI1NiJ9.eyIiOiIifQ."),
        "{minted}"
    );
    let current = "/obp/v4.0.0/users/current";
    let new = with(&simulator, &minted, "GET", current, Value::Null).await;
    assert_eq!(new.json()["username"], "sim-user");
    let old_form = format!("DirectLogin token=\"{minted}\"");
    let old = call(
        &simulator,
        "GET",
        current,
        &[("Authorization", &old_form)],
        "",
    )
    .await;
    assert_eq!(old.status, 200);
    let wrong = with(&simulator, "planted", "GET", current, Value::Null).await;
    assert_eq!(code(&wrong), (401, "OBP-20003".to_owned()));
    assert!(
        wrong.text().contains("planted"),
        "the message echoes the token"
    );
    let anonymous = call(&simulator, "GET", current, &[], "").await;
    assert_eq!(code(&anonymous), (401, "OBP-20001".to_owned()));
    assert!(
        anonymous
            .header("www-authenticate")
            .unwrap()
            .contains("DirectLogin")
    );
    hands.forward(4 * 7 * 24 * 3_600);
    let late = with(&simulator, &minted, "GET", current, Value::Null).await;
    assert_eq!(code(&late), (401, "OBP-20003".to_owned()));
}

#[tokio::test]
async fn bad_mints_say_why_and_lock() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    let none = call(&simulator, "POST", "/my/logins/direct", &[], "").await;
    assert_eq!(code(&none), (400, "OBP-20082".to_owned()));
    let headers = [("DirectLogin", "username=a, password=b")];
    let missing = call(&simulator, "POST", "/my/logins/direct", &headers, "").await;
    assert_eq!(code(&missing), (400, "OBP-20002".to_owned()));
    let headers = [("DirectLogin", "username=a, password=b, consumer_key=c")];
    let key = call(
        &simulator,
        "POST",
        "/obp/v6.0.0/my/logins/direct",
        &headers,
        "",
    )
    .await;
    assert_eq!(code(&key), (401, "OBP-20008".to_owned()));
    for _ in 0..6 {
        assert_eq!(
            code(&mint(&simulator, "sim-user", "no").await).1,
            "OBP-20004"
        );
    }
    let locked = mint(&simulator, "sim-user", "sim-password-1").await;
    assert_eq!(code(&locked), (401, "OBP-20013".to_owned()));
}

#[tokio::test]
async fn access_is_granted_used_and_revoked() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    let holder = token(&simulator, "sim-user", "sim-password-1").await;
    let auditor = token(&simulator, "sim-auditor", "sim-password-2").await;
    let read = format!("{V4}/auditor/transactions?limit=3");
    let grant = json!({"user_id": AUDITOR, "view": {"view_id": "auditor", "is_system": true}});
    let before = with(&simulator, &auditor, "GET", &read, Value::Null).await;
    assert_eq!(code(&before), (403, "OBP-20017".to_owned()));
    let refused = with(
        &simulator,
        &auditor,
        "POST",
        &format!("{V4}/account-access/grant"),
        grant.clone(),
    )
    .await;
    assert_eq!(code(&refused), (400, "OBP-20047".to_owned()));
    let granted = with(
        &simulator,
        &holder,
        "POST",
        &format!("{V4}/account-access/grant"),
        grant.clone(),
    )
    .await;
    assert_eq!(
        (granted.status, &granted.json()["id"]),
        (201, &json!("auditor"))
    );
    let during = with(&simulator, &auditor, "GET", &read, Value::Null).await;
    assert_eq!(during.json()["transactions"].as_array().unwrap().len(), 3);
    assert_eq!(during.header("range"), Some("items=0-3"));
    let revoked = with(
        &simulator,
        &holder,
        "POST",
        &format!("{V4}/account-access/revoke"),
        grant.clone(),
    )
    .await;
    assert_eq!(
        (revoked.status, revoked.json()),
        (201, json!({"revoked": true}))
    );
    let after = with(&simulator, &auditor, "GET", &read, Value::Null).await;
    assert_eq!(after.status, 403);
    let again = with(
        &simulator,
        &holder,
        "POST",
        &format!("{V4}/account-access/revoke"),
        grant,
    )
    .await;
    assert_eq!(code(&again).1, "OBP-30065");
    for (body, expected) in [
        (
            json!({"user_id": AUDITOR, "view": {"view_id": "_no", "is_system": false}}),
            "OBP-30005",
        ),
        (
            json!({"user_id": AUDITOR, "view": {"view_id": "no", "is_system": true}}),
            "OBP-30252",
        ),
        (
            json!({"user_id": "no", "view": {"view_id": "auditor", "is_system": true}}),
            "OBP-20057",
        ),
        (json!({"user_id": AUDITOR}), "OBP-10001"),
    ] {
        let answer = with(
            &simulator,
            &holder,
            "POST",
            &format!("{V4}/account-access/grant"),
            body,
        )
        .await;
        assert_eq!(code(&answer).1, expected);
    }
}

#[tokio::test]
async fn access_paths_depend_on_the_version() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    let holder = token(&simulator, "sim-user", "sim-password-1").await;
    let body = json!({"user_id": AUDITOR, "view_id": "auditor"});
    let path = format!("{V5}/views/owner/account-access/grant");
    assert_eq!(
        with(&simulator, &holder, "POST", &path, body.clone())
            .await
            .status,
        201
    );
    let path = format!("{V5}/views/auditor/account-access/grant");
    let lacking = with(&simulator, &holder, "POST", &path, body.clone()).await;
    assert_eq!(code(&lacking), (403, "OBP-20017".to_owned()));
    let old = format!("{V5}/account-access/grant");
    assert_eq!(
        code(&with(&simulator, &holder, "POST", &old, body).await).1,
        "OBP-10404"
    );
    let views = json!({"views": [{"view_id": "standard", "is_system": true}]});
    let put = with(
        &simulator,
        &holder,
        "PUT",
        &format!("{V4}/account-access"),
        views,
    )
    .await;
    assert_eq!(put.json(), json!({"revoked": true}));
    let user = json!({"username": "0xsim", "provider": "dauth.SIMNET",
        "views": [{"view_id": "auditor", "is_system": true}]});
    let made = with(
        &simulator,
        &holder,
        "POST",
        &format!("{V4}/user-account-access"),
        user,
    )
    .await;
    assert_eq!(
        (made.status, &made.json()[0]["id"]),
        (201, &json!("auditor"))
    );
}

#[tokio::test]
async fn dauth_and_consents_mind_the_case_of_their_headers() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    let current = "/obp/v4.0.0/users/current";
    let claims =
        json!({"smart_contract_address": "0xsim", "network_name": "SIMNET", "consumer_key": KEY});
    let dauth = forge(&claims);
    let known = call(&simulator, "GET", current, &[("DAuth", &dauth)], "").await;
    assert_eq!(known.json()["provider"], "dauth.SIMNET");
    let lower = call(&simulator, "GET", current, &[("dauth", &dauth)], "").await;
    assert_eq!(code(&lower).1, "OBP-20001");
    let missing = call(
        &simulator,
        "GET",
        current,
        &[("DAuth", &forge(&json!({})))],
        "",
    )
    .await;
    assert_eq!(code(&missing).1, "OBP-20066");

    let holder = token(&simulator, "sim-user", "sim-password-1").await;
    let path = "/obp/v5.1.0/my/consents/IMPLICIT";
    let consent = with(
        &simulator,
        &holder,
        "POST",
        path,
        json!({"everything": true}),
    )
    .await
    .json();
    let jwt = consent["jwt"].as_str().unwrap();
    let good = [("Consent-JWT", jwt), ("Consumer-Key", KEY)];
    assert_eq!(
        call(&simulator, "GET", current, &good, "").await.status,
        200
    );
    let bad = [("Consent-JWT", jwt), ("consumer-key", KEY)];
    assert_eq!(
        code(&call(&simulator, "GET", current, &bad, "").await).1,
        "OBP-35015"
    );
    let id = consent["consent_id"].as_str().unwrap();
    let both = [
        ("Consent-JWT", jwt),
        ("Consent-Id", id),
        ("Consumer-Key", KEY),
    ];
    assert_eq!(
        code(&call(&simulator, "GET", current, &both, "").await).1,
        "OBP-20250"
    );
    let berlin = call(
        &simulator,
        "GET",
        "/berlin-group/v1.3/accounts",
        &[("Consent-ID", id)],
        "",
    )
    .await;
    assert_eq!(berlin.json()["accounts"].as_array().unwrap().len(), 2);
    // A GET that is not safe.
    let revoke = format!("/obp/v3.1.0/banks/sim.bank/my/consents/{id}/revoke");
    let revoked = with(&simulator, &holder, "GET", &revoke, Value::Null).await;
    assert_eq!(revoked.json()["status"], "REVOKED");
    assert_eq!(
        code(&call(&simulator, "GET", current, &good, "").await).1,
        "OBP-35005"
    );
}

#[tokio::test]
async fn gateway_login_answers_a_fresh_token() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    let claims = json!({"login_user_name": "gw", "is_first": true, "app_id": "a", "app_name": "b",
        "time_stamp": "t", "cbs_token": "", "cbs_id": "c", "session_id": "s"});
    let value = format!("GatewayLogin token=\"{}\"", forge(&claims));
    let headers = [("Authorization", value.as_str()), ("X-Request-ID", "req-1")];
    let answer = call(&simulator, "GET", "/obp/v4.0.0/users/current", &headers, "").await;
    assert_eq!(answer.json()["username"], "gw");
    assert!(answer.header("gatewaylogin").unwrap().matches('.').count() == 2);
    assert_eq!(answer.header("correlation-id"), Some("req-1"));
    let basic = [("Authorization", "Basic eDp5")];
    let refused = call(&simulator, "GET", "/obp/v4.0.0/users/current", &basic, "").await;
    assert_eq!(code(&refused).1, "OBP-20080");
}

#[tokio::test]
async fn oauth_1_and_oidc_mint_tokens() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    let oauth = |nonce: &str, extra: &str| {
        format!(
            "OAuth oauth_consumer_key=\"{KEY}\", oauth_signature_method=\"HMAC-SHA256\", \
            oauth_timestamp=\"1\", oauth_nonce=\"{nonce}\", oauth_version=\"1.0\", \
            oauth_signature=\"x\", {extra}"
        )
    };
    let first = oauth("n1", "oauth_callback=\"oob\"");
    let initiated = call(
        &simulator,
        "POST",
        "/oauth/initiate",
        &[("Authorization", &first)],
        "",
    )
    .await;
    assert!(
        initiated.text().ends_with("oauth_callback_confirmed=true"),
        "{}",
        initiated.text()
    );
    let resent = call(
        &simulator,
        "POST",
        "/oauth/initiate",
        &[("Authorization", &first)],
        "",
    )
    .await;
    assert_eq!(
        (resent.status, resent.text().as_str()),
        (401, "Nonce already used")
    );
    let text = initiated.text();
    let temporary = text.split(['=', '&']).nth(1).unwrap();
    let page = call(
        &simulator,
        "GET",
        &format!("/oauth/authorize?oauth_token={temporary}"),
        &[],
        "",
    )
    .await
    .text();
    let verifier = page.split(['>', '<']).find(|part| part.len() == 5).unwrap();
    let second = oauth(
        "n2",
        &format!("oauth_token=\"{temporary}\", oauth_verifier=\"{verifier}\""),
    );
    let token = call(
        &simulator,
        "POST",
        "/oauth/token",
        &[("Authorization", &second)],
        "",
    )
    .await
    .text();
    let token = token.split(['=', '&']).nth(1).unwrap();
    let used = oauth("n3", &format!("oauth_token=\"{token}\""));
    let current = "/obp/v4.0.0/users/current";
    assert_eq!(
        call(&simulator, "GET", current, &[("Authorization", &used)], "")
            .await
            .status,
        200
    );

    let form = "grant_type=authorization_code&code=sim-code&client_id=sim-oidc-client&client_secret=sim-oidc-secret";
    let minted = call(&simulator, "POST", "/obp-oidc/token", &[], form)
        .await
        .json();
    let bearer = format!("Bearer {}", minted["access_token"].as_str().unwrap());
    assert_eq!(
        call(
            &simulator,
            "GET",
            current,
            &[("Authorization", &bearer)],
            ""
        )
        .await
        .status,
        200
    );
    assert!(minted["id_token"].is_string() && minted["refresh_token"].is_string());
}

#[tokio::test]
async fn an_idempotency_key_replays() {
    let (simulator, _hands) = start(Vendor::Obp, |_| {}).await;
    let holder = token(&simulator, "sim-user", "sim-password-1").await;
    let login = format!("token={holder}");
    let path = format!("{V4}/owner/transaction-request-types/SEPA/transaction-requests");
    let pay = |amount: &str| {
        json!({"to": {"iban": "XX"}, "value": {"currency": "EUR", "amount": amount},
            "description": "x", "charge_policy": "SHARED"})
        .to_string()
    };
    let headers = [
        ("DirectLogin", login.as_str()),
        ("Idempotency-Key", "key-0001"),
    ];
    let first = call(&simulator, "POST", &path, &headers, &pay("5.00")).await;
    assert_eq!(
        (first.status, &first.json()["status"]),
        (201, &json!("COMPLETED"))
    );
    let again = call(&simulator, "POST", &path, &headers, &pay("5.00")).await;
    assert_eq!(again.header("idempotency-replay"), Some("true"));
    assert_eq!(again.json()["id"], first.json()["id"]);
    let other = call(&simulator, "POST", &path, &headers, &pay("6.00")).await;
    assert_eq!(other.status, 409);
}

#[tokio::test]
async fn limits_are_shown_and_enforced() {
    let (simulator, hands) = start(Vendor::Obp, |options| options.limits = true).await;
    let holder = token(&simulator, "sim-user", "sim-password-1").await;
    let current = "/obp/v4.0.0/users/current";
    let first = with(&simulator, &holder, "GET", current, Value::Null).await;
    assert_eq!(first.header("x-rate-limit-remaining"), Some("59"));
    assert_eq!(first.header("x-rate-limit-reset"), Some("60"));
    for _ in 0..59 {
        with(&simulator, &holder, "GET", current, Value::Null).await;
    }
    let refused = with(&simulator, &holder, "GET", current, Value::Null).await;
    assert_eq!(code(&refused), (429, "OBP-10018".to_owned()));
    hands.forward(60);
    assert_eq!(
        with(&simulator, &holder, "GET", current, Value::Null)
            .await
            .status,
        200
    );
}
