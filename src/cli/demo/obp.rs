//! An application that uses the Open Bank Project: it grants and takes back access to an account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::client::Call;
use super::visitor::{Visitor, text};

/// The gateway's prefix; OBP's own paths begin with `/obp` once more.
const OBP: &str = "/obp";
const ACCOUNT: &str = "/obp/v4.0.0/banks/sim.bank/accounts/acc-1";
const CONSUMER_KEY: &str = "simconsumerkey00000000000000000000000000";
const AUDITOR: &str = "5d1d0000-0000-4000-8000-000000000002";

/// Calls of one telling.
pub const STEPS: u32 = 12;

/// Tells the story.
pub async fn share(mut visitor: Visitor<'_>) {
    let mut is_first = true;
    while is_first || visitor.has_time() {
        let holder = mint(&mut visitor, "sim-user", "sim-password-1").await;
        let auditor = mint(&mut visitor, "sim-auditor", "sim-password-2").await;
        who(&mut visitor, "who am I", "DirectLogin", &holder, 200).await;
        let grant = json!({
            "user_id": AUDITOR, "view": {"view_id": "auditor", "is_system": true},
        });
        let read = Call::get(format!("{OBP}{ACCOUNT}/auditor/transactions?limit=2"))
            .with("DirectLogin", auditor.as_str());
        visitor.call("no access yet", read.clone(), 403).await;
        change(&mut visitor, "grant access", "grant", &holder, &grant).await;
        visitor.call("read transactions", read.clone(), 200).await;
        change(&mut visitor, "revoke access", "revoke", &holder, &grant).await;
        visitor.call("no access any more", read, 403).await;
        who(&mut visitor, "DAuth", "DAuth", &contract(), 200).await;
        let foreign = format!("GatewayLogin token=\"{}\"", contract());
        who(
            &mut visitor,
            "a refused scheme",
            "Authorization",
            &foreign,
            403,
        )
        .await;
        who(
            &mut visitor,
            "an invalid token",
            "DirectLogin",
            "token=nonsense",
            401,
        )
        .await;
        let login = format!(
            "username=\"sim-user\", password=\"{}\", consumer_key=\"{CONSUMER_KEY}\"",
            visitor.entropy.guid()
        );
        let call = Call::new("POST", format!("{OBP}/my/logins/direct")).with("DirectLogin", login);
        if is_first {
            visitor.call("a wrong password", call, 401).await;
        }
        is_first = false;
    }
}

async fn mint(visitor: &mut Visitor<'_>, user: &str, password: &str) -> String {
    let login =
        format!("username=\"{user}\", password=\"{password}\", consumer_key=\"{CONSUMER_KEY}\"");
    let call = Call::new("POST", format!("{OBP}/my/logins/direct")).with("DirectLogin", login);
    let answer = visitor.call("log in", call, 201).await;
    format!("token={}", text(&answer, "token"))
}

async fn who(
    visitor: &mut Visitor<'_>,
    step: &'static str,
    header: &'static str,
    value: &str,
    expected: u16,
) {
    let call = Call::get(format!("{OBP}/obp/v4.0.0/users/current")).with(header, value);
    visitor.call(step, call, expected).await;
}

async fn change(
    visitor: &mut Visitor<'_>,
    step: &'static str,
    what: &str,
    holder: &str,
    grant: &Value,
) {
    let path = format!("{OBP}{ACCOUNT}/account-access/{what}");
    let call = Call::post(path, grant).with("DirectLogin", holder);
    visitor.call(step, call, 201).await;
}

/// What a smart contract's bridge sends; the simulator does not check the signature.
fn contract() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "smart_contract_address": "0xcf5ed3cf3a5e9f4c6a1b2d3e4f5061728394a5b6",
        "network_name": "SIMNET",
        "msg_sender": "0x0000000000000000000000000000000000000001",
        "consumer_key": CONSUMER_KEY,
        "timestamp": "2026-11-21T21:15:38Z",
        "request_id": "r-1",
    });
    format!(
        "{}.{}.c2lnbmF0dXJl",
        part(json!({"alg": "RS256", "typ": "JWT"})),
        part(claims)
    )
}
