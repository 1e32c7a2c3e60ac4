//! An application that signs its requests the Wyre way.

use ring::hmac;
use serde_json::json;

use super::client::{Answer, Call};
use super::visitor::{Visitor, text};
use crate::adapters::clock;

const WYRE: &str = "/wyre";
const KEY: &str = "AK-SIM-MASTER-0001";
const SECRET: &str = "SK-SIM-MASTER-SECRET-00000001";

/// Calls of one telling.
pub const STEPS: u32 = 10;

/// Tells the story. `signed` is the base URL that goes into signatures: the bank's own.
pub async fn transfer(mut visitor: Visitor<'_>, signed: &str) {
    let mut is_first = true;
    while is_first || visitor.has_time() {
        session(&mut visitor).await;
        let rates = Call::get(format!("{WYRE}/v3/rates"));
        visitor.call("read rates", rates, 200).await;
        let sign = Signer { signed };
        sign.get(&mut visitor, "read the account", "/v2/account", 200)
            .await;
        let child = "/v3/accounts/AC_SIMCHILD001?masqueradeAs=AC_SIMCHILD001";
        sign.get(&mut visitor, "act for another account", child, 200)
            .await;
        let order = json!({
            "source": "account:AC_SIMMASTER01", "sourceCurrency": "USD",
            "sourceAmount": (1 + visitor.entropy.below(500)).to_string(),
            "dest": "bitcoin:tb1qexample", "destCurrency": "BTC",
        });
        let body = order.to_string();
        let path = "/v3/transfers";
        let made = sign
            .send(&mut visitor, "transfer", ("POST", path, &body), SECRET, 200)
            .await;
        let path = format!("/v3/transfers/{}/confirm", text(&made, "id"));
        for (step, expected) in [("confirm the transfer", 200), ("confirm it twice", 400)] {
            sign.send(&mut visitor, step, ("POST", &path, ""), SECRET, expected)
                .await;
        }
        let call = ("GET", "/v2/account", "");
        sign.send(&mut visitor, "a wrong signature", call, "wrong", 401)
            .await;
        is_first = false;
    }
}

/// A secret of the client's own becomes a session; it then opens an account.
async fn session(visitor: &mut Visitor<'_>) {
    let secret = visitor.entropy.text(b"abcdefghjkmnpqrstuvwxyz23456789", 30);
    let path = format!("{WYRE}/v2/sessions/auth/key?secretKey={secret}");
    visitor
        .call("mint a session", Call::new("POST", path), 200)
        .await;
    let profile = json!({
        "type": "INDIVIDUAL", "country": "US",
        "profileFields": [{"fieldId": "individualEmail", "value": "zyx@example.invalid"}],
    });
    let call = Call::post(format!("{WYRE}/v3/accounts"), &profile).bearer(&secret);
    let account = visitor.call("open an account", call, 200).await;
    let path = format!("{WYRE}/v3/accounts/{}", text(&account, "id"));
    visitor
        .call("use the session", Call::get(path).bearer(&secret), 200)
        .await;
}

struct Signer<'s> {
    signed: &'s str,
}

impl Signer<'_> {
    async fn get(&self, visitor: &mut Visitor<'_>, step: &'static str, path: &str, expected: u16) {
        self.send(visitor, step, ("GET", path, ""), SECRET, expected)
            .await;
    }

    async fn send(
        &self,
        visitor: &mut Visitor<'_>,
        step: &'static str,
        (method, path, body): (&'static str, &str, &str),
        secret: &str,
        expected: u16,
    ) -> Answer {
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{mark}timestamp={}", clock::now().as_millis());
        let message = format!("{}{path}{body}", self.signed);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature: String = hmac::sign(&key, message.as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let call = Call::new(method, format!("{WYRE}{path}"))
            .with("X-Api-Version", "2")
            .with("X-Api-Key", KEY)
            .with("X-Api-Signature", signature)
            .with("Content-Type", "application/json")
            .body(body.to_owned());
        visitor.call(step, call, expected).await
    }
}
